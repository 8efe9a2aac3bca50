# SPDX-License-Identifier: BSD-3-Clause
"""Modules built for a kernel and used inside it: one that works, one that misbehaves on purpose."""

import re
import sys

import pytest

from nexus_lab import KERNELS, Fault, KunitTotals, Lab, Result
from tests.lab.conftest import LAB, Modules

pytestmark = [pytest.mark.timeout(1800)]

# What `make test` needs anyway; the others are for `make test-kernels`.
DAILY = ("uml-debug", "6.1")


@pytest.mark.parametrize(
    "kernel",
    [
        pytest.param(name, marks=pytest.mark.lab if name in DAILY else pytest.mark.lab_matrix)
        for name in KERNELS
    ],
)
def test_the_example_works(kernel: str, lab: Lab, module: Modules) -> None:
    built = module(kernel, "example")
    before = sorted((LAB / "example").iterdir())
    result = lab.run(
        kernel, [sys.executable, str(LAB / "example/exercise.py"), str(built)], timeout=300
    )
    assert result.problems == ()
    assert result.status == 0, result.stderr.decode()
    release = lab.machine(kernel).release
    assert result.stdout.decode() == (f"example: device, netlink and unloading work on {release}\n")
    assert result.passed
    assert result.notes == ()
    with_kunit = KERNELS[kernel].debug
    assert result.kunit == KunitTotals(passed=2 if with_kunit else 0)
    assert sorted((LAB / "example").iterdir()) == before


def load_faulty(lab: Lab, module: Modules, fault: str, timeout: float = 60.0) -> Result:
    command = ["insmod", str(module("uml-debug", "selftest")), f"fault={fault}"]
    leak_check = fault in {"leak", "none"}
    return lab.run("uml-debug", command, leak_check=leak_check, timeout=timeout)


@pytest.mark.lab
def test_a_module_without_fault_passes_and_is_unloaded(lab: Lab, module: Modules) -> None:
    result = load_faulty(lab, module, "none")
    assert result.passed, result.problems
    assert result.notes == ("still loaded at the end, unloaded by the lab: nexus_lab_fault",)
    assert result.kunit == KunitTotals(passed=1)


@pytest.mark.lab
@pytest.mark.parametrize(
    ("fault", "expected", "words"),
    [
        ("leak", Fault.LEAK, r"kmemleak: \d+ leaked objects"),
        ("order", Fault.LOCKDEP, r"possible circular locking dependency"),
        ("freed", Fault.KASAN, r"KASAN: slab-use-after-free in lab_fault_init"),
        ("bounds", Fault.KASAN, r"KASAN: slab-out-of-bounds in lab_fault_init"),
        ("atomic", Fault.WARNING, r"scheduling while atomic"),
        ("warning", Fault.WARNING, r"WARNING: .*lab_fault_init"),
        ("kunit", Fault.KUNIT, r"not ok 1 lab_fault_fails"),
        ("pinned", Fault.LEFT_BEHIND, r"module nexus_lab_fault does not unload"),
    ],
)
def test_a_fault_fails_a_run_whose_command_succeeded(
    fault: str, expected: Fault, words: str, lab: Lab, module: Modules
) -> None:
    result = load_faulty(lab, module, fault)
    assert result.status == 0, result.stderr.decode()
    assert not result.passed
    assert result.exit_status == 99
    (first, *_) = result.problems
    assert first.fault is expected
    assert re.search(words, first.summary)
    if expected in {Fault.LEAK, Fault.LOCKDEP, Fault.KASAN, Fault.WARNING}:
        # The report says where.
        assert "lab_" in first.excerpt


@pytest.mark.lab
def test_a_device_that_is_never_released_fails_the_run(lab: Lab, module: Modules) -> None:
    built = module("uml-debug", "selftest")
    script = (
        f"ip netns add x; ip netns exec x insmod {built} fault=device; ip netns del x;"
        "for i in $(seq 60); do dmesg | grep -q 'waiting for lo' && exit 0; sleep 1; done; exit 1"
    )
    result = lab.run("uml-debug", ["sh", "-c", script], leak_check=False)
    assert result.status == 0, result.stderr.decode()
    (first, *_) = result.problems
    assert first.fault is Fault.REFERENCE
    assert "unregister_netdevice: waiting for lo" in first.summary


@pytest.mark.lab_matrix
@pytest.mark.parametrize("kernel", [name for name in KERNELS if name != "uml-debug"])
@pytest.mark.parametrize(("fault", "expected"), [("warning", 0), ("oops", None)])
def test_faults_that_any_kernel_notices(
    kernel: str, fault: str, expected: int | None, lab: Lab, module: Modules
) -> None:
    result = lab.run(kernel, ["insmod", str(module(kernel, "selftest")), f"fault={fault}"])
    assert result.status == expected, result.stderr.decode()
    assert result.exit_status == 99
    assert any("lab_" in problem.excerpt for problem in result.problems)


@pytest.mark.lab
def test_an_oops_ends_the_run_with_its_report(lab: Lab, module: Modules) -> None:
    result = load_faulty(lab, module, "oops")
    assert result.status is None
    assert result.exit_status == 99
    faults = {problem.fault for problem in result.problems}
    assert Fault.DIED in faults
    assert faults & {Fault.KASAN, Fault.OOPS, Fault.PANIC}
    assert any("lab_fault_init" in problem.excerpt for problem in result.problems)


@pytest.mark.lab
def test_a_deadlock_is_reported_and_ends_at_the_time_limit(lab: Lab, module: Modules) -> None:
    result = load_faulty(lab, module, "deadlock", timeout=8)
    assert result.status is None
    assert result.exit_status == 124
    faults = [problem.fault for problem in result.problems]
    assert Fault.TIMEOUT in faults
    assert Fault.LOCKDEP in faults
    # The list of blocked tasks says who waits, and where.
    blocked = result.log[result.log.rindex("Show Blocked State") :]
    assert re.search(r"task:insmod\s", blocked)
