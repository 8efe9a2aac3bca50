# SPDX-License-Identifier: BSD-3-Clause
"""The other end of a session: a QUIC client on the reference model, one packet at a time."""

import socket
import sys
import time
from dataclasses import dataclass, field
from typing import TypeVar

from nexusnet.quic.frames import AckFrame, Frame, encode_frames, is_ack_eliciting, parse_frames
from nexusnet.quic.frames.ack import AckRange
from nexusnet.quic.keys import CipherSuite, derive_header_key
from nexusnet.quic.protection import ShortHeaderPacket, ShortHeaderProtection

F = TypeVar("F", bound=Frame)
SO_RCVMARK = 75  # asm-generic/socket.h; Python's socket module lacks it
MARK = (socket.SOL_SOCKET, socket.SO_MARK)
TOS = (socket.IPPROTO_IP, socket.IP_TOS)
PATIENCE = 10.0  # seconds that anything may take on a loaded machine


@dataclass(slots=True)
class Received:
    """A packet of the data plane, opened by the model."""

    packet: ShortHeaderPacket
    frames: tuple[Frame, ...]
    size: int  # of the UDP payload
    tos: int  # of the IP header
    mark: int  # of the socket that sent it, where the loopback device was all there was between


@dataclass
class ModelPeer:
    """Sends what a test says and acknowledges nothing by itself."""

    suite: CipherSuite
    sends: bytes  # traffic secret
    receives: bytes
    own_cid: bytes
    peer_cid: bytes
    to: tuple[str, int]
    family: int = socket.AF_INET
    address: str = "127.0.0.1"
    next_pn: int = 10
    largest: int = 9
    history: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
        self.socket.bind((self.address, 0))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVMARK, 1)
        self.tx = [ShortHeaderProtection(self.suite, self.sends)]
        self.rx = [ShortHeaderProtection(self.suite, self.receives)]
        for _ in range(3):
            self.tx.append(self.tx[-1].next_generation())
            self.rx.append(self.rx[-1].next_generation())

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def header_key(self, *, sending: bool) -> bytes:
        return derive_header_key(self.suite, self.sends if sending else self.receives)

    def seal(self, *frames: Frame | bytes, generation: int = 0, pn: int | None = None) -> bytes:
        """A packet; bytes are put in as they are."""
        payload = b"".join(
            one if isinstance(one, bytes) else encode_frames([one]) for one in frames
        )
        if pn is None:
            pn, self.next_pn = self.next_pn, self.next_pn + 1
        return self.tx[generation].seal(self.peer_cid, pn, 4, payload)

    def send(self, *frames: Frame | bytes, generation: int = 0, pn: int | None = None) -> bytes:
        packet = self.seal(*frames, generation=generation, pn=pn)
        self.send_raw(packet)
        return packet

    def mark(self, tos: int) -> None:
        """TOS of what is sent from now on."""
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)

    def send_raw(self, packet: bytes) -> None:
        self.socket.sendto(packet, self.to)

    def receive(self, timeout: float = PATIENCE) -> Received | None:
        """The next packet, None where none comes in time."""
        self.socket.settimeout(timeout)
        try:
            data, control, _, _ = self.socket.recvmsg(65536, 2 * socket.CMSG_SPACE(4))
        except TimeoutError:
            return None
        told = {(level, kind): value for level, kind, value in control}
        tos = int.from_bytes(told.get(TOS, b""), sys.byteorder)
        mark = int.from_bytes(told.get(MARK, b""), sys.byteorder)
        # The key phase is found by trying: generations 0 to 3.
        for rx in self.rx:
            try:
                packet = rx.open(data, self.own_cid, self.largest)
            except Exception:  # noqa: BLE001, S112 - another generation's turn
                continue
            self.largest = max(self.largest, packet.pn)
            received = Received(packet, parse_frames(packet.payload), len(data), tos, mark)
            self.history.append(received)
            return received
        raise AssertionError("a packet that no key opens")

    def expect(self, kind: type[F], timeout: float = PATIENCE) -> tuple[F, Received]:
        """The next frame of a type; what comes before it is kept in `history` only."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            received = self.receive(left)
            for frame in received.frames if received else ():
                if isinstance(frame, kind):
                    assert received is not None
                    return frame, received
        raise AssertionError(f"no {kind.__name__} came")

    def expect_nothing(self, seconds: float = 0.3) -> None:
        received = self.receive(seconds)
        assert received is None, received

    def ack(self, *numbers: int, generation: int = 0) -> None:
        """Acknowledge single packet numbers."""
        ranges: list[AckRange] = []
        for number in sorted(set(numbers), reverse=True):
            if ranges and ranges[-1].smallest == number + 1:
                ranges[-1] = AckRange(number, ranges[-1].largest)
            else:
                ranges.append(AckRange(number, number))
        self.send(AckFrame(tuple(ranges)), generation=generation)

    def ack_everything(self) -> None:
        """Acknowledge all ack-eliciting packets so far."""
        numbers = [one.packet.pn for one in self.history if any(map(is_ack_eliciting, one.frames))]
        if numbers:
            self.ack(*numbers)

    def close(self) -> None:
        self.socket.close()
