# SPDX-License-Identifier: BSD-3-Clause
"""Long headers, as anyone can read them: no keys are needed (RFC 8999; RFC 9000 section 17.2)."""

import enum
from collections.abc import Iterator
from typing import Final, NamedTuple

from nexusnet.quic.errors import QuicError
from nexusnet.quic.varint import decode_varint

VERSION_1: Final = 0x00000001

HEADER_FORM: Final = 0x80
FIXED_BIT: Final = 0x40
CONNECTION_ID_MAX: Final = 20
"""Longest connection ID of QUIC v1, in bytes."""

SHORTEST: Final = 7
"""Bytes of a long header with empty connection IDs: first byte, version, two lengths."""

RETRY_TAG_LENGTH: Final = 16


class PacketType(enum.Enum):
    """What a long header begins."""

    INITIAL = 0
    ZERO_RTT = 1
    HANDSHAKE = 2
    RETRY = 3
    VERSION_NEGOTIATION = "version_negotiation"
    OTHER_VERSION = "other_version"


PACKET_TYPES: Final = tuple(PacketType(number) for number in range(4))


class LongHeaderPacket(NamedTuple):
    """One packet with a long header inside a datagram.

    Attributes:
        packet_type: its type; of other versions only the invariants are known.
        version: QUIC version.
        dcid: Destination Connection ID, in version 1 0..20 bytes.
        scid: Source Connection ID, in version 1 0..20 bytes.
        token: token of an Initial or a Retry packet; empty elsewhere.
        start: offset of the first byte in the datagram.
        pn_offset: offset of the protected packet number; `end` where there is none.
        end: offset of the byte after the packet.
    """

    packet_type: PacketType
    version: int
    dcid: bytes
    scid: bytes
    token: bytes
    start: int
    pn_offset: int
    end: int

    @property
    def size(self) -> int:
        """Bytes of the packet."""
        return self.end - self.start


def parse_long_header(datagram: bytes, start: int = 0) -> LongHeaderPacket | None:
    """Read the long header at `start`.

    Returns:
        The packet, or None where there is no long header, or one that breaks off, or, in version 1,
        one with a connection ID that is too long or a cleared Fixed Bit.
    """
    # Every stranger's datagrams come through here: no cursor object, no call for each field.
    size = len(datagram)
    if start + SHORTEST > size or not datagram[start] & HEADER_FORM:
        return None
    version = int.from_bytes(datagram[start + 1 : start + 5], "big")
    scid_at = start + SHORTEST + datagram[start + 5]
    end = scid_at + datagram[scid_at - 1] if scid_at <= size else size + 1
    if end > size:
        return None
    dcid = datagram[start + 6 : scid_at - 1]
    scid = datagram[scid_at:end]
    if version != VERSION_1:
        packet_type = PacketType.OTHER_VERSION if version else PacketType.VERSION_NEGOTIATION
        return LongHeaderPacket(packet_type, version, dcid, scid, b"", start, size, size)
    if (
        len(dcid) > CONNECTION_ID_MAX
        or len(scid) > CONNECTION_ID_MAX
        or not datagram[start] & FIXED_BIT
    ):
        return None
    return _parse_version_1(datagram, start, dcid, scid, end)


def _parse_version_1(
    datagram: bytes, start: int, dcid: bytes, scid: bytes, offset: int
) -> LongHeaderPacket | None:
    size = len(datagram)
    packet_type = PACKET_TYPES[(datagram[start] >> 4) & 3]
    if packet_type is PacketType.RETRY:
        token = datagram[offset : max(offset, size - RETRY_TAG_LENGTH)]
        return LongHeaderPacket(packet_type, VERSION_1, dcid, scid, token, start, size, size)
    token = b""
    try:
        if packet_type is PacketType.INITIAL:
            length, token_at = decode_varint(datagram, offset)
            offset = token_at + length
            token = datagram[token_at:offset]
        length, pn_offset = decode_varint(datagram, offset)
    except QuicError:
        return None
    end = pn_offset + length
    if end > size:
        return None
    return LongHeaderPacket(packet_type, VERSION_1, dcid, scid, token, start, pn_offset, end)


def split_datagram(datagram: bytes) -> Iterator[LongHeaderPacket]:
    """Return the long header packets that a datagram begins with (RFC 9000 section 12.2).

    A short header packet, padding or garbage ends the series.
    """
    packet = parse_long_header(datagram)
    while packet is not None:
        yield packet
        packet = parse_long_header(datagram, packet.end)
