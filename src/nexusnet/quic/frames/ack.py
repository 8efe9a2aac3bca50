# SPDX-License-Identifier: BSD-3-Clause
"""ACK frames, with and without ECN counts (RFC 9000 section 19.3)."""

from dataclasses import dataclass
from typing import Self

from nexusnet.quic.errors import frame_encoding_error
from nexusnet.quic.frames.types import FrameType
from nexusnet.quic.reader import Reader
from nexusnet.quic.varint import encode_varint


@dataclass(frozen=True, slots=True)
class AckRange:
    """Packet numbers from `smallest` to `largest`, both included.

    Raises:
        QuicError: FRAME_ENCODING_ERROR where `smallest` is negative or above `largest`.
    """

    smallest: int
    largest: int

    def __post_init__(self) -> None:
        # RFC 9000 section 19.3.1: a computed packet number below zero.
        if not 0 <= self.smallest <= self.largest:
            raise frame_encoding_error("an ACK range reaches below packet number 0", FrameType.ACK)

    def __contains__(self, pn: int) -> bool:
        return self.smallest <= pn <= self.largest


@dataclass(frozen=True, slots=True)
class EcnCounts:
    """Total packets received with each ECN codepoint in this space (RFC 9000 section 19.3.2)."""

    ect0: int
    ect1: int
    ce: int


@dataclass(frozen=True, slots=True)
class AckFrame:
    """ACK (0x02) or, with `ecn`, ACK with ECN counts (0x03).

    Attributes:
        ranges: what is acknowledged, highest first, at least one; neighbours are at least one
            missing packet number apart.
        ack_delay: as encoded, in units of 2^ack_delay_exponent microseconds.
        ecn: ECN counts, or None.

    Raises:
        QuicError: FRAME_ENCODING_ERROR where `ranges` is empty or out of order.
    """

    ranges: tuple[AckRange, ...]
    ack_delay: int = 0
    ecn: EcnCounts | None = None

    def __post_init__(self) -> None:
        if not self.ranges:
            raise frame_encoding_error("an ACK frame acknowledges something", FrameType.ACK)
        for above, below in zip(self.ranges, self.ranges[1:], strict=False):
            if below.largest > above.smallest - 2:
                raise frame_encoding_error("ACK ranges touch or overlap", FrameType.ACK)

    @property
    def largest_acknowledged(self) -> int:
        """Largest packet number acknowledged."""
        return self.ranges[0].largest

    def delay_microseconds(self, ack_delay_exponent: int) -> int:
        """Return the delay in microseconds; the exponent is the sender's, 0..20, by default 3."""
        return self.ack_delay << ack_delay_exponent

    @classmethod
    def parse(cls, frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        largest = reader.varint()
        ack_delay = reader.varint()
        further_ranges = reader.varint()
        smallest = largest - reader.varint()
        ranges = [AckRange(smallest, largest)]
        # The count is the peer's word; truncation ends the loop long before a lie costs memory.
        for _ in range(further_ranges):
            # RFC 9000 section 19.3.1: Gap counts the missing numbers, less one.
            largest = smallest - reader.varint() - 2
            smallest = largest - reader.varint()
            ranges.append(AckRange(smallest, largest))
        ecn = None
        if frame_type == FrameType.ACK_ECN:
            ecn = EcnCounts(ect0=reader.varint(), ect1=reader.varint(), ce=reader.varint())
        return cls(ranges=tuple(ranges), ack_delay=ack_delay, ecn=ecn)

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        first = self.ranges[0]
        fields = [
            FrameType.ACK if self.ecn is None else FrameType.ACK_ECN,
            first.largest,
            self.ack_delay,
            len(self.ranges) - 1,
            first.largest - first.smallest,
        ]
        smallest = first.smallest
        for below in self.ranges[1:]:
            fields += [smallest - below.largest - 2, below.largest - below.smallest]
            smallest = below.smallest
        if self.ecn is not None:
            fields += [self.ecn.ect0, self.ecn.ect1, self.ecn.ce]
        return b"".join(map(encode_varint, fields))
