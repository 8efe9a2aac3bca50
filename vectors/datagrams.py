# SPDX-License-Identifier: BSD-3-Clause
"""datagram_frame.json: payloads with DATAGRAM frames (RFC 9221 section 4)."""

from nexusnet.quic.errors import QuicError
from nexusnet.quic.frames import (
    AckFrame,
    AckRange,
    DatagramFrame,
    Frame,
    FrameType,
    PaddingFrame,
    PingFrame,
    encode_frames,
    parse_frames,
)
from nexusnet.quic.varint import encode_varint, varint_size
from vectors.expect import expect_error
from vectors.model import Datagram, DatagramVector, Vector
from vectors.seeded import seeded_bytes

SIZES = (0, 1, 62, 63, 64, 65, 1199, 1200, 1452, 16_382, 16_383, 16_384)


def _locate(frames: tuple[Frame, ...]) -> tuple[Datagram, ...]:
    """Return the datagrams with their place, for frames in their shortest encoding."""
    offset = 0
    found = []
    for frame in frames:
        offset += len(frame.encode())
        if isinstance(frame, DatagramFrame):
            found.append(
                Datagram(
                    type=FrameType.DATAGRAM_LEN if frame.has_length else FrameType.DATAGRAM,
                    offset=offset - len(frame.data),
                    length=len(frame.data),
                    data=frame.data,
                )
            )
    return tuple(found)


def _valid(name: str, frames: list[Frame], limit: int | None = None) -> DatagramVector:
    payload = encode_frames(frames)
    parsed = parse_frames(payload, max_datagram_frame_size=limit)
    datagrams = _locate(tuple(frames))
    if encode_frames(parsed) != payload or _locate(parsed) != datagrams:
        raise AssertionError(f"{name} does not parse to what was encoded")
    return DatagramVector(
        name=name,
        payload=payload,
        max_datagram_frame_size=limit,
        datagrams=datagrams,
        other_frames=len(parsed) - len(datagrams),
    )


def _invalid(name: str, payload: bytes, limit: int | None = None) -> DatagramVector:
    try:
        parse_frames(payload, max_datagram_frame_size=limit)
    except QuicError as error:
        return DatagramVector(
            name=name, payload=payload, max_datagram_frame_size=limit, error=error.name
        )
    raise AssertionError(f"{name} is valid")


def _long_length() -> DatagramVector:
    """Return a Length in a longer varint than needed, which is legal."""
    data = b"eight by"
    head = encode_varint(FrameType.DATAGRAM_LEN) + encode_varint(len(data), 8)
    if parse_frames(head + data) != (DatagramFrame(data),):
        raise AssertionError("a long Length is legal")
    place = Datagram(type=FrameType.DATAGRAM_LEN, offset=len(head), length=len(data), data=data)
    return DatagramVector(
        name="length_in_eight_bytes", payload=head + data, datagrams=(place,), other_frames=0
    )


def _several() -> list[Vector]:
    ping, padding = PingFrame(), PaddingFrame(7)
    ack = AckFrame((AckRange(0, 12),), ack_delay=3)
    small = DatagramFrame(b"\x00small")
    empty = DatagramFrame(b"")
    last = DatagramFrame(seeded_bytes("datagram last", 40), has_length=False)
    empty_last = DatagramFrame(b"", has_length=False)
    return [
        _valid("two_with_length", [small, DatagramFrame(b"\x01second")]),
        _valid("three_the_last_without_length", [small, empty, last]),
        _valid("several_empty", [empty, empty, empty]),
        _valid("empty_without_length_after_others", [small, empty_last]),
        _valid("trailing_padding", [small, padding]),
        _valid("trailing_ping", [small, ping]),
        _valid("ack_first_padding_last", [ack, small, empty, padding]),
        _valid("padding_first", [padding, last]),
        _valid(
            "all_to_the_end_is_data", [ping, DatagramFrame(b"\x00\x01\x30\x31", has_length=False)]
        ),
        _valid("no_datagram", [ping, padding]),
        _valid("a_packet_full_of_tiny_ones", [DatagramFrame(bytes([n])) for n in range(100)]),
    ]


def _limits() -> list[Vector]:
    """Return max_datagram_frame_size, which counts the whole frame (RFC 9221 section 3)."""
    vectors: list[Vector] = []
    for size in (0, 63, 64, 1200):
        data = seeded_bytes(f"datagram limit {size}", size)
        for has_length in (False, True):
            whole = 1 + size + (varint_size(size) if has_length else 0)
            frame = DatagramFrame(data, has_length)
            name = f"{size}_bytes_{'with' if has_length else 'without'}_length"
            vectors += [
                _valid(f"{name}_at_the_limit", [frame], limit=whole),
                _invalid(f"{name}_above_the_limit", frame.encode(), limit=whole - 1),
            ]
    second = encode_frames([DatagramFrame(bytes(9)), DatagramFrame(bytes(10))])
    vectors += [
        _valid("65535_means_any", [DatagramFrame(bytes(1200))], limit=65_535),
        _invalid("not_negotiated", DatagramFrame(b"x", has_length=False).encode(), limit=0),
        _invalid("second_above_the_limit", second, limit=11),
        _valid("other_frames_have_no_limit", [PingFrame(), PaddingFrame(90)], limit=0),
    ]
    return vectors


def datagram_vectors() -> list[Vector]:
    """Return both types at the edges of varints, several in a packet, limits, broken lengths."""
    vectors: list[Vector] = []
    for size in SIZES:
        data = seeded_bytes(f"datagram {size}", size)
        vectors += [
            _valid(f"without_length_{size}", [DatagramFrame(data, has_length=False)]),
            _valid(f"with_length_{size}", [DatagramFrame(data)]),
        ]
    vectors += [_long_length(), *_several(), *_limits()]
    good = DatagramFrame(seeded_bytes("datagram cut", 70)).encode()
    vectors += [
        _invalid("length_missing", good[:1]),
        _invalid("length_cut_off", good[:2]),
        _invalid("data_missing", good[:3]),
        _invalid("data_one_byte_short", good[:-1]),
        _invalid("length_2_62_minus_1", b"\x31" + b"\xff" * 8 + b"data"),
        _invalid("second_cut_off", DatagramFrame(b"first").encode() + good[:9]),
        _invalid("trailing_unknown_frame", DatagramFrame(b"first").encode() + b"\x21"),
        _invalid("type_in_two_bytes", b"\x40\x31\x00"),
        _invalid("type_without_length_in_four_bytes", b"\x80\x00\x00\x30data"),
        _invalid("type_0x32", b"\x32\x00"),
    ]
    if expect_error(parse_frames, b"\x31\x05four") != "FRAME_ENCODING_ERROR":
        raise AssertionError("a Length beyond the packet is a FRAME_ENCODING_ERROR")
    return vectors
