# SPDX-License-Identifier: BSD-3-Clause
"""Requests, replies and events: the rules that hold for whole messages."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexusnet.generation import Verdict, judge_delete, judge_update
from nexusnet.netlink import generated as nl
from nexusnet.netlink.codec import encode, names_of, walk
from nexusnet.netlink.messages import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    DumpInterruptedError,
    Request,
    check_dump_part,
    decode_message,
    place,
)
from nexusnet.netlink.wire import NetlinkFormatError
from tests.spec.requests import complete, requests
from tests.spec.strategies import attribute_sets

COMMANDS = list(nl.Command)
EVENTS = list(nl.Event)


def message(code: nl.Command | nl.Event, attributes: nl.MainAttributes) -> bytes:
    return bytes([code, 1, 0, 0]) + bytes(encode(attributes))


@pytest.mark.parametrize("command", COMMANDS)
@settings(max_examples=15)
@given(data=st.data())
def test_every_request_encodes(command: nl.Command, data: st.DataObject) -> None:
    request = data.draw(requests(command))
    encoded = request.encode()
    assert encoded[:4] == bytes([command, nl.ABI_VERSION, 0, 0])
    assert {number for number, _, _ in walk(encoded[4:])} >= {
        place(nest, name) for nest, name in nl.MANDATORY[command] if not nest
    }


@pytest.mark.parametrize("code", [*(one for one in COMMANDS if nl.REPLY[one]), *EVENTS])
@settings(max_examples=15)
@given(data=st.data())
def test_every_reply_and_event_round_trips(
    code: nl.Command | nl.Event, data: st.DataObject
) -> None:
    allowed = nl.REPLY[code] if isinstance(code, nl.Command) else nl.EVENT[code]
    drawn = data.draw(attribute_sets(nl.MainAttributes, only=allowed))
    event = drawn.event or nl.EventAttributes()
    if code in nl.UNICAST and event.id is None:
        event = replace(event, id=1)
        drawn = replace(drawn, event=event)
    drawn = replace(drawn, abi_version=nl.ABI_VERSION)
    got = decode_message(message(code, drawn))
    assert got.code is code
    assert got.attributes == drawn


def test_every_message_carries_the_version() -> None:
    for command in COMMANDS:
        encoded = complete(command).encode()
        numbers = {number: bytes(payload) for number, _, payload in walk(encoded[4:])}
        version = numbers[place("", "abi_version")]
        assert int.from_bytes(version, sys.byteorder) == nl.ABI_VERSION
    with pytest.raises(NetlinkFormatError, match="abi-version"):
        decode_message(message(nl.Event.SESSION_UP, nl.MainAttributes()))


def test_required_encodes_nest_and_type() -> None:
    request = complete(nl.Command.SET_DEBUG)
    request = replace(request, required=(("debug", "flags"), ("", "device")))
    numbers = {number: payload for number, _, payload in walk(request.encode()[4:])}
    values = numbers[place("", "required")].cast("I").tolist()
    debug, device = place("", "debug"), place("", "device")
    assert values == [debug << 16 | 2, device]
    with pytest.raises(NetlinkFormatError, match=r"no attribute debug\.colour"):
        replace(request, required=(("debug", "colour"),)).encode()


def without(attributes: Any, nest: str, name: str) -> Any:
    if not nest:
        return replace(attributes, **{name: None})
    holder = getattr(attributes, nest)
    empty = () if isinstance(getattr(holder, name), tuple) else None
    return replace(attributes, **{nest: replace(holder, **{name: empty})})


@pytest.mark.parametrize("command", COMMANDS)
def test_mandatory_attributes_are_enforced(command: nl.Command) -> None:
    request = complete(command)
    request.encode()
    for nest, name in nl.MANDATORY[command]:
        if name == "abi_version":
            continue
        lacking = replace(request, attributes=without(request.attributes, nest, name))
        with pytest.raises(NetlinkFormatError, match="needs the attribute"):
            lacking.encode()


def test_attributes_of_other_commands_are_refused() -> None:
    request = complete(nl.Command.KEY_UPDATE)
    extra = replace(request.attributes, route=nl.RouteAttributes(device_id=1))
    with pytest.raises(NetlinkFormatError, match="has no attribute route"):
        replace(request, attributes=extra).encode()


def test_generations_rise() -> None:
    assert judge_update(None, 1) is Verdict.MISSING
    assert judge_update(4, 5) is Verdict.APPLY
    assert judge_update(4, 4) is Verdict.STALE
    assert judge_update(4, 3) is Verdict.STALE
    assert judge_delete(None, 1) is Verdict.NO_OP
    assert judge_delete(4, 3) is Verdict.NO_OP
    assert judge_delete(4, 4) is Verdict.APPLY
    assert judge_delete(4, 5) is Verdict.APPLY


def test_event_and_dump_entries_carry_generation() -> None:
    """Every event and dump entry has an object whose attribute set has a generation."""
    objects = {
        attribute.name
        for attribute in nl.MainAttributes.ATTRIBUTES
        if attribute.nest is not None
        and "generation" in {inner.name for inner in attribute.nest.ATTRIBUTES}
    }
    assert {"device", "session", "route"} <= objects
    for event in EVENTS:
        assert nl.EVENT[event] & {"device", "session", "route"}
    for command in nl.DUMPS:
        assert nl.REPLY[command] & {"device", "session", "route"}
    session = nl.SessionAttributes(id=1, generation=9)
    got = decode_message(
        message(nl.Event.SESSION_UP, nl.MainAttributes(abi_version=1, session=session))
    )
    assert got.generation == 9


def test_delete_needs_no_reply() -> None:
    for command in COMMANDS:
        if command.name.startswith("DELETE_"):
            assert nl.REPLY[command] == frozenset()
            assert complete(command).flags & NLM_F_ACK


def test_replies_have_no_write_only() -> None:
    for names in (*nl.REPLY.values(), *nl.EVENT.values()):
        assert "keys" not in names
        assert "held" not in names
        assert "state" not in names


def test_interrupted_dump_is_reported() -> None:
    check_dump_part(0)
    with pytest.raises(DumpInterruptedError):
        check_dump_part(NLM_F_DUMP_INTR | 2)


def test_dumps() -> None:
    names = {command.name for command in nl.DUMPS}
    assert names == {"GET_DEVICE", "GET_SESSION", "GET_ROUTE", "GET_STATS"}
    request = Request(nl.Command.GET_SESSION, nl.MainAttributes(), dump=True)
    assert request.flags & NLM_F_DUMP == NLM_F_DUMP
    with pytest.raises(NetlinkFormatError, match="no dump"):
        Request(nl.Command.GET_CAPS, nl.MainAttributes(), dump=True).encode()


def test_unicast_events_need_an_id() -> None:
    attributes = nl.MainAttributes(abi_version=1, event=nl.EventAttributes(time_ns=1))
    for event in nl.UNICAST:
        with pytest.raises(NetlinkFormatError, match=r"event\.id"):
            decode_message(message(event, attributes))
    got = decode_message(
        message(nl.Event.FRAMES_RECEIVED, replace(attributes, event=nl.EventAttributes(id=3)))
    )
    assert got.to_be_acknowledged


def test_names_of_says_what_is_set() -> None:
    assert names_of(nl.DeviceAttributes(id=1, flags=nl.DeviceFlag(0))) == {"id", "flags"}


@pytest.mark.parametrize("data", [b"", b"\x01\x01\x00", bytes([250, 1, 0, 0]), bytes([3, 1, 0, 0])])
def test_short_and_unknown_messages(data: bytes) -> None:
    with pytest.raises(NetlinkFormatError):
        decode_message(data)
