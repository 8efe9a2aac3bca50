# SPDX-License-Identifier: BSD-3-Clause
"""Frames about the connection as a whole (RFC 9000 sections 19.1, 19.2, 19.7, 19.15 to 19.20)."""

from dataclasses import dataclass, field
from typing import Final, Self

from nexusnet.quic.errors import frame_encoding_error, internal_error
from nexusnet.quic.frames.types import FrameType
from nexusnet.quic.reader import Reader
from nexusnet.quic.varint import encode_varint

STATELESS_RESET_TOKEN_LENGTH: Final = 16
PATH_DATA_LENGTH: Final = 8
CONNECTION_ID_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class PaddingFrame:
    """A run of PADDING frames (0x00), each of one byte; `length` counts them, 1 or more."""

    length: int = 1

    def __post_init__(self) -> None:
        if self.length < 1:
            raise internal_error("a run of PADDING has at least one byte")

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the first type byte: the rest of the run."""
        return cls(1 + reader.skip_zeros())

    def encode(self) -> bytes:
        """Return the frames."""
        return bytes(self.length)


@dataclass(frozen=True, slots=True)
class PingFrame:
    """PING (0x01)."""

    @classmethod
    def parse(cls, _frame_type: int, _reader: Reader) -> Self:
        """Read what follows the type: nothing."""
        return cls()

    def encode(self) -> bytes:
        """Return the frame."""
        return encode_varint(FrameType.PING)


@dataclass(frozen=True, slots=True)
class NewTokenFrame:
    """NEW_TOKEN (0x07): a token for the Initial packet of a later connection.

    Attributes:
        token: opaque to the client, at least one byte.

    Raises:
        QuicError: FRAME_ENCODING_ERROR for an empty token.
    """

    token: bytes

    def __post_init__(self) -> None:
        # RFC 9000 section 19.7: an empty token is a FRAME_ENCODING_ERROR.
        if not self.token:
            raise frame_encoding_error("an empty token", FrameType.NEW_TOKEN)

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.take(reader.varint()))

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        return b"".join(map(encode_varint, (FrameType.NEW_TOKEN, len(self.token)))) + self.token


@dataclass(frozen=True, slots=True)
class NewConnectionIdFrame:
    """NEW_CONNECTION_ID (0x18).

    Attributes:
        sequence_number: of the connection ID, as its issuer counts.
        retire_prior_to: connection IDs with a lower sequence number are to be retired.
        connection_id: 1..20 bytes.
        stateless_reset_token: 16 bytes, not shown by repr.

    Raises:
        QuicError: FRAME_ENCODING_ERROR for a length out of range, or a `retire_prior_to` above
            `sequence_number`; INTERNAL_ERROR for a token that is not of 16 bytes.
    """

    sequence_number: int
    retire_prior_to: int
    connection_id: bytes
    stateless_reset_token: bytes = field(repr=False)

    def __post_init__(self) -> None:
        # RFC 9000 section 19.15: both are FRAME_ENCODING_ERROR.
        if not 1 <= len(self.connection_id) <= CONNECTION_ID_MAX:
            raise frame_encoding_error(
                f"a connection ID of {len(self.connection_id)} bytes", FrameType.NEW_CONNECTION_ID
            )
        if self.retire_prior_to > self.sequence_number:
            raise frame_encoding_error(
                "Retire Prior To is above Sequence Number", FrameType.NEW_CONNECTION_ID
            )
        if len(self.stateless_reset_token) != STATELESS_RESET_TOKEN_LENGTH:
            raise internal_error("a stateless reset token has 16 bytes")

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(
            sequence_number=reader.varint(),
            retire_prior_to=reader.varint(),
            connection_id=reader.take(reader.uint8()),
            stateless_reset_token=reader.take(STATELESS_RESET_TOKEN_LENGTH),
        )

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        numbers = (FrameType.NEW_CONNECTION_ID, self.sequence_number, self.retire_prior_to)
        return (
            b"".join(map(encode_varint, numbers))
            + bytes([len(self.connection_id)])
            + self.connection_id
            + self.stateless_reset_token
        )


@dataclass(frozen=True, slots=True)
class RetireConnectionIdFrame:
    """RETIRE_CONNECTION_ID (0x19): the ID with this sequence number is not used any more."""

    sequence_number: int

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.varint())

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        fields = (FrameType.RETIRE_CONNECTION_ID, self.sequence_number)
        return b"".join(map(encode_varint, fields))


def _check_path_data(data: bytes) -> None:
    if len(data) != PATH_DATA_LENGTH:
        raise internal_error(f"path validation data has {PATH_DATA_LENGTH} bytes")


@dataclass(frozen=True, slots=True)
class PathChallengeFrame:
    """PATH_CHALLENGE (0x1a); `data` has 8 bytes (INTERNAL_ERROR otherwise)."""

    data: bytes

    def __post_init__(self) -> None:
        _check_path_data(self.data)

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.take(PATH_DATA_LENGTH))

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        return encode_varint(FrameType.PATH_CHALLENGE) + self.data


@dataclass(frozen=True, slots=True)
class PathResponseFrame:
    """PATH_RESPONSE (0x1b); `data` has 8 bytes (INTERNAL_ERROR otherwise)."""

    data: bytes

    def __post_init__(self) -> None:
        _check_path_data(self.data)

    @classmethod
    def parse(cls, _frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(reader.take(PATH_DATA_LENGTH))

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        return encode_varint(FrameType.PATH_RESPONSE) + self.data


@dataclass(frozen=True, slots=True)
class ConnectionCloseFrame:
    """CONNECTION_CLOSE of the transport (0x1c) or of the application (0x1d).

    Attributes:
        error_code: transport error code (RFC 9000 section 20.1) or the application's own.
        frame_type: type that caused a transport error, 0 if unknown; None makes it an
            application's close, which has no such field.
        reason: for a human, meant to be UTF-8, which the RFC does not enforce.
    """

    error_code: int
    frame_type: int | None = 0
    reason: bytes = b""

    @classmethod
    def parse(cls, frame_type: int, reader: Reader) -> Self:
        """Read what follows the type."""
        return cls(
            error_code=reader.varint(),
            frame_type=reader.varint() if frame_type == FrameType.CONNECTION_CLOSE else None,
            reason=reader.take(reader.varint()),
        )

    def encode(self) -> bytes:
        """Return the frame, type and all."""
        if self.frame_type is None:
            fields = [FrameType.CONNECTION_CLOSE_APPLICATION, self.error_code]
        else:
            fields = [FrameType.CONNECTION_CLOSE, self.error_code, self.frame_type]
        return b"".join(map(encode_varint, (*fields, len(self.reason)))) + self.reason


@dataclass(frozen=True, slots=True)
class HandshakeDoneFrame:
    """HANDSHAKE_DONE (0x1e); only servers send it."""

    @classmethod
    def parse(cls, _frame_type: int, _reader: Reader) -> Self:
        """Read what follows the type: nothing."""
        return cls()

    def encode(self) -> bytes:
        """Return the frame."""
        return encode_varint(FrameType.HANDSHAKE_DONE)
