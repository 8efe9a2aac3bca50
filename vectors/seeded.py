# SPDX-License-Identifier: BSD-3-Clause
"""Numbers and bytes that look random and are the same for ever, everywhere.

SHAKE-128 of a label, not the `random` module: its algorithms may change between versions of Python.
"""

from collections.abc import Iterator
from hashlib import shake_128


def seeded_bytes(label: str, length: int) -> bytes:
    """Return `length` bytes that depend on `label` alone."""
    return shake_128(b"nexus-quic-vectors/1 " + label.encode()).digest(length)


def seeded_int(label: str, low: int, high: int) -> int:
    """Return a number from `low` to `high`, both included, that depends on `label` alone."""
    # 16 bytes over ranges of at most 62 bits: the bias is of no account.
    return low + int.from_bytes(seeded_bytes(label, 16), "big") % (high - low + 1)


def seeded_shuffle(label: str, items: list[int]) -> list[int]:
    """Return `items` in an order that depends on `label` alone."""

    def keys() -> Iterator[bytes]:
        for index in range(len(items)):
            yield seeded_bytes(f"{label} {index}", 8)

    return [item for _, item in sorted(zip(keys(), items, strict=True))]
