# SPDX-License-Identifier: BSD-3-Clause
"""Overwriting secrets that Python keeps in immutable objects."""

import ctypes
import sys
from typing import Final

SHORTEST: Final = 16
"""Bytes from which on CPython never shares a `bytes` object between unrelated users."""


def wipe_bytes(secret: bytes | None) -> None:
    """Overwrite a `bytes` object in place with zeros; nothing may use it afterwards.

    aioquic keeps traffic secrets as `bytes`, which Python offers no way to clear. Overwriting the
    object's memory is the only way not to leave them to the allocator. Copies that were made and
    freed before (by string slicing, inside libraries) are out of reach.

    Args:
        secret: a secret of 16 bytes or more that nobody else needs any more; None is ignored.
    """
    if secret is None or type(secret) is not bytes or len(secret) < SHORTEST:
        return
    if sys.implementation.name != "cpython":
        return
    # A bytes object is its header, then the data, then a zero byte that `__basicsize__` counts.
    header = bytes.__basicsize__ - 1
    ctypes.memset(id(secret) + header, 0, len(secret))
