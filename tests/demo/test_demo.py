# SPDX-License-Identifier: BSD-3-Clause
"""The demo: what it reads out of other programs, the whole of it, and that nothing stays."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from nexusnet.demo.capture import Dissection
from nexusnet.demo.demo import SITE_NAME
from nexusnet.demo.errors import DemoError
from nexusnet.demo.measure import UDP_BUFFER, Latency, Transfer, parse_iperf, parse_ping, udp_buffer
from nexusnet.demo.namespaces import NETNS_FOLDER, PREFIX, ip, remove_stale, two_ends
from nexusnet.demo.probe import Sight
from nexusnet.demo.result import Probed, Result, Row

PING = """PING 10.77.0.1 (10.77.0.1) 56(84) bytes of data.

--- 10.77.0.1 ping statistics ---
20 packets transmitted, 19 received, 5% packet loss, time 979ms
rtt min/avg/max/mdev = 0.218/0.322/0.632/0.118 ms
"""


def test_ping_is_read() -> None:
    assert parse_ping(PING) == Latency(20, 19, 0.322)
    assert parse_ping("1 packets transmitted, 0 received, 100% packet loss") == Latency(1, 0, None)
    with pytest.raises(DemoError, match="something unexpected"):
        parse_ping("ping: unknown host")


def test_iperf_is_read() -> None:
    tcp = {"end": {"sum_received": {"bits_per_second": 1e9}}}
    assert parse_iperf(json.dumps(tcp), is_udp=False) == (1e9, None)
    old = {"end": {"sum": {"bits_per_second": 2e8, "lost_percent": 1.5}}}
    assert parse_iperf(json.dumps(old), is_udp=True) == (2e8, 1.5)
    new = {
        "end": {
            "sum": {"bits_per_second": 2e8, "lost_percent": 0},
            "sum_received": {"bits_per_second": 1e8, "lost_percent": 50.0},
        }
    }
    assert parse_iperf(json.dumps(new), is_udp=True) == (1e8, 50.0)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"end": {}}', '{"error": "no route"}'])
def test_an_iperf_that_failed(text: str) -> None:
    with pytest.raises(DemoError, match="iperf3"):
        parse_iperf(text, is_udp=False)


def test_buffers_are_as_large_as_the_system_allows(tmp_path: Path) -> None:
    usual, large = tmp_path / "usual", tmp_path / "large"
    usual.write_text("212992\n")
    large.write_text("4194304\n")
    assert udp_buffer([large, usual]) == udp_buffer([usual, large]) == 212992
    assert udp_buffer([large, large]) == UDP_BUFFER


GOOD = Dissection(packets=9, quic=9, datagram_frames=4, ack_frames=4, malformed=0, undecrypted=0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({}, None),
        ({"packets": 0}, "the capture is empty"),
        ({"quic": 8}, "1 of 9 datagrams are not QUIC"),
        ({"malformed": 1}, "1 packets malformed"),
        ({"undecrypted": 2}, "2 undecrypted"),
        ({"datagram_frames": 0}, "no DATAGRAM"),
    ],
)
def test_a_capture_is_judged(change: dict[str, int], complaint: str | None) -> None:
    found = replace(GOOD, **change).complaint
    assert found is None if complaint is None else complaint in str(found)


def row(received: int = 20, tcp: float = 1e9, udp: float = 1e8, loss: float = 0.0) -> Row:
    latency = Latency(20, received, 0.3)
    return Row(4, 4, "there", latency, Transfer(tcp, None, 50), Transfer(udp, loss, 50))


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (row(received=19), "pings lost"),
        (row(tcp=0), "no TCP"),
        (row(udp=0), "UDP lost"),
        (row(loss=21), "UDP lost"),
    ],
)
def test_what_does_not_work_is_a_failure(bad: Row, word: str) -> None:
    assert not row().failures
    assert any(word in failure for failure in bad.failures)
    assert Result(failures=bad.failures).to_json()["ok"] is False


def test_a_probe_that_sees_something_else_is_a_failure() -> None:
    sight = Sight(200, "www.camouflage.test", "ab", "cd", 3776)
    assert Sight.read(json.dumps(asdict(sight))) == sight
    assert not Probed(4, sight, is_site=True).failures
    assert "www.camouflage.test" in Probed(4, sight, is_site=False).failures[0]
    assert "no answer" in Probed(6, None, is_site=False, error="no answer").failures[0]
    for text in ("", "{}", "[]", '{"status": 200}'):
        with pytest.raises(ValueError):
            Sight.read(text)
    result = Result(probes=[Probed(4, sight, is_site=True)])
    assert result.probe_over(4) == "HTTP 200, www.camouflage.test"
    assert result.probe_over(6) == "-"


def namespaces(pid: int) -> set[str]:
    """Those of a process; others may be running a demo, too."""
    return {path.name for path in NETNS_FOLDER.glob(f"{PREFIX}-{pid}-*")}


@pytest.fixture
def root() -> None:
    if os.geteuid():
        pytest.skip("network namespaces need root")


@pytest.mark.netns
def test_namespaces_go_whatever_happens(root: None) -> None:
    def fail() -> None:
        with two_ends() as (first, second):
            assert namespaces(os.getpid()) == {first.name, second.name}
            assert first.run("ping", "-c", "1", "-w", "10", second.ipv4).returncode == 0
            assert first.run("ping", "-c", "1", "-w", "10", second.ipv6).returncode == 0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not namespaces(os.getpid())


@pytest.mark.netns
def test_what_a_killed_demo_left_is_taken_away(root: None) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    stale = f"{PREFIX}-{process.pid}-a"
    ip("netns", "add", stale)
    own = f"{PREFIX}-{os.getpid()}-a"
    ip("netns", "add", own)
    try:
        remove_stale()
        assert not namespaces(process.pid)
        assert namespaces(os.getpid()) == {own}
    finally:
        ip("netns", "del", own)


@pytest.mark.netns
def test_the_whole_demo(root: None, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nexusnet", "demo", "--json", "--plane", "userspace"]
    with subprocess.Popen(
        [*command, "--seconds", "1", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        output, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors
    result = json.loads(output)
    assert result["ok"]
    assert (result["mode"], result["data_plane"]) == ("reality", "userspace")
    assert result["kernel"] is None
    assert {(one["outer"], one["inner"]) for one in result["rows"]} == {
        (4, 4),
        (4, 6),
        (6, 4),
        (6, 6),
    }
    assert len(result["rows"]) == 8
    # What a stranger got to see at the same port.
    assert [probe["outer"] for probe in result["probes"]] == [4, 6]
    for probe in result["probes"]:
        assert probe["is_site"]
        assert probe["sight"]["status"] == 200
        assert probe["sight"]["certificate"] == SITE_NAME
    assert all(one["tcp"]["cpu_percent"] > 0 for one in result["rows"])
    assert result["dissection"]["datagram_frames"] > 100
    assert Path(result["capture"]).stat().st_size > 10_000
    assert "tunnel up" in errors
    assert not namespaces(process.pid)


@pytest.mark.netns
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(
    root: None, tmp_path: Path, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "nexusnet", "demo", "--out", str(tmp_path)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "ping IPv4" in line:
                break
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(60) == 130
    assert "Traceback" not in rest
    assert not namespaces(process.pid)
    time.sleep(0.2)
    running = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert str(tmp_path) not in running
