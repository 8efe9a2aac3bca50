# SPDX-License-Identifier: BSD-3-Clause
"""qr1.json, step by step with primitives alone, and as our code and OpenSSL see it."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nexusnet.reality.authenticator import Authenticator, HelloOpener
from nexusnet.reality.certificate import proof
from nexusnet.reality.credentials import ServerCredentials
from nexusnet.reality.decision import (
    Accept,
    Decider,
    Decision,
    InitialFacts,
    Reason,
    Relay,
    ServerProfile,
)
from nexusnet.reality.replay import ReplayCache
from nexusnet.secret import SecretBytes
from tests.support.golden import ROOT, Golden, binary, invalid, load, valid

VALID, INVALID = valid("qr1"), invalid("qr1")
HISTORY = {Reason.SEEN, Reason.STALE, Reason.REPLAY_CACHE_FULL}
"""Reasons that depend on what came before."""


def ids(vectors: list[Golden]) -> list[str]:
    return [vector["name"] for vector in vectors]


def expand(prk: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869 section 2.3)."""
    out, block = b"", b""
    for counter in range(1, 256):
        block = hmac.new(prk, block + label + bytes([counter]), hashlib.sha256).digest()
        out += block
        if len(out) >= length:
            break
    return out[:length]


def psk_of(vector: Golden) -> bytes | None:
    return binary(vector, "psk") if "psk" in vector else None


def shared_secret(vector: Golden) -> bytes:
    """From the server's side, with the share cut out of the message by hand."""
    hello = binary(vector, "message")
    shares: dict[int, bytes] = {}
    at = 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 1 + hello[at] + 2
    while at < len(hello):
        kind, length = (int.from_bytes(hello[at + i : at + i + 2], "big") for i in (0, 2))
        body = hello[at + 4 : at + 4 + length]
        if kind == 0x33:
            entry = 2
            while entry < len(body):
                group, size = (
                    int.from_bytes(body[entry + i : entry + i + 2], "big") for i in (0, 2)
                )
                shares[group] = body[entry + 4 : entry + 4 + size]
                entry += 4 + size
        at += 4 + length
    public = shares[0x1D] if 0x1D in shares else shares[0x11EC][1184:]
    private = X25519PrivateKey.from_private_bytes(binary(vector, "server_private"))
    return private.exchange(X25519PublicKey.from_public_bytes(public))


def decide(vector: Golden) -> Decision:
    psk = psk_of(vector)
    decider = Decider(
        ServerCredentials(
            X25519PrivateKey.from_private_bytes(binary(vector, "server_private")),
            {bytes.fromhex(user): user for user in vector["users"]},
            None if psk is None else SecretBytes(psk),
        ),
        ServerProfile(frozenset({vector["server_name"]})),
        ReplayCache(120.0),
    )
    facts = InitialFacts(vector["version"], vector["datagram_size"])
    return decider.decide(binary(vector, "message"), facts, now=0.0, wall=vector["wall"])


def test_the_file_is_complete() -> None:
    document = json.loads((ROOT / "vectors" / "qr1.json").read_text())
    assert document["kind"] == "qr1"
    assert len({vector["name"] for vector in load("qr1")}) == len(load("qr1"))
    assert {vector["error"] for vector in INVALID} == {one.value for one in set(Reason) - HISTORY}
    assert {("psk" in v, v["hash"]) for v in VALID} >= {(False, "sha256"), (True, "sha256")}
    assert {vector["hash"] for vector in VALID} == {"sha256", "sha384"}


@pytest.mark.parametrize("vector", VALID, ids=ids(VALID))
def test_step_by_step(vector: Golden) -> None:
    """Nothing of ours: hashlib, hmac, X25519 and AES-GCM."""
    private = X25519PrivateKey.from_private_bytes(binary(vector, "server_private"))
    assert private.public_key().public_bytes_raw() == binary(vector, "server_public")
    client = X25519PrivateKey.from_private_bytes(binary(vector, "share_private"))
    shared = client.exchange(X25519PublicKey.from_public_bytes(binary(vector, "server_public")))
    assert shared == shared_secret(vector) == binary(vector, "shared_secret")

    message = binary(vector, "message")
    aad = message[:6] + bytes(32) + message[38:]
    assert aad == binary(vector, "hello")
    assert hashlib.sha256(aad).digest() == binary(vector, "aad_hash")
    ikm = shared + (psk_of(vector) or bytes(32))
    prk = hmac.new(hashlib.sha256(aad).digest(), ikm, hashlib.sha256).digest()
    assert prk == binary(vector, "prk")
    block = expand(prk, b"quic-reality v1 ch", 44)
    assert (block[:32], block[32:]) == (binary(vector, "key"), binary(vector, "nonce"))
    server_key = expand(prk, b"quic-reality v1 srv", 32)
    assert server_key == binary(vector, "server_key")

    plaintext = b"\x01\x00\x00\x00" + vector["unix_time"].to_bytes(4, "big")
    plaintext += binary(vector, "short_id")
    assert plaintext == binary(vector, "plaintext")
    random = AESGCM(block[:32]).encrypt(block[32:], plaintext, aad)
    assert random == binary(vector, "random") == message[6:38]

    flight = binary(vector, "server_hello") + binary(vector, "encrypted_extensions")
    transcript = hashlib.new(vector["hash"], message + flight).digest()
    assert transcript == binary(vector, "transcript_hash")
    spki = binary(vector, "spki")
    assert serialization.load_der_public_key(spki) is not None
    signature = hmac.new(server_key, transcript + spki, hashlib.sha512).digest()
    assert signature == binary(vector, "signature")


@pytest.mark.parametrize("vector", VALID, ids=ids(VALID))
def test_our_code_agrees(vector: Golden) -> None:
    verdict = decide(vector)
    assert isinstance(verdict, Accept)
    assert verdict.name == vector["short_id"]
    assert verdict.clock_difference == vector["unix_time"] - vector["wall"]
    assert bytes(verdict.server_key.reveal()) == binary(vector, "server_key")
    made = proof(verdict.server_key, binary(vector, "transcript_hash"), binary(vector, "spki"))
    assert made == binary(vector, "signature")


@pytest.mark.parametrize("vector", INVALID, ids=ids(INVALID))
def test_invalid_ones_are_relayed_for_their_reason(vector: Golden) -> None:
    assert decide(vector) == Relay(Reason(vector["error"]))


BAD_TAGS = [vector for vector in INVALID if vector["error"] == "bad_tag"]
AUTHENTIC = {one.value for one in set(Reason) - HISTORY - {Reason.NO_SHARE, Reason.BAD_TAG}}


def opened_by_hand(vector: Golden) -> bytes:
    message = binary(vector, "message")
    aad = message[:6] + bytes(32) + message[38:]
    ikm = shared_secret(vector) + (psk_of(vector) or bytes(32))
    prk = hmac.new(hashlib.sha256(aad).digest(), ikm, hashlib.sha256).digest()
    block = expand(prk, b"quic-reality v1 ch", 44)
    return AESGCM(block[:32]).decrypt(block[32:], message[6:38], aad)


@pytest.mark.parametrize("vector", BAD_TAGS, ids=ids(BAD_TAGS))
def test_bad_tags_are_bad_by_hand_as_well(vector: Golden) -> None:
    with pytest.raises(InvalidTag):
        opened_by_hand(vector)


def test_the_others_fail_for_their_reason_alone() -> None:
    """Their tags are valid, so nothing else is the cause."""
    seen: set[Any] = set()
    for vector in INVALID:
        if vector["error"] in AUTHENTIC:
            seen.add(vector["error"])
            assert len(opened_by_hand(vector)) == 16
            private = X25519PrivateKey.from_private_bytes(binary(vector, "server_private"))
            opened = HelloOpener(private, None).open(binary(vector, "message"))
            assert isinstance(opened, Authenticator)
    assert seen == AUTHENTIC
