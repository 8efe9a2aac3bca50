# SPDX-License-Identifier: BSD-3-Clause
"""Run benchmarks by name, all by default; results as JSON and plots in out/bench as well."""

import argparse
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from bench import (
    engine,
    flood,
    kernel,
    quic_model,
    sessions,
    siege,
    tunnel,
    weather,
    weather_kernel,
)
from bench.contenders import ContenderError
from bench.ends import EndError
from bench.traffic import TrafficError
from nexus_lab import LabError

# A benchmark is a module with run(quick=...), table(results) and, if it draws, plot(results, path).
BENCHMARKS = {
    "quic-model": quic_model,
    "engine": engine,
    "tunnel": tunnel,
    "sessions": sessions,
    "siege": siege,
    "flood": flood,
    "weather": weather,
    "weather-kernel": weather_kernel,
    "kernel": kernel,
}
OUT = Path("out/bench")
INTERRUPTED = 130


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Let SIGTERM clean up as Ctrl-C does."""
    raise KeyboardInterrupt


def measure(names: list[str], *, quick: bool, as_json: bool, out: Path) -> None:
    """Run some benchmarks, print and keep their results."""
    out.mkdir(parents=True, exist_ok=True)
    document = {}
    for name in names:
        module = BENCHMARKS[name]
        results = module.run(quick=quick)
        document[name] = [asdict(result) for result in results]
        (out / f"{name}.json").write_text(json.dumps(document[name], indent=2) + "\n")
        if hasattr(module, "plot"):
            module.plot(results, out / f"{name}.png")
        if not as_json:
            print(module.table(results), end="\n\n", flush=True)
    if as_json:
        print(json.dumps(document, indent=2))
    print(f"bench: results are in {out}", file=sys.stderr)


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quick", action="store_true", help="measure nothing, show that it works")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder for results ({OUT})")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    if os.geteuid():
        parser.error("network namespaces need root: run it as root")
    signal.signal(signal.SIGTERM, interrupt)
    names = arguments.names or list(BENCHMARKS)
    try:
        measure(names, quick=arguments.quick, as_json=arguments.json, out=arguments.out)
    except (ContenderError, EndError, TrafficError, LabError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
