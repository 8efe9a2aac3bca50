# SPDX-License-Identifier: BSD-3-Clause
"""Cutting super-packets, byte for byte against packets.py."""

import errno
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import native
from tests.engine.packets import (
    ACK,
    CWR,
    FIN,
    GSO_ECN,
    GSO_TCPV4,
    GSO_TCPV6,
    NEEDS_CSUM,
    PSH,
    TCP,
    UDP,
    Flow,
)
from tests.engine.strategies import flows

ffi, lib = native.load()


def cut(
    packet: bytes, *, flags: int, gso_type: int, size: int, start: int, offset: int
) -> list[bytes]:
    """Cut with the engine; raises OSError with its error number."""
    buffer = native.octets(packet)
    vnet = ffi.new("struct nqe_vnet *", {"flags": flags, "gso_type": gso_type, "gso_size": size,
                                         "csum_start": start, "csum_offset": offset})  # fmt: skip
    cursor = ffi.new("struct nqe_segment *")
    err = lib.nqe_segment_init(cursor, buffer, len(packet), vnet)
    if err:
        raise OSError(-err, "segment")
    made = []
    left = lib.nqe_segment_left(cursor)
    while length := lib.nqe_segment_len(cursor):
        out = ffi.new("u8[]", length)
        assert lib.nqe_segment_copy(cursor, out) == length
        made.append(bytes(ffi.buffer(out)))
    assert len(made) == left
    assert lib.nqe_segment_left(cursor) == 0
    return made


def cut_super(flow: Flow, payload: bytes, size: int, extra: int = 0) -> list[bytes]:
    return cut(
        flow.partial(payload), flags=NEEDS_CSUM, gso_type=flow.gso_type | extra, size=size,
        start=flow.transport_offset, offset=flow.checksum_offset,
    )  # fmt: skip


@settings(deadline=None)
@given(
    flows(st.sampled_from([ACK, ACK | PSH, ACK | FIN, ACK | PSH | CWR])),
    st.integers(1, 9000),
    st.integers(1, 64000),
    st.randoms(use_true_random=False),
)
def test_cuts_like_the_model(flow: Flow, size: int, length: int, rng: random.Random) -> None:
    length = min(length, size * 128)
    payload = rng.randbytes(length)
    extra = GSO_ECN if flow.protocol == TCP and flow.flags & CWR else 0
    assert cut_super(flow, payload, size, extra) == flow.segments(payload, size)


@settings(deadline=None)
@given(flows(), st.binary(max_size=1500))
def test_single_packet_gets_its_checksum(flow: Flow, payload: bytes) -> None:
    made = cut(flow.partial(payload), flags=NEEDS_CSUM, gso_type=0, size=0,
               start=flow.transport_offset, offset=flow.checksum_offset)  # fmt: skip
    assert made == [flow.packet(payload)]


def test_udp_checksum_zero_is_sent_as_ones() -> None:
    flow = Flow(protocol=UDP)
    # The two bytes that make the sum come out as all ones.
    base = flow.packet(b"\0\0")
    check = int.from_bytes(base[26:28], "big")
    packet = flow.packet(check.to_bytes(2, "big"))
    assert packet[26:28] == b"\xff\xff"
    assert cut_super(flow, packet[28:] + packet[28:], 2) == flow.segments(packet[28:] * 2, 2)
    assert cut(flow.partial(packet[28:]), flags=NEEDS_CSUM, gso_type=0, size=0, start=20,
               offset=6) == [packet]  # fmt: skip


def test_extension_headers_are_carried_along() -> None:
    flow = Flow(version=6, source=bytes(15) + b"\1", destination=bytes(15) + b"\2")
    payload = bytes(range(256)) * 10
    plain = flow.partial(payload)
    # A destination-options header (RFC 8200 section 4.6) between IPv6 and TCP.
    option = bytes([TCP, 0, 1, 4, 0, 0, 0, 0])

    def insert(packet: bytes) -> bytes:
        length = int.from_bytes(packet[4:6], "big") + len(option)
        return (
            packet[:4] + length.to_bytes(2, "big") + b"\x3c" + packet[7:40] + option + packet[40:]
        )

    made = cut(insert(plain), flags=NEEDS_CSUM, gso_type=GSO_TCPV6, size=1000, start=48, offset=16)
    assert made == [insert(segment) for segment in flow.segments(payload, 1000)]


def test_trailing_bytes_beyond_the_header_length_are_left_out() -> None:
    packet = Flow().packet(b"data")
    assert cut(packet + b"tail", flags=0, gso_type=0, size=0, start=0, offset=0) == [packet]


TCP4 = Flow().partial(bytes(3000))
GOOD = {"flags": NEEDS_CSUM, "gso_type": GSO_TCPV4, "size": 1000, "start": 20, "offset": 16}


@pytest.mark.parametrize(
    ("packet", "change", "error"),
    [
        (b"", {}, errno.EINVAL),
        (TCP4[:-1], {}, errno.EINVAL),
        (TCP4[:19], {}, errno.EINVAL),
        (b"\x35" + TCP4[1:], {}, errno.EINVAL),
        (b"\x44" + TCP4[1:], {}, errno.EINVAL),
        (TCP4, {"flags": 0}, errno.EINVAL),
        (TCP4, {"size": 0}, errno.EINVAL),
        (TCP4, {"start": 16}, errno.EINVAL),
        (TCP4, {"start": 3010}, errno.EINVAL),
        (TCP4, {"start": 65535}, errno.EINVAL),
        (TCP4, {"offset": 6}, errno.EINVAL),
        (TCP4, {"gso_type": GSO_TCPV6}, errno.EINVAL),
        (TCP4, {"gso_type": 3}, errno.EOPNOTSUPP),
        (TCP4[:32] + b"\x40" + TCP4[33:], {}, errno.EINVAL),  # data offset below 5
        (Flow().partial(b""), {}, errno.EINVAL),
        (TCP4, {"gso_type": 0, "offset": 65535}, errno.EINVAL),
    ],
)
def test_contradictions_are_refused(packet: bytes, change: dict[str, int], error: int) -> None:
    with pytest.raises(OSError, match="segment") as failure:
        cut(packet, **(GOOD | change))
    assert failure.value.errno == error


@settings(deadline=None, max_examples=300)
@given(
    st.binary(max_size=200), st.integers(0, 255), st.sampled_from([0, 1, 4, 5, 0x81]),
    st.integers(0, 65535), st.integers(0, 250), st.integers(0, 250),
)  # fmt: skip
def test_garbage_is_refused_or_cut_within_bounds(
    packet: bytes, flags: int, gso_type: int, size: int, start: int, offset: int
) -> None:
    first = bytes([random.Random(size).choice([0x45, 0x60])])
    try:
        made = cut(first + packet, flags=flags, gso_type=gso_type, size=size, start=start,
                   offset=offset)  # fmt: skip
    except OSError:
        return
    assert made
