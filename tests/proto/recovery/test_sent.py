# SPDX-License-Identifier: BSD-3-Clause
"""The ring of sent packets: every packet is accounted for once, whatever the peer acknowledges."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nexus_sim.core import load
from tests.proto.recovery.endpoint import (
    MS,
    MSS,
    NEVER,
    Endpoint,
    ProtocolViolationError,
    ranges_of,
)


@dataclass(slots=True)
class Packet:
    size: int
    sent: int
    in_flight: bool
    fate: str = "outstanding"


class Accounting(RuleBasedStateMachine):
    """A second set of books, kept in Python from what the core reports."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: dict[int, Packet] = {}
        self.now = 0
        self.largest_acked = -1
        self.end: Endpoint

    @initialize(first=st.sampled_from([0, 1, 250, 2**32 - 5, 2**40]), grow=st.booleans())
    def begin(self, first: int, grow: bool) -> None:  # noqa: FBT001 - hypothesis passes by keyword
        self.end = Endpoint(
            load(), next_pn=first, largest_acked=first - 1 if first else NEVER, may_grow=grow
        )

    @rule(
        count=st.integers(1, 40),
        size=st.integers(40, MSS),
        kind=st.sampled_from(["datagram", "ack", "control", "probe"]),
        gap=st.integers(0, 3 * MS),
    )
    def send(self, count: int, size: int, kind: str, gap: int) -> None:
        lib = self.end.lib
        flags = {
            "datagram": self.end.eliciting,
            "ack": lib.NQD_SENT_ACK,
            "control": self.end.eliciting | lib.NQD_SENT_CONTROL,
            "probe": lib.NQD_SENT_ACK_ELICITING | lib.NQD_SENT_IN_FLIGHT | lib.NQD_SENT_PMTU_PROBE,
        }[kind]
        for _ in range(count):
            self.now += gap
            pn = self.end.send(self.now, size, flags, reported=7)
            if pn == NEVER:
                assert not self.end.may_grow
                break
            assert pn not in self.packets
            self.packets[pn] = Packet(size, self.now, bool(flags & lib.NQD_SENT_IN_FLIGHT))

    @precondition(lambda self: self.packets)
    @rule(data=st.data(), wait=st.integers(0, 60 * MS))
    def ack(self, data: Any, wait: int) -> None:
        self.now += wait
        newest = max(self.packets)
        oldest = max(min(self.packets), newest - 400)
        bounds = data.draw(
            st.lists(
                st.tuples(st.integers(oldest, newest), st.integers(0, 60)), min_size=1, max_size=6
            )
        )
        numbers = {
            pn
            for low, length in bounds
            for pn in range(low, min(low + length, newest) + 1)
            if pn in self.packets and self.packets[pn].fate != "cancelled"
        }
        if not numbers:
            return
        before = {pn: self.end.state(pn) for pn in numbers}
        counts = self.end.ack(self.now, numbers)
        lib = self.end.lib
        fresh = [
            pn for pn, state in before.items() if state is not None and state != lib.NQD_SENT_ACKED
        ]
        assert counts.acked == len(fresh)
        assert counts.acked_bytes == sum(self.packets[pn].size for pn in fresh)
        assert counts.spurious == sum(self.packets[pn].fate == "lost" for pn in fresh)
        for pn in fresh:
            assert self.packets[pn].fate in {"outstanding", "lost", "forgotten"}
            self.packets[pn].fate = "acked"
        self.largest_acked = max(self.largest_acked, *numbers)
        self.collect_lost(counts.lost)

    def collect_lost(self, expected: int) -> None:
        lib = self.end.lib
        lost = [
            pn
            for pn, packet in self.packets.items()
            if packet.fate == "outstanding" and self.end.state(pn) == lib.NQD_SENT_LOST
        ]
        assert len(lost) == expected
        delay = self.loss_delay()
        for pn in lost:
            # RFC 9002 section 6.1: never without one of the two reasons.
            assert self.packets[pn].in_flight
            assert (
                self.largest_acked - pn >= self.end.r.loss.packet_threshold
                or self.packets[pn].sent + delay <= self.now
            )
            self.packets[pn].fate = "lost"
        for pn, packet in self.packets.items():
            if packet.fate == "outstanding" and self.end.state(pn) == lib.NQD_SENT_FORGOTTEN:
                assert not packet.in_flight
                packet.fate = "forgotten"

    def loss_delay(self) -> int:
        rtt = self.end.r.rtt
        longest = max(rtt.smoothed, rtt.latest)
        return int(max(longest * self.end.r.loss.time_threshold // 8, MS))

    @precondition(lambda self: self.packets)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        pn = data.draw(st.sampled_from(sorted(self.packets)[-50:]))
        outstanding = self.end.state(pn) == self.end.lib.NQD_SENT_OUTSTANDING
        assert (self.end.lib.nqd_recovery_cancel(self.end.r, pn) == 0) == outstanding
        if outstanding:
            self.packets[pn].fate = "cancelled"

    @rule()
    def timeout(self) -> None:
        if self.end.deadline == NEVER:
            return
        self.now = max(self.now, self.end.deadline)
        timed = self.end.r.loss.loss_time != NEVER
        counts = self.end.timeout(self.now)
        if timed:
            assert counts.lost or counts.probes == 0
        else:
            # RFC 9002 section 6.2.4: a PTO declares nothing lost.
            assert counts.lost == 0
            assert counts.probes in {1, 2}
        self.collect_lost(counts.lost)

    @precondition(lambda self: self.packets)
    @rule(ahead=st.integers(1, 2**20))
    def acknowledge_the_future(self, ahead: int) -> None:
        before = self.end.in_flight
        with pytest.raises(ProtocolViolationError):
            self.end.ack(self.now, [max(self.packets) + ahead])
        assert self.end.in_flight == before

    @invariant()
    def books_agree(self) -> None:
        if not self.packets:
            return
        lib, sent = self.end.lib, self.end.r.sent
        for pn, packet in self.packets.items():
            # Forgotten to make room, an entry may be another packet's by now.
            if packet.fate == "outstanding" and self.end.state(pn) in {
                lib.NQD_SENT_FORGOTTEN,
                None,
            }:
                assert not packet.in_flight
                packet.fate = "forgotten"
        fates = [packet.fate for packet in self.packets.values()]
        flying = [p for p in self.packets.values() if p.fate == "outstanding" and p.in_flight]
        assert self.end.in_flight == sum(p.size for p in flying)
        assert sent.sent == len(fates)
        assert sent.cancelled == fates.count("cancelled")
        assert sent.sent == sent.acked + sent.lost + sent.cancelled + sent.forgotten + fates.count(
            "outstanding"
        )
        assert sent.lost - sent.spurious == fates.count("lost")
        assert sent.acked + sent.spurious == fates.count("acked")

    @invariant()
    def nothing_overdue_by_number(self) -> None:
        threshold = self.end.r.loss.packet_threshold if self.packets else 0
        assert not any(
            packet.fate == "outstanding"
            and packet.in_flight
            and self.largest_acked - pn >= threshold + 61  # it may have been lowered since
            for pn, packet in self.packets.items()
        )


Accounting.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestAccounting = Accounting.TestCase


def test_ring_grows_when_half_full(core: Any) -> None:
    end = Endpoint(core)
    for i in range(3000):
        assert end.send(i * MS) == i
    assert end.r.sent.mask + 1 == 8192
    counts = end.ack(4000 * MS, range(3000))
    assert counts.acked == 3000
    assert end.in_flight == 0


def test_full_ring_refuses_and_recovers(core: Any) -> None:
    end = Endpoint(core, may_grow=False, initial_window=10**9)
    for i in range(256):
        assert end.send(0) == i
    assert end.send(0) == NEVER
    assert end.may_send(0)[0] == core.lib.NQD_SEND_RING
    end.ack(10 * MS, range(10))
    assert end.send(10 * MS) == 256


def test_pure_acks_never_hold_the_ring(core: Any) -> None:
    """A receiver of one-way traffic sends nothing that elicits acknowledgements."""
    end = Endpoint(core, may_grow=False)
    for i in range(10_000):
        assert end.send(i * MS, 40, core.lib.NQD_SENT_ACK, reported=i) == i
    assert end.in_flight == 0
    assert end.deadline == NEVER
    assert end.r.sent.forgotten > 9000


def test_ack_of_cancelled_number_is_a_violation(core: Any) -> None:
    """RFC 9000 section 21.4: the number was skipped, so the peer cannot have seen it."""
    end = Endpoint(core)
    for _ in range(5):
        end.send(0)
    assert core.lib.nqd_recovery_cancel(end.r, 2) == 0
    assert end.in_flight == 4 * MSS
    end.ack(10 * MS, [0, 1, 3])
    with pytest.raises(ProtocolViolationError):
        end.ack(10 * MS, range(5))


def test_numbers_before_the_import_are_ignored(core: Any) -> None:
    end = Endpoint(core, next_pn=100, largest_acked=90)
    end.send(0)
    counts = end.ack(20 * MS, range(80, 101))
    assert counts.acked == 1
    assert counts.lost == 0


def test_own_ack_acknowledged_is_reported(core: Any) -> None:
    """RFC 9000 section 13.2.4: what was reported below needs no report any more."""
    end = Endpoint(core)
    base = 2**32 - 2
    for i in range(5):
        end.send(0, MSS, end.eliciting | core.lib.NQD_SENT_ACK, reported=base + i)
    end.send(0)
    assert end.ack(10 * MS, [0, 5]).ack_reported == base
    assert end.ack(11 * MS, [1, 2, 3]).ack_reported == base + 3
    assert end.ack(12 * MS, [3, 5]).ack_reported == NEVER


def test_sink_is_told_of_awaited_packets_only(core: Any) -> None:
    end = Endpoint(core)
    control = end.eliciting | core.lib.NQD_SENT_CONTROL
    for i in range(12):
        end.send(0, MSS, control if i in {1, 7} else None)
    end.ack(10 * MS, range(4, 12))
    assert end.told.acked == [7]
    assert end.told.lost == [1]
    end.ack(11 * MS, [1])
    assert end.told.acked == [7, 1]


@pytest.mark.parametrize("order", ["ascending", "descending", "odd_even"])
def test_overlapping_frames_count_each_number_once(core: Any, order: str) -> None:
    end = Endpoint(core, initial_window=10**9)
    total = 2000
    for _ in range(total):
        end.send(0)
    numbers = {
        "ascending": [range(i + 1) for i in range(0, total, 7)],
        "descending": [range(i, total) for i in range(total - 1, -1, -13)],
        "odd_even": [range(0, total, 2), range(1, total, 2)],
    }[order]
    acked = 0
    lost = 0
    for some in numbers:
        spans = ranges_of(some)
        for start in range(0, len(spans), 200):
            counts = end.ack_ranges(5 * MS, spans[start : start + 200])
            acked += counts.acked
            lost += counts.lost - counts.spurious
    expected = len({pn for some in numbers for pn in some})
    assert acked == expected
    assert end.in_flight == (total - acked - lost) * MSS
