# SPDX-License-Identifier: BSD-3-Clause
"""Requests as bytes, to be spoilt: what the encoder would refuse to make."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nexusnet.netlink import convert
from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.guest_rig import End

NESTED: Final = 0x8000
GENERIC: Final = 4
ASK: Final = NLM_F_REQUEST | NLM_F_ACK
DUMP: Final = NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP


@dataclass
class Attribute:
    """One attribute: its number with flags, and its payload or the attributes inside."""

    number: int
    payload: bytes | list[Attribute]

    def encode(self) -> bytes:
        """With header and padding."""
        inside = self.payload
        data = inside if isinstance(inside, bytes) else b"".join(one.encode() for one in inside)
        head = (4 + len(data)).to_bytes(2, sys.byteorder) + self.number.to_bytes(2, sys.byteorder)
        return head + data + bytes(-len(data) % 4)


def parse(data: bytes) -> list[Attribute]:
    """Attributes, nested ones taken apart."""
    found = []
    while data:
        length = int.from_bytes(data[:2], sys.byteorder)
        number = int.from_bytes(data[2:4], sys.byteorder)
        payload = data[4:length]
        found.append(Attribute(number, parse(payload) if number & NESTED else payload))
        data = data[(length + 3) & ~3 :]
    return found


@dataclass
class Spoilt:
    """A request to be changed."""

    head: bytes
    attributes: list[Attribute]

    @classmethod
    def of(cls, request: Request) -> Spoilt:
        """Taken apart."""
        data = bytes(request.encode())
        return cls(data[:GENERIC], parse(data[GENERIC:]))

    def nest(self, number: int) -> list[Attribute]:
        """What is inside of a nest."""
        for one in self.attributes:
            if one.number == number | NESTED and not isinstance(one.payload, bytes):
                return one.payload
        raise AssertionError(f"no nest {number}")

    def inside(self, nest: int) -> list[Attribute]:
        """The attributes of a nest, or of the top level (0)."""
        return self.nest(nest) if nest else self.attributes

    def one(self, nest: int, number: int) -> Attribute:
        """An attribute of a nest."""
        return next(one for one in self.inside(nest) if one.number & ~NESTED == number)

    def encode(self) -> bytes:
        """Put together again."""
        return self.head + b"".join(one.encode() for one in self.attributes)


def number_of(place: tuple[str, str]) -> tuple[int, int]:
    """Numbers of the nest (0: top level) and of an attribute that is named as in MANDATORY."""
    nest, name = place
    top = {one.name: one for one in nl.MainAttributes.ATTRIBUTES}
    if not nest:
        return 0, top[name].number
    inner = top[nest].nest
    assert inner is not None
    return top[nest].number, next(one.number for one in inner.ATTRIBUTES if one.name == name)


def whole_requests(end: End) -> Iterator[Request]:
    """A valid request of each command; they name session 1 of the device, which need not exist."""
    ref, device = end.ref(), end.device.id or 0
    yield convert.get_caps()
    wanted = nl.DeviceAttributes(network_id=7, generation=9)
    yield Request(nl.Command.CREATE_DEVICE, nl.MainAttributes(device=wanted))
    for command in (
        nl.Command.UPDATE_DEVICE,
        nl.Command.DELETE_DEVICE,
        nl.Command.ADOPT_DEVICE,
        nl.Command.GET_DEVICE,
        nl.Command.GET_STATS,
        nl.Command.FLUSH_STATS,
    ):
        named = nl.DeviceAttributes(id=device, generation=9)
        yield Request(command, nl.MainAttributes(device=named))
    yield convert.add_session(end.session())
    yield convert.activate_session(end.activation())
    yield end.named(nl.Command.UPDATE_SESSION, generation=9)
    yield convert.delete_session(ref, 9, end.silent)
    yield end.named(nl.Command.GET_SESSION)
    yield convert.set_keys(ref, 9, end.keys().next(2))
    yield convert.key_update(ref)
    yield convert.add_route(end.route("10.9.0.0/24"))
    yield convert.delete_route(end.route("10.9.0.0/24"))
    prefix = convert.pack_prefix(end.route("10.9.0.0/24").prefix)
    route = nl.RouteAttributes(device_id=device, prefix=prefix)
    yield Request(nl.Command.GET_ROUTE, nl.MainAttributes(route=route))
    yield convert.send_frames(ref, b"\x19\x01", token=1)
    yield convert.send_datagram(ref, 1, b"ready")
    yield convert.event_ack(ref, 1)
    debug = nl.DebugAttributes(flags=nl.DebugFlag.CONTROL)
    named = nl.DeviceAttributes(id=device)
    yield Request(nl.Command.SET_DEBUG, nl.MainAttributes(device=named, debug=debug))
