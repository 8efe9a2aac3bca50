# SPDX-License-Identifier: BSD-3-Clause
"""Two network namespaces with a cable between them."""

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.own_namespace import moved

COUNTER = itertools.count()


@dataclass(frozen=True, slots=True)
class Namespace:
    """One end: its name, and the addresses of its side of the cable."""

    name: str
    link: str
    ipv4: str
    ipv6: str

    def command(self, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *command]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread is in it, and back at the end."""
        handle = os.open(Path("/run/netns") / self.name, os.O_RDONLY)
        try:
            with moved(handle):
                yield
        finally:
            os.close(handle)

    def run(self, *command: str, timeout: float = 60) -> str:
        """Run to the end; a failure shows what the command said."""
        done = subprocess.run(
            self.command(*command), capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=30)


def _remove(ends: Sequence[Namespace]) -> None:
    """Take them away, with whoever is still inside, and who would see the cable vanish.

    An interruption in the middle of starting a process leaves one that nobody knows of.
    """

    def netns(*words: str) -> str:
        done = subprocess.run(
            ["ip", "netns", *words], check=False, capture_output=True, text=True, timeout=30
        )
        return done.stdout

    for end in ends:
        for pid in map(int, netns("pids", end.name).split()):
            if pid != os.getpid():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    for end in ends:
        netns("del", end.name)


@contextmanager
def cable() -> Iterator[tuple[Namespace, Namespace]]:
    """Make the pair; it is gone afterwards, whatever happens."""
    tag = f"nx{os.getpid()}-{next(COUNTER)}"
    ends = (
        Namespace(f"{tag}a", "va", "10.99.0.1", "fd99::1"),
        Namespace(f"{tag}b", "vb", "10.99.0.2", "fd99::2"),
    )
    try:
        for end in ends:
            _ip("netns", "add", end.name)
            _ip("-n", end.name, "link", "set", "lo", "up")
        a, b = ends
        peer = ["peer", "name", b.link, "netns", b.name]
        _ip("link", "add", a.link, "netns", a.name, "type", "veth", *peer)
        for end in ends:
            _ip("-n", end.name, "addr", "add", f"{end.ipv4}/24", "dev", end.link)
            _ip("-n", end.name, "addr", "add", f"{end.ipv6}/64", "dev", end.link, "nodad")
            _ip("-n", end.name, "link", "set", end.link, "up")
        yield ends
    finally:
        _remove(ends)
