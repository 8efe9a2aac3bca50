# SPDX-License-Identifier: BSD-3-Clause
"""Stands in for the kernel's end of the netlink sockets: objects, refusals, dumps and events.

It keeps the rules of the ABI that the client depends on, and none of the module's work.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import sys
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nexusnet.dataplane.kernel_link import Prepared
from nexusnet.netlink import generated as nl
from nexusnet.netlink.codec import encode, walk
from nexusnet.netlink.connection import HEADER
from nexusnet.netlink.family import Family
from nexusnet.netlink.messages import (
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REPLACE,
    place,
)
from nexusnet.netlink.wire import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexusnet.netlink.wire import AttributeSet

FAMILY = 33
NLMSG_ERROR, NLMSG_DONE = 2, 3
HOLD, ACTIVE, CLOSING = nl.SessionState.HOLD, nl.SessionState.ACTIVE, nl.SessionState.CLOSING


def read(kind: type[AttributeSet], data: memoryview) -> dict[str, Any]:
    """A request's attributes as the kernel sees them, secrets too."""
    known = {attribute.number: attribute for attribute in kind.ATTRIBUTES}
    found: dict[str, Any] = {}
    for number, _, payload in walk(data):
        attribute = known[number]
        value: Any = bytes(payload)
        if attribute.nest is not None:
            value = read(attribute.nest, payload)
        elif attribute.struct is not None:
            value = attribute.struct.unpack(payload)
        elif attribute.kind is Kind.INT:
            value = int.from_bytes(payload, sys.byteorder)
            value = attribute.enum(value) if attribute.enum else value
        elif attribute.kind is Kind.STRING:
            value = value.rstrip(b"\0").decode()
        if attribute.multi:
            found.setdefault(attribute.name, []).append(value)
        else:
            found[attribute.name] = value
    return found


class RefusedError(Exception):
    """What a handler answers with; `offset_of`: the attribute's place, as (nest, name)."""

    def __init__(self, number: int, message: str, blamed: tuple[str, str] | None = None) -> None:
        super().__init__(number, message)
        self.number = number
        self.message = message
        self.blamed = blamed


@dataclass
class FakeKernel:
    """Both sockets' other ends, served by a thread.

    Attributes:
        seen: requests, as (command, attributes).
        bodies: their bytes.
        refuse: what the next request of a command is refused with.
        refuse_always: what every request of a command is refused with.
        interrupted: how many of the next dumps report a change meanwhile.
        late: for how many requests no answer comes.
    """

    seen: list[tuple[nl.Command, dict[str, Any]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    refuse: dict[nl.Command, RefusedError] = field(default_factory=dict)
    refuse_always: dict[nl.Command, RefusedError] = field(default_factory=dict)
    devices: dict[int, nl.DeviceAttributes] = field(default_factory=dict)
    sessions: dict[tuple[int, int], nl.SessionAttributes] = field(default_factory=dict)
    routes: dict[bytes, nl.RouteAttributes] = field(default_factory=dict)
    unacknowledged: dict[tuple[int, int], list[nl.MainAttributes]] = field(default_factory=dict)
    interrupted: int = 0
    caps: nl.CapsAttributes = field(
        default_factory=lambda: nl.CapsAttributes(
            abi_min=1, abi_max=1, module_version="fake", features=int(nl.Feature.INSTALL_SECRETS)
        )
    )
    during_dump: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.RLock()
        self._codes: list[nl.Event] = []

    def prepared(self) -> Prepared:
        """Sockets for a data plane."""
        theirs = []
        first = 101 + len(self._ends)
        for port in (first, first + 1):
            mine, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            other.setblocking(False)
            self._ends.append(mine)
            theirs.append(other)
            thread = threading.Thread(target=self._serve, args=(mine, port), daemon=True)
            thread.start()
            self._threads.append(thread)
        requests, events = theirs
        return Prepared(Family(FAMILY, 7), requests, events, owner_port=first + 1)

    def close(self) -> None:
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def commands(self) -> list[nl.Command]:
        return [command for command, _ in self.seen]

    def last(self, command: nl.Command) -> dict[str, Any]:
        return [attributes for one, attributes in self.seen if one is command][-1]

    # Events

    def event(
        self, code: nl.Event, device: int, number: int, event: nl.EventAttributes, **more: Any
    ) -> None:
        """Tell the owner of an event."""
        known = self.sessions.get((device, number))
        session = nl.SessionAttributes(
            device_id=device,
            id=number,
            generation=known.generation if known else 1,
            state=more.pop("state", None),
        )
        attributes = nl.MainAttributes(abi_version=1, session=session, event=event, **more)
        if event.id is not None:
            self.unacknowledged.setdefault((device, number), []).append(attributes)
            self._codes.append(code)
        self.tell(code, attributes)

    def tell(self, code: nl.Event, attributes: nl.MainAttributes) -> None:
        body = bytes([code, 1, 0, 0]) + bytes(encode(attributes))
        self._ends[-1].send(HEADER.pack(16 + len(body), FAMILY, 0, 0, 0) + body)

    def raw_event(self, body: bytes) -> None:
        self._ends[-1].send(HEADER.pack(16 + len(body), FAMILY, 0, 0, 0) + body)

    # Requests

    def _serve(self, end: socket.socket, port: int) -> None:
        with contextlib.suppress(OSError):
            while data := end.recv(1 << 17):
                for part in self._answers(data, port):
                    end.send(part)

    def _answers(self, data: bytes, port: int) -> list[bytes]:
        length, kind, flags, sequence, _ = HEADER.unpack_from(data)
        assert kind == FAMILY
        body = memoryview(data)[16:length]
        command = nl.Command(body[0])
        attributes = read(nl.MainAttributes, body[4:])

        def packed(number: int, payload: bytes, more: int = 0) -> bytes:
            return HEADER.pack(16 + len(payload), number, more, sequence, 0) + payload

        with self._lock:
            self.seen.append((command, attributes))
            self.bodies.append(bytes(body))
            dump = flags & NLM_F_DUMP == NLM_F_DUMP
            try:
                if command in self.refuse_always:
                    raise self.refuse_always[command]
                if command in self.refuse:
                    raise self.refuse.pop(command)
                answers = (
                    self._dump(command) if dump else self._do(command, attributes, flags, port)
                )
            except RefusedError as error:
                return [packed(NLMSG_ERROR, self._error(error, data))]
            more = 0
            if dump and self.interrupted:
                self.interrupted -= 1
                more = NLM_F_DUMP_INTR
            parts = [
                packed(FAMILY, bytes([command, 1, 0, 0]) + bytes(encode(one)), more)
                for one in answers
            ]
            if dump and self.during_dump is not None:
                self.during_dump()
            return [*parts, packed(NLMSG_DONE if dump else NLMSG_ERROR, bytes(4), more)]

    @staticmethod
    def _error(error: RefusedError, data: bytes) -> bytes:
        def attribute(number: int, payload: bytes) -> bytes:
            head = struct.pack("=HH", 4 + len(payload), number)
            return head + payload + bytes(-len(payload) % 4)

        extended = attribute(1, error.message.encode() + b"\0")
        if error.blamed is not None:
            extended += attribute(2, struct.pack("=I", offset_of(data, *error.blamed)))
        return struct.pack("=i", -error.number) + data[:16] + extended

    def _dump(self, command: nl.Command) -> list[nl.MainAttributes]:
        def one(**nest: Any) -> nl.MainAttributes:
            return nl.MainAttributes(abi_version=1, **nest)

        match command:
            case nl.Command.GET_DEVICE:
                return [one(device=device) for device in self.devices.values()]
            case nl.Command.GET_SESSION:
                return [one(session=session) for session in self.sessions.values()]
            case _:
                return [one(route=route) for route in self.routes.values()]

    def _do(
        self, command: nl.Command, attributes: dict[str, Any], flags: int, port: int
    ) -> list[nl.MainAttributes]:
        handler = getattr(self, f"_{command.name.lower()}", None)
        answer = None
        if handler is not None:
            given = {"device": attributes.get("device"), "session": attributes.get("session")}
            answer = handler(given["device"] or given["session"] or attributes, attributes,
                             flags, port)  # fmt: skip
        return [] if answer is None else [replace(answer, abi_version=1)]

    def _get_caps(self, *_: Any) -> nl.MainAttributes:
        return nl.MainAttributes(caps=self.caps)

    def _create_device(
        self, wanted: dict[str, Any], _attributes: Any, _flags: int, port: int
    ) -> nl.MainAttributes:
        number = max(self.devices, default=0) + 1
        name = wanted.get("ifname", "nexusq%d").replace("%d", str(number))
        known = {key: value for key, value in wanted.items() if key not in {"ifname", "id"}}
        device = nl.DeviceAttributes(id=number, ifname=name, owner_port=port, **known)
        self.devices[number] = device
        return nl.MainAttributes(device=device)

    def _changed_device(self, wanted: dict[str, Any], **more: Any) -> nl.DeviceAttributes:
        device = self.devices.get(wanted["id"])
        if device is None:
            raise RefusedError(errno.ENOENT, "device.id: no such device")
        if wanted["generation"] <= (device.generation or 0):
            raise RefusedError(errno.ESTALE, "device.generation is not above the current one")
        self.devices[wanted["id"]] = replace(device, **{**wanted, **more})
        return self.devices[wanted["id"]]

    def _update_device(self, wanted: dict[str, Any], *_: Any) -> None:
        self._changed_device(wanted)

    def _adopt_device(
        self, wanted: dict[str, Any], _attributes: Any, _flags: int, port: int
    ) -> nl.MainAttributes:
        device = self._changed_device(wanted, owner_port=port)
        for (owner, _), queue in self.unacknowledged.items():
            if owner == device.id:
                for attributes in queue:
                    self.tell(nl.Event.DATAGRAM_RECEIVED, attributes)
        return nl.MainAttributes(device=device)

    def _delete_device(self, wanted: dict[str, Any], *_: Any) -> None:
        device = self.devices.get(wanted["id"])
        if device is not None and wanted["generation"] >= (device.generation or 0):
            del self.devices[wanted["id"]]

    def _add_session(self, wanted: dict[str, Any], *_: Any) -> nl.MainAttributes:
        if wanted["device_id"] not in self.devices:
            raise RefusedError(errno.ENOENT, "session.device-id: no such device")
        key = wanted["device_id"], wanted["id"]
        if key in self.sessions:
            raise RefusedError(errno.EEXIST, "session.id is taken", ("session", "id"))
        session = nl.SessionAttributes(
            device_id=key[0], id=key[1], generation=wanted["generation"], state=HOLD, mtu=1400,
            datagram_size=wanted["datagram_size"], route_epoch=wanted["route_epoch"],
            key_generation=0, allowed_source=tuple(wanted.get("allowed_source", ())),
        )  # fmt: skip
        self.sessions[key] = session
        return nl.MainAttributes(session=session)

    def _changed_session(self, wanted: dict[str, Any], **more: Any) -> None:
        key = wanted["device_id"], wanted["id"]
        session = self.sessions.get(key)
        if session is None:
            raise RefusedError(errno.ENOENT, "session.id: no such session")
        if wanted["generation"] <= (session.generation or 0):
            raise RefusedError(errno.ESTALE, "session.generation is not above the current one")
        self.sessions[key] = replace(session, generation=wanted["generation"], **more)

    def _activate_session(self, wanted: dict[str, Any], *_: Any) -> None:
        known = self.sessions.get((wanted["device_id"], wanted["id"]))
        if known is not None and known.state is not HOLD:
            raise RefusedError(errno.EBUSY, "the session is not in HOLD")
        self._changed_session(wanted, state=ACTIVE)
        self.event(nl.Event.SESSION_UP, wanted["device_id"], wanted["id"], nl.EventAttributes())

    def _update_session(self, wanted: dict[str, Any], *_: Any) -> None:
        self._changed_session(wanted)

    def _set_keys(self, wanted: dict[str, Any], *_: Any) -> None:
        self._changed_session(wanted)

    def _delete_session(self, wanted: dict[str, Any], *_: Any) -> None:
        key = wanted["device_id"], wanted["id"]
        session = self.sessions.get(key)
        if session is None or wanted["generation"] < (session.generation or 0):
            return
        facts = nl.EventAttributes(down_reason=nl.DownReason.DELETED)
        del self.sessions[key]
        self.event(nl.Event.SESSION_DOWN, *key, facts)

    def _add_route(self, _wanted: Any, attributes: dict[str, Any], flags: int, _port: int) -> None:
        route = nl.RouteAttributes(**attributes["route"])
        assert route.prefix is not None
        key = bytes(route.prefix.pack())
        if key in self.routes and not flags & NLM_F_REPLACE:
            raise RefusedError(errno.EEXIST, "route.prefix has a route")
        self.routes[key] = route

    def _delete_route(self, _wanted: Any, attributes: dict[str, Any], *_: Any) -> None:
        self.routes.pop(bytes(attributes["route"]["prefix"].pack()), None)

    def _event_ack(self, wanted: dict[str, Any], attributes: dict[str, Any], *_: Any) -> None:
        key = wanted["device_id"], wanted["id"]
        if key not in self.sessions:
            raise RefusedError(errno.ENOENT, "session.id: no such session")
        last = attributes["event"]["id"]
        queue = self.unacknowledged.get(key, [])
        self.unacknowledged[key] = [
            one for one in queue if one.event is None or (one.event.id or 0) > last
        ]

    def _get_stats(self, *_: Any) -> nl.MainAttributes:
        return nl.MainAttributes(stats=nl.StatsAttributes(lab_mode=0))


def offset_of(data: bytes, nest: str, name: str) -> int:
    """Where an attribute begins in a request, counted from its netlink header."""
    outer = place("", nest)
    inner = place(nest, name) & 0xFFFF
    at = 20
    while at < len(data):
        length, number = struct.unpack_from("=HH", data, at)
        if number & 0x3FFF == outer:
            at, outer = at + 4, inner
            length, number = struct.unpack_from("=HH", data, at)
            while number & 0x3FFF != inner:
                at += (length + 3) & ~3
                length, number = struct.unpack_from("=HH", data, at)
            return at
        at += (length + 3) & ~3
    raise AssertionError(f"no {nest}.{name}")
