# SPDX-License-Identifier: BSD-3-Clause
"""One run: boots a machine, streams the command's output, waits, and judges what happened."""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nexus_lab.errors import LabError
from nexus_lab.machine import DATA, Guest, Job, Machine, Streams
from nexus_lab.runtime import run_folder
from nexus_lab.verdict import Fault, KunitTotals, Problem, kunit_totals, leaks_in, problems_in

BOOT_LIMIT = 300.0  # seconds from power-on to the command, on the busiest of machines
# The exit status of the whole when it is not the command's (the first as timeout(1) has it).
STATUS_TIMEOUT = 124
STATUS_LAB = 125
STATUS_KERNEL = 99

QUIET = 0.5  # seconds without a line after which a listing of tasks is taken to be complete
LAST_WORDS = 15  # lines of the log that are shown when a kernel stops without saying why

Sink = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Result:
    """How a run came out."""

    kernel: str
    release: str
    argv: tuple[str, ...]
    status: int | None
    """The command's exit status, 128+n when signal n killed it; None when it never ended."""
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    kunit: KunitTotals
    boot_seconds: float | None
    """From power-on to the command."""
    command_seconds: float | None
    total_seconds: float
    stdout: bytes
    stderr: bytes
    log: str
    """The kernel log, all of it."""

    @property
    def passed(self) -> bool:
        """True if the command succeeded and the kernel had nothing to report."""
        return self.status == 0 and not self.problems

    @property
    def exit_status(self) -> int:
        """The exit status of the whole: the command's where it failed, else what went wrong."""
        if any(problem.fault is Fault.TIMEOUT for problem in self.problems):
            return STATUS_TIMEOUT
        if self.status:
            return self.status
        return STATUS_KERNEL if self.problems or self.status is None else 0


@dataclass(slots=True)
class _Collector:
    """Takes one stream of the guest to its end."""

    sink: Sink | None
    data: bytearray = field(default_factory=bytearray)

    def drain(self, end: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := end.recv(65536):
                self.data += chunk
                try:
                    if self.sink:
                        self.sink(chunk)
                except BrokenPipeError:
                    self.sink = None  # nobody reads any more; the guest must not wait for that


def _write_share(share: Path, name: str, machine: Machine, job: Job) -> None:
    """Lay out what the guest's first process reads (lab/guest/main)."""
    for script in ("root", "main", "epilogue"):
        (share / script).write_bytes((DATA / "guest" / script).read_bytes())
    argv = job.argv
    if "=" in argv[0]:  # env(1) would take it for an assignment
        argv = ("sh", "-c", 'exec "$@"', "sh", *argv)
    (share / "argv").write_bytes(
        b"".join(word.encode(errors="surrogateescape") + b"\0" for word in argv)
    )
    (share / "environ").write_bytes(
        b"".join(
            f"{variable}={value}".encode(errors="surrogateescape") + b"\0"
            for variable, value in job.environ.items()
        )
    )
    (share / "cwd").write_text(str(job.cwd))
    # Resolved: an absolute link would lead elsewhere while the guest's root is being put together.
    folders = [str(machine.modules.resolve()) if machine.modules else ""]
    folders += [str(path.resolve()) for path in job.writable]
    if any("\n" in folder for folder in folders):
        raise LabError("a folder's path has a line break in it")
    (share / "folders").write_text("".join(f"{folder}\n" for folder in folders))
    (share / "settings").write_text(
        f"KERNEL={name}\nKIND={'shell' if job.interactive else 'run'}\n"
        f"PATIENCE={machine.patience}\nLEAK_CHECK={int(job.leak_check)}\n"
    )
    if job.stdin is not None:
        (share / "stdin").write_bytes(job.stdin)


@dataclass(slots=True)
class _Watch:
    """Follows a guest through its run."""

    share: Path
    job: Job
    machine: Machine
    guest: Guest
    console: socket.socket
    log: bytearray
    powered_on: float
    asked_at: int | None = None
    """How long the log was when we asked for the tasks: what follows is our own doing."""
    started: float | None = None
    ended: float | None = None
    problems: list[Problem] = field(default_factory=list)

    def follow(self) -> None:
        """Wait for the guest's end, or for a limit to pass."""
        while True:
            now = time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.guest.process.wait(0.02)
                self._note(now)
                return
            self._note(now)
            if (self.share / "done").exists():
                # All is said; a kernel that cannot even power off is only in the way.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.guest.process.wait(self.machine.patience)
                return
            if self.job.interactive:
                continue
            since, limit, what = self._phase()
            if now > since + limit:
                self._give_up(f"{what} took longer than {limit:g} s")
                return

    def _phase(self) -> tuple[float, float, str]:
        """Return when the run's current phase began, the seconds it may take, and its name."""
        if self.started is None:
            return self.powered_on, BOOT_LIMIT, "booting"
        if self.ended is None:
            return self.started, self.job.timeout, "the command"
        return self.ended, 60.0 + 4 * self.machine.patience, "clearing up after the command"

    def _note(self, now: float) -> None:
        if self.started is None and (self.share / "started").exists():
            self.started = now
        if self.ended is None and (self.share / "status").exists():
            self.ended = now

    def _give_up(self, why: str) -> None:
        """Record a timeout, with what the kernel's tasks are at: blocked ones, locks held, all."""
        self.problems.append(Problem(Fault.TIMEOUT, why))
        self.asked_at = len(self.log)
        for letter in "wdt":
            before = len(self.log)
            if not self.guest.request(letter, self.console):
                break
            self._wait_for_quiet(before)

    def _wait_for_quiet(self, before: int) -> None:
        """Wait until the log has grown and stopped growing, or patience is at an end."""
        length, since = before, time.monotonic()
        limit = since + self.machine.patience
        while (now := time.monotonic()) < limit:
            if len(self.log) > length:
                length, since = len(self.log), now
            if length > before and now > since + QUIET:
                return
            time.sleep(0.02)


def _text(data: bytearray) -> str:
    return bytes(data).decode(errors="replace").replace("\r\n", "\n")


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def _status(share: Path) -> int | None:
    try:
        return int((share / "status").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _judge(share: Path, watch: _Watch, log: str, complaints: str) -> list[Problem]:
    found = list(watch.problems)
    # The log holds a report twice where the console had it too.
    seen: set[str] = set()
    for problem in problems_in(log):
        if problem.summary not in seen:
            seen.add(problem.summary)
            found.append(problem)
    found += [Problem(Fault.LEFT_BEHIND, line) for line in _lines(share / "problems")]
    if (share / "kmemleak").exists():
        found += leaks_in((share / "kmemleak").read_text())
    timed_out = any(problem.fault is Fault.TIMEOUT for problem in found)
    if not (share / "done").exists() and not timed_out:
        what = "after the command" if _status(share) is not None else "before the command ended"
        words = [*log.splitlines(), *complaints.splitlines()][-LAST_WORDS:]
        last = "" if found else "\n".join(words)
        found.append(Problem(Fault.DIED, f"the kernel stopped {what}", last))
    return found


def _complaints(folder: Path) -> str:
    """Return what the programs around the guest printed."""
    logs = (folder / name for name in ("uml.log", "qemu.log", "virtiofsd.log"))
    return "".join(log.read_text(errors="replace") for log in logs if log.exists())


def run_job(
    name: str, machine: Machine, job: Job, out: Sink | None = None, err: Sink | None = None
) -> Result:
    """Run a command in a machine.

    Args:
        name: the kernel's name, for the result.
        machine: what to boot.
        job: what to run.
        out: called with each piece of standard output as it comes, from another thread.
        err: the same for standard error.
    """
    powered_on = time.monotonic()
    with run_folder() as folder:
        share = folder / "share"
        share.mkdir()
        _write_share(share, name, machine, job)
        pairs = [socket.socketpair() for _ in range(3)]
        collectors = [_Collector(None), _Collector(out), _Collector(err)]
        with contextlib.ExitStack() as stack:
            for ours, theirs in pairs:
                stack.callback(ours.close)
                stack.callback(theirs.close)
            readers = [
                threading.Thread(target=collector.drain, args=(ours,), daemon=True)
                for collector, (ours, _) in zip(collectors, pairs, strict=True)
            ]
            streams = Streams(*(theirs.fileno() for _, theirs in pairs))
            with machine.boot(folder, job, streams) as guest:
                for reader, (_, theirs) in zip(readers, pairs, strict=True):
                    theirs.close()  # the guest's copy is the last: its end is the stream's end
                    reader.start()
                watch = _Watch(
                    share, job, machine, guest, pairs[0][0], collectors[0].data, powered_on
                )
                watch.follow()
            for reader in readers:
                reader.join(5)
        console = _text(collectors[0].data)
        dmesg = "\n".join(_lines(share / "dmesg"))
        complaints = _complaints(folder)
        log = f"{dmesg}\n--- console\n{console}\n{complaints}"
        judged = f"{dmesg}\n{_text(collectors[0].data[: watch.asked_at])}"
        return Result(
            kernel=name,
            release=machine.release,
            argv=job.argv,
            status=_status(share),
            problems=tuple(_judge(share, watch, judged, complaints)),
            notes=tuple(_lines(share / "notes")),
            kunit=kunit_totals(dmesg or console),
            boot_seconds=watch.started and watch.started - powered_on,
            command_seconds=(watch.ended - watch.started)
            if watch.ended is not None and watch.started is not None
            else None,
            total_seconds=time.monotonic() - powered_on,
            stdout=bytes(collectors[1].data),
            stderr=bytes(collectors[2].data),
            log=log,
        )
