# SPDX-License-Identifier: BSD-3-Clause
"""Whether strangers come in a flood, so that their datagrams may wait for each other."""

from typing import Final

REST: Final = 0.010
"""Seconds for which datagrams are gathered in a flood: in mode reality a third of the time in which
a hello has to be whole."""
CALM: Final = 100
"""Strangers a second that are no flood."""
SURPLUS: Final = 100
"""Strangers beyond that rate that make one."""


class Flood:
    """Counts strangers, datagrams or flows of them; what is counted runs out again."""

    def __init__(self) -> None:
        self._level = 0.0
        self._at = 0.0

    def _left(self, now: float) -> float:
        return max(0.0, self._level - (now - self._at) * CALM)

    def count(self, strangers: int, now: float) -> None:
        """Take note of strangers.

        Args:
            strangers: how many came.
            now: seconds.
        """
        # So much and no more: a second after its end a flood is none any more.
        self._level = min(self._left(now) + strangers, 2 * SURPLUS)
        self._at = now

    def lasts(self, now: float) -> bool:
        """Whether there is a flood.

        Args:
            now: seconds.
        """
        return self._left(now) > SURPLUS
