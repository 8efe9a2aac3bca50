# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks run, print and clean up; what they measure is not judged here."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.contenders import ContenderError, program
from bench.ends import ROOT
from bench.traffic import TrafficError, ping_figures

PNG = b"\x89PNG\r\n"


def namespaces(pid: int) -> list[str]:
    listing = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True)
    return [line for line in listing.stdout.splitlines() if line.startswith(f"nx{pid}-")]


def bench(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.netns
@pytest.mark.timeout(300)
def test_quick_run_compares_all_tunnels(tmp_path: Path) -> None:
    running = bench("--quick", "--json", "--out", str(tmp_path), "tunnel")
    said, errors = running.communicate(timeout=280)
    assert running.returncode == 0, errors
    results = json.loads(said)["tunnel"]
    assert {one["contender"] for one in results} >= {"engine", "wireguard-go", "openvpn"}
    assert {(one["cable"], one["protocol"]) for one in results} == {
        (cable, protocol) for cable in ("nic", "veth") for protocol in ("tcp", "udp")
    }
    assert all(one["goodput"] > 0 and one["per_cpu_second"] > 0 for one in results)
    assert json.loads((tmp_path / "tunnel.json").read_text()) == results
    assert (tmp_path / "tunnel.png").read_bytes().startswith(PNG)
    assert not namespaces(running.pid)


@pytest.mark.netns
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    running = bench("--quick", "--out", str(tmp_path), "tunnel")
    deadline = time.monotonic() + 60
    while not namespaces(running.pid):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(number)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not namespaces(running.pid)


@pytest.mark.netns
@pytest.mark.timeout(300)
def test_quick_run_with_many_sessions(tmp_path: Path) -> None:
    running = bench("--quick", "--json", "--out", str(tmp_path), "sessions")
    said, errors = running.communicate(timeout=280)
    assert running.returncode == 0, errors
    results = json.loads(said)["sessions"]
    assert {one["sessions"] for one in results} == {1, 100, 1000}
    assert all(one["ns_per_packet"] > 0 for one in results)
    assert all(one["lost"] < 0.5 for one in results)
    assert not namespaces(running.pid)


@pytest.mark.netns
@pytest.mark.timeout(300)
def test_quick_run_with_a_flood(tmp_path: Path) -> None:
    running = bench("--quick", "--json", "--out", str(tmp_path), "flood")
    said, errors = running.communicate(timeout=280)
    assert running.returncode == 0, errors
    (result,) = json.loads(said)["flood"]
    assert result["answers"] == 0
    assert result["drops"]["source_prefix"] == result["sent"]["spoofed"] > 0
    assert result["quiet_per_cpu_second"] > 0


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", "")
    with pytest.raises(ContenderError, match="apt-get install wireguard-go"):
        program("wireguard-go")


def test_ping_is_read() -> None:
    said = (
        b"64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=10.0 ms\n"
        b"64 bytes from 10.0.0.1: icmp_seq=4 ttl=64 time=30.0 ms\n"
        b"64 bytes from 10.0.0.1: icmp_seq=4 ttl=64 time=31.0 ms (DUP!)\n"
        b"64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=20.0 ms\n"
        b"--- 10.0.0.1 ping statistics ---\n6 packets transmitted, 3 received\n"
    )
    figures = ping_figures(said)
    assert (figures.sent, figures.received, figures.gap) == (4, 3, 1)
    assert figures.median == 20.0
    assert figures.highest == 30.0
    assert figures.loss == 0.25
    with pytest.raises(TrafficError, match="no answer"):
        ping_figures(b"5 packets transmitted, 0 received\n")
