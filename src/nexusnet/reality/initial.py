# SPDX-License-Identifier: BSD-3-Clause
"""Initial packets of strangers: opened with the keys that everyone on the path knows.

RFC 9001 section 5.2. Only CRYPTO frames are looked at; what else an Initial may hold is skipped.
"""

from typing import Final, NamedTuple

from nexusnet._engine import ffi, lib
from nexusnet.quic.errors import QuicError, protocol_violation
from nexusnet.quic.reader import Reader
from nexusnet.reality.long_header import LongHeaderPacket, PacketType, split_datagram

TAG_LENGTH: Final = 16

_HMAC: Final = ffi.gc(lib.nqe_hmac_new(), lib.nqe_hmac_free)
"""Of one thread, that of the event loop."""
if not _HMAC:
    raise ImportError("libcrypto has no HMAC-SHA256")

PADDING: Final = 0x00
PING: Final = 0x01
ACK: Final = 0x02
ACK_ECN: Final = 0x03
CRYPTO: Final = 0x06
CONNECTION_CLOSE: Final = 0x1C


class CryptoFragment(NamedTuple):
    """Data of a CRYPTO frame.

    Attributes:
        offset: where it stands in the stream, in bytes.
        data: the bytes.
    """

    offset: int
    data: bytes


class InitialPayload(NamedTuple):
    """What an Initial packet says.

    Attributes:
        packet_number: its packet number.
        fragments: its CRYPTO frames in the order in which they stand.
        frame_count: frames, a run of PADDING counted as one.
        closes: whether there is a CONNECTION_CLOSE.
    """

    packet_number: int
    fragments: tuple[CryptoFragment, ...]
    frame_count: int
    closes: bool


def open_initial(
    original_dcid: bytes, datagram: bytes, packet: LongHeaderPacket, *, from_client: bool
) -> InitialPayload | None:
    """Open an Initial packet.

    Args:
        original_dcid: Destination Connection ID of the client's first Initial packet.
        datagram: the datagram that it is in.
        packet: where, from `split_datagram`.
        from_client: whose packet it is.

    Returns:
        Its payload; None where it does not authenticate or is too short to.

    Raises:
        QuicError: it authenticates, but its frames are malformed, or are none that an Initial
            packet may hold (RFC 9000 section 17.2.2).
    """
    work = bytearray(datagram[packet.start : packet.end])
    number = ffi.new("u64 *")
    header = lib.nqe_initial_open(
        _HMAC,
        original_dcid,
        len(original_dcid),
        from_client,
        ffi.from_buffer(work),
        packet.pn_offset - packet.start,
        len(work),
        number,
    )
    if header < 0:
        return None
    return _parse_payload(number[0], bytes(memoryview(work)[header:-TAG_LENGTH]))


def _parse_payload(pn: int, payload: bytes) -> InitialPayload:
    reader = Reader(payload)
    fragments: list[CryptoFragment] = []
    frame_count = 0
    closes = False
    while reader.remaining:
        frame_count += 1
        kind = reader.uint8()
        if kind == PADDING:
            reader.skip_zeros()
        elif kind == CRYPTO:
            offset = reader.varint()
            fragments.append(CryptoFragment(offset, reader.take(reader.varint())))
        elif kind in {ACK, ACK_ECN}:
            _skip_ack(reader, with_counts=kind == ACK_ECN)
        elif kind == CONNECTION_CLOSE:
            closes = True
            reader.varint()
            reader.varint()
            reader.take(reader.varint())
        elif kind != PING:
            raise protocol_violation("not a frame of an Initial packet", kind)
    return InitialPayload(pn, tuple(fragments), frame_count, closes)


def _skip_ack(reader: Reader, *, with_counts: bool) -> None:
    reader.varint()
    reader.varint()
    ranges = reader.varint()
    # Every range takes two bytes at least, so a count that lies is found out at once.
    if 2 * ranges > reader.remaining:
        raise protocol_violation("an ACK frame breaks off", ACK)
    for _ in range(1 + 2 * ranges + (3 if with_counts else 0)):
        reader.varint()


def is_answer(original_dcid: bytes, datagram: bytes) -> bool:
    """Whether a server says more than that it has got a part of the hello.

    Args:
        original_dcid: Destination Connection ID of the client's first Initial packet.
        datagram: of the server.
    """
    packets = list(split_datagram(datagram))
    if not packets or any(one.packet_type is not PacketType.INITIAL for one in packets):
        return True
    for packet in packets:
        try:
            payload = open_initial(original_dcid, datagram, packet, from_client=False)
        except QuicError:
            return True
        if payload is None or payload.fragments or payload.closes:
            return True
    return False
