# SPDX-License-Identifier: BSD-3-Clause
"""What the vectors cannot show: the model's own arguments, its errors, its purity."""

import ast
import dataclasses
from collections.abc import Callable
from typing import get_args

import pytest

from nexusnet.quic.errors import DropReason, QuicError, TransportErrorCode
from nexusnet.quic.frames import (
    AckFrame,
    AckRange,
    ConnectionCloseFrame,
    DatagramFrame,
    Frame,
    MaxDataFrame,
    MaxStreamsFrame,
    NewConnectionIdFrame,
    NewTokenFrame,
    PaddingFrame,
    PathChallengeFrame,
    PathResponseFrame,
    PingFrame,
    StreamFrame,
    parse_frames,
)
from nexusnet.quic.header_protection import header_protection
from nexusnet.quic.keys import CipherSuite, derive_packet_keys
from nexusnet.quic.packet_number import (
    PACKET_NUMBER_MAX,
    decode_packet_number,
    encode_packet_number,
)
from nexusnet.quic.protection import ShortHeaderProtection, minimum_payload
from nexusnet.quic.received import ReceivedPackets
from nexusnet.quic.varint import VARINT_MAX, encode_varint
from tests.support.golden import ROOT

SECRET = bytes(range(32))
IMPURE = {"asyncio", "os", "random", "secrets", "select", "socket", "ssl", "threading", "time"}


def keys(suite: CipherSuite = CipherSuite.AES_128_GCM) -> ShortHeaderProtection:
    return ShortHeaderProtection(suite, bytes(suite.secret_length))


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("FRAME_ENCODING_ERROR", lambda: AckRange(5, 4)),
        ("FRAME_ENCODING_ERROR", lambda: AckRange(-1, 4)),
        ("FRAME_ENCODING_ERROR", lambda: AckFrame(())),
        ("FRAME_ENCODING_ERROR", lambda: AckFrame((AckRange(5, 6), AckRange(3, 4)))),
        ("FRAME_ENCODING_ERROR", lambda: AckFrame((AckRange(1, 2), AckRange(5, 6)))),
        ("FRAME_ENCODING_ERROR", lambda: NewTokenFrame(b"")),
        ("FRAME_ENCODING_ERROR", lambda: MaxStreamsFrame((1 << 60) + 1)),
        ("FRAME_ENCODING_ERROR", lambda: StreamFrame(0, VARINT_MAX, b"x")),
        ("FRAME_ENCODING_ERROR", lambda: NewConnectionIdFrame(0, 1, b"x", bytes(16))),
        ("FRAME_ENCODING_ERROR", lambda: NewConnectionIdFrame(0, 0, bytes(21), bytes(16))),
        ("INTERNAL_ERROR", lambda: NewConnectionIdFrame(0, 0, b"x", bytes(15))),
        ("INTERNAL_ERROR", lambda: PathChallengeFrame(bytes(7))),
        ("INTERNAL_ERROR", lambda: PathResponseFrame(bytes(9))),
        ("INTERNAL_ERROR", lambda: PaddingFrame(0)),
        ("INTERNAL_ERROR", lambda: MaxDataFrame(VARINT_MAX + 1).encode()),
        ("INTERNAL_ERROR", lambda: MaxDataFrame(-1).encode()),
        ("INTERNAL_ERROR", lambda: encode_varint(1, 3)),
        ("INTERNAL_ERROR", lambda: encode_varint(64, 1)),
        ("INTERNAL_ERROR", lambda: encode_packet_number(0, 5)),
        ("INTERNAL_ERROR", lambda: encode_packet_number(-1, 1)),
        ("INTERNAL_ERROR", lambda: decode_packet_number(256, 1)),
        ("INTERNAL_ERROR", lambda: decode_packet_number(0, 0)),
        ("INTERNAL_ERROR", lambda: decode_packet_number(0, 1, PACKET_NUMBER_MAX + 1)),
        ("INTERNAL_ERROR", lambda: derive_packet_keys(CipherSuite.AES_256_GCM, SECRET)),
        ("INTERNAL_ERROR", lambda: header_protection(CipherSuite.AES_128_GCM, SECRET)),
        ("INTERNAL_ERROR", lambda: keys().seal(bytes(21), 0, 1, bytes(9))),
        ("INTERNAL_ERROR", lambda: keys().seal(b"", PACKET_NUMBER_MAX + 1, 1, bytes(9))),
        ("INTERNAL_ERROR", lambda: keys().seal(b"", 0, 0, bytes(9))),
        ("INTERNAL_ERROR", lambda: keys().seal(b"", 0, 5, bytes(9))),
        ("INTERNAL_ERROR", lambda: keys().seal(b"", 0, 4, b"")),
        ("INTERNAL_ERROR", lambda: keys().seal(b"", 0, 1, bytes(2))),
        ("INTERNAL_ERROR", lambda: keys().seal_raw(256, b"", 0, 1, bytes(9))),
        ("INTERNAL_ERROR", lambda: keys().seal_raw(0x40, b"", 0, 1, bytes(2))),
        ("INTERNAL_ERROR", lambda: ReceivedPackets(max_ranges=0)),
        ("INTERNAL_ERROR", lambda: ReceivedPackets(floor=-1)),
        ("INTERNAL_ERROR", lambda: ReceivedPackets().receive(-1)),
        ("INTERNAL_ERROR", lambda: ReceivedPackets().receive(PACKET_NUMBER_MAX + 1)),
        ("INTERNAL_ERROR", lambda: ReceivedPackets().forget_below(PACKET_NUMBER_MAX + 2)),
    ],
)
def test_impossible_values_have_a_typed_error(code: str, call: Callable[[], object]) -> None:
    with pytest.raises(QuicError) as caught:
        call()
    assert caught.value.name == code


def test_smallest_payloads_are_sealed() -> None:
    for suite in CipherSuite:
        for pn_len in (1, 2, 3, 4):
            packet = keys(suite).seal(b"", 0, pn_len, bytes(minimum_payload(pn_len)))
            assert len(packet) == max(1 + 4 + 16, 1 + pn_len + 1 + 16)


def test_errors_say_what_to_do() -> None:
    with pytest.raises(QuicError) as caught:
        parse_frames(b"\x07\x00")
    error = caught.value
    assert error.closes_connection
    assert error.code is TransportErrorCode.FRAME_ENCODING_ERROR
    assert error.frame_type == 7
    assert str(error) == "FRAME_ENCODING_ERROR in frame type 0x7: an empty token"
    with pytest.raises(QuicError) as caught:
        keys().open(b"", b"")
    assert caught.value.code is DropReason.TRUNCATED
    assert not caught.value.closes_connection
    assert str(caught.value) == "truncated: no bytes"


def test_error_codes_are_those_of_the_rfc() -> None:
    assert [code.value for code in TransportErrorCode] == list(range(0x11))


def test_nothing_shows_a_secret() -> None:
    protection = keys().next_generation()
    shown = repr(protection) + repr(protection.keys)
    for secret in (protection.keys.secret, protection.keys.key, protection.keys.iv):
        assert secret.hex() not in shown
        assert repr(secret) not in shown
    assert repr(protection) == "ShortHeaderProtection(aes-128-gcm, generation=1)"
    frame = NewConnectionIdFrame(1, 0, b"cid", SECRET[:16])
    assert repr(SECRET[:16]) not in repr(frame)


@pytest.mark.parametrize("kind", get_args(Frame))
def test_frames_are_frozen_and_slotted(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert "__slots__" in vars(kind)
    assert "__dict__" not in dir(kind)
    assert vars(kind)["__dataclass_params__"].frozen


def test_ack_delay_is_scaled_by_the_exponent() -> None:
    frame = AckFrame((AckRange(0, 0),), ack_delay=100)
    assert frame.delay_microseconds(3) == 800
    assert frame.delay_microseconds(0) == 100


def test_default_frames() -> None:
    assert PingFrame().encode() == b"\x01"
    assert PaddingFrame().encode() == b"\x00"
    assert DatagramFrame(b"x").encode() == b"\x31\x01x"
    assert ConnectionCloseFrame(0).encode() == b"\x1c\x00\x00\x00"


def test_received_packets_check_changes_nothing() -> None:
    tracker = ReceivedPackets()
    assert tracker.ack_frame() is None
    assert tracker.ecn_counts() is None
    tracker.check(5)
    tracker.receive(5)
    with pytest.raises(QuicError, match="duplicate"):
        tracker.check(5)
    tracker.forget_below(3)
    tracker.forget_below(1)
    assert (tracker.floor, tracker.largest) == (3, 5)
    with pytest.raises(QuicError, match="too_old"):
        tracker.receive(2)


def test_the_model_has_no_effects() -> None:
    imported = set()
    for path in (ROOT / "src/nexusnet/quic").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    assert "cryptography" in imported
    assert not imported & (IMPURE | {"aioquic"})
