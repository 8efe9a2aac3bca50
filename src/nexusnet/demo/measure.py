# SPDX-License-Identifier: BSD-3-Clause
"""ping and iperf3 through the tunnel, read as numbers."""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nexusnet.demo.errors import DemoError
from nexusnet.demo.namespaces import End
from nexusnet.demo.processes import Program, running

PINGS: Final = 20
PORT: Final = 5201
UDP_TRIALS: Final = 5
UDP_LOSS_GOAL: Final = 1.0
"""Percent."""
UDP_BUFFER: Final = 2 << 20
"""Bytes of a socket's buffers, where the system allows as much: most allow a tenth."""
BUFFER_LIMITS: Final = tuple(Path(f"/proc/sys/net/core/{name}_max") for name in ("rmem", "wmem"))
IP_UDP_HEADERS: Final = {4: 28, 6: 48}


@dataclass(frozen=True, slots=True)
class Latency:
    """What ping says.

    Attributes:
        sent: requests.
        received: answers.
        average_ms: round-trip time in milliseconds; None without an answer.
    """

    sent: int
    received: int
    average_ms: float | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """What iperf3 says.

    Attributes:
        bits_per_second: that arrived.
        loss_percent: of UDP datagrams; None for TCP.
        cpu_percent: of one core, that both agents used meanwhile.
    """

    bits_per_second: float
    loss_percent: float | None
    cpu_percent: float


def ping(end: End, address: str) -> Latency:
    """Ping an address of the other end."""
    done = end.run("ping", "-n", "-q", "-i", "0.05", "-W", "2", "-c", str(PINGS), address)
    return parse_ping(done.stdout)


def parse_ping(text: str) -> Latency:
    """Read what `ping -q` prints.

    Raises:
        DemoError: it is something else.
    """
    counts = re.search(r"(\d+) packets transmitted, (\d+) received", text)
    if counts is None:
        raise DemoError(f"ping said something unexpected: {text.strip()[-200:]}")
    times = re.search(r"= [\d.]+/([\d.]+)/", text)
    return Latency(int(counts[1]), int(counts[2]), float(times[1]) if times else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """iperf3 in one direction.

    Attributes:
        client: where its client runs.
        server: where its server runs.
        address: of the server, inside the tunnel.
        log: for what the server says.
        seconds: of a transfer.
        reverse: from the server to the client.
        agents: whose CPU time is counted.
    """

    client: End
    server: End
    address: str
    log: Path
    seconds: float
    reverse: bool
    agents: Sequence[Program]

    def tcp(self) -> Transfer:
        """Send over one TCP connection.

        Raises:
            DemoError: iperf3 failed.
        """
        return self._run(self.seconds, is_udp=False)

    def udp_rate(self, start: float, size: int) -> Transfer:
        """Find a rate that UDP reaches with hardly any loss, after RFC 2544: halved until it does.

        Args:
            start: bit/s of the first trial.
            size: payload of the datagrams in bytes.

        Raises:
            DemoError: iperf3 failed.
        """
        rate, seconds, buffer = start, min(self.seconds, 1.0), str(udp_buffer())
        for _ in range(UDP_TRIALS):
            options = ("-u", "-b", f"{rate:.0f}", "-l", str(size), "-w", buffer)
            transfer = self._run(seconds, *options, is_udp=True)
            if (transfer.loss_percent or 0.0) <= UDP_LOSS_GOAL:
                break
            rate /= 2
        return transfer

    def _run(self, seconds: float, *options: str, is_udp: bool) -> Transfer:
        command = ["iperf3", "-J", "-c", self.address, "-p", str(PORT), "-t", f"{seconds:g}"]
        command += ["-R"] * self.reverse
        # A server for each transfer: one that has just finished a transfer may reset the next.
        server = self.server.command("iperf3", "-s", "-1", "-p", str(PORT))
        with running("iperf3", server, self.log) as program:
            if not wait_for(self._listens, 10, program):
                raise DemoError(f"iperf3 does not listen: see {self.log}")
            begin, before = time.monotonic(), self._cpu_seconds()
            done = self.client.run(*command, *options, timeout=seconds + 30)
            elapsed, used = time.monotonic() - begin, self._cpu_seconds() - before
        bits, loss = parse_iperf(done.stdout, is_udp=is_udp)
        return Transfer(bits, loss, 100 * used / elapsed)

    def _listens(self) -> bool:
        return bool(self.server.run("ss", "-Hltn", f"sport = :{PORT}").stdout.strip())

    def _cpu_seconds(self) -> float:
        return sum(agent.cpu_seconds() for agent in self.agents)


def udp_buffer(limits: Sequence[Path] = BUFFER_LIMITS) -> int:
    """Return bytes for a UDP socket's buffers: iperf3 gives up where it gets less than it asks for.

    Args:
        limits: files with the system's limits.
    """
    return min(UDP_BUFFER, *(int(limit.read_text()) for limit in limits))


def parse_iperf(text: str, *, is_udp: bool) -> tuple[float, float | None]:
    """Read what `iperf3 -J` prints: bit/s that arrived, and loss in percent.

    Raises:
        DemoError: it failed, or printed something else.
    """
    try:
        result: dict[str, Any] = json.loads(text)
        if "error" in result:
            raise DemoError(f"iperf3: {result['error']}")
        summary = result["end"]
        if not is_udp:
            return float(summary["sum_received"]["bits_per_second"]), None
        # Newer versions tell both sides apart; older ones have the receiver's view in "sum".
        total = summary.get("sum_received") or summary["sum"]
        loss = float(total.get("lost_percent", summary["sum"]["lost_percent"]))
        return float(total["bits_per_second"]), loss
    except (ValueError, KeyError, TypeError) as error:
        raise DemoError(f"iperf3 said something unexpected: {text.strip()[-200:]}") from error


def wait_for(condition: Callable[[], bool], seconds: float, *programs: Program) -> bool:
    """Return whether a condition came true in time, while programs run.

    Raises:
        DemoError: a program ended meanwhile.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for program in programs:
            program.check()
        if condition():
            return True
        time.sleep(0.1)
    return condition()
