# SPDX-License-Identifier: BSD-3-Clause
"""Two network namespaces with a cable between them, which are gone when the demo is.

Their names carry the process id, so demos can run side by side; what a killed demo left is taken
away by the next one.
"""

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nexusnet.demo.errors import DemoError

PREFIX: Final = "nexus-demo"
NETNS_FOLDER: Final = Path("/run/netns")
CABLE: Final = "cable0"


@dataclass(frozen=True, slots=True)
class End:
    """One namespace.

    Attributes:
        name: of the namespace.
        ipv4: address of its end of the cable.
        ipv6: address of its end of the cable.
    """

    name: str
    ipv4: str
    ipv6: str

    def command(self, *arguments: str) -> list[str]:
        """Return a command that runs in the namespace, in the process that it is started as."""
        return ["ip", "netns", "exec", self.name, *arguments]

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command in the namespace; its exit status is the caller's business."""
        return run(self.command(*arguments), timeout=timeout)

    def addresses(self, device: str) -> dict[int, str]:
        """Return the global addresses of a device by IP version."""
        listing: Any = json.loads(ip("-j", "-n", self.name, "address", "show", "dev", device))
        families = {"inet": 4, "inet6": 6}
        return {
            families[one["family"]]: one["local"]
            for one in listing[0]["addr_info"]
            if one["scope"] == "global"
        }


def run(command: Sequence[str], *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it printed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    except FileNotFoundError as error:
        raise DemoError(f"{command[0]} is not installed: `make setup` installs it") from error
    except subprocess.TimeoutExpired as error:
        raise DemoError(f"`{' '.join(command)}` did not end within {timeout:g} s") from error


def ip(*arguments: str) -> str:
    """Run `ip` and return what it printed.

    Raises:
        DemoError: it failed.
    """
    done = run(["ip", *arguments])
    if done.returncode:
        raise DemoError(f"`ip {' '.join(arguments)}`: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def single_packets(*ends: End) -> Iterator[None]:
    """Have the cable carry one datagram a packet for the time of a block.

    A veth passes segmentation offloads on whole: a capture would show several datagrams as one.

    Raises:
        DemoError: ethtool is missing or refused.
    """
    features = ("tx-udp-segmentation", "gro")
    try:
        for end in ends:
            _offloads(end, features, "off")
        yield
    finally:
        for end in ends:
            _offloads(end, features, "on")


def _offloads(end: End, features: Sequence[str], state: str) -> None:
    for feature in features:
        done = end.run("ethtool", "-K", CABLE, feature, state)
        if done.returncode:
            raise DemoError(f"ethtool -K {CABLE} {feature} {state}: {done.stderr.strip()}")


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def remove_stale() -> None:
    """Take away the namespaces of demos that were killed."""
    for path in NETNS_FOLDER.glob(f"{PREFIX}-*"):
        match = re.fullmatch(rf"{PREFIX}-(\d+)-[ab]", path.name)
        if match and not _alive(int(match[1])):
            with contextlib.suppress(DemoError):
                ip("netns", "del", path.name)


@contextlib.contextmanager
def two_ends() -> Iterator[tuple[End, End]]:
    """Make two namespaces and connect them; they are removed whatever happens.

    Raises:
        DemoError: the kernel or a lack of privilege does not let us.
    """
    remove_stale()
    ends = tuple(
        End(f"{PREFIX}-{os.getpid()}-{letter}", f"10.209.77.{number}", f"fd09:77::{number}")
        for number, letter in ((1, "a"), (2, "b"))
    )
    first, second = ends
    try:
        for end in ends:
            ip("netns", "add", end.name)
        ip("-n", first.name, "link", "add", CABLE, "type", "veth", "peer", "name", CABLE, "netns",
           second.name)  # fmt: skip
        for end in ends:
            ip("-n", end.name, "address", "add", f"{end.ipv4}/24", "dev", CABLE)
            ip("-n", end.name, "address", "add", f"{end.ipv6}/64", "dev", CABLE, "nodad")
            for device in ("lo", CABLE):
                ip("-n", end.name, "link", "set", device, "up")
        yield first, second
    finally:
        for end in ends:
            if (NETNS_FOLDER / end.name).exists():
                with contextlib.suppress(DemoError):
                    ip("netns", "del", end.name)
