# SPDX-License-Identifier: BSD-3-Clause
"""What is encoded comes back, for every codec."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.quic.errors import DropReason, QuicError
from nexusnet.quic.frames import AckFrame, Frame, encode_frames, parse_frame, parse_frames
from nexusnet.quic.keys import CipherSuite
from nexusnet.quic.packet_number import (
    NONE_YET,
    PACKET_NUMBER_MAX,
    decode_packet_number,
    encode_packet_number,
    packet_number_length,
)
from nexusnet.quic.protection import ShortHeaderProtection, minimum_payload
from nexusnet.quic.reader import Reader
from nexusnet.quic.received import Ecn, ReceivedPackets
from nexusnet.quic.varint import decode_varint, encode_varint, varint_size
from tests.quic.strategies import ack_frames, delimited, payloads, varints

PROTECTIONS = {
    (suite, generation): protection
    for suite in CipherSuite
    for generation, protection in (
        (0, ShortHeaderProtection(suite, bytes(suite.secret_length))),
        (1, ShortHeaderProtection(suite, bytes(suite.secret_length)).next_generation()),
    )
}


@given(varints, st.binary(max_size=3), st.binary(max_size=3))
def test_varint(value: int, before: bytes, after: bytes) -> None:
    encoded = encode_varint(value)
    assert len(encoded) == varint_size(value)
    assert decode_varint(before + encoded + after, len(before)) == (
        value,
        len(before) + len(encoded),
    )


@given(varints, st.sampled_from([1, 2, 4, 8]))
def test_varint_of_any_length(value: int, size: int) -> None:
    if size >= varint_size(value):
        assert decode_varint(encode_varint(value, size)) == (value, size)
    else:
        with pytest.raises(QuicError, match="INTERNAL_ERROR"):
            encode_varint(value, size)


@given(st.integers(NONE_YET, PACKET_NUMBER_MAX - 1), st.integers(1, (1 << 31) - 1), st.data())
def test_packet_number(largest_acked: int, ahead: int, draws: st.DataObject) -> None:
    pn = min(largest_acked + ahead, PACKET_NUMBER_MAX)
    length = packet_number_length(pn, largest_acked)
    truncated = int.from_bytes(encode_packet_number(pn, length), "big")
    # The receiver has everything acknowledged, and any part of what was sent after it.
    largest_pn = draws.draw(st.integers(largest_acked, pn))
    assert decode_packet_number(truncated, length, largest_pn) == pn
    # RFC 9000 section 17.1: more than twice the range, and no byte too many.
    assert 1 << 8 * length > 2 * (pn - largest_acked)
    assert length == 1 or 1 << 8 * (length - 1) <= 2 * (pn - largest_acked)


@given(st.integers(NONE_YET, PACKET_NUMBER_MAX), st.integers(1, 4), st.data())
def test_decoded_packet_number_is_the_closest(
    largest_pn: int, length: int, draws: st.DataObject
) -> None:
    window = 1 << 8 * length
    truncated = draws.draw(st.integers(0, window - 1))
    expected = largest_pn + 1
    try:
        pn = decode_packet_number(truncated, length, largest_pn)
    except QuicError as error:
        assert error.code is DropReason.PACKET_NUMBER_OUT_OF_RANGE
        assert expected + window // 2 > PACKET_NUMBER_MAX
        return
    assert 0 <= pn <= PACKET_NUMBER_MAX
    assert pn % window == truncated
    for other in (pn - window, pn + window):
        if 0 <= other <= PACKET_NUMBER_MAX - window:
            assert abs(pn - expected) <= abs(other - expected)


@given(delimited, st.binary(max_size=20))
def test_frame(frame: Frame, after: bytes) -> None:
    encoded = frame.encode()
    # A zero byte would lengthen a run of PADDING.
    reader = Reader(encoded + after.lstrip(b"\0"))
    assert parse_frame(reader) == frame
    assert reader.offset == len(encoded)


@given(payloads())
def test_payload(frames: tuple[Frame, ...]) -> None:
    assert parse_frames(encode_frames(frames)) == frames


@given(delimited)
def test_cut_off_frame(frame: Frame) -> None:
    # Never a different frame that uses up all bytes, unless it is a shorter run of PADDING.
    encoded = frame.encode()
    for length in range(1, len(encoded)):
        try:
            frames = parse_frames(encoded[:length])
        except QuicError as error:
            assert error.name == "FRAME_ENCODING_ERROR"
        else:
            assert encoded[:length] == bytes(length), frames


@given(
    st.sampled_from(sorted(PROTECTIONS, key=str)),
    st.binary(max_size=20),
    st.integers(0, PACKET_NUMBER_MAX),
    st.integers(1, 4),
    st.binary(min_size=1, max_size=1452),
    st.booleans(),
    st.data(),
)
def test_packet(
    which: tuple[CipherSuite, int],
    dcid: bytes,
    pn: int,
    pn_len: int,
    payload: bytes,
    spin: bool,  # noqa: FBT001 - hypothesis calls by position
    draws: st.DataObject,
) -> None:
    protection = PROTECTIONS[which]
    payload = payload.ljust(minimum_payload(pn_len), b"\0")
    packet = protection.seal(dcid, pn, pn_len, payload, spin=spin)
    opened = protection.open(packet, dcid, pn - 1)
    assert (opened.dcid, opened.pn, opened.pn_len, opened.payload) == (dcid, pn, pn_len, payload)
    assert (opened.key_phase, opened.spin) == (which[1], spin)
    # Any one bit changed is noticed.
    position = draws.draw(st.integers(0, len(packet) - 1))
    changed = bytearray(packet)
    changed[position] ^= 1 << draws.draw(st.integers(0, 7))
    with pytest.raises(QuicError) as caught:
        protection.open(bytes(changed), dcid, pn - 1)
    assert not caught.value.closes_connection


@given(ack_frames)
def test_ack_frame_to_received_packets(frame: AckFrame) -> None:
    total = sum(item.largest - item.smallest + 1 for item in frame.ranges)
    if total > 500:
        return
    tracker = ReceivedPackets(max_ranges=64)
    for item in frame.ranges:
        for pn in range(item.smallest, item.largest + 1):
            tracker.receive(pn)
    assert tracker.ranges == frame.ranges
    assert tracker.largest == frame.largest_acknowledged


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(Ecn)), max_size=120),
    st.integers(1, 6),
    st.integers(0, 20),
)
def test_received_packets_against_a_set(
    arrivals: list[tuple[int, Ecn]], max_ranges: int, floor: int
) -> None:
    """No packet is taken twice, and what is acknowledged is what was taken."""
    tracker = ReceivedPackets(max_ranges, floor)
    taken: set[int] = set()
    marks = dict.fromkeys(Ecn, 0)
    for pn, ecn in arrivals:
        floor_before = tracker.floor
        full = len(tracker.ranges) == max_ranges
        try:
            tracker.receive(pn, ecn)
        except QuicError as error:
            if error.code is DropReason.DUPLICATE:
                assert pn in taken
                assert pn >= floor_before
            else:
                assert error.code is DropReason.TOO_OLD
                assert pn < floor_before or (full and pn < tracker.ranges[-1].smallest - 1)
        else:
            assert pn not in taken
            assert pn >= floor_before
            taken.add(pn)
            marks[ecn] += 1
        acknowledged = {
            pn for item in tracker.ranges for pn in range(item.smallest, item.largest + 1)
        }
        assert acknowledged == {pn for pn in taken if pn >= tracker.floor}
        assert len(tracker.ranges) <= max_ranges
        assert tracker.floor >= floor_before
        assert tracker.largest == max(taken, default=NONE_YET)
    frame = tracker.ack_frame()
    assert (frame is None) == (not taken)
    if frame is not None:
        assert parse_frames(frame.encode()) == (frame,)
        counts = (marks[Ecn.ECT0], marks[Ecn.ECT1], marks[Ecn.CE])
        if frame.ecn is None:
            assert counts == (0, 0, 0)
        else:
            assert (frame.ecn.ect0, frame.ecn.ect1, frame.ecn.ce) == counts


@given(st.lists(st.integers(0, 60), max_size=60), st.integers(0, 70))
def test_forget_below(arrivals: list[int], floor: int) -> None:
    tracker = ReceivedPackets(max_ranges=64)
    for pn in dict.fromkeys(arrivals):
        tracker.receive(pn)
    tracker.forget_below(floor)
    kept = {pn for item in tracker.ranges for pn in range(item.smallest, item.largest + 1)}
    assert kept == {pn for pn in arrivals if pn >= floor}
    assert tracker.floor == floor
    for pn in arrivals:
        with pytest.raises(QuicError):
            tracker.check(pn)
