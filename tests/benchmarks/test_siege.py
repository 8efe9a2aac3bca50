# SPDX-License-Identifier: BSD-3-Clause
"""`python -m bench siege`: that it works, and what it complains about."""

import json
from pathlib import Path

import pytest

from bench.siege import complaints
from bench.siege_flood import bogus
from nexusnet.reality.initial import open_initial
from nexusnet.reality.long_header import split_datagram
from tests.benchmarks.test_benchmarks import bench


@pytest.mark.netns
@pytest.mark.timeout(300)
def test_quick_siege(tmp_path: Path) -> None:
    running = bench("--quick", "--json", "--out", str(tmp_path), "siege")
    out, said = running.communicate(timeout=240)
    assert running.returncode == 0, said
    (result,) = json.loads(out)["siege"]
    strangers = result["strangers"]
    # Sent were 6,000; on a busy machine some get lost.
    assert strangers["bad_tag"] > 500
    assert strangers["undecided_too_long"] > 500
    assert strangers["evicted"] > 500
    assert result["siege_bits_per_second"]["least"] > 0
    assert result["rig_share"]["least"] > 0
    assert result["stranger_us"]["least"] > 0
    assert result["inspected"] > 0
    assert result["guests_in"] >= 1
    assert result["siege_mib"] - result["quiet_mib"] < 64


@pytest.mark.parametrize(
    ("share", "growth", "inside", "guests", "word"),
    [
        (0.7, 1.0, 9, 9, "throughput"),
        (0.9, 100.0, 9, 9, "grown"),
        (0.9, 1.0, 8, 9, "8 of 9"),
        (0.9, 1.0, 0, 0, "0 of 0"),
    ],
)
def test_complaints(share: float, growth: float, inside: int, guests: int, word: str) -> None:
    assert complaints(0.9, 1.0, 9, 9) == ()
    (found,) = complaints(share, growth, inside, guests)
    assert word in found


def test_the_flood_is_made_of_what_it_says() -> None:
    opened = []
    for number in range(4):
        data = bogus(number, "www.example.org")
        (packet,) = split_datagram(data)
        payload = open_initial(packet.dcid, data, packet, from_client=True)
        opened.append(None if payload is None else len(payload.fragments[0].data))
        assert len(data) == 1250
    whole, half, again, broken = opened
    assert whole == again
    assert half == (whole or 0) // 2
    assert broken is None
