# SPDX-License-Identifier: BSD-3-Clause
"""cubic_like against an independent model of RFC 9438, and HyStart++ (RFC 9406)."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sim.core import Core, Flavour, load
from nexus_sim.cubic_model import Cubic, ideal_path, window_at
from tests.proto.recovery.endpoint import MS, MSS, SECOND, Endpoint


def core_on_ideal_path(
    rtt: int, drop_times: list[int], duration: int, ssthresh: int, ack_every: int
) -> list[tuple[float, float]]:
    """Drive the core over a path that only delays; return (s, window in segments) at each ACK."""
    end = Endpoint(load(Flavour.FAST), rtt_initial=rtt)
    end.r.cc.ssthresh = ssthresh * MSS
    drops = deque(drop_times)
    returning: deque[tuple[int, int]] = deque()
    batch: list[int] = []
    history = []
    now = 0
    ok, paced = end.lib.NQD_SEND_OK, end.lib.NQD_SEND_PACED
    while now < duration:
        verdict, when = end.may_send(now)
        arrival = returning[0][0] if returning else None
        if verdict == paced and (arrival is None or when <= arrival):
            now = when
            continue
        if verdict == ok:
            pn = end.send(now)
            if drops and now >= drops[0]:
                drops.popleft()
            else:
                returning.append((now + rtt, pn))
            continue
        assert arrival is not None
        now, pn = returning.popleft()
        batch.append(pn)
        if len(batch) >= ack_every:
            end.ack(now, batch)
            batch.clear()
            history.append((now / SECOND, end.cwnd / MSS))
    return history


@pytest.mark.parametrize("ack_every", [1, 8])
@pytest.mark.parametrize(
    ("rtt_ms", "ssthresh", "drops_ms", "duration_s"),
    [
        (40, 160, [1_000, 6_000, 10_000, 10_500, 20_000], 30),  # fast convergence; convex region
        (10, 40, [500, 2_000, 4_000, 7_000], 10),  # the Reno-friendly region
        (100, 160, [2_000, 15_000], 30),  # the concave region, far from the plateau
    ],
)
def test_window_follows_the_model(
    rtt_ms: int, ssthresh: int, drops_ms: list[int], duration_s: int, ack_every: int
) -> None:
    """Within 5 % at all times but for the round trips in which a loss is being noticed."""
    ours = core_on_ideal_path(
        rtt_ms * MS, [ms * MS for ms in drops_ms], duration_s * SECOND, ssthresh, ack_every
    )
    model = ideal_path(rtt_ms / 1000, [ms / 1000 for ms in drops_ms], duration_s, float(ssthresh))
    step = rtt_ms / 1000
    when = 10 * step
    worst = 0.0
    compared = 0
    while when < duration_s - step:
        if not any(-step <= when - drop / 1000 <= 4 * step for drop in drops_ms):
            expected = window_at(model, when)
            worst = max(worst, abs(window_at(ours, when) - expected) / expected)
            compared += 1
        when += step
    assert compared > 200
    assert worst < 0.05


@given(
    windows=st.lists(st.integers(20, 5000), min_size=1, max_size=5),
    rtt_ms=st.integers(1, 400),
    mss=st.integers(1200, 9000),
)
def test_curve_is_the_formula(core: Core, windows: list[int], rtt_ms: int, mss: int) -> None:
    """Reductions at given windows, then growth by 16 ACKs a round trip: fixed point is exact."""
    ffi, lib = core.ffi, core.lib
    cc = ffi.new("struct nqd_cc *")
    assert lib.nqd_cc_init(cc, lib.NQD_CONGESTION_CUBIC_LIKE, mss, 0, 0, 0, 0, 0, 0) == 0
    model = Cubic()
    ack = ffi.new("struct nqd_cc_ack *")
    now = SECOND
    pn = 0
    for window in windows:
        cc.cwnd = window * mss
        model.cwnd = float(window)
        pn += 10
        lib.nqd_cc_on_lost(cc, now, pn, 1, pn + 1, cc.cwnd)
        model.on_loss()
        for _ in range(320):
            now += rtt_ms * MS // 16
            pn += 10
            ack.now, ack.rtt, ack.largest_acked = now, rtt_ms * MS, pn
            ack.acked_bytes = cc.cwnd // 16
            cc.ops.on_ack(cc, ack)
            model.on_ack(now / SECOND, model.cwnd / 16, rtt_ms / 1000)
            # Time is counted in steps of 1.05 ms, and W_est in whole segments.
            assert cc.cwnd / mss == pytest.approx(model.cwnd, rel=0.02, abs=2)


@given(cube=st.integers(0, 2**64 - 1))
def test_cube_root(core: Core, cube: int) -> None:
    root = core.lib.nqd_cubic_root(cube)
    assert root**3 <= cube < (root + 1) ** 3


def hystart_rounds(core: Core, rtts: list[int], samples: int = 8) -> tuple[Any, list[int]]:
    """Feed rounds of equal samples; return the state and the phase after each round."""
    state = core.ffi.new("struct nqd_hystart *")
    core.lib.nqd_hystart_init(state)
    phases = []
    pn = 0
    for rtt in rtts:
        for _ in range(samples):
            pn += 1
            if core.lib.nqd_hystart_on_ack(state, rtt, 1, pn, pn + samples):
                core.lib.nqd_hystart_done(state)
        phases.append(state.phase)
    return state, phases


def test_hystart_stays_while_the_delay_does(core: Core) -> None:
    _, phases = hystart_rounds(core, [50 * MS] * 20)
    assert set(phases) == {core.lib.NQD_HYSTART_SLOW_START}


@pytest.mark.parametrize(
    ("rtt", "rise", "leaves"),
    [
        # RFC 9406 section 4.2: an eighth of the RTT, 4 ms at least, 16 ms at most.
        (16 * MS, 3 * MS, False),
        (16 * MS, 5 * MS, True),
        (80 * MS, 9 * MS, False),
        (80 * MS, 11 * MS, True),
        (400 * MS, 15 * MS, False),
        (400 * MS, 17 * MS, True),
    ],
)
def test_hystart_threshold(core: Core, rtt: int, rise: int, leaves: bool) -> None:  # noqa: FBT001 - parametrised
    _, phases = hystart_rounds(core, [rtt, rtt, rtt, rtt + rise])
    assert (core.lib.NQD_HYSTART_CSS in phases) == leaves


def test_hystart_asks_for_a_round_trip_to_be_sure(core: Core) -> None:
    """It leaves by packets that were sent in conservative slow start, not before."""
    _, phases = hystart_rounds(core, [50 * MS, 50 * MS, 60 * MS, 60 * MS, 60 * MS])
    css = phases.index(core.lib.NQD_HYSTART_CSS)
    assert css == 2
    assert phases[css + 1 :] == [core.lib.NQD_HYSTART_CSS, core.lib.NQD_HYSTART_DONE]


def test_hystart_resumes_after_a_passing_rise(core: Core) -> None:
    _, phases = hystart_rounds(core, [50 * MS, 50 * MS, 60 * MS, 50 * MS, 50 * MS, 50 * MS])
    assert phases[2] == core.lib.NQD_HYSTART_CSS
    assert set(phases[4:]) == {core.lib.NQD_HYSTART_SLOW_START}


def test_hystart_notices_a_rise_within_a_round(core: Core) -> None:
    """The first packets of a round still found an empty queue."""
    state, _ = hystart_rounds(core, [50 * MS, 50 * MS])
    for i in range(16):
        rtt = (50 if i < 8 else 60) * MS
        assert not core.lib.nqd_hystart_on_ack(state, rtt, 1, 17 + i, 60)
    assert state.phase == core.lib.NQD_HYSTART_CSS


def test_hystart_grows_slower_when_in_doubt(core: Core) -> None:
    state, _ = hystart_rounds(core, [50 * MS, 50 * MS, 60 * MS])
    assert state.phase == core.lib.NQD_HYSTART_CSS
    assert core.lib.nqd_hystart_growth(state, 4000) == 500


def test_fixed_rate_is_for_the_lab(core: Core) -> None:
    kind = core.lib.NQD_CONGESTION_FIXED_RATE_TEST
    with pytest.raises(PermissionError):
        Endpoint(core, congestion=kind, fixed_rate=10**6)
    with pytest.raises(OSError, match="nqd_recovery_init"):
        Endpoint(core, congestion=kind, lab_mode=1)
    end = Endpoint(core, congestion=kind, lab_mode=1, fixed_rate=10**6)
    assert end.r.cc.pacing_rate == 10**6
    for _ in range(10):
        end.send(0)
    end.ack(20 * MS, [9])
    assert end.r.cc.pacing_rate == 10**6


@pytest.mark.parametrize("kind", ["CUBIC_LIKE", "BBR_LIKE"])
def test_window_does_not_grow_unused(core: Core, kind: str) -> None:
    """RFC 9002 section 7.8."""
    end = Endpoint(core, congestion=getattr(core.lib, f"NQD_CONGESTION_{kind}"))
    before = end.cwnd
    now = 0
    for _ in range(100):
        pn = end.send(now)
        core.lib.nqd_recovery_app_limited(end.r)
        now += 20 * MS
        end.ack(now, [pn])
    assert end.cwnd <= before + MSS


@pytest.mark.parametrize("kind", ["CUBIC_LIKE", "BBR_LIKE"])
def test_window_does_not_grow_far_beyond_its_use(core: Core, kind: str) -> None:
    """RFC 9002 section 7.8, also for a sender that the pacer now and then holds back."""
    end = Endpoint(core, congestion=getattr(core.lib, f"NQD_CONGESTION_{kind}"))
    before = end.cwnd
    now = 0
    for _ in range(100):
        pns = [end.send(now), end.send(now)]
        now += 20 * MS
        end.ack(now, pns)
    assert end.cwnd <= before + MSS
