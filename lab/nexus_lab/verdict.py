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
_SIGNS: dict[Fault, tuple[str, ...]] = {
    Fault.KASAN: (r"BUG: K(ASAN|FENCE|MSAN|CSAN): ",),
    Fault.UBSAN: (r"UBSAN: ",),
    Fault.LOCKDEP: (
        r"WARNING: possible (circular|recursive|irq) lock",
        r"WARNING: (inconsistent lock state|bad unlock balance|held lock freed|nested lock)",
        r"WARNING: (lock held when returning|suspicious RCU usage)",
        r"WARNING: [\w-]+-safe -> [\w-]+-unsafe",
        r"BUG: .*(lock held|still locked|leaked lock)",
        r"BUG: (MAX_\w+ too low|Invalid wait context)",
        r"\[ (BUG|INFO): ",
        r"DEBUG_LOCKS_WARN_ON",
        r"INFO: trying to register non-static key",
    ),
    Fault.STALL: (
        r"INFO: task .+ blocked for more than",
        r"rcu: INFO: .*(stall|expedited)",
        r"rcu_\w+ (detected stalls|self-detected stall|kthread starved)",
        r"BUG: (soft lockup|workqueue lockup)",
        r"hard LOCKUP",
    ),
    Fault.REFERENCE: (
        r"unregister_netdevice: waiting for",
        r"ref_tracker: .*(users|leaked)",
        r"leaked reference",
        r"refcount_t: ",
    ),
    Fault.OBJECT: (
        r"ODEBUG: ",
        r"BUG .*: (Objects remaining|.*(overwritten|redzone|poison|Freepointer))",
    ),
    Fault.PANIC: (r"Kernel panic - not syncing",),
    Fault.OOPS: (
        r"(Oops|Internal error): ",
        r"(general protection fault|double fault|invalid opcode|stack segment)[:,]",
        r"kernel BUG at ",
        r"BUG: (unable to handle|kernel NULL pointer)",
        r"stack-protector: |Kernel stack is corrupted",
        r"list_(add|del) corruption",
        r"Segfault with no mm",  # User-Mode Linux
    ),
    Fault.MEMORY: (r"BUG: Bad ", r"Out of memory: Killed", r"page allocation failure"),
    Fault.WARNING: (
        r"WARNING: ",
        r"------------\[ cut here \]",
        r"BUG: ",
        r"scheduling while atomic",
    ),
}
_REPORTS = {fault: re.compile("|".join(signs)) for fault, signs in _SIGNS.items()}
# Reports that are a kernel's own at boot, by a line of theirs: no command can be at fault.
_KNOWN = (
    # User-Mode Linux frees a secondary CPU's start argument before RCU knows that CPU.
    "os_start_secondary+",
)
_STAMP = re.compile(r"^(<\d+>)?\[\s*\d+\.\d+\](\[\s*[TC]\d+\])? ?")
_KUNIT_LINE = re.compile(r"^\s*(?P<not>not )?ok \d+ (- )?(?P<name>\S+)(?P<rest>.*)$")
_KUNIT_FOLLOWS = re.compile(r"^\s*(KTAP version|# Subtest:|\d+\.\.\d+|ok |not ok |# )")
_END = re.compile(r"---\[ end |^=+$|</TASK>")


def _plain(line: str) -> str:
    return _STAMP.sub("", line)


def _fault_in(line: str) -> Fault | None:
    return next((fault for fault, pattern in _REPORTS.items() if pattern.search(line)), None)


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
        if not any(known in line for known in _KNOWN for line in report):
            yield Problem(_fault_in(named) or fault, named.strip(), "\n".join(report))
        index = end


# Leaks of the kernel's own: its boot, and a copy of the path that each hostfs mount loses.
_KNOWN_LEAKS = re.compile(r'comm "swapper/\d+", pid [01],|hostfs_init_fs_context\+')


def leaks_in(report: str) -> Iterator[Problem]:
    """Find what kmemleak reported, all of it as one problem.

    Args:
        report: what /sys/kernel/debug/kmemleak says.
    """
    objects = re.split(r"(?m)^(?=unreferenced object )", report)
    leaked = [text for text in objects if text.strip() and not _KNOWN_LEAKS.search(text)]
    if leaked:
        excerpt = "\n".join("".join(leaked).splitlines()[: 2 * EXCERPT])
        yield Problem(Fault.LEAK, f"kmemleak: {len(leaked)} leaked objects", excerpt)


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
