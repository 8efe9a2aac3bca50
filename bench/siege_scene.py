# SPDX-License-Identifier: BSD-3-Clause
"""Where a siege is laid: two namespaces, two agents in mode reality, their target, a flood."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.ends import ROOT, EndError
from bench.flood import cpu_seconds
from nexusnet.agent.errors import AgentError
from nexusnet.agent.scaffold import Camouflage, make_scaffold, write_files
from nexusnet.cli.client import ask
from nexusnet.demo.errors import DemoError
from nexusnet.demo.measure import wait_for
from nexusnet.demo.namespaces import CABLE, End, ip, two_ends
from nexusnet.demo.processes import Program, running

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE: Final = 1000
PORT, SITE_PORT, DEVICE = 443, 8443, "nexus0"
SITE: Final = "www.example.org"
FLOODERS: Final = "10.209.78"
UP_WITHIN: Final = 120.0


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


@contextlib.contextmanager
def ended(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process after a block."""
    try:
        yield
    finally:
        process.kill()
        process.wait(30)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@contextlib.contextmanager
def helper(end: End, module: str, *arguments: str) -> Iterator[Helper]:
    """Run one for the time of a block."""
    one = Helper(end, module, *arguments)
    with ended(one.process):
        yield one


@dataclass(frozen=True)
class Scene:
    """Two agents with a tunnel, and a site behind the server."""

    server: End
    client: End
    run: Path
    site: Helper
    agents: tuple[Program, Program]

    def status(self, name: str) -> dict[str, Any]:
        """What an agent says about itself."""
        status: dict[str, Any] = ask(self.run / f"{name}.sock", "status")
        return status

    def delivered(self) -> int:
        """Bytes that came out of the server's tunnels."""
        peers = self.status("server")["peers"]
        tunnels = [one["tunnel"] for one in peers if one.get("tunnel")]
        return sum(int(one["counters"]["inner"]["received_bytes"]) for one in tunnels)

    @contextlib.contextmanager
    def stream(self) -> Iterator[None]:
        """One TCP connection from the client to the server, as fast as it goes."""
        address = self.server.addresses(DEVICE)[4]
        sink = subprocess.Popen(
            self.server.command("iperf3", "-s", "--one-off", "--forceflush", "--bind", address),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        with ended(sink):
            if sink.stdout is None or not any("listening" in line for line in sink.stdout):
                raise EndError("iperf3 -s does not listen")
            command = self.client.command("iperf3", "-c", address, "-t", "3600")
            source = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            with ended(source):
                yield
                if source.poll() is not None:
                    raise EndError("the connection through the tunnel broke")

    @contextlib.contextmanager
    def flood(self) -> Iterator[Helper]:
        """Have bogus Initials ready for the time of a block."""
        with helper(self.client, "bench.siege_flood", FLOODERS, str(RATE), SITE) as flood:
            flood.line()
            yield flood

    def lay(self, flood: Helper, port: int) -> str:
        """Send the flood to a port of the server; return what it says to that."""
        return flood.ask(f"{self.server.ipv4} {port}")

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
