# SPDX-License-Identifier: BSD-3-Clause
"""Structs and attribute sets: out and back, and what malformed bytes give."""

from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.netlink import generated as nl
from nexusnet.netlink.codec import decode, encode, walk
from nexusnet.netlink.messages import decode_message
from nexusnet.netlink.wire import (
    Attribute,
    AttributeSet,
    Kind,
    NetlinkFormatError,
    OpenEnum,
    Struct,
)
from nexusnet.secret import SecretBytes
from tests.spec.strategies import SETS, STRUCTS, attribute_sets, structs

WRITE_ONLY = [
    (kind, attribute) for kind in SETS for attribute in kind.ATTRIBUTES if attribute.write_only
]


def name_of(kind: object) -> str:
    return getattr(kind, "__name__", str(kind))


@pytest.mark.parametrize("kind", STRUCTS, ids=name_of)
@given(data=st.data())
def test_struct_round_trip(kind: type[Struct], data: st.DataObject) -> None:
    value = data.draw(structs(kind))
    packed = value.pack()
    assert len(packed) == kind.SIZE
    assert kind.unpack(packed) == value


@pytest.mark.parametrize("kind", STRUCTS, ids=name_of)
def test_struct_of_another_length_is_refused(kind: type[Struct]) -> None:
    for length in (0, kind.SIZE - 1, kind.SIZE + 1):
        with pytest.raises(NetlinkFormatError):
            kind.unpack(bytes(length))


@pytest.mark.parametrize("kind", STRUCTS, ids=name_of)
def test_padding_must_be_zero(kind: type[Struct]) -> None:
    at = 0
    for member in kind.MEMBERS:
        if member.name is None:
            for offset in range(at, at + member.size):
                data = bytearray(kind.SIZE)
                data[offset] = 1
                with pytest.raises(NetlinkFormatError, match="padding"):
                    kind.unpack(data)
        at += member.size
    assert at == kind.SIZE


@pytest.mark.parametrize("kind", SETS, ids=name_of)
@given(data=st.data())
def test_attribute_set_round_trip(kind: type[AttributeSet], data: st.DataObject) -> None:
    value = data.draw(attribute_sets(kind))
    encoded = encode(value)
    assert len(encoded) % 4 == 0
    assert decode(kind, encoded) == value


@given(attribute_sets(nl.KeysAttributes, secrets=True))
def test_secrets_lie_where_the_layout_says(keys: nl.KeysAttributes) -> None:
    numbers = {attribute.number: attribute for attribute in keys.ATTRIBUTES}
    for number, nested, payload in walk(encode(keys)):
        attribute = numbers[number]
        value = getattr(keys, attribute.name)
        assert not nested
        if isinstance(value, nl.PacketKey):
            expected = bytes(value.key.reveal()) + bytes(value.iv.reveal()) + bytes(4)
        elif isinstance(value, nl.HeaderKey):
            expected = bytes(value.key.reveal())
        elif isinstance(value, nl.TrafficSecret):
            length = value.len.to_bytes(4, sys.byteorder)
            expected = length + bytes(4) + bytes(value.secret.reveal())
        else:
            continue
        assert bytes(payload) == expected


@pytest.mark.parametrize("place", WRITE_ONLY, ids=lambda place: place[1].name)
def test_decoder_refuses_write_only(place: tuple[type[AttributeSet], Attribute]) -> None:
    kind, attribute = place
    size = attribute.struct.SIZE if attribute.struct else attribute.size
    data = (4 + size).to_bytes(2, sys.byteorder) + attribute.number.to_bytes(2, sys.byteorder)
    with pytest.raises(NetlinkFormatError, match="write-only"):
        decode(kind, data + bytes(size))


def test_write_only_covers_every_secret() -> None:
    secret = {
        kind for kind in STRUCTS if any(member.kind is Kind.SECRET for member in kind.MEMBERS)
    }
    assert len(secret) == 4
    for kind in SETS:
        for attribute in kind.ATTRIBUTES:
            assert attribute.write_only or attribute.struct not in secret


def test_unknown_attributes_are_ignored() -> None:
    known = encode(nl.DebugAttributes(flags=1))
    unknown = (8).to_bytes(2, sys.byteorder) + (999).to_bytes(2, sys.byteorder) + b"\xff" * 4
    assert decode(nl.DebugAttributes, unknown + known) == nl.DebugAttributes(flags=1)


def test_pad_attributes_are_skipped() -> None:
    pad = (4).to_bytes(2, sys.byteorder) + (1).to_bytes(2, sys.byteorder)
    known = encode(nl.DebugAttributes(flags=1))
    assert decode(nl.DebugAttributes, pad + known) == nl.DebugAttributes(flags=1)


def test_unknown_enum_values_decode_and_are_not_sent() -> None:
    event = decode(nl.EventAttributes, encode(nl.EventAttributes(down_reason=nl.DownReason(0))))
    assert event.down_reason is nl.DownReason.DELETED
    reason = nl.DownReason(77)
    assert (reason.name, int(reason), reason.known) == ("UNKNOWN_77", 77, False)
    with pytest.raises(NetlinkFormatError, match="not a value"):
        encode(nl.EventAttributes(down_reason=reason))
    assert isinstance(reason, OpenEnum)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (nl.DeviceAttributes(id=0), "outside"),
        (nl.DeviceAttributes(id=2**32), "does not fit"),
        (nl.DeviceAttributes(mtu=575), "outside"),
        (nl.DeviceAttributes(flags=2), "bits outside"),
        (nl.DeviceAttributes(ifname="x" * 16), "at most 15"),
        (nl.DeviceAttributes(ifname="a\0b"), "zero byte"),
        (nl.CloseAttributes(reason=bytes(257)), "at most 256"),
        (nl.HeldAttributes(payload=b""), "at least 1"),
        (nl.HeldAttributes(ecn=4), "outside"),
        (nl.StatsAttributes(l3="no"), "wrong type"),  # type: ignore[arg-type]  # the point
        (nl.SessionAttributes(role=1), "must be a Role"),  # type: ignore[arg-type]  # the point
    ],
)
def test_bad_values_are_not_encoded(value: AttributeSet, what: str) -> None:
    with pytest.raises(NetlinkFormatError, match=what):
        encode(value)


@given(st.binary(max_size=300))
def test_malformed_input_raises_one_error(data: bytes) -> None:
    for kind in SETS:
        try:
            decode(kind, data)
        except NetlinkFormatError:
            continue


def test_mutated_messages_raise_one_error() -> None:
    """20,000 mutations of a message that has a bit of everything."""
    stats = nl.StatsAttributes(
        l3=nl.L3Stats(rx_packets=1, rx_bytes=2, tx_packets=3, tx_bytes=4),
        drop=(nl.DropCount(reason=nl.DropReason.AEAD, packets=3),),
    )
    session = nl.SessionAttributes(
        id=5, generation=7, local_cid=(nl.Cid(sequence=0, len=4, id=b"abcd"),)
    )
    body = encode(nl.MainAttributes(abi_version=1, session=session, stats=stats))
    whole = bytes([nl.Command.GET_STATS, 1, 0, 0]) + bytes(body)
    assert decode_message(whole).generation == 7
    rng = random.Random(2)
    refused = 0
    for _ in range(20_000):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        del data[rng.randint(0, len(data)) if rng.random() < 0.3 else len(data) :]
        try:
            decode_message(data)
        except NetlinkFormatError:
            refused += 1
    assert 1_000 < refused < 20_000


def test_secrets_never_in_repr() -> None:
    material = bytes(range(100, 132))
    key = nl.PacketKey(key=SecretBytes(material), iv=SecretBytes(material[:12]))
    shown = repr(nl.MainAttributes(keys=nl.KeysAttributes(tx_key=key)))
    assert "<secret, 32 bytes>" in shown
    for form in (material.hex(), repr(material)[2:12], str(list(material))[1:12]):
        assert form not in shown


def test_connection_ids_and_payloads_are_not_shown() -> None:
    session = nl.SessionAttributes(local_cid=(nl.Cid(sequence=1, len=4, id=b"hide"),))
    frames = nl.FramesAttributes(payload=b"hide")
    held = (nl.HeldAttributes(payload=b"hide"),)
    shown = repr(nl.MainAttributes(session=session, frames=frames, held=held))
    assert "sequence=1" in shown
    assert "hide" not in shown


def test_a_refused_message_leaves_no_secret_behind() -> None:
    keys = nl.KeysAttributes(
        tx_header_key=nl.HeaderKey(key=SecretBytes(b"k" * 32)),
        rx_header_key=nl.HeaderKey(key=SecretBytes(b"k" * 33)),
    )
    with pytest.raises(NetlinkFormatError, match="at most 32 fit"):
        encode(keys)
