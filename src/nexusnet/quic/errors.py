# SPDX-License-Identifier: BSD-3-Clause
"""The one typed error of the reference model.

Whatever a peer, a middlebox or an attacker sends, the parsers of this package either return a value
or raise `QuicError`. Its code says what an endpoint has to do: close the connection with a
`TransportErrorCode`, or drop the packet in silence for a `DropReason`.
"""

import enum


class TransportErrorCode(enum.IntEnum):
    """Transport error codes, as sent in CONNECTION_CLOSE (RFC 9000 section 20.1)."""

    NO_ERROR = 0x00
    INTERNAL_ERROR = 0x01
    CONNECTION_REFUSED = 0x02
    FLOW_CONTROL_ERROR = 0x03
    STREAM_LIMIT_ERROR = 0x04
    STREAM_STATE_ERROR = 0x05
    FINAL_SIZE_ERROR = 0x06
    FRAME_ENCODING_ERROR = 0x07
    TRANSPORT_PARAMETER_ERROR = 0x08
    CONNECTION_ID_LIMIT_ERROR = 0x09
    PROTOCOL_VIOLATION = 0x0A
    INVALID_TOKEN = 0x0B
    APPLICATION_ERROR = 0x0C
    CRYPTO_BUFFER_EXCEEDED = 0x0D
    KEY_UPDATE_ERROR = 0x0E
    AEAD_LIMIT_REACHED = 0x0F
    NO_VIABLE_PATH = 0x10


class DropReason(enum.Enum):
    """Why a packet is discarded without an answer: nothing in it is authenticated, or it is old."""

    TRUNCATED = "truncated"
    """Too short for a header, a header protection sample and a tag (RFC 9001 section 5.4.2)."""
    LONG_HEADER = "long_header"
    """Header Form bit set: not a 1-RTT packet (RFC 9000 section 17.2)."""
    FIXED_BIT_CLEAR = "fixed_bit_clear"
    """Fixed Bit 0: not a QUIC v1 packet (RFC 9000 section 17.3.1)."""
    UNKNOWN_CONNECTION_ID = "unknown_connection_id"
    """The Destination Connection ID is not the expected one (RFC 9000 section 5.2)."""
    WRONG_KEY_PHASE = "wrong_key_phase"
    """No key is at hand for the packet's Key Phase (RFC 9001 section 6)."""
    PACKET_NUMBER_OUT_OF_RANGE = "packet_number_out_of_range"
    """The recovered packet number lies above 2^62-1 (RFC 9000 section 12.3)."""
    BAD_TAG = "bad_tag"
    """AEAD authentication failed (RFC 9001 section 5.3)."""
    DUPLICATE = "duplicate"
    """A packet with this number was processed before (RFC 9000 section 12.3)."""
    TOO_OLD = "too_old"
    """Below the number from which on duplicates can be told apart (RFC 9000 section 12.3)."""


class QuicError(Exception):
    """A protocol rule was broken.

    Attributes:
        code: what to close the connection with, or why to drop the packet.
        reason: one line for a human; never contains key material.
        frame_type: the frame type that broke the rule, where there is one.

    `TransportErrorCode.INTERNAL_ERROR` means that this end asked for something that has no
    encoding, such as a varint of 2^62: the caller's mistake, not the peer's.
    """

    def __init__(
        self,
        code: TransportErrorCode | DropReason,
        reason: str,
        *,
        frame_type: int | None = None,
    ) -> None:
        super().__init__(code, reason, frame_type)
        self.code = code
        self.reason = reason
        self.frame_type = frame_type

    def __str__(self) -> str:
        where = "" if self.frame_type is None else f" in frame type {self.frame_type:#x}"
        return f"{self.name}{where}: {self.reason}"

    @property
    def name(self) -> str:
        """Name as in the golden vectors: FRAME_ENCODING_ERROR (closes) or bad_tag (drops)."""
        return self.code.value if isinstance(self.code, DropReason) else self.code.name

    @property
    def closes_connection(self) -> bool:
        """True for a connection error, False where the packet is dropped in silence."""
        return isinstance(self.code, TransportErrorCode)


def frame_encoding_error(reason: str, frame_type: int | None = None) -> QuicError:
    """Return a FRAME_ENCODING_ERROR, for the caller to raise."""
    return QuicError(TransportErrorCode.FRAME_ENCODING_ERROR, reason, frame_type=frame_type)


def protocol_violation(reason: str, frame_type: int | None = None) -> QuicError:
    """Return a PROTOCOL_VIOLATION, for the caller to raise."""
    return QuicError(TransportErrorCode.PROTOCOL_VIOLATION, reason, frame_type=frame_type)


def internal_error(reason: str) -> QuicError:
    """Return an INTERNAL_ERROR, for the caller to raise: what was asked for has no encoding."""
    return QuicError(TransportErrorCode.INTERNAL_ERROR, reason)
