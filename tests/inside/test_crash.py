# SPDX-License-Identifier: BSD-3-Clause
"""Agents are killed under traffic: their tunnels end with them, or go on until the next agent."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from nexusnet.dataplane.kernel import KernelDataPlane
from nexusnet.demo.namespaces import End, two_ends
from tests.agent.agents import QUICK, Pair, wait_until
from tests.inside.hosts import inside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nexusnet.dataplane.protocol import SessionStatus

KERNEL = '"required"'
REPLY = re.compile(r"icmp_seq=(\d+)")
INTERVAL = 0.05
# A peer's agent asks for a sign of life after this long; the kernel does not answer for a dead one.
PATIENT = """
[transport]
keepalive_seconds = 15
idle_timeout_seconds = 60
reconnect_min_seconds = 0.1
reconnect_max_seconds = 0.5
"""


class Pinging:
    """ping through a tunnel until it is told to stop."""

    def __init__(self, source: End, address: str) -> None:
        command = source.command("ping", "-n", "-i", str(INTERVAL), "-W", "1", address)
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def answers(self) -> list[int]:
        """Numbers of the answered requests."""
        self._process.send_signal(2)
        said, _ = self._process.communicate(timeout=30)
        return [int(number) for number in REPLY.findall(said)]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Agents that refuse to run without the module."""
    with two_ends() as ends:
        made = Pair(*ends, tmp_path)
        try:
            yield made
        finally:
            made.stop()


def required(pair: Pair) -> None:
    for node in (pair.server, pair.client):
        text = node.file.read_text().replace('dco_mode = "preferred"', f"dco_mode = {KERNEL}")
        assert KERNEL in text
        node.file.write_text(text)


def in_kernel(end: End) -> tuple[list[Any], list[SessionStatus]]:
    """Devices without an owner, and the sessions on them."""
    with inside(end.name):
        plane = KernelDataPlane()
    try:
        orphans = plane.orphans()
        return orphans, [status for one in orphans for status in plane.sessions(one.id)]
    finally:
        plane.close()


def test_agents_use_the_kernel(pair: Pair) -> None:
    pair.configure()
    required(pair)
    pair.start()
    for node in (pair.server, pair.client):
        assert node.status()["data_plane"]["kind"] == "kernel"
        assert node.peer()["tunnel"]["data_plane"] == "kernel"
    assert pair.ping(4)
    assert pair.ping(6)
    assert pair.ping(4, back=True)
    assert pair.client.stop() == 0
    assert pair.server.stop() == 0


def test_a_killed_agents_tunnels_end(pair: Pair) -> None:
    pair.configure()
    required(pair)
    pair.start()
    pinging = Pinging(pair.ends[1], pair.ends[0].addresses("nexus0")[4])
    time.sleep(1)
    pair.server.kill()
    wait_until(lambda: len(in_kernel(pair.ends[0])[0]) == 1, 10, "the device has no owner")
    wait_until(lambda: in_kernel(pair.ends[0])[1] == [], 10, "its sessions are gone")
    assert len(pinging.answers()) > 5
    pair.server.start()
    pair.wait_up(30)
    assert pair.ping(4)
    assert in_kernel(pair.ends[0]) == ([], [])


def test_a_killed_agents_tunnels_go_on(pair: Pair) -> None:
    """With `persist`: hardly a packet is lost, and the next agent takes over."""
    pair.configure(server=PATIENT, client=PATIENT)
    required(pair)
    text = pair.client.file.read_text()
    pair.client.file.write_text(text.replace("[network]\n", "[network]\npersist = true\n", 1))
    pair.start()
    former = pair.client.peer()["tunnel"]["session"]
    pinging = Pinging(pair.ends[1], pair.ends[0].addresses("nexus0")[4])
    time.sleep(1)
    pair.client.kill()
    time.sleep(2)
    orphans, sessions = in_kernel(pair.ends[1])
    assert [device.name for device in orphans] == ["nexus0"]
    assert [status.ref.id for status in sessions] == [former]
    pair.client.start()
    assert "took over" in pair.client.log.read_text()
    pair.wait_up(30)
    wait_until(
        lambda: [status.ref.id for status in alive(pair)] != [former]
        and len(alive(pair)) == 1,
        10, "the former session is replaced",
    )  # fmt: skip
    time.sleep(1)
    answers = pinging.answers()
    asked = max(answers)
    assert asked * INTERVAL > 4
    # The new tunnel takes the place of the former one on both ends, not at the same instant.
    assert len(set(answers)) > asked - 1.0 / INTERVAL, sorted(set(range(1, asked)) - set(answers))
    assert pair.client.stop() == 0
    assert in_kernel(pair.ends[1]) == ([], [])


def alive(pair: Pair) -> list[SessionStatus]:
    """Sessions of the client's namespace, whoever owns them."""
    with inside(pair.ends[1].name):
        plane = KernelDataPlane()
    try:
        return plane._statuses(None)
    finally:
        plane.close()


@pytest.mark.parametrize("changes", [("client", "server"), ("server", "client")])
def test_one_end_changes_its_plane(pair: Pair, changes: tuple[str, str]) -> None:
    """The other one is not told, and need not care."""
    pair.configure(server=QUICK, client=QUICK)
    changing, staying = (getattr(pair, name) for name in changes)
    pair.start()
    begun = staying.status()["started"]
    for mode, kind in (("disabled", "userspace"), ("required", "kernel")):
        assert changing.stop() == 0
        text = re.sub(r'dco_mode = "\w+"', f'dco_mode = "{mode}"', changing.file.read_text())
        changing.file.write_text(text)
        changing.start()
        pair.wait_up(30)
        assert changing.status()["data_plane"]["kind"] == kind
        assert pair.ping(4)
        assert pair.ping(6, back=True)
    assert staying.status()["started"] == begun
    assert staying.status()["data_plane"]["kind"] == "kernel"
