# SPDX-License-Identifier: BSD-3-Clause
"""Packet number encoding and decoding (RFC 9000 section 17.1, appendices A.2 and A.3)."""

from typing import Final

from nexusnet.quic.errors import DropReason, QuicError, internal_error

PACKET_NUMBER_MAX: Final = (1 << 62) - 1
"""Largest packet number (RFC 9000 section 12.3)."""

NONE_YET: Final = -1
"""Stands for "no packet yet" where the largest packet number acknowledged or received is asked."""

_LENGTHS: Final = (1, 2, 3, 4)


def packet_number_length(pn: int, largest_acked: int = NONE_YET) -> int:
    """Return how many bytes (1..4) the receiver needs to recover `pn` without doubt.

    RFC 9000 section 17.1: the size must represent more than twice as large a range as the
    difference to the largest acknowledged packet number. (The sample algorithm of appendix A.2
    yields exactly twice where the difference is 2^7, 2^15 or 2^23; "more than" is the rule.)

    Args:
        pn: packet number to send, 0..2^62-1, above `largest_acked`.
        largest_acked: largest packet number that the peer acknowledged, or `NONE_YET`.

    Raises:
        QuicError: INTERNAL_ERROR for numbers out of range, or a difference of 2^31 and more.
    """
    if not NONE_YET <= largest_acked < pn <= PACKET_NUMBER_MAX:
        raise internal_error(f"packet number {pn} cannot follow {largest_acked}")
    length = ((pn - largest_acked).bit_length() + 1 + 7) // 8
    if length > 4:
        raise internal_error(f"{pn} is too far from the largest acknowledged {largest_acked}")
    return length


def encode_packet_number(pn: int, length: int) -> bytes:
    """Return the `length` (1..4) least significant bytes of `pn`, in network byte order.

    Raises:
        QuicError: INTERNAL_ERROR where `pn` is outside 0..2^62-1 or `length` outside 1..4.
    """
    if not 0 <= pn <= PACKET_NUMBER_MAX or length not in _LENGTHS:
        raise internal_error(f"packet number {pn} cannot be encoded in {length} bytes")
    return (pn & ((1 << 8 * length) - 1)).to_bytes(length, "big")


def decode_packet_number(truncated: int, length: int, largest_pn: int = NONE_YET) -> int:
    """Return the packet number that is closest to the next expected one (RFC 9000 appendix A.3).

    Args:
        truncated: the number in the packet, 0..256^length-1.
        length: bytes it has in the packet, 1..4.
        largest_pn: largest packet number received and authenticated in this packet number space, or
            `NONE_YET`.

    Raises:
        QuicError: `DropReason.PACKET_NUMBER_OUT_OF_RANGE` where the result would lie above 2^62-1;
            INTERNAL_ERROR for arguments out of range.
    """
    if length not in _LENGTHS or not 0 <= truncated < 1 << 8 * length:
        raise internal_error(f"{truncated} is no packet number of {length} bytes")
    if not NONE_YET <= largest_pn <= PACKET_NUMBER_MAX:
        raise internal_error(f"{largest_pn} is no packet number")
    expected = largest_pn + 1
    window = 1 << 8 * length
    half = window // 2
    candidate = (expected & ~(window - 1)) | truncated
    if candidate <= expected - half and candidate < (1 << 62) - window:
        candidate += window
    elif candidate > expected + half and candidate >= window:
        candidate -= window
    # The sample algorithm stops short of this: with 2^62-1 received, a candidate beyond can remain.
    if candidate > PACKET_NUMBER_MAX:
        raise QuicError(DropReason.PACKET_NUMBER_OUT_OF_RANGE, f"{candidate} is above 2^62-1")
    return candidate
