# SPDX-License-Identifier: BSD-3-Clause
"""A thousand bogus Initials a second while a tunnel runs: what it costs, and who still gets in.

Two namespaces, two agents in mode reality, the camouflage target in the server's namespace. The
flood, the target and the load all share this machine's cores with both agents. What the first two
take by being here is measured as well: the same flood, sent to the target past the server's agent.

One TCP connection runs through the tunnel all the time, while slices of a siege, slices of the
flood past the agent and quiet ones take turns. A machine's speed varies more than what is to be
measured, so each slice is compared with the two quiet ones beside it, and the median counts. The
CPU time that the agent takes for a stranger is measured without that connection.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.ends import EndError
from bench.flood import cpu_seconds
from bench.siege_scene import PORT, SITE_PORT, Helper, Scene, scene
from nexusnet.agent.errors import AgentError
from nexusnet.demo.errors import DemoError

if TYPE_CHECKING:
    from nexusnet.demo.processes import Program

SECONDS, QUICK_SECONDS = 30.0, 3.0
SLICES, QUICK_SLICES = 15, 2
"""Into which these seconds of siege are cut."""
SETTLING: Final = 0.5
"""Seconds at the start of a slice that do not count."""
LEAST_SHARE: Final = 0.8
"""Of the throughput without a siege."""
MOST_GROWTH: Final = 64.0
"""MiB by which the server may grow."""
FATES: Final = ("bad_tag", "undecided_too_long")
"""What can become of the flood's Initials."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Figures of many slices.

    Attributes:
        median: of them.
        least: of them.
        most: of them.
    """

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: list[float]) -> Spread:
        """Return what there is to say about some."""
        return cls(statistics.median(figures), min(figures), max(figures))


@dataclass(frozen=True, slots=True)
class Result:
    """One siege.

    Attributes:
        quiet_bits_per_second: TCP through the tunnel, without a siege.
        siege_bits_per_second: the same during a siege.
        share: of the quiet throughput, that is left during a siege.
        rig_share: of the quiet throughput, that is left with the flood past the agent.
        bogus_per_second: Initials that were sent during a siege.
        inspected: of these Initials, what share the server has looked at.
        quiet_mib: memory of the server's agent before.
        siege_mib: the most that it had.
        stranger_us: CPU time of the server's agent for a stranger, without other traffic.
        rig_us: that of flood and target for a stranger.
        guests: genuine clients that knocked during the siege, beside a busy tunnel.
        guests_in: of these, those that got in.
        guest_seconds: median time that they took.
        client_cpu_ms: CPU time of a client's handshake.
        server_cpu_ms: CPU time of the server's agent for one handshake, with no siege.
        strangers: what became of datagrams and flows, as the server counts it.
        load: of the machine at the start, by something else.
        complaints: what it should have done better.
    """

    quiet_bits_per_second: Spread
    siege_bits_per_second: Spread
    share: Spread
    rig_share: Spread
    bogus_per_second: float
    inspected: float
    quiet_mib: float
    siege_mib: float
    stranger_us: Spread
    rig_us: float
    guests: int
    guests_in: int
    guest_seconds: float
    client_cpu_ms: float
    server_cpu_ms: float
    strangers: dict[str, int]
    load: float
    complaints: tuple[str, ...]


class Watch(threading.Thread):
    """Samples a process's memory."""

    def __init__(self, program: Program) -> None:
        super().__init__(daemon=True)
        self.program = program
        self.most = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        """Sample until told otherwise."""
        while not self.over.wait(0.2):
            self.most = max(self.most, resident_mib(self.program))


def resident_mib(program: Program) -> float:
    """Memory of a process in MiB."""
    text = Path(f"/proc/{program.process.pid}/status").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def run(*, quick: bool) -> list[Result]:
    """Lay siege to a server."""
    try:
        with scene() as found:
            if quick:
                return [Siege(found, QUICK_SECONDS, QUICK_SLICES).lay()]
            return [Siege(found, SECONDS, SLICES).lay()]
    except (DemoError, AgentError) as error:
        raise EndError(str(error)) from error


class Siege:
    """A siege and what is measured of it.

    Attributes:
        quiet: bit/s of the quiet slices.
        besieged: bit/s of the slices of siege.
        share: of these, that of the quiet slices beside each.
        rig_share: likewise of the slices with the flood past the agent.
    """

    def __init__(self, found: Scene, seconds: float, slices: int) -> None:
        """Prepare one.

        Args:
            found: where.
            seconds: of siege beside a busy tunnel.
            slices: into which they are cut.
        """
        self.found = found
        self.seconds = seconds
        self.slices = slices
        self.quiet: list[float] = []
        self.besieged: list[float] = []
        self.share: list[float] = []
        self.rig_share: list[float] = []
        self._sent = 0
        self._inspected = 0
        self._besieged_seconds = 0.0

    def lay(self) -> Result:
        """Measure everything."""
        found, agent, load = self.found, self.found.agents[0], os.getloadavg()[0]
        cpu = agent.cpu_seconds()
        alone = [one for one in found.knock(self.seconds / 3) if "seconds" in one]
        server_cpu = (agent.cpu_seconds() - cpu) / max(1, len(alone))
        client_cpu = sum(one["cpu"] for one in alone) / max(1, len(alone))
        found.site.ask("cheap")
        mib = resident_mib(agent)
        watch = Watch(agent)
        watch.start()
        with found.flood() as flood:
            stranger, rig = self._prices(flood)
            with found.stream():
                self._slice()
                self._turns(flood)
                found.lay(flood, PORT)
                guests = found.knock(self.seconds / 2)
                flood.ask("rest")
        watch.over.set()
        watch.join(5)
        inside = sorted(one["seconds"] for one in guests if "seconds" in one)
        share = Spread.of(self.share)
        return Result(
            quiet_bits_per_second=Spread.of(self.quiet),
            siege_bits_per_second=Spread.of(self.besieged),
            share=share,
            rig_share=Spread.of(self.rig_share),
            bogus_per_second=self._sent / self._besieged_seconds,
            inspected=self._inspected / self._sent,
            quiet_mib=mib,
            siege_mib=watch.most,
            stranger_us=Spread.of(stranger),
            rig_us=rig,
            guests=len(guests),
            guests_in=len(inside),
            guest_seconds=inside[len(inside) // 2] if inside else float("nan"),
            client_cpu_ms=1000 * client_cpu,
            server_cpu_ms=1000 * server_cpu,
            strangers=found.status("server")["strangers"],
            load=load,
            complaints=complaints(share.median, watch.most - mib, len(inside), len(guests)),
        )

    def _prices(self, flood: Helper) -> tuple[list[float], float]:
        """CPU microseconds for a stranger: the server's agent's by slices, and the rig's."""
        pid = self.found.agents[0].process.pid
        helpers = (flood, self.found.site)
        self.found.lay(flood, PORT)
        time.sleep(2 * SETTLING)
        prices = []
        rig, sent = sum(one.cpu_seconds() for one in helpers), int(flood.ask("count"))
        for _ in range(self.slices):
            before = inspected(self.found.status("server"))
            cpu = cpu_seconds(pid)
            time.sleep(2 * SETTLING)
            spent = cpu_seconds(pid) - cpu
            prices.append(1e6 * spent / (inspected(self.found.status("server")) - before))
        rig = sum(one.cpu_seconds() for one in helpers) - rig
        sent = int(flood.ask("rest")) - sent
        return prices, 1e6 * rig / sent

    def _slice(self) -> float:
        """Bits a second through the tunnel, in one slice."""
        time.sleep(SETTLING)
        before, begin = self.found.delivered(), time.monotonic()
        time.sleep(self.seconds / self.slices)
        bits = 8 * (self.found.delivered() - before)
        return bits / (time.monotonic() - begin)

    def _turns(self, flood: Helper) -> None:
        """Quiet slices, slices of siege, and every second time one with the flood past it."""
        self.quiet.append(self._slice())
        for turn in range(self.slices):
            self._besiege(flood)
            if turn % 2 == 0:
                self.found.lay(flood, SITE_PORT)
                bits = self._slice()
                flood.ask("rest")
                self.quiet.append(self._slice())
                self.rig_share.append(bits / statistics.mean(self.quiet[-2:]))

    def _besiege(self, flood: Helper) -> None:
        before, begin = inspected(self.found.status("server")), time.monotonic()
        sent = int(self.found.lay(flood, PORT))
        bits = self._slice()
        self._sent += int(flood.ask("rest")) - sent
        self._besieged_seconds += time.monotonic() - begin
        self.besieged.append(bits)
        self.quiet.append(self._slice())
        # By now, what was undecided is decided.
        self._inspected += inspected(self.found.status("server")) - before
        self.share.append(bits / statistics.mean(self.quiet[-2:]))


def inspected(status: dict[str, Any]) -> int:
    """How many of the flood's Initials an agent has looked at, by its status."""
    return sum(int(status["strangers"].get(fate, 0)) for fate in FATES)


def complaints(share: float, growth: float, inside: int, guests: int) -> tuple[str, ...]:
    """What a siege did that it should not have."""
    found = []
    if share < LEAST_SHARE:
        found.append(f"{share:.0%} of the throughput is left")
    if growth > MOST_GROWTH:
        found.append(f"the server has grown by {growth:.0f} MiB")
    if inside < guests or not guests:
        found.append(f"{inside} of {guests} genuine clients got in")
    return tuple(found)


def row(spread: Spread, scale: float = 1.0) -> str:
    """Return figures as text: median, least and most."""
    median, least, most = (scale * one for one in (spread.median, spread.least, spread.most))
    return f"{median:8.0f}  ({least:.0f} to {most:.0f})"


def table(results: list[Result]) -> str:
    """Return the results as text."""
    lines = []
    for one in results:
        lines += [
            f"bogus Initials          {one.bogus_per_second:8.0f} /s, {one.inspected:.0%} read",
            f"tunnel, TCP, quiet      {row(one.quiet_bits_per_second, 1e-6)} Mbit/s",
            f"  besieged              {row(one.siege_bits_per_second, 1e-6)} Mbit/s",
            f"  left when besieged    {row(one.share, 100)} %",
            f"  left, flood past it   {row(one.rig_share, 100)} %",
            f"a stranger, server      {row(one.stranger_us)} us of CPU",
            f"a stranger, the rig     {one.rig_us:8.0f} us of CPU",
            f"server's memory         {one.quiet_mib:8.0f} MiB, {one.siege_mib:.0f} MiB at most",
            f"genuine clients         {one.guests_in:8d} of {one.guests} got in",
            f"they took               {1000 * one.guest_seconds:8.0f} ms in the median",
            f"a handshake, client     {one.client_cpu_ms:8.1f} ms of CPU",
            f"a handshake, server     {one.server_cpu_ms:8.1f} ms of CPU, with what follows it",
            f"strangers               {one.strangers}",
            f"load average, at first  {one.load:8.1f}",
            *(f"NOT WELL: {complaint}" for complaint in one.complaints),
        ]
    return "\n".join(lines)
