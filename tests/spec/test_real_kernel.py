# SPDX-License-Identifier: BSD-3-Clause
"""The generated policies inside real kernels: what they accept and refuse, and for whom."""

from __future__ import annotations

import errno
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from nexus_lab import KERNELS, Lab
from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, place
from tests.spec.requests import complete
from tests.spec.strategies import SETS
from tests.spec.test_kernel_check import (
    NLA_F_NESTED,
    attribute_bytes,
    bad_payloads,
    of_request,
    with_required,
)
from tests.test_session import requests_of_everything

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
DO = NLM_F_REQUEST | NLM_F_ACK
DUMP = NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP
DAILY = ("uml-debug", "6.1")
pytestmark = [pytest.mark.timeout(1800)]


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    body: bytes
    expected: tuple[int, ...]
    flags: int = DO
    user: str = "root"


def rule_cases() -> list[Case]:
    """Version, required, unknown and trailing bytes for every command; permission."""
    cases = []
    for command in nl.Command:
        body = bytes(complete(command).encode())
        other = attribute_bytes(place("", "abi_version"), (2).to_bytes(4, sys.byteorder))
        refused = 0 if command is nl.Command.GET_CAPS else -errno.EPROTONOSUPPORT
        name = command.name
        cases += [
            Case(f"{name} complete", body, (0,)),
            Case(f"{name} unprivileged", body, (-errno.EPERM,), user="nobody"),
            Case(f"{name} unknown", body + attribute_bytes(999, b"abc"), (0,)),
            Case(f"{name} other version", body[:4] + other + body[12:], (refused,)),
            Case(f"{name} no version", body[:4] + body[12:], (-errno.EINVAL,)),
            Case(f"{name} trailing", body + b"\1\2", (-errno.EINVAL,)),
        ]
    session = place("", "session")
    add = nl.Command.ADD_SESSION
    for value, expected in (
        (place("session", "id"), 0),
        (session << 16 | 999, -errno.EOPNOTSUPP),
        (place("route", "prefix"), -errno.EOPNOTSUPP),
    ):
        cases.append(Case(f"required {value:#x}", with_required(add, value), (expected,)))
    for command in nl.DUMPS:
        version = attribute_bytes(place("", "abi_version"), (1).to_bytes(4, sys.byteorder))
        head = bytes([command, 1, 0, 0])
        cases.append(Case(f"{command.name} dump", head + version, (0,), DUMP))
        cases.append(Case(f"{command.name} dump, bare", head, (-errno.EINVAL,), DUMP))
    return cases


def value_cases() -> list[Case]:
    """Wrong lengths, ranges and flags, for every attribute of a request."""
    cases = []
    for kind in SETS:
        found = of_request(kind)
        if found is None:
            continue
        command, outer = found
        whole = bytes(complete(command).encode())
        for attribute in kind.ATTRIBUTES:
            for payload in bad_payloads(attribute):
                inner = attribute_bytes(attribute.number, payload)
                body = whole + attribute_bytes(outer.number | NLA_F_NESTED, inner)
                name = f"{kind.NAME}.{attribute.name} {payload[:8].hex()} of {len(payload)}"
                cases.append(Case(name, body, (-errno.ERANGE, -errno.EINVAL)))
    return cases


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test module's folder: its own files, the generated ones, and a body for each handler."""
    folder = tmp_path_factory.mktemp("policy") / "nqd_policy"
    shutil.copytree(HERE / "module", folder)
    shutil.copytree(ROOT / "kernel/uapi", folder / "uapi")
    for name in ("netlink_gen.c", "netlink_gen.h"):
        shutil.copy(ROOT / "kernel" / name, folder)
    handlers = re.findall(r"(?m)^int (nqd_nl_\w+_(do|dump)it)\(", (folder / name).read_text())
    assert len(handlers) == len(nl.Command) + len(nl.DUMPS)
    lines = (f"{kind.upper()}({handler})" for handler, kind in handlers)
    (folder / "handlers.h").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(
    "kernel",
    [
        pytest.param(name, marks=pytest.mark.lab if name in DAILY else pytest.mark.lab_matrix)
        for name in KERNELS
    ],
)
def test_policies_in_a_kernel(kernel: str, source: Path, tmp_path: Path) -> None:
    lab = Lab()
    built = lab.build(kernel, source, tmp_path / "build")
    assert built.warnings == ()
    contract = [
        Case(f"contract {request.command.name}", bytes(request.encode()), (0,))
        for request in requests_of_everything()
    ]
    cases = contract + rule_cases() + value_cases()
    assert len(cases) > 300
    given = json.dumps([(case.body.hex(), case.flags, case.user) for case in cases])
    command = [sys.executable, str(HERE / "kernel_side.py"), str(built.modules[0])]
    result = lab.run(kernel, command, stdin=given.encode(), timeout=300)
    assert result.passed, (result.problems, result.stderr.decode())
    answers = json.loads(result.stdout)
    wrong = [
        (case.name, code)
        for case, (code, _) in zip(cases, answers, strict=True)
        if code not in case.expected
    ]
    assert not wrong
    silent = [
        case.name
        for case, (code, message) in zip(cases, answers, strict=True)
        if code and code != -errno.EPERM and not message
    ]
    assert not silent, "every refusal has a message in the extended acknowledgement"
