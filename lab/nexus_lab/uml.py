# SPDX-License-Identifier: BSD-3-Clause
"""User-Mode Linux: builds the kernel as a program, and boots it on the host's own root."""

import contextlib
import os
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus_lab import source
from nexus_lab.cache import Entry, content_key
from nexus_lab.errors import LabError
from nexus_lab.kernels import Kernel
from nexus_lab.machine import DATA, Guest, Job, Streams
from nexus_lab.process import can_unshare, end_process, jailed, output_of, run_logged
from nexus_lab.progress import say
from nexus_lab.source import Source

KIND = "uml"
COMPILER = "gcc"
# Kernel objects that out-of-tree builds do not need are most of a build's size.
_KEPT_FOLDERS = ("scripts", "include", "tools")


@dataclass(frozen=True, slots=True)
class UmlKernel:
    """A built User-Mode Linux."""

    source: Source
    objects: Path
    """The build folder, fit to build modules against."""
    program: Path
    modules: Path
    release: str
    losses: tuple[str, ...]


def configuration(kernel: Kernel, patches: tuple[str, ...]) -> str:
    """Return the options a flavour is built with, as KEY=value lines with comments."""
    names = ["common.config", "debug.config" if kernel.debug else "fast.config"]
    if "uml-accel-crypto.patch" in patches and not kernel.debug:
        names.append("accel.config")
    return last_words("".join((DATA / "uml" / name).read_text() for name in names))


def last_words(text: str) -> str:
    """Leave out what a later line takes back, so that a flavour can do without a common option."""
    lines = text.splitlines(keepends=True)
    last = {option: at for at, line in enumerate(lines) if (option := _option(line))}
    return "".join(line for at, line in enumerate(lines) if last.get(_option(line), at) == at)


def _option(line: str) -> str:
    """Return which option a line is about: CONFIG_X=y, or "# CONFIG_X is not set"; "" for none."""
    match = re.match(r"(CONFIG_\w+)=|# (CONFIG_\w+) is not set$", line)
    return (match[1] or match[2]) if match else ""


def not_taken(wanted: str, config: str) -> list[str]:
    """Return the wanted options that the kernel's configuration did not keep, on or off."""
    lines = config.splitlines()
    have, options = set(lines), {_option(line) for line in lines if line.startswith("CONFIG_")}
    return [
        line
        for line in wanted.splitlines()
        if line not in have
        # What is off need not be mentioned: it may depend on what is not there.
        and (line.startswith("CONFIG_") or _option(line) in options - {""})
    ]


def _configure(tree: Source, kernel: Kernel, folder: Path, log: Path) -> list[str]:
    """Write the .config; returns what was asked for in vain."""
    wanted = configuration(kernel, tree.patches)
    (folder / "wanted.config").write_text(wanted)
    run_logged(
        [*_make(tree, folder), f"KCONFIG_ALLCONFIG={folder / 'wanted.config'}", "allnoconfig"],
        f"{kernel.name}: configuring",
        log,
    )
    missing = not_taken(wanted, (folder / ".config").read_text())
    if missing and tree.series == kernel.series:
        raise LabError(
            f"{kernel.name}: Linux {tree.version} did not take {', '.join(missing)}; "
            f"mend lab/uml/*.config"
        )
    return missing


def _make(tree: Source, folder: Path) -> list[str]:
    jobs = os.cpu_count() or 1
    return [
        *("make", "-C", str(tree.folder), f"O={folder}", "ARCH=um"),
        *(f"CC={COMPILER}", f"-j{jobs}", "--silent"),
    ]


def _thin(folder: Path) -> None:
    """Drop what neither a run nor an out-of-tree build needs."""
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).parts[0]
        if inside in _KEPT_FOLDERS or not path.is_file() or path.is_symlink():
            continue
        if path.suffix in {".o", ".a", ".cmd", ".ko", ".mod"} and path.parts[-2] != "installed":
            path.unlink()


def entry_for(kernel: Kernel, tree: Source) -> Entry:
    """Return the cache entry of a flavour built from a source."""
    compiler = output_of([COMPILER, "--version"]).splitlines()[0]
    config = configuration(kernel, tree.patches)
    return Entry(KIND, f"{kernel.name}_{content_key(tree.key, config, compiler)}")


def build(kernel: Kernel, *, refresh: bool = False) -> UmlKernel:
    """Return a flavour, built when the cache does not have it."""
    tree = source.fetch(kernel, refresh=refresh)

    def fill(folder: Path) -> Mapping[str, Any]:
        objects, log = folder / "objects", folder / "build.log"
        objects.mkdir()
        missing = _configure(tree, kernel, objects, log)
        command = _make(tree, objects)
        run_logged([*command, "all"], f"{kernel.name}: building Linux {tree.version}", log)
        run_logged(
            [*command, f"INSTALL_MOD_PATH={folder / 'root'}", "modules_install"],
            f"{kernel.name}: installing its modules",
            log,
        )
        release = (objects / "include/config/kernel.release").read_text().strip()
        (folder / "root/lib/modules" / release).mkdir(parents=True, exist_ok=True)
        for name in ("build", "source"):
            (folder / "root/lib/modules" / release / name).unlink(missing_ok=True)
        _thin(objects)
        losses = [f"Linux {tree.version} has no {option}" for option in missing]
        return {"release": release, "losses": losses}

    entry = entry_for(kernel, tree)
    fresh = entry.facts() is None
    facts = entry.make(fill)
    losses = (*tree.losses, *facts["losses"])
    if fresh:
        for loss in losses:
            say(f"{kernel.name}: {loss}")
    return UmlKernel(
        source=tree,
        objects=entry.folder / "objects",
        program=entry.folder / "objects" / "linux",
        modules=entry.folder / "root" / "lib" / "modules",
        release=facts["release"],
        losses=losses,
    )


@dataclass(frozen=True, slots=True)
class _UmlGuest:
    process: subprocess.Popen[bytes]
    socket_path: Path
    patience: int

    def request(self, letter: str, console: socket.socket) -> bool:
        """Ask the management console (arch/um/drivers/mconsole.h) for a SysRq."""
        del console
        text = f"sysrq {letter}".encode()
        # struct mconsole_request: magic, version, length, data[512]
        message = struct.pack("=III512s", 0xCAFEBABE, 2, len(text), text)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
                ours.bind(b"")
                ours.settimeout(self.patience)
                ours.sendto(message, str(self._reachable()))
                # struct mconsole_reply: err, more, len, data. The last one comes when the SysRq
                # has printed all that it prints.
                while struct.unpack_from("=III", ours.recv(65536))[1]:
                    pass
        except OSError:
            return False
        return True

    def _reachable(self) -> Path:
        """Return the socket's path from here: it lies in a mount namespace of the guest's own."""
        if not can_unshare():
            return self.socket_path
        pid = self.process.pid  # of unshare, outside the namespaces; its child is inside
        child = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        return Path(f"/proc/{child}/root{self.socket_path}")


@dataclass(frozen=True, slots=True)
class UmlMachine:
    """A built User-Mode Linux, ready to boot."""

    kernel: UmlKernel
    debug: bool

    patience = 10

    @property
    def release(self) -> str:
        """What uname -r says."""
        return self.kernel.release

    @property
    def modules(self) -> Path | None:
        """The folder for the guest's /lib/modules."""
        return self.kernel.modules

    @contextmanager
    def boot(self, folder: Path, job: Job, streams: Streams) -> Iterator[Guest]:
        """Start it with the run's folder; leaving the `with` ends it, whatever its state."""
        if job.icount:
            raise LabError("--icount needs a QEMU kernel: 6.1, 6.12, 7.2 or 7.3")
        memory = job.memory or (2048 if self.debug else 1024)
        share, private = folder / "share", folder / "private"
        private.mkdir()
        shutil.copy(DATA / "uml" / "init", share / "init")
        out, err, log = (
            f"fd:{n},fd:{n}" for n in (streams.stdout, streams.stderr, streams.console)
        )
        if job.interactive:
            out = "fd:0,fd:1"
        arguments = [
            *(str(self.kernel.program), f"mem={memory}M", f"ncpus={job.cpus or 1}", "seccomp=on"),
            *("root=none", "rootfstype=hostfs", "hostfs=/", "ro", "init=/bin/sh"),
            *(f"nexus_share={share}", f"uml_dir={private}/", "umid=guest"),
            *(f"con0={log}", f"con1={out}", f"con2={err}", "con=null", "ssl=null"),
            # Built in, these two make devices that nobody asked for.
            *("dummy.numdummies=0", "ifb.numifbs=0", "panic=-1", "log_buf_len=4M"),
            *(*job.kernel_arguments, "--", str(share / "init")),
        ]
        if self.debug:
            # SLUB's per-CPU sheaves keep stale pointers, which make leaks look referenced; caches
            # with any debugging do without sheaves.
            arguments[1:1] = ["slab_debug=F", "kunit.autorun=1"]
        # Guest memory is a file: on a tmpfs of its own, out of reach and gone with the guest.
        place = private if can_unshare() else Path("/dev/shm")  # noqa: S108 - UML unlinks it at once
        with contextlib.ExitStack() as stack:
            complaints = stack.enter_context((folder / "uml.log").open("wb"))
            process = subprocess.Popen(
                jailed(arguments, tmpfs=(private, memory + 64)),
                env={**os.environ, "TMPDIR": str(place)},
                stdin=None if job.interactive else subprocess.DEVNULL,
                stdout=None if job.interactive else complaints,
                stderr=complaints,
                pass_fds=[streams.console, streams.stdout, streams.stderr],
                start_new_session=not job.interactive,
            )
            stack.callback(end_process, process)
            yield _UmlGuest(process, private / "guest" / "mconsole", self.patience)
