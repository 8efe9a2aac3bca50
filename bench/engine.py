# SPDX-License-Identifier: BSD-3-Clause
"""The user-space engine between two namespaces: goodput, and goodput per CPU second.

Sessions are installed by hand from fixed secrets; ACKs, congestion control and pacing are on. `nic`
is a cable whose super-packets are cut and put together again, as a network card would; a plain veth
passes them whole and flatters. CPU time is that of both tunnel processes, user and system.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.engine.tunnel import RunningEnd, iperf, tunnel

NAMES = ("veth", "nic")
SECONDS = 5
QUICK_SECONDS = 1
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Result:
    """One run of iperf3; rates in Gbit/s of TCP payload."""

    cable: str
    inner: int
    suite: str
    congestion: str
    batching: bool
    goodput: float
    cpu_seconds: float
    per_cpu_second: float
    packets_lost: int


def cpu_seconds(end: RunningEnd) -> float:
    """CPU time that a tunnel process has used so far."""
    fields = Path(f"/proc/{end.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(
    cable: str,
    seconds: int,
    *,
    inner: int = 4,
    suite: str = "aes_128_gcm_sha256",
    congestion: str = "cubic_like",
    batching: bool = True,
) -> Result:
    """One tunnel, one TCP connection through it."""
    options = ["--suite", suite, "--congestion", congestion] + ["--plain"] * (not batching)
    with tunnel(*options, nic=cable == "nic") as (a, b):
        iperf(a, b, "--time", "1", version=inner)  # caches, windows
        before = cpu_seconds(a) + cpu_seconds(b)
        report = iperf(a, b, "--time", str(seconds), version=inner)
        spent = cpu_seconds(a) + cpu_seconds(b) - before
        summary = report["end"]["sum_received"]
        lost = int(a.stats()["recovery"]["packets_lost"])
    goodput = summary["bits_per_second"] / 1e9
    return Result(
        cable, inner, suite, congestion, batching, goodput, spent,
        summary["bytes"] * 8 / 1e9 / spent, lost,
    )  # fmt: skip


def run(*, quick: bool = False) -> list[Result]:
    """Measure; `quick` only shows that it works."""
    seconds = QUICK_SECONDS if quick else SECONDS
    results = [measure(cable, seconds) for cable in NAMES]
    if quick:
        return results
    results.append(measure("nic", seconds, inner=6))
    results.append(measure("nic", seconds, congestion="bbr_like"))
    results.append(measure("nic", seconds, suite="chacha20_poly1305_sha256"))
    results.append(measure("nic", seconds, batching=False))
    return results


def table(results: list[Result]) -> str:
    """For people."""
    lines = [
        "cable  inner  suite                     congestion  batching  Gbit/s  per CPU s  lost"
    ]
    for one in results:
        batching = "on" if one.batching else "off"
        lines.append(
            f"{one.cable:<5}  IPv{one.inner}   {one.suite:<24}  {one.congestion:<10}  {batching:<8}"
            f"  {one.goodput:6.2f}  {one.per_cpu_second:9.2f}  {one.packets_lost:5}"
        )
    return "\n".join(lines)
