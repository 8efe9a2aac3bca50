# SPDX-License-Identifier: BSD-3-Clause
"""Real agents in network namespaces, as processes of their own."""

import datetime as dt
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nexusnet.agent.errors import AgentError
from nexusnet.agent.scaffold import Camouflage, make_scaffold, write_files
from nexusnet.cli.client import ask
from nexusnet.demo.namespaces import End
from nexusnet.demo.processes import Program

PORT = 4433
QUICK = """
[transport]
keepalive_seconds = 1
idle_timeout_seconds = 4
reconnect_min_seconds = 0.1
reconnect_max_seconds = 0.5
"""

# A browser says 30 s, so a client in mode reality does; the server's shorter time counts.
QUICK_BROWSER = QUICK.replace("idle_timeout_seconds = 4\n", "")


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Return after how many seconds it came true."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - begin


class Node:
    """An agent of a namespace."""

    def __init__(self, end: End, folder: Path, name: str) -> None:
        self.end = end
        self.name = name
        self.file = folder / f"{name}.toml"
        self.socket = folder / f"{name}.sock"
        self.state = folder / f"{name}.state.json"
        self.log = folder / f"{name}.log"
        self.program: Program | None = None
        with self.file.open("a") as stream:
            stream.write(f'\n[control]\nsocket_file = "{self.socket}"\n')
            stream.write(f'state_file = "{self.state}"\n')

    def start(self) -> None:
        command = self.end.command(
            sys.executable, "-m", "nexusnet", "agent", "--config", str(self.file)
        )
        self.program = Program(self.name, command, self.log)
        wait_until(self.answers, 30, f"{self.name} starts: {self.log.read_text()}")

    def answers(self) -> bool:
        assert self.program is not None
        self.program.check()
        try:
            self.status()
        except AgentError:
            return False
        return True

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = ask(self.socket, "status")
        return status

    def peer(self, number: int = 0) -> dict[str, Any]:
        peer: dict[str, Any] = self.status()["peers"][number]
        return peer

    def is_up(self) -> bool:
        return str(self.peer()["state"]) == "up"

    def kill(self) -> None:
        assert self.program is not None
        self.program.process.kill()
        self.program.process.wait()
        self.program = None

    def stop(self) -> int:
        if self.program is None:
            return 0
        status = self.program.stop()
        self.program = None
        return status

    def interrupt(self) -> int:
        assert self.program is not None
        self.program.process.send_signal(signal.SIGINT)
        status = self.program.process.wait(15)
        self.program = None
        return status

    def traces(self) -> dict[str, object]:
        """What of an agent can be seen on the host."""

        def listing(*arguments: str) -> Any:
            done = subprocess.run(
                ["ip", "-j", "-n", self.end.name, *arguments],
                capture_output=True,
                text=True,
                check=True,
                timeout=20,
            )
            return json.loads(done.stdout or "[]")

        return {
            "links": {link["ifname"] for link in listing("link")},
            # Those of link-local and multicast addresses come and go.
            "routes": {
                route["dst"]
                for family in ("-4", "-6")
                for route in listing(family, "route", "show", "table", "all")
                if not route["dst"].startswith(("fe80", "ff00"))
            },
            "rules": [rule["priority"] for rule in listing("rule")],
            "rules6": [rule["priority"] for rule in listing("-6", "rule")],
            "files": {path.name for path in self.socket.parent.glob(f"{self.name}.*")}
            - {f"{self.name}.{suffix}" for suffix in ("toml", "crt", "key", "log")},
        }


class Pair:
    """A server and a client that know each other."""

    def __init__(self, server: End, client: End, folder: Path) -> None:
        self.folder = folder
        self.ends = (server, client)
        self.server: Node
        self.client: Node

    def configure(
        self,
        *,
        outer: int = 4,
        server: str = QUICK,
        client: str = QUICK,
        everything: bool = False,
        camouflage: Camouflage | None = None,
    ) -> None:
        """Write the files; with `everything` the client sends all its traffic through."""
        first, second = self.ends
        host = first.ipv4 if outer == 4 else f"[{first.ipv6}]"
        made = make_scaffold(
            endpoint=f"{host}:{PORT}",
            clients=["client"],
            now=dt.datetime.now(dt.UTC),
            network="test",
            camouflage=camouflage,
        )
        files = dict(made.files)
        replay = f'[reality]\nreplay_file = "{self.folder}/server.replay"\n'.encode()
        files["server.toml"] = files["server.toml"].replace(b"[reality]\n", replay)
        files["server.toml"] += server.encode()
        files["client.toml"] += client.encode()
        if everything:
            routes = b'routes = ["0.0.0.0/0", "::/0"]\naccept_routes = ['
            files["client.toml"] = files["client.toml"].replace(b"accept_routes = [", routes)
        write_files(self.folder, files)
        self.server = Node(first, self.folder, "server")
        self.client = Node(second, self.folder, "client")

    def start(self) -> None:
        self.server.start()
        self.client.start()
        self.wait_up()

    def wait_up(self, seconds: float = 20) -> float:
        return wait_until(
            lambda: self.server.is_up() and self.client.is_up(),
            seconds,
            f"the tunnel is up: {self.client.peer()['last_error']}",
        )

    def is_up(self) -> bool:
        return self.server.is_up() and self.client.is_up()

    def ping(self, version: int, *, back: bool = False, count: int = 3) -> bool:
        source, target = self.ends if back else self.ends[::-1]
        address = target.addresses("nexus0")[version]
        done = source.run("ping", "-n", "-q", "-i", "0.1", "-W", "2", "-c", str(count), address)
        return done.returncode == 0 and " 0% packet loss" in done.stdout

    def stop(self) -> None:
        for name in ("client", "server"):
            node: Node | None = getattr(self, name, None)
            if node is not None:
                node.stop()
