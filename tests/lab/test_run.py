# SPDX-License-Identifier: BSD-3-Clause
"""Commands inside a kernel: what goes in, what comes back, what is left behind."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexus_lab import Fault, Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

KERNEL = "uml-debug"
COMMAND = [sys.executable, "-m", "nexus_lab"]

ECHO = """
import json, os, sys
print(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), "odd": os.environ["ODD"],
    "kernel": os.environ["NEXUS_LAB_KERNEL"], "uid": os.getuid(), "input": sys.stdin.read()}))
sys.stderr.write("to standard error")
with open(os.environ["NEXUS_LAB_OUT"] + "/result", "w") as out:
    out.write(os.uname().release)
try:
    open(os.environ["ELSEWHERE"] + "/thrown-away", "w").close()
finally:
    sys.exit(7)
"""


def test_a_command_is_run_as_it_was_given(lab: Lab, tmp_path: Path) -> None:
    tricky = ["", " ", "a b", "'", '"', "$HOME", "`id`", "\\", "*", "-n", "--", "a=b", "ünï\n", ";"]
    place, out = tmp_path / "a folder's name", tmp_path / "out"
    place.mkdir()
    pieces: list[bytes] = []
    result = lab.run(
        KERNEL,
        [sys.executable, "-c", ECHO, *tricky],
        cwd=place,
        out=out,
        environ={"ODD": "two\nlines 'quoted' $x", "ELSEWHERE": str(place)},
        stdin=b"some input\n",
        leak_check=False,
        on_stdout=pieces.append,
    )
    assert result.problems == ()
    assert result.status == 7
    assert result.exit_status == 7
    assert not result.passed
    assert json.loads(result.stdout) == {
        "argv": tricky,
        "cwd": str(place),
        "odd": "two\nlines 'quoted' $x",
        "kernel": KERNEL,
        "uid": 0,
        "input": "some input\n",
    }
    assert b"".join(pieces) == result.stdout
    assert result.stderr == b"to standard error"
    assert (out / "result").read_text() == lab.machine(KERNEL).release
    assert not list(place.iterdir())
    assert "Linux version" in result.log
    assert result.boot_seconds is not None


# Bytes of every kind, more than any buffer on the way holds, then death by a signal; a process that
# stays behind with the output open must not hold up the end.
FLOOD = """
import os, signal, subprocess, sys
subprocess.Popen(["sleep", "1000"])
for _ in range(4096):
    os.write(1, bytes(range(256)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_output_is_exact_and_a_signal_shows_in_the_status(lab: Lab) -> None:
    result = lab.run(KERNEL, [sys.executable, "-c", FLOOD], leak_check=False)
    assert result.problems == ()
    assert result.status == 128 + signal.SIGKILL
    assert result.stdout == bytes(range(256)) * 4096


def test_a_command_line_run_ends_at_its_time_limit(tmp_path: Path) -> None:
    log = tmp_path / "kernel.log"
    options = ["--kernel", KERNEL, "--timeout", "1", "--log", str(log), "--json"]
    run = subprocess.run(
        [*COMMAND, "run", *options, "--", "sleep", "1000"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 124, run.stderr
    facts = json.loads(run.stdout)
    assert [problem["fault"] for problem in facts["problems"]] == [Fault.TIMEOUT.value]
    assert facts["status"] is None
    assert "took longer" in run.stderr
    assert facts["log"] == str(log)
    # What every task was at stands in the log.
    assert re.search(r"task:kthreadd\s", log.read_text())


def test_two_runs_at_once_do_not_meet(tmp_path: Path) -> None:
    command = [*COMMAND, "run", "--kernel", KERNEL, "--no-leak-check", "--", "sh", "-c"]
    runs = [
        subprocess.Popen(
            [*command, f"sleep 1; echo {number}; exit {number}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        )
        for number in (3, 4)
    ]
    for number, run in zip((3, 4), runs, strict=True):
        stdout, stderr = run.communicate(timeout=200)
        assert run.returncode == number, stderr.decode()
        assert stdout == f"{number}\n".encode()


def processes_of(mark: str) -> list[int]:
    """Return the processes with a mark in their environment, ourselves excepted."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (entry / "environ").read_bytes() and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


def tree_of(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield pid
    with contextlib.suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                yield from tree_of(int(child))


def gone(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def sockets() -> set[str]:
    """Return the addresses of unix sockets that stand in files or were chosen by the kernel."""
    lines = Path("/proc/net/unix").read_text().splitlines()[1:]
    return {line.split()[7] for line in lines if len(line.split()) > 7}


@pytest.mark.parametrize(
    ("kernel", "number"),
    [(KERNEL, signal.SIGKILL), (KERNEL, signal.SIGTERM), ("6.1", signal.SIGKILL)],
)
def test_a_killed_run_leaves_nothing(
    kernel: str, number: signal.Signals, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("killed")
    mark = f"NEXUS_LAB_TEST={place}"
    unix = sockets()
    run = subprocess.Popen(
        [*COMMAND, "run", "--kernel", kernel, "--", "sh", "-c", "echo up; exec sleep 1000"],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(place), "NEXUS_LAB_TEST": str(place)},
        cwd=place,
    )
    assert run.stdout
    try:
        assert run.stdout.readline() == b"up\n"
        family = list(tree_of(run.pid))
        assert len(family) > 3
        assert list(place.glob("nexus-lab-*"))
    finally:
        run.send_signal(number)
        run.wait(60)
        run.stdout.close()
    deadline = time.monotonic() + 30
    while not all(gone(pid) for pid in family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in family if not gone(pid)]
    assert not [pid for pid in processes_of(mark) if not gone(pid)]
    # Others may mount and unmount meanwhile; ours name the folder or the lab.
    mounts = Path("/proc/self/mountinfo").read_text()
    assert str(place) not in mounts
    assert "nexus-lab" not in mounts
    assert not {name for name in sockets() - unix if str(place) in name}
    left = list(place.glob("nexus-lab-*"))
    if number == signal.SIGTERM:
        assert not left
        assert run.returncode == 128 + number
    else:
        # A folder of plain files, for the next run to sweep.
        assert not [path for folder in left for path in folder.rglob("*") if path.is_socket()]
