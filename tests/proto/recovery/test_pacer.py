# SPDX-License-Identifier: BSD-3-Clause
"""The pacer: RFC 9002 section 7.7."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nexus_sim.core import Core
from tests.proto.recovery.endpoint import MS, MSS, SECOND, Endpoint

rates = st.integers(10_000, 12_500_000_000)


def new_pacer(core: Core, rate: int) -> Any:
    pacer = core.ffi.new("struct nqd_pacer *")
    core.lib.nqd_pacer_init(pacer, 0)
    core.lib.nqd_pacer_set(pacer, 0, rate, MSS)
    return pacer


@given(rate=rates, sizes=st.lists(st.integers(40, 1452), min_size=2, max_size=300), data=st.data())
def test_never_above_rate_and_burst(core: Core, rate: int, sizes: list[int], data: Any) -> None:
    """Over any span of departures: at most the rate, one burst and the packet that closes it."""
    pacer = new_pacer(core, rate)
    now = 0
    departures = []
    for size in sizes:
        now += data.draw(st.sampled_from([0, 0, 0, 1000, 10 * MS]))
        now = core.lib.nqd_pacer_when(pacer, now)
        core.lib.nqd_pacer_sent(pacer, now, size)
        departures.append((now, size))
    for start in range(0, len(departures), 7):
        total = 0
        for end, size in departures[start:]:
            total += size
            allowed = rate * (end - departures[start][0]) / SECOND + pacer.burst + 1452
            # Fixed point rounds the time of a byte down by less than 2^-20 ns.
            slack = 1 + total * rate / SECOND / 2**20 + len(sizes) * rate / SECOND
            assert total <= allowed + slack


@given(rate=rates)
def test_backlog_leaves_at_the_rate(core: Core, rate: int) -> None:
    """A sender that always has packets gets its rate, to a thousandth (above 1 ns a packet)."""
    pacer = new_pacer(core, rate)
    now = 0
    packets = 20_000
    for _ in range(packets):
        now = core.lib.nqd_pacer_when(pacer, now)
        core.lib.nqd_pacer_sent(pacer, now, MSS)
    paced = packets * MSS - pacer.burst
    expected = paced * SECOND / rate
    assert abs(now - expected) <= expected * 0.001 + packets + 2 * MSS * SECOND / rate


def test_pause_does_not_pile_up_credit(core: Core) -> None:
    pacer = new_pacer(core, 1_200_000)
    later = 3600 * SECOND
    burst = 0
    while core.lib.nqd_pacer_when(pacer, later) == later:
        core.lib.nqd_pacer_sent(pacer, later, MSS)
        burst += 1
    assert burst == 3


@given(rate=rates, sent=st.integers(0, 30), limit=st.integers(1, 64))
def test_budget_is_what_may_leave_one_by_one(core: Core, rate: int, sent: int, limit: int) -> None:
    one, batch = new_pacer(core, rate), new_pacer(core, rate)
    for pacer in (one, batch):
        for _ in range(sent):
            core.lib.nqd_pacer_sent(pacer, 0, MSS)
    count = 0
    while count < limit and core.lib.nqd_pacer_when(one, 0) == 0:
        core.lib.nqd_pacer_sent(one, 0, MSS)
        count += 1
    budget = core.lib.nqd_pacer_budget(batch, 0, MSS, limit)
    # Times of a packet are rounded down to ns, for each by itself.
    assert abs(budget - count) <= (1 if rate < 100_000_000 else 2 + count // 8)


def test_departures_are_evenly_spaced(core: Core) -> None:
    pacer = new_pacer(core, 1_200_000)
    for _ in range(30):
        core.lib.nqd_pacer_sent(pacer, core.lib.nqd_pacer_when(pacer, 0), MSS)
    times = []
    now = 0
    for _ in range(10):
        now = core.lib.nqd_pacer_when(pacer, now)
        core.lib.nqd_pacer_sent(pacer, now, MSS)
        times.append(now)
    assert {b - a for a, b in pairwise(times)} <= {MS - 1, MS, MS + 1}


def test_what_is_owed_follows_the_rate(core: Core) -> None:
    """After the first RTT sample the rate jumps: packets wait as long as at the new rate."""
    pacer = new_pacer(core, 12_000)
    for _ in range(20):
        core.lib.nqd_pacer_sent(pacer, core.lib.nqd_pacer_when(pacer, 0), MSS)
    now = core.lib.nqd_pacer_when(pacer, 0)
    core.lib.nqd_pacer_set(pacer, now, 1_200_000, MSS)
    assert core.lib.nqd_pacer_when(pacer, now) <= now + MS


def test_gso_batch_passes_at_high_rate(core: Core) -> None:
    """At 2 Gbit/s a batch of 64 KiB leaves at once."""
    pacer = new_pacer(core, 250_000_000)
    assert core.lib.nqd_pacer_budget(pacer, SECOND, MSS, 54) == 54


def test_no_rate_no_pacing(core: Core) -> None:
    pacer = new_pacer(core, 0)
    for _ in range(1000):
        core.lib.nqd_pacer_sent(pacer, 0, MSS)
    assert core.lib.nqd_pacer_when(pacer, 5) == 5
    assert core.lib.nqd_pacer_budget(pacer, 5, MSS, 64) == 64


def test_sender_is_paced_at_twice_the_window_in_slow_start(core: Core) -> None:
    end = Endpoint(core)
    # Half of the window, so that it counts as used (RFC 9002 section 7.8).
    end.ack(40 * MS, [end.send(0) for _ in range(5)])
    assert end.r.cc.pacing_rate == (15 * MSS * 2) * 25
    window = end.cwnd
    sent = 0
    while end.may_send(40 * MS)[0] == core.lib.NQD_SEND_OK:
        end.send(40 * MS)
        sent += 1
    verdict, when = end.may_send(40 * MS)
    assert verdict in {core.lib.NQD_SEND_PACED, core.lib.NQD_SEND_CWND}
    assert sent <= 11
    if verdict == core.lib.NQD_SEND_PACED:
        assert when > 40 * MS
    assert end.in_flight <= window
