# SPDX-License-Identifier: BSD-3-Clause
"""frames.json: every frame type of a 1-RTT packet (RFC 9000 section 19, RFC 9221 section 4)."""

from dataclasses import fields
from typing import Final

from nexusnet.quic.frames import (
    AckFrame,
    AckRange,
    ConnectionCloseFrame,
    CryptoFrame,
    DataBlockedFrame,
    DatagramFrame,
    EcnCounts,
    Frame,
    FrameType,
    HandshakeDoneFrame,
    MaxDataFrame,
    MaxStreamDataFrame,
    MaxStreamsFrame,
    NewConnectionIdFrame,
    NewTokenFrame,
    PaddingFrame,
    PathChallengeFrame,
    PathResponseFrame,
    PingFrame,
    ResetStreamFrame,
    RetireConnectionIdFrame,
    StopSendingFrame,
    StreamDataBlockedFrame,
    StreamFrame,
    StreamsBlockedFrame,
    is_ack_eliciting,
    parse_frames,
)
from nexusnet.quic.frames.flow_control import STREAMS_MAX
from nexusnet.quic.frames.types import STREAM_LAST
from nexusnet.quic.varint import VARINT_MAX, decode_varint, encode_varint
from vectors.expect import expect_error
from vectors.model import FrameVector, Json, Vector
from vectors.seeded import seeded_bytes

TOKEN: Final = seeded_bytes("stateless reset token", 16)
EIGHT: Final = seeded_bytes("path data", 8)
SHORT: Final = seeded_bytes("short data", 11)
LAST: Final = VARINT_MAX


def type_name(frame_type: int) -> str:
    """Return the RFC's name of a frame type."""
    if FrameType.STREAM <= frame_type <= STREAM_LAST:
        return FrameType.STREAM.name
    return FrameType(frame_type).name


def _field(value: object) -> Json:
    match value:
        case bool() | int():
            return value
        case bytes():
            return value.hex()
        case EcnCounts():
            return [value.ect0, value.ect1, value.ce]
        case AckRange():
            return [value.smallest, value.largest]
        case tuple():
            return [_field(item) for item in value]
    raise TypeError(f"no JSON for {type(value).__name__}")


def frame_fields(frame: Frame) -> dict[str, Json]:
    """Return the fields of a frame by their names in the model; None is left out."""
    values = {part.name: getattr(frame, part.name) for part in fields(frame)}
    return {name: _field(value) for name, value in values.items() if value is not None}


def _valid(name: str, encoded: bytes, frame: Frame) -> FrameVector:
    if parse_frames(encoded) != (frame,):
        raise AssertionError(f"{name} does not parse to {frame}")
    return FrameVector(
        name=name,
        type=type_name(decode_varint(encoded)[0]),
        frame=encoded,
        canonical=frame.encode() == encoded,
        ack_eliciting=is_ack_eliciting(frame),
        fields=frame_fields(frame),
    )


def _frames() -> dict[str, Frame]:
    return {
        "padding_1": PaddingFrame(1),
        "padding_1000": PaddingFrame(1000),
        "ping": PingFrame(),
        "ack_one": AckFrame((AckRange(0, 0),)),
        "ack_ranges": AckFrame((AckRange(90, 99), AckRange(50, 70), AckRange(0, 48)), 77),
        "ack_limits": AckFrame((AckRange(LAST, LAST), AckRange(0, 0)), LAST),
        "ack_ecn": AckFrame((AckRange(3, 20),), 5, EcnCounts(ect0=10, ect1=2, ce=1)),
        "ack_ecn_limits": AckFrame((AckRange(0, LAST),), 0, EcnCounts(LAST, LAST, LAST)),
        "reset_stream": ResetStreamFrame(4, 0x10C, 70_000),
        "reset_stream_limits": ResetStreamFrame(LAST, LAST, LAST),
        "stop_sending": StopSendingFrame(7, 0x100),
        "stop_sending_limits": StopSendingFrame(LAST, LAST),
        "crypto": CryptoFrame(300, SHORT),
        "crypto_empty": CryptoFrame(0, b""),
        "crypto_to_the_last_offset": CryptoFrame(LAST - len(SHORT), SHORT),
        "new_token_1": NewTokenFrame(b"\x00"),
        "new_token_300": NewTokenFrame(seeded_bytes("token", 300)),
        "stream": StreamFrame(8, 0, SHORT, fin=False, has_length=False),
        "stream_fin": StreamFrame(8, 0, SHORT, fin=True, has_length=False),
        "stream_len": StreamFrame(8, 0, SHORT),
        "stream_len_fin": StreamFrame(8, 0, SHORT, fin=True),
        "stream_off": StreamFrame(8, 90, SHORT, fin=False, has_length=False),
        "stream_off_fin": StreamFrame(8, 90, SHORT, fin=True, has_length=False),
        "stream_off_len": StreamFrame(8, 90, SHORT),
        "stream_off_len_fin": StreamFrame(8, 90, SHORT, fin=True),
        "stream_empty_fin": StreamFrame(LAST, 0, b"", fin=True),
        "stream_empty_to_the_end": StreamFrame(0, 0, b"", fin=False, has_length=False),
        "stream_to_the_last_offset": StreamFrame(1, LAST - len(SHORT), SHORT),
        "max_data": MaxDataFrame(1 << 20),
        "max_data_limit": MaxDataFrame(LAST),
        "max_stream_data": MaxStreamDataFrame(12, 65_536),
        "max_stream_data_limits": MaxStreamDataFrame(LAST, LAST),
        "max_streams_bidi": MaxStreamsFrame(128),
        "max_streams_bidi_limit": MaxStreamsFrame(STREAMS_MAX),
        "max_streams_uni": MaxStreamsFrame(3, unidirectional=True),
        "max_streams_uni_limit": MaxStreamsFrame(STREAMS_MAX, unidirectional=True),
        "data_blocked": DataBlockedFrame(1 << 20),
        "data_blocked_limit": DataBlockedFrame(LAST),
        "stream_data_blocked": StreamDataBlockedFrame(16, 9999),
        "stream_data_blocked_limits": StreamDataBlockedFrame(LAST, LAST),
        "streams_blocked_bidi": StreamsBlockedFrame(128),
        "streams_blocked_bidi_limit": StreamsBlockedFrame(STREAMS_MAX),
        "streams_blocked_uni": StreamsBlockedFrame(0, unidirectional=True),
        "streams_blocked_uni_limit": StreamsBlockedFrame(STREAMS_MAX, unidirectional=True),
        "new_connection_id_1": NewConnectionIdFrame(1, 0, b"\xaa", TOKEN),
        "new_connection_id_8": NewConnectionIdFrame(9, 9, EIGHT, TOKEN),
        "new_connection_id_20": NewConnectionIdFrame(LAST, LAST, seeded_bytes("cid", 20), TOKEN),
        "retire_connection_id": RetireConnectionIdFrame(2),
        "retire_connection_id_limit": RetireConnectionIdFrame(LAST),
        "path_challenge": PathChallengeFrame(EIGHT),
        "path_response": PathResponseFrame(EIGHT),
        "connection_close": ConnectionCloseFrame(0x0A, 0x06, b"a reason"),
        "connection_close_no_reason": ConnectionCloseFrame(0),
        "connection_close_limits": ConnectionCloseFrame(LAST, LAST, bytes(range(1, 256))),
        "connection_close_application": ConnectionCloseFrame(0x100, None, b"bye"),
        "connection_close_application_no_reason": ConnectionCloseFrame(LAST, None),
        "handshake_done": HandshakeDoneFrame(),
        "datagram": DatagramFrame(SHORT, has_length=False),
        "datagram_empty": DatagramFrame(b"", has_length=False),
        "datagram_len": DatagramFrame(SHORT),
        "datagram_len_empty": DatagramFrame(b""),
    }


def _uncommon() -> list[Vector]:
    """Return legal encodings that the model itself does not choose."""

    def long(frame_type: int, *numbers: int) -> bytes:
        return encode_varint(frame_type) + b"".join(encode_varint(value, 8) for value in numbers)

    ack = AckFrame((AckRange(8, 9), AckRange(5, 5)), 1)
    return [
        _valid("ack_long_varints", long(2, 9, 1, 1, 1, 1, 0), ack),
        _valid("max_data_long_varint", long(0x10, 0), MaxDataFrame(0)),
        _valid("stream_offset_0", b"\x0e\x08\x00\x0b" + SHORT, StreamFrame(8, 0, SHORT)),
        _valid("crypto_long_varints", long(6, 0, 3) + b"abc", CryptoFrame(0, b"abc")),
        _valid("new_token_long_varint", long(7, 1) + b"t", NewTokenFrame(b"t")),
        _valid(
            "new_connection_id_long_varints",
            long(0x18, 2, 1) + b"\x01\xaa" + TOKEN,
            NewConnectionIdFrame(2, 1, b"\xaa", TOKEN),
        ),
        _valid("retire_connection_id_long_varint", long(0x19, 0), RetireConnectionIdFrame(0)),
        _valid("connection_close_long", long(0x1C, 1, 2, 0), ConnectionCloseFrame(1, 2)),
        _valid("datagram_len_long_varint", long(0x31, 2) + b"ab", DatagramFrame(b"ab")),
    ]


def _forbidden() -> dict[str, bytes]:
    def frame(*numbers: int) -> bytes:
        return b"".join(map(encode_varint, numbers))

    over = STREAMS_MAX + 1
    cid = frame(0x18, 5, 0)
    return {
        "payload_empty": b"",
        "ack_first_range_below_0": frame(2, 3, 0, 0, 4),
        "ack_gap_below_0": frame(2, 10, 0, 1, 0, 9, 0),
        "ack_length_below_0": frame(2, 10, 0, 1, 0, 7, 2),
        "ack_range_count_huge": frame(2, 10, 0, LAST, 0),
        "crypto_beyond_the_last_offset": frame(6, LAST, 1) + b"x",
        "crypto_length_beyond_the_packet": frame(6, 0, 5) + b"four",
        "new_token_empty": frame(7, 0),
        "new_token_length_beyond_the_packet": frame(7, LAST) + b"token",
        "stream_beyond_the_last_offset": frame(0x0E, 0, LAST, 1) + b"x",
        "stream_to_the_end_beyond_the_last_offset": frame(0x0C, 0, LAST - 2) + b"xyz",
        "stream_length_beyond_the_packet": frame(0x0A, 0, 2) + b"x",
        "max_streams_bidi_above_2_60": frame(0x12, over),
        "max_streams_uni_above_2_60": frame(0x13, over),
        "max_streams_bidi_maximum_varint": frame(0x12, LAST),
        "streams_blocked_bidi_above_2_60": frame(0x16, over),
        "streams_blocked_uni_above_2_60": frame(0x17, over),
        "new_connection_id_length_0": cid + b"\x00" + TOKEN,
        "new_connection_id_length_21": cid + b"\x15" + bytes(21) + TOKEN,
        "new_connection_id_length_255": cid + b"\xff" + bytes(255) + TOKEN,
        "new_connection_id_retires_itself": frame(0x18, 5, 6) + b"\x01\xaa" + TOKEN,
        "connection_close_reason_beyond_the_packet": frame(0x1C, 0, 0, 4) + b"bye",
        "type_0x1f": b"\x1f",
        "type_0x20": b"\x20",
        "type_0x2f": b"\x2f" + bytes(20),
        "type_0x32": b"\x32" + bytes(20),
        "type_0x3f": b"\x3f",
        "type_ack_frequency_0xaf": frame(0xAF, 0, 1, 1, 1),
        "type_of_8_bytes": frame(LAST),
        "type_cut_off": b"\x40",
        "type_cut_off_after_ping": b"\x01\xc0",
        "type_unknown_after_padding": b"\x00\x00\x21",
        "padding_type_in_two_bytes": b"\x40\x00",
        "ping_type_in_two_bytes": b"\x40\x01",
        "ping_type_in_four_bytes": b"\x80\x00\x00\x01",
        "ping_type_in_eight_bytes": b"\xc0" + bytes(6) + b"\x01",
        "stream_type_in_two_bytes": b"\x40\x08\x00data",
        "handshake_done_type_in_two_bytes": b"\x40\x1e",
        "unknown_type_in_long_form": b"\x80\x00\x00\x21",
    }


def frame_vectors() -> list[Vector]:
    """Return every type, limits of every field, uncommon encodings, and every way to be wrong."""
    frames = _frames()
    vectors: list[Vector] = [_valid(name, frame.encode(), frame) for name, frame in frames.items()]
    vectors += _uncommon()
    forbidden = _forbidden()
    # Every frame with more than a type, cut after each byte of its numbers and before its last.
    for name, frame in frames.items():
        encoded = frame.encode()
        for length in sorted({*range(1, min(len(encoded), 28)), max(1, len(encoded) - 1)}):
            cut = encoded[:length]
            if length < len(encoded) and name not in TO_THE_END and not name.endswith("_limits"):
                forbidden.setdefault(f"{name}_cut_to_{length}", cut)
    vectors += [
        FrameVector(name=name, frame=encoded, error=expect_error(parse_frames, encoded))
        for name, encoded in forbidden.items()
    ]
    return vectors


TO_THE_END: Final = frozenset(
    {
        "padding_1000",
        "stream",
        "stream_fin",
        "stream_off",
        "stream_off_fin",
        "datagram",
    }
)
"""Frames that stay legal, or can, when cut off."""
