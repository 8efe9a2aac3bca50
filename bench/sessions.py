# SPDX-License-Identifier: BSD-3-Clause
"""What a packet costs with 1, 100 and 1,000 sessions on one engine.

Engines with that many sessions stand side by side in one process and take turns in short slices,
driven round by round (`stepped.py`), so that all cases meet the same machine. A pattern says how
many packets a visit to a session brings, to how many sessions visits go in turn, and how many
visits wait when an engine has its turn. CPU time is that of both engines, sending, receiving and
acknowledging, divided by the packets that arrived; figures are medians over the slices.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

from bench.ends import EndError
from bench.stepped import Pair, pair

COUNTS: Final = (1, 100, 1000)
FLAT: Final = 0.10
MOST_LOST: Final = 0.01
# A socket for each session.
FILES: Final = 4096


@dataclass(frozen=True, slots=True)
class Pattern:
    """Traffic: `busy` is how many of the sessions have some, None for all of them."""

    name: str
    busy: int | None
    burst: int
    visits: int

    @property
    def target(self) -> bool:
        """Whether the cost has to be flat: a session's packets are the same for any number."""
        return self.busy is not None or self.burst > 1


PATTERNS: Final = (
    Pattern("one busy session, bursts", 1, 32, 1),
    Pattern("one busy session, 8 packets a round", 1, 1, 8),
    Pattern("one busy session, 1 packet a round", 1, 1, 1),
    Pattern("all in turn, bursts", None, 32, 1),
    Pattern("all in turn, 8 packets a round", None, 1, 8),
    Pattern("all in turn, 1 packet a round", None, 1, 1),
)
SLICES, PACKETS = 21, 3200
QUICK_SLICES, QUICK_PACKETS = 2, 320


@dataclass(frozen=True, slots=True)
class Result:
    """CPU nanoseconds a delivered packet, median and quartiles; `relative` to one session's.

    `answers`: packets of acknowledgements for each delivered packet. `ns_per_datagram` divides by
    both.
    """

    pattern: str
    sessions: int
    ns_per_packet: float
    lowest: float
    highest: float
    relative: float
    answers: float
    ns_per_datagram: float
    lost: float
    target: bool
    load: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One slice."""

    ns: float
    answers: float
    lost: float


def measure(one: Pair, pattern: Pattern, packets: int) -> Sample:
    """A slice of traffic."""
    active = pattern.busy or one.sessions
    rounds = packets // (pattern.burst * pattern.visits)
    delivered, answers, one.spent = one.delivered(), one.answers(), 0
    for _ in range(rounds):
        one.send(active, pattern.burst, pattern.visits)
        one.step()
    one.settle()
    got = one.delivered() - delivered
    if not got:
        raise EndError(f"{one.sessions} sessions: nothing arrives")
    sent = rounds * pattern.burst * pattern.visits
    return Sample(one.spent / got, (one.answers() - answers) / got, 1 - got / sent)


def result(
    pattern: Pattern, sessions: int, samples: list[Sample], alone: list[Sample], load: float
) -> Result:
    """The medians; slices of the same moment are compared with each other."""
    ns = [sample.ns for sample in samples]
    low, _, high = quantiles(ns, n=4)
    ratios = [many.ns / one.ns for many, one in zip(samples, alone, strict=True)]
    answers = median(sample.answers for sample in samples)
    return Result(
        pattern=pattern.name,
        sessions=sessions,
        ns_per_packet=median(ns),
        lowest=low,
        highest=high,
        relative=median(ratios),
        answers=answers,
        ns_per_datagram=median(ns) / (1 + answers),
        lost=median(sample.lost for sample in samples),
        target=pattern.target,
        load=load,
    )


def run(*, quick: bool = False) -> list[Result]:
    """Measure; `quick` only shows that it works."""
    slices, packets = (QUICK_SLICES, QUICK_PACKETS) if quick else (SLICES, PACKETS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(FILES, hard)), hard))
    load = os.getloadavg()[0]
    samples: dict[tuple[Pattern, int], list[Sample]] = {}
    with ExitStack() as stack:
        pairs = [stack.enter_context(pair(count)) for count in COUNTS]
        for one in pairs:
            one.warm_up()
        for turn in range(slices):
            print(f"sessions: slice {turn + 1} of {slices}", file=sys.stderr, flush=True)
            for pattern in PATTERNS:
                for one in pairs:
                    sample = measure(one, pattern, packets)
                    samples.setdefault((pattern, one.sessions), []).append(sample)
    return [
        result(pattern, count, samples[pattern, count], samples[pattern, COUNTS[0]], load)
        for pattern in PATTERNS
        for count in COUNTS
    ]


def flat(results: list[Result]) -> bool:
    """Whether the cost is that of one session within 10 % where it has to be; all was delivered."""
    return all(
        abs(one.relative - 1) <= FLAT and one.lost <= MOST_LOST for one in results if one.target
    )


def table(results: list[Result]) -> str:
    """For people."""
    heads = "sessions  ns/packet  (quartiles)     of 1 session  ACK packets  ns/datagram   lost"
    lines = [f"{'pattern':<36}  {heads}"]
    for one in results:
        spread = f"({one.lowest:.0f}..{one.highest:.0f})"
        lines.append(
            f"{one.pattern:<36}  {one.sessions:8}  {one.ns_per_packet:9.0f}  {spread:<14}"
            f"  {one.relative:11.2f}x  {one.answers:11.2f}  {one.ns_per_datagram:11.0f}"
            f"  {one.lost:5.2%}"
        )
    verdict = "yes" if flat(results) else "NO"
    lines.append(f"flat within {FLAT:.0%}, bursts and one busy session of many: {verdict}")
    lines.append(f"load average at the start: {results[0].load:.1f}")
    return "\n".join(lines)
