# SPDX-License-Identifier: BSD-3-Clause
"""Two ends and a network between: what a session does over its life."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from nexus_sim.core import Core
from nexus_sim.endpoint import Endpoint, EndpointConfig, connect
from nexus_sim.network import EPOCH, MS, Link, LinkConfig, S, Simulator

QUIET = EndpointConfig(source_rate=0)
SLOW = EndpointConfig(source_rate=50_000, payload=500)
WIRE = LinkConfig(delay=15 * MS)


class Net:
    """A path with an end on each side."""

    def __init__(
        self,
        core: Core,
        client: EndpointConfig = QUIET,
        server: EndpointConfig = QUIET,
        link: LinkConfig = WIRE,
    ) -> None:
        self.lib = core.lib
        self.simulator = Simulator()
        self.forward = Link(self.simulator, link, 1)
        self.backward = Link(self.simulator, replace(link, rate=0), 2)
        self.client = Endpoint(core, self.simulator, client, client=True)
        self.server = Endpoint(core, self.simulator, server, client=False)
        connect(self.client, self.server, self.forward, self.backward)
        self.client.start()
        self.server.start()

    def run(self, seconds: float) -> None:
        self.simulator.run(EPOCH + int(seconds * S))

    def at(self, seconds: float, call: Callable[..., object], *arguments: object) -> None:
        self.simulator.at(EPOCH + int(seconds * S), call, *arguments)

    @property
    def ends(self) -> tuple[Endpoint, Endpoint]:
        return self.client, self.server


def retire(number: int) -> bytes:
    return b"\x19" + (number | 0x4000).to_bytes(2, "big")


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.4])
def test_control_frames_arrive_and_are_reported_under_loss(core: Core, loss: float) -> None:
    net = Net(core, SLOW, QUIET, replace(WIRE, loss=loss, duplicate=0.05, jitter=5 * MS))
    for number in range(50):
        net.at(number * 0.1, net.client.queue_control, number, retire(number))
        net.at(number * 0.1, net.server.queue_control, number, retire(number))
    net.run(60)
    for end, peer in (net.ends, net.ends[::-1]):
        assert sorted(end.counters.control_acked) == list(range(50))
        assert {*peer.counters.handed_up} == {retire(number) for number in range(50)}
        copies = len(peer.counters.handed_up)
        assert copies == 50 if loss == 0 else copies >= 50


@pytest.mark.parametrize("who", ["client", "server", "both"])
def test_key_updates_under_loss_and_reordering(core: Core, who: str) -> None:
    link = replace(WIRE, loss=0.03, reorder=0.05, reorder_delay=20 * MS, duplicate=0.02)
    net = Net(core, SLOW, SLOW, link)
    for step in range(40):
        for end, name in zip(net.ends, ("client", "server"), strict=True):
            if who in (name, "both"):
                net.at(0.5 + step * 0.2, end.update_keys)
    net.run(12)
    for end in net.ends:
        keys = end.conn.keys
        assert end.conn.state.state == net.lib.NQD_SESSION_STATE_ACTIVE
        assert keys.updates >= 10
        assert end.counters.wrong_keys == 0
        assert end.counters.datagrams_received > 0.9 * 12 * 100
    assert net.client.conn.keys.rx_generation == net.server.conn.keys.tx_generation


def test_key_update_by_limit_under_traffic(core: Core) -> None:
    limited = EndpointConfig(seal_limit=400, source_rate=200_000)
    net = Net(core, limited, QUIET)
    net.run(20)
    assert net.client.conn.keys.updates > 10
    assert net.server.counters.datagrams_received > 3_000
    assert net.client.conn.keys.sealed <= 400


def test_update_waits_for_user_space_to_bring_keys(core: Core) -> None:
    net = Net(core, replace(SLOW, key_delay=300 * MS), replace(SLOW, key_delay=S))
    for step in range(30):
        net.at(0.5 + step * 0.1, net.client.update_keys)
    net.run(15)
    assert net.client.conn.state.state == net.lib.NQD_SESSION_STATE_ACTIVE
    assert net.client.conn.keys.updates >= 3
    assert net.server.counters.datagrams_received == pytest.approx(15 * 100, rel=0.2)


def test_idle_without_keepalive_and_alive_with_it(core: Core) -> None:
    silent = Net(core)
    silent.run(29)
    assert silent.client.conn.state.state == silent.lib.NQD_SESSION_STATE_ACTIVE
    silent.run(31)
    for end in silent.ends:
        assert end.counters.events & silent.lib.NQD_CONN_EVENT_IDLE
    kept = Net(core, replace(QUIET, keepalive=15 * S))
    kept.run(600)
    for end in kept.ends:
        assert end.conn.state.state == kept.lib.NQD_SESSION_STATE_ACTIVE
    # One PING each 15 s and its ACK.
    assert 600 // 16 <= kept.client.conn.stats.tx_packets <= 600 // 15 + 2


def test_peer_that_vanishes_is_noticed_by_keepalive(core: Core) -> None:
    link = replace(WIRE, outages=((20 * S, 10_000 * S),))
    net = Net(core, replace(QUIET, keepalive=15 * S), QUIET, link)
    net.run(100)
    for end in net.ends:
        assert end.counters.events & net.lib.NQD_CONN_EVENT_IDLE
        assert end.counters.events & net.lib.NQD_CONN_EVENT_DRAINED


def test_close_reaches_the_peer_and_both_end(core: Core) -> None:
    net = Net(core, SLOW, SLOW)
    net.at(2, net.client.close, 0)
    net.run(2.1)
    ending = {net.lib.NQD_SESSION_STATE_CLOSING, net.lib.NQD_SESSION_STATE_DRAINING}
    assert net.client.conn.state.state in ending
    assert net.server.conn.state.state == net.lib.NQD_SESSION_STATE_DRAINING
    sent = net.forward.sent, net.backward.sent
    net.run(10)
    assert net.backward.sent == sent[1]
    for end in net.ends:
        assert end.counters.events & net.lib.NQD_CONN_EVENT_DRAINED


def test_close_survives_a_lost_packet(core: Core) -> None:
    link = replace(WIRE, outages=((2 * S, 2 * S + MS),))
    net = Net(core, SLOW, SLOW, link)
    # The first CONNECTION_CLOSE falls into the outage; the server's next packets bring another.
    net.at(2, net.client.close, 7)
    net.run(4)
    assert net.server.counters.events & net.lib.NQD_CONN_EVENT_PEER_CLOSED
    assert net.server.conn.peer_close.code == 7


def test_path_validation(core: Core) -> None:
    net = Net(core, SLOW, SLOW, replace(WIRE, loss=0.2))
    net.at(1, net.client.validate_path, bytes(range(24)))
    net.run(4)
    assert net.client.counters.events & net.lib.NQD_CONN_EVENT_PATH_VALIDATED


def test_path_validation_fails_without_a_path(core: Core) -> None:
    net = Net(core, SLOW, QUIET, replace(WIRE, outages=((S, 100 * S),)))
    net.at(2, net.client.validate_path, bytes(range(24)))
    net.run(8)
    assert net.client.counters.events & net.lib.NQD_CONN_EVENT_PATH_FAILED


@pytest.mark.parametrize("path_mtu", [1_200, 1_311, 1_400, 1_452, 1_500])
def test_mtu_search_finds_the_path(core: Core, path_mtu: int) -> None:
    config = replace(SLOW, mtu_ceiling=1_452)
    net = Net(core, config, QUIET, replace(WIRE, mtu=path_mtu, loss=0.01))
    net.run(20)
    best = min(path_mtu, 1_452)
    assert best - 16 < net.client.conn.pmtu.current_size <= best


def test_mtu_black_hole_is_escaped(core: Core) -> None:
    config = replace(SLOW, source_rate=400_000, payload=0, mtu_ceiling=1_452)
    net = Net(core, config, QUIET, WIRE)
    net.run(3)
    assert net.client.conn.pmtu.current_size == 1_452
    net.forward.config = replace(WIRE, mtu=1_300)
    net.run(20)
    assert net.client.conn.pmtu.black_holes >= 1
    before = net.server.counters.datagrams_received
    net.run(25)
    assert net.server.counters.datagrams_received - before > 500
    assert 1_200 <= net.client.conn.pmtu.current_size <= 1_300


@pytest.mark.parametrize("congestion", ["cubic_like", "bbr_like"])
def test_traffic_recovers_after_an_outage(core: Core, congestion: str) -> None:
    rate = 1_250_000
    link = LinkConfig(
        rate=rate,
        queue=50_000,
        delay=15 * MS,
        outages=((4 * S, 8 * S), (12 * S, 12 * S + 200 * MS)),
    )
    net = Net(core, EndpointConfig(congestion=congestion), QUIET, link)
    counters = net.server.counters
    net.run(2)
    start = counters.bytes_received
    net.run(4)
    usual = (counters.bytes_received - start) / 2
    net.run(13.5)
    start = counters.bytes_received
    net.run(18)
    after = (counters.bytes_received - start) / 4.5
    assert usual > 0.8 * rate
    assert after > 0.75 * usual


def test_sources_below_the_capacity_lose_nothing(core: Core) -> None:
    link = LinkConfig(rate=1_250_000, queue=50_000, delay=15 * MS)
    config = EndpointConfig(source_rate=500_000)
    net = Net(core, config, QUIET, link)
    net.run(10)
    assert net.client.conn.recovery.sent.lost == 0
    assert net.server.counters.bytes_received == pytest.approx(10 * 500_000, rel=0.03)


def test_ack_rate_is_decimated(core: Core) -> None:
    link = LinkConfig(rate=6_250_000, queue=250_000, delay=20 * MS)
    net = Net(core, EndpointConfig(), QUIET, link)
    net.run(5)
    received = net.server.counters.datagrams_received
    assert received > 20_000
    # Some eight a round trip once the connection is warm.
    assert received / net.server.conn.stats.tx_acks > 10
