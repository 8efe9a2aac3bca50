# SPDX-License-Identifier: BSD-3-Clause
"""Initial packets of strangers: opened with the keys that everyone on the path knows.

RFC 9001 section 5.2. Only CRYPTO frames are looked at; what else an Initial may hold is skipped.
"""

import hmac
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nexusnet.quic.errors import QuicError, protocol_violation
from nexusnet.quic.header_protection import SAMPLE_LENGTH, SAMPLE_OFFSET, header_protection
from nexusnet.quic.keys import (
    CipherSuite,
    derive_header_key,
    derive_packet_keys,
    hkdf_expand_label,
)
from nexusnet.quic.packet_number import decode_packet_number
from nexusnet.quic.reader import Reader
from nexusnet.reality.long_header import LongHeaderPacket, PacketType, split_datagram

INITIAL_SALT: Final = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")

PADDING: Final = 0x00
PING: Final = 0x01
ACK: Final = 0x02
ACK_ECN: Final = 0x03
CRYPTO: Final = 0x06
CONNECTION_CLOSE: Final = 0x1C

RESERVED_AND_LENGTH_BITS: Final = 0x0F
"""Bits of the first byte that header protection covers in a long header."""


@dataclass(frozen=True, slots=True)
class CryptoFragment:
    """Data of a CRYPTO frame.

    Attributes:
        offset: where it stands in the stream, in bytes.
        data: the bytes.
    """

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class InitialPayload:
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


class InitialKeys:
    """Opens one direction's Initial packets of one connection."""

    __slots__ = ("_aead", "_header", "_iv")

    def __init__(self, original_dcid: bytes, *, from_client: bool) -> None:
        """Derive the keys.

        Args:
            original_dcid: Destination Connection ID of the client's first Initial packet.
            from_client: whose packets are opened.
        """
        suite = CipherSuite.AES_128_GCM
        initial_secret = hmac.digest(INITIAL_SALT, original_dcid, "sha256")
        label = "client in" if from_client else "server in"
        secret = hkdf_expand_label(hashes.SHA256(), initial_secret, label, 32)
        keys = derive_packet_keys(suite, secret)
        self._aead = AESGCM(keys.key)
        self._iv = int.from_bytes(keys.iv, "big")
        self._header = header_protection(suite, derive_header_key(suite, secret))

    def open(self, datagram: bytes, packet: LongHeaderPacket) -> InitialPayload | None:
        """Open an Initial packet.

        Args:
            datagram: the datagram that it is in.
            packet: where, from `split_datagram`.

        Returns:
            Its payload; None where it does not authenticate or is too short to.

        Raises:
            QuicError: it authenticates, but its frames are malformed, or are none that an Initial
                packet may hold (RFC 9000 section 17.2.2).
        """
        at = packet.pn_offset
        sample = datagram[at + SAMPLE_OFFSET : at + SAMPLE_OFFSET + SAMPLE_LENGTH]
        if at + SAMPLE_OFFSET + SAMPLE_LENGTH > packet.end:
            return None
        mask = self._header.mask(sample)
        first = datagram[packet.start] ^ mask[0] & RESERVED_AND_LENGTH_BITS
        pn_length = (first & 3) + 1
        number = bytes(a ^ b for a, b in zip(datagram[at : at + pn_length], mask[1:], strict=False))
        pn = decode_packet_number(int.from_bytes(number, "big"), pn_length)
        header = bytes([first]) + datagram[packet.start + 1 : at] + number
        try:
            payload = self._aead.decrypt(
                (self._iv ^ pn).to_bytes(12, "big"),
                datagram[at + pn_length : packet.end],
                header,
            )
        except InvalidTag:
            return None
        return _parse_payload(pn, payload)


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
    keys = InitialKeys(original_dcid, from_client=False)
    for packet in packets:
        try:
            payload = keys.open(datagram, packet)
        except QuicError:
            return True
        if payload is None or payload.fragments or payload.closes:
            return True
    return False
