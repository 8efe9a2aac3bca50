# SPDX-License-Identifier: BSD-3-Clause
"""A server's port with the camouflage target behind it, on the simulated network."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import HandshakeCompleted, ProtocolNegotiated, QuicEvent

from nexusnet.handshake.acceptor import Acceptor, Limits
from nexusnet.handshake.datagram import Address, Received, Transmit
from nexusnet.reality.authenticator import Sight
from nexusnet.reality.client_hello import parse_client_hello
from nexusnet.reality.connection_ids import TaggedConnectionIds
from nexusnet.reality.decision import Accept, Decision, InitialFacts, Reason, Relay
from nexusnet.reality.demultiplexer import Demultiplexer
from nexusnet.reality.flows import Flow, FlowState, Path, RelayLimits
from nexusnet.reality.server_connection import RealityServerConnection
from nexusnet.secret import SecretBytes
from tests.handshake.setting import PlainPeer
from tests.handshake.wire import CLIENT, SERVER, Passive, Wire
from tests.reality.initials import source_connection_id

if TYPE_CHECKING:
    from nexusnet.handshake.connection import Ecn
    from nexusnet.handshake.credentials import Credentials
    from nexusnet.handshake.engine import HandshakeEngine
    from nexusnet.handshake.profile import EngineConfig
    from nexusnet.reality.demultiplexer import HelloDecider
    from nexusnet.reality.long_header import LongHeaderPacket
    from nexusnet.reality.template import FlightPlan, Template

TARGET: Address = ("203.0.113.5", 443)
RELAY_HOST = "192.0.2.1"
SITE_NAME = "site.example"
GENUINE_NAME = "vpn.example"
PAGE = b"the site's own page\n" * 400
STATIC_KEY = b"static key of this test's server"


class NameDecider:
    """Takes the server name for the authenticator, and remembers hellos."""

    def __init__(self, name: str = GENUINE_NAME) -> None:
        self.name = name
        self.seen: set[bytes] = set()
        self.decided: list[tuple[bytes, InitialFacts]] = []

    def glance(
        self, datagram: bytes, packet: LongHeaderPacket, *, now: float, wall: float
    ) -> Reason | Sight:
        del datagram, packet, now, wall
        return Sight.UNCLEAR

    def decide(self, message: bytes, facts: InitialFacts, *, now: float, wall: float) -> Decision:
        del now, wall
        self.decided.append((message, facts))
        hello = parse_client_hello(message)
        if facts.datagram_size < 1200:
            return Relay(Reason.INITIAL_TOO_SMALL)
        if hello.server_name != self.name:
            return Relay(Reason.BAD_TAG)
        if hello.random in self.seen:
            return Relay(Reason.SEEN)
        self.seen.add(hello.random)
        return Accept("alice", bytes(8), message, SecretBytes(bytes(32)), 0)


class Site:
    """An HTTP/3 server, plain aioquic, without I/O: the camouflage target.

    Attributes:
        received: each datagram that arrived.
        sent: each that was sent.
    """

    def __init__(self, credentials: Credentials, *, page: bytes = PAGE, **options: Any) -> None:
        self._configuration = QuicConfiguration(
            is_client=False,
            alpn_protocols=list(H3_ALPN),
            certificate=credentials.certificate,
            private_key=credentials.private_key,
            certificate_chain=list(credentials.chain),
            **options,
        )
        self._page = page
        self._by_cid: dict[bytes, QuicConnection] = {}
        self._h3: dict[QuicConnection, H3Connection] = {}
        self.connections: list[QuicConnection] = []
        self.received: list[Received] = []
        self.sent: list[Transmit] = []
        self.handshakes = 0
        self.requests: list[dict[bytes, bytes]] = []

    def receive(self, datagram: Received, now: float) -> None:
        self.received.append(datagram)
        data = datagram.data
        if not data:
            return
        long_header = bool(data[0] & 0x80)
        cid = data[6 : 6 + data[5]] if long_header and len(data) > 5 else data[1:9]
        quic = self._by_cid.get(cid)
        if quic is None and long_header and data[0] & 0x30 == 0 and len(data) >= 1200:
            quic = QuicConnection(
                configuration=self._configuration, original_destination_connection_id=cid
            )
            self._by_cid[cid] = self._by_cid[quic.host_cid] = quic
            self.connections.append(quic)
        if quic is not None:
            quic.receive_datagram(data, datagram.remote, now)
            self._collect(quic)

    def _collect(self, quic: QuicConnection) -> None:
        while (event := quic.next_event()) is not None:
            self._handle(quic, event)
        for known in quic._host_cids:
            self._by_cid.setdefault(known.cid, quic)

    def _handle(self, quic: QuicConnection, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            self.handshakes += 1
        if isinstance(event, ProtocolNegotiated):
            self._h3[quic] = H3Connection(quic)
        h3 = self._h3.get(quic)
        for item in [] if h3 is None else h3.handle_event(event):
            if isinstance(item, HeadersReceived) and h3 is not None:
                self.requests.append(dict(item.headers))
                h3.send_headers(item.stream_id, [(b":status", b"200")])
                h3.send_data(item.stream_id, self._page, end_stream=True)

    def transmit(self, now: float) -> list[Transmit]:
        out = [
            Transmit(data, TARGET, remote)
            for quic in self.connections
            if quic._network_paths
            for data, remote in quic.datagrams_to_send(now)
        ]
        self.sent += out
        return out

    def deadline(self) -> float | None:
        times = [q.get_timer() for q in self.connections if q._close_at is not None]
        return min((time for time in times if time is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        for quic in self.connections:
            timer = quic.get_timer() if quic._close_at is not None else None
            if timer is not None and timer <= now:
                quic.handle_timer(now)
                self._collect(quic)


class Browser(PlainPeer):
    """An HTTP/3 client, plain aioquic: loads the page and keeps what arrived.

    Attributes:
        arrived: each datagram that came back.
    """

    def __init__(self, wire: Wire, local: Address = CLIENT, *, name: str = SITE_NAME) -> None:
        configuration = QuicConfiguration(
            is_client=True, alpn_protocols=list(H3_ALPN), server_name=name, verify_mode=0
        )
        super().__init__(QuicConnection(configuration=configuration), local)
        self.arrived: list[Received] = []
        self.page = b""
        self.status: bytes | None = None
        self.done = False
        self._h3: H3Connection | None = None
        self.quic.connect(SERVER, wire.now)
        wire.attach(local, self)

    def receive(self, datagram: Received, now: float) -> None:
        self.arrived.append(datagram)
        super().receive(datagram, now)

    def _collect(self) -> None:
        start = len(self.events)
        super()._collect()
        for event in self.events[start:]:
            if isinstance(event, HandshakeCompleted):
                self._h3 = H3Connection(self.quic)
                stream = self.quic.get_next_available_stream_id()
                headers = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/")]
                headers.append((b":authority", SITE_NAME.encode()))
                self._h3.send_headers(stream, headers, end_stream=True)
            if self._h3 is None:
                continue
            for item in self._h3.handle_event(event):
                if isinstance(item, HeadersReceived):
                    self.status = dict(item.headers)[b":status"]
                elif isinstance(item, DataReceived):
                    self.page += item.data
                    self.done = item.stream_ended


@dataclass
class FlowPort(Passive):
    """The port of one flow towards the target."""

    port: Port
    number: int
    arrived: list[Received] = field(default_factory=list)
    held: list[Received] = field(default_factory=list)
    path: Path | None = None
    cids: list[bytes] = field(default_factory=list)

    def receive(self, datagram: Received, now: float) -> None:
        self.arrived.append(datagram)
        cid = source_connection_id(datagram.data)
        fresh = [cid] if cid and cid not in self.cids else []
        self.cids += fresh
        if self.path is None:
            self.held.append(datagram)
            self.port.demultiplexer.hear(self.number, fresh, 1, len(datagram.data), now)
        else:
            self.port.wire.send([Transmit(datagram.data, *self.path, datagram.ecn)])
            self.port.demultiplexer.hear(self.number, fresh, 0, 0, now)
        self.port.wire.flush(SERVER)

    def say(self, data: bytes) -> None:
        """Have the target say something, without the network in between."""
        self.receive(Received(data, self.port.address(self.number), TARGET), self.port.wire.now)


class Port:
    """The server's port and its relay; an `Upstream` whose flows are addresses on the wire."""

    def __init__(
        self,
        config: EngineConfig,
        wire: Wire,
        *,
        limits: RelayLimits | None = None,
        handshake_limits: Limits | None = None,
        decider: HelloDecider | None = None,
        template: Template | None = None,
        flight: FlightPlan | None = None,
        wall: float = 0.0,
    ) -> None:
        self.wire = wire
        self.names = NameDecider()
        self.template = template
        self.flight = flight
        shape = None if template is None else template.cid
        self.ids = TaggedConnectionIds.derive(STATIC_KEY, shape)
        self.acceptor = Acceptor(
            config,
            handshake_limits,
            new_connection_id=self.ids.issue,
            new_reset_token=self.ids.reset_token,
        )
        self.ports: dict[int, FlowPort] = {}
        self.opened: list[FlowPort] = []
        self.accepted: list[tuple[Flow, Accept]] = []
        self.demultiplexer = Demultiplexer(
            self.acceptor,
            decider or self.names,
            self.ids,
            self,
            wall_clock=lambda: wall,
            begin=self._begin,
            limits=limits,
        )
        wire.attach(SERVER, self.demultiplexer)

    def _begin(self, flow: Flow, decision: Accept, now: float) -> HandshakeEngine | None:
        assert flow.state is FlowState.ACCEPTED
        assert flow.dcid is not None
        self.accepted.append((flow, decision))
        if self.template is None:
            return self.acceptor.begin(flow.held, flow.dcid, now)
        flight = self.flight or self.template.flights[0]
        make = functools.partial(
            RealityServerConnection,
            accepted=decision,
            shape=self.template.shape(flight),
            flight=flight,
        )
        return self.acceptor.begin(flow.held, flow.dcid, now, make=make)

    def address(self, number: int) -> Address:
        return (RELAY_HOST, 10_000 + number)

    def open(self, number: int) -> None:
        self.ports[number] = FlowPort(self, number)
        self.opened.append(self.ports[number])
        self.wire.attach(self.address(number), self.ports[number])

    def send(self, number: int, data: bytes, ecn: Ecn) -> None:
        assert number in self.ports, "sent through a closed port"
        self.wire.send([Transmit(data, self.address(number), TARGET, ecn)])

    def settle(self, number: int, path: Path) -> None:
        port = self.ports[number]
        port.path = path
        self.wire.send(Transmit(one.data, *path, one.ecn) for one in port.held)
        port.held.clear()

    def discard(self, number: int) -> list[bytes]:
        held, self.ports[number].held = self.ports[number].held, []
        return [one.data for one in held]

    def close(self, number: int) -> None:
        del self.ports[number]
        # What is under way to it is lost.
        self.wire.detach(self.address(number))

    def engine_of(self, remote: Address) -> HandshakeEngine:
        (found,) = (engine for engine in self.acceptor.engines if engine.remote == remote)
        return found


def sent_to(wire: Wire, remote: Address) -> list[bytes]:
    """Return all that the server sent to a client."""
    return [one.data for one in wire.log if one.local == SERVER and one.remote == remote]
