# SPDX-License-Identifier: BSD-3-Clause
"""Network paths out of namespaces, with weather on them.

Hosts hang on a chain of two routers: clients - r1 - r2 - server. Weather sits on the routers'
ports, where every datagram comes by alone: hosts cut super-packets as a network card does, and
nothing puts them together on the way.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.support.namespaces import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTER: Final = itertools.count()
TIMEOUT: Final = 30
# Queues of a path that limits nothing: never the bottleneck.
DEEP: Final = 20000


@dataclass(frozen=True, slots=True)
class Port:
    """A router's side of a cable: namespace and device."""

    router: str
    link: str

    def _tc(self, *words: str) -> None:
        command = ["tc", "-n", self.router, "qdisc", "replace", "dev", self.link, "root", *words]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT)

    def netem(self, *words: str) -> None:
        """What leaves here gets this weather, in tc's words."""
        self._tc("netem", "limit", str(DEEP), *words)

    def limit(self, mbit: float, queue: int) -> None:
        """What leaves here leaves at this rate, at most `queue` bytes wait."""
        rate = f"{mbit * 1000:g}kbit"
        self._tc("tbf", "rate", rate, "burst", "3200", "limit", str(queue))


@dataclass(frozen=True, slots=True)
class Path:
    """Clients and server; ports in the direction to the server and back."""

    clients: tuple[Namespace, ...]
    server: Namespace
    forward: tuple[Port, Port]  # r1 to r2, r2 to the server
    back: tuple[Port, ...]  # r2 to r1, r1 to each client


def ip(*words: str) -> None:
    """Run ip; raises CalledProcessError."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=TIMEOUT)


def join(one: str, link: str, other: str, far: str, net: int) -> None:
    """A cable between two namespaces: 10.9.NET.1 and .2; nothing merges or passes super-packets."""
    ip("link", "add", link, "netns", one, "type", "veth", "peer", "name", far, "netns", other)
    for name, port, host in ((one, link, 1), (other, far, 2)):
        off = ("tx-udp-segmentation", "off", "tso", "off", "gso", "off", "gro", "off")
        command = ["ip", "netns", "exec", name, "ethtool", "-K", port, *off]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT)
        ip("-n", name, "addr", "add", f"10.9.{net}.{host}/24", "dev", port)
        ip("-n", name, "link", "set", port, "up")


@contextmanager
def path(clients: int = 1) -> Iterator[Path]:
    """Make it; it is gone afterwards, whatever happens."""
    tag = f"nxp{os.getpid()}-{next(COUNTER)}"
    r1, r2, server = f"{tag}r1", f"{tag}r2", f"{tag}s"
    names = [f"{tag}c{index}" for index in range(clients)]
    made = []
    try:
        for name in (r1, r2, server, *names):
            ip("netns", "add", name)
            made.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        for router in (r1, r2):
            forwarding = ["ip", "netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1"]
            subprocess.run(forwarding, check=True, capture_output=True, timeout=TIMEOUT)
        join(r1, "east", r2, "west", 100)
        join(r2, "east", server, "eth", 101)
        ip("-n", r1, "route", "add", "default", "via", "10.9.100.2")
        ip("-n", server, "route", "add", "default", "via", "10.9.101.1")
        hosts = []
        for index, name in enumerate(names):
            join(r1, f"port{index}", name, "eth", index)
            ip("-n", name, "route", "add", "default", "via", f"10.9.{index}.1")
            ip("-n", r2, "route", "add", f"10.9.{index}.0/24", "via", "10.9.100.1")
            hosts.append(Namespace(name, "eth", f"10.9.{index}.2", ""))
        yield Path(
            tuple(hosts),
            Namespace(server, "eth", "10.9.101.2", ""),
            (Port(r1, "east"), Port(r2, "east")),
            (Port(r2, "west"), *(Port(r1, f"port{index}") for index in range(clients))),
        )
    finally:
        for name in made:
            subprocess.run(
                ["ip", "netns", "del", name], check=False, capture_output=True, timeout=TIMEOUT
            )
