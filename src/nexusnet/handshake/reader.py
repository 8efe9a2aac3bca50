# SPDX-License-Identifier: BSD-3-Clause
"""Readers of the event loop that may rest: in a flood, many datagrams share one wake-up."""

import asyncio
from collections.abc import Callable


def never_rest() -> float:
    """Return that a reader goes on at once."""
    return 0.0


class Reader:
    """Calls back when a descriptor is readable.

    A wake-up for each datagram costs more than the datagram: caches are cold, and whoever had the
    CPU, such as the tunnel's data plane, loses it.
    """

    def __init__(
        self, fd: int, callback: Callable[[], None], rest: Callable[[], float] = never_rest
    ) -> None:
        """Begin to read, in the running event loop.

        Args:
            fd: the descriptor.
            callback: reads it; there may be nothing to read.
            rest: asked after each time: seconds in which not to look again. Readers that rest
                equally long go on at the same moments, with one wake-up.
        """
        self._fd = fd
        self._callback = callback
        self._rest = rest
        self._loop = asyncio.get_running_loop()
        self._resting: asyncio.TimerHandle | None = None
        self._closed = False
        self._loop.add_reader(fd, self._readable)

    def _readable(self) -> None:
        self._callback()
        if self._rests():
            self._loop.remove_reader(self._fd)

    def _rests(self) -> bool:
        seconds = 0.0 if self._closed else self._rest()
        if seconds > 0:
            # At the next of the moments that are so far apart: all readers share them.
            moment = (self._loop.time() // seconds + 1) * seconds
            self._resting = self._loop.call_at(moment, self._go_on)
        return seconds > 0

    def _go_on(self) -> None:
        self._resting = None
        # Without another look whether there is anything: what came while it rested counts before
        # what is due by now, also where this thread had to wait for a CPU.
        self._callback()
        if not self._rests() and not self._closed:
            self._loop.add_reader(self._fd, self._readable)

    def close(self) -> None:
        """Stop reading; the descriptor stays open."""
        self._closed = True
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        self._loop.remove_reader(self._fd)
