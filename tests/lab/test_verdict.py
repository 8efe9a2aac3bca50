# SPDX-License-Identifier: BSD-3-Clause
"""Reports as kernels print them, and what the lab makes of them."""

import pytest

from nexus_lab.verdict import Fault, KunitTotals, kunit_totals, leaks_in, problems_in

CALM = """\
[    0.000000] Linux version 7.3.4-nexus
[    0.500000] Callback from call_rcu_tasks() invoked.
[    1.000000] wireguard: WireGuard 1.0.0 loaded.
[    2.000000] nxlab: loading out-of-tree module taints kernel.
"""

REPORTS = {
    "BUG: KASAN: slab-use-after-free in lab_freed+0x10/0x20 [fault]": Fault.KASAN,
    "UBSAN: array-index-out-of-bounds in net/core/dev.c:10:3": Fault.UBSAN,
    "WARNING: possible circular locking dependency detected": Fault.LOCKDEP,
    "WARNING: possible recursive locking detected": Fault.LOCKDEP,
    "WARNING: possible irq lock inversion dependency detected": Fault.LOCKDEP,
    "WARNING: inconsistent lock state": Fault.LOCKDEP,
    "WARNING: suspicious RCU usage": Fault.LOCKDEP,
    "WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected": Fault.LOCKDEP,
    "[ BUG: Invalid wait context ]": Fault.LOCKDEP,
    "INFO: task insmod:77 blocked for more than 30 seconds.": Fault.STALL,
    "rcu: INFO: rcu_preempt self-detected stall on CPU": Fault.STALL,
    "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [insmod:77]": Fault.STALL,
    "BUG: workqueue lockup - pool cpus=0 node=0": Fault.STALL,
    "unregister_netdevice: waiting for lo to become free. Usage count = 2": Fault.REFERENCE,
    "ref_tracker: net notrefcnt@00000000 has 1/1 users at": Fault.REFERENCE,
    "refcount_t: underflow; use-after-free.": Fault.REFERENCE,
    "ODEBUG: free active (active state 0) object type: timer_list": Fault.OBJECT,
    "BUG kmalloc-64 (Not tainted): Left Redzone overwritten": Fault.OBJECT,
    "Kernel panic - not syncing: Fatal exception": Fault.PANIC,
    "BUG: kernel NULL pointer dereference, address: 0000000000000000": Fault.OOPS,
    "Oops: general protection fault, probably for non-canonical address": Fault.OOPS,
    "kernel BUG at net/core/skbuff.c:100!": Fault.OOPS,
    "list_add corruption. next->prev should be prev": Fault.OOPS,
    "BUG: Bad page state in process insmod  pfn:01234": Fault.MEMORY,
    "BUG: sleeping function called from invalid context at mm/slab.h:1": Fault.WARNING,
    "BUG: scheduling while atomic: insmod/77/0x00000002": Fault.WARNING,
    "WARNING: CPU: 0 PID: 77 at lab/selftest/fault.c:9 init": Fault.WARNING,
}


@pytest.mark.parametrize(("line", "fault"), REPORTS.items(), ids=lambda value: str(value)[:30])
def test_each_kind_of_report_is_found(line: str, fault: Fault) -> None:
    for prefix in ("[    3.141592] ", "[    3.141592][   T77] ", "<4>[    3.141592] ", ""):
        (problem,) = problems_in(f"{CALM}{prefix}{line}\n")
        assert problem.fault is fault
        assert problem.summary == line


def test_a_calm_log_has_no_problem() -> None:
    assert not list(problems_in(CALM))


def test_cut_here_is_named_by_what_follows_and_counts_once() -> None:
    log = f"""{CALM}[    3.0] ------------[ cut here ]------------
[    3.0] refcount_t: underflow; use-after-free.
[    3.0] WARNING: CPU: 0 PID: 7 at lib/refcount.c:28 refcount_warn_saturate
[    3.0] Call Trace:
[    3.0]  lab_put+0x10/0x20
[    3.0] ---[ end trace 0000000000000000 ]---
[    4.0] ordinary
"""
    (problem,) = problems_in(log)
    assert problem.fault is Fault.REFERENCE
    assert problem.excerpt.endswith("---[ end trace 0000000000000000 ]---")
    assert "lab_put" in problem.excerpt


def test_two_reports_are_two_problems() -> None:
    report = "\n".join(
        ["WARNING: CPU: 0 PID: {} at a.c", *"abcdef", "---[ end trace 0000000000000000 ]---"]
    )
    found = list(problems_in(f"{report.format(1)}\n{report.format(2)}\n"))
    assert [problem.summary for problem in found] == [
        "WARNING: CPU: 0 PID: 1 at a.c",
        "WARNING: CPU: 0 PID: 2 at a.c",
    ]


def test_what_user_mode_linux_reports_of_itself_at_boot_is_no_problem() -> None:
    log = """[    0.5] WARNING: suspicious RCU usage
[    0.5] kernel/rcu/tree.c:3185 Callback enqueued on offline CPU!!
[    0.5] Call Trace:
[    0.5]  [<6018ab97>] os_start_secondary+0x67/0xd0
[    0.5] smp: Brought up 1 node, 2 CPUs
"""
    assert not list(problems_in(log))


KUNIT = """\
[    3.0] KTAP version 1
[    3.0] 1..1
[    3.0]     KTAP version 1
[    3.0]     # Subtest: nexus_lab_example
[    3.0]     # module: nexus_lab_example
[    3.0]     1..3
[    3.0]     ok 1 lab_sum_adds
[    3.0]     ok 2 lab_sum_skipped # SKIP not here
[    3.0]     # lab_sum_refuses: EXPECTATION FAILED at sum_test.c:9
[    3.0]     not ok 3 lab_sum_refuses
[    3.0] # nexus_lab_example: pass:1 fail:1 skip:1 total:3
[    3.0] not ok 1 nexus_lab_example
"""


def test_kunit_cases_are_counted_and_failures_found() -> None:
    assert kunit_totals(KUNIT) == KunitTotals(passed=1, failed=1, skipped=1)
    found = list(problems_in(KUNIT))
    assert {problem.fault for problem in found} == {Fault.KUNIT}
    assert "EXPECTATION FAILED" in found[0].excerpt


def test_a_report_inside_a_kunit_run_does_not_swallow_its_results() -> None:
    log = "BUG: KASAN: slab-out-of-bounds in x\n" + KUNIT
    assert [problem.fault for problem in problems_in(log)] == [
        Fault.KASAN,
        Fault.KUNIT,
        Fault.KUNIT,
    ]


LEAKS = """\
unreferenced object 0x65c35460 (size 8):
  comm "mount", pid 40, jiffies 4294937378
  backtrace (crc 4871c1b2):
    hostfs_init_fs_context+0x8c/0x170
unreferenced object 0x65c35470 (size 8):
  comm "swapper/0", pid 1, jiffies 4294937378
  backtrace (crc 4871c1b2):
    do_mount_root+0x8c/0x170
unreferenced object 0x68af2a00 (size 256):
  comm "insmod", pid 68, jiffies 4294937598
  backtrace (crc ec280c25):
    lab_leak+0x10/0x20
"""


def test_leaks_are_found_and_those_of_the_kernel_itself_are_not() -> None:
    (problem,) = leaks_in(LEAKS)
    assert problem.fault is Fault.LEAK
    assert problem.summary == "kmemleak: 1 leaked objects"
    assert "lab_leak" in problem.excerpt
    assert "hostfs" not in problem.excerpt
    assert not list(leaks_in(""))
