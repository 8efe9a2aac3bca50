# SPDX-License-Identifier: BSD-3-Clause
"""`nexus demo`."""

import enum
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from nexusnet.cli.output import JsonOption, console, emit_json, errors

if TYPE_CHECKING:
    from nexusnet.demo.result import Result


class PlaneChoice(enum.Enum):
    """Whose packets a demo shows."""

    USERSPACE = "userspace"
    KERNEL = "kernel"
    BOTH = "both"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def _terminated(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does: whatever was set up is taken down."""
    del number, frame
    raise KeyboardInterrupt


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the capture.")] = Path("out/demo"),
    seconds: Annotated[float, typer.Option(help="Of each transfer.", min=1, max=60)] = 2.0,
    plane: Annotated[PlaneChoice, typer.Option(help="Who carries the packets.")] = PlaneChoice.BOTH,
    as_json: JsonOption = False,
) -> None:
    """Two agents in two namespaces: a handshake, ping, iperf3, a capture. Needs root."""
    from nexusnet.dco import Plane
    from nexusnet.demo.demo import run_demo
    from nexusnet.demo.kernel import demo_in_kernel

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _terminated)
    begin = time.monotonic()

    def say(text: str) -> None:
        errors.print(f"[{time.monotonic() - begin:5.1f} s] {text}", markup=False, soft_wrap=True)

    first = Plane.KERNEL if plane is PlaneChoice.KERNEL else Plane.USERSPACE
    result = run_demo(out, say, seconds=seconds, plane=first)
    if plane is PlaneChoice.BOTH:
        # Transfers of a second: the table is for a first impression.
        result.kernel = demo_in_kernel(out / "kernel", say, 1.0)
        result.failures += result.kernel.failures
    if as_json:
        emit_json(result.to_json())
    else:
        _print(result)
    for failure in result.failures:
        errors.print(f"FAILED: {failure}", markup=False, soft_wrap=True)
    sys.exit(0 if result.ok else 1)


def _print(result: "Result") -> None:
    table = Table(pad_edge=False)
    for column in ("mode", "data plane", "security", "outside", "inside", "direction"):
        table.add_column(column)
    for column in ("RTT ms", "TCP Mbit/s", "UDP Mbit/s", "UDP loss %", "CPU % (TCP)"):
        table.add_column(column, justify="right")
    table.add_column("a probe sees")
    for row in result.rows:
        average = row.latency.average_ms
        table.add_row(
            result.mode,
            result.data_plane,
            result.security,
            f"IPv{row.outer}",
            f"IPv{row.inner}",
            row.direction,
            "-" if average is None else f"{average:.2f}",
            f"{row.tcp.bits_per_second / 1e6:.0f}",
            f"{row.udp.bits_per_second / 1e6:.0f}",
            f"{row.udp.loss_percent:.2f}",
            f"{row.tcp.cpu_percent:.0f}",
            result.probe_over(row.outer),
        )
    for cells in result.kernel.rows() if result.kernel is not None else ():
        table.add_row(*cells, *["-"] * (len(table.columns) - len(cells)))
    console.print(table)
    console.print(
        "CPU: both agents together, of one core, while TCP runs. The cable is a veth pair, which"
        " passes segmentation offloads on whole: figures over a network card are lower.\n"
        "A probe is an ordinary HTTP/3 client at the tunnel's port: it gets the camouflage site's"
        " page and certificate.\n"
        f"Data plane: {result.reason}.",
        soft_wrap=True,
        markup=False,
    )
    if result.dissection is not None:
        found = result.dissection
        console.print(
            f"Capture: {result.capture} ({found.packets} datagrams, all QUIC v1:"
            f" {found.datagram_frames} DATAGRAM and {found.ack_frames} ACK frames). Read it with\n"
            f"  tshark -r {result.capture} -o tls.keylog_file:{result.keys}"
            " -d udp.port==443,quic",
            soft_wrap=True,
            markup=False,
        )
