# SPDX-License-Identifier: BSD-3-Clause
"""Genuine clients and strangers: nothing that the port sends, and no moment, tells them apart.

Real clients' hellos (a browser's, cut over two Initials) with good and with bad authenticators, on
a simulated network: what an observer notes of both must be the same, and so must be what the
camouflage target gets to see.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.handshake.datagram import Received, Transmit
from nexusnet.handshake.engine import HandshakeEngine, Phase
from nexusnet.handshake.errors import RelayedError
from nexusnet.reality.decision import InitialFacts, Reason
from nexusnet.reality.demultiplexer import Fate
from nexusnet.reality.template import Template
from tests.handshake.wire import CLIENT, SERVER, Weather, Wire
from tests.reality.hellos import Hello, genuine, with_random
from tests.reality.initials import hello_datagrams
from tests.reality.port import SITE_NAME, TARGET, Port, Site, sent_to
from tests.reality.qr1 import (
    ALICE,
    SERVER_KEY,
    WALL,
    client_config,
    decider,
    engine_client,
    observe_site,
    server_config,
    wall_clock,
)

if TYPE_CHECKING:
    from nexusnet.handshake.credentials import Credentials
    from nexusnet.handshake.datagram import Address

OTHER: Address = ("198.51.100.7", 50001)
Note = tuple[float, str, int, int]


@pytest.fixture(scope="module")
def template(site_credentials: Credentials) -> Template:
    return Template.of(observe_site(site_credentials, 4))


class Observer(Wire):
    """A wire that notes when what passed: time, way, size, first byte without protected bits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.notes: list[Note] = []

    def send(self, transmits: Any) -> None:
        transmits = list(transmits)
        names = {SERVER: "server", CLIENT: "client", TARGET: "site"}
        for one in transmits:
            way = f"{names.get(one.local, 'relay')} to {names.get(one.remote, 'relay')}"
            first = one.data[0] & (0xF0 if one.data[0] & 0x80 else 0xC0)
            self.notes.append((round(self.now - 1000, 4), way, len(one.data), first))
        super().send(transmits)


def until_answered(
    site: Credentials, template: Template, delay: float, **options: Any
) -> tuple[list[Note], Port]:
    """Return all that was to be seen until the client has the whole first flight."""
    wire = Observer(weather=Weather(delay=delay))
    wire.attach(TARGET, Site(site))
    server = server_config(template)
    port = Port(server, wire, decider=decider(template), template=template, wall=WALL)
    client = engine_client(client_config(site, **options), wire, CLIENT)
    arrived: list[float] = []
    receive = client.receive

    def note(datagram: Received, now: float) -> None:
        # The client's own reaction is not the port's.
        arrived.append(now)
        if len(arrived) == 1:
            receive(datagram, now)

    client.receive = note  # type: ignore[method-assign]
    wire.run(lambda: bool(arrived))
    return wire.notes, port


KINDS: dict[str, tuple[dict[str, Any], Reason]] = {
    "wrong key": ({"server_key": X25519PrivateKey.generate().public_key()}, Reason.BAD_TAG),
    "short_id": ({"short_id": bytes(8)}, Reason.SHORT_ID),
    "clock": (
        {"clock": lambda: wall_clock() - dt.timedelta(seconds=200)},
        Reason.CLOCK,
    ),
}


@pytest.mark.parametrize("delay", [0.001, 0.01, 0.08])
@pytest.mark.parametrize("kind", KINDS)
def test_good_and_bad_authenticators_look_the_same(
    site_credentials: Credentials, kind: str, delay: float
) -> None:
    options, reason = KINDS[kind]
    template = Template.of(observe_site(site_credentials, 4))
    good, accepting = until_answered(site_credentials, template, delay)
    bad, relaying = until_answered(site_credentials, template, delay, **options)
    assert accepting.demultiplexer.counts[Fate.ACCEPTED] == 1
    assert relaying.demultiplexer.reasons == {reason: 1}
    forward = [note for note in good if note[1] in {"client to server", "relay to site"}]
    assert [note[2] for note in forward[:4]] == [1250] * 4
    # Up to and with the first flight; what the client says to it is its own affair.
    end = next(at for at, note in enumerate(good) if note[1] == "server to client") + 1
    assert good[:end] == bad[:end]


def refused_at_once(site: Credentials, template: Template, message: bytes) -> list[Note]:
    """Return all that was to be seen of a hello in one CRYPTO frame, and of the site's answer."""
    wire = Observer(weather=Weather(delay=0.01))
    wire.attach(TARGET, Site(site))
    deciding = decider(template)
    replayed = genuine_hello()
    deciding.decide(replayed, InitialFacts(1, 1250), now=0.0, wall=WALL)
    port = Port(server_config(template), wire, decider=deciding, template=template, wall=WALL)
    (datagram,) = hello_datagrams(message or replayed, b"eight ID")
    wire.send([Transmit(datagram, CLIENT, SERVER)])
    wire.settle(1.0)
    assert port.demultiplexer.reasons.total() == 1
    assert port.accepted == []
    return wire.notes


def genuine_hello(short_id: bytes = ALICE, skew: int = 0) -> bytes:
    shape = Hello(server_name=SITE_NAME)
    public = SERVER_KEY.public_key()
    return genuine(public, unix_time=int(WALL) + skew, short_id=short_id, hello=shape)[0]


def test_whole_hellos_that_get_nobody_in_look_the_same(
    site_credentials: Credentials, template: Template
) -> None:
    """The engine's first look: strangers, other servers' clients, replays."""
    hellos = {
        "no authenticator": with_random(genuine_hello(), bytes(32)),
        "no usable share": with_random(Hello(SITE_NAME, share=bytes(32)).encode(), bytes(32)),
        "short_id": genuine_hello(short_id=bytes(8)),
        "clock": genuine_hello(skew=-200),
        "replay": b"",
    }
    seen = [refused_at_once(site_credentials, template, one) for one in hellos.values()]
    ways = [note[1] for note in seen[0]]
    assert ways[:2] == ["client to server", "relay to site"]
    assert "server to client" in ways
    assert all(notes == seen[0] for notes in seen)


# The browser's hello on bad networks


class Shuffled:
    """A genuine client whose first datagrams leave in another order."""

    def __init__(self, engine: HandshakeEngine) -> None:
        self.engine = engine
        self.first = True

    def receive(self, datagram: Received, now: float) -> None:
        self.engine.receive(datagram, now)

    def transmit(self, now: float) -> list[Transmit]:
        out = self.engine.transmit(now)
        if self.first and len(out) > 1:
            self.first = False
            return out[::-1]
        return out

    def deadline(self) -> float | None:
        return self.engine.deadline()

    def handle_deadline(self, now: float) -> None:
        self.engine.handle_deadline(now)


def make_port(site: Credentials, template: Template, wire: Wire) -> Port:
    wire.attach(TARGET, Site(site))
    server = server_config(template)
    return Port(server, wire, decider=decider(template), template=template, wall=WALL)


def until_ready(wire: Wire, client: HandshakeEngine) -> None:
    wire.run(lambda: client.phase in {Phase.READY, Phase.FAILED})
    assert client.error is None


def test_initials_in_reverse_order(site_credentials: Credentials, template: Template) -> None:
    wire = Wire()
    port = make_port(site_credentials, template, wire)
    client = HandshakeEngine.client(
        client_config(site_credentials), local=CLIENT, remote=SERVER, now=wire.now
    )
    wire.attach(CLIENT, Shuffled(client))
    until_ready(wire, client)
    assert port.demultiplexer.counts == {Fate.ACCEPTED: 1}


def test_a_lost_half_means_relay_and_the_next_try_gets_in(
    site_credentials: Credentials, template: Template
) -> None:
    wire = Wire()
    port = make_port(site_credentials, template, wire)
    client = HandshakeEngine.client(
        client_config(site_credentials), local=CLIENT, remote=SERVER, now=wire.now
    )
    first, _lost = client.transmit(wire.now)
    wire.send([first])
    wire.settle(0.1)
    assert port.demultiplexer.counts == {Fate.UNDECIDED_TOO_LONG: 1}
    again = engine_client(client_config(site_credentials), wire, CLIENT)
    until_ready(wire, again)


def test_a_nat_that_changes_ports_mid_handshake(
    site_credentials: Credentials, template: Template
) -> None:
    wire = Wire()
    port = make_port(site_credentials, template, wire)
    client = engine_client(client_config(site_credentials), wire, CLIENT)
    wire.run(lambda: bool(sent_to(wire, CLIENT)))
    relayed = sum(one.remote == TARGET for one in wire.log)
    # The flight arrives, and all that the client says from now on comes from another port.
    wire.detach(CLIENT)
    client.local = OTHER
    for data in sent_to(wire, CLIENT):
        client.receive(Received(data, OTHER, SERVER), wire.now)
    wire.attach(OTHER, client)
    until_ready(wire, client)
    assert port.engine_of(OTHER).phase in {Phase.PROBING, Phase.READY}
    assert sum(one.remote == TARGET for one in wire.log) == relayed


def test_a_hello_again_from_another_port_is_relayed_and_the_next_try_gets_in(
    site_credentials: Credentials, template: Template
) -> None:
    wire = Wire()
    port = make_port(site_credentials, template, wire)
    client = engine_client(client_config(site_credentials), wire, CLIENT)
    wire.run(lambda: bool(sent_to(wire, CLIENT)))
    # The flight is lost with the old port.
    wire.detach(CLIENT)
    client.local = OTHER
    wire.attach(OTHER, client)
    wire.run(lambda: client.phase in {Phase.READY, Phase.FAILED})
    assert isinstance(client.error, RelayedError)
    assert port.demultiplexer.counts[Fate.RELAYED_AT_ONCE] >= 1
    until_ready(wire, engine_client(client_config(site_credentials), wire, OTHER))


@pytest.mark.parametrize("seed", range(12))
def test_bad_weather(site_credentials: Credentials, template: Template, seed: int) -> None:
    wire = Wire(seed=seed, weather=Weather(loss=0.1, duplicate=0.1, reorder=0.2, delay=0.002))
    make_port(site_credentials, template, wire)
    client = engine_client(client_config(site_credentials), wire, CLIENT)
    wire.run(lambda: client.phase in {Phase.READY, Phase.FAILED})
    # With a half lost it was relayed, and says so; that it hangs or breaks is not allowed.
    assert client.error is None or isinstance(client.error, RelayedError)
