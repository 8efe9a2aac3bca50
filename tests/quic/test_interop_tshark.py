# SPDX-License-Identifier: BSD-3-Clause
"""tshark decodes captures made from the golden vectors.

Not covered: packet numbers beyond 2^33. tshark starts each connection at 0 and 4 bytes take it no
further than 2^32 at a time. How far `largest_pn` may lie ahead is not shown here either, for tshark
looks no lower than the window that the last number lies in: test_interop_aioquic.py does that.
"""

from pathlib import Path

import pytest

from nexusnet.quic.frames import DatagramFrame, Frame, PaddingFrame, parse_frames
from nexusnet.quic.varint import decode_varint
from tests.support import aioquic_peer, golden, tshark
from tests.support.golden import Golden, binary
from tests.support.quic_capture import Capture

REACH = 1 << 33
PING = b"\x01"


def lead_in(pn: int, generation: int) -> list[tuple[int, int]]:
    """Return packet numbers and key generations of what has to come before."""
    steps = [((1 << 32) - 1, 0)] if pn > 1 << 32 else []
    steps += [(pn - 1 - generation + earlier, earlier) for earlier in range(generation + 1)]
    return [step for step in steps if step[0] >= 0]


def write_packets(capture: Capture, vectors: list[Golden]) -> dict[int, Golden]:
    """Give each vector a connection of its own; return the vectors by their packet's number."""
    numbers = {}
    for vector in vectors:
        suite, dcid = vector["suite"], binary(vector, "dcid")
        generation, secret = golden.first_secret(vector)
        connection = capture.connect(suite, secret, dcid)
        for pn, earlier in lead_in(vector["pn"], generation):
            keys = aioquic_peer.context(suite, secret, earlier)
            capture.add(connection, aioquic_peer.seal(keys, dcid, pn, 4, PING))
        numbers[capture.add(connection, binary(vector, "packet"))] = vector
    return numbers


def wire_types(payload: bytes, frames: tuple[Frame, ...]) -> list[str]:
    """Return the frame types in `payload` as tshark prints them; a run of PADDING is one."""
    types, offset = [], 0
    for frame in frames:
        types.append(str(decode_varint(payload, offset)[0]))
        offset += frame.length if isinstance(frame, PaddingFrame) else len(frame.encode())
    return types


def datagrams(frames: tuple[Frame, ...]) -> list[str]:
    """Return the data of DATAGRAM frames as tshark prints it."""
    return [printed(frame.data.hex()) for frame in frames if isinstance(frame, DatagramFrame)]


def printed(data: str) -> str:
    return data or "<MISSING>"


def assert_clean(packets: dict[int, tshark.Dissection]) -> None:
    for number, packet in packets.items():
        assert not packet.all("_ws.malformed"), number
        assert not packet.warnings(), number
        assert not packet.all("quic.decryption_failed"), number


def test_every_packet_vector_within_reach_is_decoded(tmp_path: Path) -> None:
    capture = Capture()
    vectors = golden.valid("short_header")
    within_reach = [vector for vector in vectors if vector["pn"] < REACH]
    assert len(vectors) - len(within_reach) == 9  # three edge cases for each suite
    numbers = write_packets(capture, within_reach)
    packets = tshark.dissect(*capture.write(tmp_path))

    assert len(packets) == len(capture.packets)
    assert_clean(packets)
    for number, vector in numbers.items():
        packet, name = packets[number], vector["name"]
        payload = binary(vector, "payload")
        frames = parse_frames(payload)
        assert packet.all("quic.short"), name
        assert "".join(packet.all("quic.dcid")) == vector["dcid"], name
        assert packet.one("quic.packet_number") == str(vector["pn"]), name
        assert packet.one("quic.key_phase") == str(vector["key_phase"]), name
        assert packet.one("quic.spin_bit") == str(int(vector["spin"])), name
        assert packet.all("quic.frame_type") == wire_types(payload, frames), name
        assert packet.all("quic.dg") == datagrams(frames), name


def test_preludes_are_quic_v1(tmp_path: Path) -> None:
    capture = Capture()
    write_packets(capture, golden.valid("short_header")[:1])
    packets = tshark.dissect(*capture.write(tmp_path))
    for number in (1, 2):
        assert packets[number].one("quic.version") == "0x00000001"
        assert packets[number].all("quic.frame_type") == ["6", "0"]


def test_a_forged_packet_is_reported(tmp_path: Path) -> None:
    # Shows that the checks above can fail.
    capture = Capture()
    vector = dict(golden.valid("short_header")[1])
    vector["packet"] = vector["packet"][:-2] + f"{int(vector['packet'][-2:], 16) ^ 1:02x}"
    (number,) = write_packets(capture, [vector])
    packets = tshark.dissect(*capture.write(tmp_path))
    assert packets[number].all("quic.decryption_failed")
    with pytest.raises(AssertionError):
        assert_clean(packets)


def seal_payloads(capture: Capture, payloads: list[bytes]) -> list[int]:
    """Seal payloads by aioquic; a connection each, for frames like CONNECTION_CLOSE end it."""
    numbers = []
    secret, dcid = bytes(range(32)), b"\xc1" * 6
    for index, payload in enumerate(payloads):
        own_dcid = dcid + index.to_bytes(2, "big")
        connection = capture.connect("aes-128-gcm", secret, own_dcid)
        keys = aioquic_peer.context("aes-128-gcm", secret)
        sealed = aioquic_peer.seal(keys, own_dcid, 0, 4, payload)
        numbers.append(capture.add(connection, sealed))
    return numbers


def test_datagram_vectors(tmp_path: Path) -> None:
    capture = Capture()
    vectors = golden.valid("datagram_frame")
    numbers = seal_payloads(capture, [binary(vector, "payload") for vector in vectors])
    packets = tshark.dissect(*capture.write(tmp_path))
    assert_clean(packets)
    for number, vector in zip(numbers, vectors, strict=True):
        expected = [printed(item["data"]) for item in vector["datagrams"]]
        assert packets[number].all("quic.dg") == expected, vector["name"]
        kinds = packets[number].all("quic.frame_type")
        assert [kind for kind in kinds if kind in {"48", "49"}] == [
            str(item["type"]) for item in vector["datagrams"]
        ], vector["name"]
        assert len(kinds) == len(vector["datagrams"]) + vector["other_frames"], vector["name"]


# Fields of the model and of tshark, by frame type; what is not here has no fields of interest.
NAMES = {
    "PADDING": {"length": "quic.padding_length"},
    "RESET_STREAM": {
        "stream_id": "quic.rsts.stream_id",
        "error_code": "quic.rsts.application_error_code",
        "final_size": "quic.rsts.final_size",
    },
    "STOP_SENDING": {
        "stream_id": "quic.ss.stream_id",
        "error_code": "quic.ss.application_error_code",
    },
    "CRYPTO": {"offset": "quic.crypto.offset"},
    "NEW_TOKEN": {"token": "quic.nt.token"},
    "STREAM": {
        "stream_id": "quic.stream.stream_id",
        "fin": "quic.stream.fin",
        "has_length": "quic.stream.len",
        "data": "quic.stream_data",
    },
    "MAX_DATA": {"maximum": "quic.md.maximum_data"},
    "MAX_STREAM_DATA": {
        "stream_id": "quic.msd.stream_id",
        "maximum": "quic.msd.maximum_stream_data",
    },
    "MAX_STREAMS_BIDI": {"maximum": "quic.ms.max_streams"},
    "MAX_STREAMS_UNI": {"maximum": "quic.ms.max_streams"},
    "DATA_BLOCKED": {"limit": "quic.sb.stream_data_limit"},
    "STREAM_DATA_BLOCKED": {
        "stream_id": "quic.sdb.stream_id",
        "limit": "quic.sb.stream_data_limit",
    },
    "STREAMS_BLOCKED_BIDI": {"limit": "quic.sib.stream_limit"},
    "STREAMS_BLOCKED_UNI": {"limit": "quic.sib.stream_limit"},
    "NEW_CONNECTION_ID": {
        "sequence_number": "quic.nci.sequence",
        "retire_prior_to": "quic.nci.retire_prior_to",
        "connection_id": "quic.nci.connection_id",
        "stateless_reset_token": "quic.nci.stateless_reset_token",
    },
    "RETIRE_CONNECTION_ID": {"sequence_number": "quic.rci.sequence"},
    "PATH_CHALLENGE": {"data": "quic.path_challenge.data"},
    "PATH_RESPONSE": {"data": "quic.path_response.data"},
    "CONNECTION_CLOSE": {
        "error_code": "quic.cc.error_code",
        "frame_type": "quic.cc.frame_type",
    },
    "CONNECTION_CLOSE_APPLICATION": {"error_code": "quic.cc.error_code.app"},
    "DATAGRAM": {"data": "quic.dg"},
    "DATAGRAM_LEN": {"data": "quic.dg"},
}


def test_frame_vectors(tmp_path: Path) -> None:
    capture = Capture()
    vectors = golden.valid("frames")
    numbers = seal_payloads(capture, [binary(vector, "frame") for vector in vectors])
    names = sorted({name for pairs in NAMES.values() for name in pairs.values()} - {"quic.dg"})
    packets = tshark.dissect(*capture.write(tmp_path), *names)
    assert_clean(packets)
    for number, vector in zip(numbers, vectors, strict=True):
        frame_type = str(binary(vector, "frame")[0])
        packet = packets[number]
        assert packet.all("quic.frame_type") == [frame_type], vector["name"]
        for field, name in NAMES.get(vector["type"], {}).items():
            expected = vector["fields"][field]
            text = str(int(expected)) if isinstance(expected, int) else expected
            shown = packet.all(name)
            if not text and not shown:
                continue  # tshark has no field for empty stream data
            assert [item.replace("<MISSING>", "") for item in shown] == [text], (
                vector["name"],
                field,
            )


def test_ack_vectors(tmp_path: Path) -> None:
    capture = Capture()
    vectors = golden.valid("ack_ranges")
    numbers = seal_payloads(capture, [binary(vector, "frame") for vector in vectors])
    ack = ("largest_acknowledged", "ack_delay", "first_ack_range", "gap", "ack_range")
    ecn = ("ect0_count", "ect1_count", "ecn_ce_count")
    names = [f"quic.ack.{name}" for name in (*ack, *ecn)]
    packets = tshark.dissect(*capture.write(tmp_path), *names)
    assert_clean(packets)
    for number, vector in zip(numbers, vectors, strict=True):
        largest, delay, first, gaps, lengths, *counts = (
            [int(value) for value in packets[number].all(name)] for name in names
        )
        assert delay == [vector["ack_delay"]], vector["name"]
        ranges = [[largest[0] - first[0], largest[0]]]
        for gap, length in zip(gaps, lengths, strict=True):
            high = ranges[-1][0] - gap - 2
            ranges.append([high - length, high])
        assert ranges == vector["ranges"], vector["name"]
        assert [item for count in counts for item in count] == vector.get("ecn_counts", [])
