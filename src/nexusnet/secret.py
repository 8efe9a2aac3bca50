# SPDX-License-Identifier: BSD-3-Clause
"""Bytes that are never shown and can be wiped."""

from __future__ import annotations

import hmac
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview


class SecretBytes:
    """Key material in one buffer of its own: redacted when shown, zeroed by :meth:`wipe`.

    Python may hold other copies of what the buffer was made from; whoever has such a copy wipes
    it or lets go of it. Not hashable, not iterable, compares in constant time.
    """

    __slots__ = ("_buffer",)

    def __init__(self, data: Buffer) -> None:
        self._buffer = bytearray(data)

    def __len__(self) -> int:
        return len(self._buffer)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretBytes):
            return NotImplemented
        return hmac.compare_digest(self._buffer, other._buffer)

    __hash__ = None  # type: ignore[assignment]  # as object documents it for mutable classes

    def __repr__(self) -> str:
        return f"<secret, {len(self._buffer)} bytes>"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled or copied")

    def reveal(self) -> memoryview:
        """A read-only view of the bytes, without a copy; valid until :meth:`wipe`."""
        return memoryview(self._buffer).toreadonly()

    def wipe(self) -> None:
        """Zero the buffer; its length stays."""
        self._buffer[:] = bytes(len(self._buffer))
