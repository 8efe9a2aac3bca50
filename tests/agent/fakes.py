# SPDX-License-Identifier: BSD-3-Clause
"""A data plane in memory, handshakes that are over at once, and a host that only remembers."""

import asyncio
import contextlib
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from nexusnet.agent.config import Config, PeerSettings, load_config
from nexusnet.agent.network import Desired
from nexusnet.agent.plane import PlaneChoice
from nexusnet.dataplane.protocol import DataPlaneError, SessionStatus
from nexusnet.dco import Decision, Plane
from nexusnet.handshake.datagram import Received
from nexusnet.handshake.export import ExportedConnection
from nexusnet.handshake.verify import PeerIdentity
from nexusnet.keys import HeaderKeys, KeyState, NextKeys, SecretSet
from nexusnet.l3ptp.context import Context
from nexusnet.netlink.generated import (
    ABI_VERSION,
    CapsAttributes,
    CipherSuite,
    DownReason,
    Event,
    EventAttributes,
    Feature,
    FramesAttributes,
    KeyUpdateCause,
    MainAttributes,
    Role,
    SessionAttributes,
    SessionState,
    StatsAttributes,
)
from nexusnet.netlink.messages import Message
from nexusnet.secret import SecretBytes
from nexusnet.session import (
    Activation,
    Close,
    ConnectionId,
    Device,
    EcnAccounting,
    Endpoint,
    Prefix,
    ReceivedRanges,
    Route,
    RttState,
    Session,
    SessionRef,
    SessionUpdate,
    TransportParameters,
    UdpTuple,
)

MILLISECOND = 1_000_000


@dataclass(slots=True)
class Installed:
    session: Session
    state: SessionState = SessionState.HOLD
    activation: Activation | None = None
    close: Close | None = None
    next_keys: list[int] = field(default_factory=list)
    acknowledged: int = 0
    key_updates: int = 0


class FakePlane:
    """Keeps the rules of the contract that the agent has to keep, and records what it was told.

    `peer_of` connects sessions: what one sends, the other receives, unless `lose` says no.
    """

    def __init__(self, *, takes_secrets: bool = True) -> None:
        self.takes_secrets = takes_secrets
        self.known: dict[SessionRef, Installed] = {}
        self.ended: list[tuple[SessionRef, Close]] = []
        self.route_table: dict[Prefix, Route] = {}
        self.links: dict[SessionRef, tuple[FakePlane, SessionRef]] = {}
        self.lose: Callable[[bytes], bool] = lambda _: False
        self.refuse: dict[str, DataPlaneError] = {}
        self.mtu = 1421
        self.calls: list[str] = []
        self.sent_frames: list[bytes] = []
        self.closed = False
        self._devices: dict[int, Device] = {}
        self._messages: deque[Message] = deque()
        self._event_id = 0
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)

    def _called(self, name: str) -> None:
        assert not self.closed, f"{name} after close"
        self.calls.append(name)
        if name in self.refuse:
            raise self.refuse[name]

    def connect(self, mine: SessionRef, other: "FakePlane", theirs: SessionRef) -> None:
        self.links[mine] = (other, theirs)
        other.links[theirs] = (self, mine)

    def tell(self, code: Event, ref: SessionRef, event: EventAttributes, **more: Any) -> None:
        """Emit an event about a session."""
        installed = self.known[ref].session
        session = SessionAttributes(
            device_id=ref.device_id, id=ref.id, generation=installed.generation
        )
        attributes = MainAttributes(abi_version=ABI_VERSION, session=session, event=event, **more)
        self._messages.append(Message(code, attributes))
        os.eventfd_write(self._wake, 1)

    def go_down(self, ref: SessionRef, reason: DownReason) -> None:
        self.tell(Event.SESSION_DOWN, ref, EventAttributes(down_reason=reason))

    def want_keys(self, ref: SessionRef, cause: KeyUpdateCause) -> None:
        self.tell(Event.KEY_UPDATE_NEEDED, ref, EventAttributes(key_update_cause=cause))

    def deliver(self, ref: SessionRef, payload: bytes) -> None:
        self._event_id += 1
        frames = FramesAttributes(context_id=payload[0], payload=payload[1:])
        event = EventAttributes(id=self._event_id)
        self.tell(Event.DATAGRAM_RECEIVED, ref, event, frames=frames)

    # The protocol

    def capabilities(self) -> CapsAttributes:
        features = Feature.INSTALL_SECRETS if self.takes_secrets else Feature(0)
        return CapsAttributes(abi_min=1, abi_max=1, features=int(features))

    def open_endpoint(self, sock: socket.socket, cid_length: int) -> Any:
        raise NotImplementedError

    def create_device(self, device: Device) -> Device:
        self._called("create_device")
        made = replace(device, id=len(self._devices) + 1)
        self._devices[made.id] = made
        return made

    def update_device(
        self, device_id: int, generation: int, *, route_epoch: int | None, mtu: int | None
    ) -> None:
        raise NotImplementedError

    def delete_device(self, device_id: int, generation: int) -> None:
        self._called("delete_device")
        assert generation > self._devices[device_id].generation
        assert not self.known, "sessions were left on the device"
        del self._devices[device_id]

    def devices(self) -> list[Device]:
        return list(self._devices.values())

    def add_session(self, session: Session) -> None:
        self._called("add_session")
        assert session.ref not in self.known
        self.known[session.ref] = Installed(session)

    def _get(self, ref: SessionRef) -> Installed:
        if ref not in self.known:
            raise DataPlaneError(errno.ENOENT, f"no session {ref.id}")
        return self.known[ref]

    def activate(self, activation: Activation) -> None:
        self._called("activate")
        entry = self._get(activation.ref)
        assert activation.generation > entry.session.generation
        entry.activation, entry.state = activation, SessionState.ACTIVE

    def update_session(self, update: SessionUpdate) -> None:
        self._called("update_session")
        entry = self._get(update.ref)
        assert update.generation > entry.session.generation
        entry.session = replace(
            entry.session,
            generation=update.generation,
            local_cids=update.local_cids or entry.session.local_cids,
            peer_cids=update.peer_cids or entry.session.peer_cids,
            reset_tokens=update.reset_tokens or entry.session.reset_tokens,
            allowed_sources=update.allowed_sources or entry.session.allowed_sources,
        )

    def delete_session(self, ref: SessionRef, generation: int, close: Close) -> None:
        self._called("delete_session")
        entry = self._get(ref)
        assert generation >= entry.session.generation
        assert not [route for route in self.route_table.values() if route.session == ref]
        del self.known[ref]
        self.ended.append((ref, close))

    def sessions(self, device_id: int) -> list[SessionStatus]:
        assert device_id in self._devices
        return [
            SessionStatus(
                ref,
                entry.session.generation,
                entry.state,
                entry.session.datagram_size,
                self.mtu,
                0,
                entry.session.route_epoch,
                entry.session.allowed_sources,
            )
            for ref, entry in self.known.items()
        ]

    def set_keys(self, ref: SessionRef, keys: NextKeys) -> None:
        self._called("set_keys")
        self._get(ref).next_keys.append(keys.generation)

    def key_update(self, ref: SessionRef) -> None:
        self._called("key_update")
        self._get(ref).key_updates += 1

    def add_route(self, route: Route, *, replace: bool = False) -> None:
        self._called("add_route")
        self._get(route.session)
        assert replace or route.prefix not in self.route_table
        self.route_table[route.prefix] = route

    def delete_route(self, route: Route) -> None:
        self._called("delete_route")
        known = self.route_table.get(route.prefix)
        if known is not None and route.generation >= known.generation:
            del self.route_table[route.prefix]

    def routes(self, device_id: int) -> list[Route]:
        assert device_id in self._devices
        return list(self.route_table.values())

    def send_frames(
        self, ref: SessionRef, token: int | None, frames: bytes, *, once: bool = False
    ) -> None:
        self._called("send_frames")
        assert token is None or token > 0
        assert not once
        self._get(ref)
        self.sent_frames.append(frames)

    def send_datagram(self, ref: SessionRef, payload: bytes) -> None:
        self._called("send_datagram")
        assert self._get(ref).state is SessionState.ACTIVE
        assert payload[0] == Context.CONTROL
        other, theirs = self.links.get(ref, (None, None))
        if other is not None and theirs in other.known and not self.lose(payload):
            other.deliver(theirs, payload)

    def acknowledge(self, ref: SessionRef, event_id: int) -> None:
        self._called("acknowledge")
        self._get(ref).acknowledged = event_id

    def session_stats(self, ref: SessionRef) -> StatsAttributes:
        self._get(ref)
        return StatsAttributes()

    def device_stats(self, device_id: int) -> StatsAttributes:
        assert device_id in self._devices
        return StatsAttributes()

    def fileno(self) -> int:
        return self._wake

    def events(self) -> Sequence[Message]:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        waiting, self._messages = list(self._messages), deque()
        return waiting

    def close(self) -> None:
        self._called("close")
        self.closed = True
        os.close(self._wake)


def choice(plane: FakePlane) -> PlaneChoice:
    return PlaneChoice(plane, Decision(Plane.USERSPACE, "a test says so"))


def exported(name: str = "peer", role: Role = Role.CLIENT) -> ExportedConnection:
    """A connection as it leaves a handshake, with keys that protect nothing."""
    parameters = TransportParameters(max_datagram_frame_size=65535, max_idle_timeout_ms=30000)
    return ExportedConnection(
        role=role,
        identity=PeerIdentity(name, bytes(32)),
        alpn="l3ptp/1",
        udp_tuple=UdpTuple(
            Endpoint(ip_address("192.0.2.1"), 1000), Endpoint(ip_address("192.0.2.2"), 443)
        ),
        local_cids=(ConnectionId(0, bytes(8)),),
        peer_cids=(ConnectionId(0, bytes(range(8))),),
        reset_tokens=(),
        local_parameters=parameters,
        peer_parameters=parameters,
        datagram_size=1452,
        keys=SecretSet(
            suite=CipherSuite.AES_128_GCM_SHA256,
            state=KeyState(),
            header=HeaderKeys(tx=SecretBytes(bytes(16)), rx=SecretBytes(bytes(16))),
            tx=SecretBytes(b"t" * 32),
            rx=SecretBytes(b"r" * 32),
        ),
        next_pn=10,
        largest_acked=9,
        received=ReceivedRanges(),
        largest_received_at=None,
        ack_eliciting_pending=0,
        ecn=EcnAccounting(),
        rtt=RttState(latest=MILLISECOND, smoothed=MILLISECOND, variation=MILLISECOND, min=1),
    )


class FakeHandover:
    """A finished handshake."""

    def __init__(self, connection: ExportedConnection) -> None:
        self.connection = connection
        self.early: list[bytes] = []
        self.held: list[Received] = []
        self.released = False
        self.closed = False
        self._sock: socket.socket | None = None

    @property
    def sock(self) -> socket.socket:
        if self._sock is None:
            self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        return self._sock

    async def export(self) -> ExportedConnection:
        return self.connection

    def drain(self) -> list[Received]:
        return self.held

    def early_datagrams(self) -> list[bytes]:
        return self.early

    def release(self) -> None:
        self.released = True

    def close(self) -> None:
        self.closed = True
        if self._sock is not None:
            self._sock.close()


class FakeDialer:
    """Does what a script says at each attempt: an error to raise, or a handover to return."""

    def __init__(self, script: Callable[[PeerSettings, int], FakeHandover | Exception]) -> None:
        self.script = script
        self.attempts: dict[str, int] = {}

    async def dial(self, peer: PeerSettings) -> FakeHandover:
        number = self.attempts[peer.name] = self.attempts.get(peer.name, 0) + 1
        await asyncio.sleep(0)
        outcome = self.script(peer, number)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class FakeHost:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.states: list[Desired] = []
        self.closed = False

    async def apply(self, before: Desired, after: Desired) -> None:
        assert not self.states or self.states[-1] == before
        self.states.append(after)

    async def clamp_mss(self) -> None:
        return

    async def close(self) -> None:
        self.closed = True


def config(text: str, folder: Path) -> Config:
    """A configuration from TOML, with a key file that exists."""
    (folder / "own.key").write_text("")
    (folder / "own.key").chmod(0o600)
    file = folder / "test.toml"
    file.write_text(text)
    return load_config(file)
