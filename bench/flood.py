# SPDX-License-Identifier: BSD-3-Clause
"""What 1,000 bogus datagrams a second cost the traffic of a server's honest client.

Two agents with a handshake, one TCP connection from client to server, and a flood that is on and
off in short slices by turns. A slice's figure is what the server's tunnel delivered, divided by the
CPU time of its agent, all threads: the engine's, and Python's, which gets the datagrams that may
begin a handshake. Each slice with the flood is compared with those before and after it. Slices
scatter, so there are many; medians are given with the interval in which that of ever more slices
would be, with 95 % confidence, and it is the worse end that has to be good enough.

What the agent spent beyond the CPU time that its traffic takes without the flood, divided by the
bogus datagrams, is the price of one; at 1,000 a second that is the share of a CPU, and so of the
throughput of an agent that has one, that the flood takes. Unlike goodput, that does not depend on
what else the machine does. An agent without traffic pays more for each, because each wakes it up:
an upper bound, and steadier, since no traffic is to be subtracted. Bits a CPU second beside those
without the flood is the strictest measure: an agent that uses half a CPU loses twice that share.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from bench.ends import ROOT, EndError
from nexusnet.demo.namespaces import two_ends
from tests.agent.agents import PORT, Node, Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nexusnet.demo.namespaces import End

INNER: Final = "10.77.0.1"
DEVICE: Final = "nexus0"
RATE: Final = 1000
SLICES, ALONE, SECONDS = 80, 10, 0.5
QUICK_SLICES, QUICK_SECONDS = 2, 0.4
# Of throughput, and of memory.
MOST_COST: Final = 0.10
MOST_BYTES: Final = 32 * 1024 * 1024
START_SECONDS: Final = 30.0
# Until a connection's windows are open.
WINDOWS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Middle:
    """The median of a sample; `low` to `high`: where that of all lies with 95 % confidence."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Middle:
        """By order statistics: how many of n values lie below the median is binomial."""
        ranked = sorted(values)
        n = len(ranked)
        # The normal approximation; with less than 6 values the interval is all of them.
        out = max(0, math.floor(n / 2 - 1.96 * math.sqrt(n) / 2))
        return cls(median(ranked), ranked[out], ranked[n - 1 - out])


@dataclass(frozen=True, slots=True)
class Result:
    """`price`: CPU microseconds a datagram; `per_cpu_second`: bits, of those without the flood.

    `price_alone`: of an agent without traffic. `throughput`: what is left of an agent's that has a
    CPU; `least_throughput` by the higher price and the worse end of its interval. `goodput`: with
    the flood, of that without. `drops` and `strangers` by reason, `grown`: resident bytes of the
    server's agent.
    """

    rate: int
    slices: int
    quiet_per_cpu_second: float
    flooded_per_cpu_second: float
    quiet_cpu: float
    price: Middle
    price_alone: Middle
    per_cpu_second: Middle
    goodput: Middle
    throughput: float
    least_throughput: float
    sent: dict[str, int]
    answers: int
    drops: dict[str, int]
    strangers: dict[str, int]
    grown: int
    load: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One slice: bits, CPU seconds of the agent, seconds."""

    bits: float
    cpu: float
    seconds: float

    @property
    def per_cpu(self) -> float:
        """Bits a CPU second."""
        return self.bits / self.cpu

    @property
    def rate(self) -> float:
        """Bits a second."""
        return self.bits / self.seconds


def pid(node: Node) -> int:
    """Of an agent that runs."""
    if node.program is None:
        raise EndError(f"{node.name} does not run")
    return node.program.process.pid


def cpu_seconds(process: int) -> float:
    """CPU time of all threads, to the nanosecond, that of the running ones too."""
    # A process's clock, as clock_getcpuclockid(3) makes it.
    return time.clock_gettime(~process << 3 | 2)


def memory(process: int) -> int:
    """Resident bytes."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def delivered(process: int) -> int:
    """Bytes that the engine gave to its device; asking the agent itself would cost it CPU time."""
    devices = Path(f"/proc/{process}/net/dev").read_text()
    (line,) = [line for line in devices.splitlines() if line.strip().startswith(f"{DEVICE}:")]
    return int(line.split()[1])


@dataclass(frozen=True, slots=True)
class Reading:
    """Of the meters, at an edge between two slices."""

    octets: int
    cpu: float
    at: float

    @classmethod
    def now(cls, process: int) -> Reading:
        """Read them."""
        return cls(delivered(process), cpu_seconds(process), time.monotonic())

    def since(self, before: Reading) -> Sample:
        """Return what a slice made of them."""
        bits = (self.octets - before.octets) * 8
        return Sample(bits, self.cpu - before.cpu, self.at - before.at)


@contextmanager
def stream(server: End, client: End) -> Iterator[None]:
    """One TCP connection through the tunnel, as fast as it goes, until the end."""
    sink = subprocess.Popen(
        server.command("iperf3", "-s", "--one-off", "--forceflush", "--bind", INNER),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        if sink.stdout is None:
            raise EndError("iperf3 -s without a pipe")
        for line in sink.stdout:
            if "listening" in line:
                break
        source = subprocess.Popen(
            client.command("iperf3", "-c", INNER, "-t", "3600"), stdout=subprocess.DEVNULL
        )
        try:
            time.sleep(1)
            yield
            if source.poll() is not None:
                raise EndError("the connection through the tunnel broke")
        finally:
            source.kill()
            source.wait(10)
    finally:
        sink.kill()
        sink.wait(10)
        if sink.stdout is not None:
            sink.stdout.close()


@contextmanager
def pinging(client: End) -> Iterator[None]:
    """A little traffic, for the flood to learn from what the tunnel's packets look like."""
    running = subprocess.Popen(
        client.command("ping", "-q", "-n", "-i", "0.02", INNER), stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        running.kill()
        running.wait(10)


@dataclass(slots=True)
class Tally:
    """What all floods together sent, by kind, and how many answers they saw."""

    sent: dict[str, int] = field(default_factory=dict)
    answers: int = 0

    def add(self, told: dict[str, Any]) -> None:
        """One flood more."""
        self.answers += told["answers"]
        for kind, count in told["sent"].items():
            self.sent[kind] = self.sent.get(kind, 0) + count


@dataclass(frozen=True, slots=True)
class Rig:
    """Two agents with a tunnel, and what is done to the server's."""

    pair: Pair
    own_port: int
    tally: Tally

    def pulses(self, slices: int, seconds: float) -> list[Sample]:
        """Flood that many times; returns quiet and flooded slices by turns, quiet ones outside."""
        server, client = self.pair.ends
        process = pid(self.pair.server)
        words = (INNER, f"{seconds:g}", str(RATE), str(slices))
        running = subprocess.Popen(
            client.command(
                sys.executable, "-m", "tests.agent.flood",
                server.ipv4, str(PORT), str(self.own_port), *words,
            ),
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        watchdog = threading.Timer(START_SECONDS + (2 * slices + 1) * seconds * 2, running.kill)
        watchdog.start()
        try:
            edges = []
            for line in running.stdout or ():
                edges.append(Reading.now(process))
                if line.startswith("{"):
                    self.tally.add(json.loads(line))
            if len(edges) != 2 * slices + 2:
                raise EndError(f"the flood ended after {len(edges) // 2} of {slices} pulses")
            return [after.since(before) for before, after in pairwise(edges)]
        finally:
            watchdog.cancel()
            running.kill()
            running.wait(10)
            if running.stdout is not None:
                running.stdout.close()


def beside(samples: list[Sample], figure: Callable[[Sample], float]) -> Iterator[float]:
    """For each slice with a flood, what a figure is on average in those before and after."""
    for before, after in pairwise(samples[::2]):
        yield (figure(before) + figure(after)) / 2


def prices_alone(samples: list[Sample]) -> list[float]:
    """CPU microseconds a datagram, of an agent that carries next to nothing else."""
    idle = beside(samples, lambda one: one.cpu / one.seconds)
    return [
        (flooded.cpu / flooded.seconds - share) / RATE * 1e6
        for flooded, share in zip(samples[1::2], idle, strict=True)
    ]


def compare(pair: Pair, slices: int, alone: int, seconds: float) -> Result:
    """Slices by turns, and what they make together."""
    load, size = os.getloadavg()[0], memory(pid(pair.server))
    rig = Rig(pair, int(pair.server.peer()["tunnel"]["remote"]["port"]), Tally())
    with pinging(pair.ends[1]):
        prices = Middle.of(prices_alone(rig.pulses(alone, seconds)))
    with stream(*pair.ends):
        time.sleep(WINDOWS)
        samples = rig.pulses(slices, seconds)
    status = pair.server.status()
    quiet, flooded = samples[::2], samples[1::2]
    per_cpu = list(beside(samples, lambda one: one.per_cpu))
    goodput = beside(samples, lambda one: one.rate)
    price = Middle.of(
        (one.cpu - one.bits / usual) / (RATE * one.seconds) * 1e6
        for one, usual in zip(flooded, per_cpu, strict=True)
    )
    return Result(
        rate=RATE,
        slices=slices,
        quiet_per_cpu_second=median(one.per_cpu for one in quiet),
        flooded_per_cpu_second=median(one.per_cpu for one in flooded),
        quiet_cpu=median(one.cpu / one.seconds for one in quiet),
        price=price,
        price_alone=prices,
        per_cpu_second=Middle.of(
            one.per_cpu / usual for one, usual in zip(flooded, per_cpu, strict=True)
        ),
        goodput=Middle.of(one.rate / usual for one, usual in zip(flooded, goodput, strict=True)),
        throughput=1 - RATE * price.median / 1e6,
        least_throughput=1 - RATE * max(prices.high, price.high) / 1e6,
        sent=rig.tally.sent,
        answers=rig.tally.answers,
        drops=status["peers"][0]["tunnel"]["counters"]["drops"],
        strangers=status["strangers"],
        grown=memory(pid(pair.server)) - size,
        load=load,
    )


def run(*, quick: bool = False) -> list[Result]:
    """Measure; `quick` only shows that it works."""
    slices, alone, seconds = (
        (QUICK_SLICES, QUICK_SLICES, QUICK_SECONDS) if quick else (SLICES, ALONE, SECONDS)
    )
    with TemporaryDirectory() as folder, two_ends() as ends:
        pair = Pair(*ends, Path(folder))
        pair.configure(server="", client="")
        try:
            pair.start()
            return [compare(pair, slices, alone, seconds)]
        finally:
            pair.stop()


def met(one: Result) -> bool:
    """Whether throughput, by either measure, silence and memory are as they have to be."""
    least = min(one.least_throughput, one.per_cpu_second.low)
    return 1 - least <= MOST_COST and not one.answers and one.grown <= MOST_BYTES


def table(results: list[Result]) -> str:
    """For people."""
    return "\n\n".join(map(one_table, results))


def interval(middle: Middle, shape: str) -> str:
    """For people."""
    return f"{middle.median:{shape}} ({middle.low:{shape}}..{middle.high:{shape}})"


def one_table(one: Result) -> str:
    """For people, one run."""
    quiet, flooded = one.quiet_per_cpu_second / 1e9, one.flooded_per_cpu_second / 1e9
    verdict = "yes" if met(one) else "NO"
    return f"""\
{one.rate} bogus datagrams a second, {one.slices} slices; sent: {one.sent}
Gbit a CPU second of the server's agent: {quiet:.2f} quiet, {flooded:.2f} flooded
  flooded of quiet: {interval(one.per_cpu_second, ".3f")}; quiet, it uses {one.quiet_cpu:.2f} CPUs
CPU time for a bogus datagram: {interval(one.price, ".0f")} us
  without any traffic: {interval(one.price_alone, ".0f")} us
throughput of an agent that has a CPU: {one.throughput:.1%}, at least {one.least_throughput:.1%}
goodput with the flood, of that without: {interval(one.goodput, ".3f")}
drops {one.drops}, strangers {one.strangers}
answers {one.answers}, memory {one.grown / 1e6:+.1f} MB
throughput within {MOST_COST:.0%}, no answer, memory within {MOST_BYTES >> 20} MB: {verdict}
load average at the start: {one.load:.1f}"""
