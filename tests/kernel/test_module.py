# SPDX-License-Identifier: BSD-3-Clause
"""The module in real kernels: one boot each, in which guest.py makes all checks."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nexus_lab import KERNELS, KunitTotals, Lab, Result
from nexusnet.demo.kernel import INSIDE
from tests.kernel.conftest import EVERY_KERNEL, ROOT, Modules

if TYPE_CHECKING:
    from collections.abc import Callable

GUEST = Path(__file__).parent / "guest.py"
# Every kernel goes through all of them; under emulation each one takes long.
CYCLES = {"uml-debug": "20"}
FEW = "3"
# Tests in kernel/tests/tables.c; KUnit counts the case that runs them too.
TABLES = 9
pytestmark = [pytest.mark.timeout(1800)]

kernels = pytest.mark.parametrize("kernel", EVERY_KERNEL)
_results: dict[str, Result] = {}


def names_of_checks() -> list[str]:
    """The functions in guest_*.py that are checks."""
    return [
        node.name
        for path in sorted(GUEST.parent.glob("guest_*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(mark, ast.Name) and mark.id == "check" for mark in node.decorator_list)
    ]


@pytest.fixture
def result(kernel: str, modules: Callable[[str], Modules]) -> Result:
    """Outcome of the one boot of a kernel."""
    if kernel not in _results:
        command = [sys.executable, "-m", "tests.kernel.guest", *map(str, modules(kernel))]
        cycles = {"NEXUS_CYCLES": CYCLES.get(kernel, FEW)}
        _results[kernel] = Lab().run(kernel, command, cwd=ROOT, environ=cycles, timeout=600)
    return _results[kernel]


@kernels
def test_the_kernel_does_not_complain(kernel: str, result: Result) -> None:
    assert result.problems == ()
    assert result.status == 0, result.stderr.decode()
    assert result.passed
    assert result.notes == (), "nothing is left behind"
    assert result.kunit == KunitTotals(passed=TABLES + 1 if KERNELS[kernel].debug else 0)


@kernels
def test_layout_header_compiles(kernel: str, modules: Callable[[str], Modules]) -> None:
    """A layout that is not the ABI's would have stopped the build."""
    header = '#include "uapi/nexus_quic_dco_layout.h"'
    assert header in (ROOT / "kernel/main.c").read_text().splitlines()
    assert modules(kernel)[0].exists()


@kernels
def test_the_demo_can_load_it(kernel: str, modules: Callable[[str], Modules]) -> None:
    """Each kernel has other modules that it needs, and nobody loads them there."""
    module, _ = modules(kernel)
    command = [
        "sh",
        "-c",
        INSIDE,
        str(module),
        sys.executable,
        "-c",
        "print(open('/proc/modules').read())",
    ]
    result = Lab().run(kernel, command, cwd=ROOT, timeout=300)
    assert result.passed, (result.problems, result.stderr)
    assert b"nexus_quic_dco " in result.stdout


@kernels
@pytest.mark.parametrize("name", names_of_checks())
def test_check(name: str, result: Result) -> None:
    assert result.status == 0, result.stderr.decode()
    failure = json.loads(result.stdout)[name]
    assert failure is None, failure
