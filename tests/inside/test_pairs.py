# SPDX-License-Identifier: BSD-3-Clause
"""Tunnels between kernel and kernel, kernel and engine, engine and kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.tunnel import RunningEnd, iperf, tunnel

if TYPE_CHECKING:
    from collections.abc import Iterator

Ends = tuple[RunningEnd, RunningEnd]

PAIRS = {
    "kernel-kernel": (True, True),
    "kernel-engine": (True, False),
    "engine-kernel": (False, True),
}
SUITES = ("aes_128_gcm_sha256", "aes_256_gcm_sha384", "chacha20_poly1305_sha256")
MTU = 1452 - 32
# Headers of ICMP and IP, which ping does not count.
OVERHEAD = {4: 28, 6: 48}
# What may be dropped when nothing goes wrong: the kernel's own multicast, and what slows TCP down.
HARMLESS = {"no_route", "congestion", "queue_full"}
ORDERLY = {
    "SESSION_UP",
    "KEY_UPDATE_NEEDED",
    "KEY_UPDATE_DONE",
    "CONGESTION_STATE",
    "PATH_MTU_CHANGED",
}


@pytest.fixture(params=PAIRS)
def planes(request: pytest.FixtureRequest) -> tuple[bool, bool]:
    """Which ends are the kernel's."""
    chosen: tuple[bool, bool] = PAIRS[request.param]
    return chosen


@pytest.fixture(params=[4, 6], ids=["over IPv4", "over IPv6"])
def ends(request: pytest.FixtureRequest, planes: tuple[bool, bool]) -> Iterator[Ends]:
    """A tunnel of a kind."""
    with tunnel(kernel=planes, version=request.param) as made:
        yield made


def ping(source: RunningEnd, target: RunningEnd, version: int, size: int, count: int = 5) -> None:
    """All are answered."""
    address = target.ipv4 if version == 4 else target.ipv6
    said = source.namespace.run(
        "ping", "-n", "-q", "-M", "do", "-i", "0.05", "-W", "5", "-c", str(count), "-s", str(size),
        address,
    )  # fmt: skip
    assert " 0% packet loss" in said, said


def settled(ends: Ends) -> list[dict[str, Any]]:
    """Counters of both ends, which nothing has gone wrong at."""
    stats = [end.stats() for end in ends]
    for one in stats:
        assert set(one["events"]) <= ORDERLY, one["events"]
        assert set(one["device"]["drop"]) <= HARMLESS, one["device"]["drop"]
    return stats


def pings_of_every_size(ends: Ends) -> None:
    """64 bytes to the MTU, both ways; nothing is dropped, nothing is lost."""
    for version in (4, 6):
        most = MTU - OVERHEAD[version]
        for size in (56, 500, 1199, most - 1, most):
            ping(*ends, version, size)
            ping(*ends[::-1], version, size)
    for one in settled(ends):
        assert one["drop"] == {}
        assert one["l3"]["rx_packets"] >= 100
        assert one["recovery"]["packets_lost"] == 0


def test_traffic(ends: Ends) -> None:
    """Everything in one tunnel, for bringing up a tunnel takes longest."""
    pings_of_every_size(ends)
    for version in (4, 6):
        for way in ((), ("--reverse",)):
            report = iperf(*ends, "--time", "1", *way, version=version)
            assert report["end"]["sum_received"]["bits_per_second"] > 1e6, (version, way)
        report = iperf(
            *ends, "--udp", "--bitrate", "2M", "--length", "1200", "--time", "1", version=version
        )
        total = report["end"]["sum"]
        assert total["packets"] > 100, version
        assert total["lost_percent"] < 5, (version, total)
    settled(ends)
    ping(*ends, 4, 56)


@pytest.mark.parametrize("suite", SUITES)
def test_every_cipher_suite(planes: tuple[bool, bool], suite: str) -> None:
    with tunnel("--suite", suite, kernel=planes) as ends:
        ping(*ends, 4, 1000)
        ping(*ends, 6, 1000)
        assert iperf(*ends, "--bytes", "1M")["end"]["sum_received"]["bytes"] > 100_000
        settled(ends)


def test_tcp_across_key_updates(planes: tuple[bool, bool]) -> None:
    """Every 200 packets, 20 times at least; both sides update."""
    with tunnel("--key-limit", "400", kernel=planes) as ends:
        report = iperf(*ends, "--bytes", "16M")
        # What had arrived when the client was done sending: less than it sent.
        assert report["end"]["sum_received"]["bytes"] > 10_000_000
        for one in settled(ends):
            key = one["key"]
            assert key["updates_local"] + key["updates_peer"] >= 20, key
            assert key["open_failures"] == key["seal_failures"] == key["update_failures"] == 0
            assert set(one["drop"]) <= HARMLESS, one["drop"]
