# SPDX-License-Identifier: BSD-3-Clause
"""A server with many clients, and with many who are none."""

import datetime as dt
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nexusnet.agent.scaffold import make_scaffold, write_files
from nexusnet.demo.namespaces import End
from tests.agent.agents import PORT, Node, Pair, wait_until

pytestmark = pytest.mark.netns

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 50
ALL_UP_WITHIN = 10.0


class Crowd:
    """Many clients in one process."""

    def __init__(self, end: End, files: list[Path], log: Path) -> None:
        self._stderr = log.open("w")
        self.process = subprocess.Popen(
            end.command(sys.executable, "-m", "tests.agent.crowd", *map(str, files)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            cwd=ROOT,
        )
        self._log = log
        self._end = end

    def ping(self, number: int) -> bool:
        """Whether one client reaches the server; all have a route to it, so name the way."""
        device = f"nxc{number}"
        done = self._end.run(
            "ping", "-n", "-c", "3", "-i", "0.1", "-W", "2", "-I", device, "10.77.0.1"
        )
        return done.returncode == 0

    def answer(self, seconds: float) -> dict[str, Any]:
        """The next line; the process is killed where none comes."""
        assert self.process.stdout is not None
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        assert line, self._log.read_text()[-2000:]
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, command: str, seconds: float = 60) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer(seconds)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self._stderr.close()


@pytest.fixture
def crowd(ends: tuple[End, End], tmp_path: Path) -> Iterator[tuple[Node, Crowd]]:
    first, second = ends
    names = [f"c{number}" for number in range(CLIENTS)]
    made = make_scaffold(
        endpoint=f"{first.ipv4}:{PORT}", clients=names, now=dt.datetime.now(dt.UTC)
    )
    files = dict(made.files)
    for name in names:
        text = files[f"{name}.toml"].decode()
        text = text.replace('name = "nexus"', f'name = "{name}"')
        text = text.replace('interface = "nexus0"', f'interface = "nx{name}"')
        text = text.replace('name = "server"', 'name = "server"\nenabled = false')
        text += f'\n[control]\nsocket_file = "{name}.sock"\nstate_file = "{name}.json"\n'
        files[f"{name}.toml"] = text.encode()
    write_files(tmp_path, files)
    server = Node(first, tmp_path, "server")
    server.start()
    clients = Crowd(second, [tmp_path / f"{name}.toml" for name in names], tmp_path / "crowd.log")
    yield server, clients
    clients.close()
    server.stop()


def test_fifty_clients_in_one_process(crowd: tuple[Node, Crowd]) -> None:
    server, clients = crowd
    assert clients.answer(120) == {"ready": CLIENTS}
    up = clients.ask("connect")
    print(f"\n{CLIENTS} clients up after {up['seconds']:.2f} s")  # noqa: T201 - a figure to quote
    assert up["seconds"] <= ALL_UP_WITHIN
    wait_until(
        lambda: [peer["state"] for peer in server.status()["peers"]] == ["up"] * CLIENTS,
        5,
        "the server sees all of them",
    )
    assert all(clients.ping(number) for number in (0, 17, CLIENTS - 1))
    # Some go, the others do not notice.
    clients.ask("stop 20")
    wait_until(
        lambda: sum(peer["state"] == "up" for peer in server.status()["peers"]) == CLIENTS - 20,
        10,
        "the server notices",
    )
    status = clients.ask("status")
    assert status["states"][20:] == ["up"] * (CLIENTS - 20)
    assert status["connects"][20:] == [1] * (CLIENTS - 20)
    assert clients.ping(CLIENTS - 1)
    assert clients.ask("end") == {"stopped": CLIENTS}


def memory(node: Node) -> int:
    """Resident bytes of an agent."""
    assert node.program is not None
    text = Path(f"/proc/{node.program.process.pid}/status").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def test_a_flood_of_nonsense_is_counted_and_not_answered(pair: Pair) -> None:
    pair.configure()
    pair.start()
    before, size = pair.server.status(), memory(pair.server)
    own_port = before["peers"][0]["tunnel"]["remote"]["port"]
    server, client = pair.ends
    background = subprocess.Popen(
        client.command("ping", "-q", "-n", "-i", "0.02", "-c", "700", "10.77.0.1"),
        stdout=subprocess.PIPE,
        text=True,
    )
    arguments = (server.ipv4, str(PORT), str(own_port), "10.77.0.1", "10", "1000")
    flood = client.command(sys.executable, "-m", "tests.agent.flood", *arguments)
    done = subprocess.run(flood, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    total = sum(told["sent"].values())
    assert total > 9000
    assert told["answers"] == 0
    pinged, _ = background.communicate(timeout=60)
    assert " 0% packet loss" in pinged
    after = pair.server.status()
    print(f"\nsent {told['sent']}; strangers {after['strangers']},"  # noqa: T201 - a figure to quote
          f" drops {after['peers'][0]['tunnel']['counters']['drops']}")  # fmt: skip
    drops = after["peers"][0]["tunnel"]["counters"]["drops"]
    assert set(after["strangers"]) == {"unknown_connection"}
    # The number of an old packet may be taken for a new one (RFC 9000 section A.3): then the packet
    # does not authenticate.
    replays = sum(drops.get(reason, 0) for reason in ("duplicate", "too_old", "aead"))
    assert replays >= told["sent"]["replayed"]
    # A truncated packet may still name the session by its connection ID.
    nonsense = sum(after["strangers"].values()) + drops.get("truncated", 0)
    assert nonsense >= told["sent"]["random"] + told["sent"]["truncated"]
    assert drops["source_prefix"] == told["sent"]["spoofed"]
    assert after["peers"][0]["connects"] == 1
    assert memory(pair.server) - size < 32 * 1024 * 1024
