# SPDX-License-Identifier: BSD-3-Clause
import contextlib
import dataclasses
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.l3ptp.context import (
    CONTROL_PAYLOAD_MAX,
    Context,
    ContextDatagram,
    decode_context,
)
from nexusnet.l3ptp.errors import (
    InvalidMessageError,
    L3ptpError,
    MalformedError,
    UnknownContextError,
    UnknownCriticalError,
    UnsupportedVersionError,
)
from nexusnet.l3ptp.fields import Network, encode_fields, varint
from nexusnet.l3ptp.messages import (
    REASON_MAX,
    VERSION,
    Ack,
    Addresses,
    Capabilities,
    Close,
    CloseCode,
    Keepalive,
    Message,
    MessageType,
    Mtu,
    Ready,
    Refused,
    Routes,
    decode_message,
    encode_message,
)
from nexusnet.l3ptp.routes import ROUTES_MAX, RouteCollector, RouteSet, split_routes
from tests.l3ptp import strategies


def raw(message_type: int, message_id: int, fields: dict[int, bytes]) -> bytes:
    header = bytes((VERSION,)) + varint(message_type) + varint(message_id)
    return header + encode_fields(fields)


def test_vectors_written_by_hand() -> None:
    # version 1, type, message ID, then fields as number, length, value.
    assert encode_message(Ready(), 0) == bytes.fromhex("01 01 00 01 01 01")
    assert encode_message(Keepalive(), 64) == bytes.fromhex("01 04 40 40")
    assert encode_message(Mtu(1280), 3) == bytes.fromhex("01 0b 03 01 02 45 00")
    assert encode_message(Ack(5, 0b101), 0) == bytes.fromhex("01 03 00 01 01 05 03 01 05")
    routes = Routes(2, (ipaddress.IPv4Network("10.0.0.0/8"),), more=True)
    assert encode_message(routes, 1) == bytes.fromhex("01 09 01 01 01 02 03 05 08 0a000000 07 00")
    addresses = Addresses((ipaddress.IPv6Interface("fd00::2/64"),))
    expected = bytes.fromhex("01 07 02 05 11 40 fd00 0000 0000 0000 0000 0000 0000 0002")
    assert encode_message(addresses, 2) == expected
    close = Close(CloseCode.SHUTDOWN, "bye")
    assert encode_message(close, 9) == bytes.fromhex("01 05 09 01 01 00 02 03 627965")
    assert encode_message(Refused(7, 0x21, 3), 4) == bytes.fromhex(
        "01 06 04 01 01 07 03 01 21 05 01 03"
    )
    assert encode_message(Capabilities(frozenset({3, 1})), 5) == bytes.fromhex(
        "01 02 05 02 02 0103"
    )
    assert ContextDatagram(Context.CONTROL, b"x").encode() == b"\x01x"
    assert ContextDatagram(Context.PACKET, b"E").encode() == b"\x00E"


@given(strategies.messages, strategies.ids)
def test_round_trip(message: Message, message_id: int) -> None:
    data = encode_message(message, message_id)
    assert len(data) <= CONTROL_PAYLOAD_MAX
    envelope = decode_message(data)
    assert (envelope.message, envelope.message_id) == (message, message_id)


@given(strategies.messages, st.data())
def test_truncation_and_garbage_are_typed_errors(message: Message, data: st.DataObject) -> None:
    encoded = encode_message(message, 1)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    flips = data.draw(st.lists(st.tuples(st.integers(0, len(encoded) - 1), st.integers(0, 255))))
    broken = bytearray(encoded)
    for at, value in flips:
        broken[at] = value
    for candidate in (encoded[:cut], bytes(broken)):
        # What goes wrong has a type; anything else fails this test.
        with contextlib.suppress(L3ptpError):
            decode_message(candidate)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_a_typed_error(data: bytes) -> None:
    try:
        envelope = decode_message(data)
    except L3ptpError:
        return
    # What was understood means the same after another trip.
    if envelope.message is not None:
        again = encode_message(envelope.message, envelope.message_id)
        assert decode_message(again) == envelope


@given(st.sampled_from(list(MessageType)), strategies.varints, st.binary(max_size=8))
def test_unknown_fields_follow_the_criticality_rule(
    message_type: MessageType, number: int, value: bytes
) -> None:
    sample: dict[MessageType, Message] = {
        MessageType.READY: Ready(),
        MessageType.CAPABILITIES: Capabilities(frozenset({1})),
        MessageType.ACK: Ack(1),
        MessageType.KEEPALIVE: Keepalive(),
        MessageType.CLOSE: Close(1),
        MessageType.REFUSED: Refused(1, 1),
        MessageType.ADDRESSES: Addresses(()),
        MessageType.ROUTES: Routes(1, ()),
        MessageType.MTU: Mtu(1400),
    }
    message = sample[message_type]
    number = max(number, 0x10)  # beyond the defined ones
    data = raw(message_type, 5, {**message.to_fields(), number: value})
    if number & 1:
        with pytest.raises(UnknownCriticalError) as refused:
            decode_message(data)
        assert (refused.value.message_id, refused.value.field) == (5, number)
    else:
        assert decode_message(data).message == message


def test_unknown_messages_follow_the_criticality_rule() -> None:
    assert decode_message(raw(0x20, 7, {1: b"x"})).message is None
    with pytest.raises(UnknownCriticalError) as refused:
        decode_message(raw(0x21, 7, {}))
    assert (refused.value.message_id, refused.value.message_type) == (7, 0x21)
    assert refused.value.field is None


def test_every_message_type_has_a_class_of_its_own() -> None:
    for message_type in MessageType:
        try:
            envelope = decode_message(raw(message_type, 0, {}))
        except MalformedError:
            continue
        assert envelope.message is not None
        assert envelope.message.TYPE is message_type


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", MalformedError),
        (b"\x02\x01\x00", UnsupportedVersionError),
        (b"\x01", MalformedError),
        (b"\x01\x01", MalformedError),
        (raw(MessageType.READY, 0, {}), MalformedError),
        (raw(MessageType.READY, 0, {1: b""}), MalformedError),
        (raw(MessageType.READY, 0, {1: b"\x02\x01"}), MalformedError),
        (raw(MessageType.MTU, 0, {1: varint(575)}), MalformedError),
        (raw(MessageType.MTU, 0, {1: varint(65536)}), MalformedError),
        (raw(MessageType.MTU, 0, {1: varint(1400) + b"\0"}), MalformedError),
        (raw(MessageType.CLOSE, 0, {1: b"\0", 2: b"\xff"}), MalformedError),
        (raw(MessageType.CLOSE, 0, {1: b"\0", 2: b"a" * (REASON_MAX + 1)}), MalformedError),
        (raw(MessageType.ROUTES, 0, {1: b"\0", 3: b"\x21\0\0\0\0"}), MalformedError),
        (raw(MessageType.ROUTES, 0, {1: b"\0", 3: b"\x08\x0a\0\0\x01"}), MalformedError),
        (raw(MessageType.ROUTES, 0, {1: b"\0", 3: b"\x08\x0a"}), MalformedError),
        (raw(MessageType.ROUTES, 0, {1: b"\0", 7: b"x"}), MalformedError),
        (raw(MessageType.ADDRESSES, 0, {5: b"\x81" + bytes(16)}), MalformedError),
        (raw(MessageType.ACK, 0, {1: b"\0", 3: varint(1 << 32)}), MalformedError),
        # A field twice, and fields out of order.
        (b"\x01\x0b\x00\x01\x02\x45\x00\x01\x02\x45\x00", MalformedError),
        (b"\x01\x05\x00\x02\x01a\x01\x01\x00", MalformedError),
    ],
)
def test_malformed(data: bytes, error: type[L3ptpError]) -> None:
    with pytest.raises(error):
        decode_message(data)


def test_what_has_no_encoding_is_the_callers_error() -> None:
    with pytest.raises(InvalidMessageError):
        Ready(())
    with pytest.raises(InvalidMessageError):
        Ready((2, 1))
    with pytest.raises(InvalidMessageError):
        Mtu(100)
    with pytest.raises(InvalidMessageError):
        Close(0, "x" * (REASON_MAX + 1))
    with pytest.raises(InvalidMessageError):
        Close(0, "\ud800")
    with pytest.raises(InvalidMessageError):
        encode_message(Close(1 << 62), 0)
    network = ipaddress.IPv6Network("fd00::/64")
    with pytest.raises(InvalidMessageError):
        encode_message(Routes(1, (network,) * 100), 0)


def test_messages_are_frozen_and_slotted() -> None:
    for message in (Ready(), Ack(1), Close(0), Mtu(1400), Routes(1, ()), Refused(1, 1)):
        assert not hasattr(message, "__dict__")
        for member in dataclasses.fields(message):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(message, member.name, 1)


@given(st.integers(0, 1), st.binary(min_size=1, max_size=40))
def test_contexts_round_trip(context: int, payload: bytes) -> None:
    datagram = ContextDatagram(Context(context), payload)
    assert decode_context(datagram.encode()) == datagram


@given(st.binary(max_size=20))
def test_any_bytes_are_a_datagram_or_a_typed_error(data: bytes) -> None:
    try:
        decoded = decode_context(data)
    except L3ptpError:
        return
    assert decoded.payload == data[-len(decoded.payload) :]


def test_unknown_contexts_and_empty_datagrams() -> None:
    with pytest.raises(UnknownContextError) as error:
        decode_context(varint(1000) + b"x")
    assert error.value.context_id == 1000
    for data in (b"", b"\x00", b"\x01", b"\x40"):
        with pytest.raises(MalformedError):
            decode_context(data)
    # A longer varint than needed is legal (RFC 9000 section 16).
    assert decode_context(b"\x40\x01x").context is Context.CONTROL


@given(st.lists(strategies.networks, max_size=300), strategies.varints)
def test_route_sets_survive_cutting(networks: list[Network], epoch: int) -> None:
    collector = RouteCollector()
    parts = list(split_routes(epoch, networks))
    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    found = None
    for number, part in enumerate(parts):
        assert found is None
        message = decode_message(encode_message(part, number)).message
        assert isinstance(message, Routes)
        found = collector.add(message)
    assert found is not None
    assert found.epoch == epoch
    assert sorted(map(str, found.networks)) == sorted(map(str, networks))


def test_route_epochs() -> None:
    first, second = (ipaddress.IPv4Network(f"10.{n}.0.0/16") for n in (1, 2))
    collector = RouteCollector()
    assert collector.add(Routes(5, (first,))) == RouteSet(5, (first,))
    # Not newer: without effect.
    assert collector.add(Routes(5, (second,))) is None
    assert collector.add(Routes(4, (second,))) is None
    # A set that another one interrupts is forgotten.
    assert collector.add(Routes(6, (first,), more=True)) is None
    assert collector.add(Routes(7, (second,))) == RouteSet(7, (second,))
    assert collector.current == RouteSet(7, (second,))


def test_too_many_routes_are_refused_as_a_whole() -> None:
    network = ipaddress.IPv4Network("10.0.0.0/8")
    collector = RouteCollector()
    parts = list(split_routes(1, [network] * (ROUTES_MAX + 500)))
    outcomes = []
    for part in parts:
        try:
            outcomes.append(collector.add(part))
        except MalformedError:
            outcomes.append(None)
    assert outcomes == [None] * len(parts)
    assert collector.current is None
    assert collector.add(Routes(2, (network,))) == RouteSet(2, (network,))
