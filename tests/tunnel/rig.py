# SPDX-License-Identifier: BSD-3-Clause
"""The engine's side: a data plane with a device, and connections handed over to it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import enum
import itertools
import socket
import subprocess
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.datagram import Received
from nexusnet.handshake.endpoint import ClientConnection, Server
from nexusnet.handshake.profile import EngineConfig, utc_now
from nexusnet.handshake.verify import AnyPeer
from nexusnet.netlink.generated import SessionFlag
from nexusnet.session import Device, Route, Session, SessionRef
from tests.engine.packets import UDP, Flow
from tests.support.planes import make_plane

if TYPE_CHECKING:
    from nexusnet.dataplane.protocol import DataPlane, UdpEndpoint
    from nexusnet.handshake.export import ExportedConnection
    from nexusnet.netlink.generated import DropReason, Event, StatsAttributes
    from nexusnet.netlink.messages import Message

INNER = "10.8.0.1"
INNER_PORT = 9999
PEER_PORT = 4000
PATIENCE = 20.0
ATTEMPTS = 40
CID_LENGTH = 8


def within(coroutine: Coroutine[Any, Any, None], seconds: float = 60.0) -> None:
    """Run a test's coroutine, bounded in time."""

    async def bounded() -> None:
        await asyncio.wait_for(coroutine, seconds)

    asyncio.run(bounded())


async def until(reached: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not reached():
        assert loop.time() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.005)


class Underlay(enum.Enum):
    """What carries the tunnel: where a server listens, and the address that its peers use."""

    IPV4 = ("127.0.0.1", "127.0.0.1")
    IPV6 = ("::1", "::1")
    MAPPED = ("::", "127.0.0.1")
    """An IPv6 socket that IPv4 peers come to: it sees them as ::ffff:127.0.0.1."""

    @property
    def listens(self) -> str:
        return self.value[0]

    @property
    def host(self) -> str:
        return self.value[1]


class Stage(enum.Enum):
    """How far a handover has got."""

    READY = enum.auto()
    EXPORTED = enum.auto()
    HELD = enum.auto()
    ACTIVE = enum.auto()


Visit = Callable[[Stage], Awaitable[None]]


async def pass_by(stage: Stage) -> None:
    """Nothing happens at a stage."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Copies of what the data plane wipes: to read a capture with. The first generation's."""

    suite: int
    tx: bytes
    rx: bytes

    @classmethod
    def of(cls, exported: ExportedConnection) -> Secrets:
        keys = exported.keys
        assert keys.state.generation == 0
        return cls(int(keys.suite), bytes(keys.tx.reveal()), bytes(keys.rx.reveal()))


@dataclass
class Installed:
    """A session of the data plane, and how far its handover got."""

    number: int
    ref: SessionRef
    session: Session
    exported: ExportedConnection
    secrets: Secrets
    early: list[bytes]
    held: int = 0

    @property
    def inner(self) -> str:
        """The peer's address inside the tunnel."""
        return peer_address(self.number)


def peer_address(number: int) -> str:
    return f"10.8.0.{number + 1}"


def from_peer(number: int, data: bytes, source: str | None = None) -> bytes:
    """A DATAGRAM payload: context 0 and an IP packet of a peer for the test's socket."""
    flow = Flow(
        protocol=UDP,
        source=bytes(map(int, (source or peer_address(number)).split("."))),
        destination=bytes(map(int, INNER.split("."))),
        ports=(PEER_PORT, INNER_PORT),
    )
    return b"\0" + flow.packet(data)


@dataclass
class Rig:
    """A data plane, its device, and a socket inside the tunnel; in a namespace of its own."""

    underlay: Underlay = Underlay.IPV4
    plane: DataPlane = field(default_factory=make_plane)
    delivered: list[tuple[str, bytes]] = field(default_factory=list)
    seen: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.device = self.plane.create_device(
            Device(generation=1, network_id=7, name="nexusq%d", route_epoch=1, mtu=1400)
        )
        name = self.device.name
        for command in (f"link set {name} up", f"addr add {INNER}/24 dev {name}"):
            subprocess.run(["ip", *command.split()], check=True, timeout=30)
        self.inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inner.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.inner.setblocking(False)
        self.inner.bind((INNER, INNER_PORT))
        self.numbers = itertools.count(1)
        self.generations = itertools.count(10)
        self.clients: list[ClientConnection] = []
        now = utc_now()
        self.credentials = Credentials.self_signed(
            "localhost", not_before=now - dt.timedelta(days=1)
        )
        self.config = EngineConfig(AnyPeer(), self.credentials, "localhost")

    def close(self) -> None:
        self.plane.close()
        for client in self.clients:
            client.close()
        self.inner.close()

    async def connect(self, address: tuple[str, int]) -> ClientConnection:
        client = await ClientConnection.open(self.config, address)
        self.clients.append(client)
        return client

    def hold(
        self,
        exported: ExportedConnection,
        sock: socket.socket,
        early: list[bytes],
        number: int | None = None,
    ) -> Installed:
        """Install a connection in HOLD, with a route and a source prefix of its own."""
        number = next(self.numbers) if number is None else number
        ref = SessionRef(self.device.id, number)
        prefix = ip_network(f"{peer_address(number)}/32")
        session = exported.session(
            ref,
            generation=1,
            socket_fd=sock.fileno(),
            network_id=7,
            route_epoch=1,
            allowed_sources=(prefix,),
            flags=SessionFlag.SEND_DATA,
        )
        self.plane.add_session(session)
        self.plane.add_route(Route(session=ref, prefix=prefix, generation=1, epoch=1))
        return Installed(number, ref, session, exported, Secrets.of(exported), early)

    def activate(self, installed: Installed, held: list[Received]) -> None:
        loop = asyncio.get_running_loop()
        installed.held = len(held)
        self.plane.activate(
            installed.exported.activation(installed.ref, generation=2, now=loop.time(), held=held)
        )

    async def client_session(
        self, client: ClientConnection, at: Visit = pass_by, number: int | None = None
    ) -> Installed:
        """The whole handover of a client's connection; `at` is awaited at every stage."""
        await at(Stage.READY)
        exported = await client.export()
        await at(Stage.EXPORTED)
        udp = client.detach()
        endpoint = self.plane.open_endpoint(udp.sock, self.config.profile.connection_id_length)
        installed = self.hold(exported, udp.sock, client.early_datagrams, number)
        await at(Stage.HELD)
        held = [*client.drain(), *strays(endpoint, udp.local)]
        self.activate(installed, held)
        await at(Stage.ACTIVE)
        return installed

    def listen(self) -> ServerSide:
        return ServerSide(self)

    def read_inner(self) -> None:
        """Collect what the tunnel delivered: sender and data."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data, sender = self.inner.recvfrom(65536)
                self.delivered.append((sender[0], data))

    def delivered_from(self, installed: Installed) -> list[bytes]:
        self.read_inner()
        return [data for sender, data in self.delivered if sender == installed.inner]

    def send_inner(self, installed: Installed, data: bytes) -> None:
        # The device's queue may be full for a moment; a packet more or less does not matter.
        with contextlib.suppress(BlockingIOError):
            self.inner.sendto(data, (installed.inner, PEER_PORT))

    async def echoed(self, installed: Installed, data: bytes) -> None:
        """Send, numbered, until one comes back: for peers that answer, on paths that lose."""

        def back() -> bool:
            return any(one.startswith(data) for one in self.delivered_from(installed))

        for attempt in range(ATTEMPTS):
            self.send_inner(installed, b"%s, %d" % (data, attempt))
            with contextlib.suppress(AssertionError):
                await until(back, "an echo", PATIENCE / ATTEMPTS)
                return
        raise AssertionError(f"{data!r} did not come back")

    def stats(self, installed: Installed) -> StatsAttributes:
        return self.plane.session_stats(installed.ref)

    def drops(self, installed: Installed) -> dict[DropReason, int]:
        return {one.reason: one.packets for one in self.stats(installed).drop}

    def events(self, installed: Installed, code: Event) -> list[Message]:
        for message in self.plane.events():
            self.seen.append(message)
            session, facts = message.attributes.session, message.attributes.event
            if session is not None and facts is not None and facts.id:
                assert session.device_id is not None
                assert session.id is not None
                self.plane.acknowledge(SessionRef(session.device_id, session.id), facts.id)
        return [
            message
            for message in self.seen
            if message.code is code
            and message.attributes.session is not None
            and message.attributes.session.id == installed.ref.id
        ]


def strays(endpoint: UdpEndpoint, local: tuple[str, int]) -> list[Received]:
    """What the engine could not give to a session, as the handshake takes it."""
    return [
        Received(
            one.payload,
            local if one.local is None else (str(one.local.address), one.local.port),
            (str(one.remote.address), one.remote.port),
            Ecn(one.ecn),
        )
        for one in endpoint.receive()
    ]


class ServerSide:
    """A server whose socket is the data plane's from the start, as in an agent."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.server = Server.listen(rig.config, (rig.underlay.listens, 0))
        self.udp = self.server.detach()
        self.endpoint = rig.plane.open_endpoint(self.udp.sock, CID_LENGTH)
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(self.endpoint.fileno(), self.pass_on)

    @property
    def address(self) -> tuple[str, int]:
        """Where peers reach it."""
        return self.rig.underlay.host, self.udp.local[1]

    def pass_on(self) -> None:
        self.server.receive(strays(self.endpoint, self.udp.local))

    async def session(self, at: Visit = pass_by, number: int | None = None) -> Installed:
        """The handover of the next client's connection; `at` is awaited at every stage."""
        accepted = await self.server.accept()
        await at(Stage.READY)
        exported = await accepted.export()
        await at(Stage.EXPORTED)
        installed = self.rig.hold(exported, self.udp.sock, accepted.early_datagrams, number)
        await at(Stage.HELD)
        self.pass_on()
        self.rig.activate(installed, list(accepted.engine.take_held()))
        accepted.release()
        await at(Stage.ACTIVE)
        return installed

    def close(self) -> None:
        """Before the plane is closed."""
        self.loop.remove_reader(self.endpoint.fileno())
        self.server.close()
