# SPDX-License-Identifier: BSD-3-Clause
"""An upper bound of what congestion control may have in flight, from what the wire shows alone.

Written from RFC 9002 and RFC 9438, not from the code under test. Wherever the wire does not tell
what the sender did, the bound takes what allows more: slow start without HyStart++, growth in
every ACK whether the window was used or not, no fast convergence.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

PACKET_THRESHOLD = 3  # RFC 9002 section 6.1.1
TIME_THRESHOLD = 9 / 8  # section 6.1.2
GRANULARITY = 0.001
MINIMUM_PACKETS = 2  # section 7.2
BETA = 0.7  # RFC 9438 section 4.6
ALPHA = 9 / 17  # section 4.3
C = 0.4  # section 5
SLACK_PACKETS = 10
"""What may leave beyond: a burst, and as many packets as were sent before an ACK was looked at."""

Ranges = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Flying:
    """A packet in flight; probes and other packets without a DATAGRAM do not count as a loss."""

    size: int
    time: float
    carries: bool


@dataclass(frozen=True, slots=True)
class Excess:
    """A packet that should not have left."""

    time: float
    pn: int
    in_flight: int
    allowed: float


@dataclass
class Allowance:
    """Replays one sender: `sent` and `acked` in the order of the capture.

    Attributes:
        mss: largest datagram, bytes.
        cwnd: bound of the congestion window, bytes.
        reductions: congestion events.
        excesses: packets beyond the bound and the slack.
        fullest: largest share of the bound that was in flight after the first reduction.
    """

    mss: int
    cwnd: float = 0.0
    in_flight: int = 0
    reductions: int = 0
    excesses: list[Excess] = field(default_factory=list)
    fullest: float = 0.0
    slow_start: bool = True
    flying: dict[int, Flying] = field(default_factory=dict)
    largest_acked: int = -1

    def __post_init__(self) -> None:
        # RFC 9002 section 7.2.
        self.cwnd = min(10 * self.mss, max(14720, MINIMUM_PACKETS * self.mss))
        self._recent: deque[float] = deque([self.cwnd], maxlen=SLACK_PACKETS)
        self._recovery_start = float("-inf")
        self._next_pn = 0
        self._epoch: float | None = None
        self._begin = 0.0  # window at the beginning of the epoch
        self._w_max = 0.0
        self._rounds = 0
        self._round_end = 0
        self._smoothed = self._latest = self._min = 0.0

    def sent(self, now: float, pn: int, size: int, *, carries: bool) -> None:
        """An ack-eliciting packet left; one that `carries` a DATAGRAM is held to the bound."""
        self._detect(now)
        self.flying[pn] = Flying(size, now, carries)
        self.in_flight += size
        self._next_pn = max(self._next_pn, pn + 1)
        if carries:
            allowed = max(*self._recent, self.cwnd)
            if self.in_flight > allowed + SLACK_PACKETS * self.mss:
                self.excesses.append(Excess(now, pn, self.in_flight, allowed))
            if self.reductions:
                self.fullest = max(self.fullest, self.in_flight / allowed)
            self._recent.append(self.cwnd)

    def acked(self, now: float, ranges: Ranges, delay: float = 0.0) -> None:
        """An ACK frame arrived; ranges include both ends, `delay` in seconds."""
        newly = {
            pn: self.flying.pop(pn)
            for first, last in ranges
            for pn in range(first, last + 1)
            if pn in self.flying
        }
        self.largest_acked = max(self.largest_acked, *(last for _, last in ranges))
        if newly:
            largest = max(newly)
            if largest == self.largest_acked:
                self._sample(now - newly[largest].time, delay)
        self.in_flight -= sum(one.size for one in newly.values())
        self._detect(now)
        if newly and newly[max(newly)].time > self._recovery_start:
            self._grow(now, sum(one.size for one in newly.values()), max(newly))

    def _sample(self, latest: float, delay: float) -> None:
        """RFC 9002 section 5.3."""
        self._latest = latest
        self._min = min(self._min or latest, latest)
        adjusted = latest - delay if latest - delay >= self._min else latest
        self._smoothed = 7 / 8 * self._smoothed + adjusted / 8 if self._smoothed else adjusted

    def _detect(self, now: float) -> None:
        """RFC 9002 section 6.1: lost packets leave the flight; the window shrinks once a round."""
        patience = max(TIME_THRESHOLD * max(self._smoothed, self._latest), GRANULARITY)
        lost = {
            pn: one
            for pn, one in self.flying.items()
            if pn < self.largest_acked
            and (pn <= self.largest_acked - PACKET_THRESHOLD or one.time <= now - patience)
        }
        for pn, one in lost.items():
            del self.flying[pn]
            self.in_flight -= one.size
        # RFC 9002 section 7.3.2.
        if any(one.carries and one.time > self._recovery_start for one in lost.values()):
            self.reductions += 1
            self._w_max = self.cwnd
            self.cwnd = max(BETA * self.cwnd, MINIMUM_PACKETS * self.mss)
            self.slow_start = False
            self._recovery_start = now
            self._epoch = None

    def _grow(self, now: float, acked: int, largest: int) -> None:
        if self.slow_start:
            self.cwnd += acked  # RFC 9002 section 7.3.1
            return
        if self._epoch is None:
            self._epoch, self._begin = now, self.cwnd
            self._rounds, self._round_end = 0, self._next_pn
        if largest >= self._round_end:
            self._rounds += 1
            self._round_end = self._next_pn
        # RFC 9438 section 4.3: alpha packets a round trip up to the former window, one beyond.
        rounds = self._rounds + 1
        slow = min(rounds, (self._w_max - self._begin) / self.mss / ALPHA)
        reno = self._begin + (ALPHA * slow + rounds - slow) * self.mss
        ahead = now - self._epoch + max(self._smoothed, self._latest)
        self.cwnd = max(self.cwnd, reno, self._begin + self._curve(ahead))

    def _curve(self, t: float) -> float:
        """The most that W_cubic(t) can be above its begin, RFC 9438 section 4.2.

        W_cubic(t) = C (t - K)^3 + W_max is begin + C (t^3 + 3 t K (K - t)), and the sender's W_max
        may be anything up to ours, so its K anything from 0 to ours.
        """
        k = (
            ((self._w_max - self._begin) / self.mss / C) ** (1 / 3)
            if self._w_max > self._begin
            else 0.0
        )
        return C * (t**3 + max(0.0, 3 * t * k * (k - t))) * self.mss
