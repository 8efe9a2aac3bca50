# SPDX-License-Identifier: BSD-3-Clause
"""Processes of `many_end.py` in namespaces."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.many_end import INNER, INNER_BITS, inner_address
from bench.tunnel_end import other
from nexusnet.netlink.generated import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.namespaces import Namespace

ROOT: Final = Path(__file__).resolve().parent.parent
ANSWER_SECONDS: Final = 90.0
END_SECONDS: Final = 30.0


class EndError(Exception):
    """An end of a tunnel does not do what it was told."""


class End:
    """One process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        if process.stdin is None or process.stdout is None:
            raise EndError("an end of the tunnel without pipes")
        self._input, self._output = process.stdin, process.stdout

    def line(self) -> str:
        """The next line that it prints."""
        ready, _, _ = select.select([self._output], [], [], ANSWER_SECONDS)
        said = self._output.readline() if ready else ""
        if not said:
            raise EndError(f"an end of the tunnel says nothing; exit status {self.process.poll()}")
        return said.strip()

    def stats(self) -> dict[str, Any]:
        """What `many_end.py` counts."""
        self._input.write("stats\n")
        self._input.flush()
        loaded: dict[str, Any] = json.loads(self.line())
        return loaded


def leads_to_peers(role: Role, device: str) -> tuple[str, ...]:
    """The route to the other side's inner addresses."""
    return (f"{INNER[other(role)]}/{INNER_BITS}", "dev", device)


def address_all(namespace: Namespace, role: Role, device: str) -> None:
    """Inner addresses of all sessions: a client can send from each, a server throws away."""
    namespace.run("ip", "link", "set", device, "up")
    kind = "local" if role is Role.CLIENT else "blackhole"
    mine = (f"{INNER[role]}/{INNER_BITS}", *(("dev", "lo") if kind == "local" else ()))
    namespace.run("ip", "route", "add", kind, *mine)
    namespace.run("ip", "route", "add", *leads_to_peers(role, device))


@contextmanager
def end(
    namespace: Namespace, role: Role, groups: Sequence[str], *options: str, index: int | None
) -> Iterator[End]:
    """One end, its device up, with the inner address of session `index`.

    None: of all sessions. A client can then send from each, a server throws away what arrives.
    """
    device = f"tun{role.name.lower()}"
    command = namespace.command(
        sys.executable, "-m", "bench.many_end", role.name.lower(), "--device", device,
        "--local", namespace.ipv4, *(word for one in groups for word in ("--peers", one)), *options,
    )  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        running = End(process)
        if running.line() != "ready":
            raise EndError("an end of the tunnel does not start")
        if index is None:
            address_all(namespace, role, device)
        else:
            address = inner_address(role, index)
            namespace.run("ip", "link", "set", device, "up")
            namespace.run("ip", "addr", "add", f"{address}/32", "dev", "lo")
            namespace.run("ip", "route", "add", *leads_to_peers(role, device), "src", address)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(END_SECONDS)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def send(
    namespace: Namespace, role: Role, *, sessions: int, burst: int, rate: int, seconds: float
) -> int:
    """`send_many.py` for a time; how many packets it sent."""
    words = [role.name, *(str(word) for word in (sessions, burst, rate, seconds))]
    command = namespace.command(sys.executable, "-m", "bench.send_many", *words)
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=seconds + ANSWER_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise EndError(f"cannot send: {done.stderr.strip()}")
    return int(done.stdout)
