# SPDX-License-Identifier: BSD-3-Clause
"""Every frame of a 1-RTT packet: one frozen dataclass each, with `parse` and `encode`."""

from nexusnet.quic.frames.ack import AckFrame, AckRange, EcnCounts
from nexusnet.quic.frames.codec import (
    Frame,
    encode_frames,
    is_ack_eliciting,
    parse_frame,
    parse_frames,
)
from nexusnet.quic.frames.connection import (
    ConnectionCloseFrame,
    HandshakeDoneFrame,
    NewConnectionIdFrame,
    NewTokenFrame,
    PaddingFrame,
    PathChallengeFrame,
    PathResponseFrame,
    PingFrame,
    RetireConnectionIdFrame,
)
from nexusnet.quic.frames.datagram import DatagramFrame
from nexusnet.quic.frames.flow_control import (
    DataBlockedFrame,
    MaxDataFrame,
    MaxStreamDataFrame,
    MaxStreamsFrame,
    StreamDataBlockedFrame,
    StreamsBlockedFrame,
)
from nexusnet.quic.frames.stream import (
    CryptoFrame,
    ResetStreamFrame,
    StopSendingFrame,
    StreamFrame,
)
from nexusnet.quic.frames.types import FrameType

__all__ = [
    "AckFrame",
    "AckRange",
    "ConnectionCloseFrame",
    "CryptoFrame",
    "DataBlockedFrame",
    "DatagramFrame",
    "EcnCounts",
    "Frame",
    "FrameType",
    "HandshakeDoneFrame",
    "MaxDataFrame",
    "MaxStreamDataFrame",
    "MaxStreamsFrame",
    "NewConnectionIdFrame",
    "NewTokenFrame",
    "PaddingFrame",
    "PathChallengeFrame",
    "PathResponseFrame",
    "PingFrame",
    "ResetStreamFrame",
    "RetireConnectionIdFrame",
    "StopSendingFrame",
    "StreamDataBlockedFrame",
    "StreamFrame",
    "StreamsBlockedFrame",
    "encode_frames",
    "is_ack_eliciting",
    "parse_frame",
    "parse_frames",
]
