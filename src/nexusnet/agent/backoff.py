# SPDX-License-Identifier: BSD-3-Clause
"""How long to wait before the next attempt: doubled each time, with jitter, up to a limit."""

import random


class Backoff:
    """Waits of one peer.

    The wait is drawn from the upper half of the doubled interval ("equal jitter"): clients that
    lost the same server do not come back in one moment, and none hammers it.
    """

    def __init__(self, least: float, most: float, rng: random.Random) -> None:
        """Start over.

        Args:
            least: first interval in seconds.
            most: longest interval in seconds.
            rng: source of the jitter.
        """
        self._least = least
        self._most = most
        self._rng = rng
        self.attempts = 0

    def next(self) -> float:
        """Return how many seconds to wait now."""
        # Beyond 2^32 the limit has long been reached; the float must not overflow.
        interval = min(self._least * 2.0 ** min(self.attempts, 32), self._most)
        self.attempts += 1
        return interval * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start over, after a success."""
        self.attempts = 0
