# SPDX-License-Identifier: BSD-3-Clause
"""Running programs so that nothing outlives the lab, and with their output kept in a file."""

import functools
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from nexus_lab.errors import LabError
from nexus_lab.progress import step

TAIL = 25  # lines of a failed program's log worth showing

# First process of the jail. The program is not it: as such it could not abort(), nor end by its own
# signals. $1: options of a tmpfs to lay over $2, or nothing.
_JAIL = """
if [ "$1" ]; then mount -t tmpfs -o "$1" nexus-lab "$2" || exit 125; fi
shift 2
"$@"
exit "$?"
"""


@functools.cache
def can_unshare() -> bool:
    """Say whether this machine lets us have namespaces of our own (containers may not)."""
    probe = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "true"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


def jailed(argv: Sequence[str], tmpfs: tuple[Path, int] | None = None) -> list[str]:
    """Wrap a command so that the kernel ends it, children, mounts and all, when we die.

    The parent-death signal ends `unshare`, `--kill-child` its child, and that is the first process
    of a PID namespace: when it goes, all go. Without the right to namespaces only the signal is
    left. It follows the thread that starts the program, so that thread must wait for it.

    Args:
        argv: the command.
        tmpfs: a folder to lay a private tmpfs over, and its size in MiB.
    """
    guarded = ["setpriv", "--pdeathsig", "KILL", "--"]
    if not can_unshare():
        return [*guarded, *argv]
    jail = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"]
    options, folder = (f"size={tmpfs[1]}m", str(tmpfs[0])) if tmpfs else ("", "")
    return [*guarded, *jail, "sh", "-c", _JAIL, "sh", options, folder, *argv]


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Kill a jailed process and with it all that it started."""
    process.kill()
    process.wait()


def last_line(log: Path) -> str:
    """Return the last line of a growing log, shortened to fit a terminal."""
    try:
        with log.open("rb") as handle:
            handle.seek(max(0, log.stat().st_size - 2000))
            lines = handle.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:100] for line in reversed(lines) if line.strip()), "")


def run_logged(
    argv: Sequence[str],
    label: str,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a long command with its output appended to `log`; on failure show the end of it."""
    with log.open("ab") as handle, step(label, lambda: last_line(log)):
        status = subprocess.run(
            jailed(argv),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
        ).returncode
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL:])
        raise LabError(f"{label} failed (exit status {status}); full log: {log}\n{tail}")


def output_of(argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Return what a short command prints; a failure is an error with its own words."""
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, env=env)
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is missing: run tools/setup as root") from error
    if done.returncode:
        raise LabError(f"{' '.join(argv[:4])} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
