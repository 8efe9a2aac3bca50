# SPDX-License-Identifier: BSD-3-Clause
"""The tunnel's packets on the cable, and what tshark makes of them."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nexusnet.demo.errors import DemoError
from nexusnet.demo.measure import wait_for
from nexusnet.demo.namespaces import CABLE, End, run
from nexusnet.demo.processes import running

# RFC 9000 section 19, RFC 9221 section 4.
ACK: Final = {"2", "3"}
DATAGRAM: Final = {"48", "49"}

FIELDS: Final = ("quic.frame_type", "quic.short", "_ws.malformed", "quic.decryption_failed")


@dataclass(frozen=True, slots=True)
class Dissection:
    """What tshark found.

    Attributes:
        packets: UDP datagrams captured.
        quic: of these, datagrams that are QUIC.
        datagram_frames: DATAGRAM frames in short-header packets.
        ack_frames: ACK frames.
        malformed: packets that it calls malformed.
        undecrypted: packets that it has no keys for.
    """

    packets: int
    quic: int
    datagram_frames: int
    ack_frames: int
    malformed: int
    undecrypted: int

    @property
    def complaint(self) -> str | None:
        """What is wrong with the capture; None where nothing is."""
        if not self.packets:
            return "the capture is empty"
        if self.quic != self.packets:
            return f"{self.packets - self.quic} of {self.packets} datagrams are not QUIC"
        if self.malformed or self.undecrypted:
            return (
                f"tshark finds {self.malformed} packets malformed, {self.undecrypted} undecrypted"
            )
        if not self.datagram_frames or not self.ack_frames:
            return "there are no DATAGRAM or no ACK frames in it"
        return None


@contextlib.contextmanager
def capturing(end: End, file: Path, port: int, log: Path) -> Iterator[None]:
    """Capture the tunnel's packets for the time of a block.

    Args:
        end: on whose end of the cable.
        file: where to.
        port: UDP port of the server.
        log: for what tcpdump says.
    """
    # Packet-buffered; its own privileges kept, for the folder may be anybody's.
    command = end.command(
        "tcpdump", "-i", CABLE, "-U", "-Z", "root", "-w", str(file), f"udp port {port}"
    )
    with running("tcpdump", command, log) as program:
        if not wait_for(lambda: "listening on" in log.read_text(errors="replace"), 10, program):
            raise DemoError(f"tcpdump does not begin to listen: see {log}")
        yield


def dissect(file: Path, keys: Path, port: int) -> Dissection:
    """Decode a capture with tshark.

    Raises:
        DemoError: tshark failed.
    """
    command = ["tshark", "-n", "-r", str(file), "-o", f"tls.keylog_file:{keys}"]
    command += ["-d", f"udp.port=={port},quic", "-T", "fields", "-E", "separator=/t"]
    for field in ("frame.protocols", *FIELDS):
        command += ["-e", field]
    done = run(command, timeout=120)
    if done.returncode:
        raise DemoError(f"tshark: {done.stderr.strip()[-200:]}")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    frames: Counter[str] = Counter()
    for row in rows:
        frames.update(number.strip() for number in row[1].split(",") if number)
    return Dissection(
        packets=len(rows),
        quic=sum("quic" in row[0].split(":") for row in rows),
        datagram_frames=sum(_count(frames, number) for number in DATAGRAM),
        ack_frames=sum(_count(frames, number) for number in ACK),
        malformed=sum(bool(row[3]) for row in rows),
        undecrypted=sum(bool(row[4]) for row in rows),
    )


def _count(frames: Counter[str], number: str) -> int:
    """Versions of tshark print decimal or hexadecimal numbers."""
    return frames[number] + frames[f"0x{int(number):x}"] + frames[f"0x{int(number):016x}"]
