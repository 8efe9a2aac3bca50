# SPDX-License-Identifier: BSD-3-Clause
"""What a run asks for, and what a home (User-Mode Linux, QEMU) must offer to run it."""

import socket
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

DATA = Path(__file__).resolve().parent.parent
"""The folder with the homes' scripts, configurations and patches."""


@dataclass(frozen=True, slots=True)
class Job:
    """A command to run inside a kernel."""

    argv: tuple[str, ...]
    cwd: Path
    environ: Mapping[str, str]
    writable: tuple[Path, ...] = ()
    """Folders of the host that the command may write to; all else is thrown away."""
    stdin: bytes | None = None
    """What the command reads; None is /dev/null."""
    timeout: float = 600.0
    """Seconds that the command may take, from its start."""
    cpus: int | None = None
    """How many; None is the home's default (User-Mode Linux: 1, more are slow on a busy host)."""
    memory: int | None = None
    """MiB; None is the home's default."""
    icount: bool = False
    """QEMU: one guest nanosecond an instruction, repeatable; one CPU."""
    cpu_model: str = "max"
    """QEMU: the CPU that the kernel finds, as -cpu wants it."""
    leak_check: bool = True
    """uml-debug: have kmemleak search at the end (takes five seconds)."""
    interactive: bool = False
    """Give the command our terminal; nothing is captured."""
    kernel_arguments: tuple[str, ...] = field(default=())
    """Further words for the kernel's command line."""


@dataclass(frozen=True, slots=True)
class Streams:
    """Sockets for the guest to write to, to be inherited under these numbers."""

    console: int
    stdout: int
    stderr: int


class Guest(Protocol):
    """A kernel that runs."""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process whose end is the guest's end."""

    def request(self, letter: str, console: socket.socket) -> bool:
        """Send a system request (SysRq) such as w, blocked tasks; False where that cannot be done.

        Args:
            letter: the request.
            console: our end of the console.
        """


class Machine(Protocol):
    """A kernel that can be booted."""

    @property
    def release(self) -> str:
        """What uname -r says."""

    @property
    def modules(self) -> Path | None:
        """The folder for the guest's /lib/modules."""

    @property
    def patience(self) -> int:
        """Seconds after which something that should take a moment hangs."""

    def boot(self, folder: Path, job: Job, streams: Streams) -> AbstractContextManager[Guest]:
        """Start it with the run's folder; leaving the `with` ends it, whatever its state."""
