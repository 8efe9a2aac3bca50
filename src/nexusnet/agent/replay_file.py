# SPDX-License-Identifier: BSD-3-Clause
"""The file by which a restarted server still knows which clients it has let in."""

import logging
import os
from pathlib import Path
from typing import BinaryIO, Final

from nexusnet.agent.errors import StartError, explain_os_error
from nexusnet.agent.logs import facts
from nexusnet.reality.decision import Accept, Decider, Decision, InitialFacts
from nexusnet.reality.replay import ReplayCache, ReplayStateError

logger = logging.getLogger(__name__)

COMPACT_ABOVE: Final = 4 * 1024 * 1024
"""Bytes of the file above which it is written anew."""


class ReplayFile:
    """A replay cache and the file behind it.

    Attributes:
        cache: what is known.
    """

    def __init__(self, path: Path, window: float, *, now: float, wall: float) -> None:
        """Read the file, or begin one.

        Args:
            path: of the file.
            window: seconds by which a client's clock may differ.
            now: seconds of a monotonic clock.
            wall: the time of day, in seconds since 1970.

        Raises:
            StartError: it cannot be read or written, or is damaged.
        """
        self._path = path
        self._broken = False
        self._stream: BinaryIO | None = None
        self._size = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            state = path.read_bytes() if path.exists() else None
            if state is None:
                self.cache = ReplayCache(window)
            else:
                self.cache = ReplayCache.restore(state, window, now)
            self._rewrite(now)
        except OSError as error:
            raise StartError(f"reality.replay_file: {path}: {explain_os_error(error)}") from error
        except ReplayStateError as error:
            raise StartError(
                f"reality.replay_file: {path} is damaged ({error}): delete it; what was recorded"
                f" of clients in the last {2 * window:g} s could be repeated once then"
            ) from error
        if self.cache.floor > wall + window:
            logger.warning(
                "this machine's clock is behind what it was when clients were let in last: none is"
                " until it catches up, or the file is deleted",
                extra=facts(behind_seconds=round(self.cache.floor - wall), file=path),
            )

    def _rewrite(self, now: float) -> None:
        temporary = self._path.with_name(f"{self._path.name}.new")
        state = self.cache.snapshot(now)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        stream = os.fdopen(descriptor, "wb", buffering=0)
        try:
            stream.write(state)
            temporary.rename(self._path)
        except BaseException:
            stream.close()
            raise
        self.close()
        # Goes on at its end: the name has changed, the file has not.
        self._stream, self._size = stream, len(state)

    def record(self, now: float) -> None:
        """Write down what was accepted since the last call; before it is answered.

        Where that fails the client gets in nevertheless: until a restart the cache knows it.

        Args:
            now: seconds of a monotonic clock.
        """
        journal = self.cache.take_journal()
        try:
            if self._stream is not None:
                self._stream.write(journal)
                self._size += len(journal)
            if self._size > COMPACT_ABOVE:
                self._rewrite(now)
            self._broken = False
        except OSError as error:
            if not self._broken:
                logger.error(  # noqa: TRY400 - a traceback tells nothing more
                    "cannot write down which clients were let in: after a restart, what was"
                    " recorded of them could be repeated: %s",
                    explain_os_error(error),
                    extra=facts(file=self._path),
                )
            self._broken = True

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class RecordingDecider(Decider):
    """A decider whose acceptances are in the file before anybody acts on them."""

    file: ReplayFile

    def decide(self, message: bytes, facts: InitialFacts, *, now: float, wall: float) -> Decision:
        """Decide about a whole ClientHello, see `Decider`."""
        decision = super().decide(message, facts, now=now, wall=wall)
        if isinstance(decision, Accept):
            self.file.record(now)
        return decision
