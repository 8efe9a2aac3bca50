# SPDX-License-Identifier: BSD-3-Clause
"""Framing of a DATAGRAM payload: a context ID, then what belongs to that context."""

import enum
from dataclasses import dataclass, field
from typing import Final

from nexusnet.l3ptp.errors import MalformedError, UnknownContextError
from nexusnet.netlink.generated import FRAMES_MAX_LEN
from nexusnet.quic.errors import QuicError
from nexusnet.quic.varint import decode_varint, encode_varint


class Context(enum.IntEnum):
    """Context IDs, varints on the wire (RFC 9000 section 16)."""

    PACKET = 0
    """One whole IP packet."""
    CONTROL = 1
    """One control message."""


CONTROL_PAYLOAD_MAX: Final = FRAMES_MAX_LEN - 1
"""Bytes of a control message: with its context ID it fits what a data plane sends at a time.

With frame type and length (3), short header (1), connection ID (20), packet number (4) and tag (16)
it fits the smallest datagram of QUIC, 1,200 bytes, too.
"""


@dataclass(frozen=True, slots=True)
class ContextDatagram:
    """A DATAGRAM payload taken apart.

    Attributes:
        context: what it is.
        payload: an IP packet or a control message; at least one byte.
    """

    context: Context
    payload: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return the DATAGRAM payload."""
        return encode_varint(self.context) + self.payload


def decode_context(data: bytes) -> ContextDatagram:
    """Take a DATAGRAM payload apart.

    Raises:
        MalformedError: the context ID is cut off, or nothing follows it.
        UnknownContextError: the context is not defined; such a datagram is to be dropped.
    """
    try:
        context_id, offset = decode_varint(data)
    except QuicError as error:
        raise MalformedError(f"context ID: {error.reason}") from error
    try:
        context = Context(context_id)
    except ValueError as error:
        raise UnknownContextError(context_id) from error
    if offset == len(data):
        raise MalformedError(f"nothing in a datagram of context {context_id}")
    return ContextDatagram(context, data[offset:])
