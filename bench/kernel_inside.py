# SPDX-License-Identifier: BSD-3-Clause
"""Inside a kernel of the lab: traffic through each tunnel in turn; a JSON line for each run.

    python -m bench.kernel_inside MODULE.ko udp|tcp SECONDS REPEATS CONTENDER…

Time is what iperf3 says; under `--icount` a nanosecond of it is an instruction. There an idle CPU
skips to the next timer, so that every timeout fires while a file is being fetched: a loop of the
lowest priority keeps the CPU busy, and what it took while packets flowed is taken off the figures.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.kernel_tunnels import CONTENDERS, Stand, ciphers, load_modules
from bench.traffic import TrafficError, iperf

if TYPE_CHECKING:
    from collections.abc import Iterator

UDP_PAYLOAD: Final = 1200
WARM_SECONDS: Final = 1.0  # iperf3 takes whole ones
SLOT_SECONDS: Final = 0.1
SPINNING_SECONDS: Final = 0.05
IDLE: Final = ("chrt", "--idle", "0", "sh", "-c", "while :; do :; done")


def busy(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU that it has used, to the nanosecond: ticks are one percent of a run."""
    clock = ctypes.c_int()
    if error := ctypes.CDLL(None).clock_getcpuclockid(process.pid, ctypes.byref(clock)):
        raise OSError(error, os.strerror(error))
    return time.clock_gettime(clock.value)


@contextmanager
def spinner() -> Iterator[subprocess.Popen[bytes]]:
    """Use up all idle time."""
    process = subprocess.Popen(IDLE)
    try:
        # Its own files are fetched too: until it spins we do.
        while busy(process) < SPINNING_SECONDS:
            pass
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def idle_shares(idle: subprocess.Popen[bytes]) -> Iterator[list[float]]:
    """Which part of the time the idle loop has, in one slot after the other."""
    shares: list[float] = []
    end = threading.Event()

    def sample() -> None:
        then, used = time.monotonic(), busy(idle)
        while not end.wait(SLOT_SECONDS):
            now, more = time.monotonic(), busy(idle)
            shares.append((more - used) / (now - then))
            then, used = now, more

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield shares
    finally:
        end.set()
        sampler.join()


def traffic(
    stand: Stand, kind: str, seconds: float, idle: subprocess.Popen[bytes]
) -> dict[str, Any]:
    """One run of iperf3."""
    client, server = stand.ends
    options = ("--udp", "--bitrate", "0", "--length", str(UDP_PAYLOAD)) if kind == "udp" else ()
    with idle_shares(idle) as shares:
        end = iperf(client, server, stand.address, seconds, *options)["end"]
    # Before and after the run, iperf3 waits for its files: the middle is of the run.
    spare = median(shares)
    got = end["sum_received"] if "sum_received" in end and kind == "tcp" else end["sum"]
    made = {"seconds": got["seconds"], "idle": spare}
    if kind == "udp":
        return made | {"packets": got["packets"] - got["lost_packets"], "sent": got["packets"]}
    return made | {"bits": got["bytes"] * 8, "retransmits": end["sum_sent"].get("retransmits", 0)}


def measure(name: str, kind: str, seconds: float, idle: subprocess.Popen[bytes]) -> dict[str, Any]:
    """One contender."""
    try:
        with CONTENDERS[name]() as stand:
            traffic(stand, kind, WARM_SECONDS, idle)  # caches, windows, neighbours
            return traffic(stand, kind, seconds, idle)
    except (TrafficError, subprocess.SubprocessError, AssertionError, OSError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def work(argv: list[str], idle: subprocess.Popen[bytes]) -> None:
    """Measure and print."""
    module, kind, seconds, repeats, *names = argv
    load_modules()
    if module != "-":
        subprocess.run(["insmod", module], check=True, timeout=60)
    for repeat in range(int(repeats)):
        for name in names:
            made = measure(name, kind, float(seconds), idle)
            print(json.dumps({"name": name, "repeat": repeat} | made), flush=True)
    print(json.dumps({"name": "ciphers", "drivers": ciphers()}), flush=True)
    if module != "-":
        subprocess.run(["rmmod", Path(module).stem], check=True, timeout=60)


if __name__ == "__main__":
    with spinner() as spinning:
        work(sys.argv[1:], spinning)
