# SPDX-License-Identifier: BSD-3-Clause
"""aioquic opens every packet vector, and the model opens what aioquic seals."""

import pytest
from aioquic._buffer import Buffer, BufferReadError
from aioquic._crypto import CryptoError
from aioquic.buffer import encode_uint_var
from aioquic.quic.packet import decode_packet_number, pull_ack_frame, push_ack_frame
from aioquic.quic.rangeset import RangeSet

from nexusnet.quic.keys import CipherSuite
from nexusnet.quic.protection import ShortHeaderProtection
from tests.support import aioquic_peer, golden
from tests.support.golden import binary


def test_opens_every_packet_vector() -> None:
    opened = 0
    for vector in golden.valid("short_header"):
        generation, secret = golden.first_secret(vector)
        keys = aioquic_peer.context(vector["suite"], secret, generation)
        assert keys.secret == binary(vector, "secret"), vector["name"]
        header, payload, pn, update = keys.decrypt_packet(
            binary(vector, "packet"), 1 + len(vector["dcid"]) // 2, vector["largest_pn"] + 1
        )
        assert (payload.hex(), pn, update) == (vector["payload"], vector["pn"], False)
        assert header[0] == (
            0x40 | vector["spin"] << 5 | vector["key_phase"] << 2 | vector["pn_len"] - 1
        )
        assert header[1:].hex()[: len(vector["dcid"])] == vector["dcid"]
        opened += 1
    assert opened == len(golden.load("short_header")) > 480


def test_follows_every_key_update_from_the_packet() -> None:
    # aioquic notices the Key Phase and derives the next keys by itself.
    followed = 0
    for vector in golden.valid("short_header"):
        generation, secret = golden.first_secret(vector)
        if generation == 0:
            continue
        keys = aioquic_peer.context(vector["suite"], secret, generation - 1)
        _, payload, _, update = keys.decrypt_packet(
            binary(vector, "packet"), 1 + len(vector["dcid"]) // 2, vector["largest_pn"] + 1
        )
        assert update
        assert payload.hex() == vector["payload"]
        followed += 1
    assert followed > 200


def test_makes_the_same_packets() -> None:
    for vector in golden.valid("short_header"):
        generation, secret = golden.first_secret(vector)
        keys = aioquic_peer.context(vector["suite"], secret, generation)
        sealed = aioquic_peer.seal(
            keys,
            binary(vector, "dcid"),
            vector["pn"],
            vector["pn_len"],
            binary(vector, "payload"),
            spin=vector["spin"],
        )
        assert sealed.hex() == vector["packet"], vector["name"]


def test_refuses_what_fails_authentication() -> None:
    refused = 0
    for vector in golden.invalid("short_header_invalid"):
        if vector["error"] != "bad_tag":
            continue
        generation, secret = golden.first_secret(vector)
        keys = aioquic_peer.context(vector["suite"], secret, generation)
        with pytest.raises(CryptoError):
            keys.decrypt_packet(
                binary(vector, "packet"), 1 + len(vector["dcid"]) // 2, vector["largest_pn"] + 1
            )
        refused += 1
    assert refused > 100


@pytest.mark.parametrize("suite", CipherSuite)
def test_model_opens_what_aioquic_seals(suite: CipherSuite) -> None:
    secret = bytes(range(suite.secret_length))
    model = ShortHeaderProtection(suite, secret)
    for generation in range(4):
        keys = aioquic_peer.context(suite.value, secret, generation)
        for pn_len in (1, 2, 3, 4):
            for size in (max(1, 4 - pn_len), 5, 600, 1452):
                pn, dcid = 1000 * generation + size, bytes(range(size % 21))
                payload = b"\x01".ljust(size, b"\0")
                packet = aioquic_peer.seal(keys, dcid, pn, pn_len, payload, spin=bool(size % 2))
                opened = model.open(packet, dcid, pn - 1)
                assert (opened.pn, opened.payload, opened.pn_len) == (pn, payload, pn_len)
                assert (opened.key_phase, opened.spin) == (generation % 2, bool(size % 2))
        model = model.next_generation()


def test_packet_numbers() -> None:
    for vector in golden.valid("packet_number"):
        # What was encoded has to come back where no more than largest_acked has been received.
        largest = vector["largest_pn" if vector["operation"] == "decode" else "largest_acked"]
        number, bits = int(vector["truncated"], 16), 8 * vector["pn_len"]
        found = decode_packet_number(number, bits, largest + 1)
        assert found == vector["pn"], vector["name"]


def test_varints() -> None:
    for vector in golden.load("varint"):
        if "error" not in vector:
            buffer = Buffer(data=binary(vector, "encoded"))
            assert buffer.pull_uint_var() == vector["value"], vector["name"]
            assert buffer.eof()
            if vector["canonical"]:
                assert encode_uint_var(vector["value"]).hex() == vector["encoded"]
        elif "encoded" in vector:
            with pytest.raises(BufferReadError):
                Buffer(data=binary(vector, "encoded")).pull_uint_var()
        else:
            with pytest.raises(ValueError):
                encode_uint_var(vector["value"])


def test_ack_frames() -> None:
    for vector in golden.valid("ack_ranges"):
        buffer = Buffer(data=binary(vector, "frame"))
        assert buffer.pull_uint_var() == (3 if "ecn_counts" in vector else 2)
        found, delay = pull_ack_frame(buffer)
        expected = [range(low, high + 1) for low, high in reversed(vector["ranges"])]
        assert list(found) == expected, vector["name"]
        assert delay == vector["ack_delay"]
        if "ecn_counts" in vector:
            assert [buffer.pull_uint_var() for _ in range(3)] == vector["ecn_counts"]
        assert buffer.eof()


def test_ack_frames_are_made_alike() -> None:
    for vector in golden.valid("ack_ranges"):
        received = RangeSet([range(low, high + 1) for low, high in vector["ranges"]])
        buffer = Buffer(capacity=2000)
        push_ack_frame(buffer, received, vector["ack_delay"], capacity=1900)
        body = bytes.fromhex(vector["frame"])[1:]
        assert body.startswith(buffer.data), vector["name"]
        if "ecn_counts" not in vector:
            assert body == buffer.data, vector["name"]


def test_model_and_aioquic_agree_on_broken_acks() -> None:
    for vector in golden.invalid("ack_ranges"):
        frame = binary(vector, "frame")
        if frame[0] not in {2, 3}:
            continue
        buffer = Buffer(data=frame[1:])
        with pytest.raises((BufferReadError, ValueError)):  # noqa: PT012 - either step may fail
            pull_ack_frame(buffer)
            if frame[0] == 3:
                for _ in range(3):
                    buffer.pull_uint_var()
