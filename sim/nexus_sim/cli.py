# SPDX-License-Identifier: BSD-3-Clause
"""`python -m nexus_sim`: run named scenarios, print a table, write PNGs and JSON."""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from nexus_sim.core import Flavour, load
from nexus_sim.endpoint import InvariantError
from nexus_sim.network import S
from nexus_sim.random_networks import Outcome, check
from nexus_sim.scenarios import MBIT, SCENARIOS, FlowResult, Result, run

DEFAULT_OUT: Final = Path("out") / "sim"


def _simulate(job: tuple[str, int]) -> Result:
    name, seed = job
    return run(load(Flavour.FAST), SCENARIOS[name], seed)


def _check(seed: int) -> Outcome:
    return check(load(Flavour.FAST), seed)


def _random(pool: ProcessPoolExecutor, networks: int) -> dict[str, int]:
    """Run random networks; raises InvariantError at the first that breaks a rule."""
    totals = {"networks": networks, "datagrams": 0, "lost": 0, "spurious": 0, "key_updates": 0}
    totals |= {"outages": 0, "ring_max": 0}
    for done, outcome in enumerate(pool.map(_check, range(networks), chunksize=4), 1):
        for name, value in asdict(outcome).items():
            totals[name] = max(totals[name], value) if name == "ring_max" else totals[name] + value
        if done % 100 == 0 or done == networks:
            print(f"{done}/{networks} random networks", file=sys.stderr)
    return totals


def _median(results: Sequence[Result], flow: int, value: Callable[[FlowResult], float]) -> float:
    return statistics.median(value(result.flows[flow]) for result in results)


def summarise(name: str, results: Sequence[Result]) -> dict[str, Any]:
    """Return medians over the runs of one scenario, ready for JSON.

    Args:
        name: of the scenario.
        results: its runs, one each seed.
    """
    scenario = SCENARIOS[name]
    flows = []
    for number, flow in enumerate(scenario.flows):
        exits = [r.flows[number].slow_start_exit for r in results]
        ended = [e for e in exits if e is not None]
        flows.append(
            {
                "congestion": flow.client.congestion,
                "goodput_mbit": round(_median(results, number, lambda f: f.goodput / MBIT), 3),
                "late_goodput_mbit": round(
                    _median(results, number, lambda f: f.late_goodput / MBIT), 3
                ),
                "share": round(_median(results, number, lambda f: f.share), 4),
                "loss": round(
                    _median(results, number, lambda f: f.packets_lost / max(f.packets_sent, 1)), 6
                ),
                "spurious": _median(results, number, lambda f: f.spurious),
                "reductions": _median(results, number, lambda f: f.reductions),
                "ptos": _median(results, number, lambda f: f.ptos),
                "rtt_ms": round(_median(results, number, lambda f: f.rtt_median), 2),
                "acks": _median(results, number, lambda f: f.acks),
                "slow_start_exit_s": round(statistics.median(ended), 3) if ended else None,
                "exit_queue": round(_median(results, number, lambda f: f.exit_queue), 3),
                "exit_drops": _median(results, number, lambda f: f.exit_drops),
                "model_deviation": (
                    round(_median(results, number, lambda f: f.model_deviation or 0.0), 4)
                    if scenario.compare
                    else None
                ),
            }
        )
    return {
        "scenario": name,
        "shows": scenario.shows,
        "seconds": scenario.duration / S,
        "seeds": [r.seed for r in results],
        "flows": flows,
        "queue_mean_bytes": round(statistics.median(r.queue_mean for r in results)),
        "queue_max_bytes": statistics.median(r.queue_max for r in results),
        "queue_drops": statistics.median(r.queue_drops for r in results),
        "marked": statistics.median(r.marked for r in results),
    }


def _print_table(summaries: Sequence[dict[str, Any]]) -> None:
    head = (
        f"{'scenario':<15} {'flow':<11} {'goodput':>8} {'late':>8} {'share':>6} {'loss':>7}"
        f" {'rtt ms':>7} {'reduced':>7} {'spurious':>8} {'ptos':>5}"
        f" {'exit s':>7} {'queue':>6} {'drops':>6} {'model':>6}"
    )
    print(head)
    for summary in summaries:
        for flow in summary["flows"]:
            end = flow["slow_start_exit_s"]
            model = flow["model_deviation"]
            print(
                f"{summary['scenario']:<15} {flow['congestion']:<11} {flow['goodput_mbit']:>8.2f}"
                f" {flow['late_goodput_mbit']:>8.2f} {flow['share']:>6.3f} {flow['loss']:>7.4f}"
                f" {flow['rtt_ms']:>7.1f} {flow['reductions']:>7g} {flow['spurious']:>8g}"
                f" {flow['ptos']:>5g} {'-' if end is None else f'{end:.2f}':>7}"
                f" {flow['exit_queue']:>6.2f} {flow['exit_drops']:>6g}"
                f" {'-' if model is None else f'{model:.3f}':>6}"
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nexus_sim",
        description="Run the protocol core over simulated networks; equal seeds, equal results.",
    )
    parser.add_argument(
        "--scenario",
        action="append",
        choices=sorted(SCENARIOS),
        metavar="NAME",
        help="run only this one; may be given more than once (see --list)",
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios and stop")
    parser.add_argument(
        "--seeds", type=int, default=5, metavar="N", help="runs of each, medians are shown (5)"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (1)")
    parser.add_argument(
        "--out",
        type=Path,
        default=DEFAULT_OUT,
        metavar="DIR",
        help=f"where PNGs and summary.json go ({DEFAULT_OUT})",
    )
    parser.add_argument(
        "--networks",
        type=int,
        default=0,
        metavar="N",
        help="run N random networks and check what must hold on each, instead of scenarios",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON, no table")
    parser.add_argument("--no-plots", action="store_true", help="write no PNGs")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        for name, scenario in SCENARIOS.items():
            print(f"{name:<15} {scenario.shows}")
        return 0
    if options.seeds < 1 or options.jobs < 1:
        parser.error("--seeds and --jobs begin at 1")
    load(Flavour.FAST)  # build once, before the processes
    options.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.jobs) as pool:
        if options.networks:
            return _run_networks(pool, options)
        return _run_scenarios(pool, options)


def _run_networks(pool: ProcessPoolExecutor, options: argparse.Namespace) -> int:
    try:
        totals = _random(pool, options.networks)
    except InvariantError as error:
        print(f"broken: {error}", file=sys.stderr)
        return 1
    text = json.dumps(totals, indent=2)
    (options.out / "networks.json").write_text(text + "\n")
    print(text)
    return 0


def _run_scenarios(pool: ProcessPoolExecutor, options: argparse.Namespace) -> int:
    names = options.scenario or list(SCENARIOS)
    summaries = []
    begin = time.monotonic()
    for number, name in enumerate(names, 1):
        jobs = [(name, seed) for seed in range(1, options.seeds + 1)]
        results = list(pool.map(_simulate, jobs))
        summaries.append(summarise(name, results))
        if not options.no_plots:
            from nexus_sim.plots import draw  # noqa: PLC0415 - matplotlib is slow to load

            draw(SCENARIOS[name], results[0], options.out / f"{name}.png")
        (options.out / f"{name}.json").write_text(
            json.dumps([asdict(result) for result in results]) + "\n"
        )
        elapsed = time.monotonic() - begin
        print(f"[{number}/{len(names)}] {name} ({elapsed:.0f} s)", file=sys.stderr)
    text = json.dumps(summaries, indent=2) + "\n"
    (options.out / "summary.json").write_text(text)
    if options.json:
        print(text, end="")
    else:
        _print_table(summaries)
        print(f"written: {options.out}", file=sys.stderr)
    return 0
