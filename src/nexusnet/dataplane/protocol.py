# SPDX-License-Identifier: BSD-3-Clause
"""What a data plane does, wherever it runs: the calls, events and counters of the netlink ABI.

Objects are named and numbered by the caller. Every change carries a generation that is strictly
higher than the object's: an update at or below it fails with ESTALE, a deletion below it does
nothing, deleting what is not there is no error. Calls may block for the time of a system call, not
for the network.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from nexusnet.keys import NextKeys
    from nexusnet.netlink.generated import CapsAttributes, SessionState, StatsAttributes
    from nexusnet.netlink.messages import Message
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


class DataPlaneError(OSError):
    """A call that was refused: `errno` as the kernel would give it, and why in words."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(number, f"{reason} ({os.strerror(number)})")

    @property
    def name(self) -> str:
        """The error's symbol, as in "ESTALE"."""
        return errno.errorcode.get(self.errno or 0, str(self.errno))


@dataclass(frozen=True, slots=True)
class ReceivedDatagram:
    """A UDP datagram of no session; `local` is None where the kernel did not say. `ecn`: 0 to 3."""

    remote: Endpoint
    local: Endpoint | None
    ecn: int
    payload: bytes = field(repr=False)


class UdpEndpoint(Protocol):
    """A bound UDP socket that sessions share with handshakes.

    Datagrams of installed sessions go to the data plane, all others arrive here.
    """

    def fileno(self) -> int:
        """Readable while there may be datagrams."""

    def receive(self) -> list[ReceivedDatagram]:
        """All that has arrived; never blocks."""

    def send(self, payload: bytes, remote: Endpoint) -> None:
        """Send one datagram; raises OSError as a socket does."""

    def close(self) -> None:
        """Let go of the socket, which stays open. EBUSY while sessions use it.

        Without effect once the data plane is closed.
        """


class Screen(Protocol):
    """Stands before an endpoint: what can be of no handshake is counted and dropped there.

    Handed on are Initials in datagrams of 1200 bytes or more, datagrams of that size of an unknown
    QUIC version, and whatever is addressed to an expected connection ID.
    """

    def expect(self, cid: bytes) -> None:
        """Hand on what is addressed to a connection ID. EINVAL: of another length. EEXIST."""

    def forget(self, cid: bytes) -> None:
        """Expect a connection ID no longer; without effect where it is not expected."""

    def drops(self) -> dict[str, int]:
        """Datagrams that were not handed on, by the reason's name as in `acceptor.Drop`."""


@runtime_checkable
class ScreeningEndpoint(UdpEndpoint, Protocol):
    """An endpoint that can have a screen."""

    def screen(self) -> Screen:
        """Put one up. EINVAL: connection IDs have no length, so nothing tells handshakes apart."""


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """An installed session, without its secrets."""

    ref: SessionRef
    generation: int
    state: SessionState
    datagram_size: int
    mtu: int
    key_generation: int
    route_epoch: int
    allowed_sources: tuple[Prefix, ...]


class DataPlane(Protocol):
    """The protocol; every call may raise :class:`DataPlaneError`."""

    def capabilities(self) -> CapsAttributes:
        """What it can do, as GET_CAPS answers."""

    def open_endpoint(self, sock: socket.socket, cid_length: int) -> UdpEndpoint:
        """Take a bound UDP socket whose local connection IDs all have one length, 0 to 20."""

    def create_device(self, device: Device) -> Device:
        """Create a virtual device; returns it with the id and name that it got. EEXIST."""

    def update_device(
        self, device_id: int, generation: int, *, route_epoch: int | None, mtu: int | None
    ) -> None:
        """Change epoch or MTU. ENOENT, ESTALE."""

    def delete_device(self, device_id: int, generation: int) -> None:
        """Delete a device, its sessions (silently) and routes."""

    def devices(self) -> list[Device]:
        """All devices."""

    def add_session(self, session: Session) -> None:
        """Install a connection in HOLD: its datagrams are kept, nothing is sent.

        ENODEV: no such device. EEXIST: the id, a connection ID, or with a zero-length one the
        peer's address, is taken. EINVAL: the socket is not an open endpoint.
        """

    def activate(self, activation: Activation) -> None:
        """Let a session in HOLD run; its keys are wiped. ENOENT, ESTALE, EALREADY, EINVAL."""

    def update_session(self, update: SessionUpdate) -> None:
        """Change what is given of a session, lists as a whole. ENOENT, ESTALE, EINVAL."""

    def delete_session(self, ref: SessionRef, generation: int, close: Close) -> None:
        """End a session; nothing is delivered once this has returned."""

    def sessions(self, device_id: int) -> list[SessionStatus]:
        """All sessions of a device."""

    def set_keys(self, ref: SessionRef, keys: NextKeys) -> None:
        """Lay down the keys after the current ones (v1); they are wiped. ESTALE, EPERM."""

    def key_update(self, ref: SessionRef) -> None:
        """Start a key update as soon as it is allowed (RFC 9001 section 6.1). ENOTCONN."""

    def add_route(self, route: Route, *, replace: bool = False) -> None:
        """Lead a prefix to a session. ENOENT; EEXIST unless `replace`; ESTALE."""

    def delete_route(self, route: Route) -> None:
        """Take a prefix out."""

    def routes(self, device_id: int) -> list[Route]:
        """All routes of a device."""

    def send_frames(
        self, ref: SessionRef, token: int | None, frames: bytes, *, once: bool = False
    ) -> None:
        """Send whole frames, again after a loss unless `once`.

        With a token FRAMES_ACKED says when they arrived, and FRAMES_LOST each time that they were
        lost. EMSGSIZE, ENOTCONN; ENOSPC: too many are unacknowledged. EINVAL: not whole frames.
        """

    def send_datagram(self, ref: SessionRef, payload: bytes) -> None:
        """Send one DATAGRAM payload, context ID included and not 0. EMSGSIZE, ENOTCONN, ENOSPC."""

    def acknowledge(self, ref: SessionRef, event_id: int) -> None:
        """Release the session's events up to that id. EINVAL: there was no such event yet."""

    def session_stats(self, ref: SessionRef) -> StatsAttributes:
        """Counters of a session. ENOENT."""

    def device_stats(self, device_id: int) -> StatsAttributes:
        """Counters of a device: sums of its sessions, and what belongs to none. ENOENT."""

    def fileno(self) -> int:
        """Readable while there may be events."""

    def events(self) -> Sequence[Message]:
        """All events that wait; never blocks. Those with an id are to be acknowledged."""

    def close(self) -> None:
        """Delete everything."""


@runtime_checkable
class PersistentDataPlane(DataPlane, Protocol):
    """A data plane whose devices and sessions may outlive the process that made them."""

    def orphans(self) -> list[Device]:
        """Devices that have no owner (any more)."""

    def adopt(self, device: Device) -> list[SessionStatus]:
        """Become the owner of an orphan; returns the sessions that live on it. EBUSY, ENOENT."""
