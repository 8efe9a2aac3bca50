# SPDX-License-Identifier: BSD-3-Clause
"""Variable-length integers (RFC 9000 section 16)."""

from typing import Final

from nexusnet.quic.errors import frame_encoding_error, internal_error

VARINT_MAX: Final = (1 << 62) - 1
"""Largest value with an encoding."""


def varint_size(value: int) -> int:
    """Return the length in bytes (1, 2, 4 or 8) of the shortest encoding of `value`.

    Raises:
        QuicError: INTERNAL_ERROR for a value outside 0..2^62-1.
    """
    if 0 <= value < 1 << 6:
        return 1
    if 0 <= value < 1 << 14:
        return 2
    if 0 <= value < 1 << 30:
        return 4
    if 0 <= value <= VARINT_MAX:
        return 8
    raise internal_error(f"{value} has no varint encoding")


def encode_varint(value: int, size: int | None = None) -> bytes:
    """Return the encoding of `value`: the shortest, or one of `size` bytes.

    Longer encodings than needed are legal everywhere but in frame types (RFC 9000 section 12.4).

    Raises:
        QuicError: INTERNAL_ERROR for a value outside 0..2^62-1, or one that `size` cannot hold.
    """
    shortest = varint_size(value)
    if size is None:
        size = shortest
    elif size not in {1, 2, 4, 8} or size < shortest:
        raise internal_error(f"{value} does not fit into a varint of {size} bytes")
    # The two most significant bits hold the base 2 logarithm of the length.
    return (value | (size.bit_length() - 1) << (8 * size - 2)).to_bytes(size, "big")


def decode_varint(data: bytes, offset: int = 0) -> tuple[int, int]:
    """Return the value at `offset` (bytes) of `data`, and the offset of the byte after it.

    Raises:
        QuicError: FRAME_ENCODING_ERROR where `data` ends before the varint does.
    """
    if offset >= len(data):
        raise frame_encoding_error("a varint is missing")
    first = data[offset]
    if first < 0x40:
        return first, offset + 1
    size = 1 << (first >> 6)
    end = offset + size
    if end > len(data):
        raise frame_encoding_error(f"a varint of {size} bytes is cut off")
    return int.from_bytes(data[offset:end], "big") & ((1 << (8 * size - 2)) - 1), end
