# SPDX-License-Identifier: BSD-3-Clause
"""The first connection IDs of clients that were accepted, for as long as their sessions live.

A client's first packets may come again at any time, late, repeated or replayed: were they
inspected then, the target would answer somebody who has talked to us before.
"""

from typing import Final

from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.reality.flows import Path

MAX_SESSIONS: Final = 65536
"""Entries that are kept; the oldest one goes first."""


class Sessions:
    """Who was accepted, by first connection ID and 4-tuple."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_initial: dict[tuple[bytes, Path], HandshakeEngine] = {}
        self._keys: dict[HandshakeEngine, tuple[bytes, Path]] = {}
        self._dcids: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def by_initial(self, dcid: bytes, path: Path) -> HandshakeEngine | None:
        """Return whose first packets go to `dcid` on this path."""
        return self._by_initial.get((dcid, path))

    def knows(self, dcid: bytes) -> bool:
        """Whether `dcid` was the first connection ID of a client on any path."""
        return dcid in self._dcids

    def add(self, engine: HandshakeEngine, dcid: bytes, path: Path) -> None:
        """Remember a client."""
        while len(self._keys) >= MAX_SESSIONS:
            self.forget(next(iter(self._keys)))
        self._by_initial[dcid, path] = engine
        self._keys[engine] = (dcid, path)
        self._dcids[dcid] = self._dcids.get(dcid, 0) + 1

    def forget(self, engine: HandshakeEngine) -> None:
        """Forget a client."""
        key = self._keys.pop(engine, None)
        if key is None:
            return
        self._by_initial.pop(key, None)
        left = self._dcids[key[0]] - 1
        if left:
            self._dcids[key[0]] = left
        else:
            del self._dcids[key[0]]
