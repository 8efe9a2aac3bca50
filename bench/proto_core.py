# SPDX-License-Identifier: BSD-3-Clause
"""Benchmark of the protocol core alone: what a connection costs a packet, on one core.

python -m bench.proto_core [--packets N] [--runs N] [--json FILE] [--instructions] [--module]
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = ROOT / "build" / "bench"
IN_FLIGHT: Final = (1, 1_000, 100_000)
FLAGS: Final = (
    "-std=gnu11", "-fno-strict-aliasing", "-fno-common",
    "-Iengine/shim", "-Ikernel", "-Ikernel/proto",
)  # fmt: skip
# As engine/build_ext.py compiles the engine, and as the kernel's build system compiles the module.
ENGINE: Final = ("-O3", "-flto=auto")
MODULE: Final = ("-O2",)


@dataclass(frozen=True, slots=True)
class Case:
    """How the receiver acknowledges and what the path loses.

    Attributes:
        name: for the table.
        every_second: an ACK frame for every second packet, as a standard peer sends; else our own
            policy.
        loss_every: each so-manieth packet is lost; 0: none.
    """

    name: str
    every_second: bool
    loss_every: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What one case cost; ns and counts are per packet, medians over the runs.

    Attributes:
        case: name of the case.
        in_flight: packets in flight.
        together_ns: CPU time for sending, receiving and acknowledgements together.
        together_min_ns: the same in the fastest run.
        packet_ns: `together_ns` for each packet sent and received, those with ACK frames too.
        send_ns: permission, number, ring, pacer, delivery rate; None with one packet in flight,
            where reading the clock would cost more than the work.
        receive_ns: key phase, frame parsing, duplicate detection, ACK policy, sending ACK frames.
        ack_ns: receiving ACK frames: RTT, loss detection, congestion control.
        ack_frames: ACK frames.
        ack_ranges: ranges in them.
        instructions: instructions executed, the benchmark's own among them; None: not counted.
    """

    case: str
    in_flight: int
    together_ns: float
    together_min_ns: float
    packet_ns: float
    send_ns: float | None
    receive_ns: float | None
    ack_ns: float | None
    ack_frames: float
    ack_ranges: float
    instructions: float | None


CASES: Final = (
    Case("own ACK policy", every_second=False, loss_every=0),
    Case("own policy, 1% loss", every_second=False, loss_every=100),
    Case("ACK every 2", every_second=True, loss_every=0),
    Case("ACK every 2, 1% loss", every_second=True, loss_every=100),
)


def build(optimise: tuple[str, ...]) -> Path:
    """Compile the benchmark and the core into one program, as a data plane is compiled."""
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / "proto_core"
    core = sorted(str(path) for path in (ROOT / "kernel" / "proto").glob("*.c"))
    command = ["gcc", *FLAGS, *optimise, "-o", str(program), "bench/proto_core.c", *core]
    subprocess.run(command, cwd=ROOT, check=True)
    return program


def run_once(program: Path, case: Case, in_flight: int, packets: int, *extra: str) -> list[float]:
    """Run the program pinned to one CPU; return the numbers that it prints."""
    arguments = (in_flight, int(case.every_second), case.loss_every, packets)
    cpu = max(os.sched_getaffinity(0))
    done = subprocess.run(
        ["taskset", "-c", str(cpu), str(program), *map(str, arguments), *extra],
        check=True,
        capture_output=True,
        text=True,
    )
    return [float(word) for word in done.stdout.split()]


def count_instructions(program: Path, case: Case, in_flight: int) -> float:
    """Return instructions a packet, as valgrind counts them: whatever else the CPU does."""
    few = 2 * max(IN_FLIGHT)
    counts = []
    for packets in (few, 2 * few):
        arguments = (in_flight, int(case.every_second), case.loss_every, packets)
        done = subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                "--callgrind-out-file=/dev/null",
                str(program),
                *map(str, arguments),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        counts.append(int(done.stderr.split("Collected :")[1].split()[0]))
    return (counts[1] - counts[0]) / few


def measure(program: Path, case: Case, in_flight: int, options: argparse.Namespace) -> Figures:
    """Return the medians of some runs."""
    packets, runs = options.packets, options.runs
    totals = [run_once(program, case, in_flight, packets) for _ in range(runs)]
    together, frames, ranges = (statistics.median(column) for column in zip(*totals, strict=True))
    send: float | None = None
    receive: float | None = None
    ack: float | None = None
    if in_flight > 1:
        parts = [run_once(program, case, in_flight, packets, "split") for _ in range(runs)]
        send, receive, ack = (statistics.median(column) for column in zip(*parts, strict=True))
    return Figures(
        case=case.name,
        in_flight=in_flight,
        together_ns=together,
        together_min_ns=min(run[0] for run in totals),
        packet_ns=together / (1 + frames),
        send_ns=send,
        receive_ns=receive,
        ack_ns=ack,
        ack_frames=frames,
        ack_ranges=ranges,
        instructions=count_instructions(program, case, in_flight) if options.instructions else None,
    )


def show(figures: list[Figures]) -> None:
    """Print a table."""

    def cell(value: float | None) -> str:
        return "-" if value is None else f"{value:.1f}"

    header = (
        "case",
        "in flight",
        "DATAGRAM",
        "(min)",
        "packet",
        "send",
        "receive",
        "ack",
        "ACKs",
        "instr.",
    )
    print("{:<22}{:>10}{:>10}{:>8}{:>8}{:>8}{:>9}{:>8}{:>8}{:>8}".format(*header))
    for f in figures:
        print(
            f"{f.case:<22}{f.in_flight:>10,}{f.together_ns:>10.1f}{f.together_min_ns:>8.1f}"
            f"{f.packet_ns:>8.1f}{cell(f.send_ns):>8}{cell(f.receive_ns):>9}{cell(f.ack_ns):>8}"
            f"{f.ack_frames:>8.3f}"
            f"{'-' if f.instructions is None else f'{f.instructions:.0f}':>8}"
        )
    print(
        "ns, both ends together: a DATAGRAM with its share of ACK packets; any packet\n"
        "send, receive, ack: parts of the first; ACKs: packets with an ACK frame, each DATAGRAM\n"
        f"load {os.getloadavg()[0]:.1f}"
    )


def main() -> int:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--packets", type=int, default=1_000_000, help="packets in each run")
    parser.add_argument("--runs", type=int, default=15, help="runs of each case; medians are shown")
    parser.add_argument("--json", type=Path, default=ROOT / "out" / "proto_core.json")
    parser.add_argument(
        "--instructions", action="store_true", help="count instructions too; needs valgrind"
    )
    parser.add_argument(
        "--module", action="store_true", help="compiled as the module: -O2, each file by itself"
    )
    options = parser.parse_args()
    if options.instructions and not shutil.which("valgrind"):
        parser.error("--instructions needs valgrind: apt install valgrind")
    if options.packets < 10 * max(IN_FLIGHT) or options.runs < 1:
        parser.error(f"--packets must be {10 * max(IN_FLIGHT)} or more, --runs 1 or more")
    program = build(MODULE if options.module else ENGINE)
    figures = []
    for case in CASES:
        for in_flight in IN_FLIGHT:
            print(f"{case.name}, {in_flight:,} in flight ...", file=sys.stderr)
            figures.append(measure(program, case, in_flight, options))
    show(figures)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "machine": platform.machine(),
        "kernel": platform.release(),
        "load": os.getloadavg()[0],
        "compiled_as": "module" if options.module else "engine",
        "packets": options.packets,
        "runs": options.runs,
        "figures": [asdict(f) for f in figures],
    }
    options.json.write_text(json.dumps(report, indent=2) + "\n")
    print(f"written: {options.json}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
