# SPDX-License-Identifier: BSD-3-Clause
"""Carries an exported connection on with the reference model: a data plane of a hundred lines."""

import contextlib
from collections.abc import Sequence

from nexusnet.handshake.datagram import Address, Received, Transmit
from nexusnet.handshake.export import ExportedConnection
from nexusnet.keys import SecretSet
from nexusnet.netlink.generated import CipherSuite as AbiSuite
from nexusnet.quic.errors import DropReason, QuicError
from nexusnet.quic.frames import (
    AckFrame,
    ConnectionCloseFrame,
    DatagramFrame,
    Frame,
    encode_frames,
    is_ack_eliciting,
    parse_frames,
)
from nexusnet.quic.keys import CipherSuite
from nexusnet.quic.packet_number import NONE_YET, packet_number_length
from nexusnet.quic.protection import ShortHeaderPacket, ShortHeaderProtection, minimum_payload
from nexusnet.quic.received import Ecn, ReceivedPackets

SUITES = {
    AbiSuite.AES_128_GCM_SHA256: CipherSuite.AES_128_GCM,
    AbiSuite.AES_256_GCM_SHA384: CipherSuite.AES_256_GCM,
    AbiSuite.CHACHA20_POLY1305_SHA256: CipherSuite.CHACHA20_POLY1305,
}


class Continuation:
    """The endpoint that goes on where an engine stopped.

    Attributes:
        frames: received frames, in order of arrival.
        sent: packet numbers that were sent.
        dropped: why received packets were not taken.
    """

    def __init__(self, exported: ExportedConnection, local: Address, remote: Address) -> None:
        keys = exported.keys
        assert isinstance(keys, SecretSet)
        suite = SUITES[keys.suite]
        self.exported = exported
        self.local, self.remote = local, remote
        self.tx = ShortHeaderProtection(
            suite,
            bytes(keys.tx.reveal()),
            header_key=bytes(keys.header.tx.reveal()),
            generation=keys.state.generation,
        )
        self.rx = ShortHeaderProtection(
            suite,
            bytes(keys.rx.reveal()),
            header_key=bytes(keys.header.rx.reveal()),
            generation=keys.state.generation,
        )
        self.old_rx = None
        if keys.previous_rx is not None:
            self.old_rx = ShortHeaderProtection(
                suite,
                bytes(keys.previous_rx.reveal()),
                header_key=bytes(keys.header.rx.reveal()),
                generation=keys.state.generation - 1,
            )
        self.dcid = exported.peer_cids[0].value
        self.scid = exported.local_cids[0].value
        self.next_pn = exported.next_pn
        self.largest_acked = exported.largest_acked
        self.received = ReceivedPackets(floor=exported.received.duplicate_floor)
        for one in reversed(exported.received.ranges):
            for number in range(one.first, one.last + 1):
                self.received.receive(number)
        self.received_at = exported.largest_received_at
        self.frames: list[Frame] = []
        self.sent: list[int] = []
        self.dropped: list[DropReason] = []
        self.closed: ConnectionCloseFrame | None = None
        self.acknowledge = True
        self._out: list[Transmit] = []
        self._ack_due = bool(exported.ack_eliciting_pending)

    def send(self, frames: Sequence[Frame]) -> None:
        pn_len = packet_number_length(
            self.next_pn, NONE_YET if self.largest_acked is None else self.largest_acked
        )
        payload = encode_frames(frames)
        payload += bytes(max(0, minimum_payload(pn_len) - len(payload)))
        packet = self.tx.seal(self.dcid, self.next_pn, pn_len, payload)
        self.sent.append(self.next_pn)
        self.next_pn += 1
        self._out.append(Transmit(packet, self.local, self.remote))

    def update_keys(self) -> None:
        self.tx = self.tx.next_generation()

    def receive(self, datagram: Received, now: float) -> None:
        try:
            packet = self._open(datagram.data)
            self.received.check(packet.pn)
        except QuicError as error:
            if not isinstance(error.code, DropReason):
                raise
            self.dropped.append(error.code)
            return
        self.received.receive(packet.pn, Ecn(datagram.ecn))
        if packet.pn >= self.received.largest:
            self.received_at = now
        for frame in parse_frames(packet.payload):
            self.frames.append(frame)
            self._ack_due |= is_ack_eliciting(frame)
            if isinstance(frame, AckFrame):
                assert frame.largest_acknowledged < self.next_pn
                self.largest_acked = max(self.largest_acked or 0, frame.largest_acknowledged)
            elif isinstance(frame, ConnectionCloseFrame):
                self.closed = frame

    def _open(self, data: bytes) -> ShortHeaderPacket:
        try:
            return self.rx.open(data, self.scid, self.received.largest)
        except QuicError as error:
            if error.code is not DropReason.WRONG_KEY_PHASE:
                raise
        if self.old_rx is not None:
            with contextlib.suppress(QuicError):
                return self.old_rx.open(data, self.scid, self.received.largest)
        following = self.rx.next_generation()
        packet = following.open(data, self.scid, self.received.largest)
        self.old_rx, self.rx = self.rx, following
        if self.tx.generation < following.generation:
            self.tx = self.tx.next_generation()
        return packet

    def transmit(self, now: float) -> list[Transmit]:
        if self._ack_due and self.acknowledge and self.closed is None:
            self._ack_due = False
            waited = 0.0 if self.received_at is None else now - self.received_at
            exponent = self.exported.local_parameters.ack_delay_exponent
            ack = self.received.ack_frame(int(waited * 1_000_000) >> exponent)
            assert ack is not None
            self.send([ack])
        out, self._out = self._out, []
        return out

    def deadline(self) -> float | None:
        return None

    def handle_deadline(self, now: float) -> None:
        """Nothing is timed here."""

    @property
    def datagrams(self) -> list[bytes]:
        return [frame.data for frame in self.frames if isinstance(frame, DatagramFrame)]
