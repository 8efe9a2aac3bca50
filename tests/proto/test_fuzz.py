# SPDX-License-Identifier: BSD-3-Clause
"""A short run of every fuzz target; `make fuzz` does it at length."""

import shutil
from pathlib import Path

import pytest

from fuzz.__main__ import FOUND, SEEDS, TARGETS, fuzz
from nexus_sim.core import ROOT

RUNS = {"frame": 40_000, "hello": 40_000, "recovery": 6_000, "conn": 6_000}

pytestmark = pytest.mark.skipif(
    shutil.which("clang") is None, reason="clang (with libFuzzer) not installed: run tools/setup"
)


@pytest.mark.parametrize("target", TARGETS)
def test_short_run(target: str, tmp_path: Path) -> None:
    seeds = len(list((SEEDS / target).iterdir()))
    assert seeds > 20
    outcome = fuzz(target, runs=RUNS[target], corpus=tmp_path / "corpus", seed=4711)
    assert outcome.finding is None, (
        f"see it with build/proto/fuzz/fuzz_{target} {outcome.finding}; "
        f"log in {(FOUND / target).relative_to(ROOT)}.log"
    )
    assert outcome.runs >= RUNS[target]
    # Else the target has gone blind, whatever it does not find.
    assert outcome.edges > {"frame": 300, "hello": 50, "recovery": 700, "conn": 1500}[target]
