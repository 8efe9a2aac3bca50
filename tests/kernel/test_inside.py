# SPDX-License-Identifier: BSD-3-Clause
"""What agents and peers see of the module: tests/inside and others, in one boot of a kernel."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from nexus_lab import Lab, Result
from tests.kernel.conftest import EVERY_KERNEL, ROOT, Modules

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.timeout(3600)]
kernels = pytest.mark.parametrize("kernel", EVERY_KERNEL)

CONTRACT = "tests/dataplane/test_kernel.py"
FULL = (
    CONTRACT,
    *(
        f"tests/tunnel/test_{name}.py"
        for name in ("bogus", "handover", "isolation", "standard_peer")
    ),
    "tests/agent/test_netns.py",
    "tests/inside",
)
# Emulated, Python is 50 times slower.
FEW = (
    f"{CONTRACT}::TestInstall::test_hold_keeps_datagrams_and_sends_nothing",
    f"{CONTRACT}::TestTraffic::test_packets_travel_both_ways",
)
# Set by `make test-kernels`: 100 is 100,000 bogus datagrams, 50,000 netlink messages, 200 cycles.
VOLUME = os.environ.get("NEXUS_TEST_VOLUME")

_results: dict[str, Result] = {}


def planned(kernel: str) -> tuple[tuple[str, ...], str]:
    """Which tests a kernel runs, and how much of them."""
    if kernel != "uml-debug":
        return FEW, "1"
    if VOLUME is None:
        return (CONTRACT,), "1"
    return FULL, VOLUME


@pytest.fixture
def result(kernel: str, modules: Callable[[str], Modules]) -> Result:
    """Outcome of the one boot of a kernel."""
    if kernel not in _results:
        module, _ = modules(kernel)
        tests, volume = planned(kernel)
        command = [sys.executable, "-m", "tests.inside.run", str(module), *tests]
        environ = {"NEXUS_TEST_VOLUME": volume}
        _results[kernel] = Lab().run(kernel, command, cwd=ROOT, environ=environ, timeout=3000)
    return _results[kernel]


@kernels
def test_the_kernel_does_not_complain(kernel: str, result: Result) -> None:
    del kernel
    assert result.problems == ()
    assert result.status == 0, result.stderr.decode()
    assert result.notes == (), "nothing is left behind"


@kernels
def test_all_of_it_holds(kernel: str, result: Result) -> None:
    assert result.status == 0, result.stderr.decode()
    failures = json.loads(result.stdout)["failures"]
    assert len(failures) >= (70 if kernel == "uml-debug" else len(FEW))
    wrong = [f"{name}\n{text}" for name, text in failures.items() if text is not None]
    assert not wrong, "\n\n".join(wrong)
