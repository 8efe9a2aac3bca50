# SPDX-License-Identifier: BSD-3-Clause
"""A cursor over received bytes that cannot run off their end."""

from nexusnet.quic.errors import frame_encoding_error
from nexusnet.quic.varint import decode_varint


class Reader:
    """Reads fields of `data` in order, from `offset` bytes on.

    Every method raises `QuicError` FRAME_ENCODING_ERROR where the bytes do not suffice.
    """

    __slots__ = ("_data", "offset")

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self._data = data
        self.offset = offset

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self.offset

    def varint(self) -> int:
        """Read a variable-length integer, 0..2^62-1."""
        value, self.offset = decode_varint(self._data, self.offset)
        return value

    def uint8(self) -> int:
        """Read one byte as a number."""
        return self.take(1)[0]

    def take(self, length: int) -> bytes:
        """Read exactly `length` bytes."""
        if length > self.remaining:
            raise frame_encoding_error(f"{length} bytes announced, {self.remaining} left")
        start = self.offset
        self.offset = start + length
        return self._data[start : self.offset]

    def rest(self) -> bytes:
        """Read all that is left, possibly nothing."""
        return self.take(self.remaining)

    def skip_zeros(self) -> int:
        """Read a run of zero bytes, possibly none, and return how many there were."""
        tail = self._data[self.offset :]
        count = len(tail) - len(tail.lstrip(b"\0"))
        self.offset += count
        return count
