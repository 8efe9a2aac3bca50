# SPDX-License-Identifier: BSD-3-Clause
"""Frames of the C core in terms of the reference model, and examples of every frame."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from nexus_sim.core import Core
from nexusnet.quic import frames as model
from nexusnet.quic.frames import FrameType
from nexusnet.quic.packet_number import PACKET_NUMBER_MAX
from nexusnet.quic.varint import VARINT_MAX

STREAMS_MAX: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class CParseError:
    """What `nqd_frame_next` says of a malformed payload: code, and the offending type."""

    code: int
    frame_type: int


def parse(core: Core, payload: bytes) -> tuple[model.Frame, ...] | CParseError:
    """Walk `payload` with the C parser."""
    ffi, lib = core.ffi, core.lib
    # A heap block of the exact size, so that a read behind it is found by checking builds.
    buffer = ffi.from_buffer("u8[]", payload)
    iterator = ffi.new("struct nqd_frame_iter *")
    lib.nqd_frame_iter_init(iterator, buffer, len(payload))
    frame = ffi.new("struct nqd_frame *")
    found: list[model.Frame] = []
    covered = 0
    while (verdict := lib.nqd_frame_next(iterator, frame)) == 1:
        assert frame.bytes.offset == covered, "frames leave no byte out"
        covered += frame.bytes.len
        found.append(_to_model(core, frame, payload, buffer))
    if verdict == 0:
        assert covered == len(payload)
        return tuple(found)
    assert lib.nqd_frame_next(iterator, frame) == verdict, "an error is final"
    return CParseError(iterator.error, iterator.error_frame_type)


def _span(payload: bytes, span: Any) -> bytes:
    assert span.offset + span.len <= len(payload)
    return payload[span.offset : span.offset + span.len]


def ack_ranges(core: Core, frame: Any, buffer: Any) -> list[tuple[int, int]]:
    """Return the ranges of an ACK frame, as (smallest, largest), newest first."""
    ffi, lib = core.ffi, core.lib
    iterator = ffi.new("struct nqd_ack_iter *")
    smallest, largest = ffi.new("u64 *"), ffi.new("u64 *")
    lib.nqd_frame_ack_init(iterator, frame, buffer)
    ranges = []
    while lib.nqd_frame_ack_next(iterator, smallest, largest):
        ranges.append((smallest[0], largest[0]))
    return ranges


def _ack(core: Core, frame: Any, buffer: Any) -> model.AckFrame:
    ranges = ack_ranges(core, frame, buffer)
    counts = frame.ack.ecn
    return model.AckFrame(
        ranges=tuple(model.AckRange(*pair) for pair in ranges),
        ack_delay=frame.ack.delay,
        ecn=model.EcnCounts(counts.ect0, counts.ect1, counts.ce)
        if frame.type == FrameType.ACK_ECN
        else None,
    )


_Take = Callable[[Any], bytes]
"""Returns the bytes of a `struct nqd_span`."""


def _stream(f: Any, take: _Take) -> model.Frame:
    stream = f.stream
    has_length = bool(f.type & 2)
    return model.StreamFrame(stream.id, stream.offset, take(stream.data), stream.fin, has_length)


def _new_connection_id(f: Any, take: _Take) -> model.Frame:
    new = f.new_cid
    return model.NewConnectionIdFrame(
        new.sequence, new.retire_prior_to, take(new.cid), take(new.token)
    )


def _close(f: Any, take: _Take) -> model.Frame:
    named = f.type == FrameType.CONNECTION_CLOSE
    frame_type = f.close.frame_type if named else None
    return model.ConnectionCloseFrame(f.close.code, frame_type, take(f.close.reason))


_READ: Final[dict[int, Callable[[Any, _Take], model.Frame]]] = {
    FrameType.PADDING: lambda f, _: model.PaddingFrame(f.bytes.len),
    FrameType.PING: lambda _f, _: model.PingFrame(),
    FrameType.RESET_STREAM: lambda f, _: model.ResetStreamFrame(
        f.stream.id, f.stream.error, f.stream.offset
    ),
    FrameType.STOP_SENDING: lambda f, _: model.StopSendingFrame(f.stream.id, f.stream.error),
    FrameType.CRYPTO: lambda f, take: model.CryptoFrame(f.stream.offset, take(f.stream.data)),
    FrameType.NEW_TOKEN: lambda f, take: model.NewTokenFrame(take(f.data)),
    **dict.fromkeys(range(FrameType.STREAM, FrameType.STREAM + 8), _stream),
    FrameType.MAX_DATA: lambda f, _: model.MaxDataFrame(f.limit.value),
    FrameType.MAX_STREAM_DATA: lambda f, _: model.MaxStreamDataFrame(f.limit.id, f.limit.value),
    FrameType.MAX_STREAMS_BIDI: lambda f, _: model.MaxStreamsFrame(f.limit.value),
    FrameType.MAX_STREAMS_UNI: lambda f, _: model.MaxStreamsFrame(
        f.limit.value, unidirectional=True
    ),
    FrameType.DATA_BLOCKED: lambda f, _: model.DataBlockedFrame(f.limit.value),
    FrameType.STREAM_DATA_BLOCKED: lambda f, _: model.StreamDataBlockedFrame(
        f.limit.id, f.limit.value
    ),
    FrameType.STREAMS_BLOCKED_BIDI: lambda f, _: model.StreamsBlockedFrame(f.limit.value),
    FrameType.STREAMS_BLOCKED_UNI: lambda f, _: model.StreamsBlockedFrame(
        f.limit.value, unidirectional=True
    ),
    FrameType.NEW_CONNECTION_ID: _new_connection_id,
    FrameType.RETIRE_CONNECTION_ID: lambda f, _: model.RetireConnectionIdFrame(f.retired),
    FrameType.PATH_CHALLENGE: lambda f, take: model.PathChallengeFrame(take(f.data)),
    FrameType.PATH_RESPONSE: lambda f, take: model.PathResponseFrame(take(f.data)),
    FrameType.CONNECTION_CLOSE: _close,
    FrameType.CONNECTION_CLOSE_APPLICATION: _close,
    FrameType.HANDSHAKE_DONE: lambda _f, _: model.HandshakeDoneFrame(),
    FrameType.DATAGRAM: lambda f, take: model.DatagramFrame(take(f.data), has_length=False),
    FrameType.DATAGRAM_LEN: lambda f, take: model.DatagramFrame(take(f.data)),
}


def _to_model(core: Core, f: Any, payload: bytes, buffer: Any) -> model.Frame:
    if f.type in {FrameType.ACK, FrameType.ACK_ECN}:
        return _ack(core, f, buffer)
    return _READ[f.type](f, lambda span: _span(payload, span))


def build(core: Core, frame: model.Frame, room: int = 4096) -> bytes | int:
    """Write `frame` with the C builder; a negative number is its error."""
    buffer = core.ffi.new("u8[]", b"\xee" * (room + 8))
    written = _put(core, frame, buffer, room)
    result = bytes(buffer)
    assert result[max(written, 0) :].strip(b"\xee") == b"\0", "bytes written where none were due"
    return int(written) if written < 0 else result[:written]


def _counted(data: bytes) -> tuple[bytes, int]:
    return data, len(data)


_WRITE: Final[dict[type[Any], tuple[str, Callable[[Any], tuple[Any, ...]]]]] = {
    model.PaddingFrame: ("padding", lambda f: (f.length,)),
    model.PingFrame: ("ping", lambda _: ()),
    model.ResetStreamFrame: ("reset_stream", lambda f: (f.stream_id, f.error_code, f.final_size)),
    model.StopSendingFrame: ("stop_sending", lambda f: (f.stream_id, f.error_code)),
    model.CryptoFrame: ("crypto", lambda f: (f.offset, *_counted(f.data))),
    model.NewTokenFrame: ("new_token", lambda f: _counted(f.token)),
    model.StreamFrame: ("stream", lambda f: (f.stream_id, f.offset, *_counted(f.data), f.fin)),
    model.MaxDataFrame: ("limit", lambda f: (FrameType.MAX_DATA, 0, f.maximum)),
    model.MaxStreamDataFrame: (
        "limit",
        lambda f: (FrameType.MAX_STREAM_DATA, f.stream_id, f.maximum),
    ),
    model.MaxStreamsFrame: (
        "limit",
        lambda f: (FrameType.MAX_STREAMS_BIDI + f.unidirectional, 0, f.maximum),
    ),
    model.DataBlockedFrame: ("limit", lambda f: (FrameType.DATA_BLOCKED, 0, f.limit)),
    model.StreamDataBlockedFrame: (
        "limit",
        lambda f: (FrameType.STREAM_DATA_BLOCKED, f.stream_id, f.limit),
    ),
    model.StreamsBlockedFrame: (
        "limit",
        lambda f: (FrameType.STREAMS_BLOCKED_BIDI + f.unidirectional, 0, f.limit),
    ),
    model.NewConnectionIdFrame: (
        "new_connection_id",
        lambda f: (
            f.sequence_number,
            f.retire_prior_to,
            *_counted(f.connection_id),
            f.stateless_reset_token,
        ),
    ),
    model.RetireConnectionIdFrame: ("retire_connection_id", lambda f: (f.sequence_number,)),
    model.PathChallengeFrame: ("path_challenge", lambda f: (f.data,)),
    model.PathResponseFrame: ("path_response", lambda f: (f.data,)),
    model.HandshakeDoneFrame: ("handshake_done", lambda _: ()),
}


def _put(core: Core, frame: model.Frame, p: Any, room: int) -> int:
    lib = core.lib
    match frame:
        case model.AckFrame():
            written = _put_ack(core, frame, p, room)
        case model.ConnectionCloseFrame(code, None, reason):
            written = lib.nqd_frame_put_connection_close_app(p, room, code, *_counted(reason))
        case model.ConnectionCloseFrame(code, frame_type, reason):
            written = lib.nqd_frame_put_connection_close(
                p, room, code, frame_type, *_counted(reason)
            )
        case model.DatagramFrame(data, has_length):
            # The core writes what stands before the data; its homes put the data there themselves.
            written = lib.nqd_frame_put_datagram_header(p, room, has_length, len(data))
            if written >= 0:
                core.ffi.memmove(p + written, data, len(data))
                written += len(data)
        case _:
            name, fields = _WRITE[type(frame)]
            written = getattr(lib, f"nqd_frame_put_{name}")(p, room, *fields(frame))
    return int(written)


def _put_ack(core: Core, frame: model.AckFrame, p: Any, room: int) -> int:
    pairs = [(part.smallest, part.largest) for part in frame.ranges]
    ranges = core.ffi.new("struct nqd_pn_range[]", pairs)
    counts = core.ffi.NULL
    if frame.ecn is not None:
        fields = {"ect0": frame.ecn.ect0, "ect1": frame.ecn.ect1, "ce": frame.ecn.ce}
        counts = core.ffi.new("struct nqd_ecn_counts *", fields)
    put = core.lib.nqd_frame_put_ack
    return int(put(p, room, ranges, len(pairs), frame.ack_delay, counts))


def _numbers(limit: int = VARINT_MAX) -> st.SearchStrategy[int]:
    edges = [0, 63, 64, 16_383, 16_384, (1 << 30) - 1, 1 << 30, limit]
    return st.one_of(st.sampled_from(edges), st.integers(0, 255), st.integers(0, limit))


@st.composite
def _ack_frames(draw: st.DrawFn) -> model.AckFrame:
    top = draw(_numbers(PACKET_NUMBER_MAX))
    steps = draw(st.lists(st.tuples(_numbers(1 << 20), _numbers(1 << 20)), min_size=1, max_size=80))
    ranges: list[model.AckRange] = []
    for gap, length in steps:
        if top < 0:
            break
        smallest = max(top - length, 0)
        ranges.append(model.AckRange(smallest, top))
        top = smallest - gap - 2
    ecn = draw(st.none() | st.builds(model.EcnCounts, _numbers(), _numbers(), _numbers()))
    return model.AckFrame(tuple(ranges), draw(_numbers()), ecn)


def all_frames() -> st.SearchStrategy[model.Frame]:
    """Every frame of a 1-RTT packet that the core can also write, with fields at their limits."""
    numbers, data = _numbers(), st.binary(max_size=40)
    offsets = st.integers(0, 5).map(lambda step: VARINT_MAX - 40 - step) | _numbers(1 << 40)
    return st.one_of(
        st.builds(model.PaddingFrame, st.integers(1, 30)),
        st.just(model.PingFrame()),
        _ack_frames(),
        st.builds(model.ResetStreamFrame, numbers, numbers, numbers),
        st.builds(model.StopSendingFrame, numbers, numbers),
        st.builds(model.CryptoFrame, offsets, data),
        st.builds(model.NewTokenFrame, st.binary(min_size=1, max_size=40)),
        st.builds(model.StreamFrame, numbers, offsets, data, st.booleans()),
        st.builds(model.MaxDataFrame, numbers),
        st.builds(model.MaxStreamDataFrame, numbers, numbers),
        st.builds(model.MaxStreamsFrame, _numbers(STREAMS_MAX), st.booleans()),
        st.builds(model.DataBlockedFrame, numbers),
        st.builds(model.StreamDataBlockedFrame, numbers, numbers),
        st.builds(model.StreamsBlockedFrame, _numbers(STREAMS_MAX), st.booleans()),
        st.tuples(numbers, numbers, st.binary(min_size=1, max_size=20)).map(
            lambda t: model.NewConnectionIdFrame(max(t[:2]), min(t[:2]), t[2], bytes(range(16)))
        ),
        st.builds(model.RetireConnectionIdFrame, numbers),
        st.builds(model.PathChallengeFrame, st.binary(min_size=8, max_size=8)),
        st.builds(model.PathResponseFrame, st.binary(min_size=8, max_size=8)),
        st.builds(model.ConnectionCloseFrame, numbers, st.none() | numbers, data),
        st.just(model.HandshakeDoneFrame()),
        st.builds(model.DatagramFrame, data),
    )


def last_frames() -> st.SearchStrategy[model.Frame]:
    """Frames without a length, which end a packet."""
    return st.builds(model.DatagramFrame, st.binary(max_size=40), has_length=st.just(value=False))
