# SPDX-License-Identifier: BSD-3-Clause
"""Programs that run while the demo does, and end with it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from nexusnet.demo.errors import DemoError

PATIENCE: Final = 30.0
"""Seconds that a program has to end by itself."""

TICKS: Final = os.sysconf("SC_CLK_TCK")


class Program:
    """A running program.

    Attributes:
        name: for messages.
        log: where it writes.
        process: as the operating system knows it.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        """Start it.

        Raises:
            DemoError: it is not installed.
        """
        self.name = name
        self.log = log
        with log.open("wb") as stream:
            try:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
                )
            except FileNotFoundError as error:
                raise DemoError(f"{command[0]} is not installed: `make setup` does it") from error

    def check(self) -> None:
        """Make sure that it runs.

        Raises:
            DemoError: it ended; quotes the last line that it wrote.
        """
        status = self.process.poll()
        if status is not None:
            lines = self.log.read_text(errors="replace").strip().splitlines() or ["nothing said"]
            raise DemoError(f"{self.name} ended with status {status}: {lines[-1]} ({self.log})")

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has used, its threads' included."""
        return cpu_seconds(self.process.pid)

    def stop(self) -> int:
        """End it, politely first; return its exit status."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, its threads' included; 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    # proc_pid_stat(5): utime and stime are fields 14 and 15; the name may hold spaces.
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextlib.contextmanager
def running(name: str, command: Sequence[str], log: Path) -> Iterator[Program]:
    """Run a program for the time of a block."""
    program = Program(name, command, log)
    try:
        yield program
    finally:
        program.stop()
