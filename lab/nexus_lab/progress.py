# SPDX-License-Identifier: BSD-3-Clause
"""Progress on standard error: a line when a step starts, while it lasts, and at its end."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HEARTBEAT = 15.0  # seconds between signs of life
WORTH_TELLING = 2.0  # a step shorter than this (seconds) gets no closing line


def say(text: str) -> None:
    """Print one line of the lab's own on standard error."""
    print(f"nexus-lab: {text}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return a length of time the way people write it: 0.7 s, 12 s, 5 min 41 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


@contextmanager
def step(label: str, detail: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Announce a step that may take long and give signs of life while it lasts.

    Args:
        label: what is being done.
        detail: called from another thread for what to add to a sign of life.
    """
    say(f"{label} …")
    begun = time.monotonic()
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT):
            extra = detail()
            say(f"{label}: {duration(time.monotonic() - begun)}{', ' if extra else ''}{extra}")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if (took := time.monotonic() - begun) >= WORTH_TELLING:
        say(f"{label}: done in {duration(took)}")
