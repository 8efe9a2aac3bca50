# SPDX-License-Identifier: BSD-3-Clause
"""A thousand bogus Initials a second while a tunnel runs: what it costs, and who still gets in.

Two namespaces, two agents in mode reality, the camouflage target in the server's namespace. The
flood, the target and the load all share this machine's cores with both agents. What the first two
take by being here is measured as well: the same flood, sent to the target past the server's agent.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime as dt
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.ends import EndError
from nexusnet.agent.errors import AgentError
from nexusnet.agent.scaffold import Camouflage, make_scaffold, write_files
from nexusnet.cli.client import ask
from nexusnet.demo.errors import DemoError
from nexusnet.demo.measure import Load, wait_for
from nexusnet.demo.namespaces import CABLE, End, ip, two_ends
from nexusnet.demo.processes import Program, cpu_seconds, running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
RATE: Final = 1000
SECONDS, QUICK_SECONDS = 30.0, 3.0
PORT, SITE_PORT, DEVICE = 443, 8443, "nexus0"
SITE: Final = "www.example.org"
FLOODERS: Final = "10.209.78"
UP_WITHIN: Final = 120.0
LEAST_SHARE: Final = 0.8
"""Of the throughput without a siege."""
ROUNDS: Final = 3
SETTLING: Final = 0.5
MOST_GROWTH: Final = 64.0
"""MiB by which the server may grow."""


@dataclass(frozen=True, slots=True)
class Result:
    """One siege.

    Attributes:
        quiet_bits_per_second: TCP through the tunnel, without a siege; of each round.
        rig_bits_per_second: the same while the flood goes to the target past the server's agent.
        siege_bits_per_second: the same during a siege.
        share: of the quiet throughput, during a siege, median of the rounds.
        rig_share: of the quiet throughput, with the flood past the agent, likewise.
        bogus_per_second: Initials that were sent.
        quiet_mib: memory of the server's agent before.
        siege_mib: the most that it had during the siege.
        rig_cpu_percent: of one core, that the flood and the target used during the siege.
        server_cpu_percent: of one core, that the server's agent used for strangers alone.
        guests: genuine clients that knocked during the siege, beside a busy tunnel.
        guests_in: of these, those that got in.
        guest_seconds: median time that they took.
        client_cpu_ms: CPU time of a client's handshake.
        server_cpu_ms: CPU time of the server's agent for one handshake, with no siege.
        strangers: what became of datagrams and flows, as the server counts it.
        complaints: what it should have done better.
    """

    quiet_bits_per_second: tuple[float, ...]
    rig_bits_per_second: tuple[float, ...]
    siege_bits_per_second: tuple[float, ...]
    share: float
    rig_share: float
    bogus_per_second: float
    quiet_mib: float
    siege_mib: float
    rig_cpu_percent: float
    server_cpu_percent: float
    guests: int
    guests_in: int
    guest_seconds: float
    client_cpu_ms: float
    server_cpu_ms: float
    strangers: dict[str, int]
    complaints: tuple[str, ...]


class Helper:
    """A process that says a line when it is ready, and does something at a line of ours."""

    def __init__(self, end: End, module: str, *arguments: str) -> None:
        command = end.command(sys.executable, "-m", module, *arguments)
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        """The next line that it prints."""
        if self.process.stdout is None:
            raise EndError("a helper without pipes")
        said = self.process.stdout.readline().strip()
        if not said:
            raise EndError(f"a helper says nothing; exit status {self.process.poll()}")
        return said

    def tell(self, line: str) -> None:
        """Send it a line."""
        if self.process.stdin is None:
            raise EndError("a helper without pipes")
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def ask(self, line: str) -> str:
        """Send it a line, and return the next one that it prints."""
        self.tell(line)
        return self.line()

    def cpu_seconds(self) -> float:
        """CPU time that it has used."""
        return cpu_seconds(self.process.pid)

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(30)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@contextlib.contextmanager
def helper(end: End, module: str, *arguments: str) -> Iterator[Helper]:
    """Run one for the time of a block."""
    one = Helper(end, module, *arguments)
    try:
        yield one
    finally:
        one.stop()


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


@dataclass(frozen=True)
class Scene:
    """Two agents with a tunnel, and a site behind the server."""

    server: End
    client: End
    run: Path
    site: Helper
    agents: tuple[Program, Program]

    def status(self, name: str) -> dict[str, object]:
        """What an agent says about itself."""
        status: dict[str, object] = ask(self.run / f"{name}.sock", "status")
        return status

    def throughput(self, seconds: float) -> float:
        """TCP from the client to the server, in bit/s."""
        address = self.server.addresses(DEVICE)[4]
        load = Load(
            client=self.client,
            server=self.server,
            address=address,
            log=self.run / "iperf3.log",
            # iperf3 knows whole seconds, and takes 0 for no end.
            seconds=max(1, round(seconds)),
            reverse=False,
            agents=self.agents,
        )
        return load.tcp().bits_per_second

    @contextlib.contextmanager
    def flood(self) -> Iterator[Helper]:
        """Have bogus Initials ready for the time of a block."""
        with helper(self.client, "bench.siege_flood", FLOODERS, str(RATE), SITE) as flood:
            flood.line()
            yield flood

    def lay(self, flood: Helper, port: int) -> None:
        """Send the flood to a port of the server."""
        flood.ask(f"{self.server.ipv4} {port}")
        time.sleep(SETTLING)

    def knock(self, seconds: float) -> list[dict[str, float]]:
        """Have genuine clients come for a time."""
        command = self.client.command(
            sys.executable, "-m", "bench.siege_guest", str(self.run / "guest.toml"), f"{seconds:g}"
        )
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds + 60
        )
        if done.returncode:
            raise EndError(f"genuine clients cannot knock: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]


def is_up(run: Path) -> bool:
    """Whether the tunnel carries packets."""
    try:
        status = ask(run / "client.sock", "status")
    except AgentError:
        return False
    return bool(status["peers"][0]["state"] == "up")


@contextlib.contextmanager
def scene() -> Iterator[Scene]:
    """Set everything up; it is gone afterwards."""
    with contextlib.ExitStack() as stack:
        server, client = stack.enter_context(two_ends())
        run = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nexus-siege-")))
        made = make_scaffold(
            endpoint=f"{server.ipv4}:{PORT}",
            clients=["client", "guest"],
            now=dt.datetime.now(dt.UTC),
            camouflage=Camouflage(f"127.0.0.1:{SITE_PORT}", SITE),
            interface=DEVICE,
        )
        files = dict(made.files)
        for name in ("server", "client"):
            control = f'\n[control]\nsocket_file = "{run}/{name}.sock"\n'
            files[f"{name}.toml"] += f'{control}state_file = "{run}/{name}.json"\n'.encode()
        write_files(run, files)
        # The flood's addresses: local at the client, and known to the server.
        network = f"{FLOODERS}.0/24"
        ip("-n", client.name, "route", "add", "local", network, "dev", "lo")
        ip("-n", server.name, "route", "add", network, "via", client.ipv4, "dev", CABLE)
        site = stack.enter_context(helper(server, "bench.siege_site", str(SITE_PORT), SITE))
        site.line()
        programs = []
        for end, name in ((server, "server"), (client, "client")):
            command = end.command(
                sys.executable, "-m", "nexusnet", "agent", "--config", str(run / f"{name}.toml")
            )
            program = stack.enter_context(running(f"the {name}'s agent", command, run / name))
            programs.append(program)
            if not wait_for((run / f"{name}.sock").exists, UP_WITHIN, *programs):
                raise DemoError(f"the {name}'s agent does not start: {(run / name).read_text()}")
        if not wait_for(lambda: is_up(run), UP_WITHIN, *programs):
            raise DemoError(f"the tunnel does not come up: {(run / 'client').read_text()}")
        yield Scene(server, client, run, site, (programs[0], programs[1]))


def run(*, quick: bool) -> list[Result]:
    """Lay siege to a server."""
    seconds = QUICK_SECONDS if quick else SECONDS
    try:
        with scene() as found:
            return [siege(found, seconds)]
    except (DemoError, AgentError) as error:
        raise EndError(str(error)) from error


def siege(found: Scene, seconds: float) -> Result:
    """Measure without a siege and during one, in turn: a machine's speed varies."""
    agent = found.agents[0]
    cpu = agent.cpu_seconds()
    alone = [one for one in found.knock(seconds / 3) if "seconds" in one]
    server_cpu = (agent.cpu_seconds() - cpu) / max(1, len(alone))
    client_cpu = sum(one["cpu"] for one in alone) / max(1, len(alone))
    found.site.ask("cheap")
    mib = resident_mib(agent)
    watch = Watch(agent)
    watch.start()
    quiet, rig, besieged = [], [], []
    with found.flood() as flood:
        for _ in range(ROUNDS):
            quiet.append(found.throughput(seconds / 2 / ROUNDS))
            found.lay(flood, SITE_PORT)
            rig.append(found.throughput(seconds / 2 / ROUNDS))
            found.lay(flood, PORT)
            besieged.append(found.throughput(seconds / ROUNDS))
            flood.ask("rest")
        before = int(flood.ask("rest"))
        found.lay(flood, PORT)
        begin, cpu = time.monotonic(), agent.cpu_seconds()
        rig_cpu = flood.cpu_seconds() + found.site.cpu_seconds()
        time.sleep(seconds / 6)
        elapsed = time.monotonic() - begin
        busy = 100 * (agent.cpu_seconds() - cpu) / elapsed
        rig_busy = 100 * (flood.cpu_seconds() + found.site.cpu_seconds() - rig_cpu) / elapsed
        with concurrent.futures.ThreadPoolExecutor() as pool:
            load = pool.submit(found.throughput, seconds / 2)
            guests = found.knock(seconds / 2)
            load.result()
        sent = int(flood.ask("rest")) - before
        flood_seconds = time.monotonic() - begin + SETTLING
    watch.over.set()
    watch.join(5)
    share = statistics.median(map(truediv, besieged, quiet))
    inside = sorted(one["seconds"] for one in guests if "seconds" in one)
    return Result(
        quiet_bits_per_second=tuple(quiet),
        rig_bits_per_second=tuple(rig),
        siege_bits_per_second=tuple(besieged),
        share=share,
        rig_share=statistics.median(map(truediv, rig, quiet)),
        bogus_per_second=sent / flood_seconds,
        quiet_mib=mib,
        siege_mib=watch.most,
        rig_cpu_percent=rig_busy,
        server_cpu_percent=busy,
        guests=len(guests),
        guests_in=len(inside),
        guest_seconds=inside[len(inside) // 2] if inside else float("nan"),
        client_cpu_ms=1000 * client_cpu,
        server_cpu_ms=1000 * server_cpu,
        strangers=strangers(found.status("server")),
        complaints=complaints(share, watch.most - mib, len(inside), len(guests)),
    )


def strangers(status: dict[str, object]) -> dict[str, int]:
    """What the server counted."""
    found = status.get("strangers", {})
    return dict(found) if isinstance(found, dict) else {}


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


def mbits(rounds: tuple[float, ...]) -> str:
    """Return a row of figures."""
    return "".join(f"{bits / 1e6:8.0f}" for bits in rounds) + " Mbit/s"


def table(results: list[Result]) -> str:
    """Return the results as text."""
    lines = []
    for one in results:
        lines += [
            f"bogus Initials          {one.bogus_per_second:8.0f} /s",
            f"tunnel, TCP, quiet      {mbits(one.quiet_bits_per_second)}",
            f"  flood past the server {mbits(one.rig_bits_per_second)} {one.rig_share:.0%}",
            f"  besieged              {mbits(one.siege_bits_per_second)} {one.share:.0%}",
            f"flood and target, CPU   {one.rig_cpu_percent:8.0f} % of a core",
            f"server's memory         {one.quiet_mib:8.0f} MiB, {one.siege_mib:.0f} MiB at most",
            f"server's CPU, strangers {one.server_cpu_percent:8.0f} % of a core",
            f"genuine clients         {one.guests_in:8d} of {one.guests} got in",
            f"they took               {1000 * one.guest_seconds:8.0f} ms in the median",
            f"a handshake, client     {one.client_cpu_ms:8.1f} ms of CPU",
            f"a handshake, server     {one.server_cpu_ms:8.1f} ms of CPU, with what follows it",
            f"strangers               {one.strangers}",
            *(f"NOT WELL: {complaint}" for complaint in one.complaints),
        ]
    return "\n".join(lines)
