# SPDX-License-Identifier: BSD-3-Clause
"""The command `nexus-lab`."""

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from nexus_lab.errors import LabError
from nexus_lab.kernels import KERNELS, kernel_named
from nexus_lab.lab import KernelState, Lab, all_states
from nexus_lab.machine import Machine
from nexus_lab.progress import say
from nexus_lab.qemu import QemuMachine
from nexus_lab.run import STATUS_LAB, Result
from nexus_lab.uml import UmlMachine

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Runs commands inside Linux kernels, over this machine's own root, and builds modules for "
    "them. Any kernel warning, oops, lockdep, KASAN or leak report makes a run fail.",
)

KernelOption = Annotated[
    str, typer.Option("--kernel", "-k", help=f"One of {', '.join(KERNELS)}.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")]
CommandArgument = Annotated[
    list[str], typer.Argument(help="The command and its arguments, after --.", metavar="COMMAND…")
]


def result_facts(result: Result, log: Path | None) -> dict[str, Any]:
    """Return a run's outcome for --json."""
    return {
        "kernel": result.kernel,
        "release": result.release,
        "command": list(result.argv),
        "status": result.status,
        "exit_status": result.exit_status,
        "passed": result.passed,
        "problems": [
            {"fault": p.fault.value, "summary": p.summary, "excerpt": p.excerpt}
            for p in result.problems
        ],
        "notes": list(result.notes),
        "kunit": {
            "passed": result.kunit.passed,
            "failed": result.kunit.failed,
            "skipped": result.kunit.skipped,
        },
        "boot_seconds": result.boot_seconds,
        "command_seconds": result.command_seconds,
        "total_seconds": result.total_seconds,
        "log": str(log) if log else None,
    }


def _report(result: Result, log: Path | None) -> None:
    """Say on standard error what went wrong, and where the kernel log is."""
    for problem in result.problems:
        say(f"{result.kernel}: {problem.fault.value}: {problem.summary}")
        if problem.excerpt:
            print(problem.excerpt, file=sys.stderr)
    for note in result.notes:
        say(f"{result.kernel}: {note}")
    if not result.passed and log:
        say(f"{result.kernel}: kernel log: {log}")


def _keep_log(result: Result, wanted: Path | None) -> Path | None:
    """Write the kernel log where it was asked for, or, of a failed run, into build/lab/."""
    if wanted is None:
        if result.passed:
            return None
        wanted = Path("build/lab") / f"{result.kernel}-{os.getpid()}.log"
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.write_text(result.log)
    return wanted.absolute()


def _to_stdout(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _to_stderr(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()


@app.command()
def run(
    command: CommandArgument,
    *,
    kernel: KernelOption,
    cpus: Annotated[
        int | None, typer.Option(min=1, max=8, help="CPUs. [uml: 1, others: 2]")
    ] = None,
    memory: Annotated[int | None, typer.Option(min=256, help="MiB of memory.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds the command may take.")] = 600.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder the command may write to; $NEXUS_LAB_OUT inside.")
    ] = None,
    env: Annotated[list[str] | None, typer.Option(help="NAME=VALUE to add, repeatable.")] = None,
    log: Annotated[Path | None, typer.Option(help="Keep the kernel log in this file.")] = None,
    append: Annotated[
        list[str] | None, typer.Option(help="A word for the kernel command line, repeatable.")
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read standard input to its end and pass it on.")
    ] = False,
    icount: Annotated[
        bool,
        typer.Option("--icount", help="QEMU: one instruction is one nanosecond; repeatable."),
    ] = False,
    cpu_model: Annotated[
        str, typer.Option(help="QEMU: the CPU that the kernel finds, as -cpu wants it.")
    ] = "max",
    leak_check: Annotated[
        bool, typer.Option(help="uml-debug: search for leaks at the end (5 s).")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Run COMMAND as root inside a kernel, over this machine's root; what it writes is thrown away.

    The exit status is the command's (128+n when signal n killed it); 124: timeout, 99: the command
    succeeded but the kernel reported a problem, 125: the lab itself failed.
    """
    pairs = [word.partition("=") for word in env or []]
    if any(not name or not equals for name, equals, _ in pairs):
        raise LabError("--env wants NAME=VALUE")
    result = Lab().run(
        kernel,
        command,
        cpus=cpus,
        memory=memory,
        timeout=timeout,
        out=out,
        environ={name: value for name, _, value in pairs},
        stdin=sys.stdin.buffer.read() if stdin else None,
        icount=icount,
        cpu_model=cpu_model,
        leak_check=leak_check,
        kernel_arguments=append or [],
        # With --json standard output is the summary's alone.
        on_stdout=_to_stderr if as_json else _to_stdout,
        on_stderr=_to_stderr,
    )
    kept = _keep_log(result, log)
    _report(result, kept)
    if as_json:
        print(json.dumps(result_facts(result, kept), indent=1))
    raise typer.Exit(result.exit_status)


@app.command()
def shell(
    kernel: KernelOption,
    cpus: Annotated[
        int | None, typer.Option(min=1, max=8, help="CPUs. [uml: 1, others: 2]")
    ] = None,
    memory: Annotated[int | None, typer.Option(min=256, help="MiB of memory.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder the shell may write to.")] = None,
) -> None:
    """Open an interactive shell inside a kernel; leaving it ends the kernel."""
    if not sys.stdin.isatty():
        raise LabError("a shell needs a terminal; use `nexus-lab run` for commands")
    saved = os.get_terminal_size()
    result = Lab().run(
        kernel,
        ["sh", "-c", f"stty sane rows {saved.lines} cols {saved.columns}; exec bash -i"],
        cpus=cpus,
        memory=memory,
        out=out,
        interactive=True,
        leak_check=False,
    )
    if result.problems:  # the shell's own exit status says nothing
        _report(result, _keep_log(result, None))
        raise typer.Exit(result.exit_status)


@app.command()
def build(
    module: Annotated[Path, typer.Argument(help="The module's folder; nothing in it is changed.")],
    kernel: KernelOption,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to build. [build/lab/KERNEL/NAME]")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Build an out-of-tree module for a kernel; prints the paths of its .ko files."""
    built = Lab().build(kernel, module, output)
    for warning in built.warnings:
        say(warning)
    if as_json:
        facts = {
            "kernel": built.kernel,
            "release": built.release,
            "folder": str(built.folder),
            "modules": [str(path) for path in built.modules],
            "warnings": list(built.warnings),
        }
        print(json.dumps(facts, indent=1))
        return
    for path in built.modules:
        print(path)


@app.command()
def prepare(
    kernels: Annotated[
        list[str] | None,
        typer.Argument(help="Kernels to make ready; all of them.", show_default=False),
    ] = None,
    *,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Look for newer patch levels now.")
    ] = False,
) -> None:
    """Fetch and build ahead of time all that running and building needs."""
    names = kernels or list(KERNELS)
    for name in names:
        kernel_named(name)  # all are checked before the first, maybe long, build
    lab = Lab(refresh=refresh)
    for name in names:
        lab.prepare(name)
        say(f"{name}: ready, Linux {lab.machine(name).release}")


def _state_facts(state: KernelState) -> dict[str, Any]:
    return {
        "kernel": state.kernel.name,
        "home": state.kernel.home.value,
        "series": state.kernel.series,
        "purpose": state.kernel.purpose,
        "version": state.version,
        "ready": state.ready,
        "buildable": state.buildable,
        "notes": list(state.notes),
        "folder": str(state.folder) if state.folder else None,
    }


@app.command("list")
def list_kernels(*, as_json: JsonOption = False) -> None:
    """Show the kernels, what each is for, and what the cache has of them."""
    states = all_states()
    if as_json:
        print(json.dumps([_state_facts(state) for state in states], indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("kernel", "home", "version", "cached", "for"):
        table.add_column(title, no_wrap=title != "for")
    for state in states:
        cached = "yes" if state.ready and state.buildable else "run only" if state.ready else "no"
        table.add_row(
            state.kernel.name,
            state.kernel.home.value,
            state.version or f"{state.kernel.series}.?",
            cached,
            "\n".join((state.kernel.purpose, *state.notes)),
        )
    Console().print(table)


def _place(machine: Machine, what: str) -> Path | None:
    places: dict[str, Path | None] = {"modules": machine.modules}
    if isinstance(machine, UmlMachine):
        places |= {
            "source": machine.kernel.source.folder,
            "objects": machine.kernel.objects,
            "image": machine.kernel.program,
        }
    if isinstance(machine, QemuMachine):
        places |= {"objects": machine.kernel.headers, "image": machine.kernel.image}
    return places.get(what)


@app.command()
def path(
    what: Annotated[str, typer.Argument(help="source (uml only), objects, image or modules.")],
    kernel: KernelOption,
) -> None:
    """Print where a part of a kernel lies: its source, its image, what modules build against."""
    place = _place(Lab().machine(kernel), what)
    if place is None:
        raise LabError(f"{kernel} has no {what}; a source belongs to the User-Mode Linux kernels")
    print(place)


@app.command()
def clean(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="The whole cache, not only what was superseded.")
    ] = False,
) -> None:
    """Drop from the cache what newer versions or configurations have superseded."""
    from nexus_lab.housekeeping import drop  # noqa: PLC0415 - only this command needs it

    for folder in drop(everything=everything):
        say(f"dropped {folder}")


def _interrupted(number: int, frame: FrameType | None) -> None:
    del frame
    raise SystemExit(128 + number)


def main() -> None:
    """Run the command line; an error of the lab is one line and status 125."""
    # SystemExit unwinds: whatever runs is ended, its folder removed.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _interrupted)
    try:
        app()
    except LabError as error:
        say(f"error: {error}")
        sys.exit(STATUS_LAB)
