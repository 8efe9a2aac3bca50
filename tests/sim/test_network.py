# SPDX-License-Identifier: BSD-3-Clause
"""The simulated network itself: if it is wrong, nothing that it shows means anything."""

import pytest

from nexus_sim.network import EPOCH, MS, Link, LinkConfig, Packet, S, Simulator, SpinError

SIZE = 1_172
"""With 28 bytes of IP and UDP header: 1,200."""


def packet(number: int, *, size: int = SIZE, ecn: int = 2) -> Packet:
    return Packet(number, 0, 0, 0, b"", size, ecn, 0)


def arrivals(
    config: LinkConfig, count: int, *, seed: int = 1, gap: int = 0
) -> tuple[list[tuple[int, Packet]], Link]:
    """Send packets and return (ns since the start, packet) as they arrive."""
    simulator = Simulator()
    link = Link(simulator, config, seed)
    out: list[tuple[int, Packet]] = []

    def receive(got: Packet) -> None:
        out.append((simulator.now - EPOCH, got))

    for number in range(count):
        simulator.at(EPOCH + number * gap, link.transmit, packet(number), receive)
    simulator.run(EPOCH + 1000 * S)
    return out, link


def numbers(got: list[tuple[int, Packet]]) -> list[int]:
    return [p.pn for _, p in got]


def test_delay_alone() -> None:
    got, _ = arrivals(LinkConfig(delay=7 * MS), 3, gap=MS)
    assert [(t, p.pn) for t, p in got] == [(7 * MS, 0), (8 * MS, 1), (9 * MS, 2)]


def test_bottleneck_spaces_packets_by_its_rate() -> None:
    got, _ = arrivals(LinkConfig(rate=1_200_000, delay=5 * MS), 4)
    assert [t for t, _ in got] == [6 * MS, 7 * MS, 8 * MS, 9 * MS]


def test_queue_drops_the_tail() -> None:
    got, link = arrivals(LinkConfig(rate=1_200_000, queue=3 * SIZE, delay=0), 10)
    # Four may be queued when the bound is 3 packets beside the one on the wire.
    assert numbers(got) == [0, 1, 2, 3]
    assert link.dropped_queue == 6
    assert link.queue_max == 4 * SIZE
    assert link.queued() == 0


def test_marks_replace_drops_for_capable_packets_only() -> None:
    config = LinkConfig(rate=1_200_000, ecn_threshold=2 * SIZE, delay=0)
    got, link = arrivals(config, 5)
    assert [p.ecn for _, p in got] == [2, 2, 3, 3, 3]
    assert link.marked == 3


@pytest.mark.parametrize("loss", [0.01, 0.2])
def test_random_loss_has_its_probability(loss: float) -> None:
    got, link = arrivals(LinkConfig(loss=loss), 20_000)
    assert link.dropped_random == 20_000 - len(got)
    assert abs(link.dropped_random / 20_000 - loss) < 4 * (loss / 20_000) ** 0.5


def test_jitter_keeps_order_and_reordering_does_not() -> None:
    got, _ = arrivals(LinkConfig(jitter=5 * MS), 500, gap=MS // 2)
    assert numbers(got) == list(range(500))
    assert len({t - p.pn * MS // 2 for t, p in got}) > 100
    got, _ = arrivals(LinkConfig(reorder=0.1, reorder_delay=3 * MS), 500, gap=MS)
    assert sorted(numbers(got)) == list(range(500))
    late = [p.pn for t, p in got if t - p.pn * MS == 13 * MS]
    assert 25 < len(late) < 90


def test_duplicates_arrive_twice() -> None:
    got, _ = arrivals(LinkConfig(duplicate=0.5), 1000)
    assert 400 < len(got) - 1000 < 600
    assert set(numbers(got)) == set(range(1000))


def test_outage_and_mtu() -> None:
    got, _ = arrivals(LinkConfig(outages=((2 * MS, 5 * MS),)), 8, gap=MS)
    assert numbers(got) == [0, 1, 5, 6, 7]
    got, link = arrivals(LinkConfig(mtu=SIZE - 1), 3)
    assert (got, link.dropped_random) == ([], 3)


def test_equal_seeds_equal_runs() -> None:
    config = LinkConfig(loss=0.1, jitter=MS, duplicate=0.1, reorder=0.1, reorder_delay=MS)
    assert arrivals(config, 300, seed=5)[0] == arrivals(config, 300, seed=5)[0]
    assert arrivals(config, 300, seed=5)[0] != arrivals(config, 300, seed=6)[0]


def test_events_of_one_instant_run_in_order_and_time_cannot_stand_still() -> None:
    simulator = Simulator()
    out: list[int] = []
    for number in range(5):
        simulator.at(EPOCH + MS, out.append, number)
    simulator.run(EPOCH + S)
    assert out == [0, 1, 2, 3, 4]
    assert simulator.now == EPOCH + S

    def again() -> None:
        simulator.at(simulator.now, again)

    simulator.at(EPOCH + 2 * S, again)
    with pytest.raises(SpinError):
        simulator.run(EPOCH + 3 * S)
