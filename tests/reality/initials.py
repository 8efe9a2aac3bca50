# SPDX-License-Identifier: BSD-3-Clause
"""Initial packets made with aioquic's cryptography, for what opens them with ours."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import QuicProtocolVersion

from nexusnet.quic.varint import encode_varint

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION_1 = b"\0\0\0\1"
LONG_HEADER = 0x80


def crypto_frame(offset: int, data: bytes) -> bytes:
    return b"\x06" + encode_varint(offset) + encode_varint(len(data)) + data


def initial(
    frames: bytes,
    dcid: bytes,
    *,
    scid: bytes = b"",
    pn: int = 0,
    pn_length: int = 2,
    size: int = 1250,
    keys_of: bytes | None = None,
    from_client: bool = True,
    token: bytes = b"",
) -> bytes:
    """Seal an Initial packet that fills a datagram of `size` bytes; frames are padded.

    Args:
        keys_of: the client's first connection ID, where it is not `dcid`.
    """
    pair = CryptoPair()
    pair.setup_initial(
        cid=dcid if keys_of is None else keys_of,
        is_client=from_client,
        version=QuicProtocolVersion.VERSION_1,
    )
    front = (
        bytes([0xC0 | pn_length - 1])
        + VERSION_1
        + bytes([len(dcid)])
        + dcid
        + bytes([len(scid)])
        + scid
        + encode_varint(len(token))
        + token
    )
    room = size - len(front) - 2 - pn_length - 16
    payload = frames.ljust(max(room, 4), b"\0")
    length = encode_varint(pn_length + len(payload) + 16, 2)
    header = front + length + pn.to_bytes(pn_length, "big")
    packet: bytes = pair.encrypt_packet(header, payload, pn)
    return packet


def hello_datagrams(
    hello: bytes, dcid: bytes, cuts: Iterable[int] = (), *, size: int = 1250
) -> list[bytes]:
    """Return a hello in one Initial for each piece between the cuts."""
    edges = [0, *cuts, len(hello)]
    pieces = [(low, hello[low:high]) for low, high in itertools.pairwise(edges)]
    return [
        initial(crypto_frame(*piece), dcid, pn=pn, size=size) for pn, piece in enumerate(pieces)
    ]


def new_dcid() -> bytes:
    return os.urandom(8)


def source_connection_id(datagram: bytes) -> bytes:
    """Return the Source Connection ID of a long header; empty where there is none.

    It is where all versions have it (RFC 8999 section 5.1); the engine reads it so.
    """
    if len(datagram) < 7 or not datagram[0] & LONG_HEADER:
        return b""
    length_at = 6 + datagram[5]
    if length_at >= len(datagram):
        return b""
    start = length_at + 1
    return datagram[start : start + datagram[length_at]]
