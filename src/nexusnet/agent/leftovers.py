# SPDX-License-Identifier: BSD-3-Clause
"""What an agent made on the host that outlives it, written down before it is made.

The state file is JSON. Whoever starts next with the same file takes away what a crashed agent left.
A lock beside it tells the living from the dead: the kernel lets go of it whatever ends a process.
"""

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self, TextIO

from nexusnet.agent.errors import StartError, explain_os_error

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Leftovers:
    """What to take away.

    Attributes:
        interface: name of the virtual device; None before it was made.
        table: routing table with rules that lead to it; None without.
        nft_table: table of the packet filter; None without.
    """

    interface: str | None = None
    table: int | None = None
    nft_table: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a state file; what makes no sense is nothing left."""
        try:
            value: Any = json.loads(text or "{}")
        except ValueError:
            value = None
        if not isinstance(value, dict):
            return cls()
        interface, table, nft = (value.get(key) for key in ("interface", "table", "nft_table"))
        return cls(
            interface if isinstance(interface, str) else None,
            table if isinstance(table, int) else None,
            nft if isinstance(nft, str) else None,
        )


@dataclass(slots=True)
class StateFile:
    """The state file of a running agent; `hold` makes one.

    Attributes:
        path: of the file.
        left_behind: what the agent before left; empty where it ended well.
        now: what this agent has made.
    """

    path: Path
    left_behind: Leftovers
    now: Leftovers = field(default_factory=Leftovers)

    def record(self, **made: Any) -> None:
        """Write down what is about to be made."""
        for name, value in made.items():
            setattr(self.now, name, value)
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps({**asdict(self.now), "pid": os.getpid()}))
        temporary.rename(self.path)


@contextlib.contextmanager
def hold(path: Path, name: str) -> Iterator[StateFile]:
    """Be the one agent of a network.

    Args:
        path: of the state file.
        name: of the network, for messages.

    Raises:
        StartError: another agent runs it, or the folder cannot be written to.
    """
    lock_path = path.with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        lock = lock_path.open("a+")
    except OSError as error:
        raise StartError(
            f"{error.filename or path.parent}: {explain_os_error(error)}: run as root, or set"
            " control.state_file and control.socket_file to files of your own"
        ) from error
    with lock:
        if not _locked(lock, lock_path):
            lock.seek(0)
            raise StartError(
                f"another agent runs the network {name!r} (process {lock.read().strip() or '?'}):"
                " stop it first, or give this network another name"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        text = path.read_text() if path.exists() else ""
        try:
            yield StateFile(path, Leftovers.parse(text))
        finally:
            path.unlink(missing_ok=True)
            lock_path.unlink(missing_ok=True)


def _locked(lock: TextIO, path: Path) -> bool:
    """Return whether the lock is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # An agent that ends takes its lock file away: ours may be the one that is gone.
    return path.exists() and path.stat().st_ino == os.fstat(lock.fileno()).st_ino
