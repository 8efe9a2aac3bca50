# SPDX-License-Identifier: BSD-3-Clause
"""What tshark makes of a capture."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

FIELDS = (
    "frame.number",
    "quic.short",
    "quic.dcid",
    "quic.packet_number",
    "quic.key_phase",
    "quic.spin_bit",
    "quic.frame_type",
    "quic.dg",
    "quic.version",
    "_ws.malformed",
    "_ws.expert.message",
    "_ws.expert.severity",
    "quic.decryption_failed",
)

SEVERITY_WARNING = 0x00600000


@dataclass(frozen=True, slots=True)
class Dissection:
    """One packet, by the names of tshark's fields; of a field that occurs often, all values."""

    fields: dict[str, list[str]]

    def all(self, name: str) -> list[str]:
        return self.fields[name]

    def warnings(self) -> list[str]:
        """Return what tshark takes for a warning or an error; notes are left out."""
        marked = zip(self.all("_ws.expert.severity"), self.all("_ws.expert.message"), strict=True)
        return [message for severity, message in marked if int(severity) >= SEVERITY_WARNING]

    def one(self, name: str) -> str:
        (value,) = self.fields[name]
        return value


def dissect(capture: Path, key_log: Path, *more: str) -> dict[int, Dissection]:
    """Return FIELDS and `more` of each packet, by its number in the capture."""
    wanted = (*FIELDS, *more)
    command = ["tshark", "-n", "-r", str(capture), "-o", f"tls.keylog_file:{key_log}"]
    command += ["-d", "udp.port==443,quic", "-T", "fields", "-E", "separator=/t"]
    command += ["-E", "occurrence=a", "-E", "aggregator=;"]
    for field in wanted:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    packets = {}
    for line in done.stdout.splitlines():
        cells = line.split("\t")
        values = {
            field: cell.split(";") if cell else []
            for field, cell in zip(wanted, cells, strict=True)
        }
        packets[int(cells[0])] = Dissection(values)
    return packets
