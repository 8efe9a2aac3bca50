# SPDX-License-Identifier: BSD-3-Clause
"""Agents with the real handshake, engine and kernel, between two network namespaces."""

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nexusnet.cli.client import ask
from nexusnet.demo.namespaces import End, ip
from nexusnet.demo.processes import running
from tests.agent.agents import Pair, wait_until

pytestmark = pytest.mark.netns

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "status.schema.json"


@pytest.mark.parametrize("outer", [4, 6])
def test_both_versions_inside_and_outside(pair: Pair, outer: int) -> None:
    pair.configure(outer=outer)
    pair.start()
    for inner in (4, 6):
        assert pair.ping(inner)
        assert pair.ping(inner, back=True)
    status = pair.client.status()
    tunnel = status["peers"][0]["tunnel"]
    assert tunnel["datagram_size"] == 1452
    assert status["interface"]["mtu"] == tunnel["mtu"] > 1400
    assert tunnel["counters"]["inner"]["received_packets"] >= 12
    # The server's wildcard socket answers from the address that the client used.
    assert tunnel["remote"]["address"] == (pair.ends[0].ipv4 if outer == 4 else pair.ends[0].ipv6)


def test_the_status_keeps_to_its_schema(pair: Pair) -> None:
    pair.configure()
    pair.start()
    schema: dict[str, Any] = json.loads(SCHEMA.read_text())
    for node in (pair.server, pair.client):
        jsonschema.validate(node.status(), schema)
    pair.server.stop()
    wait_until(lambda: pair.client.peer()["tunnel"] is None, 10, "the client notices")
    jsonschema.validate(pair.client.status(), schema)


def test_nothing_is_left_behind(pair: Pair) -> None:
    pair.configure()
    before = pair.server.traces(), pair.client.traces()
    pair.start()
    assert pair.client.traces() != before[1]
    assert pair.client.interrupt() == 0
    assert pair.server.stop() == 0
    assert (pair.server.traces(), pair.client.traces()) == before


def test_a_server_that_restarts_gets_its_client_back(pair: Pair) -> None:
    pair.configure()
    pair.start()
    assert pair.server.stop() == 0
    wait_until(lambda: not pair.client.is_up(), 5, "the client hears of the end")
    pair.server.start()
    pair.wait_up()
    assert pair.ping(4)
    assert pair.ping(6, back=True)
    assert pair.client.peer()["connects"] == 2


def test_a_server_that_crashed(pair: Pair) -> None:
    pair.configure()
    pair.start()
    pair.server.kill()
    pair.server.start()
    # The client notices by silence, at most two keepalive periods or the idle timeout.
    wait_until(lambda: pair.client.peer()["connects"] == 2, 20, "the client connects again")
    pair.wait_up()
    assert pair.ping(4)


def test_a_client_whose_address_changes(pair: Pair) -> None:
    pair.configure()
    pair.start()
    _, client = pair.ends
    client.run("ip", "address", "add", "10.209.77.77/24", "dev", "cable0")
    client.run("ip", "address", "del", f"{client.ipv4}/24", "dev", "cable0")
    client.run("ip", "address", "add", "10.209.77.77/24", "dev", "cable0")
    wait_until(lambda: pair.client.peer()["connects"] == 2, 20, "the client connects again")
    pair.wait_up()
    assert pair.server.peer()["tunnel"]["remote"]["address"] == "10.209.77.77"
    assert pair.ping(4)


def test_a_client_that_crashed_leaves_nothing_for_long(pair: Pair) -> None:
    pair.configure(everything=True)
    before = pair.client.traces()
    pair.start()
    during = pair.client.traces()
    assert 5200 in during["rules"]  # type: ignore[operator]  # a list
    pair.client.kill()
    crashed = pair.client.traces()
    assert crashed["rules"] == during["rules"]
    assert crashed["files"]
    pair.client.start()
    pair.wait_up()
    assert "cleaned up after an agent that crashed" in pair.client.log.read_text()
    assert pair.client.traces() == during
    assert pair.ping(4)
    assert pair.client.stop() == 0
    assert pair.client.traces() == before


@pytest.mark.parametrize("outer", [4, 6])
def test_everything_through_the_tunnel(pair: Pair, outer: int) -> None:
    pair.configure(outer=outer, everything=True)
    pair.start()
    server, client = pair.ends
    for address in ("198.51.100.1/32", "2001:db8:1::1/128"):
        server.run("ip", "address", "add", address, "dev", "lo")
    for address in ("198.51.100.1", "2001:db8:1::1"):
        done = client.run("ping", "-n", "-c", "2", "-i", "0.1", "-W", "2", address)
        assert done.returncode == 0, done.stdout
    # The tunnel's own packets went around it all the while.
    assert pair.client.is_up()
    assert pair.client.peer()["connects"] == 1


def test_down_and_up(pair: Pair) -> None:
    pair.configure()
    pair.start()
    result = ask(pair.client.socket, "down")
    assert result["peers"][0]["state"] == "down"
    wait_until(lambda: pair.server.peer()["state"] == "listening", 5, "the server hears of it")
    routes = pair.client.traces()["routes"]
    assert not [route for route in routes if str(route).startswith("10.77.")]  # type: ignore[attr-defined]  # a set
    result = ask(pair.client.socket, "up", timeout=20, wait_seconds=15)
    assert result["peers"][0]["state"] == "up"
    assert pair.ping(4)


def test_a_server_that_has_a_client_switched_off_says_so(pair: Pair) -> None:
    pair.configure()
    pair.start()
    ask(pair.server.socket, "down", peers=["client"])
    wait_until(
        lambda: "switched off" in str(pair.client.peer()["last_error"]), 10, "the client is told"
    )
    ask(pair.server.socket, "up", peers=["client"])
    pair.wait_up()


def test_a_path_that_carries_little(pair: Pair) -> None:
    pair.configure()
    for end in pair.ends:
        end.run("ip", "link", "set", "cable0", "mtu", "1280")
    pair.server.start()
    pair.client.start()
    pair.wait_up()
    status = pair.client.status()
    assert status["peers"][0]["tunnel"]["datagram_size"] == 1200
    assert "IPv6 needs 1280" in status["interface"]["ipv6_off"]
    assert status["interface"]["mtu"] < 1200
    assert pair.ping(4)
    assert [one for one in status["interface"]["addresses"] if ":" in one] == []


def test_keys_change_under_way(pair: Pair) -> None:
    quick = "\n[transport]\nkey_update_seconds = 1\n"
    pair.configure(client=quick)
    pair.start()
    end = time.monotonic() + 6
    while time.monotonic() < end:
        assert pair.ping(4, count=5)
    assert pair.client.peer()["tunnel"]["key_updates"] >= 3
    assert pair.server.peer()["tunnel"]["key_updates"] >= 3
    assert pair.client.peer()["connects"] == 1


def test_sources_that_are_not_the_clients_are_dropped(pair: Pair) -> None:
    pair.configure()
    pair.start()
    _, client = pair.ends
    client.run("ip", "address", "add", "10.77.0.99/32", "dev", "nexus0")
    done = client.run(
        "ping", "-n", "-c", "5", "-i", "0.1", "-W", "1", "-I", "10.77.0.99", "10.77.0.1"
    )
    assert "100% packet loss" in done.stdout
    drops = pair.server.peer()["tunnel"]["counters"]["drops"]
    assert drops["source_prefix"] == 5
    assert pair.ping(4)


def test_logs_hold_no_secrets(pair: Pair) -> None:
    keys = pair.folder / "keys.log"
    pair.configure(client=f'{QUICK_DEBUG}\n[lab]\nkey_log_file = "{keys}"\n', server=QUICK_DEBUG)
    pair.start()
    assert pair.ping(4)
    pair.stop()
    secrets = set(re.findall(r"\b[0-9a-f]{64}\b", keys.read_text()))
    assert len(secrets) >= 4
    logs = pair.client.log.read_text() + pair.server.log.read_text()
    assert "this tunnel is not secret" in logs
    assert not [secret for secret in secrets if secret in logs]


QUICK_DEBUG = '\n[log]\nlevel = "debug"\n'


def test_the_mss_of_forwarded_connections_fits(pair: Pair) -> None:
    pair.configure()
    pair.start()
    client = pair.ends[1]
    lan = client.name.removesuffix("b") + "c"
    ip("netns", "add", lan)
    try:
        ip("-n", client.name, "link", "add", "lan0", "type", "veth", "peer", "name", "lan0",
           "netns", lan)  # fmt: skip
        for name, address in ((client.name, "10.55.0.1/24"), (lan, "10.55.0.2/24")):
            ip("-n", name, "address", "add", address, "dev", "lan0")
            ip("-n", name, "link", "set", "lan0", "up")
        ip("-n", lan, "route", "add", "default", "via", "10.55.0.1")
        client.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        mtu = pair.client.status()["interface"]["mtu"]
        log = pair.folder / "syn.log"
        command = client.command("tcpdump", "-n", "-l", "-v", "-i", "nexus0", "-c", "1", "tcp")
        with running("tcpdump", command, log):
            wait_until(lambda: "listening on" in log.read_text(), 10, "tcpdump listens")
            connect = (
                "import socket; s=socket.socket(); s.settimeout(1); s.connect_ex(('10.77.0.1', 9))"
            )
            End(lan, "", "").run(sys.executable, "-c", connect)
            wait_until(lambda: "mss" in log.read_text(), 10, "a SYN passes")
        assert f"mss {mtu - 40}," in log.read_text()
    finally:
        ip("netns", "del", lan)
