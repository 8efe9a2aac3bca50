# SPDX-License-Identifier: BSD-3-Clause
"""bbr_like and the delivery rate that it builds on."""

from collections import deque

import pytest

from nexus_sim.core import Core
from tests.proto.recovery.endpoint import MS, MSS, SECOND, Endpoint


class Pipe:
    """A bottleneck with an endless queue before a delay; the sender always has data."""

    def __init__(self, core: Core, rate: int, rtt: int) -> None:
        self.end = Endpoint(core, congestion=core.lib.NQD_CONGESTION_BBR_LIKE, rtt_initial=rtt)
        self.rate = rate
        self.rtt = rtt
        self.now = 0
        self.free = 0
        self.arrivals: deque[tuple[int, int]] = deque()
        self.phases: list[int] = []
        self.lose_every = 0
        self.largest_in_flight = 0

    def run(self, until: int) -> None:
        """Send and acknowledge each packet for itself until a time."""
        end = self.end
        while self.now < until:
            verdict, when = end.may_send(self.now)
            arrival = self.arrivals[0][0] if self.arrivals else None
            if verdict == end.lib.NQD_SEND_OK:
                pn = end.send(self.now)
                if self.lose_every and pn % self.lose_every == 0:
                    continue
                self.free = max(self.free, self.now) + MSS * SECOND // self.rate
                self.arrivals.append((self.free + self.rtt, pn))
                self.largest_in_flight = max(self.largest_in_flight, end.in_flight)
            elif verdict == end.lib.NQD_SEND_PACED and (arrival is None or when <= arrival):
                self.now = when
            else:
                assert arrival is not None
                self.now, pn = self.arrivals.popleft()
                end.ack_ranges(self.now, [(pn, pn)])
                phase = end.r.cc.bbr.phase
                if not self.phases or self.phases[-1] != phase:
                    self.phases.append(phase)

    @property
    def bdp(self) -> int:
        return self.rate * self.rtt // SECOND


@pytest.mark.parametrize("rate", [500_000, 2_000_000])
def test_finds_bandwidth_and_round_trip(core: Core, rate: int) -> None:
    pipe = Pipe(core, rate, 40 * MS)
    pipe.run(4 * SECOND)
    bbr = pipe.end.r.cc.bbr
    assert bbr.max_bw == pytest.approx(rate, rel=0.05)
    # The time that the bottleneck takes for a packet is part of the round trip.
    assert bbr.min_rtt == pytest.approx(40 * MS + MSS * SECOND // rate, rel=0.02)
    assert pipe.end.cwnd <= 1.8 * pipe.bdp + 10 * MSS


def test_phases_follow_each_other(core: Core) -> None:
    pipe = Pipe(core, 1_000_000, 40 * MS)
    pipe.run(4 * SECOND)
    lib = core.lib
    assert pipe.phases[:3] == [lib.NQD_BBR_STARTUP, lib.NQD_BBR_DRAIN, lib.NQD_BBR_CRUISE]
    cycle = [lib.NQD_BBR_UP, lib.NQD_BBR_DOWN, lib.NQD_BBR_CRUISE]
    assert pipe.phases[3:9] == cycle * 2


def test_round_trip_is_looked_at_anew(core: Core) -> None:
    """After ten seconds without a smaller sample the window shrinks for a moment."""
    pipe = Pipe(core, 300_000, 40 * MS)
    pipe.run(5 * SECOND)
    pipe.rtt = 80 * MS
    pipe.run(30 * SECOND)
    assert core.lib.NQD_BBR_PROBE_RTT in pipe.phases
    assert pipe.phases[-1] != core.lib.NQD_BBR_PROBE_RTT
    assert pipe.end.r.cc.bbr.min_rtt == pytest.approx(84 * MS, rel=0.02)


def test_loss_of_one_percent_bounds_nothing(core: Core) -> None:
    pipe = Pipe(core, 1_000_000, 40 * MS)
    pipe.lose_every = 100
    pipe.run(4 * SECOND)
    assert pipe.end.r.cc.bbr.inflight_hi == 2**64 - 1
    assert pipe.end.r.acked_bytes >= 0.85 * 4 * 1_000_000


def test_much_loss_bounds_the_flight(core: Core) -> None:
    pipe = Pipe(core, 1_000_000, 40 * MS)
    pipe.run(3 * SECOND)
    before = pipe.end.cwnd
    pipe.lose_every = 8
    pipe.run(5 * SECOND)
    assert pipe.end.r.cc.bbr.inflight_hi < before
    assert pipe.end.cwnd <= pipe.end.r.cc.bbr.inflight_hi
    assert pipe.end.cwnd >= 4 * MSS


def test_rate_sample_of_a_limited_sender_does_not_slow_it(core: Core) -> None:
    """Rounds with little to send leave the bandwidth as it was measured."""
    pipe = Pipe(core, 1_000_000, 40 * MS)
    pipe.run(3 * SECOND)
    end = pipe.end
    bandwidth = end.r.cc.bbr.max_bw
    for at, pn in pipe.arrivals:
        end.ack_ranges(at, [(pn, pn)])
        pipe.now = at
    assert end.in_flight == 0
    for _ in range(50):
        pipe.now += 100 * MS
        pn = end.send(pipe.now)
        core.lib.nqd_recovery_app_limited(end.r)
        end.ack_ranges(pipe.now + 41 * MS, [(pn, pn)])
    assert end.r.cc.bbr.max_bw >= 0.95 * bandwidth


def test_idle_time_is_not_part_of_a_rate(core: Core) -> None:
    """The estimate of the first flight after a pause is that of the flight."""
    end = Endpoint(core, congestion=core.lib.NQD_CONGESTION_BBR_LIKE, rtt_initial=40 * MS)
    pn = end.send(0)
    end.ack(40 * MS, [pn])
    start = 20 * SECOND
    numbers = [end.send(start + i * MS) for i in range(10)]
    for i, pn in enumerate(numbers):
        end.ack_ranges(start + 40 * MS + i * MS, [(pn, pn)])
    # Ten packets acknowledged within 49 ms of sending the first.
    assert end.r.cc.bbr.max_bw == pytest.approx(10 * MSS * SECOND / (49 * MS), rel=0.03)


def test_persistent_congestion_empties_the_window(core: Core) -> None:
    """RFC 9002 section 7.6.2 holds for every algorithm."""
    pipe = Pipe(core, 1_000_000, 40 * MS)
    pipe.run(2 * SECOND)
    end = pipe.end
    for at, pn in pipe.arrivals:
        end.ack_ranges(at, [(pn, pn)])
    now = 3 * SECOND
    end.send(now)
    end.send(now + 10 * SECOND)
    numbers = [end.send(now + 10 * SECOND) for _ in range(4)]
    assert end.ack(now + 11 * SECOND, numbers).persistent
    assert end.r.cc.persistent == 1
    assert end.cwnd <= 8 * MSS
