# SPDX-License-Identifier: BSD-3-Clause
"""Backoff, log lines, leftovers, the merged network: parts without the rest of the agent."""

import io
import json
import logging
import random
import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.agent import logs
from nexusnet.agent.backoff import Backoff
from nexusnet.agent.errors import StartError
from nexusnet.agent.leftovers import Leftovers, hold
from nexusnet.agent.logs import LogFormat, LogSettings, bound, facts, redact
from nexusnet.agent.network import DEFAULT_MTU, Wish, merge
from nexusnet.agent.notify import notify


@given(
    least=st.floats(0.05, 10), factor=st.floats(1, 1000), seed=st.integers(), n=st.integers(1, 80)
)
def test_waits_grow_to_the_limit_and_never_beyond(
    least: float, factor: float, seed: int, n: int
) -> None:
    most = least * factor
    backoff = Backoff(least, most, random.Random(seed))
    waits = [backoff.next() for _ in range(n)]
    for number, wait in enumerate(waits):
        interval = min(least * 2.0**number, most)
        assert interval / 2 <= wait <= interval
    backoff.reset()
    assert backoff.next() <= least


def test_clients_do_not_come_back_in_one_moment() -> None:
    waits = {Backoff(1, 30, random.Random(seed)).next() for seed in range(50)}
    assert len(waits) == 50


@pytest.fixture
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], root.level = before[0], before[1]


@pytest.fixture
def lines(root_logger: None) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    logs.configure(LogSettings(format=LogFormat.JSON), stream)
    yield stream
    logging.getLogger("nexusnet").setLevel(logging.NOTSET)


def test_lines_say_what_they_are_about(lines: io.StringIO) -> None:
    logger = logging.getLogger("nexusnet.test")
    with bound(peer="laptop"):
        with bound(session=3):
            logger.info("tunnel is %s", "up", extra=facts(mtu=1420, remote="192.0.2.1"))
        logger.info("later")
    first, second = (json.loads(line) for line in lines.getvalue().splitlines())
    assert first["message"] == "tunnel is up"
    assert (first["peer"], first["session"], first["mtu"]) == ("laptop", 3, 1420)
    assert first["time"].endswith("Z")
    assert "session" not in second


def test_text_lines(root_logger: None) -> None:
    stream = io.StringIO()
    logs.configure(LogSettings(), stream)
    with bound(peer="laptop"):
        logging.getLogger("nexusnet.test").warning("no", extra=facts(why="two words", on=True))
    assert stream.getvalue().rstrip().endswith('WARNING no  peer=laptop why="two words" on=true')


SECRET = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "text",
    [SECRET, SECRET.upper(), f"CLIENT_TRAFFIC_SECRET_0 {SECRET} {SECRET}", f"key={SECRET}."],
)
def test_secrets_are_redacted(lines: io.StringIO, text: str) -> None:
    logging.getLogger("nexusnet.test").info("%s", text)
    logging.getLogger("nexusnet.test").info("x", extra=facts(note=text, tx_secret="short"))
    logging.getLogger("nexusnet.test").error("fault", exc_info=ValueError(text))
    written = lines.getvalue()
    assert SECRET not in written.lower()
    assert "short" not in written
    assert written.count("<redacted>") >= 4


def test_a_private_key_is_redacted() -> None:
    text = "-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----"
    assert redact(f"a {text} b") == "a <redacted> b"
    assert "MIGHAgEA" not in redact(text[:40])


def test_fingerprints_are_public() -> None:
    assert redact(f"sha256:{SECRET}") == f"sha256:{SECRET}"


def test_leftovers_survive_a_crash_but_not_a_good_end(tmp_path: Path) -> None:
    path = tmp_path / "net.state.json"
    with hold(path, "net") as state:
        assert state.left_behind == Leftovers()
        state.record(interface="nexus0")
        state.record(table=7, nft_table="t")
        crashed = path.read_text()
    assert not list(tmp_path.iterdir())
    path.write_text(crashed)
    with hold(path, "net") as state:
        assert state.left_behind == Leftovers("nexus0", 7, "t")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"interface": 3, "table": "x"}', "null"])
def test_a_damaged_state_file_is_no_obstacle(tmp_path: Path, text: str) -> None:
    path = tmp_path / "net.state.json"
    path.write_text(text)
    with hold(path, "net") as state:
        assert state.left_behind == Leftovers()


def test_one_agent_a_network(tmp_path: Path) -> None:
    path = tmp_path / "net.state.json"
    with hold(path, "net"), pytest.raises(StartError, match="another agent runs"), hold(path, "n"):
        pass
    with hold(path, "net"):
        pass


def test_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StartError, match=r"control\.state_file"),
        hold(tmp_path / "file" / "x.json", "net"),
    ):
        pass


V4, V6 = ip_interface("10.0.0.2/24"), ip_interface("fd00::2/64")


def test_wishes_add_up() -> None:
    desired, ipv6_off = merge(
        [
            Wish(addresses=(V4, V6), mtu=1400, routes=(V4.network, ip_network("10.1.0.0/16"))),
            Wish(mtu=1350, routes=(ip_network("10.2.0.0/16"),)),
        ],
        None,
    )
    assert desired.mtu == 1400
    assert desired.addresses == {V4, V6}
    # The subnet of the device's own address is the kernel's to make.
    assert desired.routes == {ip_network("10.1.0.0/16"), ip_network("10.2.0.0/16")}
    assert not desired.marked_routes
    assert ipv6_off is None


def test_a_configured_mtu_is_a_limit() -> None:
    assert merge([Wish(mtu=1400)], 1300)[0].mtu == 1300
    assert merge([Wish(mtu=1280)], 1300)[0].mtu == 1280
    assert merge([Wish()], None)[0].mtu == DEFAULT_MTU


def test_no_ipv6_where_it_does_not_fit() -> None:
    wish = Wish(addresses=(V4, V6), routes=(ip_network("fd01::/64"),), mtu=1169)
    desired, ipv6_off = merge([wish], None)
    assert desired.addresses == {V4}
    assert not desired.routes
    assert ipv6_off == "the tunnel carries packets of 1169 bytes, IPv6 needs 1280"


def test_what_leads_to_the_peer_itself_goes_around_the_tunnel() -> None:
    wish = Wish(
        routes=(ip_network("0.0.0.0/0"), ip_network("192.0.2.0/24"), ip_network("10.0.0.0/8")),
        detours=(ip_address("192.0.2.7"),),
    )
    desired, _ = merge([wish], None)
    assert desired.marked_routes == {ip_network("0.0.0.0/0"), ip_network("192.0.2.0/24")}
    assert desired.routes == {ip_network("10.0.0.0/8")}


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        notify("READY=1", "STATUS=fine")
        assert sock.recv(100) == b"READY=1\nSTATUS=fine"
    notify("STOPPING=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")
