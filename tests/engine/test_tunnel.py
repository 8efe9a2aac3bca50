# SPDX-License-Identifier: BSD-3-Clause
"""Real tunnels between two namespaces, with sessions installed by hand."""

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from bench import tunnel_end
from tests.engine.tunnel import RunningEnd, iperf, tunnel
from tests.engine.wire import capturing, dissected

pytestmark = pytest.mark.netns

# What may be dropped when nothing goes wrong: the kernel's own multicast, and what slows TCP down.
HARMLESS = {"no_route", "congestion", "queue_full"}


def ping(end: RunningEnd, address: str, *options: str) -> None:
    end.namespace.run("ping", "-n", "-c", "3", "-i", "0.2", "-W", "5", *options, address)


def received(report: dict[str, Any]) -> int:
    """Bytes that had arrived when the client was done sending: less than it sent."""
    return int(report["end"]["sum_received"]["bytes"])


def assert_no_losses(*ends: RunningEnd) -> None:
    for end in ends:
        stats = end.stats()
        assert set(stats["drop"]) <= HARMLESS, end.device
        assert set(stats["device"]["drop"]) <= HARMLESS, end.device
        assert stats["key"]["open_failures"] == 0


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("batching", ["offloads", "plain"])
def test_ping_and_tcp(version: int, batching: str) -> None:
    options = ["--plain"] if batching == "plain" else []
    with tunnel(*options, version=version) as (a, b):
        for end, peer in ((a, b), (b, a)):
            ping(end, peer.ipv4)
            ping(end, peer.ipv6)
            ping(end, peer.ipv4, "-s", "3000")  # fragmented by the kernel
            for inner in (4, 6):
                report = iperf(end, peer, "--bytes", "20M", version=inner)
                assert received(report) > 10 * 2**20
        assert_no_losses(a, b)
        stats = a.stats()
        batches = stats["offload"]["gso_packets"]
        assert (
            batches > 0
            if batching == "offloads"
            else stats["device"]["offload"]["gso_packets"] == 0
        )


@pytest.mark.parametrize("cable", ["veth", "nic"])
def test_udp(cable: str) -> None:
    with tunnel(nic=cable == "nic") as (a, b):
        for inner in (4, 6):
            options = ["--udp", "--bandwidth", "20M", "--length", "1200", "--time", "2"]
            report = iperf(a, b, *options, version=inner)
            assert report["end"]["sum"]["packets"] > 1000
        assert_no_losses(a, b)
        # All that one end took the other gave, but for what was lost in between.
        sent, arrived = a.stats(), b.stats()
        taken, given = sent["l3"]["tx_packets"], arrived["l3"]["rx_packets"]
        assert taken > 2000
        assert taken - sent["frame"]["lost_datagram"] <= given <= taken


@pytest.mark.parametrize("suite", tunnel_end.SUITES)
@pytest.mark.parametrize("congestion", ["cubic_like", "bbr_like"])
def test_suites_and_profiles(suite: str, congestion: str) -> None:
    with tunnel("--suite", suite, "--congestion", congestion) as (a, b):
        ping(a, b.ipv4)
        # iperf3 stops counting when all is in the sender's socket buffer.
        report = iperf(a, b, "--bytes", "5M")
        assert received(report) > 2**19
        assert_no_losses(a, b)


def key_updates(end: RunningEnd) -> int:
    key = end.stats()["key"]
    return int(key["updates_local"] + key["updates_peer"])


def test_keys_are_updated_from_both_sides_under_traffic() -> None:
    with tunnel() as (a, b):
        for number in range(1, 5):
            (a if number % 2 else b).tell("update")
            iperf(a, b, "--bytes", "2M")
            # It begins once the one before is acknowledged and three PTO have passed.
            deadline = time.monotonic() + 30
            while min(key_updates(a), key_updates(b)) < number:
                assert time.monotonic() < deadline, a.stats()["key"]
                ping(b, a.ipv6)
        assert_no_losses(a, b)


def test_what_does_not_fit_is_answered_and_path_mtu_discovery_adapts() -> None:
    with tunnel("--datagram-size", "1200") as (a, b):
        for end in (a, b):  # larger than what the session carries
            end.namespace.run("ip", "link", "set", end.device, "mtu", "1400")
        command = ["ping", "-n", "-c", "2", "-W", "2", "-M", "do", "-s", "1300", b.ipv4]
        refused = subprocess.run(
            a.namespace.command(*command), capture_output=True, text=True, timeout=30, check=False
        )
        assert refused.returncode != 0
        assert "mtu = 1169" in refused.stdout + refused.stderr
        assert a.stats()["drop"]["mtu"] >= 1
        # iperf3 stops counting when all is in the sender's socket buffer. Into a black hole, no
        # full segment would pass at all.
        report = iperf(a, b, "--bytes", "5M")
        assert received(report) > 2**19


def test_a_search_finds_the_mtu_of_the_path() -> None:
    with tunnel("--datagram-size", "1200", "--search") as (a, b):
        deadline = time.monotonic() + 20
        sizes: set[str] = set()
        while time.monotonic() < deadline and "PATH_MTU_CHANGED" not in sizes:
            ping(a, b.ipv4)
            sizes |= set(a.stats()["events"])
        assert "PATH_MTU_CHANGED" in sizes


def test_tshark_decodes_the_tunnel(tmp_path: Path) -> None:
    with tunnel(nic=True) as (a, b):
        # A capture would show what receive offload has put together.
        a.namespace.run("ethtool", "-K", a.namespace.link, "gro", "off")
        with capturing(a.namespace, tmp_path / "tunnel.pcap"):
            ping(a, b.ipv4)
            ping(b, a.ipv6)
            iperf(a, b, "--bytes", "5M")
            a.tell("update")
            ping(a, b.ipv4)
        a.stop()
        b.stop()
    tunnelled = dissected(tmp_path / "tunnel.pcap", tmp_path)
    types = [kind for packet in tunnelled for kind in packet.all("quic.frame_type")]
    # DATAGRAM and ACK (plain or with ECN counts).
    assert types.count("48") > 500
    assert types.count("2") + types.count("3") > 3
    assert {packet.one("quic.key_phase") for packet in tunnelled} == {"False", "True"} or {
        packet.one("quic.key_phase") for packet in tunnelled
    } == {"0", "1"}
