# SPDX-License-Identifier: BSD-3-Clause
"""What congestion control must show: medians over five seeds, on shortened scenarios."""

import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nexus_sim import cli
from nexus_sim.core import Core
from nexus_sim.cubic_model import ACKS_PER_ROUND, deviation, ideal_path
from nexus_sim.network import S
from nexus_sim.scenarios import SCENARIOS, Result, run

SEEDS = range(1, 6)


def runs(core: Core, name: str, seconds: int) -> list[Result]:
    scenario = replace(SCENARIOS[name], duration=seconds * S)
    return [run(core, scenario, seed) for seed in SEEDS]


def median(results: list[Result], value: Callable[[Result], float]) -> float:
    return statistics.median(value(result) for result in results)


def test_one_cubic_flow_fills_the_bottleneck(fast: Core) -> None:
    assert median(runs(fast, "cubic-clean", 10), lambda r: r.flows[0].share) > 0.93


def test_bbr_keeps_nine_tenths_under_random_loss(fast: Core) -> None:
    bbr = median(runs(fast, "bbr-loss", 12), lambda r: r.flows[0].share)
    cubic = median(runs(fast, "cubic-loss", 12), lambda r: r.flows[0].share)
    assert bbr > 0.9
    assert cubic < 0.2


def test_two_cubic_flows_share(fast: Core) -> None:
    def larger(result: Result) -> float:
        late = [flow.late_goodput for flow in result.flows]
        return max(late) / sum(late)

    assert median(runs(fast, "cubic-share", 40), larger) <= 0.6


def test_cubic_follows_the_model(fast: Core) -> None:
    results = runs(fast, "cubic-model-40", 12)
    assert 0 < median(results, lambda r: r.flows[0].model_deviation or 0.0) < 0.05


@pytest.mark.parametrize("factor", [0.94, 1.06])
def test_another_window_is_not_the_models(factor: float) -> None:
    model = ideal_path(0.04, [2.0], 6.0, 160.0, ACKS_PER_ROUND)
    assert deviation(model, 0.04, [2.0], 6.0, 160.0) == 0
    other = [(when, window * factor) for when, window in model]
    assert deviation(other, 0.04, [2.0], 6.0, 160.0) > 0.05


def test_hystart_leaves_slow_start_before_the_queue_is_full(fast: Core) -> None:
    results = runs(fast, "cubic-start", 3)
    assert median(results, lambda r: r.flows[0].exit_drops) == 0
    assert 0.02 < median(results, lambda r: r.flows[0].exit_queue) < 0.9
    assert all(result.flows[0].slow_start_exit is not None for result in results)


def test_marks_take_the_place_of_losses(fast: Core) -> None:
    results = runs(fast, "cubic-ecn", 8)
    assert median(results, lambda r: r.marked) > 5
    assert median(results, lambda r: r.queue_max / SCENARIOS["cubic-ecn"].forward.queue) < 1.01
    assert median(results, lambda r: r.flows[0].packets_lost) < 50


def test_equal_seeds_give_equal_results(fast: Core) -> None:
    scenario = replace(SCENARIOS["wifi"], duration=2 * S)
    assert run(fast, scenario, 3) == run(fast, scenario, 3)
    assert run(fast, scenario, 3) != run(fast, scenario, 4)


def test_command_line_writes_table_json_and_pictures(
    fast: Core, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--scenario", "call", "--seeds", "2", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    assert "call" in capsys.readouterr().out
    (summary,) = json.loads((tmp_path / "summary.json").read_text())
    assert summary["seeds"] == [1, 2]
    assert summary["flows"][0]["goodput_mbit"] == pytest.approx(0.64, rel=0.05)
    assert (tmp_path / "call.png").read_bytes()[:4] == b"\x89PNG"
    assert cli.main([*arguments, "--json", "--no-plots"]) == 0
    assert json.loads(capsys.readouterr().out) == [summary]


def test_command_line_lists_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list"]) == 0
    assert capsys.readouterr().out.count("\n") == len(SCENARIOS)
    with pytest.raises(SystemExit):
        cli.main(["--scenario", "nonsense"])
    with pytest.raises(SystemExit):
        cli.main(["--seeds", "0"])


def test_command_line_checks_random_networks(
    fast: Core, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--networks", "5", "--out", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["networks"] == 5
