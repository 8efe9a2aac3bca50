# SPDX-License-Identifier: BSD-3-Clause
"""Hypothesis strategies: everything that can be built can be sent."""

from hypothesis import strategies as st

from nexusnet.quic.frames import (
    AckFrame,
    AckRange,
    ConnectionCloseFrame,
    CryptoFrame,
    DataBlockedFrame,
    DatagramFrame,
    EcnCounts,
    Frame,
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
)
from nexusnet.quic.frames.flow_control import STREAMS_MAX
from nexusnet.quic.varint import VARINT_MAX

EDGES = (0, 63, 64, 16_383, 16_384, (1 << 30) - 1, 1 << 30, VARINT_MAX)
varints = st.one_of(st.sampled_from(EDGES), st.integers(0, VARINT_MAX))
data = st.binary(max_size=100)
eight = st.binary(min_size=8, max_size=8)
streams = st.one_of(st.just(STREAMS_MAX), st.integers(0, STREAMS_MAX))


@st.composite
def ack_ranges(draw: st.DrawFn) -> tuple[AckRange, ...]:
    steps = st.one_of(st.integers(0, 100), st.integers(0, 1 << 40))
    top = draw(varints)
    ranges: list[AckRange] = []
    for _ in range(draw(st.integers(1, 40))):
        bottom = max(0, top - draw(steps))
        ranges.append(AckRange(bottom, top))
        top = bottom - 2 - draw(steps)
        if top < 0:
            break
    return tuple(ranges)


ecn_counts = st.builds(EcnCounts, varints, varints, varints)
ack_frames = st.builds(AckFrame, ack_ranges(), varints, st.none() | ecn_counts)


@st.composite
def new_connection_ids(draw: st.DrawFn) -> NewConnectionIdFrame:
    sequence_number = draw(varints)
    return NewConnectionIdFrame(
        sequence_number,
        draw(st.integers(0, sequence_number)),
        draw(st.binary(min_size=1, max_size=20)),
        draw(st.binary(min_size=16, max_size=16)),
    )


offsets = st.integers(0, VARINT_MAX - 100)

# Frames that say where they end, in any order; a run of PADDING is one frame.
delimited: st.SearchStrategy[Frame] = st.one_of(
    ack_frames,
    st.just(PingFrame()),
    st.just(HandshakeDoneFrame()),
    st.builds(PaddingFrame, st.integers(1, 50)),
    st.builds(ResetStreamFrame, varints, varints, varints),
    st.builds(StopSendingFrame, varints, varints),
    st.builds(CryptoFrame, offsets, data),
    st.builds(NewTokenFrame, st.binary(min_size=1, max_size=100)),
    st.builds(StreamFrame, varints, offsets, data, st.booleans()),
    st.builds(MaxDataFrame, varints),
    st.builds(MaxStreamDataFrame, varints, varints),
    st.builds(MaxStreamsFrame, streams, st.booleans()),
    st.builds(DataBlockedFrame, varints),
    st.builds(StreamDataBlockedFrame, varints, varints),
    st.builds(StreamsBlockedFrame, streams, st.booleans()),
    new_connection_ids(),
    st.builds(RetireConnectionIdFrame, varints),
    st.builds(PathChallengeFrame, eight),
    st.builds(PathResponseFrame, eight),
    st.builds(ConnectionCloseFrame, varints, st.none() | varints, data),
    st.builds(DatagramFrame, data),
)
# Frames that reach to the end of the packet.
open_ended: st.SearchStrategy[Frame] = st.one_of(
    st.builds(DatagramFrame, data, st.just(value=False)),
    st.builds(StreamFrame, varints, offsets, data, st.booleans(), st.just(value=False)),
)


@st.composite
def payloads(draw: st.DrawFn) -> tuple[Frame, ...]:
    frames: list[Frame] = []
    for frame in draw(st.lists(delimited, max_size=8)):
        # Two runs of PADDING side by side are one on the wire.
        if frames and isinstance(frame, PaddingFrame) and isinstance(frames[-1], PaddingFrame):
            continue
        frames.append(frame)
    if not frames or draw(st.booleans()):
        frames.append(draw(open_ended))
    return tuple(frames)
