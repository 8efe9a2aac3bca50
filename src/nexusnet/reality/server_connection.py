# SPDX-License-Identifier: BSD-3-Clause
"""A server's connection with an accepted client: its first flight is cut like the template's.

What an observer sees of a flight are the sizes of datagrams and of the packets in them. The plan
says both; CRYPTO data is cut to fit, and PADDING fills what it leaves. What is sent again after a
loss, and all later packets, are as aioquic makes them.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from aioquic._buffer import Buffer
from aioquic.quic.packet import QuicFrameType, QuicPacketType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.tls import Epoch

from nexusnet.handshake.connection import TunnelConnection
from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.profile import EngineConfig, utc_now
from nexusnet.reality.decision import Accept
from nexusnet.reality.server_tls import RealityServerTls, ServerShape
from nexusnet.reality.template import (
    LONG_HEADER_SIZE,
    TAG_SIZE,
    FlightPlan,
    PlannedPacket,
    PlannedType,
    crypto_room,
    handshake_capacity,
)

TYPES: Final = {
    PlannedType.INITIAL: (QuicPacketType.INITIAL, Epoch.INITIAL),
    PlannedType.HANDSHAKE: (QuicPacketType.HANDSHAKE, Epoch.HANDSHAKE),
    PlannedType.ONE_RTT: (QuicPacketType.ONE_RTT, Epoch.ONE_RTT),
}

MAX_UDP_PAYLOAD: Final = 1500
"""Room for a datagram of any plan; larger ones fit no Ethernet frame."""

ACK_SIZE: Final = 5
"""Bytes of an ACK frame with one range and without delay."""

ACK_RANGE_SIZE: Final = 2
"""Bytes of each further range, of small packet numbers."""

ECN_COUNTS_SIZE: Final = 3


@functools.cache
def _never_shown() -> Credentials:
    """Return what aioquic demands of every server; `RealityServerTls` makes its own certificate."""
    return Credentials.self_signed("never.shown", not_before=utc_now())


class RealityServerConnection(TunnelConnection):
    """A server's connection.

    Attributes:
        tls: our TLS engine; `EngineConfig.tls_context` is `RealityServerTls`.
        shaped: whether the first flight was cut after the plan; None before it was sent.
    """

    tls: RealityServerTls

    def __init__(
        self,
        config: EngineConfig,
        *,
        accepted: Accept,
        shape: ServerShape,
        flight: FlightPlan = (),
        on_unshaped: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> None:
        """Make one for a client.

        Args:
            config: what we offer.
            accepted: the client.
            shape: how the answer is to look in TLS.
            flight: how it is cut; empty for as it comes.
            on_unshaped: called where the answer cannot be cut like that.
            options: see `TunnelConnection`.
        """
        self.shaped: bool | None = None
        self._accepted = accepted
        self._shape = shape
        self._flight = flight
        self._on_unshaped = on_unshaped
        super().__init__(replace(config, credentials=_never_shown()), **options)

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        self.tls.accept(self._accepted, self._shape)

    def _write_handshake(self, builder: QuicPacketBuilder, epoch: Epoch, now: float) -> None:
        if self.shaped is None and epoch is Epoch.INITIAL and self._flight_waits():
            self.shaped = self._fits(builder)
            if self.shaped:
                self._write_flight(builder, now)
            else:
                self._on_unshaped()
        super()._write_handshake(builder, epoch, now)

    def _flight_waits(self) -> bool:
        """Whether the whole flight is there and none of it was sent."""
        streams = [self._crypto_streams[epoch].sender for epoch in (Epoch.INITIAL, Epoch.HANDSHAKE)]
        return all(not one.buffer_is_empty and one.next_offset == 0 for one in streams)

    def _fits(self, builder: QuicPacketBuilder) -> bool:
        """Whether the flight fits into the plan, and the plan into what may be sent."""
        if not self._flight or any(one.size > MAX_UDP_PAYLOAD for one in self._flight):
            return False
        size = sum(datagram.size for datagram in self._flight)
        limits = [
            limit
            for limit in (builder.max_total_bytes, builder.max_flight_bytes)
            if limit is not None
        ]
        if any(size > limit for limit in limits):
            return False
        cids = len(self.host_cid) + len(self._peer_cid.cid)
        initial = 0
        for packet in (packet for datagram in self._flight for packet in datagram.packets):
            if packet.type is PlannedType.INITIAL:
                # One more byte of header: the length of its token. The first one has the ACK.
                space = packet.size - LONG_HEADER_SIZE - 1 - cids - TAG_SIZE
                initial += crypto_room(space - (0 if initial else self._ack_size()), initial)
        handshake = handshake_capacity(self._flight, cids)
        return initial >= self._waiting(Epoch.INITIAL) and handshake >= self._waiting(
            Epoch.HANDSHAKE
        )

    def _ack_size(self) -> int:
        # A hello that came twice, or with a gap, takes more ranges.
        ranges = max(len(self._spaces[Epoch.INITIAL].ack_queue), 1)
        size = ACK_SIZE + ACK_RANGE_SIZE * (ranges - 1)
        return size + (ECN_COUNTS_SIZE if self._ecn[Epoch.INITIAL].any else 0)

    def _waiting(self, epoch: Epoch) -> int:
        sender = self._crypto_streams[epoch].sender
        return sum(piece.stop - piece.start for piece in sender._pending)

    def _write_flight(self, builder: QuicPacketBuilder, now: float) -> None:
        builder._buffer = Buffer(capacity=MAX_UDP_PAYLOAD)
        usual = builder._buffer_capacity
        for datagram in self._flight:
            for packet in datagram.packets:
                builder._buffer_capacity = builder._flight_capacity = MAX_UDP_PAYLOAD
                self._write_planned(builder, packet, now)
            # Expanded by the plan, which has enough bytes: RFC 9000 section 14.1 binds the target.
            builder._datagram_needs_padding = False
            if builder._packet is not None:
                builder._end_packet()
            builder._datagram_needs_padding = False
            builder._buffer.push_bytes(bytes(datagram.trailing))
            builder._flush_current_datagram()
        builder._buffer_capacity = builder._flight_capacity = usual
        self._probe_pending = False

    def _write_planned(
        self, builder: QuicPacketBuilder, planned: PlannedPacket, now: float
    ) -> None:
        packet_type, epoch = TYPES[planned.type]
        builder.start_packet(packet_type, self._cryptos[epoch])
        end = builder._packet_start + planned.size
        builder._buffer_capacity = builder._flight_capacity = end
        space = self._spaces[epoch]
        if space.ack_at is not None:
            # Without a delay, which a peer ignores here (RFC 9000 section 13.2.1): its size varies.
            space.largest_received_time = now
            self._write_ack_frame(builder, space, now)
        wrote = False
        if epoch is not Epoch.ONE_RTT:
            wrote = self._write_crypto_frame(builder, space, self._crypto_streams[epoch])
        if not wrote and builder.remaining_buffer_space > 0:
            # What the target sends here makes the client acknowledge it, and so must this.
            builder.start_frame(QuicFrameType.PING)
        if builder.remaining_buffer_space > 0:
            buf = builder.start_frame(QuicFrameType.PADDING)
            buf.push_bytes(bytes(builder.remaining_buffer_space))
