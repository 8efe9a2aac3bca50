# SPDX-License-Identifier: BSD-3-Clause
"""Who gets which datagram: genuine clients and strangers on one port with a real site behind it."""

from __future__ import annotations

import itertools
import os
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nexusnet.handshake.acceptor import Limits
from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.datagram import Address, Received, Transmit
from nexusnet.handshake.engine import HandshakeEngine, Phase
from nexusnet.reality.decision import Reason
from nexusnet.reality.demultiplexer import Fate
from nexusnet.reality.flows import RelayLimits
from nexusnet.reality.initial import open_initial
from nexusnet.reality.long_header import split_datagram
from tests.handshake.wire import CLIENT, SERVER, Passive, Wire
from tests.reality.hellos import Hello
from tests.reality.initials import crypto_frame, hello_datagrams, initial, new_dcid
from tests.reality.port import GENUINE_NAME, PAGE, SITE_NAME, TARGET, Browser, Port, Site, sent_to

if TYPE_CHECKING:
    from nexusnet.handshake.credentials import Credentials
    from nexusnet.reality.demultiplexer import Demultiplexer
    from tests.handshake.setting import Setting

OTHER: Address = ("198.51.100.7", 50001)
FAR: Address = ("203.0.113.77", 40000)


class Net:
    """A port, a site behind it, and clients."""

    def __init__(
        self, genuine: Setting, site: Credentials, *, limits: RelayLimits | None = None
    ) -> None:
        self.setting = genuine
        self.wire = Wire()
        self.site = Site(site)
        self.wire.attach(TARGET, self.site)
        self.limits = limits
        self.port = Port(genuine.server, self.wire, limits=limits)

    @property
    def demultiplexer(self) -> Demultiplexer:
        return self.port.demultiplexer

    def restart(self) -> None:
        for number in tuple(self.port.ports):
            self.port.close(number)
        self.port = Port(self.setting.server, self.wire, limits=self.limits)

    def client(self, address: Address = CLIENT) -> HandshakeEngine:
        client = HandshakeEngine.client(
            self.setting.client, local=address, remote=SERVER, now=self.wire.now
        )
        self.wire.attach(address, client)
        return client

    def until_ready(self, *clients: HandshakeEngine) -> None:
        self.wire.run(
            lambda: all(client.phase in {Phase.READY, Phase.FAILED} for client in clients)
        )
        assert [client.error for client in clients] == [None] * len(clients)

    def until_loaded(self, *browsers: Browser) -> None:
        self.wire.run(lambda: all(browser.done for browser in browsers))
        assert {browser.page for browser in browsers} == {PAGE}

    def send(self, *datagrams: bytes, remote: Address = CLIENT, ecn: Ecn = Ecn.NOT_ECT) -> None:
        """Have datagrams arrive at the port, without the network in between."""
        for data in datagrams:
            self.demultiplexer.receive(Received(data, SERVER, remote, ecn), self.wire.now)
        self.wire.flush(SERVER)

    def to_site(self) -> list[bytes]:
        return [one.data for one in self.wire.log if one.remote == TARGET]


@pytest.fixture
def net(genuine: Setting, site_credentials: Credentials) -> Net:
    return Net(genuine, site_credentials)


class Catcher(Passive):
    """A client that only keeps what comes."""

    def __init__(self) -> None:
        self.arrived: list[bytes] = []

    def receive(self, datagram: Received, now: float) -> None:
        del now
        self.arrived.append(datagram.data)


# Strangers


def test_a_browser_gets_the_site_byte_for_byte(net: Net) -> None:
    browser = Browser(net.wire)
    net.until_loaded(browser)
    net.wire.settle(0.5)
    (flow,) = net.port.opened
    assert [one.data for one in browser.arrived] == [one.data for one in flow.arrived]
    assert [one.data for one in flow.arrived] == [one.data for one in net.site.sent]
    assert net.to_site() == [one.data for one in net.wire.log if one.local == CLIENT]
    assert net.demultiplexer.reasons == {Reason.BAD_TAG: 1}
    assert net.port.accepted == []


def test_many_browsers_and_clients_at_once(net: Net) -> None:
    browsers = [Browser(net.wire, ("198.51.100.8", 1000 + n)) for n in range(10)]
    clients = [net.client(("198.51.100.9", 1000 + n)) for n in range(10)]
    net.until_loaded(*browsers)
    net.until_ready(*clients)
    assert net.site.handshakes == 10


@pytest.mark.parametrize(
    "data",
    [
        b"\x40" + bytes(40),
        b"\x40",
        b"",
        b"\xc0",
        b"garbage, not QUIC at all",
        b"\xc0\x1a\x2a\x3a\x4a\x08" + bytes(8) + b"\0" + bytes(1200),
        b"\x80\0\0\0\0\0\0\0\0\0\1",
        b"\xe0\0\0\0\1\x08" + bytes(8) + b"\0\x40\x40" + bytes(64),
        b"\xc0\0\0\0\1\x08" + bytes(8) + b"\0\0\x7f\xff",
    ],
    ids=["short", "byte", "empty", "cut", "text", "version", "negotiation", "handshake", "length"],
)
def test_what_is_no_hello_goes_to_the_site(net: Net, data: bytes) -> None:
    net.send(data, data)
    assert net.to_site() == [data, data]
    assert len(net.port.opened) == 1
    assert net.demultiplexer.counts[Fate.RELAYED_AT_ONCE] == 1
    assert net.port.names.decided == []


def test_a_small_initial_goes_to_the_site(net: Net) -> None:
    dcid = new_dcid()
    small = initial(crypto_frame(0, Hello(server_name=GENUINE_NAME).encode()), dcid, size=1199)
    assert len(small) == 1199
    net.send(small)
    assert net.to_site() == [small]
    assert net.port.accepted == []


def test_ecn_goes_both_ways(net: Net) -> None:
    net.wire.weather = replace(net.wire.weather, ecn=Ecn.ECT0)
    browser = Browser(net.wire)
    net.until_loaded(browser)
    sent = [one.ecn for one in net.wire.log if one.remote == TARGET]
    back = [one.ecn for one in net.wire.log if one.local == SERVER]
    assert set(sent) == set(back) == {Ecn.ECT0}
    net.send(b"\x40" + bytes(40), remote=FAR, ecn=Ecn.CE)
    assert net.wire.log[-1].ecn is Ecn.CE


def test_a_half_hello_gets_the_sites_reaction_after_the_wait(net: Net) -> None:
    catcher = Catcher()
    net.wire.attach(CLIENT, catcher)
    hello = Hello(server_name=GENUINE_NAME, hybrid_share=bytes(1216)).encode()
    first, second = hello_datagrams(hello, new_dcid(), [700])
    net.send(first)
    assert net.to_site() == [first]
    net.wire.settle(0.025)
    # The site has answered, but nobody knows yet what this becomes.
    assert net.site.sent
    assert sent_to(net.wire, CLIENT) == []
    net.wire.settle(0.02)
    assert sent_to(net.wire, CLIENT) == [one.data for one in net.site.sent]
    assert net.demultiplexer.counts[Fate.UNDECIDED_TOO_LONG] == 1
    # For good: the rest is not looked at any more.
    net.send(second)
    assert net.to_site() == [first, second]
    assert net.port.names.decided == []


def test_a_hello_that_cannot_be_is_relayed_at_once(net: Net) -> None:
    dcid = new_dcid()
    net.send(initial(crypto_frame(0, b"\x02" + bytes(100)), dcid))
    assert net.demultiplexer.counts[Fate.IMPOSSIBLE_HELLO] == 1
    # A frame that no Initial may hold.
    net.send(initial(b"\x1e", new_dcid()), remote=OTHER)
    assert net.demultiplexer.counts[Fate.IMPOSSIBLE_HELLO] == 2
    assert len(net.to_site()) == 2


def test_an_initial_that_does_not_open_is_mirrored(net: Net) -> None:
    broken = bytearray(hello_datagrams(Hello(server_name=GENUINE_NAME).encode(), new_dcid())[0])
    broken[-1] ^= 1
    net.send(bytes(broken))
    assert net.to_site() == [bytes(broken)]
    net.wire.settle(0.1)
    assert net.demultiplexer.counts[Fate.UNDECIDED_TOO_LONG] == 1


def test_two_connections_from_one_port_are_told_apart(net: Net) -> None:
    first = Browser(net.wire)
    net.until_loaded(first)
    arrived = len(first.arrived)
    second = Browser(net.wire)
    net.until_loaded(second)
    assert len(net.port.opened) == 2
    # The first goes on, by the site's connection ID, and from the port it had.
    before = len(net.port.opened[0].arrived)
    first.quic.send_ping(1)
    net.wire.send(first.transmit(net.wire.now))
    net.wire.settle(0.2)
    assert len(net.port.opened[0].arrived) > before
    assert len(first.arrived) == arrived


def test_a_relayed_connection_may_move(net: Net) -> None:
    browser = Browser(net.wire)
    net.until_loaded(browser)
    net.wire.detach(CLIENT)
    browser.local = OTHER
    net.wire.attach(OTHER, browser)
    browser.quic.send_ping(1)
    net.wire.flush(OTHER)
    net.wire.settle(0.5)
    # From another port of ours: the site validates the new path (RFC 9000 section 9).
    assert len(net.port.opened) == 2
    assert net.port.opened[1].arrived
    remotes = {one.remote for one in net.site.sent}
    assert remotes == {net.port.address(flow.number) for flow in net.port.opened}
    assert any(path.addr[1] == 10_002 and path.is_validated
               for path in net.site.connections[0]._network_paths)  # fmt: skip


# Genuine clients


def test_a_genuine_client_never_hears_of_the_site(net: Net) -> None:
    client = net.client()
    net.until_ready(client)
    engine = net.port.engine_of(CLIENT)
    # The site got the hello, and its answers went nowhere.
    assert net.site.sent
    assert not {one.data for one in net.site.sent} & set(sent_to(net.wire, CLIENT))
    assert net.site.handshakes == 0
    assert net.port.ports == {}
    assert net.demultiplexer.counts[Fate.ACCEPTED] == 1
    ours, theirs = client.export(), engine.export()
    assert ours.keys.tx == theirs.keys.rx
    (flow, decision) = net.port.accepted[0]
    assert decision.name == "alice"
    assert flow.held == []
    assert net.port.ids.is_ours(bytes(theirs.local_cids[0].value))


def test_our_answer_does_not_come_before_the_sites(net: Net) -> None:
    client = net.client()
    net.until_ready(client)
    log = net.wire.log
    answered = next(at for at, one in enumerate(log) if one.local == TARGET)
    spoke = next(at for at, one in enumerate(log) if one.local == SERVER)
    assert answered < spoke
    (flow,) = net.port.opened
    assert len(flow.arrived) == 1


def test_a_silent_site_delays_but_does_not_prevent(net: Net) -> None:
    net.wire.detach(TARGET)
    start = net.wire.now
    client = net.client()
    net.wire.run(lambda: bool(sent_to(net.wire, CLIENT)))
    assert net.wire.now - start >= 0.250
    net.until_ready(client)
    assert net.demultiplexer.counts[Fate.TARGET_SILENT] == 1


def test_a_handshake_that_keeps_silent_has_no_timer_that_spins(
    genuine: Setting, site_credentials: Credentials
) -> None:
    """Its engine wants to send, and to send again; nothing may be due until it may."""
    net = Net(genuine, site_credentials, limits=RelayLimits(answer=3.0))
    net.wire.detach(TARGET)
    net.client()
    net.wire.run(lambda: net.demultiplexer.counts[Fate.ACCEPTED] == 1)
    steps = 0
    while not sent_to(net.wire, CLIENT):
        assert net.wire.step()
        due = net.demultiplexer.deadline()
        assert due is None or due > net.wire.now
        steps += 1
    # The client's repetitions, and the end of the silence.
    assert steps < 20
    assert net.demultiplexer.counts[Fate.TARGET_SILENT] == 1


def test_an_acknowledgement_of_the_site_is_no_answer(net: Net) -> None:
    net.wire.detach(TARGET)
    client = net.client()
    net.wire.settle(0.015)
    (flow,) = net.demultiplexer.flows
    ack = initial(b"\x02\0\0\0\0", b"", scid=bytes(8), keys_of=flow.dcid, from_client=False)
    net.port.ports[flow.number].say(ack)
    assert sent_to(net.wire, CLIENT) == []
    hello = initial(
        crypto_frame(0, b"\x02"), b"", scid=bytes(8), keys_of=flow.dcid, from_client=False
    )
    net.port.ports[flow.number].say(hello)
    assert sent_to(net.wire, CLIENT)
    net.until_ready(client)


class Splitting:
    """A genuine client whose hello is cut over several Initials, sent in an order of ours."""

    def __init__(self, engine: HandshakeEngine, order: tuple[int, ...]) -> None:
        self.engine = engine
        self.order = order
        self.cut = False

    def receive(self, datagram: Received, now: float) -> None:
        self.engine.receive(datagram, now)

    def transmit(self, now: float) -> list[Transmit]:
        out = self.engine.transmit(now)
        if self.cut or not out:
            return out
        self.cut = True
        data = out[0].data
        (packet,) = split_datagram(data)
        payload = open_initial(packet.dcid, data, packet, from_client=True)
        assert payload is not None
        hello = payload.fragments[0].data
        step = len(hello) // len(self.order) + 1
        cuts = range(step, len(hello), step)
        pieces = hello_datagrams(hello, packet.dcid, cuts, size=1200)
        assert len(pieces) == len(self.order)
        pieces = [self.with_scid(packet.scid, hello, step, at, packet.dcid) for at in self.order]
        connection = self.engine._connection
        assert connection is not None
        # So that the server's acknowledgement is one of packets that were sent.
        connection._packet_number = len(pieces)
        return [Transmit(piece, out[0].local, out[0].remote) for piece in pieces]

    @staticmethod
    def with_scid(scid: bytes, hello: bytes, step: int, at: int, dcid: bytes) -> bytes:
        piece = hello[at * step : (at + 1) * step]
        return initial(crypto_frame(at * step, piece), dcid, scid=scid, pn=at, size=1200)

    def deadline(self) -> float | None:
        return self.engine.deadline()

    def handle_deadline(self, now: float) -> None:
        self.engine.handle_deadline(now)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (2, 0, 1), (3, 2, 1, 0)], ids=str)
def test_split_and_reordered_hellos(net: Net, order: tuple[int, ...]) -> None:
    engine = HandshakeEngine.client(
        net.setting.client, local=CLIENT, remote=SERVER, now=net.wire.now
    )
    net.wire.attach(CLIENT, Splitting(engine, order))
    net.until_ready(engine)
    (decided,) = net.port.names.decided
    assert decided[1].datagram_size == 1200
    assert len(net.port.accepted) == 1


def test_the_site_answers_the_first_half_and_nobody_sees_it(net: Net) -> None:
    engine = HandshakeEngine.client(
        net.setting.client, local=CLIENT, remote=SERVER, now=net.wire.now
    )
    slow = Splitting(engine, (0, 1))
    first, second = slow.transmit(net.wire.now)
    net.wire.attach(CLIENT, slow)
    net.send(first.data)
    net.wire.settle(0.025)
    assert net.site.sent
    net.send(second.data)
    net.until_ready(engine)
    assert not {one.data for one in net.site.sent} & set(sent_to(net.wire, CLIENT))


def test_from_the_same_port_again(net: Net) -> None:
    browser = Browser(net.wire)
    net.until_loaded(browser)
    for _ in range(3):
        client = net.client()
        net.until_ready(client)
    assert net.demultiplexer.counts[Fate.ACCEPTED] == 3


def test_one_spoofed_datagram_pins_nobody_to_the_relay(net: Net) -> None:
    for data in (b"\x40" + bytes(30), hello_datagrams(Hello().encode(), new_dcid())[0]):
        net.send(data)
    client = net.client()
    net.until_ready(client)
    assert net.demultiplexer.counts[Fate.ACCEPTED] == 1


def test_the_first_packets_again(net: Net) -> None:
    client = net.client()
    first = net.wire.log[0].data
    net.until_ready(client)
    engine = net.port.engine_of(CLIENT)
    seen_by_site = len(net.to_site())
    # From the same address: it is the handshake's, and the session's as long as it lives.
    net.send(first)
    client.export()
    engine.export()
    net.port.acceptor.settled(engine)
    net.send(first)
    net.port.acceptor.release(engine)
    net.send(first)
    assert len(net.to_site()) == seen_by_site
    assert net.demultiplexer.counts[Fate.SWALLOWED] == 1
    # From another one: it is a probe's replay, and the site's.
    net.send(first, remote=FAR)
    assert net.to_site()[seen_by_site:] == [first]
    assert len(net.port.names.decided) == 1
    # Once all is over, it is inspected as any other, and found in the replay cache.
    net.demultiplexer.ended(engine, net.wire.now)
    net.wire.settle(400)
    net.send(first)
    assert net.demultiplexer.reasons == {Reason.SEEN: 1}


def test_a_nat_that_changes_ports_mid_handshake(net: Net) -> None:
    client = net.client()
    net.wire.run(lambda: bool(sent_to(net.wire, CLIENT)))
    net.wire.settle(0.011)
    # The client has our connection ID; all it says from now on comes from another port.
    net.wire.detach(CLIENT)
    client.local = OTHER
    net.wire.attach(OTHER, client)
    net.until_ready(client)
    assert net.port.engine_of(OTHER).phase in {Phase.PROBING, Phase.READY}
    assert not any(one.remote == TARGET for one in net.wire.log[3:])


# Connection IDs of ours


def handshake_then_forget(net: Net) -> tuple[HandshakeEngine, bytes, bytes]:
    """Return a client that is ready, its server's connection ID and reset token."""
    client = net.client()
    net.until_ready(client)
    exported = client.export()
    peer_cid = exported.peer_cids[0]
    token = exported.reset_tokens[0].token
    return client, bytes(peer_cid.value), bytes(token.reveal())


def test_after_a_restart_a_tunnel_is_reset_and_never_relayed(net: Net) -> None:
    _, cid, token = handshake_then_forget(net)
    net.restart()
    seen_by_site = len(net.to_site())
    sent = len(sent_to(net.wire, CLIENT))
    net.send(b"\x40" + cid + os.urandom(1200))
    (reset,) = sent_to(net.wire, CLIENT)[sent:]
    assert reset[-16:] == token
    assert 21 <= len(reset) < 1209
    assert reset[0] & 0xC0 == 0x40
    # A small packet gets a smaller one, or none.
    net.send(b"\x40" + cid + bytes(20))
    assert len(sent_to(net.wire, CLIENT)[-1]) == 28
    net.send(b"\x40" + cid + bytes(12))
    # Long headers have nothing to say any more.
    net.send(b"\xe0\0\0\0\1\x08" + cid + b"\0\x40\x40" + bytes(64))
    net.send(hello_datagrams(Hello(server_name=GENUINE_NAME).encode(), cid)[0])
    assert len(sent_to(net.wire, CLIENT)) == sent + 2
    assert len(net.to_site()) == seen_by_site
    assert net.demultiplexer.counts == {Fate.RESET: 2, Fate.SWALLOWED: 3}
    # Versions other than ours are the site's to negotiate.
    net.send(b"\xc0\x1a\x2a\x3a\x4a\x08" + cid + b"\0" + bytes(1200))
    assert len(net.to_site()) == seen_by_site + 1


def test_a_connection_id_of_the_sites_with_a_right_tag_by_chance(net: Net) -> None:
    browser = Browser(net.wire)
    net.until_loaded(browser)
    (flow,) = net.demultiplexer.flows
    chance = net.port.ids.issue()
    net.demultiplexer.flows.learn(flow, chance)
    seen_by_site = len(net.to_site())
    net.send(b"\x40" + chance + bytes(30))
    assert len(net.to_site()) == seen_by_site + 1
    # From elsewhere it is nobody's.
    net.send(b"\x40" + chance + bytes(30), remote=FAR)
    assert len(net.to_site()) == seen_by_site + 1
    assert net.demultiplexer.counts[Fate.RESET] == 1


def test_a_flood_of_a_dead_tunnel_gets_few_resets(net: Net) -> None:
    cid = net.port.ids.issue()
    for _ in range(1000):
        net.send(b"\x40" + cid + bytes(100))
    assert len(sent_to(net.wire, CLIENT)) == 100
    assert net.to_site() == []
    net.wire.now += 1.1
    net.send(b"\x40" + cid + bytes(100))
    assert len(sent_to(net.wire, CLIENT)) == 101


def test_after_a_restart_the_same_client_gets_in(net: Net) -> None:
    handshake_then_forget(net)
    net.restart()
    client = net.client()
    net.until_ready(client)


# Whatever comes


@pytest.mark.parametrize("seed", range(20))
def test_any_datagrams(net: Net, seed: int) -> None:
    rng = random.Random(seed)
    hello = Hello(server_name=GENUINE_NAME, hybrid_share=rng.randbytes(1216)).encode()
    cid = net.port.ids.issue()
    for _ in range(150):
        dcid = rng.choice([new_dcid(), cid, b"", rng.randbytes(rng.randrange(21))])
        pieces = hello_datagrams(hello, dcid, [rng.randrange(1, len(hello))], size=1300)
        data = bytearray(rng.choice([*pieces, b"\x40" + cid + bytes(30), rng.randbytes(60)]))
        for _ in range(rng.choice([0, 0, 1, 5])):
            data[rng.randrange(min(len(data), 60))] = rng.randrange(256)
        del data[rng.choice([len(data), rng.randrange(len(data) + 1)]) :]
        net.send(bytes(data), remote=(f"198.51.100.{rng.randrange(3)}", rng.randrange(1000, 1004)))
        if rng.random() < 0.2:
            net.wire.settle(0.02)
        flows = net.demultiplexer.flows
        assert sum(flow.octets for flow in flows) == net.demultiplexer._octets
    net.wire.settle(1000)
    assert len(net.demultiplexer.flows) == 0
    assert net.port.ports == {}


# Limits


def test_the_idlest_flow_is_evicted_and_a_new_one_never_refused(
    genuine: Setting, site_credentials: Credentials
) -> None:
    net = Net(genuine, site_credentials, limits=RelayLimits(flows=3, flows_per_network=3))
    hosts = [(f"198.51.100.{n}", 1000) for n in range(10, 16)]
    for host in hosts[:3]:
        net.send(b"\x40" + bytes(30), remote=host)
        net.wire.now += 0.1
    net.send(b"\x40" + bytes(30), remote=hosts[0])
    net.send(b"\x40" + bytes(30), remote=hosts[3])
    assert {flow.path[1] for flow in net.demultiplexer.flows} == {hosts[0], hosts[2], hosts[3]}
    assert net.demultiplexer.counts[Fate.EVICTED] == 1
    assert len(net.port.ports) == 3
    # Undecided ones go only where there is no other, and then as relayed ones.
    half = [hello_datagrams(Hello().encode(), new_dcid(), [100])[0] for _ in range(4)]
    for data, host in zip(half, hosts, strict=False):
        net.send(data, remote=host)
    assert len(net.demultiplexer.flows) == 3
    client = net.client()
    net.until_ready(client)


def test_a_flood_is_told_from_visitors(net: Net) -> None:
    ports = itertools.count(1000)

    def come(flows: int, per_second: float) -> None:
        for _ in range(flows):
            net.wire.now += 1 / per_second
            port = next(ports)
            net.send(b"\x40" + bytes(40), remote=(f"198.51.100.{port % 200}", port))

    def besieged() -> bool:
        return net.demultiplexer.is_besieged(net.wire.now)

    come(300, per_second=90)
    assert not besieged()
    come(90, per_second=10_000)
    assert not besieged(), "a burst is no flood"
    come(300, per_second=1000)
    assert besieged()
    net.wire.now += 1.1
    assert not besieged()


def test_flows_of_one_network_are_limited(genuine: Setting, site_credentials: Credentials) -> None:
    net = Net(genuine, site_credentials, limits=RelayLimits(flows=100, flows_per_network=5))
    net.send(b"\x40" + bytes(30), remote=FAR)
    for port in range(1000, 1020):
        net.send(b"\x40" + bytes(30), remote=("198.51.100.7", port))
    flows = list(net.demultiplexer.flows)
    assert len(flows) == 6
    assert {flow.path[1][1] for flow in flows} == {40000, *range(1015, 1020)}
    for host in range(20):
        net.send(b"\x40" + bytes(30), remote=(f"2001:db8::{host:x}", 1000))
    assert len(net.demultiplexer.flows) == 11


def test_idle_flows_are_forgotten(net: Net) -> None:
    net.send(b"\x40" + bytes(30))
    net.wire.settle(59)
    assert len(net.demultiplexer.flows) == 1
    net.wire.settle(2)
    assert len(net.demultiplexer.flows) == 0
    assert net.port.ports == {}
    assert net.demultiplexer.deadline() is None


@pytest.mark.parametrize("direction", ["client", "target"])
def test_a_flow_that_fills_its_buffers_is_relayed(net: Net, direction: str) -> None:
    dcid = new_dcid()
    net.send(initial(crypto_frame(5, b"x"), dcid))
    (flow,) = net.demultiplexer.flows
    for pn in range(1, 40):
        if direction == "client":
            net.send(initial(crypto_frame(5, b"x"), dcid, pn=pn))
        else:
            net.port.ports[flow.number].say(b"reply %d" % pn)
    assert net.demultiplexer.counts[Fate.BUFFER_FULL] == 1
    assert (flow.held, flow.replies, flow.octets) == ([], 0, 0)
    if direction == "target":
        assert sent_to(net.wire, CLIENT) == [b"reply %d" % pn for pn in range(1, 40)]


def test_all_buffers_together_are_limited(genuine: Setting, site_credentials: Credentials) -> None:
    limits = RelayLimits(octets_in_all=20_000, flows=1000, flows_per_network=1000)
    net = Net(genuine, site_credentials, limits=limits)
    for port in range(1000, 1100):
        net.send(initial(crypto_frame(5, b"x"), new_dcid()), remote=("198.51.100.7", port))
        assert sum(flow.octets for flow in net.demultiplexer.flows) <= 20_000
    assert net.demultiplexer.counts[Fate.BUFFER_FULL] == 84
    net.wire.settle(0.1)
    assert sum(flow.octets for flow in net.demultiplexer.flows) == 0
    assert net.demultiplexer._octets == 0


def test_too_many_handshakes_are_relayed(genuine: Setting, site_credentials: Credentials) -> None:
    net = Net(genuine, site_credentials)
    net.port = Port(genuine.server, net.wire, handshake_limits=Limits(pending=1))
    net.client()
    net.wire.settle(0.015)
    net.client(OTHER)
    net.wire.settle(0.015)
    assert net.demultiplexer.counts[Fate.TOO_MANY_HANDSHAKES] == 1
    assert len(net.port.accepted) == 1
    # What was not decided is not in the replay cache either.
    assert len(net.port.names.decided) == 1


def test_the_tables_are_empty_in_the_end(net: Net) -> None:
    browsers = [Browser(net.wire, ("198.51.100.8", 1000 + n)) for n in range(5)]
    clients = [net.client(("198.51.100.9", 1000 + n)) for n in range(5)]
    net.until_loaded(*browsers)
    net.until_ready(*clients)
    for client in clients:
        engine = net.port.engine_of(client.local)
        net.port.acceptor.close_engine(engine)
        net.demultiplexer.ended(engine, net.wire.now)
        client.close()
    net.wire.settle(1000)
    flows = net.demultiplexer.flows
    tables = [value for name, value in vars(flows).items() if name != "_limits"]
    assert tables == [{}] * len(tables)
    sessions = vars(net.demultiplexer._sessions)
    assert list(sessions.values()) == [{}] * len(sessions)
    assert not net.demultiplexer._engines
    assert net.port.ports == {}


def test_the_name_in_a_hello_is_read_by_the_decider(net: Net) -> None:
    Browser(net.wire, name="www.elsewhere.example")
    net.wire.settle(0.1)
    assert net.demultiplexer.reasons == {Reason.BAD_TAG: 1}
    assert SITE_NAME.encode() not in net.port.names.decided[0][0]
