# SPDX-License-Identifier: BSD-3-Clause
"""Traffic between two namespaces by iperf3 and ping, as figures."""

from __future__ import annotations

import json
import re
import select
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.namespaces import Namespace

# Fits into every tunnel measured here: 1400 bytes of IPv4.
UDP_PAYLOAD: Final = 1372
START_SECONDS: Final = 20.0
SLACK_SECONDS: Final = 60.0
REPLY: Final = re.compile(rb"icmp_seq=(\d+) .*time=([\d.]+) ms(?! *\(DUP)")


class TrafficError(Exception):
    """Traffic did not get through; the message has what the program said."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What arrived: payload bits in a time; the share of packets lost (UDP only)."""

    bits: float
    seconds: float
    loss: float = 0.0

    @property
    def rate(self) -> float:
        """Bits per second."""
        return self.bits / self.seconds


@contextmanager
def server(namespace: Namespace, address: str) -> Iterator[None]:
    """iperf3 waiting for one client."""
    command = namespace.command("iperf3", "-s", "--one-off", "--forceflush", "--bind", address)
    listening = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        if listening.stdout is None:
            raise TrafficError("iperf3 -s without a pipe")
        deadline = time.monotonic() + START_SECONDS
        said = b""
        while b"listening" not in said:
            left = deadline - time.monotonic()
            if not select.select([listening.stdout], [], [], max(left, 0))[0]:
                raise TrafficError(f"iperf3 -s does not start: {said.decode()}")
            piece = listening.stdout.read1(4096)  # type: ignore[attr-defined]
            if not piece:
                raise TrafficError(f"iperf3 -s ended: {said.decode()}")
            said += piece
        yield
    finally:
        listening.kill()
        listening.wait(10)
        if listening.stdout is not None:
            listening.stdout.close()


def iperf(
    client: Namespace, serving: Namespace, address: str, seconds: float, *options: str
) -> dict[str, Any]:
    """One run; the client's report."""
    with server(serving, address):
        time_option = f"{seconds:g}"
        command = client.command("iperf3", "-c", address, "-t", time_option, "--json", *options)
        try:
            done = subprocess.run(
                command, capture_output=True, check=False, timeout=seconds + SLACK_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise TrafficError(f"iperf3 to {address} hangs") from error
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise TrafficError(f"iperf3: {done.stdout[:200]!r} {done.stderr!r}") from error
    if "error" in report:
        raise TrafficError(f"iperf3 to {address}: {report['error']}")
    return report


def tcp(
    client: Namespace, serving: Namespace, address: str, seconds: float, *options: str
) -> Transfer:
    """One TCP connection."""
    got = iperf(client, serving, address, seconds, *options)["end"]["sum_received"]
    return Transfer(got["bytes"] * 8, got["seconds"])


def udp(
    client: Namespace, serving: Namespace, address: str, seconds: float, *options: str
) -> Transfer:
    """UDP as fast as iperf3 can, or with `--bitrate`."""
    rate = () if "--bitrate" in options else ("--bitrate", "0")
    report = iperf(
        client, serving, address, seconds, "--udp", "--length", str(UDP_PAYLOAD), *rate, *options
    )
    got = report["end"]["sum"]
    arrived = got["packets"] - got["lost_packets"]
    return Transfer(arrived * UDP_PAYLOAD * 8, got["seconds"], got["lost_percent"] / 100)


@dataclass(frozen=True, slots=True)
class Pings:
    """Round trips in milliseconds."""

    sent: int
    received: int
    median: float
    mean: float
    p95: float
    highest: float
    # Most answers missing in a row.
    gap: int

    @property
    def loss(self) -> float:
        """Share without an answer."""
        return 1 - self.received / self.sent


def ping_figures(said: bytes) -> Pings:
    """What ping has printed."""
    replies = [(int(number), float(taken)) for number, taken in REPLY.findall(said)]
    if not replies:
        raise TrafficError(f"ping: no answer: {said[-300:]!r}")
    times = sorted(taken for _, taken in replies)
    p95 = times[min(int(len(times) * 0.95), len(times) - 1)]
    # Not those after the last answer: they may be on their way.
    sent = max(number for number, _ in replies)
    numbers = [0, *sorted(number for number, _ in replies)]
    gap = max(after - before - 1 for before, after in pairwise(numbers))
    return Pings(sent, len(replies), median(times), mean(times), p95, times[-1], gap)


@contextmanager
def pinging(client: Namespace, address: str, interval: float) -> Iterator[list[Pings]]:
    """Ping while the body runs; afterwards the list has the figures."""
    command = client.command("ping", "-n", "-i", f"{interval:g}", "-W", "5", address)
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    figures: list[Pings] = []
    try:
        yield figures
    finally:
        running.send_signal(2)  # SIGINT: ping prints its summary
        said, _ = running.communicate(timeout=30)
    figures.append(ping_figures(said))


def ping(client: Namespace, address: str, seconds: float, interval: float = 0.05) -> Pings:
    """Ping for a time, nothing else going on."""
    with pinging(client, address, interval) as figures:
        time.sleep(seconds)
    return figures[0]
