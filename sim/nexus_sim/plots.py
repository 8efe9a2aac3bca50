# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of a run: window, round trip, throughput and queue over time."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib.figure import Figure

from nexus_sim.scenarios import Result, Scenario


def draw(scenario: Scenario, result: Result, path: Path) -> None:
    """Write one PNG with four panels.

    Args:
        scenario: what was run.
        result: what came of it.
        path: of the file; its folder exists.
    """
    figure = Figure(figsize=(10, 11), layout="constrained")
    figure.suptitle(f"{scenario.name}: {scenario.shows} (seed {result.seed})")
    window, rtt, rate, queue = figure.subplots(4, 1, sharex=True)
    for number, flow in enumerate(result.flows):
        series = flow.series
        label = f"flow {number + 1}: {scenario.flows[number].client.congestion}"
        colour = f"C{number}"
        window.plot(series.time, [v / 1000 for v in series.cwnd], color=colour, label=label)
        window.plot(
            series.time, [v / 1000 for v in series.in_flight], color=colour, alpha=0.35, lw=0.8
        )
        rtt.plot(series.time, series.rtt, color=colour)
        rate.plot(series.time, [v * 8 / 1e6 for v in series.rate], color=colour)
    window.set_ylabel("cwnd, in flight (pale), kB")
    window.legend(loc="lower right")
    rtt.set_ylabel("smoothed RTT, ms")
    rate.set_ylabel("delivered, Mbit/s")
    if scenario.forward.rate:
        rate.axhline(scenario.forward.rate * 8 / 1e6, color="grey", lw=0.8, ls="--")
        queue.axhline(scenario.forward.queue / 1000, color="grey", lw=0.8, ls="--")
    times = result.flows[0].series.time
    queue.plot(times, [v / 1000 for v in result.queue[: len(times)]], color="black", lw=0.8)
    queue.set_ylabel("queue, kB")
    queue.set_xlabel("time, s")
    for axes in (window, rtt, rate, queue):
        axes.grid(visible=True, alpha=0.3)
        axes.set_ylim(bottom=0)
    figure.savefig(path, dpi=90)
