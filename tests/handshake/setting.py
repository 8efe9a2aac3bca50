# SPDX-License-Identifier: BSD-3-Clause
"""Scenes for handshake tests: our engines, plain aioquic peers, a wire between them."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from nexusnet.handshake.acceptor import Acceptor, Limits
from nexusnet.handshake.datagram import Address, Received, Transmit
from nexusnet.handshake.engine import HandshakeEngine, Phase
from nexusnet.handshake.profile import DEFAULT_ALPN, EngineConfig
from nexusnet.handshake.verify import AnyPeer
from tests.handshake.wire import CLIENT, SERVER, Weather, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aioquic.quic.events import QuicEvent

    from nexusnet.handshake.events import EngineEvent

MIDNIGHT = dt.datetime(2030, 6, 1, tzinfo=dt.UTC)
"""The time of day in all tests that do not ask for another one."""

OVER = frozenset({Phase.READY, Phase.EXPORTED, Phase.FAILED})


@dataclass(frozen=True)
class Setting:
    """Configurations of both roles."""

    server: EngineConfig
    client: EngineConfig

    def with_server(self, **changes: Any) -> Setting:
        return replace(self, server=replace(self.server, **changes))

    def with_client(self, **changes: Any) -> Setting:
        return replace(self, client=replace(self.client, **changes))

    def trusting(self) -> Setting:
        """The same where nobody asks for certificates, for plain peers."""
        return self.with_server(verifier=AnyPeer())


class PlainPeer:
    """aioquic as it is, with no code of ours, on the wire."""

    def __init__(self, quic: QuicConnection, local: Address) -> None:
        self.quic = quic
        self.local = local
        self.events: list[QuicEvent] = []

    def receive(self, datagram: Received, now: float) -> None:
        self.quic.receive_datagram(datagram.data, datagram.remote, now)
        self._collect()

    def transmit(self, now: float) -> list[Transmit]:
        if not self.quic._network_paths:
            return []
        out = self.quic.datagrams_to_send(now)
        self._collect()
        return [Transmit(data, self.local, remote) for data, remote in out]

    def deadline(self) -> float | None:
        return self.quic.get_timer() if self.quic._close_at is not None else None

    def handle_deadline(self, now: float) -> None:
        timer = self.deadline()
        if timer is not None and now >= timer:
            self.quic.handle_timer(now)
        self._collect()

    def _collect(self) -> None:
        while (event := self.quic.next_event()) is not None:
            self.events.append(event)

    def of_type(self, kind: type[QuicEvent]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def plain_client(wire: Wire, **options: Any) -> PlainPeer:
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=[DEFAULT_ALPN],
        max_datagram_frame_size=65535,
        server_name="vpn.example",
        verify_mode=ssl.CERT_NONE,
    )
    for name, value in options.items():
        setattr(configuration, name, value)
    quic = QuicConnection(configuration=configuration)
    quic.connect(SERVER, wire.now)
    return PlainPeer(quic, CLIENT)


class PlainServer(PlainPeer):
    """A plain aioquic server for one client, made with its first datagram."""

    def __init__(self, setting: Setting, **options: Any) -> None:
        credentials = setting.server.credentials
        assert credentials is not None
        self.configuration = QuicConfiguration(
            is_client=False,
            alpn_protocols=[DEFAULT_ALPN],
            max_datagram_frame_size=65535,
            certificate=credentials.certificate,
            private_key=credentials.private_key,
        )
        for name, value in options.items():
            setattr(self.configuration, name, value)
        self.local = SERVER
        self.events = []
        self.started = False

    def receive(self, datagram: Received, now: float) -> None:
        if not self.started:
            self.started = True
            length = datagram.data[5]
            super().__init__(
                QuicConnection(
                    configuration=self.configuration,
                    original_destination_connection_id=datagram.data[6 : 6 + length],
                ),
                SERVER,
            )
        super().receive(datagram, now)

    def transmit(self, now: float) -> list[Transmit]:
        return super().transmit(now) if self.started else []

    def deadline(self) -> float | None:
        return super().deadline() if self.started else None


@dataclass
class Scene:
    """An acceptor and clients on a wire, with all events that they gave."""

    setting: Setting
    wire: Wire = field(default_factory=Wire)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.acceptor = Acceptor(self.setting.server, self.limits)
        self.server_events: list[tuple[HandshakeEngine, EngineEvent]] = []
        self.client_events: dict[HandshakeEngine, list[EngineEvent]] = {}
        self.wire.attach(SERVER, self.acceptor)

    def add_client(
        self, config: EngineConfig | None = None, address: Address = CLIENT
    ) -> HandshakeEngine:
        client = HandshakeEngine.client(
            config or self.setting.client, local=address, remote=SERVER, now=self.wire.now
        )
        self.client_events[client] = []
        self.wire.attach(address, client)
        return client

    def collect(self) -> None:
        while (item := self.acceptor.next_event()) is not None:
            self.server_events.append(item)
        for client, events in self.client_events.items():
            while (event := client.next_event()) is not None:
                events.append(event)

    def run(self, until: Callable[[], bool], limit: float = 60.0) -> None:
        def reached() -> bool:
            self.collect()
            return until()

        self.wire.run(reached, limit=limit)

    def run_all(self, clients: Sequence[HandshakeEngine], limit: float = 60.0) -> None:
        """Until each client, and its other end if there is one, is ready or failed."""

        def reached() -> bool:
            ends = self.acceptor.engines
            return all(client.phase in OVER for client in clients) and all(
                end.phase in OVER for end in ends
            )

        self.run(reached, limit)

    def server_end(self, client: HandshakeEngine | PlainPeer) -> HandshakeEngine:
        (found,) = (e for e in self.acceptor.engines if e.remote == client.local)
        return found


def scene(
    setting: Setting, *, seed: int = 1, weather: Weather | None = None, **options: Any
) -> Scene:
    return Scene(setting, Wire(seed=seed, weather=weather or Weather()), **options)
