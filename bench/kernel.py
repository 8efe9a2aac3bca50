# SPDX-License-Identifier: BSD-3-Clause
"""The kernel module beside WireGuard and ovpn, in kernels of the lab.

Two measurements, each in one boot:

- instructions a UDP packet of 1,200 bytes takes, both ends together, in Debian's stock kernel under
  `-icount` (a nanosecond of guest time is an instruction): repeatable whatever else the machine
  does. What plain veth takes is the path, the rest is the tunnel. The engine is measured beside it.
- TCP goodput in User-Mode Linux at native speed, one stream, everything on ONE pinned CPU.

    python -m bench.kernel udp|tcp|tcp-count [--repeats N] [--cpu-model MODEL] [CONTENDER…]

One of both alone, of some contenders: while working on the module. `tcp-count`: TCP counted as UDP
is, instructions for each full segment's worth of payload.

QEMU counts each byte that a `rep movsb` copies as an instruction; a CPU copies up to 64 at once.
The kernel copies to and from user space that way where the CPU says that it is fast (ERMS, FSRM),
but not where it sums what it copies; so on such a CPU the count says most of all how many bytes a
contender has copied without their sum. The CPU of the guest has neither (COUNTED), and the kernel
copies words for all of them. `--cpu-model max` is the CPU that has both.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.ends import EndError
from bench.kernel_tunnels import CONTENDERS, MTU
from bench.plot import bars
from nexus_lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
STOCK: Final = "7.3"
UML: Final = "uml"
# Copies in instructions that mean something, see above.
COUNTED: Final = "max,-erms,-fsrm"
UDP_SECONDS, TCP_SECONDS, QUICK_SECONDS = 1.0, 3.0, 1.0
UDP_REPEATS, TCP_REPEATS = 2, 3
LAB_SECONDS: Final = 2400.0
# Above this the sender was not held up by the work alone.
IDLE_MOST: Final = 0.02
ENGINE: Final = "engine aes-128-gcm"
KERNEL_ONLY: Final = tuple(name for name in CONTENDERS if name != ENGINE)
PAYLOAD_BITS: Final = 1200 * 8
# TCP payload of a packet of the inner MTU: IPv4 header, TCP header with timestamps.
SEGMENT_BITS: Final = (MTU - 20 - 32) * 8


@dataclass(frozen=True, slots=True)
class Result:
    """What one contender showed in one measurement, every repetition.

    `where`: the kernel and, where instructions are counted, the CPU.
    `values`: instructions a packet (udp, tcp-count), or Gbit/s (tcp).
    """

    kind: str
    where: str
    name: str
    values: tuple[float, ...]
    complaints: tuple[str, ...]

    @property
    def middle(self) -> float | None:
        """Median of the repetitions."""
        return median(self.values) if self.values else None


@contextmanager
def one_cpu() -> Iterator[None]:
    """Everything started inside stays on one CPU, the last that we may use."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def value(kind: str, line: dict[str, Any]) -> float:
    """The figure of one run."""
    if kind != "tcp":
        packets = line["packets"] if kind == "udp" else line["bits"] / SEGMENT_BITS
        return float(line["seconds"] * (1 - line["idle"]) * 1e9 / packets)
    return float(line["bits"] / line["seconds"] / 1e9)


def progress(piece: bytes) -> None:
    """Say what has been measured."""
    for text in piece.splitlines():
        if text.startswith(b'{"name": "'):
            print(f"kernel: {text.decode(errors='replace')}", file=sys.stderr, flush=True)


def measure(
    kind: str, names: Sequence[str], seconds: float, repeats: int, cpu: str | None
) -> list[Result]:
    """One boot: every contender in turn, `repeats` times.

    `cpu`: count instructions in the stock kernel on this one; else take the time in UML.
    """
    kernel = STOCK if cpu else UML
    lab = Lab()
    built = lab.build(kernel, ROOT / "kernel", ROOT / "build/lab" / kernel / "kernel")
    module = next(str(path) for path in built.modules if path.stem == "nexus_quic_dco")
    command = [
        sys.executable, "-m", "bench.kernel_inside",
        module, kind.partition("-")[0], str(seconds), str(repeats), *names,
    ]  # fmt: skip
    print(f"kernel: {kind} in {kernel}: {len(names)} contenders", file=sys.stderr, flush=True)
    done = lab.run(
        kernel, command, cwd=ROOT, timeout=LAB_SECONDS, icount=bool(cpu), leak_check=False,
        cpu_model=cpu or "max", cpus=None if cpu else 1, on_stdout=progress,
    )  # fmt: skip
    if not done.passed:
        said = done.stderr.decode(errors="replace")[-2000:]
        raise EndError(f"the run in kernel {kernel} failed: {done.problems} {said}")
    values: dict[str, list[float]] = defaultdict(list)
    wrong: dict[str, list[str]] = defaultdict(list)
    for text in done.stdout.splitlines():
        line = json.loads(text)
        name = line["name"]
        if name not in names:
            continue
        if "error" in line:
            wrong[name].append(line["error"])
            continue
        values[name].append(value(kind, line))
        if cpu and line["idle"] > IDLE_MOST:
            wrong[name].append(f"idle {line['idle']:.0%} of the time")
    where = f"stock {kernel}, -icount, -cpu {cpu}" if cpu else f"User-Mode Linux, {kernel}"
    return [
        Result(kind, where, name, tuple(values[name]), tuple(dict.fromkeys(wrong[name])))
        for name in names
    ]


def goodput(names: Sequence[str], seconds: float, repeats: int) -> list[Result]:
    """TCP in User-Mode Linux."""
    with one_cpu():
        return measure("tcp", names, seconds, repeats, None)


def instructions(
    names: Sequence[str], repeats: int, kind: str = "udp", cpu: str = COUNTED
) -> list[Result]:
    """Count in the stock kernel."""
    with one_cpu():
        return measure(kind, names, UDP_SECONDS, repeats, cpu)


def run(*, quick: bool = False) -> list[Result]:
    """Measure; `quick` only shows that it works."""
    if quick:
        return goodput(KERNEL_ONLY, QUICK_SECONDS, 1)
    return goodput(KERNEL_ONLY, TCP_SECONDS, TCP_REPEATS) + instructions(
        tuple(CONTENDERS), UDP_REPEATS
    )


def table(results: list[Result]) -> str:
    """For people."""
    found = {(one.kind, one.name): one for one in results}
    lines = []
    for kind, title in (
        ("udp", "Instructions a UDP packet of 1,200 bytes, both ends ({})"),
        ("tcp-count", "Instructions a TCP segment of 1,368 bytes, both ends ({})"),
        ("tcp", "TCP Gbit/s, one stream, both ends on one CPU ({})"),
    ):
        rows = [one for one in results if one.kind == kind]
        if not rows:
            continue
        plain, peer = (
            found[kind, name].middle if (kind, name) in found else None
            for name in ("veth", "ovpn aes-128-gcm")
        )
        lines.append(title.format(rows[0].where))
        for one in rows:
            if one.middle is None:
                lines.append(f"  {one.name:<24} {'; '.join(one.complaints)}")
                continue
            runs = " ".join(f"{value:.{2 if kind == 'tcp' else 0}f}" for value in one.values)
            more = ""
            bits = PAYLOAD_BITS if kind == "udp" else SEGMENT_BITS
            if kind != "tcp" and plain and peer and one.name != "veth":
                share = (one.middle - plain) / (peer - plain)
                more = f"  tunnel {one.middle - plain:8.0f}  {share:5.2f} of ovpn's"
                more += f"  {one.middle / bits:5.2f} G instructions a Gbit"
            elif kind == "tcp" and peer:
                more = f"  {one.middle / peer:5.2f} of ovpn's"
            lines.append(f"  {one.name:<24} {runs:<24}{more}  {'; '.join(one.complaints)}".rstrip())
        lines.append("")
    return "\n".join(lines).rstrip()


def plot(results: list[Result], path: Path) -> None:
    """Both measurements side by side."""
    names = list(dict.fromkeys(one.name for one in results))
    titles = {"udp": "instructions a packet", "tcp": "TCP Gbit/s"}
    middles = {(one.kind, one.name): one.middle or 0.0 for one in results}
    panels = {
        title: {"median": [middles.get((kind, name), 0.0) for name in names]}
        for kind, title in titles.items()
    }
    bars(path, [name.replace(" ", "\n") for name in names], panels)


def main() -> None:
    """Measure one kind and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.kernel", description=__doc__)
    parser.add_argument("kind", choices=("udp", "tcp", "tcp-count"))
    parser.add_argument("names", nargs="*", metavar="CONTENDER", help=", ".join(CONTENDERS))
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--cpu-model", default=COUNTED, help="of udp and tcp-count: %(default)s")
    arguments = parser.parse_intermixed_args()
    if unknown := set(arguments.names) - set(CONTENDERS):
        parser.error(f"no contender {unknown.pop()!r}")
    if arguments.kind == "tcp":
        names = arguments.names or KERNEL_ONLY
        print(table(goodput(names, TCP_SECONDS, arguments.repeats or TCP_REPEATS)))
    else:
        names = arguments.names or tuple(CONTENDERS)
        repeats = arguments.repeats or UDP_REPEATS
        print(table(instructions(names, repeats, arguments.kind, arguments.cpu_model)))


if __name__ == "__main__":
    main()
