# SPDX-License-Identifier: BSD-3-Clause
"""The data plane in user space: the C engine behind the calls of :class:`DataPlane`.

A thread of its own sits in the engine's loop, outside of Python's lock; calls and events may come
from any other thread.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nexusnet import __version__
from nexusnet._engine import ffi, lib
from nexusnet.dataplane import messages, structs
from nexusnet.dataplane.protocol import DataPlaneError, ReceivedDatagram, SessionStatus
from nexusnet.dataplane.screen import UserspaceScreen
from nexusnet.generation import Verdict, judge_delete, judge_update
from nexusnet.netlink.generated import (
    ABI_VERSION,
    CapsAttributes,
    CipherCap,
    CipherSuite,
    CloseMode,
    Congestion,
    Feature,
    L3Stats,
    OffloadStats,
    SessionState,
    StatsAttributes,
)
from nexusnet.session import (
    Activation,
    Close,
    Device,
    Endpoint,
    Prefix,
    Route,
    Session,
    SessionRef,
    SessionUpdate,
)
from nexusnet.validation import SessionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexusnet.keys import NextKeys
    from nexusnet.netlink.messages import Message
    from nexusnet.session import ConnectionId

T = TypeVar("T")

SIOCSIFMTU: Final = 0x8922
BATCH: Final = 64
"""Datagrams of strangers that are taken from the engine at a time."""

SILENTLY: Final = Close(mode=CloseMode.SILENT)
FEATURES: Final = (
    Feature.INSTALL_SECRETS
    | Feature.ZERO_LENGTH_CID
    | Feature.SEND_FRAMES
    | Feature.STATELESS_RESET
    | Feature.ECN
    | Feature.PMTU_SEARCH
    | Feature.GSO
    | Feature.GRO
    | Feature.LAB_MODE
    | Feature.AEAD_LIMITS
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offloads:
    """What the engine may use of the kernel's batching; all of it where the kernel has it."""

    tun_checksum: bool = True
    tun_tcp: bool = True
    tun_udp: bool = True
    udp_send: bool = True
    udp_receive: bool = True

    @property
    def tun(self) -> int:
        """As enum nqe_tun_offload."""
        flags = lib.NQE_TUN_CSUM * self.tun_checksum | lib.NQE_TUN_TSO * self.tun_tcp
        return int(flags | lib.NQE_TUN_USO * self.tun_udp)

    @property
    def udp(self) -> int:
        """As enum nqe_udp_offload."""
        return int(lib.NQE_UDP_GSO * self.udp_send | lib.NQE_UDP_GRO * self.udp_receive)


def check(result: int, what: str) -> int:
    """The result of an engine's call, unless it is a negative error number."""
    if result < 0:
        raise DataPlaneError(-result, f"{what}: {messages.why(-result)}")
    return result


def newer(what: str, generation: int, current: int) -> None:
    """Refuse a change that is older than the object."""
    if judge_update(current, generation) is not Verdict.APPLY:
        raise DataPlaneError(
            errno.ESTALE, f"{what}: generation {generation} is not above {current}"
        )


def updated(session: Session, update: SessionUpdate) -> Session:
    """What an update makes of a session; raises SessionError where that is none."""
    given = {
        name: value
        for name in (
            "local_cids", "peer_cids", "reset_tokens", "allowed_sources", "route_epoch",
            "datagram_size", "mtu", "idle_timeout_ms", "keepalive_ms", "flags",
        )
        if (value := getattr(update, name)) is not None
    }  # fmt: skip
    outer = {
        name: value
        for name in ("fwmark", "dscp_policy", "dscp", "ecn_policy")
        if (value := getattr(update.outer, name)) is not None
    }
    return replace(session, outer=replace(session.outer, **outer), **given)


def names(session: Session) -> tuple[object, ...]:
    """What the engine replaces together: connection IDs and reset tokens."""
    return session.local_cids, session.peer_cids, session.reset_tokens


def prefix_arguments(prefix: Prefix) -> tuple[int, bytes, int]:
    """A prefix as the engine's functions take it."""
    return prefix.version, prefix.network_address.packed, prefix.prefixlen


@dataclass(slots=True)
class _Device:
    number: int
    device: Device
    routes: dict[Prefix, Route] = field(default_factory=dict)


@dataclass(slots=True)
class _Session:
    number: int
    session: Session
    endpoint: int
    state: SessionState = SessionState.HOLD
    down_told: bool = False


class UserspaceEndpoint:
    """A UDP socket whose datagrams the engine reads; what belongs to no session is handed on."""

    def __init__(
        self, plane: UserspaceDataPlane, sock: socket.socket, number: int, cid_length: int
    ) -> None:
        self._plane = plane
        self._socket = sock
        self.number = number
        self.cid_length = cid_length
        self.inode = os.fstat(sock.fileno()).st_ino
        self._event_fd = check(lib.nqe_socket_event_fd(plane.engine, number), "socket")

    def fileno(self) -> int:
        """Readable while there may be datagrams."""
        return self._event_fd

    def receive(self) -> list[ReceivedDatagram]:
        """All that has arrived; never blocks."""
        if self._plane.closed:
            return []
        drain(self._event_fd)
        received: list[ReceivedDatagram] = []
        batch = ffi.new("struct nqe_datagram[]", BATCH)
        count = BATCH
        while count == BATCH:
            count = lib.nqe_socket_receive(self._plane.engine, self.number, batch, BATCH)
            for number in range(count):
                one = batch[number]
                remote = structs.get_endpoint(one.remote)
                if remote is not None:  # from port 0: nobody could be answered
                    payload = bytes(ffi.buffer(one.data, one.len))
                    local = structs.get_endpoint(one.local)
                    received.append(ReceivedDatagram(remote, local, one.ecn, payload))
                lib.nqe_datagram_release(ffi.addressof(one))
        return received

    def screen(self) -> UserspaceScreen:
        """Hand on only what may be a handshake's, see `ScreeningEndpoint`."""
        return UserspaceScreen(self._plane, self.number)

    def send(self, payload: bytes, remote: Endpoint) -> None:
        """Send one datagram; raises OSError as a socket does."""
        address = str(remote.address)
        if self._socket.family == socket.AF_INET:
            self._socket.sendto(payload, (address, remote.port))
            return
        if remote.address.version == 4:
            address = f"::ffff:{address}"
        self._socket.sendto(payload, (address, remote.port, 0, remote.scope_id))

    def close(self) -> None:
        """Let go of the socket, which stays open. EBUSY while sessions use it.

        Without effect once the data plane is closed with all that was in it: who waits for sessions
        to end may come later than that.
        """
        if self._plane.closed:
            return
        check(lib.nqe_socket_remove(self._plane.engine, self.number), "socket")
        self._plane.forget_endpoint(self)


def drain(event_fd: int) -> None:
    """Make an eventfd unreadable until it is written to again."""
    try:
        os.eventfd_read(event_fd)
    except BlockingIOError:
        return


class UserspaceDataPlane:
    """Runs tunnels without a kernel module: TUN devices, UDP sockets, libcrypto."""

    def __init__(self, offloads: Offloads | None = None) -> None:
        self.offloads = offloads or Offloads()
        # Freed by close() alone: at interpreter exit the thread may still be in it.
        self.engine = lib.nqe_engine_new()
        if self.engine == ffi.NULL:
            raise DataPlaneError(ffi.errno, "engine")
        self._lock = threading.RLock()
        self._devices: dict[int, _Device] = {}
        self._sessions: dict[SessionRef, _Session] = {}
        self._by_number: dict[int, SessionRef] = {}
        self._endpoints: dict[int, UserspaceEndpoint] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="nexus-engine", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping:
            lib.nqe_engine_run(self.engine, 1_000_000_000)

    @property
    def closed(self) -> bool:
        """Whether the engine is gone."""
        return self._stopping

    def close(self) -> None:
        """Delete everything, keys wiped. Nothing else may be called afterwards, but this again.

        Endpoints may still be closed; nothing is left to do for them.
        """
        if self._stopping:
            return
        self._stopping = True
        while self._thread.is_alive():
            # Once more each time: the loop may have been between two rounds of Python's loop.
            lib.nqe_engine_stop(self.engine)
            self._thread.join(0.1)
        lib.nqe_engine_free(self.engine)

    def capabilities(self) -> CapsAttributes:
        """What it can do, as GET_CAPS answers."""
        suites = [suite for suite in CipherSuite if structs.supported(int(suite))]
        return CapsAttributes(
            abi_min=ABI_VERSION,
            abi_max=ABI_VERSION,
            module_version=__version__,
            cipher=tuple(
                CipherCap(suite=suite, asynchronous=0, driver="libcrypto") for suite in suites
            ),
            congestion=tuple(Congestion),
            features=int(FEATURES),
        )

    # Endpoints.

    def open_endpoint(self, sock: socket.socket, cid_length: int) -> UserspaceEndpoint:
        """Take a bound UDP socket whose local connection IDs all have one length, 0 to 20."""
        with self._lock:
            if os.fstat(sock.fileno()).st_ino in self._endpoints:
                raise DataPlaneError(errno.EEXIST, "socket: it is an open endpoint already")
            number = lib.nqe_socket_add(self.engine, sock.fileno(), cid_length, self.offloads.udp)
            endpoint = UserspaceEndpoint(self, sock, check(number, "socket"), cid_length)
            self._endpoints[endpoint.inode] = endpoint
            return endpoint

    def forget_endpoint(self, endpoint: UserspaceEndpoint) -> None:
        """For the endpoint: it is closed."""
        with self._lock:
            self._endpoints.pop(endpoint.inode, None)

    # Devices.

    def create_device(self, device: Device) -> Device:
        """Create a virtual device; returns it with the id and name that it got. EEXIST."""
        with self._lock:
            name = ffi.new("char[]", lib.NQE_TUN_NAME)
            structs.fill(name, (device.name or "nexusq%d").encode())
            number = lib.nqe_device_add(self.engine, name, self.offloads.tun)
            if number == -errno.EBUSY:
                raise DataPlaneError(errno.EEXIST, f"device {device.name}: the name is taken")
            check(number, "device")
            made = replace(device, id=number, name=ffi.string(name).decode())
            self._devices[number] = _Device(number, made)
            try:
                check(lib.nqe_device_set_epoch(self.engine, number, device.route_epoch), "device")
                if device.mtu is not None:
                    set_mtu(made.name, device.mtu)
            except OSError:
                self._drop_device(number)
                raise
            return made

    def _device(self, device_id: int) -> _Device:
        if device_id not in self._devices:
            raise DataPlaneError(errno.ENODEV, f"no device {device_id}")
        return self._devices[device_id]

    def update_device(
        self, device_id: int, generation: int, *, route_epoch: int | None, mtu: int | None
    ) -> None:
        """Change epoch or MTU. ENODEV, ESTALE."""
        with self._lock:
            entry = self._device(device_id)
            newer(f"device {device_id}", generation, entry.device.generation)
            if mtu is not None:
                set_mtu(entry.device.name, mtu)
                entry.device = replace(entry.device, mtu=mtu)
            if route_epoch is not None:
                check(lib.nqe_device_set_epoch(self.engine, entry.number, route_epoch), "device")
                entry.device = replace(entry.device, route_epoch=route_epoch)
            entry.device = replace(entry.device, generation=generation)

    def _drop_device(self, device_id: int) -> None:
        for ref in [ref for ref in self._sessions if ref.device_id == device_id]:
            self._drop_session(ref)
        check(lib.nqe_device_remove(self.engine, device_id), f"device {device_id}")
        del self._devices[device_id]

    def delete_device(self, device_id: int, generation: int) -> None:
        """Delete a device, its sessions (silently) and routes."""
        with self._lock:
            entry = self._devices.get(device_id)
            current = entry.device.generation if entry is not None else None
            if judge_delete(current, generation) is Verdict.APPLY:
                self._drop_device(device_id)

    def devices(self) -> list[Device]:
        """All devices."""
        with self._lock:
            return [entry.device for entry in self._devices.values()]

    # Sessions.

    def _session(self, ref: SessionRef) -> _Session:
        if ref not in self._sessions:
            raise DataPlaneError(errno.ENOENT, f"no session {ref.id} on device {ref.device_id}")
        return self._sessions[ref]

    def add_session(self, session: Session) -> None:
        """Install a connection in HOLD: its datagrams are kept, nothing is sent."""
        with self._lock:
            entry = self._device(session.ref.device_id)
            if session.ref in self._sessions:
                raise DataPlaneError(errno.EEXIST, f"session {session.ref.id}: the id is taken")
            try:
                endpoint = self._endpoints.get(os.fstat(session.socket_fd).st_ino)
            except OSError as error:
                raise DataPlaneError(error.errno or errno.EBADF, "socket_fd") from error
            if endpoint is None:
                raise DataPlaneError(errno.EINVAL, "socket_fd is no open endpoint")
            self._check_cids(endpoint, session.local_cids)
            outer = structs.outer_policy(session, entry.device)
            config = structs.session_config(session, outer, entry.number, endpoint.number)
            what = f"session {session.ref.id}"
            number = check(lib.nqe_session_add(self.engine, config), what)
            self._sessions[session.ref] = _Session(number, session, endpoint.number)
            self._by_number[number] = session.ref
            for prefix in session.allowed_sources:
                check(lib.nqe_source_allow(self.engine, number, *prefix_arguments(prefix)), what)

    @staticmethod
    def _check_cids(endpoint: UserspaceEndpoint, cids: tuple[ConnectionId, ...]) -> None:
        length = endpoint.cid_length
        if any(len(cid.value) != length for cid in cids):
            raise DataPlaneError(errno.EINVAL, f"this socket's connection IDs have {length} bytes")

    def activate(self, activation: Activation) -> None:
        """Let a session in HOLD run; its keys are wiped whatever becomes of it."""
        with self._lock:
            try:
                self._activate(activation)
            finally:
                activation.wipe()

    def _activate(self, activation: Activation) -> None:
        entry = self._session(activation.ref)
        what = f"session {activation.ref.id}"
        newer(what, activation.generation, entry.session.generation)
        if activation.keys.suite is not entry.session.cipher_suite:
            raise DataPlaneError(errno.EINVAL, f"{what}: keys of another cipher suite")
        outer = structs.outer_policy(entry.session, self._device(activation.ref.device_id).device)
        prepared = structs.ActivationStruct(entry.session, outer, activation)
        why = ffi.new("char **")
        try:
            result = lib.nqe_session_activate(self.engine, entry.number, prepared.pointer, why)
        finally:
            prepared.wipe()
        if result:
            raise DataPlaneError(-result, f"{what}: {ffi.string(why[0]).decode()}")
        entry.state = SessionState.ACTIVE
        self._set_generation(entry, activation.generation)

    def _set_generation(self, entry: _Session, generation: int) -> None:
        lib.nqe_session_set_generation(self.engine, entry.number, generation)
        entry.session = replace(entry.session, generation=generation)

    def update_session(self, update: SessionUpdate) -> None:
        """Change a session; only what is given changes, lists as a whole."""
        with self._lock:
            entry = self._session(update.ref)
            what = f"session {update.ref.id}"
            newer(what, update.generation, entry.session.generation)
            try:
                session = updated(entry.session, update)
            except SessionError as error:
                raise DataPlaneError(errno.EINVAL, f"{what}: {error}") from error
            renamed = names(session) != names(entry.session)
            if renamed:
                self._replace_cids(entry, session)
            outer = structs.outer_policy(session, self._device(update.ref.device_id).device)
            changes = structs.session_update(session, outer, datagram_size=update.datagram_size)
            why = ffi.new("char **")
            result = lib.nqe_session_update(self.engine, entry.number, changes, why)
            if result:
                if renamed:
                    self._replace_cids(entry, entry.session)
                raise DataPlaneError(-result, f"{what}: {ffi.string(why[0]).decode()}")
            if update.allowed_sources is not None:
                self._replace_sources(entry, update.allowed_sources)
            if update.route_epoch is not None:
                check(
                    lib.nqe_session_set_epoch(self.engine, entry.number, update.route_epoch), what
                )
            entry.session = session
            self._set_generation(entry, update.generation)

    def _replace_cids(self, entry: _Session, session: Session) -> None:
        for endpoint in self._endpoints.values():
            if endpoint.number == entry.endpoint:
                self._check_cids(endpoint, session.local_cids)
        config = structs.session_config(session, session.outer, 0, 0)
        result = lib.nqe_session_set_cids(self.engine, entry.number, config)
        check(result, f"session {session.ref.id}")

    def _replace_sources(self, entry: _Session, sources: tuple[Prefix, ...]) -> None:
        former = entry.session.allowed_sources
        what = f"session {entry.session.ref.id}"
        for prefix in sources:
            check(lib.nqe_source_allow(self.engine, entry.number, *prefix_arguments(prefix)), what)
        for prefix in set(former) - set(sources):
            lib.nqe_source_deny(self.engine, entry.number, *prefix_arguments(prefix))

    def _forget_session(self, ref: SessionRef) -> None:
        entry = self._sessions.pop(ref)
        self._by_number.pop(entry.number, None)
        routes = self._devices[ref.device_id].routes
        for prefix in [prefix for prefix, route in routes.items() if route.session == ref]:
            del routes[prefix]

    def _drop_session(self, ref: SessionRef) -> None:
        lib.nqe_session_delete(self.engine, self._sessions[ref].number)
        self._forget_session(ref)

    def delete_session(self, ref: SessionRef, generation: int, close: Close) -> None:
        """End a session; nothing is delivered once this has returned.

        With CONNECTION_CLOSE it stays, closing, until the peer has had time to hear of it.
        """
        with self._lock:
            entry = self._sessions.get(ref)
            current = entry.session.generation if entry is not None else None
            if entry is None or judge_delete(current, generation) is Verdict.NO_OP:
                return
            if close.mode is CloseMode.SILENT or entry.state is SessionState.HOLD:
                self._drop_session(ref)
                return
            code, application = close.error_code, close.application
            lib.nqe_session_close(self.engine, entry.number, code, application)
            entry.state = SessionState.CLOSING

    def _stats(self, ref: SessionRef) -> Any:
        entry = self._session(ref)
        stats = ffi.new("struct nqe_session_stats *")
        check(lib.nqe_session_stats(self.engine, entry.number, stats), f"session {ref.id}")
        return stats

    def sessions(self, device_id: int) -> list[SessionStatus]:
        """All sessions of a device."""
        with self._lock:
            self._device(device_id)
            return [
                status
                for ref in self._sessions
                if ref.device_id == device_id and (status := self._status(ref)) is not None
            ]

    def _status(self, ref: SessionRef) -> SessionStatus | None:
        try:
            stats = self._stats(ref)
        except DataPlaneError:  # over, but its last event has not been taken
            return None
        session = self._sessions[ref].session
        held = stats.state == SessionState.HOLD
        return SessionStatus(
            ref=ref,
            generation=session.generation,
            state=SessionState(stats.state),
            datagram_size=session.datagram_size if held else stats.mtu,
            mtu=stats.inner_mtu,
            key_generation=stats.tx_generation,
            route_epoch=session.route_epoch,
            allowed_sources=session.allowed_sources,
        )

    def set_keys(self, ref: SessionRef, keys: NextKeys) -> None:
        """Lay down the keys after the current ones (v1); they are wiped. ESTALE, EPERM."""
        with self._lock:
            try:
                entry = self._session(ref)
                if keys.suite is not entry.session.cipher_suite:
                    raise DataPlaneError(errno.EINVAL, "keys of another cipher suite")
                for is_rx, key in ((True, keys.keys.rx), (False, keys.keys.tx)):
                    prepared = structs.next_keys(key)
                    result = lib.nqe_session_next_keys(
                        self.engine, entry.number, is_rx, keys.generation, prepared
                    )
                    check(result, f"keys of generation {keys.generation}")
            finally:
                keys.wipe()

    def key_update(self, ref: SessionRef) -> None:
        """Start a key update as soon as it is allowed (RFC 9001 section 6.1). ENOTCONN."""
        with self._lock:
            result = lib.nqe_session_update_keys(self.engine, self._session(ref).number)
            if result != -errno.EINPROGRESS:
                check(result, f"session {ref.id}")

    # Routes.

    def add_route(self, route: Route, *, replace: bool = False) -> None:
        """Lead a prefix to a session. ENOENT; EEXIST unless `replace`; ESTALE."""
        with self._lock:
            ref = route.session
            device, session = self._device(ref.device_id), self._session(ref)
            known = device.routes.get(route.prefix)
            if known is not None and not replace:
                raise DataPlaneError(errno.EEXIST, f"route {route.prefix} is there")
            if known is not None:
                newer(f"route {route.prefix}", route.generation, known.generation)
            if route.epoch != device.device.route_epoch:
                raise DataPlaneError(errno.ESTALE, f"route {route.prefix} is of another epoch")
            arguments = prefix_arguments(route.prefix)
            result = lib.nqe_route_set(self.engine, device.number, session.number, *arguments)
            check(result, f"route {route.prefix}")
            device.routes[route.prefix] = route

    def delete_route(self, route: Route) -> None:
        """Take a prefix out; nothing where a newer one took its place."""
        with self._lock:
            device = self._devices.get(route.session.device_id)
            known = device.routes.get(route.prefix) if device else None
            current = known.generation if known is not None else None
            if device is None or judge_delete(current, route.generation) is Verdict.NO_OP:
                return
            lib.nqe_route_unset(self.engine, device.number, *prefix_arguments(route.prefix))
            del device.routes[route.prefix]

    def routes(self, device_id: int) -> list[Route]:
        """All routes of a device."""
        with self._lock:
            return list(self._device(device_id).routes.values())

    # Frames, datagrams, events.

    def send_frames(
        self, ref: SessionRef, token: int | None, frames: bytes, *, once: bool = False
    ) -> None:
        """Send whole frames, again after a loss unless `once`; a token asks for events."""
        flags = (lib.NQE_FRAMES_ONCE if once else 0) | (lib.NQE_FRAMES_SILENT * (token is None))
        with self._lock:
            number = self._session(ref).number
            result = lib.nqe_session_send_frames(
                self.engine, number, token or 0, flags, frames, len(frames)
            )
            check(result, "frames")

    def send_datagram(self, ref: SessionRef, payload: bytes) -> None:
        """Send one DATAGRAM payload, context ID included and not 0."""
        with self._lock:
            number = self._session(ref).number
            result = lib.nqe_session_send_datagram(self.engine, number, payload, len(payload))
            check(result, "datagram")

    def acknowledge(self, ref: SessionRef, event_id: int) -> None:
        """Release the session's events up to that id. EINVAL: there was no such event yet."""
        with self._lock:
            entry = self._sessions.get(ref)
            if entry is not None:
                result = lib.nqe_session_acknowledge(self.engine, entry.number, event_id)
                if result != -errno.ENOENT:
                    check(result, f"event {event_id}")

    def session_stats(self, ref: SessionRef) -> StatsAttributes:
        """Counters of a session. ENOENT."""
        with self._lock:
            return messages.session_stats(self._stats(ref))

    def device_stats(self, device_id: int) -> StatsAttributes:
        """Counters of a device."""
        with self._lock:
            device = self._device(device_id)
            stats = ffi.new("struct nqe_device_stats *")
            check(lib.nqe_device_stats(self.engine, device.number, stats), "device")
            return StatsAttributes(
                l3=L3Stats(
                    rx_packets=stats.rx_packets,
                    rx_bytes=stats.rx_bytes,
                    tx_packets=stats.tx_packets,
                    tx_bytes=stats.tx_bytes,
                ),
                offload=OffloadStats(
                    gso_packets=stats.tx_supers,
                    gso_segments=stats.tx_merged,
                    gro_packets=stats.rx_supers,
                    gro_segments=stats.rx_merged,
                ),
                drop=messages.drops(stats.drops),
            )

    def fileno(self) -> int:
        """Readable while there may be events."""
        return int(lib.nqe_engine_event_fd(self.engine))

    def events(self) -> list[Message]:
        """All events that wait; never blocks. Those with an id are to be acknowledged."""
        drain(self.fileno())
        made: list[Message] = []
        event = ffi.new("struct nqe_event *")
        while lib.nqe_engine_next_event(self.engine, event):
            with self._lock:
                made += self._translate(event)
            lib.nqe_event_release(event)
        return made

    def _translate(self, event: Any) -> Iterator[Message]:
        ref = self._by_number.get(event.session)
        if ref is None:  # deleted meanwhile
            return
        entry = self._sessions[ref]
        translator = messages.Translator(ref, event.object_generation)
        if event.type != lib.NQE_EVENT_STATE:
            yield translator.payload(event)
            return
        stats = ffi.new("struct nqe_session_stats *")
        known = lib.nqe_session_stats(self.engine, entry.number, stats) == 0
        epochs = (self._devices[ref.device_id].device.route_epoch, entry.session.route_epoch)
        yield from translator.state(
            event, down_told=entry.down_told, stats=stats if known else None, epochs=epochs
        )
        if known:
            entry.state = SessionState(stats.state)
        entry.down_told = entry.down_told or any(event.flags & flag for flag in messages.DOWN)
        if event.flags & lib.NQD_CONN_EVENT_DRAINED:
            self._forget_session(ref)


def set_mtu(name: str, mtu: int) -> None:
    """Set an interface's MTU."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            fcntl.ioctl(control, SIOCSIFMTU, struct.pack("16si20x", name.encode(), mtu))
        except OSError as error:
            raise DataPlaneError(error.errno or errno.EINVAL, f"MTU {mtu} of {name}") from error
