# SPDX-License-Identifier: BSD-3-Clause
"""Frames that carry or end streams (RFC 9000 sections 19.4 to 19.8)."""

from dataclasses import dataclass
from typing import Self

from nexusnet.quic.errors import frame_encoding_error
from nexusnet.quic.frames.types import (
    STREAM_FIN_BIT,
    STREAM_LEN_BIT,
    STREAM_OFF_BIT,
    FrameType,
)
from nexusnet.quic.reader import Reader
from nexusnet.quic.varint import VARINT_MAX, encode_varint


@dataclass(frozen=True, slots=True)
class ResetStreamFrame:
    """RESET_STREAM (0x04): the sender abandons its side of a stream.

    Attributes:
        stream_id: stream to reset.
        error_code: application's reason.
        final_size: bytes sent on the stream.
    """

    stream_id: int
    error_code: int
    final_size: int

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.varint(), reader.varint(), reader.varint())

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        fields = (FrameType.RESET_STREAM, self.stream_id, self.error_code, self.final_size)
        return b"".join(map(encode_varint, fields))


@dataclass(frozen=True, slots=True)
class StopSendingFrame:
    """STOP_SENDING (0x05): the receiver asks the peer to abandon a stream.

    Attributes:
        stream_id: stream that is not read any more.
        error_code: application's reason.
    """

    stream_id: int
    error_code: int

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.varint(), reader.varint())

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        fields = (FrameType.STOP_SENDING, self.stream_id, self.error_code)
        return b"".join(map(encode_varint, fields))


def _check_end(offset: int, length: int, frame_type: FrameType) -> None:
    # RFC 9000 sections 19.6 and 19.8: the largest offset delivered cannot exceed 2^62-1.
    if offset + length > VARINT_MAX:
        raise frame_encoding_error("data reaches beyond offset 2^62-1", frame_type)


@dataclass(frozen=True, slots=True)
class CryptoFrame:
    """CRYPTO (0x06): handshake data.

    Attributes:
        offset: of `data` in the crypto stream, in bytes.
        data: bytes of TLS messages.

    Raises:
        QuicError: FRAME_ENCODING_ERROR where the data ends beyond 2^62-1.
    """

    offset: int
    data: bytes

    def __post_init__(self) -> None:
        _check_end(self.offset, len(self.data), FrameType.CRYPTO)

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.varint(), reader.take(reader.varint()))

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        fields = (FrameType.CRYPTO, self.offset, len(self.data))
        return b"".join(map(encode_varint, fields)) + self.data


@dataclass(frozen=True, slots=True)
class StreamFrame:
    """STREAM (0x08 to 0x0f): data of a stream.

    Attributes:
        stream_id: stream that the data belongs to.
        offset: of `data` in the stream, in bytes; sent where it is not 0.
        data: possibly nothing.
        fin: whether the stream ends with this data.
        has_length: whether a Length field stands before the data; without it no frame can follow.

    Raises:
        QuicError: FRAME_ENCODING_ERROR where the data ends beyond 2^62-1.
    """

    stream_id: int
    offset: int
    data: bytes
    fin: bool = False
    has_length: bool = True

    def __post_init__(self) -> None:
        _check_end(self.offset, len(self.data), FrameType.STREAM)

    @classmethod
    def parse(cls, frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        has_length = bool(frame_type & STREAM_LEN_BIT)
        return cls(
            stream_id=reader.varint(),
            offset=reader.varint() if frame_type & STREAM_OFF_BIT else 0,
            data=reader.take(reader.varint()) if has_length else reader.rest(),
            fin=bool(frame_type & STREAM_FIN_BIT),
            has_length=has_length,
        )

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        frame_type = FrameType.STREAM | (STREAM_FIN_BIT if self.fin else 0)
        fields = [self.stream_id]
        if self.offset:
            frame_type |= STREAM_OFF_BIT
            fields.append(self.offset)
        if self.has_length:
            frame_type |= STREAM_LEN_BIT
            fields.append(len(self.data))
        return b"".join(map(encode_varint, (frame_type, *fields))) + self.data
