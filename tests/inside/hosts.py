# SPDX-License-Identifier: BSD-3-Clause
"""Two kernel data planes with a tunnel between them, both of this process, in two namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.tunnel_end import End, Tunnel
from nexusnet.netlink.generated import Role
from tests.support.namespaces import Namespace, cable
from tests.support.own_namespace import CLONE_NEWNET, LIBC

if TYPE_CHECKING:
    from collections.abc import Iterator

INNER: Final = ("10.8.0.1", "10.8.0.2")
WAIT: Final = 30


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Be in a network namespace: sockets opened here belong to it."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        assert LIBC.setns(there, CLONE_NEWNET) == 0
        yield
    finally:
        assert LIBC.setns(home, CLONE_NEWNET) == 0
        os.close(there)
        os.close(home)


@dataclass(frozen=True, slots=True)
class Host:
    """A namespace and the tunnel's end in it."""

    namespace: Namespace
    tunnel: Tunnel
    inner: str


@contextmanager
def hosts() -> Iterator[tuple[Host, Host]]:
    """Both, with addresses; what is left of them at the end is closed."""
    with cable() as ends:
        made: list[Host] = []
        try:
            for index, role in enumerate((Role.CLIENT, Role.SERVER)):
                mine, peer = ends[index], ends[1 - index]
                end = End(
                    role=role, device=f"tun{index}", local=mine.ipv4, remote=peer.ipv4,
                    routes=(f"{INNER[1 - index]}/32",), sources=(f"{INNER[1 - index]}/32",),
                    kernel=True,
                )  # fmt: skip
                with inside(mine.name):
                    tunnel = Tunnel(end)
                device = tunnel.device.name
                mine.run("ip", "link", "set", device, "up")
                mine.run("ip", "addr", "add", INNER[index], "peer", INNER[1 - index], "dev", device)
                made.append(Host(mine, tunnel, INNER[index]))
            first, second = made
            yield first, second
        finally:
            for one in made:
                one.tunnel.plane.close()
                one.tunnel.socket.close()


@contextmanager
def flood(source: Host, target: Host) -> Iterator[subprocess.Popen[bytes]]:
    """Packets, as many as there are answers, until the block ends."""
    command = source.namespace.command("ping", "-n", "-q", "-f", "-s", "1000", target.inner)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=sys.stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait(WAIT)


def answered(source: Host, target: Host) -> None:
    """One ping is answered."""
    source.namespace.run("ping", "-n", "-q", "-c", "1", "-W", "10", target.inner)
