# SPDX-License-Identifier: BSD-3-Clause
"""Agents in mode reality between two namespaces, with a real site behind the server."""

import datetime as dt
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest

from nexusnet.agent.scaffold import Camouflage
from nexusnet.demo.processes import running
from nexusnet.handshake.credentials import Credentials
from tests.agent.agents import QUICK, QUICK_BROWSER, Node, Pair, wait_until
from tests.agent.test_netns import SCHEMA

pytestmark = pytest.mark.netns

NAME = "www.site.test"
PORT = 8443
READ_AGAIN = "configuration read again"
CAMOUFLAGE = Camouflage(f"127.0.0.1:{PORT}", NAME)


@pytest.fixture
def reality(pair: Pair) -> Iterator[Pair]:
    """A pair whose site runs; the client trusts the site's authority."""
    certificate, key = Credentials.self_signed(
        NAME, not_before=dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    ).to_pem()
    files = pair.folder / "site.crt", pair.folder / "site.key"
    for file, content in zip(files, (certificate, key), strict=True):
        file.write_bytes(content)
    command = pair.ends[0].command(
        sys.executable, "-m", "nexusnet.demo.site", *map(str, files), "127.0.0.1", str(PORT)
    )
    log = pair.folder / "site.log"
    with running("the site", command, log) as program:
        wait_until(lambda: "listening" in log.read_text(), 20, "the site listens")
        pair.configure(server=QUICK, client=QUICK_BROWSER, camouflage=CAMOUFLAGE)
        edit(pair.client, "accept_routes", f'authority_file = "{files[0]}"\naccept_routes')
        yield pair
        program.check()


def edit(node: Node, old: str, new: str) -> None:
    text = node.file.read_text()
    assert old in text
    node.file.write_text(text.replace(old, new))


def nexus(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nexusnet", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def by_command(node: Node) -> None:
    done = nexus("reload", "--socket", str(node.socket), "--json")
    assert done.returncode == 0, done.stderr
    # As the agent itself measures it: what the machine does besides is not its doing.
    assert json.loads(done.stdout)["seconds"] < 1.0


def by_signal(node: Node) -> None:
    assert node.program is not None
    before = node.log.read_text().count(READ_AGAIN)
    node.program.process.send_signal(signal.SIGHUP)
    wait_until(lambda: node.log.read_text().count(READ_AGAIN) > before, 20, "SIGHUP is heard")
    seconds = re.findall(rf"{READ_AGAIN}.* seconds=([\d.]+)", node.log.read_text())[-1]
    assert float(seconds) < 1.0


def test_a_tunnel_comes_up_and_comes_again(reality: Pair) -> None:
    reality.start()
    for inner in (4, 6):
        assert reality.ping(inner)
        assert reality.ping(inner, back=True)
    schema = json.loads(SCHEMA.read_text())
    for node in (reality.server, reality.client):
        status = node.status()
        jsonschema.validate(status, schema)
        assert status["handshake_mode"] == "reality"
    assert reality.client.peer()["outcome"] == "genuine"
    assert reality.server.status()["strangers"]["accepted"] == 1
    shown = nexus("show", "--socket", str(reality.client.socket))
    assert "our server" in shown.stdout
    # After a restart, of either kind.
    assert reality.server.stop() == 0
    reality.server.start()
    reality.wait_up()
    assert reality.ping(4)
    reality.server.kill()
    reality.server.start()
    wait_until(lambda: reality.client.peer()["connects"] == 3, 30, "the client connects again")
    reality.wait_up()
    assert reality.ping(6)


@pytest.mark.parametrize("reload", [by_command, by_signal])
def test_a_removed_short_id_ends_its_session_within_a_second(
    reality: Pair, reload: Callable[[Node], None]
) -> None:
    reality.start()
    (old,) = (line for line in reality.server.file.read_text().splitlines() if "short_ids" in line)
    reality.server.file.write_text(
        reality.server.file.read_text().replace(old, 'short_ids = ["0123456789abcdef"]')
    )
    reload(reality.server)
    # Not a moment later: it is over when the reload is.
    assert reality.server.peer()["tunnel"] is None
    # What the client is told, and what it finds when it tries again.
    wait_until(lambda: reality.client.peer()["outcome"] == "relayed", 20, "the site answers")
    peer = reality.client.peer()
    assert peer["state"] != "up"
    assert NAME in peer["last_error"]
    assert "short_id" in peer["last_error"]
    # On a busy machine the first attempts may be relayed for their slowness.
    wait_until(
        lambda: reality.server.status()["strangers"].get("short_id"), 20, "the short ID is unknown"
    )
    shown = nexus("show", "--socket", str(reality.client.socket))
    assert "the camouflage site" in shown.stdout
    # And back.
    reality.server.file.write_text(
        reality.server.file.read_text().replace('short_ids = ["0123456789abcdef"]', old)
    )
    reload(reality.server)
    reality.wait_up(30)
    assert reality.ping(4)


def test_a_short_id_is_changed_without_an_interruption(reality: Pair) -> None:
    reality.start()
    edit(reality.server, "short_ids = [", 'short_ids = ["0123456789abcdef", ')
    by_command(reality.server)
    time.sleep(0.5)
    assert reality.client.peer()["connects"] == 1
    assert reality.is_up()
    # The peer goes: its session as well, and the client is nobody from then on.
    text = reality.server.file.read_text()
    first, rest = text.index("[[peer]]"), text.index("[transport]")
    reality.server.file.write_text(text[:first] + text[rest:])
    done = nexus("reload", "--socket", str(reality.server.socket), "--json")
    found = json.loads(done.stdout)
    assert found.pop("seconds") < 1.0
    assert found == {"added": [], "changed": [], "removed": ["client"], "at_next_start": []}
    wait_until(lambda: not reality.client.is_up(), 10, "the client hears of it")
    assert reality.server.status()["peers"] == []
    reality.server.file.write_text(text)
    by_command(reality.server)
    reality.wait_up(30)
    assert reality.ping(4)


def test_a_configuration_that_is_broken_changes_nothing(reality: Pair) -> None:
    reality.start()
    text = reality.server.file.read_text()
    reality.server.file.write_text(text.replace("short_ids", "shrot_ids"))
    done = nexus("reload", "--socket", str(reality.server.socket))
    assert done.returncode == 1
    assert "did you mean short_ids?" in done.stderr
    assert reality.is_up()
    reality.server.file.write_text(text.replace("keepalive_seconds = 1", "keepalive_seconds = 2"))
    done = nexus("reload", "--socket", str(reality.server.socket), "--json")
    assert json.loads(done.stdout)["at_next_start"] == ["transport.keepalive_seconds"]
    assert reality.is_up()


def test_an_impostor_is_told_from_the_site(reality: Pair) -> None:
    """The site's chain is not one that the client trusts: it cannot be the site."""
    edit(reality.client, "authority_file", "# authority_file")
    edit(reality.client, "short_id = ", 'short_id = "0123456789abcdef" # ')
    reality.server.start()
    reality.client.start()
    wait_until(
        lambda: reality.client.peer()["outcome"] == "bad_certificate", 20, "the client refuses"
    )
    assert "neither our server nor the site" in reality.client.peer()["last_error"]
    assert "impostor" in nexus("show", "--socket", str(reality.client.socket)).stdout


def test_a_target_that_is_not_there(reality: Pair) -> None:
    edit(reality.server, f":{PORT}", ":8444")
    with pytest.raises(Exception, match=r"reality\.target.*does not answer"):
        reality.server.start()


def test_a_target_that_is_down_at_a_restart_is_remembered(reality: Pair) -> None:
    reality.server.start()
    assert reality.server.stop() == 0
    log = reality.folder / "site.log"
    assert log.exists()
    site = [
        line.split()
        for line in subprocess.run(
            ["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        if str(reality.folder / "site.key") in line
    ]
    for pid, *_ in site:
        subprocess.run(["kill", "-STOP", pid], check=True)
    try:
        reality.start()
        assert reality.ping(4)
        assert "copied as it was before" in reality.server.log.read_text()
    finally:
        for pid, *_ in site:
            subprocess.run(["kill", "-CONT", pid], check=True)


def test_replayed_state_is_kept(reality: Pair) -> None:
    reality.start()
    state = reality.folder / "server.replay"
    assert state.stat().st_mode & 0o777 == 0o600
    size = state.stat().st_size
    assert reality.server.stop() == 0
    reality.server.start()
    reality.wait_up()
    assert state.stat().st_size == size + 36


def test_nothing_secret_is_said(reality: Pair) -> None:
    reality.start()
    short_id = next(
        line.split('"')[1]
        for line in reality.server.file.read_text().splitlines()
        if line.startswith("short_ids")
    )
    key = (reality.folder / "server.key").read_text().strip()
    said = [
        *(node.log.read_text() for node in (reality.server, reality.client)),
        *(json.dumps(node.status()) for node in (reality.server, reality.client)),
    ]
    for text in said:
        assert short_id not in text
        assert key not in text


def test_the_files_of_init_are_private(tmp_path: Path) -> None:
    done = nexus("init", str(tmp_path), "--target", "127.0.0.1:1", "--server-name", NAME)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        "server.toml",
        "server.key",
        "client.toml",
    }
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


@pytest.mark.parametrize("reload", [by_command, by_signal])
def test_a_removed_fingerprint_ends_its_session_in_mode_tls(
    pair: Pair, reload: Callable[[Node], None]
) -> None:
    pair.configure()
    pair.start()
    text = pair.server.file.read_text()
    (old,) = (line for line in text.splitlines() if line.startswith("fingerprints"))
    other = f'fingerprints = ["sha256:{"ab" * 32}"]'
    pair.server.file.write_text(text.replace(old, other))
    reload(pair.server)
    assert pair.server.peer()["tunnel"] is None
    wait_until(
        lambda: "refuses our certificate" in (pair.client.peer()["last_error"] or ""),
        20,
        "the client is refused",
    )
    pair.server.file.write_text(text)
    reload(pair.server)
    pair.wait_up(30)
