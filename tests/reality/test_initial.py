# SPDX-License-Identifier: BSD-3-Clause
"""Long headers, Initial packets and hellos of strangers, as they arrive."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.quic.errors import QuicError
from nexusnet.reality.crypto_stream import MAX_GAPS, MAX_MESSAGE, FirstMessage, Progress
from nexusnet.reality.initial import CryptoFragment, is_answer, open_initial
from nexusnet.reality.long_header import (
    PacketType,
    parse_long_header,
    split_datagram,
)
from tests.reality.hellos import Hello, message
from tests.reality.initials import crypto_frame, initial, new_dcid, source_connection_id

RFC_DCID = bytes.fromhex("8394c8f03e515708")
# RFC 9001 appendix A.3: the server's Initial, protected.
RFC_SERVER_INITIAL = bytes.fromhex(
    "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a"
    "5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3db"
    "cba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f"
    "8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4215840"
    "7dd074ee"
)
HELLO = Hello().encode()


def test_rfc_9001_server_initial() -> None:
    (packet,) = split_datagram(RFC_SERVER_INITIAL)
    assert packet.packet_type is PacketType.INITIAL
    assert (packet.dcid, packet.scid) == (b"", bytes.fromhex("f067a5502a4262b5"))
    payload = open_initial(RFC_DCID, RFC_SERVER_INITIAL, packet, from_client=False)
    assert payload is not None
    assert payload.packet_number == 1
    assert [fragment.offset for fragment in payload.fragments] == [0]
    assert payload.fragments[0].data.startswith(bytes.fromhex("020000560303eefce7f7b37b"))
    assert open_initial(RFC_DCID, RFC_SERVER_INITIAL, packet, from_client=True) is None


@pytest.mark.parametrize("pn_length", [1, 2, 3, 4])
def test_what_aioquic_seals_is_opened(pn_length: int) -> None:
    dcid = new_dcid()
    frames = b"\x01" + crypto_frame(5, b"later") + b"\0\0\0" + crypto_frame(0, b"first")
    datagram = initial(frames, dcid, pn=7, pn_length=pn_length, token=b"t" * 70)
    (packet,) = split_datagram(datagram)
    assert packet.token == b"t" * 70
    payload = open_initial(dcid, datagram, packet, from_client=True)
    assert payload is not None
    assert payload.packet_number == 7
    assert payload.fragments == (CryptoFragment(5, b"later"), CryptoFragment(0, b"first"))
    assert payload.frame_count == 5
    assert not payload.closes
    for at in (0, 20, 200, len(datagram) - 1):
        changed = bytearray(datagram)
        changed[at] ^= 0x01
        packets = list(split_datagram(bytes(changed)))
        opened = [open_initial(dcid, bytes(changed), one, from_client=True) for one in packets]
        assert not any(opened), at


@pytest.mark.parametrize(
    "frames",
    [
        b"\x08\0",
        b"\x06\x40",
        b"\x06\0\x44\0abc",
        b"\x02\x05\0\xbf\xff\xff\xff\0",
        b"\x1c\0\0\x7f\xff",
        b"\x1e",
    ],
    ids=["stream", "cut", "long", "ack", "close", "done"],
)
def test_malformed_frames_are_an_error(frames: bytes) -> None:
    dcid = new_dcid()
    # No padding behind, which would be taken for more of the frame.
    datagram = initial(frames.rjust(8, b"\x01"), dcid, size=0)
    (packet,) = split_datagram(datagram)
    with pytest.raises(QuicError):
        open_initial(dcid, datagram, packet, from_client=True)


def test_ack_and_close_are_skipped() -> None:
    dcid = new_dcid()
    frames = b"\x03\x09\x01\x01\0\x02\x01\x01\x02\x03" + crypto_frame(0, b"x") + b"\x1c\0\0\x02no"
    datagram = initial(frames, dcid)
    (packet,) = split_datagram(datagram)
    payload = open_initial(dcid, datagram, packet, from_client=True)
    assert payload is not None
    assert payload.fragments == (CryptoFragment(0, b"x"),)
    assert payload.closes


@given(st.sampled_from([b"", b"\xc0\0\0\0\1"]), st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(front: bytes, rest: bytes) -> None:
    data = front + rest
    packets = list(split_datagram(data))
    assert all(packet.end <= len(data) for packet in packets)
    for packet in packets:
        if packet.packet_type is PacketType.INITIAL:
            assert open_initial(packet.dcid, data, packet, from_client=True) is None


@given(st.binary(max_size=60))
def test_the_source_connection_id_of_anything(data: bytes) -> None:
    packet = parse_long_header(data)
    if packet is not None:
        assert source_connection_id(data) == packet.scid
    elif not data or not data[0] & 0x80:
        assert source_connection_id(data) == b""
    assert source_connection_id(RFC_SERVER_INITIAL) == bytes.fromhex("f067a5502a4262b5")


def test_what_is_an_answer() -> None:
    dcid = new_dcid()

    def from_server(frames: bytes) -> bytes:
        return initial(frames, b"", scid=bytes(8), keys_of=dcid, from_client=False)

    assert not is_answer(dcid, from_server(b"\x02\0\0\0\0"))
    assert not is_answer(dcid, from_server(b"\x01"))
    assert is_answer(dcid, from_server(crypto_frame(0, b"\x02")))
    assert is_answer(dcid, from_server(b"\x1c\0\0\0"))
    assert is_answer(dcid, from_server(b"\x1e" * 8))
    assert is_answer(new_dcid(), from_server(b"\x01"))
    for other in (b"\x40short", b"\x80\0\0\0\0\0\0\0\0\0\1", b"", b"\xf0\0\0\0\1\0\0" + bytes(20)):
        assert is_answer(dcid, other)


def test_coalesced_packets_are_told_apart() -> None:
    dcid = new_dcid()
    first = initial(crypto_frame(0, b"abc"), dcid, size=100)
    handshake = b"\xe0\0\0\0\1\x08" + dcid + b"\0" + b"\x40\x20" + bytes(32)
    packets = list(split_datagram(first + handshake + b"\x40short"))
    assert [packet.packet_type for packet in packets] == [PacketType.INITIAL, PacketType.HANDSHAKE]
    assert [packet.size for packet in packets] == [len(first), len(handshake)]


def test_what_is_no_version_1_header() -> None:
    assert parse_long_header(b"\x40abc") is None
    # Other versions have longer connection IDs and no Fixed Bit.
    other = parse_long_header(b"\x80\xff\0\0\x1d" + b"\x15" + bytes(21) + b"\0rest")
    assert other is not None
    assert other.packet_type is PacketType.OTHER_VERSION
    assert len(other.dcid) == 21
    assert parse_long_header(b"\xc0\0\0\0\1" + b"\x15" + bytes(21) + b"\0\0\x04abcd") is None
    assert parse_long_header(b"\x80\0\0\0\1" + b"\0\0\0\x04abcd") is None
    negotiation = parse_long_header(b"\x80\0\0\0\0\0\0\0\0\0\1")
    assert negotiation is not None
    assert negotiation.packet_type is PacketType.VERSION_NEGOTIATION


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_a_hello_in_any_order_with_overlaps(seed: int, pieces: int) -> None:
    rng = random.Random(seed)
    cuts = sorted(rng.sample(range(1, len(HELLO)), min(pieces, len(HELLO) - 1)))
    edges = [0, *cuts, len(HELLO)]
    fragments = []
    for start, end in itertools.pairwise(edges):
        low, high = max(0, start - rng.randrange(3)), min(len(HELLO), end + rng.randrange(3))
        fragments.append(CryptoFragment(low, HELLO[low:high]))
    rng.shuffle(fragments)
    assembled = FirstMessage(1)
    for fragment in fragments:
        assembled.add(fragment)
    assert assembled.progress is Progress.COMPLETE
    assert assembled.message == HELLO
    # More of the same changes nothing.
    assert assembled.add(CryptoFragment(0, b"\x02")) is Progress.COMPLETE


def test_half_a_hello_is_incomplete() -> None:
    assembled = FirstMessage(1)
    assert assembled.add(CryptoFragment(10, HELLO[10:])) is Progress.INCOMPLETE
    assert assembled.add(CryptoFragment(0, HELLO[:3])) is Progress.INCOMPLETE
    assert assembled.message == b""
    assert assembled.add(CryptoFragment(3, HELLO[3:10])) is Progress.COMPLETE


@pytest.mark.parametrize(
    "fragments",
    [
        [CryptoFragment(0, message(b"x" * 40, kind=2))],
        [CryptoFragment(0, HELLO + b"\x14")],
        [CryptoFragment(0, HELLO[:20]), CryptoFragment(19, b"\xff\xff")],
        [CryptoFragment(MAX_MESSAGE, b"x")],
        [CryptoFragment(0, b"\x01\xff\xff\xff")],
        [CryptoFragment(2 * at + 1, b"x") for at in range(MAX_GAPS + 1)],
    ],
    ids=["type", "more", "contradiction", "far", "long", "gaps"],
)
def test_impossible_hellos(fragments: list[CryptoFragment]) -> None:
    assembled = FirstMessage(1)
    for fragment in fragments:
        last = assembled.add(fragment)
    assert last is Progress.IMPOSSIBLE
    assert assembled.message == b""
