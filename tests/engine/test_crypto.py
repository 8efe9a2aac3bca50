# SPDX-License-Identifier: BSD-3-Clause
"""Packet protection against RFC 9001 appendix A, the golden vectors and `cryptography`."""

import errno
import random

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from nexusnet.netlink.generated import CipherSuite
from tests.engine import native
from tests.support import golden

ffi, lib = native.load()
SEAL = True
SUITES = {
    "aes-128-gcm": (int(CipherSuite.AES_128_GCM_SHA256), 16, 32),
    "aes-256-gcm": (int(CipherSuite.AES_256_GCM_SHA384), 32, 48),
    "chacha20-poly1305": (int(CipherSuite.CHACHA20_POLY1305_SHA256), 32, 32),
}


class Direction:
    """struct nqe_crypto with keys of generation 0."""

    def __init__(self, suite: str, *, seal: bool, hp: bytes) -> None:
        self.suite = SUITES[suite][0]
        self.state = ffi.gc(ffi.new("struct nqe_crypto *"), lib.nqe_crypto_free, 0)
        assert lib.nqe_crypto_init(self.state, self.suite, seal, hp, len(hp)) == 0

    def install(self, generation: int, key: bytes, iv: bytes) -> None:
        assert lib.nqe_crypto_install(self.state, generation, key, len(key), iv) == 0

    def seal(self, generation: int, pn: int, header: bytes, payload: bytes) -> bytes:
        packet = native.octets(header + payload + bytes(16))
        err = lib.nqe_crypto_seal(
            self.state, generation, pn, packet, len(header), len(header) + len(payload)
        )
        if err:
            raise OSError(-err, "seal")
        return bytes(ffi.buffer(packet))[len(header) :]

    def open(self, generation: int, pn: int, header: bytes, sealed: bytes) -> bytes:
        packet = native.octets(header + sealed)
        err = lib.nqe_crypto_open(self.state, generation, pn, packet, len(header), len(packet))
        if err:
            raise OSError(-err, "open")
        return bytes(ffi.buffer(packet))[len(header) : -16]

    def masks(self, samples: list[bytes]) -> list[bytes]:
        buffer = native.octets(b"".join(samples))
        assert lib.nqe_crypto_masks(self.state, buffer, buffer, len(samples)) == 0
        return [bytes(ffi.buffer(buffer + 16 * i, 5)) for i in range(len(samples))]


def derive(suite: str, secret: bytes) -> tuple[bytes, bytes, bytes]:
    number, key_len, secret_len = SUITES[suite]
    assert len(secret) == secret_len
    key, iv, hp = ffi.new("u8[]", key_len), ffi.new("u8[12]"), ffi.new("u8[]", key_len)
    assert lib.nqe_crypto_derive(number, secret, key, iv, hp) == 0
    return bytes(key), bytes(iv), bytes(hp)


def next_secret(suite: str, secret: bytes) -> bytes:
    out = native.octets(secret)
    assert lib.nqe_crypto_next_secret(SUITES[suite][0], out, out) == 0
    return bytes(out)


def expand(suite: str, secret: bytes, label: str, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 section 7.1) by `cryptography`."""
    algorithm = hashes.SHA384() if suite == "aes-256-gcm" else hashes.SHA256()
    full = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0"
    return HKDFExpand(algorithm, length, info).derive(secret)


def aead(suite: str, key: bytes) -> AESGCM | ChaCha20Poly1305:
    return ChaCha20Poly1305(key) if suite == "chacha20-poly1305" else AESGCM(key)


def mask(suite: str, hp: bytes, sample: bytes) -> bytes:
    if suite == "chacha20-poly1305":
        return Cipher(algorithms.ChaCha20(hp, sample), None).encryptor().update(bytes(5))
    return Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(sample)[:5]  # noqa: S305 - RFC 9001 section 5.4.3


def test_rfc9001_a5() -> None:
    """RFC 9001 appendix A.5: a ChaCha20-Poly1305 short header packet."""
    secret = bytes.fromhex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b")
    key, iv, hp = derive("chacha20-poly1305", secret)
    assert key.hex() == "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8"
    assert iv.hex() == "e0459b3474bdd0e44a41c144"
    assert hp.hex() == "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4"
    assert next_secret("chacha20-poly1305", secret).hex() == (
        "1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9"
    )
    sender = Direction("chacha20-poly1305", seal=True, hp=hp)
    sender.install(0, key, iv)
    header = bytes.fromhex("4200bff4")
    sealed = sender.seal(0, 654360564, header, b"\x01")
    assert sealed.hex() == "655e5cd55c41f69080575d7999c25a5bfb"
    assert sender.masks([sealed[1:17]])[0].hex() == "aefefe7d03"
    receiver = Direction("chacha20-poly1305", seal=False, hp=hp)
    receiver.install(0, key, iv)
    assert receiver.open(0, 654360564, header, sealed) == b"\x01"


@pytest.mark.parametrize("suite", SUITES)
def test_agrees_with_an_independent_library(suite: str) -> None:
    rng = random.Random(suite)
    secret = rng.randbytes(SUITES[suite][2])
    for generation in range(6):
        key, iv, hp = derive(suite, secret)
        assert key == expand(suite, secret, "quic key", len(key))
        assert iv == expand(suite, secret, "quic iv", 12)
        assert hp == expand(suite, secret, "quic hp", len(hp))
        if generation == 0:
            sender = Direction(suite, seal=True, hp=hp)
            receiver = Direction(suite, seal=False, hp=hp)
            samples = [rng.randbytes(16) for _ in range(64)]
            assert sender.masks(samples) == [mask(suite, hp, sample) for sample in samples]
        sender.install(generation, key, iv)
        receiver.install(generation, key, iv)
        for length in (1, 3, 20, 1200, 1452):
            header, payload = rng.randbytes(rng.randrange(2, 25)), rng.randbytes(length)
            pn = rng.choice([0, 1, 2**32, 2**62 - 1])
            nonce = (int.from_bytes(iv, "big") ^ pn).to_bytes(12, "big")
            sealed = aead(suite, key).encrypt(nonce, payload, header)
            assert sender.seal(generation, pn, header, payload) == sealed
            assert receiver.open(generation, pn, header, sealed) == payload
            for change in ((header, sealed[:-1] + bytes([sealed[-1] ^ 1])),
                           (header[:-1] + bytes([header[-1] ^ 1]), sealed)):  # fmt: skip
                with pytest.raises(OSError, match="open") as failure:
                    receiver.open(generation, pn, *change)
                assert failure.value.errno == errno.EBADMSG
        assert next_secret(suite, secret) == expand(suite, secret, "quic ku", len(secret))
        secret = next_secret(suite, secret)


def test_generations_have_their_slots() -> None:
    key, iv, hp = derive("aes-128-gcm", bytes(32))
    sender = Direction("aes-128-gcm", seal=True, hp=hp)
    for generation in (4, 5, 6):
        sender.install(generation, key, iv)
    assert [g for g in range(12) if lib.nqe_crypto_has(sender.state, g)] == [4, 5, 6]
    with pytest.raises(OSError, match="seal") as failure:
        sender.seal(0, 1, b"@", b"data")  # the slot of 4, but another generation
    assert failure.value.errno == errno.ENOKEY
    lib.nqe_crypto_forget(sender.state, 8)  # not there: 4 stays
    assert lib.nqe_crypto_has(sender.state, 4)
    lib.nqe_crypto_forget(sender.state, 4)
    assert not lib.nqe_crypto_has(sender.state, 4)
    sender.install(9, key, iv)  # takes the slot of 5
    assert [g for g in range(12) if lib.nqe_crypto_has(sender.state, g)] == [6, 9]


def test_freed_directions_hold_nothing() -> None:
    key, iv, hp = derive("aes-256-gcm", bytes(48))
    sender = Direction("aes-256-gcm", seal=True, hp=hp)
    sender.install(1, key, iv)
    lib.nqe_crypto_free(sender.state)
    slots = ffi.buffer(ffi.addressof(sender.state, "slot"))
    assert bytes(slots) == bytes(len(slots))
    assert sender.state.hp == ffi.NULL


@pytest.mark.parametrize(
    ("name", "length"),
    [("aes-128-gcm", 15), ("aes-128-gcm", 32), ("aes-256-gcm", 16), ("chacha20-poly1305", 16)],
)
def test_wrong_lengths_are_refused(name: str, length: int) -> None:
    suite = SUITES[name][0]
    state = ffi.new("struct nqe_crypto *")
    assert lib.nqe_crypto_init(state, suite, SEAL, bytes(64), length) == -errno.EINVAL
    assert lib.nqe_crypto_init(state, suite, SEAL, bytes(64), lib.nqe_crypto_key_len(suite)) == 0
    assert lib.nqe_crypto_install(state, 0, bytes(64), length, bytes(12)) == -errno.EINVAL
    lib.nqe_crypto_free(state)


def test_unknown_suites_are_refused() -> None:
    state = ffi.new("struct nqe_crypto *")
    for suite in (0x1300, 0x1304, 2**32 - 1):
        assert lib.nqe_crypto_key_len(suite) == 0
        assert lib.nqe_crypto_init(state, suite, SEAL, bytes(16), 16) == -errno.EOPNOTSUPP


def test_packets_shorter_than_a_tag_are_refused() -> None:
    key, iv, hp = derive("aes-128-gcm", bytes(32))
    receiver = Direction("aes-128-gcm", seal=False, hp=hp)
    receiver.install(0, key, iv)
    for length in range(16):
        with pytest.raises(OSError, match="open"):
            receiver.open(0, 1, b"@", bytes(length))


def test_golden_packets() -> None:
    for vector in golden.valid("short_header"):
        suite, pn_len = vector["suite"], vector["pn_len"]
        key, iv, hp = (bytes.fromhex(vector[name]) for name in ("key", "iv", "hp"))
        assert derive(suite, bytes.fromhex(vector["secret"]))[:2] == (key, iv)
        first = 0x40 | vector["spin"] << 5 | vector["key_phase"] << 2 | (pn_len - 1)
        truncated = (vector["pn"] % 256**pn_len).to_bytes(pn_len, "big")
        header = bytes([first]) + bytes.fromhex(vector["dcid"]) + truncated
        sender = Direction(suite, seal=True, hp=hp)
        sender.install(vector["key_phase"], key, iv)
        payload = bytes.fromhex(vector["payload"])
        packet = bytearray(header + sender.seal(vector["key_phase"], vector["pn"], header, payload))
        at = len(header) - pn_len
        bits = sender.masks([bytes(packet[at + 4 : at + 20])])[0]
        packet[0] ^= bits[0] & 0x1F
        for index in range(pn_len):
            packet[at + index] ^= bits[1 + index]
        assert packet.hex() == vector["packet"], vector["name"]


def test_golden_key_updates() -> None:
    for vector in golden.valid("key_update"):
        secret = bytes.fromhex(vector["generations"][0]["secret"])
        for generation in vector["generations"]:
            assert secret.hex() == generation["secret"]
            key, iv, _ = derive(vector["suite"], secret)
            assert (key.hex(), iv.hex()) == (generation["key"], generation["iv"])
            secret = next_secret(vector["suite"], secret)
