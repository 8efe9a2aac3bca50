# SPDX-License-Identifier: BSD-3-Clause
"""Records how real Chromium fills its first flights: tests/reality/data/chromium-156-flights.json.

    python -m tests.reality.browser.record --connections 76

Each connection is a fresh browser (Debian's package) that is told to load a page over HTTP/3 from a
port of this machine, where nobody answers; of its Initials only sizes and counts are kept. For
another version of the browser: record, compare, renew the capture beside it as well.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.reality.browser.comparison import CAPTURED_NAME, DATA
from tests.reality.browser.observer import FirstFlight, read_initial

FLIGHTS: Final = DATA / "chromium-156-flights.json"
PATIENCE: Final = 20.0
"""Seconds for a browser to start, on a busy machine."""

REPEATED: Final = 2
"""Times that a hello without an answer is repeated before the recording ends."""


@dataclass(frozen=True)
class Filling:
    """How a packet is filled.

    Attributes:
        number: packet number.
        number_length: bytes of it.
        at: seconds since the first packet.
        frames: of all kinds, adjoining PADDING as one.
        pieces: CRYPTO frames.
        pings: PING frames.
        ranges: first byte and byte after the last of each part of the hello, pieces put together.
    """

    number: int
    number_length: int
    at: float
    frames: int
    pieces: int
    pings: int
    ranges: list[list[int]]

    @classmethod
    def of(cls, datagram: bytes, at: float = 0.0) -> "Filling":
        packet = read_initial(datagram)
        ranges: list[list[int]] = []
        for start, data in sorted(packet.crypto.items()):
            if ranges and ranges[-1][1] == start:
                ranges[-1][1] += len(data)
            else:
                ranges.append([start, start + len(data)])
        return cls(
            packet.number,
            packet.number_length,
            round(at, 2),
            len(packet.frames),
            len(packet.crypto),
            packet.frames.count("PING"),
            ranges,
        )


def describe(datagrams: list[tuple[float, bytes]]) -> dict[str, Any]:
    """Return what is kept of a connection."""
    hello = FirstFlight.of(data for _, data in datagrams[:2]).message
    fillings = [asdict(Filling.of(data, at)) for at, data in datagrams]
    return {"hello": len(hello), "packets": fillings}


def connect(profile: Path) -> list[tuple[float, bytes]]:
    """Return a fresh browser's first datagrams, with the seconds since the first."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(PATIENCE)
        port = peer.getsockname()[1]
        browser = subprocess.Popen(
            [
                "chromium",
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                "--disable-background-networking",
                f"--user-data-dir={profile}",
                f"--origin-to-force-quic-on={CAPTURED_NAME}:{port}",
                f"--host-resolver-rules=MAP {CAPTURED_NAME} 127.0.0.1",
                "--dump-dom",
                f"https://{CAPTURED_NAME}:{port}/",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            datagrams: list[tuple[float, bytes]] = []
            begin = 0.0
            while len(datagrams) < 2 + REPEATED:
                data = peer.recv(2048)
                begin = begin or time.monotonic()
                datagrams.append((time.monotonic() - begin, data))
            return datagrams
        finally:
            # With all its processes: they are a session of their own.
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


def main() -> None:
    """Record, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--connections", type=int, default=76)
    parser.add_argument("--output", type=Path, default=FLIGHTS)
    options = parser.parse_args()
    flights = []
    for number in range(options.connections):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            flights.append(describe(connect(Path(profile))))
        sys.stdout.write(f"{number + 1} of {options.connections}: {flights[-1]['hello']} bytes\n")
    lines = ",\n".join(f" {json.dumps(flight)}" for flight in flights)
    options.output.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
