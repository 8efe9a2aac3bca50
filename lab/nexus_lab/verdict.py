# SPDX-License-Identifier: BSD-3-Clause
"""Reads a kernel log: what in it means that the run failed, whatever the command's exit status."""

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

EXCERPT = 60  # lines of a report worth showing


class Fault(enum.Enum):
    """Kinds of problems a run can end with."""

    PANIC = "panic"
    OOPS = "oops"
    WARNING = "warning"
    LOCKDEP = "lockdep"
    KASAN = "kasan"
    UBSAN = "ubsan"
    LEAK = "leak"
    STALL = "stall"
    REFERENCE = "reference"
    OBJECT = "object"
    MEMORY = "memory"
    KUNIT = "kunit"
    LEFT_BEHIND = "left behind"
    DIED = "died"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that makes a run fail."""

    fault: Fault
    summary: str
    """One line."""
    excerpt: str = ""
    """The report in the kernel log."""


@dataclass(frozen=True, slots=True)
class KunitTotals:
    """How many KUnit test cases (not suites) came out how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


# The first that matches a line names the fault, so the precise ones come first.
_REPORTS: tuple[tuple[Fault, re.Pattern[str]], ...] = tuple(
    (fault, re.compile(pattern))
    for fault, pattern in (
        (Fault.KASAN, r"BUG: KASAN: |BUG: KFENCE: |BUG: KMSAN: |BUG: KCSAN: "),
        (Fault.UBSAN, r"UBSAN: "),
        (
            Fault.LOCKDEP,
            r"WARNING: possible (circular|recursive|irq) lock|WARNING: inconsistent lock state"
            r"|WARNING: [\w-]+ -> [\w-]+|WARNING: bad unlock balance|WARNING: held lock freed"
            r"|WARNING: lock held when returning|WARNING: suspicious RCU usage"
            r"|WARNING: Nested lock|possible (circular|recursive) locking|irq lock inversion"
            r"|BUG: .*(lock held|still locked|leaked lock)|\[ BUG: |DEBUG_LOCKS_WARN_ON"
            r"|INFO: trying to register non-static key|BUG: MAX_\w+ too low"
            r"|BUG: Invalid wait context|\[ INFO: ",
        ),
        (
            Fault.STALL,
            r"INFO: task .+ blocked for more than|rcu: INFO: .*(stall|expedited)"
            r"|BUG: soft lockup|Watchdog detected hard LOCKUP|BUG: workqueue lockup"
            r"|rcu_\w+ (detected stalls|self-detected stall|kthread starved)",
        ),
        (Fault.LEAK, r"kmemleak: [1-9]\d* new suspected memory leaks"),
        (
            Fault.REFERENCE,
            r"unregister_netdevice: waiting for|ref_tracker: .*(has \d+/\d+ users|leaked)"
            r"|leaked reference|refcount_t: |ref_tracker: allocation failed",
        ),
        (Fault.OBJECT, r"ODEBUG: |debugobjects: |BUG .*\(.*\): (Objects remaining|.*overwritten)"),
        (Fault.PANIC, r"Kernel panic - not syncing"),
        (
            Fault.OOPS,
            r"Oops: |Internal error: |general protection fault|kernel BUG at |BUG: unable to handle"
            r"|BUG: kernel NULL pointer|stack-protector: |Kernel stack is corrupted"
            r"|invalid opcode: |list_(add|del) corruption|Segfault with no mm"
            r"|double fault: |stack segment: ",
        ),
        (Fault.MEMORY, r"BUG: Bad |Out of memory: Killed|page allocation failure|slab corruption"),
        (
            Fault.WARNING,
            r"WARNING: |------------\[ cut here \]|BUG: |scheduling while atomic"
            r"|sleeping function called from invalid|refused to (change|unload)",
        ),
    )
)
_STAMP = re.compile(r"^(<\d+>)?\[\s*\d+\.\d+\](\[\s*[TC]\d+\])? ?")
_KUNIT_LINE = re.compile(r"^\s*(?P<not>not )?ok \d+ (- )?(?P<name>\S+)(?P<rest>.*)$")
_KUNIT_FOLLOWS = re.compile(r"^\s*(KTAP version|# Subtest:|\d+\.\.\d+|ok |not ok |# )")
_END = re.compile(r"---\[ end |^=+$|</TASK>")


def _plain(line: str) -> str:
    return _STAMP.sub("", line)


def _fault_in(line: str) -> Fault | None:
    return next((fault for fault, pattern in _REPORTS if pattern.search(line)), None)


def _report_end(lines: list[str], begin: int) -> int:
    """Return the index after the last line of the report that begins at `begin`."""
    last = min(len(lines), begin + EXCERPT)
    for index in range(begin + 1, last):
        if _KUNIT_FOLLOWS.match(lines[index]) and not lines[index].startswith("# "):
            return index
        # A ruler of "=" also opens reports, in the line after the first.
        if _END.search(lines[index]) and index > begin + 4:
            return index + 1
    return last


def problems_in(log: str) -> Iterator[Problem]:
    """Find the reports in a kernel log; the lines of one report count once."""
    lines = [_plain(line) for line in log.splitlines()]
    index = 0
    while index < len(lines):
        fault = _fault_in(lines[index])
        if fault is None:
            kunit = _KUNIT_LINE.match(lines[index])
            if kunit and kunit["not"]:
                begin = max(0, index - 12)
                yield Problem(
                    Fault.KUNIT,
                    f"KUnit: {lines[index].strip()}",
                    "\n".join(lines[begin : index + 1]),
                )
            index += 1
            continue
        end = _report_end(lines, index)
        report = lines[index:end]
        # "cut here" only opens; what happened stands in the lines after it.
        named = next(
            (line for line in report if "cut here" not in line and _fault_in(line)), report[0]
        )
        yield Problem(_fault_in(named) or fault, named.strip(), "\n".join(report))
        index = end


def kunit_totals(log: str) -> KunitTotals:
    """Count KUnit's test cases: the result lines below a suite's, so those that are indented."""
    passed = failed = skipped = 0
    for raw in log.splitlines():
        line = _plain(raw)
        match = _KUNIT_LINE.match(line)
        if not match or not line.startswith(" "):
            continue
        if match["not"]:
            failed += 1
        elif "# SKIP" in match["rest"]:
            skipped += 1
        else:
            passed += 1
    return KunitTotals(passed, failed, skipped)
