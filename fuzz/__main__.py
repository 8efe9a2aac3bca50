# SPDX-License-Identifier: BSD-3-Clause
"""Fuzzes what reads strangers' bytes in C: `make fuzz SECONDS=60` or `make fuzz RUNS=10000000`.

Every target starts from its seeds in `fuzz/corpus/` and from what earlier runs found, which is kept
in `build/fuzz/`. Ends with 1 where a target found something, and says how to see it again.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from nexus_sim.core import ROOT, CoreBuildError, build_lock, make

SEEDS: Final = ROOT / "fuzz" / "corpus"
FOUND: Final = ROOT / "build" / "fuzz"

# Targets, and what part of the work each gets: the frame parser is by far the fastest.
TARGETS: Final = {"frame": 0.5, "hello": 0.1, "recovery": 0.2, "conn": 0.2}
MAX_LEN: Final = {"frame": 1500, "hello": 2048, "recovery": 1024, "conn": 1024}
FUZZED: Final = ("kernel/proto/", "engine/hello.c")
"""Files whose lines are counted."""
PROGRESS_SECONDS: Final = 10
HANG_SECONDS: Final = 600
"""An input is a finding after so long, by the wall clock: beside other work, and with a low
priority, a process may get no CPU for more than ten seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one target did.

    Attributes:
        target: its name.
        runs: executions.
        seconds: wall-clock time.
        edges: branches of the compiled code that were reached.
        finding: the input that broke something, or None.
    """

    target: str
    runs: int
    seconds: float
    edges: int
    finding: str | None


def program(flavour: str, target: str) -> Path:
    """Return the compiled target; `flavour` is fuzz, or cover to count lines."""
    path = ROOT / "build" / "proto" / flavour / f"fuzz_{target}"
    with build_lock():
        make(str(path.relative_to(ROOT)))
    return path


def fuzz(
    target: str,
    *,
    runs: int | None = None,
    seconds: int | None = None,
    corpus: Path | None = None,
    seed: int = 0,
) -> Outcome:
    """Run one target until `runs` executions or `seconds` are over, or it finds something.

    Args:
        target: a key of `TARGETS`.
        runs: executions, those of the corpus included.
        seconds: wall-clock bound.
        corpus: where interesting inputs are kept; a folder in `build/fuzz/` by default.
        seed: makes the run repeatable, as far as the corpus is the same; 0: random.
    """
    corpus = corpus or FOUND / target
    corpus.mkdir(parents=True, exist_ok=True)
    findings = FOUND / "findings"
    findings.mkdir(parents=True, exist_ok=True)
    command = [
        str(program("fuzz", target)),
        f"-artifact_prefix={findings}/{target}-",
        f"-max_len={MAX_LEN[target]}",
        f"-timeout={HANG_SECONDS}",
        "-print_final_stats=1",
        f"-seed={seed}",
        *([f"-runs={runs}"] if runs is not None else []),
        *([f"-max_total_time={seconds}"] if seconds is not None else []),
        str(corpus),
        str(SEEDS / target),
    ]
    start = time.monotonic()
    log = FOUND / f"{target}.log"
    executed = edges = 0
    finding = None
    with (
        log.open("w") as out,
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as child,
    ):
        assert child.stderr is not None  # noqa: S101 - PIPE was asked for
        shown = start
        for line in child.stderr:
            out.write(line)
            if match := re.match(r"#(\d+)\s.*\bcov: (\d+)", line):
                executed, edges = int(match[1]), int(match[2])
                if time.monotonic() - shown >= PROGRESS_SECONDS:
                    shown = time.monotonic()
                    print(f"{target}: {executed:,} runs, {shown - start:.0f} s", file=sys.stderr)
            if match := re.search(r"stat::number_of_executed_units: (\d+)", line):
                executed = int(match[1])
            if match := re.search(r"Test unit written to (\S+)", line):
                finding = match[1]
    if child.returncode and finding is None:
        raise CoreBuildError(f"{target} failed; see {log}")
    return Outcome(target, executed, time.monotonic() - start, edges, finding)


def coverage() -> dict[str, Any]:
    """Return, by file that is fuzzed, the lines that the corpora reach and how many it has."""
    profiles = []
    programs = []
    for target in TARGETS:
        path = program("cover", target)
        profile = FOUND / f"{target}.profraw"
        corpora = [str(folder) for folder in (FOUND / target, SEEDS / target) if folder.is_dir()]
        # Inputs one by one, without mutation.
        subprocess.run(
            [path, "-runs=0", f"-max_len={MAX_LEN[target]}", *corpora],
            check=True,
            capture_output=True,
            env={**os.environ, "LLVM_PROFILE_FILE": str(profile)},
        )
        profiles.append(str(profile))
        programs += ["-object", str(path)]
    merged = str(FOUND / "coverage.profdata")
    subprocess.run(["llvm-profdata", "merge", "-o", merged, *profiles], check=True)
    exported = subprocess.run(
        ["llvm-cov", "export", "-summary-only", f"-instr-profile={merged}", *programs],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    files = json.loads(exported)["data"][0]["files"]
    return {
        Path(entry["filename"]).name: (
            entry["summary"]["lines"]["covered"],
            entry["summary"]["lines"]["count"],
        )
        for entry in files
        if any(part in entry["filename"] for part in FUZZED) and entry["summary"]["lines"]["count"]
    }


def print_coverage(lines: dict[str, Any]) -> None:
    """Print a line a file, and the sum."""
    for name, (covered, count) in sorted(lines.items()):
        print(f"  {name:20} {covered:5} of {count:5} lines {100 * covered / max(count, 1):6.1f} %")
    covered = sum(pair[0] for pair in lines.values())
    count = sum(pair[1] for pair in lines.values())
    print(f"  {'all':20} {covered:5} of {count:5} lines {100 * covered / count:6.1f} %")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--seconds", type=int, help="time for all targets together (default 60)")
    amount.add_argument("--runs", type=int, help="executions of all targets together")
    parser.add_argument("--target", choices=TARGETS, help="one target (default: all, in turn)")
    parser.add_argument("--no-coverage", action="store_true", help="do not count lines reached")
    parser.add_argument("--json", action="store_true", help="for machines")
    return parser.parse_args()


def main() -> int:
    """Fuzz, report, count lines."""
    options = arguments()
    parts = {options.target: 1.0} if options.target else TARGETS
    outcomes = []
    for target, part in parts.items():
        outcome = fuzz(
            target,
            runs=None if options.runs is None else round(options.runs * part),
            seconds=None if options.runs is not None else round((options.seconds or 60) * part),
        )
        outcomes.append(outcome)
        if not options.json:
            rate = outcome.runs / max(outcome.seconds, 0.001)
            print(f"{target}: {outcome.runs:,} runs in {outcome.seconds:.0f} s ({rate:,.0f}/s)")
            if outcome.finding:
                print(f"{target}: FOUND {outcome.finding}")
                print(f"  again: build/proto/fuzz/fuzz_{target} {outcome.finding}")
    lines = {} if options.no_coverage else coverage()
    if options.json:
        print(json.dumps({"targets": [asdict(done) for done in outcomes], "lines": lines}))
    elif lines:
        print_coverage(lines)
    return int(any(outcome.finding for outcome in outcomes))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CoreBuildError as error:
        sys.exit(f"fuzz: {error}")
