# SPDX-License-Identifier: BSD-3-Clause
"""The same demo with the kernel module: on this machine where it is loaded, else in the lab.

The lab (docs/lab.md) is part of a checkout. LAB names its kernel: `uml` is quick; the stock ones
are emulated, so that their figures say nothing about speed.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nexusnet.agent.module import probe_kernel
from nexusnet.dco import KernelCapabilities

ROOT: Final = Path(__file__).resolve().parents[3]
QUICK: Final = "uml"
MINUTES: Final = {QUICK: 4}
EMULATED_MINUTES: Final = 30

# $0 is the module, the rest the command, $1 its Python. Without udev nobody loads what it needs.
INSIDE: Final = """
modprobe -a -q veth tun
ip link set lo up
"$1" -m tools.load_module "$0" >&2 && exec "$@"
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class KernelDemo:
    """How it went.

    Attributes:
        where: the kernel.
        has_speed: whether its figures say something about speed.
        result: the demo's JSON object; None where there was no demo.
        reason: why there was none.
    """

    where: str
    has_speed: bool = True
    result: dict[str, Any] | None = None
    reason: str = ""

    @property
    def failures(self) -> list[str]:
        """What did not work; that there is no module is no failure."""
        found = [] if self.result is None else self.result["failures"]
        return [f"kernel data plane ({self.where}): {failure}" for failure in found]

    def rows(self) -> list[list[str]]:
        """Cells of the table, as many as there is something to say for."""
        if self.result is None:
            return [["-", "kernel", self.reason]]
        if not self.result["rows"]:
            return [["-", f"kernel ({self.where})", "FAILED"]]
        made = []
        for row in self.result["rows"]:
            average = row["latency"]["average_ms"]
            speed = [
                "-" if average is None else f"{average:.2f}",
                f"{row['tcp']['bits_per_second'] / 1e6:.0f}",
                f"{row['udp']['bits_per_second'] / 1e6:.0f}",
                f"{row['udp']['loss_percent']:.2f}",
                f"{row['tcp']['cpu_percent']:.0f}",
            ]
            made.append(
                [
                    self.result["mode"], f"kernel ({self.where})", self.result["security"],
                    f"IPv{row['outer']}", f"IPv{row['inner']}", row["direction"],
                    *(speed if self.has_speed else ["-"] * len(speed)),
                ]
            )  # fmt: skip
        return made


def command(out: Path, seconds: float) -> list[str]:
    """Return the command line of a demo with the kernel's data plane."""
    words = [sys.executable, "-m", "nexusnet", "demo", "--json", "--plane", "kernel"]
    return [*words, "--out", str(out), "--seconds", f"{seconds:g}"]


def demo_in_kernel(out: Path, say: Say, seconds: float) -> KernelDemo:
    """Run it.

    Args:
        out: folder for its capture.
        say: told of every step.
        seconds: of each transfer.
    """
    found = probe_kernel()
    if isinstance(found, KernelCapabilities) and found.congestion:
        say("the kernel module is loaded: the same again with it")
        done = subprocess.run(
            command(out, seconds), stdout=subprocess.PIPE, check=False, timeout=600
        )
        return _read("this machine", done.stdout, done.returncode)
    return _in_lab(out, say, seconds)


def _read(
    where: str, output: bytes, status: int | None, last: str = "", *, has_speed: bool = True
) -> KernelDemo:
    """Return what a demo's JSON says; where there is none, its status and its `last` words."""
    try:
        result: dict[str, Any] = json.loads(output)
    except ValueError:
        result = {"error": f"it ended with status {status}: {last or 'it says nothing'}"}
    if "error" in result:
        result = {"rows": [], "failures": [result["error"]]}
    return KernelDemo(where, has_speed=has_speed, result=result)


def _in_lab(out: Path, say: Say, seconds: float) -> KernelDemo:
    kernel = os.environ.get("LAB", QUICK)
    try:
        # Part of a checkout, not of the package.
        from nexus_lab import Lab, LabError  # noqa: PLC0415 - as above
    except ImportError:
        return KernelDemo("none", reason="no module is loaded here, and there is no lab to try it")
    if os.geteuid() or not (ROOT / "kernel/Kbuild").exists():
        return KernelDemo("none", reason="no module is loaded here; the lab needs root, a checkout")
    lab = Lab()
    lines = bytearray()

    def progress(piece: bytes) -> None:
        lines.extend(piece)
        *whole, rest = bytes(lines).split(b"\n")
        lines[:] = rest
        for line in whole:
            # The demo inside counts its own time.
            say(f"{kernel}: {line.decode(errors='replace').partition('] ')[2] or line.decode()}")

    try:
        say(f"modules cannot be loaded here: the same again in the lab, kernel {kernel}")
        built = lab.build(kernel, ROOT / "kernel", ROOT / "build/lab" / kernel / "demo")
        module = next(path for path in built.modules if path.stem == "nexus_quic_dco")
        done = lab.run(
            kernel,
            ["sh", "-c", INSIDE, str(module), *command(out, seconds)],
            cwd=ROOT,
            out=out,
            timeout=60.0 * MINUTES.get(kernel, EMULATED_MINUTES),
            leak_check=False,
            on_stderr=progress,
        )
    except LabError as error:
        return KernelDemo(f"lab, {kernel}", reason=f"the lab: {error}")
    last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    made = _read(f"lab, {kernel}", done.stdout, done.status, last, has_speed=kernel == QUICK)
    for problem in done.problems:
        if made.result is not None:
            made.result["failures"].append(f"the kernel complains: {problem}")
    return made
