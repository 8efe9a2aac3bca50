# SPDX-License-Identifier: BSD-3-Clause
"""What 1,000 bogus datagrams a second cost the traffic of a server's honest client.

Two agents with a handshake, one TCP connection from client to server, and a flood that is on and
off in short slices by turns. A slice's figure is what the server's tunnel delivered, divided by the
CPU time of its agent, all threads: the engine's, and Python's, which gets the datagrams of no
session. Each slice with the flood is compared with those before and after it. What the agent spent
beyond the CPU time that its traffic takes without the flood, divided by the bogus datagrams, is the
price of one; at 1,000 a second that is the share of a CPU, and so of the throughput of an agent
that has one, that the flood takes. Unlike goodput, that does not depend on what else the machine
does. An agent without traffic pays more for each, because each wakes it up: an upper bound, and
steadier, since no traffic is to be subtracted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from bench.ends import ROOT, EndError
from nexusnet.demo.namespaces import two_ends
from tests.agent.agents import PORT, Node, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexusnet.demo.namespaces import End

INNER: Final = "10.77.0.1"
DEVICE: Final = "nexus0"
RATE: Final = 1000
SLICES, SECONDS = 10, 2.0
QUICK_SLICES, QUICK_SECONDS = 1, 0.5
# Of throughput, and of memory.
MOST_COST: Final = 0.10
MOST_BYTES: Final = 32 * 1024 * 1024
START_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """Medians of all slices. `per_cpu_second` in bits; `price`: CPU microseconds a datagram.

    `price_alone`: of an agent without traffic. `throughput`: what is left of an agent's that has a
    CPU; `least_throughput` by the higher price. `goodput_relative`: as it was. `drops`
    and `strangers` by reason, `grown`: resident bytes of the server's agent.
    """

    rate: int
    slices: int
    quiet_per_cpu_second: float
    flooded_per_cpu_second: float
    price: float
    lowest_price: float
    highest_price: float
    price_alone: float
    throughput: float
    least_throughput: float
    goodput_relative: float
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
    """CPU time of all threads, to the nanosecond."""
    tasks = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def memory(process: int) -> int:
    """Resident bytes."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def delivered(server: Node) -> int:
    """Bytes that the server's engine gave to its device."""
    return int(server.peer()["tunnel"]["counters"]["inner"]["received_bytes"])


def sample(server: Node, seconds: float) -> Sample:
    """Watch for a time."""
    before, start, cpu = delivered(server), time.monotonic(), cpu_seconds(pid(server))
    time.sleep(seconds)
    spent = cpu_seconds(pid(server)) - cpu
    bits = (delivered(server) - before) * 8
    return Sample(bits, spent, time.monotonic() - start)


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


@contextmanager
def flood(server: End, client: End, own_port: int, seconds: float) -> Iterator[dict[str, Any]]:
    """The flood, once it has begun; what it says is filled in at the end."""
    told: dict[str, Any] = {}
    words = (server.ipv4, str(PORT), str(own_port), INNER, f"{seconds:g}", str(RATE))
    running = subprocess.Popen(
        client.command(sys.executable, "-m", "tests.agent.flood", *words),
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        if running.stdout is None or running.stdout.readline() != "flooding\n":
            raise EndError("the flood does not begin")
        yield told
        said, _ = running.communicate(timeout=seconds + START_SECONDS)
        told |= json.loads(said)
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


def price_alone(pair: Pair, own_port: int, slices: int, seconds: float, tally: Tally) -> float:
    """CPU microseconds a datagram, of an agent that does nothing else."""
    prices = []
    for _ in range(slices):
        idle = sample(pair.server, seconds)
        with pinging(pair.ends[1]), flood(*pair.ends, own_port, seconds + 0.5) as told:
            busy = sample(pair.server, seconds)
        tally.add(told)
        spent = busy.cpu / busy.seconds - idle.cpu / idle.seconds
        prices.append(spent / RATE * 1e6)
    return median(prices)


def compare(pair: Pair, slices: int, seconds: float) -> Result:
    """Slices by turns, and what they make together."""
    load, size = os.getloadavg()[0], memory(pid(pair.server))
    own_port = int(pair.server.peer()["tunnel"]["remote"]["port"])
    tally = Tally()
    quiet, flooded = [], []
    alone = price_alone(pair, own_port, slices, seconds, tally)
    with stream(*pair.ends):
        sample(pair.server, seconds)  # windows
        quiet.append(sample(pair.server, seconds))
        for turn in range(slices):
            with flood(*pair.ends, own_port, seconds + 0.5) as told:
                flooded.append(sample(pair.server, seconds))
            tally.add(told)
            quiet.append(sample(pair.server, seconds))
            print(
                f"flood: slice {turn + 1} of {slices}: {flooded[-1].per_cpu / 1e9:.2f} Gbit a CPU"
                f" second, without {quiet[-1].per_cpu / 1e9:.2f}",
                file=sys.stderr, flush=True,
            )  # fmt: skip
    status = pair.server.status()
    prices, goodputs = [], []
    for one, before, after in zip(flooded, quiet, quiet[1:], strict=False):
        per_cpu = (before.per_cpu + after.per_cpu) / 2
        prices.append((one.cpu - one.bits / per_cpu) / (RATE * one.seconds) * 1e6)
        goodputs.append(one.rate / ((before.rate + after.rate) / 2))
    return Result(
        rate=RATE,
        slices=slices,
        quiet_per_cpu_second=median(one.per_cpu for one in quiet),
        flooded_per_cpu_second=median(one.per_cpu for one in flooded),
        price=median(prices),
        lowest_price=min(prices),
        highest_price=max(prices),
        price_alone=alone,
        throughput=1 - RATE * median(prices) / 1e6,
        least_throughput=1 - RATE * max(alone, median(prices)) / 1e6,
        goodput_relative=median(goodputs),
        sent=tally.sent,
        answers=tally.answers,
        drops=status["peers"][0]["tunnel"]["counters"]["drops"],
        strangers=status["strangers"],
        grown=memory(pid(pair.server)) - size,
        load=load,
    )


def run(*, quick: bool = False) -> list[Result]:
    """Measure; `quick` only shows that it works."""
    slices, seconds = (QUICK_SLICES, QUICK_SECONDS) if quick else (SLICES, SECONDS)
    with TemporaryDirectory() as folder, two_ends() as ends:
        pair = Pair(*ends, Path(folder))
        pair.configure(server="", client="")
        try:
            pair.start()
            return [compare(pair, slices, seconds)]
        finally:
            pair.stop()


def met(one: Result) -> bool:
    """Whether throughput, silence and memory are as they have to be."""
    return 1 - one.least_throughput <= MOST_COST and not one.answers and one.grown <= MOST_BYTES


def table(results: list[Result]) -> str:
    """For people."""
    return "\n\n".join(map(one_table, results))


def one_table(one: Result) -> str:
    """For people, one run."""
    quiet, flooded = one.quiet_per_cpu_second / 1e9, one.flooded_per_cpu_second / 1e9
    spread = f"({one.lowest_price:.0f}..{one.highest_price:.0f})"
    verdict = "yes" if met(one) else "NO"
    return f"""\
{one.rate} bogus datagrams a second, {one.slices} slices; sent: {one.sent}
Gbit a CPU second of the server's agent: {quiet:.2f} quiet, {flooded:.2f} flooded
CPU time for a bogus datagram, median of the slices: {one.price:.0f} us {spread}
  without any traffic: {one.price_alone:.0f} us
throughput of an agent that has a CPU: {one.throughput:.1%}, at least {one.least_throughput:.1%}
goodput with the flood, of that without: {one.goodput_relative:.0%}
drops {one.drops}, strangers {one.strangers}
answers {one.answers}, memory {one.grown / 1e6:+.1f} MB
throughput within {MOST_COST:.0%}, no answer, memory within {MOST_BYTES >> 20} MB: {verdict}
load average at the start: {one.load:.1f}"""
