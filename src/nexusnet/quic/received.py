# SPDX-License-Identifier: BSD-3-Clause
"""Which packets were received: duplicate detection and ACK frames (RFC 9000 section 13.2.3)."""

import enum
from bisect import bisect_left
from typing import Final

from nexusnet.quic.errors import DropReason, QuicError, internal_error
from nexusnet.quic.frames.ack import AckFrame, AckRange, EcnCounts
from nexusnet.quic.packet_number import NONE_YET, PACKET_NUMBER_MAX

MAX_RANGES: Final = 32
"""Ranges kept by default; a session hands over no more than these."""


class Ecn(enum.IntEnum):
    """ECN field of an IP header (RFC 3168 section 5)."""

    NOT_ECT = 0
    ECT1 = 1
    ECT0 = 2
    CE = 3


class ReceivedPackets:
    """Packet numbers of one space that were processed, as a bounded list of ranges.

    Below `floor` nothing is known any more, so that everything there counts as received
    (RFC 9000 section 12.3 demands certainty). The floor rises when the oldest of `max_ranges`
    ranges is forgotten, and when the peer is known to have seen our acknowledgement.
    """

    __slots__ = ("_counts", "_largest", "_max_ranges", "_ranges", "floor")

    def __init__(self, max_ranges: int = MAX_RANGES, floor: int = 0) -> None:
        """Start with nothing received.

        Args:
            max_ranges: ranges to remember, 1 or more.
            floor: first packet number that can be told from a duplicate.
        """
        if max_ranges < 1 or not 0 <= floor <= PACKET_NUMBER_MAX + 1:
            raise internal_error("bounds out of range")
        self.floor = floor
        self._max_ranges = max_ranges
        # Ascending, disjoint, not touching, all at or above the floor.
        self._ranges: list[AckRange] = []
        self._counts = dict.fromkeys(Ecn, 0)
        self._largest = NONE_YET

    @property
    def ranges(self) -> tuple[AckRange, ...]:
        """What an ACK frame would carry: highest first."""
        return tuple(reversed(self._ranges))

    @property
    def largest(self) -> int:
        """Largest packet number ever received, or `NONE_YET`."""
        return self._largest

    def check(self, pn: int) -> None:
        """Raise for a packet that must not be processed.

        Raises:
            QuicError: `DropReason.DUPLICATE` or `DropReason.TOO_OLD`; INTERNAL_ERROR where `pn` is
                outside 0..2^62-1.
        """
        if not 0 <= pn <= PACKET_NUMBER_MAX:
            raise internal_error(f"{pn} is no packet number")
        if pn < self.floor:
            raise QuicError(DropReason.TOO_OLD, f"{pn} is below {self.floor}")
        at = self._first_at_or_after(pn)
        if at < len(self._ranges) and pn in self._ranges[at]:
            raise QuicError(DropReason.DUPLICATE, f"{pn} was received before")
        # With the list full, a range of its own below all others would be forgotten at once, and
        # the packet never acknowledged: better to take it as lost.
        if at == 0 and len(self._ranges) == self._max_ranges and self._ranges[0].smallest > pn + 1:
            raise QuicError(DropReason.TOO_OLD, f"{pn} is below {self._max_ranges} ranges")

    def receive(self, pn: int, ecn: Ecn = Ecn.NOT_ECT) -> None:
        """Record a packet that authenticated.

        Args:
            pn: packet number.
            ecn: codepoint it came with; duplicates are not counted (RFC 9000 section 13.4.1).

        Raises:
            QuicError: as `check`; nothing changes then.
        """
        self.check(pn)
        at = self._first_at_or_after(pn)
        smallest = largest = pn
        start = end = at
        if at < len(self._ranges) and self._ranges[at].smallest == pn + 1:
            largest = self._ranges[at].largest
            end = at + 1
        if at > 0 and self._ranges[at - 1].largest == pn - 1:
            smallest = self._ranges[at - 1].smallest
            start = at - 1
        self._ranges[start:end] = [AckRange(smallest, largest)]
        if len(self._ranges) > self._max_ranges:
            self.floor = self._ranges.pop(0).largest + 1
        self._counts[ecn] += 1
        self._largest = max(self._largest, pn)

    def forget_below(self, floor: int) -> None:
        """Take everything below `floor` as received and acknowledged (RFC 9000 section 13.2.4)."""
        if floor <= self.floor:
            return
        if floor > PACKET_NUMBER_MAX + 1:
            raise internal_error("floor out of range")
        self.floor = floor
        self._ranges = [
            AckRange(max(kept.smallest, floor), kept.largest)
            for kept in self._ranges
            if kept.largest >= floor
        ]

    def ecn_counts(self) -> EcnCounts | None:
        """Return the counts for an ACK frame, or None where no packet bore a codepoint."""
        counts = EcnCounts(self._counts[Ecn.ECT0], self._counts[Ecn.ECT1], self._counts[Ecn.CE])
        return counts if any((counts.ect0, counts.ect1, counts.ce)) else None

    def ack_frame(self, ack_delay: int = 0) -> AckFrame | None:
        """Return an ACK frame of all ranges, or None where there is nothing to acknowledge.

        Args:
            ack_delay: in units of 2^ack_delay_exponent microseconds.
        """
        if not self._ranges:
            return None
        return AckFrame(self.ranges, ack_delay, self.ecn_counts())

    def _first_at_or_after(self, pn: int) -> int:
        """Return the index of the first range whose largest number is `pn` or above."""
        return bisect_left(self._ranges, pn, key=lambda item: item.largest)
