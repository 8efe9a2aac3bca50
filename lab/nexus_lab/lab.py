# SPDX-License-Identifier: BSD-3-Clause
"""The lab as a library: `Lab().run("uml-debug", ["uname", "-r"])`."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nexus_lab import source, stock, toolchain, uml
from nexus_lab.errors import LabError
from nexus_lab.kernels import KERNELS, Home, Kernel, kernel_named
from nexus_lab.machine import Job, Machine
from nexus_lab.module import BuildTarget, Built, build_module
from nexus_lab.progress import say
from nexus_lab.qemu import QemuMachine
from nexus_lab.run import Result, Sink, run_job
from nexus_lab.uml import UmlMachine

# What a guest gives its own value to.
_NOT_PASSED = {"TMPDIR", "APT_CONFIG", "LD_PRELOAD"}


@dataclass(frozen=True, slots=True)
class KernelState:
    """What the cache has of a kernel."""

    kernel: Kernel
    version: str | None
    """The package's version, None before it was first looked for."""
    ready: bool
    """True if it boots without a download or a build."""
    buildable: bool
    """True if modules can be built for it without a download."""
    notes: tuple[str, ...]
    """Losses, and what stands in for what."""
    folder: Path | None


def guest_environment(kernel: str, out: Path | None, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the command's environment: ours, less what would mislead, plus the lab's own."""
    environ = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED}
    environ["NEXUS_LAB_KERNEL"] = kernel
    if out:
        environ["NEXUS_LAB_OUT"] = str(out)
    return {**environ, **extra}


class Lab:
    """Kernels to run commands in and to build modules for; what is missing is fetched or built.

    Args:
        refresh: look for newer patch levels even if the last look is recent.
    """

    def __init__(self, *, refresh: bool = False) -> None:
        self._refresh = refresh
        self._machines: dict[str, Machine] = {}

    def machine(self, name: str) -> Machine:
        """Return a kernel ready to boot."""
        if name not in self._machines:
            kernel = kernel_named(name)
            if kernel.home is Home.UML:
                built = uml.build(kernel, refresh=self._refresh)
                self._machines[name] = UmlMachine(built, kernel.debug)
            else:
                fetched = stock.fetch(kernel, refresh=self._refresh)
                if fetched.note:
                    say(f"{name}: {fetched.note}")
                self._machines[name] = QemuMachine(fetched)
        return self._machines[name]

    def run(
        self,
        kernel: str,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        out: Path | None = None,
        writable: Iterable[Path] = (),
        environ: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout: float = 600.0,
        cpus: int | None = None,
        memory: int | None = None,
        icount: bool = False,
        cpu_model: str = "max",
        leak_check: bool = True,
        interactive: bool = False,
        kernel_arguments: Sequence[str] = (),
        on_stdout: Sink | None = None,
        on_stderr: Sink | None = None,
    ) -> Result:
        """Run a command as root inside a kernel over the host's own root; writes are thrown away.

        Args:
            kernel: its name, see `nexus-lab list`.
            argv: the command, passed exactly.
            cwd: where it runs; the current folder.
            out: a folder for its results, made when missing; it is $NEXUS_LAB_OUT inside.
            writable: further folders of the host that it may write to.
            environ: variables to add to our environment.
            stdin: what it reads; nothing.
            timeout: seconds it may take.
            cpus: how many; 1 in User-Mode Linux, 2 in QEMU.
            memory: MiB.
            icount: QEMU only: count instructions as nanoseconds, one CPU, repeatable.
            cpu_model: QEMU only: the CPU that the kernel finds, as `-cpu` wants it.
            leak_check: on uml-debug, search for leaks at the end (five seconds).
            interactive: give it our terminal.
            kernel_arguments: further words for the kernel's command line.
            on_stdout: called with each piece of its output, from another thread.
            on_stderr: the same for standard error.

        Returns:
            Its exit status and output, and every problem that the kernel reported.

        Raises:
            LabError: the kernel cannot be had or started.
        """
        if not argv:
            raise LabError("no command given")
        if os.geteuid() != 0:
            raise LabError("the lab must be run as root: the guest's root is the host's")
        machine = self.machine(kernel)
        folders = [path.absolute() for path in writable]
        if out:
            out = out.absolute()
            out.mkdir(parents=True, exist_ok=True)
            folders.append(out)
        job = Job(
            argv=tuple(argv),
            cwd=(cwd or Path.cwd()).absolute(),
            environ=guest_environment(kernel, out, environ or {}),
            writable=tuple(folders),
            stdin=stdin,
            timeout=timeout,
            cpus=cpus,
            memory=memory,
            icount=icount,
            cpu_model=cpu_model,
            leak_check=leak_check,
            interactive=interactive,
            kernel_arguments=tuple(kernel_arguments),
        )
        return run_job(kernel, machine, job, on_stdout, on_stderr)

    def target(self, name: str) -> BuildTarget:
        """Return what modules for a kernel are built against."""
        machine = self.machine(name)
        if isinstance(machine, UmlMachine):
            tools = toolchain.Toolchain(uml.COMPILER, None)
            return BuildTarget(name, machine.release, machine.kernel.objects, ("ARCH=um",), tools)
        if isinstance(machine, QemuMachine):
            tools = toolchain.toolchain(machine.kernel.compiler)
            return BuildTarget(name, machine.release, machine.kernel.headers, (), tools)
        raise LabError(f"modules cannot be built for {name}")

    def build(self, kernel: str, folder: Path, build: Path | None = None) -> Built:
        """Build an out-of-tree module for a kernel.

        Args:
            kernel: its name.
            folder: the module's sources; left as they are.
            build: where to build; build/lab/KERNEL/NAME in the current folder.
        """
        place = build or Path("build/lab") / kernel / folder.resolve().name
        return build_module(self.target(kernel), folder, place)

    def prepare(self, kernel: str) -> None:
        """Fetch and build all that running and building for a kernel needs."""
        self.target(kernel)


def state_of(kernel: Kernel) -> KernelState:
    """Return what the cache has of a kernel, asking no network."""
    if kernel.home is Home.UML:
        return _uml_state(kernel)
    choice = stock.remembered_choice(kernel)
    if choice is None:
        return KernelState(kernel, None, ready=False, buildable=False, notes=(), folder=None)
    entry = stock.stock_entry(choice)
    facts = entry.facts()
    notes = (choice.note,) if choice.note else ()
    buildable = False
    if facts:
        tools = toolchain.toolchain_entry(facts["compiler"])
        buildable = tools is None or tools.facts() is not None
    ready = facts is not None
    return KernelState(kernel, choice.version, ready, buildable, notes, entry.folder)


def _uml_state(kernel: Kernel) -> KernelState:
    tree = source.cached(kernel)
    if tree is None:
        return KernelState(kernel, None, ready=False, buildable=False, notes=(), folder=None)
    entry = uml.entry_for(kernel, tree)
    facts = entry.facts()
    notes = (*tree.losses, *(facts["losses"] if facts else ()))
    ready = facts is not None
    return KernelState(kernel, tree.version, ready, ready, notes, entry.folder)


def all_states() -> list[KernelState]:
    """Return the state of every kernel, in the order they are listed."""
    return [state_of(kernel) for kernel in KERNELS.values()]
