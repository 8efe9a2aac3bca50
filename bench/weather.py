# SPDX-License-Identifier: BSD-3-Clause
"""The tunnel on bad networks, inside a kernel of the lab that has netem (User-Mode Linux).

Each weather is met twice by the same traffic: without the tunnel and through it. "Stable" is judged
against the bare path, so a slow machine changes little. User-Mode Linux has one CPU, so the
paths are slow ones; goodput here says nothing about what the engine can do.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.ends import EndError
from bench.isolation import isolate
from nexus_lab import Lab

ROOT: Final = Path(__file__).resolve().parent.parent
KERNEL: Final = "uml"
SECONDS, QUICK_SECONDS = 6, 3
QUICK: Final = ("loss 1 %", "loaded RTT, cubic_like")
LAB_SECONDS: Final = 1500.0
# A weather is met well when the tunnel has so much of the bare path's goodput, ...
SHARE: Final = 0.5
# (an outage stops the connection inside and the one outside, and both have to grow again)
SHARE_AFTER_OUTAGE: Final = 0.25
# ... loses at most so much more of its pings under no other load, ...
PING_LOSS: Final = 0.05
# ... has not gone silent for longer than this, in pings of 50 ms (an outage lasts 20 of them), ...
GAP: Final = 50
# ... and nobody has given up.
GIVEN_UP: Final = ("SESSION_DOWN", "FATAL_ERROR")
LOADED_RATIO: Final = 2.5
ISOLATION: Final = 0.05


@dataclass(frozen=True, slots=True)
class Result:
    """One weather: what `weather_inside.py` measured, and what is wrong with it."""

    name: str
    figures: dict[str, Any]
    complaints: tuple[str, ...]


def complaints(name: str, figures: dict[str, Any]) -> tuple[str, ...]:
    """What a measurement misses of what it must show."""
    if "error" in figures:
        return (figures["error"],)
    found = []
    if name == "isolation":
        lost = isolation_cost(figures)
        if lost > ISOLATION:
            found.append(f"the other session costs {lost:.0%}")
        return tuple(found)
    wanted = SHARE_AFTER_OUTAGE if name.startswith("outage") else SHARE
    share = figures["bits_per_second"] / figures["bare_bits_per_second"]
    if share < wanted:
        found.append(f"{share:.0%} of the bare goodput")
    more = figures["ping_loss"] - figures["bare_ping_loss"]
    if more > PING_LOSS:
        found.append(f"{more:.0%} more pings lost")
    if figures["loaded"]["gap"] > GAP:
        found.append(f"{figures['loaded']['gap']} pings in a row without an answer")
    found += [event for event in figures["events"] if event in GIVEN_UP]
    ratio = loaded_ratio(figures)
    if name.startswith("loaded") and ratio >= LOADED_RATIO:
        found.append(f"loaded RTT {ratio:.2f} times the idle RTT")
    return tuple(found)


def loaded_ratio(figures: dict[str, Any]) -> float:
    """Median round trip under load over the median without."""
    return float(figures["loaded"]["median"] / figures["idle_rtt_ms"])


def isolation_cost(figures: dict[str, Any]) -> float:
    """Share of its goodput that a session loses to another's limit; negative: it got more."""
    alone, beside = sum(figures["alone_bits_per_second"]), sum(figures["beside_bits_per_second"])
    return float(1 - beside / alone)


def measure(
    names: tuple[str, ...], seconds: float, kernel: str = KERNEL, module: Path | None = None
) -> list[Result]:
    """Run some weathers (all if there are no names) in one boot of a kernel.

    The engine carries the packets, or a module.
    """
    carrier = str(module or "engine")
    command = [sys.executable, "-m", "bench.weather_inside", str(seconds), carrier, *names]
    results = []
    done = Lab().run(
        kernel, command, cwd=ROOT, timeout=LAB_SECONDS, leak_check=False, on_stdout=progress
    )
    for line in done.stdout.splitlines():
        figures = json.loads(line)
        name = figures.pop("name")
        results.append(Result(name, figures, complaints(name, figures)))
    if not done.passed:
        said = done.stderr.decode(errors="replace")[-2000:]
        raise EndError(f"the run in kernel {kernel} failed: {done.problems} {said}")
    return results


def progress(piece: bytes) -> None:
    """Say that another result is there."""
    for line in piece.splitlines():
        if line.startswith(b'{"name": "'):
            name = line.split(b'"')[3].decode(errors="replace")
            print(f"weather: {name}: done", file=sys.stderr, flush=True)


def run(*, quick: bool = False) -> list[Result]:
    """Measure; `quick` only shows that it works."""
    seconds = QUICK_SECONDS if quick else SECONDS
    # A rate limit is all that it takes; every kernel has that.
    print("weather: isolation of two sessions", file=sys.stderr, flush=True)
    figures = isolate(seconds)
    alone = Result("isolation", figures, complaints("isolation", figures))
    return [*measure(QUICK if quick else (), seconds), alone]


def table(results: list[Result]) -> str:
    """For people."""
    header = (
        f"{'weather':<28}  TCP Mbit/s bare  tunnel  ping ms idle  loaded (p95)"
        f"   lost bare  tunnel  longest silence"
    )
    lines = [header]
    for one in results:
        figures, verdict = one.figures, "; ".join(one.complaints) or "ok"
        if "error" in figures or one.name == "isolation":
            continue
        load = figures["loaded"]
        lines.append(
            f"{one.name:<28}  {figures['bare_bits_per_second'] / 1e6:15.1f}"
            f"  {figures['bits_per_second'] / 1e6:6.1f}  {figures['idle_rtt_ms']:12.1f}"
            f"  {load['median']:6.1f} {'(' + format(load['p95'], '.0f') + ')':<6}"
            f"  {figures['bare_ping_loss']:9.1%}  {figures['ping_loss']:6.1%}"
            f"  {load['gap'] * 0.05:13.2f} s  {verdict}"
        )
    for one in results:
        if "error" in one.figures:
            lines.append(f"{one.name}: {one.figures['error']}")
        elif one.name == "isolation":
            verdict = "; ".join(one.complaints) or "ok"
            lines.append(
                f"a session limited to 1 Mbit/s costs another {isolation_cost(one.figures):.1%}:"
                f" {verdict}"
            )
        elif one.name.startswith("loaded"):
            lines.append(f"{one.name}: {loaded_ratio(one.figures):.2f} times the idle RTT")
    return "\n".join(lines)
