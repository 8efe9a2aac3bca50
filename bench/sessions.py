# SPDX-License-Identifier: BSD-3-Clause
"""What a packet costs with 1, 100 and 1,000 sessions on one engine.

The same load (UDP, packets a second) goes into all sessions in turn. `burst` is how many packets a
visit brings: 32 as bulk TCP does; 1 for the worst case, where one session still collects packets
into batches and many cannot. CPU time is that of both tunnel processes, both directions, with all
timers and acknowledgements; first every session's congestion window grows beyond a burst.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.ends import End, EndError, end, send
from nexusnet.netlink.generated import Role
from tests.support.namespaces import cable

COUNTS: Final = (1, 100, 1000)
# Packets a visit, packets a second.
LOADS: Final = ((32, 40000), (1, 8000))
RUNS, SECONDS = 3, 3.0
QUICK_RUNS, QUICK_SECONDS = 1, 1.0
FLAT: Final = 0.10
MOST_LOST: Final = 0.01
# Enough for 1,000 windows: 4 bursts of 32 packets each.
WARM_UP_BURST, WARM_UP_RATE, WARM_UP_SECONDS = 32, 40000, 3.2
# The sender has a socket for each session.
FILES: Final = 4096


@dataclass(frozen=True, slots=True)
class Result:
    """Medians of all runs: CPU nanoseconds a delivered packet; `relative` to one session's."""

    sessions: int
    burst: int
    rate: int
    ns_per_packet: float
    lowest: float
    highest: float
    relative: float
    lost: float
    load: float


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads that a process has, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def delivered(one: End) -> int:
    """Packets that this end gave to its device."""
    return int(one.stats()["device"]["l3"]["rx_packets"])


def measure(sessions: int, seconds: float) -> dict[tuple[int, int], tuple[float, float]]:
    """One pair of engines under each load: CPU ns a packet, share lost."""
    found = {}
    with cable() as (a, b):
        client = end(a, Role.CLIENT, [f"0-{sessions - 1}={b.ipv4}"], index=None)
        server = end(b, Role.SERVER, [f"0-{sessions - 1}={a.ipv4}"], index=None)
        with client as sending, server as receiving:
            pids = (sending.process.pid, receiving.process.pid)
            send(
                a, Role.CLIENT, sessions=sessions,
                burst=WARM_UP_BURST, rate=WARM_UP_RATE, seconds=WARM_UP_SECONDS,
            )  # fmt: skip
            for burst, rate in LOADS:
                before, cpu = delivered(receiving), sum(map(cpu_seconds, pids))
                sent = send(
                    a, Role.CLIENT, sessions=sessions, burst=burst, rate=rate, seconds=seconds
                )
                time.sleep(0.3)  # what is on its way
                spent = sum(map(cpu_seconds, pids)) - cpu
                got = delivered(receiving) - before
                if not got:
                    raise EndError(f"{sessions} sessions: nothing arrives")
                found[burst, rate] = (spent / got * 1e9, 1 - got / sent)
    return found


def run(*, quick: bool = False) -> list[Result]:
    """Measure; `quick` only shows that it works."""
    runs, seconds = (QUICK_RUNS, QUICK_SECONDS) if quick else (RUNS, SECONDS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(FILES, hard)), hard))
    load = os.getloadavg()[0]
    samples: dict[tuple[int, int, int], list[tuple[float, float]]] = {}
    for turn in range(runs):
        for count in COUNTS:
            for (burst, rate), sample in measure(count, seconds).items():
                samples.setdefault((count, burst, rate), []).append(sample)
                print(
                    f"sessions: run {turn + 1}/{runs} {count} sessions, bursts of {burst}:"
                    f" {sample[0]:.0f} ns a packet, {sample[1]:.2%} lost",
                    file=sys.stderr, flush=True,
                )  # fmt: skip
    results = []
    for burst, rate in LOADS:
        one = median(ns for ns, _ in samples[COUNTS[0], burst, rate])
        for count in COUNTS:
            ns = [sample[0] for sample in samples[count, burst, rate]]
            lost = median(sample[1] for sample in samples[count, burst, rate])
            result = Result(
                count, burst, rate, median(ns), min(ns), max(ns), median(ns) / one, lost, load
            )
            results.append(result)
    return results


def flat(results: list[Result], burst: int) -> bool:
    """Whether the cost with this load is that of one session within 10 %, and all was delivered."""
    mine = [one for one in results if one.burst == burst]
    return all(abs(one.relative - 1) <= FLAT and one.lost <= MOST_LOST for one in mine)


def table(results: list[Result]) -> str:
    """For people."""
    lines = ["sessions  burst  packets/s  ns/packet  (lowest..highest)  of 1 session   lost"]
    for one in results:
        spread = f"({one.lowest:.0f}..{one.highest:.0f})"
        lines.append(
            f"{one.sessions:8}  {one.burst:5}  {one.rate:9}  {one.ns_per_packet:9.0f}"
            f"  {spread:<17}  {one.relative:11.2f}x  {one.lost:6.2%}"
        )
    for burst, _ in LOADS:
        verdict = "yes" if flat(results, burst) else "NO"
        lines.append(f"flat within {FLAT:.0%} with bursts of {burst}: {verdict}")
    lines.append(f"load average at the start: {results[0].load:.1f}")
    return "\n".join(lines)
