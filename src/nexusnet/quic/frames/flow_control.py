# SPDX-License-Identifier: BSD-3-Clause
"""Flow control: credit and its lack (RFC 9000 sections 19.9 to 19.14)."""

from dataclasses import dataclass
from typing import Final, Self

from nexusnet.quic.errors import frame_encoding_error
from nexusnet.quic.frames.types import FrameType
from nexusnet.quic.reader import Reader
from nexusnet.quic.varint import encode_varint

STREAMS_MAX: Final = 1 << 60
"""More streams of one kind than this cannot have stream IDs (RFC 9000 section 4.6)."""


@dataclass(frozen=True, slots=True)
class MaxDataFrame:
    """MAX_DATA (0x10): bytes that may be sent on all streams together."""

    maximum: int

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.varint())

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        return b"".join(map(encode_varint, (FrameType.MAX_DATA, self.maximum)))


@dataclass(frozen=True, slots=True)
class MaxStreamDataFrame:
    """MAX_STREAM_DATA (0x11): bytes that may be sent on one stream."""

    stream_id: int
    maximum: int

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.varint(), reader.varint())

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        fields = (FrameType.MAX_STREAM_DATA, self.stream_id, self.maximum)
        return b"".join(map(encode_varint, fields))


def _check_streams(maximum: int, frame_type: FrameType) -> None:
    # RFC 9000 sections 19.11 and 19.14: cannot exceed 2^60.
    if maximum > STREAMS_MAX:
        raise frame_encoding_error(f"{maximum} streams are more than 2^60", frame_type)


@dataclass(frozen=True, slots=True)
class MaxStreamsFrame:
    """MAX_STREAMS (0x12 bidirectional, 0x13 unidirectional).

    Attributes:
        maximum: streams that may be opened over the life of the connection, 0..2^60.
        unidirectional: which kind of stream.

    Raises:
        QuicError: FRAME_ENCODING_ERROR where `maximum` exceeds 2^60.
    """

    maximum: int
    unidirectional: bool = False

    def __post_init__(self) -> None:
        _check_streams(self.maximum, FrameType.MAX_STREAMS_BIDI)

    @classmethod
    def parse(cls, frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.varint(), frame_type == FrameType.MAX_STREAMS_UNI)

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        frame_type = FrameType.MAX_STREAMS_BIDI + self.unidirectional
        return b"".join(map(encode_varint, (frame_type, self.maximum)))


@dataclass(frozen=True, slots=True)
class DataBlockedFrame:
    """DATA_BLOCKED (0x14): the sender stands at the connection's limit, in bytes."""

    limit: int

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.varint())

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        return b"".join(map(encode_varint, (FrameType.DATA_BLOCKED, self.limit)))


@dataclass(frozen=True, slots=True)
class StreamDataBlockedFrame:
    """STREAM_DATA_BLOCKED (0x15): the sender stands at a stream's limit, in bytes."""

    stream_id: int
    limit: int

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.varint(), reader.varint())

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        fields = (FrameType.STREAM_DATA_BLOCKED, self.stream_id, self.limit)
        return b"".join(map(encode_varint, fields))


@dataclass(frozen=True, slots=True)
class StreamsBlockedFrame:
    """STREAMS_BLOCKED (0x16 bidirectional, 0x17 unidirectional).

    Attributes:
        limit: streams allowed when the sender wanted one more, 0..2^60.
        unidirectional: which kind of stream.

    Raises:
        QuicError: FRAME_ENCODING_ERROR where `limit` exceeds 2^60.
    """

    limit: int
    unidirectional: bool = False

    def __post_init__(self) -> None:
        _check_streams(self.limit, FrameType.STREAMS_BLOCKED_BIDI)

    @classmethod
    def parse(cls, frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.varint(), frame_type == FrameType.STREAMS_BLOCKED_UNI)

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        frame_type = FrameType.STREAMS_BLOCKED_BIDI + self.unidirectional
        return b"".join(map(encode_varint, (frame_type, self.limit)))
