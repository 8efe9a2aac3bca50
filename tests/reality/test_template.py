# SPDX-License-Identifier: BSD-3-Clause
"""What is seen of a site's answers, which sites do not do, and answers of ours made after them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nexusnet.handshake.engine import Phase
from nexusnet.reality.connection_ids import ConnectionIdShape
from nexusnet.reality.flows import RelayLimits
from nexusnet.reality.long_header import PacketType, split_datagram
from nexusnet.reality.template import (
    RETRY_RANDOM,
    FlightPlan,
    Observation,
    PlannedDatagram,
    PlannedPacket,
    PlannedType,
    TargetError,
    Template,
    handshake_capacity,
    observe,
)
from tests.handshake.wire import CLIENT, Wire
from tests.reality.hellos import message, numbers, vector
from tests.reality.initials import crypto_frame, initial, new_dcid
from tests.reality.port import TARGET, Port, Site, sent_to
from tests.reality.qr1 import (
    WALL,
    client_config,
    decider,
    engine_client,
    observe_site,
    server_config,
)

if TYPE_CHECKING:
    from nexusnet.handshake.credentials import Credentials
    from nexusnet.handshake.datagram import Received

INITIAL, HANDSHAKE, ONE_RTT = PlannedType.INITIAL, PlannedType.HANDSHAKE, PlannedType.ONE_RTT
SCID = b"\x01\x02\x03\x04\x05\x06\x07\x08"
X25519_SHARE = numbers([0x001D]) + vector(2, bytes(32))
HYBRID_SHARE = numbers([0x11EC]) + vector(2, bytes(1120))
VERSIONS = (43, b"\x03\x04")


def datagram(*packets: tuple[PlannedType, int], trailing: int = 0) -> PlannedDatagram:
    return PlannedDatagram(tuple(PlannedPacket(*packet) for packet in packets), trailing)


def server_hello(
    *extensions: tuple[int, bytes], random: bytes = bytes(32), suite: int = 0x1301
) -> bytes:
    block = b"".join(kind.to_bytes(2, "big") + vector(2, data) for kind, data in extensions)
    body = b"\x03\x03" + random + b"\0" + suite.to_bytes(2, "big") + b"\0" + vector(2, block)
    return message(body, kind=2)


def answer(hello: bytes, dcid: bytes, *, scid: bytes = SCID) -> list[tuple[float, bytes]]:
    data = initial(
        b"\x02\0\0\0\0" + crypto_frame(0, hello), b"", scid=scid, keys_of=dcid, from_client=False
    )
    return [(0.03, data)]


def test_the_site_of_these_tests(site_credentials: Credentials) -> None:
    (seen,) = observe_site(site_credentials)
    assert (seen.suite, seen.group, seen.key_share_first) == (0x1302, 0x001D, False)
    assert len(seen.cid) == 8
    assert seen.delay == pytest.approx(0.02, abs=0.001)
    assert [one.type for one in seen.flight[0].packets] == [INITIAL, HANDSHAKE, ONE_RTT]
    assert seen.flight[0].size == 1200


def test_a_template_survives_json(site_credentials: Credentials) -> None:
    template = Template.of(observe_site(site_credentials, 5))
    assert Template.from_json(template.to_json()) == template
    assert template.cid == ConnectionIdShape(8)
    assert "\n" not in template.to_json()
    for text in ("", "[]", "{}", template.to_json().replace("1rtt", "").replace("initial", "x")):
        with pytest.raises(TargetError):
            Template.from_json(text)


@pytest.mark.parametrize("share", [X25519_SHARE, HYBRID_SHARE], ids=["x25519", "hybrid"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["share-first", "versions-first"])
def test_a_server_hello_is_read(share: bytes, order: tuple[int, int]) -> None:
    extensions = [(51, share), VERSIONS]
    dcid = new_dcid()
    seen = observe(dcid, answer(server_hello(*(extensions[at] for at in order)), dcid))
    assert seen.key_share_first is (order == (0, 1))
    assert seen.group == int.from_bytes(share[:2], "big")
    assert seen.cid == SCID
    assert seen.delay == 0.03


def test_what_a_flight_is_made_of() -> None:
    dcid = new_dcid()
    ack = initial(b"\x02\0\0\0\0", b"", scid=SCID, keys_of=dcid, from_client=False, size=1200)
    hello = initial(
        crypto_frame(0, server_hello((51, X25519_SHARE), VERSIONS)),
        b"",
        scid=SCID,
        keys_of=dcid,
        from_client=False,
        size=200,
    )
    handshake = b"\xe0\0\0\0\1\0\x08" + SCID + b"\x43\x00" + bytes(768)
    short = b"\x41" + bytes(59)
    replies = [
        (0.01, ack),
        (0.02, hello + handshake + bytes(40)),
        (0.021, handshake + short),
        (0.022, short),
    ]
    seen = observe(dcid, replies)
    size = len(handshake)
    assert seen.flight == (
        datagram((INITIAL, 200), (HANDSHAKE, size), trailing=40),
        datagram((HANDSHAKE, size), (ONE_RTT, 60)),
        datagram((ONE_RTT, 60)),
    )
    assert seen.delay == 0.02


def test_targets_that_do_not_do() -> None:
    dcid = new_dcid()

    def refused(replies: list[tuple[float, bytes]], text: str) -> None:
        with pytest.raises(TargetError, match=text):
            observe(dcid, replies)

    def hello(*extensions: tuple[int, bytes], **options: object) -> list[tuple[float, bytes]]:
        return answer(server_hello(*extensions, **options), dcid)  # type: ignore[arg-type]

    refused([], "does not answer")
    refused([(0.0, b"\xf0\0\0\0\1\0\x08" + SCID + b"token" + bytes(16))], "Retry")
    refused([(0.0, b"\x80\0\0\0\0\0\x08" + SCID + b"\x1a\x2a\x3a\x4a")], "version 1")
    group = (51, numbers([0x0017]))
    refused(hello(group, VERSIONS, random=RETRY_RANDOM), "HelloRetryRequest")
    refused(hello((51, numbers([0x0017]) + vector(2, bytes(65))), VERSIONS), "group 0x0017")
    refused(hello((51, X25519_SHARE), VERSIONS, suite=0x1304), "suite 0x1304")
    refused(hello((51, X25519_SHARE), VERSIONS, (41, b"\0\0")), "extensions")
    refused(answer(server_hello((51, X25519_SHARE), VERSIONS)[:50], dcid), "no ServerHello")
    close = initial(b"\x1c\x41\x78\0\0", b"", scid=SCID, keys_of=dcid, from_client=False)
    refused([(0.0, close)], "closes")
    malformed = initial(b"\x1e" * 8, b"", scid=SCID, keys_of=dcid, from_client=False)
    refused([(0.0, malformed)], "malformed")


def seen_with(cid: bytes, group: int = 0x001D) -> Observation:
    return Observation(0x1301, group, True, cid, (datagram((INITIAL, 1200)),), 0.01)


def test_connection_ids_that_cannot_be_copied() -> None:
    with pytest.raises(TargetError, match="no room"):
        Template.of([seen_with(bytes([at]) * 3) for at in range(5)])
    with pytest.raises(TargetError, match="different lengths"):
        Template.of([seen_with(bytes(8)), seen_with(bytes(9))])
    with pytest.raises(TargetError, match="different ways"):
        Template.of([seen_with(SCID), seen_with(SCID, 0x11EC)])


# Answers of ours


def seen_flight(wire: Wire) -> FlightPlan:
    """Describe what the server has sent, as an observer without keys sees it."""
    names = {PacketType.INITIAL: INITIAL, PacketType.HANDSHAKE: HANDSHAKE}
    flight = []
    for data in sent_to(wire, CLIENT):
        packets = list(split_datagram(data))
        planned = [(names[packet.packet_type], packet.size) for packet in packets]
        rest = len(data) - (packets[-1].end if packets else 0)
        end = len(data) - rest
        if rest and data[end] & 0xC0 == 0x40:
            planned.append((ONE_RTT, rest))
            rest = 0
        flight.append(datagram(*planned, trailing=rest))
    return tuple(flight)


class Answered:
    """A genuine client at a port whose site answers like a template."""

    def __init__(
        self, template: Template, site: Credentials, flight: FlightPlan | None = None
    ) -> None:
        self.wire = Wire()
        self.site = Site(site)
        self.wire.attach(TARGET, self.site)
        self.port = Port(
            server_config(template),
            self.wire,
            decider=decider(template),
            template=template,
            flight=flight,
            wall=WALL,
        )
        self.client = engine_client(client_config(site), self.wire, CLIENT)
        self.wire.run(lambda: bool(sent_to(self.wire, CLIENT)))
        self.flight = seen_flight(self.wire)

    def finish(self) -> None:
        self.wire.run(lambda: self.client.phase in {Phase.READY, Phase.FAILED})
        assert self.client.error is None
        engine = self.port.engine_of(CLIENT)
        self.wire.run(lambda: engine.phase in {Phase.READY, Phase.FAILED})
        ours, theirs = self.client.export(), engine.export()
        assert ours.keys.tx == theirs.keys.rx
        assert ours.keys.rx == theirs.keys.tx


def test_our_answer_looks_like_the_sites(site_credentials: Credentials) -> None:
    template = Template.of(observe_site(site_credentials, 4))
    answered = Answered(template, site_credentials)
    assert answered.flight == template.flights[0]
    engine = answered.port.engine_of(CLIENT)
    assert engine._connection is not None
    assert engine._connection.shaped is True  # type: ignore[attr-defined]
    answered.finish()
    # The same with what an observer compares: the ServerHello of both.
    first = sent_to(answered.wire, CLIENT)[0]
    (flow,) = answered.port.opened
    genuine = flow.arrived[0].data
    dcid = answered.port.accepted[0][0].dcid
    assert dcid is not None
    ours, sites = observe(dcid, [(0.0, first)]), observe(dcid, [(0.0, genuine)])
    assert ours.flight in template.flights
    assert replace(ours, cid=b"", flight=()) == replace(sites, cid=b"", flight=())


PLANS: dict[str, FlightPlan] = {
    "one datagram each": (
        datagram((INITIAL, 1250)),
        datagram((HANDSHAKE, 1250)),
        datagram((HANDSHAKE, 900)),
    ),
    "with 1-RTT packets": (
        datagram((INITIAL, 200), (HANDSHAKE, 1000)),
        datagram((HANDSHAKE, 1200)),
        datagram((HANDSHAKE, 60), (ONE_RTT, 90)),
        datagram((ONE_RTT, 45)),
    ),
    "trailing bytes": (datagram((INITIAL, 150), (HANDSHAKE, 1000), trailing=50),),
    "long chain": (
        datagram((INITIAL, 1200)),
        *(datagram((HANDSHAKE, 1357)) for _ in range(4)),
        datagram((HANDSHAKE, 77)),
    ),
    "several in one": (datagram((INITIAL, 160), (HANDSHAKE, 500), (HANDSHAKE, 600)),),
}


@pytest.mark.parametrize("group", [0x001D, 0x11EC], ids=["x25519", "hybrid"])
@pytest.mark.parametrize("share_first", [True, False])
@pytest.mark.parametrize("plan", PLANS)
def test_flights_after_a_plan(
    site_credentials: Credentials, plan: str, *, share_first: bool, group: int
) -> None:
    flight = PLANS[plan]
    if group == 0x11EC:
        # The ServerHello is 1,088 bytes longer.
        flight = (datagram((INITIAL, 1290)), *flight)
        flight = tuple(
            PlannedDatagram(tuple(p for p in one.packets if p.type is not INITIAL), one.trailing)
            if at else one
            for at, one in enumerate(flight)
        )  # fmt: skip
        flight = tuple(one for one in flight if one.packets)
    shape = ConnectionIdShape(12, ((0, 0xAB),))
    template = Template(0x1303, group, share_first, shape, (flight,), 0.02)
    answered = Answered(template, site_credentials)
    assert answered.flight == flight
    dcid = answered.port.accepted[0][0].dcid
    assert dcid is not None
    replies = [(0.0, data) for data in sent_to(answered.wire, CLIENT)]
    seen = observe(dcid, replies)
    assert (seen.suite, seen.group, seen.key_share_first) == (0x1303, group, share_first)
    assert len(seen.cid) == 12
    assert seen.cid[0] == 0xAB
    answered.finish()


def test_a_plan_that_is_too_small_is_not_followed(site_credentials: Credentials) -> None:
    flight = (datagram((INITIAL, 1200)), datagram((HANDSHAKE, 300)))
    template = Template(0x1301, 0x001D, True, ConnectionIdShape(), (flight,), 0.02)
    answered = Answered(template, site_credentials)
    engine = answered.port.engine_of(CLIENT)
    assert engine._connection is not None
    assert engine._connection.shaped is False  # type: ignore[attr-defined]
    answered.finish()


class Mute(Site):
    """A site that does not answer."""

    def receive(self, datagram: Received, now: float) -> None:
        del datagram, now


def test_a_hello_that_came_twice_leaves_less_room(site_credentials: Credentials) -> None:
    """Its packets have a gap, so the acknowledgement is longer than the plan has room for."""
    template = Template.of(observe_site(site_credentials, 4))
    wire = Wire()
    wire.attach(TARGET, Mute(site_credentials))
    port = Port(
        server_config(template),
        wire,
        decider=decider(template),
        template=template,
        limits=RelayLimits(answer=1.0),
        wall=WALL,
    )
    client = engine_client(client_config(site_credentials), wire, CLIENT)
    wire.run(lambda: bool(sent_to(wire, CLIENT)))
    dcid = port.accepted[0][0].dcid
    assert dcid is not None
    # The ServerHello is in the first datagram, whatever the rest looks like.
    replies = [(0.0, data) for data in sent_to(wire, CLIENT)]
    assert observe(dcid, replies[:1]).suite == template.suite
    wire.run(lambda: client.phase in {Phase.READY, Phase.FAILED})
    assert client.error is None


def test_a_plan_larger_than_three_times_the_hello_is_not_followed(
    site_credentials: Credentials,
) -> None:
    # RFC 9000 section 8.1: 2 * 1250 bytes have come.
    flight = (datagram((INITIAL, 1250)), *(datagram((HANDSHAKE, 1250)) for _ in range(6)))
    template = Template(0x1301, 0x001D, True, ConnectionIdShape(), (flight,), 0.02)
    answered = Answered(template, site_credentials)
    assert sum(one.size for one in answered.flight) <= 7500
    answered.finish()


def test_capacity() -> None:
    flight = (
        datagram((INITIAL, 200), (HANDSHAKE, 1000)),
        datagram((HANDSHAKE, 100), (ONE_RTT, 50)),
    )
    # Header 11, tag 16, CRYPTO frames with offsets of one and of two bytes.
    assert handshake_capacity(flight, 8) == 1100 - 2 * (11 + 8 + 16) - 4 - 5
