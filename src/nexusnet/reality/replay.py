# SPDX-License-Identifier: BSD-3-Clause
"""Which authenticators were used before: no recorded ClientHello opens anything a second time.

Every accepted `random` is in the cache, or its timestamp lies below the floor. Entries go by the
monotonic clock, after two windows, and the floor rises above each one that goes; it also follows
the wall clock at one window's distance. So neither a clock that is set back nor a restart lets a
recorded hello in again.

The state is a journal: a header with the floor, then a record for each accepted hello. Whoever owns
the file appends `take_journal` before the hello is answered.
"""

import enum
import struct
from collections import deque
from typing import Final, Self

from nexusnet.reality.client_hello import RANDOM_LENGTH

DEFAULT_CAPACITY: Final = 65536

SLACK: Final = 2.0
"""Seconds beyond two windows, for the fractions that timestamps do not have."""

MAGIC: Final = b"QR1 replay 1\n\0\0\0"
_HEADER: Final = struct.Struct(f">{len(MAGIC)}sI")
_RECORD: Final = struct.Struct(f">I{RANDOM_LENGTH}s")


class ReplayStateError(ValueError):
    """A persisted state cannot be read."""


class Replay(enum.Enum):
    """Why an authenticator may not be used."""

    SEEN = "seen"
    STALE = "stale"
    FULL = "full"


class ReplayCache:
    """Remembers accepted authenticators for two windows.

    Attributes:
        floor: timestamps below it are refused, in seconds since 1970.
    """

    def __init__(self, window: float, capacity: int = DEFAULT_CAPACITY) -> None:
        """Begin with nothing.

        Args:
            window: seconds by which a client's clock may differ, as in the decision.
            capacity: authenticators that are remembered; when they are reached, none is accepted.
        """
        self.floor = 0
        self._window = window
        self._lifetime = 2 * window + SLACK
        self._capacity = capacity
        self._seen: dict[bytes, int] = {}
        self._expiries: deque[tuple[float, bytes]] = deque()
        self._journal = bytearray()

    def __len__(self) -> int:
        return len(self._seen)

    def refusal(self, random: bytes, unix_time: int, now: float) -> Replay | None:
        """Return why an authenticator may not be used; None where it may.

        Args:
            random: of the ClientHello, 32 bytes.
            unix_time: in the authenticator.
            now: seconds of a monotonic clock.
        """
        self._purge(now)
        seen = random in self._seen
        stale = unix_time < self.floor
        full = len(self._seen) >= self._capacity
        if seen:
            return Replay.SEEN
        if stale:
            return Replay.STALE
        return Replay.FULL if full else None

    def insert(self, random: bytes, unix_time: int, now: float, wall: float) -> None:
        """Remember an authenticator whose tag is valid and which is being accepted.

        Args:
            random: of the ClientHello, 32 bytes; `refusal` has just said None.
            unix_time: in the authenticator.
            now: seconds of a monotonic clock.
            wall: the time of day, in seconds since 1970.
        """
        self._seen[random] = unix_time
        self._expiries.append((now + self._lifetime, random))
        self._journal += _RECORD.pack(unix_time, random)
        # A client's clock may run ahead of ours, and must not lock out those that run behind.
        self._raise_floor(min(unix_time, int(wall)) - int(self._window))

    def take_journal(self) -> bytes:
        """Return what is to be appended to the state file, and forget it."""
        journal = bytes(self._journal)
        self._journal.clear()
        return journal

    def snapshot(self, now: float) -> bytes:
        """Return a whole state file, to take the place of one that has grown.

        Args:
            now: seconds of a monotonic clock.
        """
        self._purge(now)
        self._journal.clear()
        records = (_RECORD.pack(unix_time, random) for random, unix_time in self._seen.items())
        return _HEADER.pack(MAGIC, self.floor) + b"".join(records)

    @classmethod
    def restore(
        cls, state: bytes, window: float, now: float, capacity: int = DEFAULT_CAPACITY
    ) -> Self:
        """Go on where a state file ends. A torn last record, of a crash, is left out.

        What was in the cache stays there for two windows more: the monotonic clock of another start
        says nothing.

        Args:
            state: the file.
            window: as in the constructor.
            now: seconds of a monotonic clock.
            capacity: as in the constructor; a longer file is taken whole, and nothing more.

        Raises:
            ReplayStateError: it is no state file.
        """
        if len(state) < _HEADER.size or not state.startswith(MAGIC):
            raise ReplayStateError("not a replay state file")
        cache = cls(window, capacity)
        cache.floor = _HEADER.unpack_from(state)[1]
        whole = (len(state) - _HEADER.size) // _RECORD.size * _RECORD.size
        newest = 0
        for unix_time, random in _RECORD.iter_unpack(state[_HEADER.size : _HEADER.size + whole]):
            newest = max(newest, unix_time)
            if random not in cache._seen:
                cache._seen[random] = unix_time
                cache._expiries.append((now + cache._lifetime, random))
        # Each was within one window of our clock when it was accepted.
        cache._raise_floor(newest - 2 * int(window))
        return cache

    def _purge(self, now: float) -> None:
        while self._expiries and self._expiries[0][0] <= now:
            _, random = self._expiries.popleft()
            self._raise_floor(self._seen.pop(random) + 1)

    def _raise_floor(self, floor: int) -> None:
        self.floor = max(self.floor, min(floor, 2**32 - 1))
