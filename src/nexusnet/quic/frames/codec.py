# SPDX-License-Identifier: BSD-3-Clause
"""From the payload of a 1-RTT packet to frames, and back (RFC 9000 sections 12.4 and 19)."""

from collections.abc import Callable, Iterable
from typing import Final

from nexusnet.quic.errors import frame_encoding_error, protocol_violation
from nexusnet.quic.frames.ack import AckFrame
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
from nexusnet.quic.frames.types import STREAM_LAST, FrameType
from nexusnet.quic.reader import Reader
from nexusnet.quic.varint import varint_size

Frame = (
    AckFrame
    | ConnectionCloseFrame
    | CryptoFrame
    | DataBlockedFrame
    | DatagramFrame
    | HandshakeDoneFrame
    | MaxDataFrame
    | MaxStreamDataFrame
    | MaxStreamsFrame
    | NewConnectionIdFrame
    | NewTokenFrame
    | PaddingFrame
    | PathChallengeFrame
    | PathResponseFrame
    | PingFrame
    | ResetStreamFrame
    | RetireConnectionIdFrame
    | StopSendingFrame
    | StreamDataBlockedFrame
    | StreamFrame
    | StreamsBlockedFrame
)

_PARSERS: Final[dict[int, Callable[[int, Reader], Frame]]] = {
    FrameType.PADDING: PaddingFrame.parse,
    FrameType.PING: PingFrame.parse,
    FrameType.ACK: AckFrame.parse,
    FrameType.ACK_ECN: AckFrame.parse,
    FrameType.RESET_STREAM: ResetStreamFrame.parse,
    FrameType.STOP_SENDING: StopSendingFrame.parse,
    FrameType.CRYPTO: CryptoFrame.parse,
    FrameType.NEW_TOKEN: NewTokenFrame.parse,
    **dict.fromkeys(range(FrameType.STREAM, STREAM_LAST + 1), StreamFrame.parse),
    FrameType.MAX_DATA: MaxDataFrame.parse,
    FrameType.MAX_STREAM_DATA: MaxStreamDataFrame.parse,
    FrameType.MAX_STREAMS_BIDI: MaxStreamsFrame.parse,
    FrameType.MAX_STREAMS_UNI: MaxStreamsFrame.parse,
    FrameType.DATA_BLOCKED: DataBlockedFrame.parse,
    FrameType.STREAM_DATA_BLOCKED: StreamDataBlockedFrame.parse,
    FrameType.STREAMS_BLOCKED_BIDI: StreamsBlockedFrame.parse,
    FrameType.STREAMS_BLOCKED_UNI: StreamsBlockedFrame.parse,
    FrameType.NEW_CONNECTION_ID: NewConnectionIdFrame.parse,
    FrameType.RETIRE_CONNECTION_ID: RetireConnectionIdFrame.parse,
    FrameType.PATH_CHALLENGE: PathChallengeFrame.parse,
    FrameType.PATH_RESPONSE: PathResponseFrame.parse,
    FrameType.CONNECTION_CLOSE: ConnectionCloseFrame.parse,
    FrameType.CONNECTION_CLOSE_APPLICATION: ConnectionCloseFrame.parse,
    FrameType.HANDSHAKE_DONE: HandshakeDoneFrame.parse,
    FrameType.DATAGRAM: DatagramFrame.parse,
    FrameType.DATAGRAM_LEN: DatagramFrame.parse,
}


def parse_frame(reader: Reader, *, max_datagram_frame_size: int | None = None) -> Frame:
    """Read one frame (of PADDING, a whole run).

    Args:
        reader: payload of a 1-RTT packet, not at its end.
        max_datagram_frame_size: the transport parameter this end sent, in bytes; None: no limit;
            0: DATAGRAM was not negotiated.

    Raises:
        QuicError: FRAME_ENCODING_ERROR for an unknown type, truncation or a value that the frame's
            definition forbids; PROTOCOL_VIOLATION for a type encoded at undue length and for a
            DATAGRAM above the limit.
    """
    start = reader.offset
    frame_type = reader.varint()
    parse = _PARSERS.get(frame_type)
    # RFC 9000 section 12.4: unknown types are an error, not skipped; they have no length.
    if parse is None:
        raise frame_encoding_error("unknown frame type", frame_type)
    # RFC 9000 section 12.4: the shortest encoding, or PROTOCOL_VIOLATION, which it leaves open.
    if reader.offset - start != varint_size(frame_type):
        raise protocol_violation("frame type not in its shortest encoding", frame_type)
    frame = parse(frame_type, reader)
    # RFC 9221 section 3: the limit covers type, length and data of the frame.
    if (
        max_datagram_frame_size is not None
        and isinstance(frame, DatagramFrame)
        and reader.offset - start > max_datagram_frame_size
    ):
        raise protocol_violation(
            f"{reader.offset - start} bytes of DATAGRAM frame, {max_datagram_frame_size} allowed",
            frame_type,
        )
    return frame


def parse_frames(
    payload: bytes, *, max_datagram_frame_size: int | None = None
) -> tuple[Frame, ...]:
    """Read all frames of a 1-RTT packet.

    Args:
        payload: of the packet, without its protection.
        max_datagram_frame_size: see `parse_frame`.

    Raises:
        QuicError: as `parse_frame`; PROTOCOL_VIOLATION where there is no frame.
    """
    # RFC 9000 section 12.4: a packet without frames.
    if not payload:
        raise protocol_violation("no frames in a packet")
    reader = Reader(payload)
    frames = []
    while reader.remaining:
        frames.append(parse_frame(reader, max_datagram_frame_size=max_datagram_frame_size))
    return tuple(frames)


def encode_frames(frames: Iterable[Frame]) -> bytes:
    """Return the payload of a packet; a frame without a length must be the last.

    Raises:
        QuicError: INTERNAL_ERROR for a field that has no encoding.
    """
    return b"".join(frame.encode() for frame in frames)


def is_ack_eliciting(frame: Frame) -> bool:
    """Tell whether a packet with this frame has to be acknowledged (RFC 9000 section 13.2)."""
    return not isinstance(frame, AckFrame | PaddingFrame | ConnectionCloseFrame)
