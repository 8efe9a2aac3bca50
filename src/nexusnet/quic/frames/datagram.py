# SPDX-License-Identifier: BSD-3-Clause
"""DATAGRAM frames (RFC 9221 section 4)."""

from dataclasses import dataclass
from typing import Self

from nexusnet.quic.frames.types import FrameType
from nexusnet.quic.reader import Reader
from nexusnet.quic.varint import encode_varint


@dataclass(frozen=True, slots=True)
class DatagramFrame:
    """DATAGRAM to the end of the packet (0x30) or with a length (0x31).

    Attributes:
        data: what the application sent, possibly nothing.
        has_length: whether a Length field stands before the data; without it no frame can follow.
    """

    data: bytes
    has_length: bool = True

    @classmethod
    def parse(cls, frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        has_length = frame_type == FrameType.DATAGRAM_LEN
        return cls(reader.take(reader.varint()) if has_length else reader.rest(), has_length)

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        if self.has_length:
            length = encode_varint(len(self.data))
            return encode_varint(FrameType.DATAGRAM_LEN) + length + self.data
        return encode_varint(FrameType.DATAGRAM) + self.data
