# SPDX-License-Identifier: BSD-3-Clause
"""CUBIC as RFC 9438 states it, with real numbers, segments and seconds.

Written from the RFC and not from `kernel/proto/cc_cubic.c`, to check that one: `Cubic` is the
window, `ideal_path` drives it over a path that only delays, as an ideal ACK clock.
"""

import bisect
import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

C: Final = 0.4
"""Section 5.1, segments a cubic second."""
BETA: Final = 0.7
"""Section 4.6."""
ALPHA: Final = 3 * (1 - BETA) / (1 + BETA)
"""Section 4.3."""
MINIMUM: Final = 2.0
"""Segments; RFC 9002 section 7.2."""

ACKS_PER_ROUND: Final = 8
"""What a receiver of ours aims at (`kernel/proto/ack.c`)."""


@dataclass(slots=True)
class Cubic:
    """Congestion window of one flow.

    Attributes:
        cwnd: window, segments.
        ssthresh: slow start threshold, segments.
        w_max: window before the last reduction, lowered by fast convergence; 0: none.
        cwnd_prior: window before the last reduction.
        epoch_start: when the present congestion avoidance stage began; None: not yet.
        k: seconds from there to `w_max`.
        w_est: window of a Reno flow.
    """

    cwnd: float = 10.0
    ssthresh: float = math.inf
    w_max: float = 0.0
    cwnd_prior: float = 0.0
    epoch_start: float | None = None
    k: float = 0.0
    w_est: float = 0.0

    def on_ack(self, now: float, segments: float, srtt: float) -> None:
        """Grow for segments acknowledged outside of a recovery period; times in s."""
        if self.cwnd < self.ssthresh:
            self.cwnd += segments
            return
        t = now - self._stage(now)
        # Section 4.3, figure 4.
        alpha = ALPHA if self.w_est < self.cwnd_prior else 1.0
        self.w_est += alpha * segments / self.cwnd
        if self._curve(t) < self.w_est:
            self.cwnd = max(self.cwnd, self.w_est)
            return
        # Section 4.2: target, figure 1 a round trip ahead.
        target = min(max(self._curve(t + srtt), self.cwnd), 1.5 * self.cwnd)
        # Sections 4.4 and 4.5.
        self.cwnd += (target - self.cwnd) / self.cwnd * segments

    def on_loss(self) -> None:
        """Reduce: section 4.6, with fast convergence, section 4.7."""
        if self.cwnd < self.w_max:
            self.w_max = self.cwnd * (1 + BETA) / 2
        else:
            self.w_max = self.cwnd
        self.cwnd_prior = self.cwnd
        self.ssthresh = max(self.cwnd * BETA, MINIMUM)
        self.cwnd = self.ssthresh
        self.epoch_start = None

    def _stage(self, now: float) -> float:
        """Return when the present stage began; it begins now if none has."""
        if self.epoch_start is not None:
            return self.epoch_start
        self.epoch_start = now
        self.w_est = self.cwnd
        if self.w_max <= self.cwnd:
            # Section 4.10: no loss yet.
            self.w_max = self.cwnd
            self.cwnd_prior = self.cwnd
            self.k = 0.0
        else:
            # Section 4.2, figure 2.
            self.k = math.cbrt((self.w_max - self.cwnd) / C)
        return now

    def _curve(self, t: float) -> float:
        return C * (t - self.k) ** 3 + self.w_max


@dataclass(slots=True)
class _Flight:
    heap: list[tuple[float, int]] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    next_number: int = 0


def ideal_path(
    rtt: float,
    drop_times: Sequence[float],
    duration: float,
    ssthresh: float = math.inf,
    acks_per_round: int | None = None,
) -> list[tuple[float, float]]:
    """Drive the model over a path that delays each segment and its ACK by `rtt` in all.

    The sender always has data and sends as the window allows, paced over the round trip; the first
    segment sent at or after each of `drop_times` is lost, which the sender notices with the third
    segment acknowledged after it.

    Args:
        rtt: round trip, s.
        drop_times: when a segment is dropped, s, ascending.
        duration: how long, s.
        ssthresh: slow start threshold to begin with, segments.
        acks_per_round: acknowledgements in a round trip, each of two segments at least and 64 at
            most; after a lost segment of every one. None: every segment has its own.

    Returns:
        (time, window) after each acknowledgement, s and segments.
    """
    window = Cubic(ssthresh=ssthresh)
    flight = _Flight()
    drops = list(drop_times)
    now = 0.0
    recovery_end = -1
    newest_acked = -1
    pending: list[int] = []
    history: list[tuple[float, float]] = []
    next_send = 0.0
    unacked = 0
    while now < duration:
        outstanding = len(flight.heap) + unacked + len(pending)
        if outstanding + 1 <= window.cwnd and (not flight.heap or next_send <= flight.heap[0][0]):
            now = max(now, next_send)
            number = flight.next_number
            flight.next_number += 1
            if drops and now >= drops[0]:
                drops.pop(0)
                pending.append(number)
            else:
                heapq.heappush(flight.heap, (now + rtt, number))
            gain = 2.0 if window.cwnd < window.ssthresh else 1.25
            next_send = max(next_send, now) + rtt / (gain * window.cwnd)
            continue
        now, number = heapq.heappop(flight.heap)
        unacked += 1
        together = 1
        if acks_per_round is not None and not pending:
            together = min(max(int(window.cwnd) // acks_per_round, 2), 64)
        if unacked < together and flight.heap:
            continue
        newest_acked = max(newest_acked, number)
        for lost in [one for one in pending if newest_acked - one >= 3]:
            pending.remove(lost)
            if lost >= recovery_end:
                window.on_loss()
                recovery_end = flight.next_number
        if number >= recovery_end:
            window.on_ack(now, float(unacked), rtt)
        unacked = 0
        history.append((now, window.cwnd))
    return history


def window_at(history: Sequence[tuple[float, float]], when: float) -> float:
    """Return the window after the last of (time, window) at or before `when`."""
    index = bisect.bisect_right(history, (when, math.inf)) - 1
    return history[max(index, 0)][1]


def deviation(
    history: Sequence[tuple[float, float]],
    rtt: float,
    drop_times: Sequence[float],
    duration: float,
    ssthresh: float,
) -> float:
    """Return how far a window is from the model's, at most, as a part of the model's.

    Compared are the ends of all round trips from the tenth on, but for those in which one of the
    two may have noticed a loss already and the other not: from one before to four after it.

    Args:
        history: (time, window) of the flow, s and segments; it began to send at time 0.
        rtt: round trip of the path, which does no more than delay, s.
        drop_times: when the path dropped a segment, s, ascending.
        duration: how long the flow was watched, s.
        ssthresh: slow start threshold that it began with, segments.
    """
    model = ideal_path(rtt, drop_times, duration, ssthresh, ACKS_PER_ROUND)
    worst = 0.0
    for number in range(10, int(duration / rtt) - 1):
        when = number * rtt
        if any(-rtt <= when - drop <= 4 * rtt for drop in drop_times):
            continue
        expected = window_at(model, when)
        worst = max(worst, abs(window_at(history, when) - expected) / expected)
    return worst
