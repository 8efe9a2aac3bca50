# SPDX-License-Identifier: BSD-3-Clause
"""How first flights are filled, compared with many of the real browser: distributions, not one."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.reality.browser import chromium
from tests.handshake.wire import CLIENT, SERVER
from tests.reality.browser.comparison import FRAME_COUNTS, HELLO_SIZES
from tests.reality.browser.record import FLIGHTS, describe
from tests.reality.browser.scenes import browser_config

Flight = dict[str, Any]

OURS = 300
ALPHA = 0.001
"""Chance that equal distributions look different. Ours are drawn from seeds: no chance at all."""


def unanswered(seed: int) -> Flight:
    """Our first flight and two repetitions, described as the browser's are."""
    engine = HandshakeEngine.client(browser_config(seed), local=CLIENT, remote=SERVER, now=0.0)
    datagrams = [(0.0, transmit.data) for transmit in engine.transmit(0.0)]
    while len(datagrams) < 4:
        now = engine.deadline()
        assert now is not None
        engine.handle_deadline(now)
        datagrams += [(now, transmit.data) for transmit in engine.transmit(now)]
    return describe(datagrams)


@pytest.fixture(scope="module")
def real() -> list[Flight]:
    flights: list[Flight] = json.loads(FLIGHTS.read_text())
    assert len(flights) > 50
    return flights


@pytest.fixture(scope="module")
def ours() -> list[Flight]:
    return [unanswered(seed) for seed in range(OURS)]


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """The Kolmogorov-Smirnov statistic of two samples: 0 for equal distributions, 1 at most."""
    values = sorted({*one, *other})

    def share(sample: Sequence[float], value: float) -> float:
        return sum(item <= value for item in sample) / len(sample)

    return max(abs(share(one, value) - share(other, value)) for value in values)


def critical(one: int, other: int) -> float:
    """The statistic that samples of one distribution exceed with the chance `ALPHA`."""
    return math.sqrt(-math.log(ALPHA / 2) / 2) * math.sqrt((one + other) / (one * other))


MEASURES: dict[str, Callable[[Flight], float]] = {
    "bytes of the hello": lambda flight: float(flight["hello"]),
    "first cut": lambda flight: float(flight["packets"][1]["ranges"][0][0]),
    "frames of the first packet": lambda flight: float(flight["packets"][0]["frames"]),
    "frames of the second packet": lambda flight: float(flight["packets"][1]["frames"]),
    "pieces of the first packet": lambda flight: float(flight["packets"][0]["pieces"]),
    "pieces of the second packet": lambda flight: float(flight["packets"][1]["pieces"]),
    "PINGs of the first packet": lambda flight: float(flight["packets"][0]["pings"]),
    "PINGs of the second packet": lambda flight: float(flight["packets"][1]["pings"]),
    "frames of a repetition": lambda flight: float(flight["packets"][2]["frames"]),
    "pieces of a repetition": lambda flight: float(flight["packets"][2]["pieces"]),
}


@pytest.mark.parametrize("measure", MEASURES)
def test_distributions_agree(measure: str, real: list[Flight], ours: list[Flight]) -> None:
    samples = [[MEASURES[measure](flight) for flight in flights] for flights in (real, ours)]
    assert distance(*samples) < critical(len(real), len(ours))


@pytest.mark.parametrize("measure", MEASURES)
def test_other_distributions_would_not(measure: str, real: list[Flight]) -> None:
    """The comparison can fail: real values, moved by a little more than their own spread."""
    values = [MEASURES[measure](flight) for flight in real]
    moved = [value + (max(values) - min(values)) / 3 for value in values]
    assert distance(values, moved) > critical(len(real), len(real))


def test_what_is_fixed(real: list[Flight], ours: list[Flight]) -> None:
    for flight in (*real, *ours):
        first, second, *repeated = flight["packets"]
        (middle,) = second["ranges"]
        # The middle has half of the hello and two bytes; the first packet has the rest.
        assert middle[1] - middle[0] == -(-flight["hello"] // 2) + 2
        assert first["ranges"] == [[0, middle[0]], [middle[1], flight["hello"]]]
        assert flight["hello"] in HELLO_SIZES
        numbers = [(packet["number"], packet["number_length"]) for packet in flight["packets"]]
        assert numbers == [(1, 1), (2, 2), (4, 1), (6, 1)]
        # Nobody answers: one packet each time, the older one first, cut anew.
        assert [packet["ranges"] for packet in repeated] == [first["ranges"], second["ranges"]]
    for flight in ours:
        for packet in flight["packets"]:
            assert packet["frames"] in FRAME_COUNTS


def test_repetitions_are_timed_alike(real: list[Flight], ours: list[Flight]) -> None:
    # 300 ms, then twice that. The browser's own are told by a machine that had other things to do:
    # the middle of all counts.
    for place, seconds in ((2, 0.3), (3, 0.9)):
        times = sorted(flight["packets"][place]["at"] for flight in real)
        assert times[len(times) // 2] == pytest.approx(seconds, abs=0.03)
        for flight in ours:
            assert flight["packets"][place]["at"] == pytest.approx(seconds, abs=0.01)
    assert pytest.approx(0.3) == chromium.INITIAL_PROBE_TIMEOUT
