# SPDX-License-Identifier: BSD-3-Clause
"""The engine against wireguard-go and OpenVPN: goodput, and goodput per CPU second of the tunnel.

All take their turns in one run, so that what else the machine does hits them alike. `nic` is a
cable whose super-packets are cut and put together again, as a network card would; a plain veth
passes them whole and flatters who uses them. CPU time is that of both tunnel processes, user and
system.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.contenders import RunningTunnel, contenders
from bench.plot import bars
from bench.traffic import tcp, udp

if TYPE_CHECKING:
    from bench.contenders import Contender

CABLES: Final = ("nic", "veth")
PROTOCOLS: Final = {"tcp": tcp, "udp": udp}
RUNS, SECONDS = 3, 4
QUICK_RUNS, QUICK_SECONDS = 1, 1
# Ours must have at least so much of this contender's goodput per CPU second, TCP over `nic`.
REFERENCE: Final = "wireguard-go"
TARGET: Final = 2.0
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of iperf3: Gbit/s of payload received, Gbit per CPU second, share of packets lost."""

    goodput: float
    per_cpu_second: float
    loss: float


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of all runs of one contender, and their spread; `load` is the machine's."""

    cable: str
    protocol: str
    contender: str
    version: str
    goodput: float
    per_cpu_second: float
    loss: float
    lowest: float
    highest: float
    ratio: float
    samples: tuple[Sample, ...]
    load: float


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(tunnel: RunningTunnel, protocol: str, seconds: int) -> Sample:
    """One transfer, client to server."""
    before = sum(map(cpu_seconds, tunnel.pids))
    got = PROTOCOLS[protocol](*tunnel.namespaces, tunnel.inner[1], seconds)
    spent = sum(map(cpu_seconds, tunnel.pids)) - before
    return Sample(got.bits / got.seconds / 1e9, got.bits / 1e9 / spent, got.loss)


def progress(text: str) -> None:
    """Say what is going on."""
    print(f"tunnel: {text}", file=sys.stderr, flush=True)


def run(*, quick: bool = False) -> list[Result]:
    """Measure; `quick` only shows that it works."""
    runs, seconds = (QUICK_RUNS, QUICK_SECONDS) if quick else (RUNS, SECONDS)
    taking_part = contenders()
    load = os.getloadavg()[0]
    samples: dict[tuple[str, str, str], list[Sample]] = {}
    for cable in CABLES:
        for turn in range(runs):
            for one in taking_part:
                with one.start(cable) as tunnel:
                    measure(tunnel, "tcp", 1)  # caches, windows
                    for protocol in PROTOCOLS:
                        sample = measure(tunnel, protocol, seconds)
                        samples.setdefault((cable, protocol, one.name), []).append(sample)
                        progress(
                            f"{cable} run {turn + 1}/{runs} {one.name} {protocol}:"
                            f" {sample.goodput:.2f} Gbit/s, {sample.per_cpu_second:.2f} per CPU s"
                        )
    return [
        summary(cable, protocol, one, samples, load)
        for cable in CABLES
        for protocol in PROTOCOLS
        for one in taking_part
    ]


def summary(
    cable: str,
    protocol: str,
    one: Contender,
    samples: dict[tuple[str, str, str], list[Sample]],
    load: float,
) -> Result:
    """Medians of one contender, and its goodput per CPU second beside the reference's."""
    mine = samples[cable, protocol, one.name]
    per_cpu = [sample.per_cpu_second for sample in mine]
    reference = median(s.per_cpu_second for s in samples[cable, protocol, REFERENCE])
    return Result(
        cable, protocol, one.name, one.version,
        median(sample.goodput for sample in mine), median(per_cpu),
        median(sample.loss for sample in mine), min(per_cpu), max(per_cpu),
        median(per_cpu) / reference, tuple(mine), load,
    )  # fmt: skip


def table(results: list[Result]) -> str:
    """For people."""
    header = (
        f"cable  inner  {'tunnel':<20}  {'version':<21}  Gbit/s  per CPU s (lowest..highest)"
        f"  of {REFERENCE}  lost"
    )
    lines = [header]
    for one in results:
        spread = f"({one.lowest:.2f}..{one.highest:.2f})"
        lines.append(
            f"{one.cable:<5}  {one.protocol:<5}  {one.contender:<20}  {one.version:<21}"
            f"  {one.goodput:6.2f}  {one.per_cpu_second:9.2f} {spread:<17}"
            f"  {one.ratio:14.2f}x  {one.loss:4.0%}"
        )
    ours = next(
        r for r in results if (r.cable, r.protocol, r.contender) == ("nic", "tcp", "engine")
    )
    reached = "reached" if ours.ratio >= TARGET else "NOT reached"
    lines.append(
        f"target, TCP over nic: {TARGET:.0f}x {REFERENCE} per CPU second: {ours.ratio:.2f}x,"
        f" {reached} (medians of {len(ours.samples)} runs;"
        f" load average at the start {results[0].load:.1f})"
    )
    return "\n".join(lines)


def plot(results: list[Result], path: Path) -> None:
    """Goodput and goodput per CPU second, a PNG."""
    groups = list(dict.fromkeys(f"{one.cable} {one.protocol}" for one in results))
    names = list(dict.fromkeys(one.contender for one in results))
    found = {(f"{one.cable} {one.protocol}", one.contender): one for one in results}
    bars(
        path,
        groups,
        {
            "goodput, Gbit/s": {
                name: [found[group, name].goodput for group in groups] for name in names
            },
            "goodput per tunnel CPU second, Gbit": {
                name: [found[group, name].per_cpu_second for group in groups] for name in names
            },
        },
    )
