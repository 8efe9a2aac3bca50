# SPDX-License-Identifier: BSD-3-Clause
"""The data plane in the kernel: the module nexus_quic_dco behind the calls of `DataPlane`."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nexusnet.dataplane import kernel_objects as objects
from nexusnet.dataplane.kernel_endpoint import KernelEndpoint
from nexusnet.dataplane.kernel_generations import Generations
from nexusnet.dataplane.kernel_link import KernelLink, Prepared
from nexusnet.dataplane.protocol import DataPlaneError, SessionStatus
from nexusnet.keys import SecretSet
from nexusnet.netlink import convert
from nexusnet.netlink.generated import (
    FRAMES_MAX_LEN,
    CapsAttributes,
    Command,
    StatsAttributes,
)
from nexusnet.quic.errors import QuicError
from nexusnet.quic.varint import decode_varint

if TYPE_CHECKING:
    import socket

    from nexusnet.keys import NextKeys
    from nexusnet.netlink.messages import Message, Request
    from nexusnet.session import (
        Activation,
        Close,
        Device,
        Route,
        Session,
        SessionRef,
        SessionUpdate,
    )

DEFAULT_NAME: Final = "nexusq%d"


class KernelDataPlane:
    """Runs tunnels in the kernel. Calls may come from any thread; `events` is for one."""

    def __init__(self, prepared: Prepared | None = None) -> None:
        """Open the netlink sockets, in the calling thread's network namespace.

        Args:
            prepared: open sockets that take their place, for tests.

        Raises:
            DataPlaneError: there is no module, no permission, or it speaks another ABI.
        """
        self._generations = Generations()
        self._link = KernelLink(prepared)
        self._link.adopt_again_by(self._adoptions)
        self._lock = threading.Lock()  # guards what follows
        self._devices: set[int] = set()
        self._endpoints: dict[int, KernelEndpoint] = {}
        self._sockets: dict[SessionRef, int] = {}
        self._closed = False

    def capabilities(self) -> CapsAttributes:
        """What it can do, as GET_CAPS answers."""
        return self._link.caps

    def close(self) -> None:
        """Delete our devices with all that is in them; the sockets stay open."""
        if self._closed:
            return
        self._closed = True
        for device_id in list(self._devices):
            with contextlib.suppress(DataPlaneError):
                number = self._generations.use_one(device_id)
                self._link.ask(f"device {device_id}", convert.delete_device, device_id, number)
        self._link.close()
        self._link.book.close()

    # Endpoints

    def open_endpoint(self, sock: socket.socket, cid_length: int) -> KernelEndpoint:
        """Take a bound UDP socket whose local connection IDs all have one length, 0 to 20."""
        with self._lock:
            if os.fstat(sock.fileno()).st_ino in self._endpoints:
                raise DataPlaneError(errno.EEXIST, "socket: it is an open endpoint already")
            made = KernelEndpoint(sock, cid_length, self._in_use, self._forget_endpoint)
            self._endpoints[made.inode] = made
            return made

    def _in_use(self, inode: int) -> bool:
        with self._lock:
            refs = {ref for ref, used in self._sockets.items() if used == inode}
        # Who waited for the sessions' end comes late where all of it is closed.
        living = (
            {status.ref for status in self._statuses(None)} if refs and not self._closed else set()
        )
        with self._lock:
            for ref in refs - living:
                self._sockets.pop(ref, None)
        return bool(refs & living)

    def _forget_endpoint(self, inode: int) -> None:
        with self._lock:
            self._endpoints.pop(inode, None)

    # Devices

    def create_device(self, device: Device) -> Device:
        """Create a virtual device; returns it with the id and name that it got. EEXIST."""
        # The kernel takes no pattern: without a name it makes one of its own.
        name = "" if device.name == DEFAULT_NAME else device.name
        (answer,) = self._link.ask_as_owner(
            f"device {device.name}", convert.create_device, replace(device, id=0, name=name)
        )
        return self._own(answer)

    def _own(self, answer: Message) -> Device:
        made = objects.device(objects.device_attributes(answer))
        with self._lock:
            self._devices.add(made.id)
        self._generations.begin(made.id, made.generation)
        return made

    def update_device(
        self, device_id: int, generation: int, *, route_epoch: int | None, mtu: int | None
    ) -> None:
        """Change epoch or MTU. ENOENT, ESTALE."""
        number = self._generations.to_kernel(device_id, generation)
        self._link.ask(
            f"device {device_id}",
            convert.update_device,
            device_id,
            number,
            route_epoch=route_epoch,
            mtu=mtu,
        )
        self._generations.accepted(device_id, number)

    def delete_device(self, device_id: int, generation: int) -> None:
        """Delete a device, its sessions (silently) and routes."""
        if generation < 1:  # older than every object
            return
        number = self._generations.to_kernel(device_id, generation)
        self._link.ask(f"device {device_id}", convert.delete_device, device_id, number)
        if all(device.id != device_id for device in self.devices()):
            with self._lock:
                self._devices.discard(device_id)

    def _dumped_devices(self, owner: int) -> list[Device]:
        dump = self._link.ask("devices", objects.dump_devices)
        found = [objects.device_attributes(message) for message in dump]
        made = [objects.device(one) for one in found if (one.owner_port or 0) == owner]
        return [
            replace(one, generation=self._generations.to_caller(one.id, one.generation))
            for one in made
        ]

    def devices(self) -> list[Device]:
        """All devices that are ours."""
        return self._dumped_devices(self._link.owner_port)

    def orphans(self) -> list[Device]:
        """Devices of the namespace that have no owner (any more)."""
        return self._dumped_devices(0)

    def _listed(self, status: SessionStatus) -> SessionStatus:
        return replace(
            status, generation=self._generations.to_caller(status.ref, status.generation)
        )

    def adopt(self, device: Device) -> list[SessionStatus]:
        """Become the owner of a device that has none, and of its sessions.

        Its generation rises by one. Events that nobody acknowledged come again.

        Returns:
            The sessions that live on it.

        Raises:
            DataPlaneError: EBUSY: somebody else was faster. ENOENT: it is gone.
        """
        sessions = self.sessions(device.id)
        for status in sessions:
            self._link.book.adopted(status)
            self._generations.begin(status.ref, status.generation)
        (answer,) = self._link.ask_as_owner(
            f"device {device.name}", convert.adopt_device, device.id, device.generation + 1
        )
        self._own(answer)
        return sessions

    def _adoptions(self) -> list[Request]:
        """Have the events of our devices sent again; the link's thread calls it."""
        with self._lock:
            ours = sorted(self._devices)
        return [convert.adopt_device(one, self._generations.use_one(one)) for one in ours]

    # Sessions

    def add_session(self, session: Session) -> None:
        """Install a connection in HOLD: its datagrams are kept, nothing is sent."""
        what = f"session {session.ref.id}"
        try:
            inode = os.fstat(session.socket_fd).st_ino
        except OSError as error:
            raise DataPlaneError(error.errno or errno.EBADF, f"{what}: socket_fd") from error
        with self._lock:
            endpoint = self._endpoints.get(inode)
        if endpoint is None:
            raise DataPlaneError(errno.EINVAL, f"{what}: socket_fd is no open endpoint")
        length = endpoint.cid_length
        if any(len(cid.value) != length for cid in session.local_cids):
            text = f"{what}: this socket's connection IDs have {length} bytes"
            raise DataPlaneError(errno.EINVAL, text)
        self._link.ask(what, convert.add_session, session)
        with self._lock:
            self._sockets[session.ref] = inode
        self._generations.begin(session.ref, session.generation)
        self._link.book.added(session)

    def activate(self, activation: Activation) -> None:
        """Let a session in HOLD run; its keys are wiped whatever becomes of it."""
        keys = activation.keys
        current = keys.state.generation
        try:
            what = f"session {activation.ref.id}"
            self._link.ask(what, convert.activate_session, activation)
        finally:
            activation.wipe()
        self._generations.accepted(activation.ref, activation.generation)
        laid = None if isinstance(keys, SecretSet) else current + 1
        self._link.book.activated(activation.ref, current, laid)

    def update_session(self, update: SessionUpdate) -> None:
        """Change a session. ENOENT, ESTALE, EINVAL."""
        number = self._generations.to_kernel(update.ref, update.generation)
        changed = replace(update, generation=number)
        self._link.ask(f"session {update.ref.id}", convert.update_session, changed)
        self._generations.accepted(update.ref, number)

    def delete_session(self, ref: SessionRef, generation: int, close: Close) -> None:
        """End a session; nothing is delivered once this has returned.

        With CONNECTION_CLOSE it stays, closing, until the peer has had time to hear of it.
        """
        number = self._generations.to_kernel(ref, generation)
        self._link.ask(f"session {ref.id}", convert.delete_session, ref, number, close)

    def _statuses(self, device_id: int | None) -> list[SessionStatus]:
        dump = self._link.ask("sessions", objects.dump_of_device, Command.GET_SESSION, device_id)
        return [objects.session_status(message) for message in dump]

    def sessions(self, device_id: int) -> list[SessionStatus]:
        """All sessions of a device."""
        return [self._listed(status) for status in self._statuses(device_id)]

    def set_keys(self, ref: SessionRef, keys: NextKeys) -> None:
        """Lay down the keys after the current ones (v1); they are wiped. ESTALE, EINVAL."""
        what = f"keys of generation {keys.generation}"
        try:
            number = self._generations.use_one(ref)
            self._link.ask(what, convert.set_keys, ref, number, keys)
        finally:
            keys.wipe()
        self._link.book.keys_laid(ref, keys.generation)

    def key_update(self, ref: SessionRef) -> None:
        """Start a key update as soon as it is allowed (RFC 9001 section 6.1). ENOTCONN."""
        self._link.update_keys(ref)

    # Routes

    def add_route(self, route: Route, *, replace: bool = False) -> None:
        """Lead a prefix to a session. ENOENT; EEXIST unless `replace`; ESTALE."""
        self._link.ask(f"route {route.prefix}", convert.add_route, route, replace=replace)

    def delete_route(self, route: Route) -> None:
        """Take a prefix out; nothing where a newer one took its place."""
        self._link.ask(f"route {route.prefix}", convert.delete_route, route)

    def routes(self, device_id: int) -> list[Route]:
        """All routes of a device."""
        dump = self._link.ask("routes", objects.dump_of_device, Command.GET_ROUTE, device_id)
        found = (message.attributes.route for message in dump)
        return [convert.route(one) for one in found if one is not None]

    # Frames, datagrams, events

    def send_frames(
        self, ref: SessionRef, token: int | None, frames: bytes, *, once: bool = False
    ) -> None:
        """Send whole frames, again after a loss unless `once`; FRAMES_ACKED has the token."""
        self._check_size("frames", frames)
        self._link.ask("frames", convert.send_frames, ref, frames, token, once=once)

    def send_datagram(self, ref: SessionRef, payload: bytes) -> None:
        """Send one DATAGRAM payload, context ID included and not 0."""
        try:
            context, length = decode_varint(payload)
        except QuicError as error:
            raise DataPlaneError(errno.EINVAL, "datagram: it has no context ID") from error
        if context == 0:
            text = "datagram: context 0 is IP packets, which go through the device"
            raise DataPlaneError(errno.EINVAL, text)
        self._check_size("datagram", payload[length:])
        self._link.ask("datagram", convert.send_datagram, ref, context, payload[length:])

    @staticmethod
    def _check_size(what: str, payload: bytes) -> None:
        if len(payload) > FRAMES_MAX_LEN:
            text = f"{what}: {len(payload)} bytes, at most {FRAMES_MAX_LEN} fit"
            raise DataPlaneError(errno.EMSGSIZE, text)

    def acknowledge(self, ref: SessionRef, event_id: int) -> None:
        """Release the session's events up to that id. EINVAL: there was no such event yet."""
        try:
            self._link.ask(f"event {event_id}", convert.event_ack, ref, event_id)
        except DataPlaneError as error:
            if error.errno != errno.ENOENT:  # the session is over, and its events with it
                raise

    def session_stats(self, ref: SessionRef) -> StatsAttributes:
        """Counters of a session. ENOENT."""
        (answer,) = self._link.ask(f"session {ref.id}", objects.get_session_stats, ref)
        return objects.needed(answer.attributes.stats, "stats")

    def device_stats(self, device_id: int) -> StatsAttributes:
        """Counters of a device: sums of its sessions, and what belongs to none. ENOENT."""
        (answer,) = self._link.ask(f"device {device_id}", objects.get_device_stats, device_id)
        return objects.needed(answer.attributes.stats, "stats")

    def fileno(self) -> int:
        """Readable while there may be events."""
        return self._link.book.fileno()

    def events(self) -> list[Message]:
        """All events that wait; never blocks. Those with an id are to be acknowledged."""
        return self._link.book.take()
