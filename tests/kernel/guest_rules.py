# SPDX-License-Identifier: BSD-3-Clause
"""The rules of the ABI (docs/abi.md), held against requests that break them one by one."""

from __future__ import annotations

import errno
import struct
from functools import partial
from typing import TYPE_CHECKING

from nexusnet.netlink import convert
from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import place
from tests.kernel.client import RefusedError
from tests.kernel.guest_base import check, refused
from tests.kernel.guest_bytes import NESTED, Attribute, Spoilt, number_of, whole_requests
from tests.kernel.guest_rig import one_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.guest_rig import End

SESSION, STATE, KEYS, ROUTE = 6, 7, 8, 10
UNKNOWN = 900


def _spoil(end: End, code: int, words: str, how: Callable[[Spoilt], object]) -> None:
    """ADD_SESSION, spoilt: refused, and nothing is installed."""
    request = Spoilt.of(convert.add_session(end.session()))
    how(request)
    refused(code, words, partial(end.netlink.raw, request.encode()))
    assert end.numbers() == []


def _set(number: int, payload: bytes, nest: int = SESSION) -> Callable[[Spoilt], object]:
    def change(request: Spoilt) -> None:
        request.one(nest, number).payload = payload

    return change


def _require(*places: int) -> Callable[[Spoilt], object]:
    def change(request: Spoilt) -> None:
        data = struct.pack(f"={len(places)}I", *places)
        request.attributes = [one for one in request.attributes if one.number != 3]
        request.attributes.insert(1, Attribute(3, data))

    return change


@check
def required_unknown_top_level() -> None:
    with one_end() as end:
        _spoil(end, errno.EOPNOTSUPP, "", _require(UNKNOWN))


@check
def required_unknown_nested() -> None:
    with one_end() as end:
        _spoil(end, errno.EOPNOTSUPP, "", _require(SESSION << 16 | UNKNOWN))
        _spoil(end, errno.EOPNOTSUPP, "", _require(UNKNOWN << 16 | 1))


@check
def required_known() -> None:
    with one_end() as end:
        request = Spoilt.of(convert.add_session(end.session()))
        _require(place("session", "local_cid"), place("", "session"))(request)
        end.netlink.raw(request.encode())
        assert end.numbers() == [1]


@check
def unknown_optional_ignored() -> None:
    with one_end() as end:
        request = Spoilt.of(convert.add_session(end.session()))
        request.attributes.append(Attribute(UNKNOWN, b"later"))
        request.nest(SESSION).append(Attribute(UNKNOWN, b"later"))
        end.netlink.raw(request.encode())
        assert end.numbers() == [1]


@check
def mandatory_each_attribute_of_each_command() -> None:
    with one_end() as end:
        requests = {request.command: request for request in whole_requests(end)}
        assert set(requests) == set(nl.Command)
        tried = 0
        for command, places in nl.MANDATORY.items():
            for where in places:
                nest, number = number_of(where)
                request = Spoilt.of(requests[command])
                kept = [one for one in request.inside(nest) if one.number & ~NESTED != number]
                request.inside(nest)[:] = kept
                words = "mandatory"
                refused(errno.EINVAL, words, partial(end.netlink.raw, request.encode()))
                tried += 1
        assert tried > 80
        assert end.numbers() == []


@check
def values_out_of_range() -> None:
    with one_end() as end:
        for number, value in ((5, 2), (6, 2), (13, 1), (18, 1199), (18, 65528), (19, 575),
                              (21, 3), (29, 2), (30, 64), (31, 2), (2, 0)):  # fmt: skip
            request = Spoilt.of(convert.add_session(end.session()))
            inside = [one for one in request.nest(SESSION) if one.number != number]
            inside.append(Attribute(number, struct.pack("=I", value)))
            request.nest(SESSION)[:] = inside
            refused(errno.ERANGE, "", partial(end.netlink.raw, request.encode()))
        mask = struct.pack("=I", 0x10)
        flags = Spoilt.of(convert.add_session(end.session()))
        flags.one(SESSION, 20).payload = mask
        refused(errno.EINVAL, "reserved bit", partial(end.netlink.raw, flags.encode()))
        for number in (3, 4, 26, 27):
            request = Spoilt.of(convert.add_session(end.session()))
            inside = [one for one in request.nest(SESSION) if one.number != number]
            inside.append(Attribute(number, bytes(8)))
            request.nest(SESSION)[:] = inside
            refused(errno.ERANGE, "", partial(end.netlink.raw, request.encode()))
        above = struct.pack("=Q", 1 << 60)
        for number in (26, 27):
            request = Spoilt.of(convert.add_session(end.session()))
            request.nest(SESSION).append(Attribute(number, above))
            refused(errno.ERANGE, "limit", partial(end.netlink.raw, request.encode()))
        # Inside of structs: a connection ID of 21 bytes, a delay of 2^14 ms, no such port.
        _spoil(end, errno.ERANGE, "connection ID", _set(10, struct.pack("=QB23s", 0, 21, b"")))
        params = struct.pack("=QQIIII", 65535, 0, 1500, 1 << 14, 3, 2)
        _spoil(end, errno.ERANGE, "transport parameter", _set(14, params))
        params = struct.pack("=QQIIII", 0, 0, 1500, 25, 3, 2)
        _spoil(end, errno.EINVAL, "DATAGRAM", _set(15, params))
        assert end.numbers() == []


@check
def struct_wrong_length() -> None:
    with one_end() as end:
        for number in (9, 10, 11, 12, 14, 15, 24):
            for length in (-1, 1, 4):

                def resize(request: Spoilt, number: int = number, length: int = length) -> None:
                    one = request.one(SESSION, number)
                    assert isinstance(one.payload, bytes)
                    payload = one.payload
                    one.payload = payload[:length] if length < 0 else payload + bytes(length)

                _spoil(end, errno.ERANGE, "", resize)


@check
def struct_padding_not_zero() -> None:
    with one_end() as end:
        # tuple: pad, pad2, behind an IPv4 address; connection ID: pad, behind its bytes; prefix.
        for number, at in ((9, 6), (9, 44), (9, 12), (9, 30), (10, 9), (10, 31), (11, 10), (24, 3)):

            def dirty(request: Spoilt, number: int = number, at: int = at) -> None:
                one = request.one(SESSION, number)
                assert isinstance(one.payload, bytes)
                one.payload = one.payload[:at] + b"\1" + one.payload[at + 1 :]

            _spoil(end, errno.EINVAL, "", dirty)
        end.add()
        for nest, number, at in ((STATE, 3, 28), (KEYS, 4, 16), (KEYS, 11, 4), (KEYS, 11, 40)):
            request = Spoilt.of(convert.activate_session(end.activation()))
            one = request.one(nest, number)
            assert isinstance(one.payload, bytes)
            one.payload = one.payload[:at] + b"\1" + one.payload[at + 1 :]
            refused(errno.EINVAL, "", partial(end.netlink.raw, request.encode()))
        assert end.get().state is nl.SessionState.HOLD


@check
def trailing_bytes() -> None:
    with one_end() as end:
        request = bytes(convert.add_session(end.session()).encode())
        for extra in (b"\1", b"\1\2\3"):
            refused(errno.EINVAL, "", partial(end.netlink.raw, request + extra))
        _spoil(end, errno.EINVAL, "", lambda spoilt: _trail(spoilt.one(0, SESSION)))


def _trail(one: Attribute) -> None:
    assert not isinstance(one.payload, bytes)
    one.payload = b"".join(inner.encode() for inner in one.payload) + b"\1\2\3"


@check
def nested_flag_missing() -> None:
    with one_end() as end:

        def strip(request: Spoilt) -> None:
            request.one(0, SESSION).number = SESSION

        _spoil(end, errno.EINVAL, "", strip)


@check
def every_refusal_has_extack() -> None:
    with one_end() as end:
        # Valid requests about what is not there, then all of them spoilt by one byte in each place.
        for request in whole_requests(end):
            if request.command in {nl.Command.DELETE_DEVICE, nl.Command.CREATE_DEVICE}:
                continue
            data = bytes(request.encode())
            # Not the command itself: of one that there is not, the netlink core knows no more.
            for at in range(4, len(data), 3):
                try:
                    end.netlink.raw(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
                except RefusedError as error:
                    assert error.message, (request.command.name, at, error.code)
                    assert error.message[0].islower() or " " in error.message, error.message
