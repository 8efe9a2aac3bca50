# SPDX-License-Identifier: BSD-3-Clause
"""The first TLS message of a CRYPTO stream, put together from frames in any order, bounded."""

import enum
from typing import Final

from nexusnet.reality.initial import CryptoFragment

MAX_MESSAGE: Final = 16384
"""Bytes of a hello that are kept. Browsers send less than 4,000."""

MAX_GAPS: Final = 256
"""Separate pieces that are kept; a browser cuts a hello into about 30."""

HEADER: Final = 4
"""Message type and length in front of a TLS message (RFC 8446 section 4)."""


class Progress(enum.Enum):
    """How far a message is."""

    INCOMPLETE = "incomplete"
    COMPLETE = "complete"
    IMPOSSIBLE = "impossible"
    """Too long, in contradiction to itself, or not of the wanted type."""


class FirstMessage:
    """Collects one TLS message from the start of a CRYPTO stream.

    Attributes:
        progress: how far it is; nothing is taken once it is not INCOMPLETE.
    """

    __slots__ = ("_buffer", "_pieces", "_wanted", "progress")

    def __init__(self, message_type: int) -> None:
        """Start with nothing.

        Args:
            message_type: TLS HandshakeType of the message.
        """
        self.progress = Progress.INCOMPLETE
        self._wanted = message_type
        self._buffer = bytearray()
        # Disjoint, ascending, not touching: (start, end).
        self._pieces: list[tuple[int, int]] = []

    @property
    def message(self) -> bytes:
        """The message with its four bytes of header; only where COMPLETE."""
        return bytes(self._buffer[: self._length()]) if self.progress is Progress.COMPLETE else b""

    def add(self, fragment: CryptoFragment) -> Progress:
        """Take the data of a CRYPTO frame and return how far the message is."""
        if self.progress is Progress.INCOMPLETE and not self._insert(fragment):
            self.progress = Progress.IMPOSSIBLE
        if self.progress is Progress.INCOMPLETE:
            self.progress = self._judge()
        return self.progress

    def _insert(self, fragment: CryptoFragment) -> bool:
        start, end = fragment.offset, fragment.offset + len(fragment.data)
        if end > MAX_MESSAGE:
            return False
        if start == end:
            return True
        if len(self._buffer) < end:
            self._buffer.extend(bytes(end - len(self._buffer)))
        merged_start, merged_end = start, end
        kept: list[tuple[int, int]] = []
        for low, high in self._pieces:
            if high < start or low > end:
                kept.append((low, high))
                continue
            # RFC 9000 section 2.2: the data at an offset never changes.
            both = slice(max(low, start), min(high, end))
            if self._buffer[both] != fragment.data[both.start - start : both.stop - start]:
                return False
            merged_start, merged_end = min(merged_start, low), max(merged_end, high)
        self._buffer[start:end] = fragment.data
        kept.append((merged_start, merged_end))
        kept.sort()
        self._pieces = kept
        return len(kept) <= MAX_GAPS

    def _length(self) -> int:
        return HEADER + int.from_bytes(self._buffer[1:HEADER], "big")

    def _judge(self) -> Progress:
        start, end = self._pieces[0] if self._pieces else (0, 0)
        if start > 0 or end == 0:
            return Progress.INCOMPLETE
        if self._buffer[0] != self._wanted:
            return Progress.IMPOSSIBLE
        if end < HEADER:
            return Progress.INCOMPLETE
        length = self._length()
        # Nothing may follow: the peer has not answered yet.
        if length > MAX_MESSAGE or self._pieces[-1][1] > length:
            return Progress.IMPOSSIBLE
        return Progress.COMPLETE if end == length else Progress.INCOMPLETE
