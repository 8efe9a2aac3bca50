# SPDX-License-Identifier: BSD-3-Clause
"""The install contract: what it accepts and refuses, secrets, and how it goes into messages."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.keys import (
    KEY_LEN,
    SECRET_LEN,
    HeaderKeys,
    KeyPair,
    KeySet,
    KeyState,
    NextKeys,
    PacketKey,
    SecretSet,
)
from nexusnet.netlink import convert
from nexusnet.netlink import generated as nl
from nexusnet.netlink.codec import encode, names_of, walk
from nexusnet.netlink.generated import CipherSuite, Congestion, Role, SessionFlag
from nexusnet.netlink.messages import Request, place
from nexusnet.netlink.wire import NetlinkFormatError
from nexusnet.secret import SecretBytes
from nexusnet.session import (
    Activation,
    Close,
    ConnectionId,
    Device,
    EcnAccounting,
    EcnCounts,
    Endpoint,
    HeldDatagram,
    OuterPolicy,
    PnRange,
    ReceivedRanges,
    ResetToken,
    Route,
    RttState,
    Session,
    SessionRef,
    SessionUpdate,
    TransportParameters,
    UdpTuple,
)
from nexusnet.validation import SessionError

GCM = CipherSuite.AES_128_GCM_SHA256
CHACHA = CipherSuite.CHACHA20_POLY1305_SHA256
REF = SessionRef(1, 2)
FLOW = UdpTuple(Endpoint(ip_address("192.0.2.1"), 443), Endpoint(ip_address("198.51.100.7"), 5000))
PARAMETERS = TransportParameters(max_datagram_frame_size=65535)


def secret(length: int, fill: int = 0x5A) -> SecretBytes:
    return SecretBytes(bytes([fill]) * length)


def packet_key(suite: CipherSuite) -> PacketKey:
    return PacketKey(secret(KEY_LEN[suite]), secret(12))


def key_set(suite: CipherSuite = GCM, **changes: Any) -> KeySet:
    pair = KeyPair(packet_key(suite), packet_key(suite))
    header = HeaderKeys(secret(KEY_LEN[suite]), secret(KEY_LEN[suite]))
    given: dict[str, Any] = {
        "suite": suite,
        "state": KeyState(),
        "header": header,
        "current": pair,
        "next": pair,
    }
    return KeySet(**(given | changes))


def secret_set(suite: CipherSuite = GCM, **changes: Any) -> SecretSet:
    length = SECRET_LEN[suite]
    header = HeaderKeys(secret(KEY_LEN[suite]), secret(KEY_LEN[suite]))
    given: dict[str, Any] = {"suite": suite, "state": KeyState(), "header": header}
    return SecretSet(**(given | {"tx": secret(length), "rx": secret(length)} | changes))


def session(**changes: Any) -> Session:
    given: dict[str, Any] = {
        "ref": REF,
        "generation": 1,
        "role": Role.CLIENT,
        "socket_fd": 7,
        "udp_tuple": FLOW,
        "local_cids": (ConnectionId(0, b""),),
        "peer_cids": (ConnectionId(0, b"12345678"),),
        "cipher_suite": GCM,
        "local_parameters": PARAMETERS,
        "peer_parameters": PARAMETERS,
        "datagram_size": 1200,
        "network_id": 3,
        "route_epoch": 4,
        "allowed_sources": (ip_network("10.0.0.0/8"), ip_network("fd00::/64")),
    }
    return Session(**(given | changes))


def activation(**changes: Any) -> Activation:
    given: dict[str, Any] = {
        "ref": REF,
        "generation": 2,
        "keys": key_set(),
        "next_pn": 12,
        "largest_acked": 11,
        "received": ReceivedRanges((PnRange(7, 9), PnRange(2, 4)), 2),
        "rtt": RttState(),
    }
    return Activation(**(given | changes))


CID8 = ConnectionId(0, b"abcdefgh")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"generation": 0}, "generation"),
        ({"quic_version": 2}, "QUIC version"),
        ({"datagram_size": 1199}, "datagram_size"),
        ({"peer_parameters": replace(PARAMETERS, max_udp_payload_size=1300),
          "datagram_size": 1301}, "datagram_size"),
        ({"peer_parameters": TransportParameters(max_datagram_frame_size=0)}, "not negotiated"),
        ({"local_cids": ()}, "number of local"),
        ({"local_cids": (CID8, ConnectionId(1, b"abc"))}, "one length"),
        ({"local_cids": (CID8, ConnectionId(1, b"abcdefgh"))}, "given twice"),
        ({"peer_cids": (CID8, ConnectionId(0, b"x"))}, "given twice"),
        ({"peer_cids": tuple(ConnectionId(i, bytes([i])) for i in range(9))}, "number of peer"),
        ({"congestion": Congestion.FIXED_RATE_TEST, "lab_rate": 9}, "lab_mode"),
        ({"congestion": Congestion.FIXED_RATE_TEST, "flags": SessionFlag.LAB_MODE}, "lab_rate"),
        ({"lab_rate": 9}, "lab_rate"),
        ({"confidentiality_limit": 2**28 + 1}, "confidentiality_limit"),
        ({"integrity_limit": 1}, "integrity_limit"),
        ({"cipher_suite": CHACHA, "integrity_limit": 2**36 + 1}, "integrity_limit"),
        ({"cipher_suite": CipherSuite(0x1304)}, "cipher suite 0x1304"),
        ({"allowed_sources": (ip_network("10.0.0.0/8"),) * 257}, "at most 256"),
        ({"mtu": 500}, "MTU"),
        ({"socket_fd": -1}, "socket_fd"),
    ],
)  # fmt: skip
def test_session_validation(changes: dict[str, Any], what: str) -> None:
    session()
    with pytest.raises(SessionError, match=what):
        session(**changes)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"largest_acked": 12}, "below next_pn"),
        ({"next_pn": 2**62}, "next_pn"),
        ({"keys": key_set(state=KeyState(tx_phase_start=13))}, "phase starts above"),
        ({"received": ReceivedRanges(), "ack_eliciting_pending": 1}, "nothing was received"),
        ({"held": (HeldDatagram(FLOW, 0, b"x"),) * 65}, "at most 64"),
        ({"generation": 0}, "generation"),
    ],
)
def test_activation_validation(changes: dict[str, Any], what: str) -> None:
    activation()
    with pytest.raises(SessionError, match=what):
        activation(**changes)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: ConnectionId(0, bytes(21)), "connection ID"),
        (lambda: ResetToken(0, secret(15)), "16 bytes"),
        (lambda: Endpoint(ip_address("::1"), 0), "port"),
        (lambda: UdpTuple(FLOW.local, Endpoint(ip_address("::1"), 1)), "different families"),
        (lambda: UdpTuple(FLOW.local, Endpoint(ip_address("0.0.0.0"), 1)), "unspecified"),  # noqa: S104 - refused
        (lambda: replace(PARAMETERS, ack_delay_exponent=21), "ack_delay_exponent"),
        (lambda: replace(PARAMETERS, max_ack_delay_ms=2**14), "max_ack_delay_ms"),
        (lambda: PnRange(3, 2), "no range"),
        (lambda: ReceivedRanges((PnRange(5, 9), PnRange(2, 4))), "apart"),
        (lambda: ReceivedRanges((PnRange(2, 4), PnRange(6, 9))), "apart"),
        (lambda: ReceivedRanges((PnRange(2, 4),), 3), "below the duplicate floor"),
        (lambda: EcnAccounting(sent=EcnCounts(ce=1)), "CE is never sent"),
        (lambda: RttState(latest=5, min=6), "contradict"),
        (lambda: RttState(smoothed=0), "smoothed"),
        (lambda: HeldDatagram(FLOW, 4, b"x"), "ECN"),
        (lambda: HeldDatagram(FLOW, 0, b""), "length"),
        (lambda: SessionUpdate(ref=REF, generation=1, allowed_sources=()), "empty list"),
        (lambda: Close(reason=bytes(257)), "reason"),
        (lambda: PacketKey(secret(16), secret(11)), "IV"),
        (lambda: key_set(suite=GCM, current=KeyPair(packet_key(CHACHA), packet_key(GCM))), "32"),
        (lambda: key_set(previous_rx=packet_key(GCM)), "before the first"),
        (lambda: secret_set(tx=secret(48)), "48 bytes"),
        (lambda: secret_set(previous_rx=secret(32)), "before the first"),
        (lambda: Device(generation=1, network_id=1, name="x" * 16), "device name"),
    ],
)
def test_parts_are_validated(make: Any, what: str) -> None:
    with pytest.raises(SessionError, match=what):
        make()


@given(st.sets(st.integers(0, 400), max_size=200), st.integers(0, 5))
def test_newest_ranges_never_forget_a_duplicate(numbers: set[int], floor: int) -> None:
    """Whatever was received is a duplicate afterwards, even when only 32 ranges are kept."""
    ranges: list[PnRange] = []
    for number in sorted(one for one in numbers if one >= floor):
        if ranges and ranges[-1].last + 1 == number:
            ranges[-1] = PnRange(ranges[-1].first, number)
        else:
            ranges.append(PnRange(number, number))
    kept = ReceivedRanges.newest(ranges, floor)
    assert len(kept.ranges) <= 32
    assert all(number in kept for number in numbers)
    assert all(number in kept for number in range(floor))
    if ranges:
        assert kept.largest == ranges[-1].last
        assert ranges[-1].last + 1 not in kept
    if len(ranges) <= 32:
        assert kept.duplicate_floor == floor


def test_endpoints_as_the_handshake_writes_them() -> None:
    assert Endpoint(ip_address("192.0.2.1"), 443).text == ("192.0.2.1", 443)
    link_local = Endpoint(ip_address("fe80::1"), 5, scope_id=3)
    assert link_local.text == ("fe80::1%3", 5)
    assert "%3" not in repr(link_local)
    assert link_local == replace(link_local)


def test_secret_bytes() -> None:
    one = SecretBytes(b"very secret")
    assert repr(one) == str(one) == "<secret, 11 bytes>"
    assert f"{one}" == "<secret, 11 bytes>"
    assert one == SecretBytes(b"very secret")
    assert one != SecretBytes(b"less secret")
    assert one != b"very secret"
    for copier in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            copier(one)
    with pytest.raises(TypeError):
        hash(one)
    with pytest.raises(TypeError):
        one.reveal()[0] = 1
    view = one.reveal()
    one.wipe()
    assert bytes(view) == bytes(11)
    assert len(one) == 11


def test_wipe_reaches_every_secret() -> None:
    previous = KeyState(generation=1)
    v1 = key_set(state=previous, previous_rx=packet_key(GCM))
    v2 = secret_set(CHACHA, state=previous, previous_rx=secret(32))
    later = NextKeys(suite=GCM, generation=2, keys=KeyPair(packet_key(GCM), packet_key(GCM)))
    found: list[SecretBytes] = []

    def collect(value: object) -> None:
        if isinstance(value, SecretBytes):
            found.append(value)
        elif hasattr(value, "__dataclass_fields__"):
            for name in value.__dataclass_fields__:
                collect(getattr(value, name))

    for holder in (v1, v2, later):
        collect(holder)
    assert len(found) == 2 + 8 + 2 + 2 + 3 + 4
    assert all(any(one.reveal()) for one in found)
    activation(keys=v1).wipe()
    v2.wipe()
    later.wipe()
    assert not any(any(one.reveal()) for one in found)


def test_no_secret_in_a_repr() -> None:
    token = ResetToken(0, secret(16, 0x41))
    shown = repr(session(reset_tokens=(token,))) + repr(activation()) + repr(secret_set())
    assert "AAAA" not in shown
    assert "ZZZZ" not in shown
    assert "12345678" not in shown


def requests_of_everything() -> list[Request]:
    held = (HeldDatagram(FLOW, 2, b"\x40" + bytes(30)),)
    route = Route(session=REF, prefix=ip_network("10.1.0.0/16"), generation=1, epoch=4)
    device = Device(generation=1, network_id=3, name="nexusq7", mtu=1280)
    tokens = (ResetToken(0, secret(16)),)
    later = NextKeys(suite=GCM, generation=1, keys=KeyPair(packet_key(GCM), packet_key(GCM)))
    return [
        convert.get_caps(),
        convert.create_device(device),
        convert.delete_device(1, 2),
        convert.adopt_device(1, 2),
        convert.add_session(session(reset_tokens=tokens, integrity_limit=100)),
        convert.activate_session(activation(held=held)),
        convert.activate_session(activation(keys=secret_set())),
        convert.update_session(SessionUpdate(ref=REF, generation=3, reset_tokens=tokens)),
        convert.delete_session(REF, 4, Close(reason=b"bye")),
        convert.set_keys(REF, 3, later),
        convert.key_update(REF),
        convert.add_route(route, replace=True),
        convert.delete_route(route),
        convert.send_frames(REF, b"\x19\x00", 5, once=True),
        convert.send_datagram(REF, 1, b"hello"),
        convert.event_ack(REF, 9),
    ]


def test_every_request_of_the_contract_encodes() -> None:
    seen = set()
    for request in requests_of_everything():
        assert request.encode()
        seen.add(request.command)
    not_of_the_contract = {"UPDATE_DEVICE", "GET_DEVICE", "GET_SESSION", "GET_ROUTE"}
    not_of_the_contract |= {"GET_STATS", "FLUSH_STATS", "SET_DEBUG"}
    assert {one.name for one in nl.Command} - {one.name for one in seen} == not_of_the_contract


def test_every_fact_of_a_session_is_installed() -> None:
    """A session and activation with everything set leave only what the kernel answers unset."""
    one = session(
        reset_tokens=(ResetToken(0, secret(16)),),
        mtu=1280,
        congestion=Congestion.FIXED_RATE_TEST,
        flags=SessionFlag.LAB_MODE,
        lab_rate=1000,
        confidentiality_limit=100,
        integrity_limit=100,
        outer=OuterPolicy(
            fwmark=1, dscp_policy=nl.DscpPolicy.FIXED, dscp=2, ecn_policy=nl.EcnPolicy.ENABLED
        ),
    )
    attributes = convert.add_session(one).attributes.session
    assert attributes is not None
    every = {attribute.name for attribute in nl.SessionAttributes.ATTRIBUTES}
    assert every - names_of(attributes) == {"state", "key_generation"}
    state = convert.activate_session(activation()).attributes.state
    assert state is not None
    assert names_of(state) == {attribute.name for attribute in nl.StateAttributes.ATTRIBUTES}


def test_what_protects_is_required() -> None:
    tokens = (ResetToken(0, secret(16)),)
    encoded = convert.add_session(session(reset_tokens=tokens)).encode()
    numbers = {number: payload for number, _, payload in walk(encoded[4:])}
    required = set(numbers[place("", "required")].cast("I").tolist())
    assert required == {place("session", "reset_token"), place("session", "allowed_source")}


def test_mapped_addresses_and_unspecified_local_ones() -> None:
    mapped = UdpTuple(
        Endpoint(ip_address("::"), 443), Endpoint(ip_address("::ffff:198.51.100.7"), 5000)
    )
    packed = convert.pack_tuple(mapped)
    assert (packed.family, packed.peer) == (2, ip_address("198.51.100.7").packed)
    assert not any(packed.local)
    six = UdpTuple(Endpoint(ip_address("fe80::1"), 1), Endpoint(ip_address("fe80::2"), 2, 3))
    again = convert.unpack_tuple(nl.UdpTuple.unpack(convert.pack_tuple(six).pack()))
    assert again == six
    four = convert.unpack_tuple(nl.UdpTuple.unpack(convert.pack_tuple(FLOW).pack()))
    assert four == FLOW
    ports = bytes(convert.pack_tuple(FLOW).pack())[2:6]
    assert ports == (443).to_bytes(2, "big") + (5000).to_bytes(2, "big")


@given(st.ip_addresses(), st.integers(0, 32))
def test_prefixes_round_trip(address: Any, length: int) -> None:
    prefix = ip_network((address, length), strict=False)
    packed = nl.Prefix.unpack(convert.pack_prefix(prefix).pack())
    assert convert.unpack_prefix(packed) == prefix


@pytest.mark.parametrize(
    "prefix",
    [
        nl.Prefix(family=2, prefix_len=33, address=bytes(16)),
        nl.Prefix(family=2, prefix_len=8, address=b"\x0a\x01" + bytes(14)),
        nl.Prefix(family=2, prefix_len=8, address=bytes(15) + b"\x01"),
        nl.Prefix(family=3, prefix_len=8, address=bytes(16)),
        nl.Prefix(family=10, prefix_len=129, address=bytes(16)),
    ],
)
def test_bad_prefixes_are_refused(prefix: nl.Prefix) -> None:
    with pytest.raises(NetlinkFormatError):
        convert.unpack_prefix(prefix)


def test_routes_come_back_from_a_dump() -> None:
    one = Route(session=REF, prefix=ip_network("fd00::/64"), generation=5, epoch=6)
    attributes = convert.add_route(one).attributes.route
    assert attributes is not None
    assert convert.route(attributes) == one
    for name in names_of(attributes):
        with pytest.raises(NetlinkFormatError, match="lacks"):
            convert.route(replace(attributes, **{name: None}))


def test_payloads_must_fit_a_packet() -> None:
    for payload in (b"", bytes(1153)):
        with pytest.raises(NetlinkFormatError, match="1 to 1152"):
            convert.send_frames(REF, payload)
    with pytest.raises(NetlinkFormatError, match="context 0"):
        convert.send_datagram(REF, 0, b"x")


def test_drained_datagrams_are_separate_nests() -> None:
    """64 datagrams of full size: no nest comes near the 64 KiB that an attribute can hold."""
    held = (HeldDatagram(FLOW, 0, bytes(1452)),) * 64
    encoded = convert.activate_session(activation(held=held)).encode()
    nests = [payload for number, _, payload in walk(encoded[4:]) if number == place("", "held")]
    assert len(nests) == 64
    assert len(encoded) > 2**16
    too_long = nl.MainAttributes(
        held=(nl.HeldAttributes(payload=bytes(65000)), nl.HeldAttributes(payload=bytes(9)))
    )
    assert encode(too_long)
