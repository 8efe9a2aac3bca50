# SPDX-License-Identifier: BSD-3-Clause
"""RTT, loss detection, PTO and persistent congestion: the rules of RFC 9002 sections 5 to 7."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sim.core import Core
from tests.proto.recovery.endpoint import MS, MSS, NEVER, SECOND, Endpoint


def new_rtt(core: Core, initial: int = 0, max_ack_delay: int = 25 * MS) -> Any:
    rtt = core.ffi.new("struct nqd_rtt *")
    core.lib.nqd_rtt_init(rtt, initial, max_ack_delay)
    return rtt


def test_rtt_before_and_at_the_first_sample(core: Core) -> None:
    """RFC 9002 sections 5.3, 6.2.2."""
    rtt = new_rtt(core)
    assert (rtt.smoothed, rtt.var) == (333 * MS, 333 * MS // 2)
    assert core.lib.nqd_rtt_pto(rtt) == (333 + 666 + 25) * MS
    core.lib.nqd_rtt_sample(rtt, 40 * MS, 10 * MS, 5)
    assert (rtt.min, rtt.smoothed, rtt.var) == (40 * MS, 40 * MS, 20 * MS)
    assert rtt.first_sample == 5


@given(
    samples=st.lists(
        st.tuples(st.integers(1, 3 * SECOND), st.integers(0, 100 * MS)), min_size=1, max_size=60
    )
)
def test_rtt_follows_the_formulas(core: Core, samples: list[tuple[int, int]]) -> None:
    """RFC 9002 section 5.3 with real numbers, beside the integers."""
    rtt = new_rtt(core)
    smallest = smoothed = var = 0.0
    for index, (latest, delay) in enumerate(samples):
        core.lib.nqd_rtt_sample(rtt, latest, delay, 1)
        if index == 0:
            smallest, smoothed, var = latest, latest, latest / 2
            continue
        smallest = min(smallest, latest)
        capped = min(delay, 25 * MS)
        adjusted = latest - capped if latest >= smallest + capped else latest
        var = 3 / 4 * var + abs(smoothed - adjusted) / 4
        smoothed = 7 / 8 * smoothed + adjusted / 8
    slack = 4 * len(samples)
    assert rtt.min == smallest
    assert rtt.smoothed == pytest.approx(smoothed, abs=slack)
    assert rtt.var == pytest.approx(var, abs=slack)


def test_no_sample_from_a_packet_that_elicits_nothing(core: Core) -> None:
    """RFC 9002 section 5.1."""
    end = Endpoint(core)
    end.send(0, 40, core.lib.NQD_SENT_ACK, reported=0)
    assert not end.ack(30 * MS, [0]).sampled
    end.send(0)
    end.send(0)
    assert end.ack(40 * MS, [2]).sampled
    assert end.r.rtt.latest == 40 * MS
    # The largest acknowledged is not new: no sample.
    assert not end.ack(90 * MS, [1, 2]).sampled


def test_packet_threshold(core: Core) -> None:
    """RFC 9002 section 6.1.1: three packets later."""
    end = Endpoint(core)
    for _ in range(4):
        end.send(0)
    assert end.ack(10 * MS, [1, 2]).lost == 0
    assert end.ack(10 * MS + 1, [1, 2, 3]).lost == 1
    assert end.state(0) == core.lib.NQD_SENT_LOST


def test_time_threshold(core: Core) -> None:
    """RFC 9002 section 6.1.2: 9/8 of the larger of smoothed and latest RTT after it was sent."""
    end = Endpoint(core)
    end.send(0)
    end.send(0)
    counts = end.ack(80 * MS, [1])
    assert counts.lost == 0
    assert end.deadline == 90 * MS
    assert end.timeout(90 * MS - 1).lost == 0
    counts = end.timeout(90 * MS)
    assert (counts.lost, counts.lost_datagrams, counts.lost_bytes) == (1, 1, MSS)
    assert counts.probes == 0
    assert end.in_flight == 0
    assert end.deadline == NEVER


def test_time_threshold_has_a_floor(core: Core) -> None:
    """RFC 9002 section 6.1.2: kGranularity."""
    end = Endpoint(core)
    end.send(0)
    end.send(0)
    end.ack(1000, [1])
    assert end.deadline == MS


def test_pto_doubles_and_is_reset(core: Core) -> None:
    """RFC 9002 sections 6.2.1 and 6.2.4."""
    end = Endpoint(core)
    end.send(0)
    end.ack(40 * MS, [0])
    now = 50 * MS
    period = (40 + 4 * 20 + 25) * MS
    end.send(now)
    end.send(now)
    for backoff in range(8):
        assert end.deadline == now + (period << backoff)
        now = end.deadline
        counts = end.timeout(now)
        assert counts.probes == 2
        assert counts.lost == 0
        for _ in range(counts.probes):
            newest = end.send(now, 40)
    assert end.r.loss.ptos == 8
    end.ack(now + 40 * MS, [newest])
    assert end.r.loss.pto_count == 0


def test_pto_stays_below_a_minute(core: Core) -> None:
    end = Endpoint(core)
    now = 0
    end.send(now)
    for _ in range(100):
        assert end.deadline - now <= 60 * SECOND
        now = end.deadline
        assert end.timeout(now).probes in {1, 2}
        end.send(now)
    assert end.r.loss.ptos == 100


def test_single_packet_gets_a_single_probe(core: Core) -> None:
    end = Endpoint(core)
    end.send(0)
    assert end.timeout(end.deadline).probes == 1


def test_late_ack_raises_the_packet_threshold(core: Core) -> None:
    """RFC 9002 section 6.1.1: reordering seen makes the threshold rise, up to a bound."""
    end = Endpoint(core)
    for _ in range(30):
        end.send(0)
    assert end.ack(10 * MS, range(1, 12)).lost == 1
    counts = end.ack(11 * MS, range(12))
    assert counts.spurious == 1
    assert counts.acked == 1
    assert end.r.loss.packet_threshold == 12
    # The same extent of reordering does no harm any more.
    assert end.ack(12 * MS, [*range(12), *range(13, 24)]).lost == 0
    assert end.ack(12 * MS, range(24)).acked == 1


@pytest.mark.parametrize("extent", [100, 5000])
def test_packet_threshold_is_bounded_and_decays(core: Core, extent: int) -> None:
    end = Endpoint(core, initial_window=10**9)
    now = 0
    for _ in range(extent + 2):
        end.send(now)
    end.ack(10 * MS, range(1, extent))
    end.ack(10 * MS, range(extent))
    assert end.r.loss.packet_threshold == 64
    for _ in range(16 * 5 + 2):
        now += 20 * MS
        pn = end.send(now)
        end.ack(now + 10 * MS, [pn])
    assert end.r.loss.packet_threshold == 3


def test_no_spurious_loss_within_the_threshold(core: Core) -> None:
    """Displacement below the packet threshold, all else in time: nothing is declared lost."""
    end = Endpoint(core, initial_window=10**9)
    order = []
    for start in range(0, 3000, 3):
        order += [start + 2, start + 1, start]
    for _ in order:
        end.send(0)
    received: set[int] = set()
    for pn in order:
        received.add(pn)
        low = max(0, pn - 20)
        assert end.ack(10 * MS, [n for n in received if n >= low]).lost == 0
    assert end.in_flight == 0


def persistent(core: Core, gaps: list[int], acked_between: bool = False) -> tuple[Endpoint, bool]:  # noqa: FBT001, FBT002 - a case of the table below
    """Lose packets sent at these intervals after an RTT sample of 20 ms, then acknowledge more."""
    end = Endpoint(core, initial_window=10**9)
    end.send(0)
    end.ack(20 * MS, [0])
    now = 20 * MS
    numbers = []
    for gap in gaps:
        now += gap
        numbers.append(end.send(now))
    acked = [0]
    if acked_between:
        acked.append(numbers[len(numbers) // 2])
    acked += [end.send(now) for _ in range(4)]
    counts = end.ack(now + 20 * MS, acked)
    return end, counts.persistent


def test_persistent_congestion(core: Core) -> None:
    """RFC 9002 section 7.6.1: three times smoothed + 4 var + max_ack_delay = 255 ms here."""
    end, found = persistent(core, [MS, 254 * MS, MS])
    assert found
    assert end.r.cc.persistent == 1
    # What the same frame acknowledged grows the window from its minimum again.
    assert 2 * MSS <= end.cwnd <= 2 * MSS + 5 * MSS


@pytest.mark.parametrize(
    ("gaps", "acked_between"), [([MS, 200 * MS], False), ([MS, 150 * MS, 150 * MS], True)]
)
def test_no_persistent_congestion(core: Core, gaps: list[int], acked_between: bool) -> None:  # noqa: FBT001 - parametrised
    end, found = persistent(core, gaps, acked_between)
    assert not found
    assert end.r.cc.reductions == 1
    assert end.cwnd > 10 * MSS


def test_no_persistent_congestion_before_a_sample(core: Core) -> None:
    """RFC 9002 section 7.6.2: the packets must be newer than the first RTT sample."""
    end = Endpoint(core)
    end.send(0)
    end.send(10 * SECOND)
    for _ in range(4):
        end.send(10 * SECOND)
    assert not end.ack(10 * SECOND + 20 * MS, [2, 3, 4, 5]).persistent


def test_one_reduction_a_round_trip(core: Core) -> None:
    """RFC 9002 section 7.3.2."""
    end = Endpoint(core, initial_window=100 * MSS)
    for _ in range(60):
        end.send(0)
    assert end.ack(20 * MS, [*range(1, 10)]).reduced
    window = end.cwnd
    assert window == pytest.approx(70 * MSS, rel=0.01)
    # More packets of the same flight are lost: nothing changes.
    assert not end.ack(21 * MS, [*range(1, 10), *range(20, 30)]).reduced
    assert end.cwnd == window
    # A packet sent after the reduction is.
    for _ in range(10):
        end.send(22 * MS)
    counts = end.ack(42 * MS, [*range(1, 10), *range(20, 60), *range(61, 70)])
    assert counts.reduced


def test_pmtu_probe_is_no_congestion(core: Core) -> None:
    """RFC 9000 section 14.4."""
    end = Endpoint(core)
    probe = core.lib.NQD_SENT_ACK_ELICITING | core.lib.NQD_SENT_IN_FLIGHT
    end.send(0, 1452, probe | core.lib.NQD_SENT_PMTU_PROBE)
    for _ in range(4):
        end.send(0)
    counts = end.ack(20 * MS, [1, 2, 3, 4])
    assert counts.lost == 1
    assert not counts.reduced
    assert end.told.lost == [0]
    assert end.r.cc.reductions == 0


def test_spurious_reduction_is_undone(core: Core) -> None:
    """RFC 9438 section 4.9.2."""
    end = Endpoint(core, initial_window=100 * MSS)
    for _ in range(60):
        end.send(0)
    end.ack(20 * MS, range(2, 12))
    assert end.cwnd == pytest.approx(70 * MSS, rel=0.01)
    end.ack(21 * MS, [0, *range(2, 12)])
    assert end.cwnd == pytest.approx(70 * MSS, rel=0.01)
    end.ack(22 * MS, range(12))
    assert end.cwnd >= 100 * MSS
    assert end.r.cc.undone == 1
