# SPDX-License-Identifier: BSD-3-Clause
"""Frames: the C parser and builder against the reference model, written apart from them."""

import errno

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nexus_sim.core import Core
from nexusnet.quic import frames as model
from nexusnet.quic.errors import QuicError, TransportErrorCode
from nexusnet.quic.frames import FrameType, encode_frames, is_ack_eliciting, parse_frames
from nexusnet.quic.varint import encode_varint
from tests.proto.wire.frame_model import (
    CParseError,
    all_frames,
    build,
    last_frames,
    parse,
)

PAYLOADS = st.tuples(st.lists(all_frames(), max_size=6), st.lists(last_frames(), max_size=1)).map(
    lambda parts: encode_frames([*parts[0], *parts[1]])
)


def modelled(payload: bytes) -> tuple[model.Frame, ...] | int:
    """Return the frames that the model finds, or the code of its error."""
    try:
        return parse_frames(payload)
    except QuicError as error:
        return int(error.code.value)


def assert_same(core: Core, payload: bytes) -> None:
    """Both parsers find the same frames, or close with the same error."""
    found = parse(core, payload)
    assert (found.code if isinstance(found, CParseError) else found) == modelled(payload)


@given(payload=PAYLOADS)
def test_well_formed(core: Core, payload: bytes) -> None:
    assert_same(core, payload)


@given(payload=PAYLOADS, data=st.data())
def test_mutated(core: Core, payload: bytes, data: st.DataObject) -> None:
    """A byte changed, removed or inserted; or the end cut off."""
    if not payload:
        return
    at = data.draw(st.integers(0, len(payload) - 1))
    kept = data.draw(st.sampled_from([at, at + 1, len(payload)]))
    byte = data.draw(st.binary(max_size=1))
    assert_same(core, payload[:at] + byte + payload[kept:])


@given(payload=st.binary(max_size=64))
@example(b"")
@example(b"\x40\x00")  # PADDING at undue length
@example(b"\x40\x2f")  # unknown, at undue length
@example(b"\x1f")
@example(b"\x02\x05\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00")  # 2^62-1 further ranges
@example(b"\x06\xff\xff\xff\xff\xff\xff\xff\xff\x01a")  # ends beyond 2^62-1
def test_random_bytes(core: Core, payload: bytes) -> None:
    assert_same(core, payload)


@given(frame=all_frames())
def test_cut_anywhere(core: Core, frame: model.Frame) -> None:
    encoded = frame.encode()
    for length in range(len(encoded)):
        assert_same(core, encoded[:length])


@given(frame=st.one_of(all_frames(), last_frames()))
def test_built(core: Core, frame: model.Frame) -> None:
    assert build(core, frame) == frame.encode()


@given(frame=all_frames(), less=st.integers(1, 100))
def test_built_with_too_little_room(core: Core, frame: model.Frame, less: int) -> None:
    encoded = frame.encode()
    room = max(len(encoded) - less, 0)
    built = build(core, frame, room)
    if isinstance(frame, model.AckFrame) and isinstance(built, bytes):
        # The oldest ranges give way; what is left must fit, and one more must not.
        assert len(built) <= room
        (fitted,) = parse_frames(built)
        assert isinstance(fitted, model.AckFrame)
        count = len(fitted.ranges)
        assert fitted == model.AckFrame(frame.ranges[:count], frame.ack_delay, frame.ecn)
        more = model.AckFrame(frame.ranges[: count + 1], frame.ack_delay, frame.ecn)
        assert len(more.encode()) > room
    elif isinstance(frame, model.DatagramFrame):
        # Only the header is the core's; the room is for that.
        assert built in {-errno.ENOSPC, encoded}
    else:
        assert built == -errno.ENOSPC


HAND_UP = {
    FrameType.RESET_STREAM,
    FrameType.STOP_SENDING,
    FrameType.CRYPTO,
    FrameType.NEW_TOKEN,
    FrameType.NEW_CONNECTION_ID,
    FrameType.RETIRE_CONNECTION_ID,
    *range(FrameType.STREAM, FrameType.STREAM + 8),
}


@given(frame=all_frames())
def test_classes(core: Core, frame: model.Frame) -> None:
    kind = frame.encode()[0]
    assert core.lib.nqd_frame_ack_eliciting(kind) == is_ack_eliciting(frame)
    hand_up = core.lib.nqd_frame_class(kind) == core.lib.NQD_FRAME_HAND_UP
    assert hand_up == (kind in HAND_UP)
    # RFC 9000 section 9.1.
    assert core.lib.nqd_frame_probing(kind) == isinstance(
        frame,
        model.PaddingFrame
        | model.NewConnectionIdFrame
        | model.PathChallengeFrame
        | model.PathResponseFrame,
    )
    only_servers = isinstance(frame, model.NewTokenFrame | model.HandshakeDoneFrame)
    assert core.lib.nqd_frame_from_client(kind) == (not only_servers)


@given(delay=st.integers(0, (1 << 62) - 1), exponent=st.integers(0, 20))
def test_ack_delay(core: Core, delay: int, exponent: int) -> None:
    frame = core.ffi.new("struct nqd_frame *")
    frame.ack.delay = delay
    found = core.lib.nqd_frame_ack_delay(frame, exponent)
    exact = (delay << exponent) * 1000
    assert found == exact or (found == (1 << 64) - 1 and exact >= 4 * 3600 * 10**9)


def test_error_names_the_frame(core: Core) -> None:
    found = parse(core, b"\x01\x00\x18\x05\x06")
    assert found == CParseError(
        TransportErrorCode.FRAME_ENCODING_ERROR, FrameType.NEW_CONNECTION_ID
    )


@pytest.mark.parametrize("kind", [0x1F, 0x20, 0x2F, 0x32, 0x3F, 0x40, 0xAF, 0x3FFF, 1 << 40])
def test_unknown_types(core: Core, kind: int) -> None:
    assert parse(core, encode_varint(kind)) == CParseError(
        TransportErrorCode.FRAME_ENCODING_ERROR, kind
    )
