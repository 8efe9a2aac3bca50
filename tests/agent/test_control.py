# SPDX-License-Identifier: BSD-3-Clause
"""The control socket, the choice of the data plane, and what the doctor finds."""

import asyncio
import errno
import json
import os
import socket
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nexusnet.agent import doctor
from nexusnet.agent.control import LINE_LIMIT, ControlServer
from nexusnet.agent.doctor import Verdict
from nexusnet.agent.errors import AgentError, StartError
from nexusnet.agent.plane import choose_plane
from nexusnet.dco import Absence, KernelCapabilities, Plane, Probe
from nexusnet.netlink.generated import CipherSuite, Congestion, Feature
from tests.agent.fakes import FakePlane, config
from tests.agent.test_config import SERVER


async def echo(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"got": request.get("what")}


async def refuse(request: Mapping[str, Any]) -> dict[str, Any]:
    raise AgentError("no; do it differently")


async def fail(request: Mapping[str, Any]) -> dict[str, Any]:
    raise ZeroDivisionError


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def exchange(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Send lines over one connection, return the answers up to its end."""

    modes = []

    async def scenario() -> list[dict[str, Any]]:
        server = ControlServer(path, {"echo": echo, "refuse": refuse, "fail": fail})
        await server.open()
        modes.append(mode_of(path))
        reader, writer = await asyncio.open_unix_connection(str(path))
        answers = []
        for line in lines:
            writer.write(line)
            answers.append(json.loads(await asyncio.wait_for(reader.readline(), 5)))
        writer.close()
        await writer.wait_closed()
        await server.close()
        return answers

    answers = asyncio.run(scenario())
    assert modes == [0o600]
    assert not path.exists()
    return answers


def request(command: str, **more: Any) -> bytes:
    return json.dumps({"version": 1, "command": command, **more}).encode() + b"\n"


def test_requests_follow_each_other(tmp_path: Path) -> None:
    answers = exchange(tmp_path / "s", request("echo", what=1), request("echo", what="ü"))
    assert [answer["result"]["got"] for answer in answers] == [1, "ü"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"nonsense\n", "not JSON"),
        (b"[]\n", "version 1"),
        (b'{"command": "echo"}\n', "version 1"),
        (b'{"version": 2, "command": "echo"}\n', "same release"),
        (request("destroy"), "known are echo, fail, refuse"),
        (request("refuse"), "no; do it differently"),
        (request("fail"), "a fault of the agent"),
        (b"\xff\xfe\n", "not JSON"),
    ],
)
def test_a_bad_request_gets_an_answer_and_the_connection_lives(
    tmp_path: Path, line: bytes, error: str
) -> None:
    bad, good = exchange(tmp_path / "s", line, request("echo", what=3))
    assert bad["ok"] is False
    assert error in bad["error"]
    assert good["result"] == {"got": 3}


def test_an_endless_request(tmp_path: Path) -> None:
    (answer,) = exchange(tmp_path / "s", b"x" * (LINE_LIMIT + 1) + b"\n")
    assert answer["error"] == "the request is too long"


def test_a_stale_socket_is_replaced_but_no_file(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    assert exchange(path, request("echo", what=1))
    path.write_text("precious")
    with pytest.raises(StartError, match=r"control\.socket_file"):
        asyncio.run(ControlServer(path, {}).open())
    assert path.read_text() == "precious"


# The data plane

ABLE = KernelCapabilities(
    abi_min=1,
    abi_max=1,
    module_version="1",
    ciphers=frozenset(CipherSuite),
    congestion=frozenset(Congestion),
    features=Feature.SEND_FRAMES,
)


@pytest.mark.parametrize(
    ("mode", "probe", "expected"),
    [
        ("disabled", ABLE, Plane.USERSPACE),
        ("preferred", ABLE, Plane.KERNEL),
        ("required", ABLE, Plane.KERNEL),
        ("preferred", Absence.NOT_LOADED, Plane.USERSPACE),
        ("preferred", Absence.NO_ANSWER, Plane.USERSPACE),
        ("required", Absence.NOT_LOADED, None),
        ("required", Absence.MALFORMED, None),
    ],
)
def test_the_data_plane_is_chosen_with_a_reason(
    tmp_path: Path, mode: str, probe: Probe, expected: Plane | None
) -> None:
    text = SERVER.replace('name = "home"', f'name = "home"\ndco_mode = "{mode}"')
    opened: list[Plane] = []

    def opener(plane: Plane) -> FakePlane:
        opened.append(plane)
        return FakePlane()

    homes = {plane: lambda plane=plane: opener(plane) for plane in (Plane.KERNEL, Plane.USERSPACE)}
    settings = config(text, tmp_path)
    if expected is None:
        with pytest.raises(StartError, match="dco_mode is required, but"):
            choose_plane(settings, probe=lambda: probe, homes=homes)
        assert not opened
        return
    chosen = choose_plane(settings, probe=lambda: probe, homes=homes)
    assert opened == [chosen.decision.plane] == [expected]
    assert f"dco_mode is {mode}" in chosen.decision.reason


# The doctor


def test_capabilities_are_read() -> None:
    assert doctor.effective_capabilities("Name:\tx\nCapEff:\t0000000000001000\n") == 0x1000
    assert doctor.effective_capabilities("nothing") == 0


def test_no_privilege(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "effective_capabilities", lambda _: 0)
    finding = doctor.check_privilege()
    assert finding.verdict is Verdict.MISSING
    assert "CAP_NET_ADMIN" in finding.fix


@pytest.mark.parametrize(
    ("number", "fix"),
    [(errno.ENOENT, "modprobe tun"), (errno.EPERM, "run as root"), (errno.ENODEV, "modprobe tun")],
)
def test_no_tun(monkeypatch: pytest.MonkeyPatch, number: int, fix: str) -> None:
    def broken(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", broken)
    finding = doctor.check_tun()
    assert finding.verdict is Verdict.MISSING
    assert fix in finding.fix


def test_a_clock_that_cannot_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1e9)
    assert doctor.check_clock().verdict is Verdict.MISSING


def test_a_taken_port() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::", 0))
        port = sock.getsockname()[1]
        finding = doctor.check_port(port)
    assert "ss -lunp" in finding.fix
    assert doctor.check_port(port).verdict is Verdict.GOOD


def test_an_examination_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> doctor.Finding:
        raise OSError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(doctor, "check_buffers", broken)
    findings = doctor.examine(443)
    assert len(findings) == 14
    assert all(finding.fix or finding.verdict is not Verdict.MISSING for finding in findings)
