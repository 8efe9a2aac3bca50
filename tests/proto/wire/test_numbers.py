# SPDX-License-Identifier: BSD-3-Clause
"""Ratios, variable-length integers and packet numbers, against Python and the model."""

from hypothesis import given
from hypothesis import strategies as st

from nexus_sim.core import Core
from nexusnet.quic.errors import QuicError
from nexusnet.quic.packet_number import (
    NONE_YET,
    PACKET_NUMBER_MAX,
    decode_packet_number,
    encode_packet_number,
    packet_number_length,
)
from nexusnet.quic.varint import VARINT_MAX, decode_varint, encode_varint

U64_MAX = (1 << 64) - 1


def around_powers(limit: int) -> st.SearchStrategy[int]:
    """Integers 0..limit of every magnitude, with those next to powers of two often among them."""
    powers = st.integers(0, limit.bit_length()).flatmap(
        lambda bits: st.integers(-2, 2).map(lambda step: (1 << bits) + step)
    )
    sizes = st.integers(0, limit.bit_length()).flatmap(lambda bits: st.integers(0, 1 << bits))
    return st.one_of(powers, sizes).map(lambda value: min(max(value, 0), limit))


u64s = around_powers(U64_MAX)
varints = around_powers(VARINT_MAX)
packet_numbers = around_powers(PACKET_NUMBER_MAX)


@given(a=u64s, b=u64s)
def test_saturating_arithmetic(core: Core, a: int, b: int) -> None:
    assert core.lib.nqd_add_sat(a, b) == min(a + b, U64_MAX)
    assert core.lib.nqd_sub_sat(a, b) == max(a - b, 0)
    assert core.lib.nqd_mul_sat(a, b) == min(a * b, U64_MAX)


@given(a=u64s, b=u64s, c=u64s)
def test_division(core: Core, a: int, b: int, c: int) -> None:
    assert core.lib.nqd_div(a, b) == (a // b if b else U64_MAX)
    assert core.lib.nqd_mul_div(a, b, c) == (min(a * b // c, U64_MAX) if c else U64_MAX)
    assert core.lib.nqd_ns_to_us(a) == a // 1000


@given(a=u64s, mul=around_powers((1 << 32) - 1), shift=st.integers(0, 32))
def test_fraction(core: Core, a: int, mul: int, shift: int) -> None:
    assert core.lib.nqd_mul_shr(a, mul, shift) == min(a * mul >> shift, U64_MAX)


@given(value=varints, tail=st.binary(max_size=9))
def test_varint_written(core: Core, value: int, tail: bytes) -> None:
    expected = encode_varint(value)
    assert core.lib.nqd_varint_len(value) == len(expected)
    buffer = core.ffi.new("u8[8]")
    assert core.lib.nqd_varint_put(buffer, value) - buffer == len(expected)
    assert bytes(buffer)[: len(expected)] == expected
    assert set(bytes(buffer)[len(expected) :]) <= {0}, "bytes behind the encoding"


@given(value=st.integers(VARINT_MAX + 1, U64_MAX))
def test_what_no_varint_holds(core: Core, value: int) -> None:
    assert core.lib.nqd_varint_len(value) == 0


@given(data=st.binary(max_size=10))
def test_varint_read(core: Core, data: bytes) -> None:
    value = core.ffi.new("u64 *", 4711)
    used = core.lib.nqd_varint_get(data, len(data), value)
    try:
        expected, end = decode_varint(data)
    except QuicError:
        assert (used, value[0]) == (0, 4711)
    else:
        assert (used, value[0]) == (end, expected)


def _c_none(core: Core, pn: int) -> int:
    return int(core.lib.NQD_PN_NONE) if pn == NONE_YET else pn


@given(largest_acked=st.one_of(st.just(NONE_YET), packet_numbers), distance=around_powers(1 << 33))
def test_packet_number_length(core: Core, largest_acked: int, distance: int) -> None:
    pn = min(largest_acked + max(distance, 1), PACKET_NUMBER_MAX)
    if pn <= largest_acked:
        return
    length = core.lib.nqd_pn_len(pn, _c_none(core, largest_acked))
    try:
        assert length == packet_number_length(pn, largest_acked)
    except QuicError:
        assert length == 0


@given(
    largest=st.one_of(st.just(NONE_YET), packet_numbers),
    length=st.integers(1, 4),
    truncated=around_powers((1 << 32) - 1),
)
def test_packet_number_decoded(core: Core, largest: int, length: int, truncated: int) -> None:
    truncated &= (1 << 8 * length) - 1
    decoded = core.lib.nqd_pn_decode(_c_none(core, largest), truncated, length)
    try:
        assert decoded == decode_packet_number(truncated, length, largest)
    except QuicError:
        assert decoded == core.lib.NQD_PN_NONE


@given(pn=packet_numbers, length=st.integers(1, 4))
def test_packet_number_bytes(core: Core, pn: int, length: int) -> None:
    expected = encode_packet_number(pn, length)
    buffer = core.ffi.new("u8[5]")
    assert core.lib.nqd_pn_put(buffer, pn, length) - buffer == length
    assert bytes(buffer) == expected + bytes(5 - length)
    assert core.lib.nqd_pn_get(buffer, length) == int.from_bytes(expected, "big")
    assert core.lib.nqd_pn_truncate(pn, length) == int.from_bytes(expected, "big")
    there = core.ffi.new("u8[5]", b"abcde")
    core.lib.nqd_pn_put_within(there, pn, length)
    assert bytes(there) == expected + b"abcde"[length:]


@given(
    largest_acked=st.one_of(st.just(NONE_YET), packet_numbers),
    distance=st.integers(1, (1 << 31) - 1),
    behind=st.integers(0, (1 << 31) - 1),
)
def test_receiver_recovers_what_the_sender_meant(
    core: Core, largest_acked: int, distance: int, behind: int
) -> None:
    """Whatever the receiver got between the largest acknowledged packet and this one."""
    pn = min(largest_acked + distance, PACKET_NUMBER_MAX)
    if pn <= largest_acked:
        return
    length = core.lib.nqd_pn_len(pn, _c_none(core, largest_acked))
    largest = max(largest_acked, pn - 1 - behind)
    truncated = core.lib.nqd_pn_truncate(pn, length)
    assert core.lib.nqd_pn_decode(_c_none(core, largest), truncated, length) == pn
