# SPDX-License-Identifier: BSD-3-Clause
"""Received packet numbers: no replay is ever accepted, no ACK claims what was not received."""

import errno
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nexus_sim.core import Core, load
from nexusnet.quic.packet_number import PACKET_NUMBER_MAX

WINDOW = 8192
MAX_RANGES = 32


def c_ranges(core: Core, received: Any, limit: int = MAX_RANGES) -> list[tuple[int, int]]:
    ranges = core.ffi.new("struct nqd_pn_range[]", limit)
    count = core.lib.nqd_received_ranges(received, ranges, limit)
    return [(ranges[i].smallest, ranges[i].largest) for i in range(count)]


def ranges_of(numbers: set[int], floor: int) -> list[tuple[int, int]]:
    """Return the ranges that `numbers` from `floor` on make up, newest first."""
    found: list[tuple[int, int]] = []
    for pn in sorted(n for n in numbers if n >= floor):
        if found and found[-1][1] == pn - 1:
            found[-1] = (found[-1][0], pn)
        else:
            found.append((pn, pn))
    return found[::-1]


class ReceivedMachine(RuleBasedStateMachine):
    """Any order of arrivals and of acknowledged ACKs, against a plain set of numbers."""

    @initialize(
        floor=st.one_of(
            st.just(0),
            st.integers(0, 200),
            st.integers(0, PACKET_NUMBER_MAX),
            st.just(PACKET_NUMBER_MAX - 20_000),
        )
    )
    def start(self, floor: int) -> None:
        self.core = load()
        self.received = self.core.ffi.new("struct nqd_received *")
        self.core.lib.nqd_received_init(self.received, floor)
        self.numbers: set[int] = set()
        self.floor = floor
        self.largest = -1
        self.largest_time = 0
        self.report_floor = 0
        self.overtaken: set[int] = set()
        self.late_mark = -1
        self.now = 0
        self.ecn = [0, 0, 0, 0]

    def verdict(self, pn: int) -> str:
        lib = self.core.lib
        names = {
            lib.NQD_DROP_NONE: "new",
            lib.NQD_DROP_DUPLICATE: "duplicate",
            lib.NQD_DROP_TOO_OLD: "too_old",
        }
        return names[lib.nqd_received_check(self.received, pn)]

    def expected_verdict(self, pn: int) -> str:
        if pn < self.floor:
            return "too_old"
        return "duplicate" if pn in self.numbers else "new"

    def arrive(self, pn: int, ecn: int) -> None:
        self.now += 1000
        verdict = self.verdict(pn)
        assert verdict == self.expected_verdict(pn)
        if verdict != "new":
            return
        self.core.lib.nqd_received_add(self.received, pn, self.now, ecn)
        assert self.verdict(pn) == "duplicate"
        self.numbers.add(pn)
        self.ecn[ecn] += 1
        if pn < self.largest:
            self.report_floor = min(self.report_floor, pn)
            self.overtaken.add(pn)
            self.late_mark = self.largest
        if pn > self.largest:
            self.largest = pn
            self.largest_time = self.now
            self.floor = max(self.floor, pn - WINDOW + 1)
            self.numbers = {n for n in self.numbers if n >= self.floor}

    @rule(gap=st.integers(0, 3), count=st.integers(1, 200), ecn=st.integers(0, 3))
    def in_order(self, gap: int, count: int, ecn: int) -> None:
        first = max(self.largest + 1, self.floor) + gap
        for pn in range(first, min(first + count, PACKET_NUMBER_MAX + 1)):
            self.arrive(pn, ecn)

    @rule(jump=st.integers(0, 3 * WINDOW), ecn=st.integers(0, 3))
    def jump(self, jump: int, ecn: int) -> None:
        self.arrive(min(max(self.largest, self.floor) + jump, PACKET_NUMBER_MAX), ecn)

    @rule(back=st.integers(0, WINDOW + 70), ecn=st.integers(0, 3))
    def late(self, back: int, ecn: int) -> None:
        self.arrive(max(self.largest - back, 0), ecn)

    @rule(step=st.integers(2, 5), count=st.integers(1, 2 * MAX_RANGES), ecn=st.integers(0, 3))
    def many_gaps(self, step: int, count: int, ecn: int) -> None:
        first = max(self.largest, self.floor) + step
        for pn in range(first, min(first + step * count, PACKET_NUMBER_MAX + 1), step):
            self.arrive(pn, ecn)

    @precondition(lambda self: self.largest >= 0)
    @rule(skip=st.integers(0, 2 * MAX_RANGES), count=st.integers(1, 20), every=st.integers(1, 3))
    def gaps_are_filled(self, skip: int, count: int, every: int) -> None:
        lowest = max(self.floor, self.largest - 1000)
        missing = [n for n in range(self.largest, lowest - 1, -1) if n not in self.numbers]
        for pn in missing[skip : skip + count * every : every]:
            self.arrive(pn, 0)

    @rule(pn=st.integers(0, PACKET_NUMBER_MAX))
    def anywhere(self, pn: int) -> None:
        # Only looked at: accepting it would leave the rest of the run behind its window.
        assert self.verdict(pn) == self.expected_verdict(pn)

    @precondition(lambda self: self.largest >= 0)
    @rule(back=st.integers(0, 50))
    def ack_was_acknowledged(self, back: int) -> None:
        below = max(self.largest + 1 - back, 0)
        self.core.lib.nqd_received_forget(self.received, below)
        if below - 1 > self.late_mark:
            self.overtaken.clear()
        below = min([below, *self.overtaken])
        self.report_floor = max(self.report_floor, below)

    @rule(back=st.integers(0, 600), count=st.integers(0, 300))
    def all_received(self, back: int, count: int) -> None:
        first = max(self.largest - back, 0)
        last = first + count - 1
        expected = all(n < self.floor or n in self.numbers for n in range(first, last + 1))
        if last >= 0:
            assert self.core.lib.nqd_received_all(self.received, first, last) == expected

    @invariant()
    def reports_what_was_received(self) -> None:
        if not hasattr(self, "received"):
            return
        floor = min(max(self.floor, self.report_floor), self.largest)
        expected = ranges_of(self.numbers, floor)
        assert c_ranges(self.core, self.received) == expected[:MAX_RANGES]
        assert c_ranges(self.core, self.received, 5) == expected[:5]
        if self.largest >= 0:
            assert self.received.largest == self.largest
            assert self.received.largest_time == self.largest_time
        counts = self.received.ecn
        assert [counts.ect1, counts.ect0, counts.ce] == self.ecn[1:]


TestReceived = ReceivedMachine.TestCase


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("new"), st.integers(1, 3)),
            st.tuples(st.just("late"), st.integers(1, 12)),
            st.tuples(st.just("send"), st.just(0)),
            st.tuples(st.just("acked"), st.integers(0, 5)),
        ),
        max_size=80,
    )
)
def test_reported_until_the_peer_knows(core: Core, steps: list[tuple[str, int]]) -> None:
    """However ACK frames overtake packets: none is left out before a frame with it is confirmed."""
    received = core.ffi.new("struct nqd_received *")
    core.lib.nqd_received_init(received, 0)
    numbers: set[int] = set()
    known: set[int] = set()
    frames: list[tuple[int, set[int]]] = []
    largest = -1
    for action, value in steps:
        if action == "new":
            largest += value
            numbers.add(largest)
            core.lib.nqd_received_add(received, largest, 0, 0)
        elif action == "late" and largest - value >= 0 and largest - value not in numbers:
            numbers.add(largest - value)
            core.lib.nqd_received_add(received, largest - value, 0, 0)
        elif action == "send" and numbers:
            shown = c_ranges(core, received, 200)
            frames.append((largest, {n for low, high in shown for n in range(low, high + 1)}))
        elif action == "acked" and value < len(frames):
            top, held = frames.pop(-1 - value)
            known |= held
            core.lib.nqd_received_forget(received, top + 1)
        reported = {n for low, high in c_ranges(core, received, 200) for n in range(low, high + 1)}
        assert numbers - known <= reported <= numbers


@given(
    numbers=st.sets(st.integers(0, 12_000), min_size=1, max_size=60),
    base=st.sampled_from([0, 1, 63, 64, 8191, 1 << 40, PACKET_NUMBER_MAX - 12_000]),
    floor=st.integers(0, 12_000),
)
@example(numbers={0}, base=0, floor=0)
@example(numbers={0, 8191}, base=0, floor=0)
@example(numbers={0, 8192}, base=0, floor=0)
def test_import(core: Core, numbers: set[int], base: int, floor: int) -> None:
    """What is imported is as if it had been received here."""
    present = {base + n for n in numbers}
    start = base + min(floor, *numbers)
    wanted = ranges_of(present, 0)
    ranges = core.ffi.new("struct nqd_pn_range[]", wanted)
    ecn = core.ffi.new("struct nqd_ecn_counts *", {"ect0": 1, "ect1": 2, "ce": 3})
    imported = core.ffi.new("struct nqd_received *")
    assert core.lib.nqd_received_import(imported, ranges, len(wanted), start, 77, ecn) == 0
    assert imported.largest == max(present)
    assert imported.largest_time == 77
    assert (imported.ecn.ect0, imported.ecn.ect1, imported.ecn.ce) == (1, 2, 3)
    local = core.ffi.new("struct nqd_received *")
    core.lib.nqd_received_init(local, start)
    for pn in sorted(present):
        core.lib.nqd_received_add(local, pn, 77, core.lib.NQD_ECN_NOT_ECT)
    assert c_ranges(core, imported, 200) == c_ranges(core, local, 200)
    for pn in {*present, *(n + 1 for n in present), start, max(start - 1, 0)}:
        if pn <= PACKET_NUMBER_MAX:
            check = core.lib.nqd_received_check
            assert check(imported, pn) == check(local, pn)


@pytest.mark.parametrize(
    ("ranges", "floor"),
    [
        pytest.param([(5, 4)], 0, id="backwards"),
        pytest.param([(5, 9), (10, 12)], 0, id="ascending"),
        pytest.param([(5, 9), (2, 4)], 0, id="touching"),
        pytest.param([(5, 9), (2, 6)], 0, id="overlapping"),
        pytest.param([(0, 9), (0, 0)], 0, id="below-0"),
        pytest.param([(1, 9), (0, 0)], 0, id="touching-at-0"),
        pytest.param([(5, 9)], 6, id="below-the-floor"),
        pytest.param([(5, PACKET_NUMBER_MAX + 1)], 0, id="above-2^62-1"),
        pytest.param([], PACKET_NUMBER_MAX + 2, id="floor-above-2^62"),
    ],
)
def test_import_refuses(core: Core, ranges: list[tuple[int, int]], floor: int) -> None:
    received = core.ffi.new("struct nqd_received *")
    memory = core.ffi.new("struct nqd_pn_range[]", ranges)
    ecn = core.ffi.new("struct nqd_ecn_counts *")
    result = core.lib.nqd_received_import(received, memory, len(ranges), floor, 0, ecn)
    assert result == -errno.EINVAL
    assert received.largest == core.lib.NQD_PN_NONE
    assert c_ranges(core, received) == []


@pytest.mark.parametrize("field", ["ect0", "ect1", "ce"])
def test_import_refuses_counts_without_an_encoding(core: Core, field: str) -> None:
    received = core.ffi.new("struct nqd_received *")
    ecn = core.ffi.new("struct nqd_ecn_counts *", {field: 1 << 62})
    result = core.lib.nqd_received_import(received, core.ffi.NULL, 0, 0, 0, ecn)
    assert result == -errno.EINVAL


def test_window_is_exact(core: Core) -> None:
    """The oldest number that can be told apart is 8191 below the largest."""
    received = core.ffi.new("struct nqd_received *")
    core.lib.nqd_received_init(received, 0)
    core.lib.nqd_received_add(received, 100, 0, 0)
    core.lib.nqd_received_add(received, 100 + WINDOW - 1, 0, 0)
    assert core.lib.nqd_received_check(received, 100) == core.lib.NQD_DROP_DUPLICATE
    core.lib.nqd_received_add(received, 100 + WINDOW, 0, 0)
    assert core.lib.nqd_received_check(received, 100) == core.lib.NQD_DROP_TOO_OLD
    assert core.lib.nqd_received_check(received, 101) == core.lib.NQD_DROP_NONE
