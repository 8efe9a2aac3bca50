# SPDX-License-Identifier: BSD-3-Clause
"""A thread with an event loop of its own, for callers that may not wait in theirs."""

from __future__ import annotations

import asyncio
import errno
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

PATIENCE: Final = 60.0
"""Seconds after which a call is given up; what it does has shorter limits of its own."""


class LoopThread:
    """Runs coroutines for other threads.

    The thread begins in the network namespace of the one that makes it.

    Attributes:
        loop: its event loop.
    """

    def __init__(self, name: str) -> None:
        """Start it."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for what it returns or raises.

        Raises:
            OSError: ENOTCONN: the thread has ended.
        """
        if not self._thread.is_alive():
            work.close()
            raise OSError(errno.ENOTCONN, "closed")
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    def close(self) -> None:
        """Cancel what still runs and end the thread."""

        async def end() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        if self._thread.is_alive():
            self.call(end())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(PATIENCE)
