# SPDX-License-Identifier: BSD-3-Clause
"""The golden vectors, read from their files: complete, well-formed, and what the model says."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from nexusnet.quic import keys
from nexusnet.quic.errors import DropReason, QuicError, TransportErrorCode
from nexusnet.quic.frames import AckFrame, DatagramFrame, is_ack_eliciting, parse_frames
from nexusnet.quic.keys import CipherSuite
from nexusnet.quic.packet_number import (
    decode_packet_number,
    encode_packet_number,
    packet_number_length,
)
from nexusnet.quic.protection import ShortHeaderPacket, ShortHeaderProtection, minimum_payload
from nexusnet.quic.received import Ecn, ReceivedPackets
from nexusnet.quic.varint import decode_varint, encode_varint
from tests.support import golden
from tests.support.golden import ROOT, Golden, binary
from vectors.frame_vectors import frame_fields
from vectors.generate import HEADER, outputs

ERRORS = {code.name for code in TransportErrorCode} | {reason.value for reason in DropReason}
PACKET_FIELDS = {
    "name": str,
    "source": str,
    "suite": str,
    "secret": str,
    "key": str,
    "iv": str,
    "hp": str,
    "dcid": str,
    "pn": int,
    "pn_len": int,
    "largest_pn": int,
    "key_phase": int,
    "spin": bool,
    "payload": str,
    "packet": str,
}


def error_name(call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(QuicError) as caught:
        call(*arguments)
    return caught.value.name


def protection(vector: Golden) -> ShortHeaderProtection:
    """Return the keys of a packet vector, derived by the model from secret and hp alone."""
    return ShortHeaderProtection(
        CipherSuite(vector["suite"]),
        binary(vector, "secret"),
        header_key=binary(vector, "hp"),
        generation=vector["key_phase"],
    )


@pytest.mark.parametrize("kind", golden.KINDS)
def test_file_has_the_schema(kind: str) -> None:
    text = (ROOT / "vectors" / f"{kind}.json").read_text()
    document = json.loads(text)
    assert list(document) == ["schema", "kind", "vectors"]
    names = [vector["name"] for vector in document["vectors"]]
    assert len(set(names)) == len(names)
    for vector in document["vectors"]:
        assert vector["source"] == "generated" or re.fullmatch(
            r"RFC 900[01] A\.\d", vector["source"]
        )
        assert vector.get("error", "bad_tag") in ERRORS
    # Fit to be read in a diff: a vector never shares its lines with another.
    assert len(text.splitlines()) >= len(names) + 2


def test_rfc_examples_are_there() -> None:
    sources = {
        kind: {vector["source"] for vector in golden.load(kind)} - {"generated"}
        for kind in golden.KINDS
    }
    assert sources["short_header"] == {"RFC 9001 A.5"}
    assert sources["key_update"] == {"RFC 9001 A.1", "RFC 9001 A.5"}
    assert sources["varint"] == {"RFC 9000 A.1"}
    assert sources["packet_number"] == {"RFC 9000 A.2", "RFC 9000 A.3"}


def test_files_are_small_enough_to_commit() -> None:
    assert sum((ROOT / "vectors" / f"{kind}.json").stat().st_size for kind in golden.KINDS) < 5e6


def test_packets_cover_the_matrix() -> None:
    found = {
        (
            vector["suite"],
            vector["pn_len"],
            vector["key_phase"],
            len(vector["dcid"]) // 2,
            len(vector["payload"]) // 2,
        )
        for vector in golden.load("short_header")
    }
    for suite, pn_len, key_phase, dcid_length in product(
        CipherSuite, (1, 2, 3, 4), (0, 1), (0, 4, 8, 20)
    ):
        for size in (minimum_payload(pn_len), 1200, 1452):
            assert (suite.value, pn_len, key_phase, dcid_length, size) in found
    for kind in ("short_header", "short_header_invalid"):
        for vector in golden.load(kind):
            types = {field: type(vector[field]) for field in PACKET_FIELDS}
            assert types == PACKET_FIELDS, vector["name"]


def test_no_nonce_is_used_twice() -> None:
    used = Counter((vector["secret"], vector["pn"]) for vector in golden.load("short_header"))
    assert max(used.values()) == 1


@pytest.mark.parametrize("kind", ["short_header", "short_header_invalid"])
def test_keys_belong_to_the_secret(kind: str) -> None:
    for vector in golden.load(kind):
        suite = CipherSuite(vector["suite"])
        generation, first = golden.first_secret(vector)
        derived = keys.derive_packet_keys(suite, binary(vector, "secret"))
        assert (derived.key.hex(), derived.iv.hex()) == (vector["key"], vector["iv"])
        assert keys.derive_header_key(suite, first).hex() == vector["hp"]
        assert generation % 2 == vector["key_phase"]


def test_packets_open_and_are_sealed_again() -> None:
    for vector in golden.valid("short_header"):
        keeper = protection(vector)
        dcid, payload = binary(vector, "dcid"), binary(vector, "payload")
        pn, pn_len, spin = vector["pn"], vector["pn_len"], vector["spin"]
        assert keeper.open(binary(vector, "packet"), dcid, vector["largest_pn"]) == (
            ShortHeaderPacket(
                dcid=dcid,
                pn=pn,
                pn_len=pn_len,
                key_phase=vector["key_phase"],
                spin=spin,
                payload=payload,
            )
        )
        assert keeper.seal(dcid, pn, pn_len, payload, spin=spin).hex() == vector["packet"]
        parse_frames(payload)


def receive(vector: Golden) -> None:
    """Do what a receiver does with a packet, history and all."""
    history = ReceivedPackets(floor=vector.get("floor", 0))
    for smallest, largest in vector.get("received", []):
        for pn in range(smallest, largest + 1):
            history.receive(pn)
    packet = binary(vector, "packet")
    history.receive(
        protection(vector).open(packet, binary(vector, "dcid"), vector["largest_pn"]).pn
    )


def test_invalid_packets() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for vector in golden.load("short_header_invalid"):
        assert error_name(receive, vector) == vector["error"], vector["name"]
        seen[vector["suite"], vector["error"]] += 1
    for suite in CipherSuite:
        for error in (
            "bad_tag",
            "truncated",
            "fixed_bit_clear",
            "long_header",
            "unknown_connection_id",
            "wrong_key_phase",
            "duplicate",
            "too_old",
            "packet_number_out_of_range",
            "PROTOCOL_VIOLATION",
        ):
            assert seen[suite.value, error], (suite, error)


def test_key_updates() -> None:
    for vector in golden.valid("key_update"):
        suite = CipherSuite(vector["suite"])
        secret = binary(vector["generations"][0], "secret")
        assert keys.derive_header_key(suite, secret).hex() == vector["hp"]
        for index, generation in enumerate(vector["generations"]):
            derived = keys.derive_packet_keys(suite, secret)
            assert generation == {
                "key_phase": index % 2,
                "secret": secret.hex(),
                "key": derived.key.hex(),
                "iv": derived.iv.hex(),
            }
            secret = keys.next_secret(suite, secret)
    lengths = {len(vector["generations"]) for vector in golden.valid("key_update")}
    assert max(lengths) >= 4
    for vector in golden.invalid("key_update"):
        suite = CipherSuite(vector["suite"])
        secret = binary(vector, "secret")
        for derive in (keys.derive_packet_keys, keys.derive_header_key, keys.next_secret):
            assert error_name(derive, suite, secret) == vector["error"]


def test_packet_numbers() -> None:
    operations: Counter[tuple[str, bool]] = Counter()
    for vector in golden.load("packet_number"):
        operations[vector["operation"], "error" in vector] += 1
        if vector["operation"] == "encode":
            sent = (vector["pn"], vector["largest_acked"])
            if "error" in vector:
                assert error_name(packet_number_length, *sent) == vector["error"]
                continue
            length = packet_number_length(*sent)
            assert length == vector["pn_len"], vector["name"]
            assert encode_packet_number(vector["pn"], length).hex() == vector["truncated"]
        else:
            truncated = int(vector["truncated"], 16)
            arguments = (truncated, vector["pn_len"], vector["largest_pn"])
            if "error" in vector:
                assert error_name(decode_packet_number, *arguments) == vector["error"]
            else:
                assert decode_packet_number(*arguments) == vector["pn"], vector["name"]
    assert set(operations) == set(product(("encode", "decode"), (False, True)))


def test_varints() -> None:
    for vector in golden.load("varint"):
        if "error" not in vector:
            encoded = binary(vector, "encoded")
            assert decode_varint(encoded) == (vector["value"], len(encoded))
            assert (encode_varint(vector["value"]) == encoded) == vector["canonical"]
        elif "encoded" in vector:
            assert error_name(decode_varint, binary(vector, "encoded")) == vector["error"]
        else:
            assert error_name(encode_varint, vector["value"]) == vector["error"]
    assert len(golden.invalid("varint")) > 10


def test_datagrams() -> None:
    sizes = set()
    for vector in golden.load("datagram_frame"):
        payload = binary(vector, "payload")
        limit = vector.get("max_datagram_frame_size")
        if "error" in vector:
            with pytest.raises(QuicError) as caught:
                parse_frames(payload, max_datagram_frame_size=limit)
            assert caught.value.name == vector["error"], vector["name"]
            continue
        frames = parse_frames(payload, max_datagram_frame_size=limit)
        found = [frame for frame in frames if isinstance(frame, DatagramFrame)]
        assert len(frames) - len(found) == vector["other_frames"]
        for frame, item in zip(found, vector["datagrams"], strict=True):
            end = item["offset"] + item["length"]
            assert frame.data == payload[item["offset"] : end] == binary(item, "data")
            assert item["type"] == (0x31 if frame.has_length else 0x30)
            sizes.add((item["type"], item["length"]))
    for kind in (0x30, 0x31):
        assert {(kind, size) for size in (0, 63, 64, 1200, 16_383, 16_384)} <= sizes


def test_ack_ranges() -> None:
    for vector in golden.load("ack_ranges"):
        frame = binary(vector, "frame")
        if "error" in vector:
            assert error_name(parse_frames, frame) == vector["error"], vector["name"]
            continue
        tracker = ReceivedPackets(vector["max_ranges"], vector["floor"])
        marks = vector.get("ecn", [0] * len(vector["received"]))
        for pn, mark, verdict in zip(vector["received"], marks, vector["verdicts"], strict=True):
            if verdict == "new":
                tracker.receive(pn, Ecn(mark))
            else:
                assert error_name(tracker.receive, pn, Ecn(mark)) == verdict, vector["name"]
        ack = tracker.ack_frame(vector["ack_delay"])
        assert ack is not None
        assert ack.encode() == frame
        assert parse_frames(frame) == (ack,)
        assert [[item.smallest, item.largest] for item in ack.ranges] == vector["ranges"]
        assert tracker.floor == vector["floor_after"]


def test_frames() -> None:
    types = set()
    for vector in golden.load("frames"):
        encoded = binary(vector, "frame")
        if "error" in vector:
            assert error_name(parse_frames, encoded) == vector["error"], vector["name"]
            continue
        (frame,) = parse_frames(encoded)
        types.add(encoded[0])
        assert frame_fields(frame) == vector["fields"], vector["name"]
        assert (frame.encode() == encoded) == vector["canonical"], vector["name"]
        assert is_ack_eliciting(frame) == vector["ack_eliciting"], vector["name"]
        if isinstance(frame, AckFrame):
            assert frame.ranges[0].largest == frame.largest_acknowledged
    assert types == {*range(0x1F), 0x30, 0x31}


def test_generated_files_are_up_to_date() -> None:
    for name, text in outputs().items():
        assert (ROOT / name).read_text() == text, f"{name}: run 'make vectors'"


def test_check_notices_a_difference(tmp_path: Path) -> None:
    # On a copy of what the generator needs, so that nothing in the tree is touched.
    for folder in ("vectors", "src/nexusnet", "kernel/tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".json"} or path.name == Path(HEADER).name:
                copy = tmp_path / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())

    def generate(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vectors.generate", *options],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path / "src")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert generate("--check").returncode == 0
    changed = tmp_path / "vectors/varint.json"
    good = changed.read_text()
    changed.write_text(good.replace("37", "38", 1))
    (tmp_path / HEADER).unlink()
    refused = generate("--check")
    assert refused.returncode == 1
    assert "vectors/varint.json" in refused.stderr
    assert HEADER in refused.stderr
    assert "make vectors" in refused.stderr
    assert changed.read_text() != good  # --check writes nothing
    assert generate().returncode == 0
    assert changed.read_text() == good
    assert generate("--check").returncode == 0


def test_json_values_are_plain() -> None:
    def walk(value: Any) -> None:
        match value:
            case dict():
                for item in value.values():
                    walk(item)
            case list():
                for item in value:
                    walk(item)
            case _:
                assert isinstance(value, str | int)

    for kind in golden.KINDS:
        for vector in golden.load(kind):
            walk(vector)
            for field in ("packet", "payload", "frame", "encoded", "secret", "key", "iv", "hp"):
                assert re.fullmatch(r"([0-9a-f]{2})*", vector.get(field, "")), vector["name"]
