# SPDX-License-Identifier: BSD-3-Clause
"""Run benchmarks by name, all by default: `python -m bench [--json] [NAME...]`."""

import argparse
import json
import sys
from dataclasses import asdict

from bench import engine, quic_model

# A benchmark is a module with run(quick=...) and table(results).
BENCHMARKS = {"quic-model": quic_model, "engine": engine}


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quick", action="store_true", help="measure nothing, show that it works")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    document = {}
    for name in arguments.names or BENCHMARKS:
        results = BENCHMARKS[name].run(quick=arguments.quick)
        document[name] = [asdict(result) for result in results]
        if not arguments.json:
            print(BENCHMARKS[name].table(results), end="\n\n")
    if arguments.json:
        print(json.dumps(document, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
