# SPDX-License-Identifier: BSD-3-Clause
"""qr1.json: the construction QR1, with all that comes up on the way, and hellos to be relayed."""

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nexusnet.reality.authenticator import derive_keys, seal
from nexusnet.reality.certificate import proof, spki
from nexusnet.reality.credentials import ServerCredentials
from nexusnet.reality.decision import Accept, Decider, InitialFacts, Reason, ServerProfile
from nexusnet.reality.replay import ReplayCache
from nexusnet.secret import SecretBytes
from vectors.client_hello import Hello, message, with_random
from vectors.model import RealityVector, Vector
from vectors.seeded import seeded_bytes, seeded_int

NAME: Final = "www.example.com"
WALL: Final = 1_800_000_000
WINDOW: Final = 120
MLKEM_KEY_LENGTH: Final = 1184
P256_ORDER_BITS: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A hello and its circumstances.

    Attributes:
        name: of the vector.
        hello: without share and random.
        hybrid: 0 for a share of X25519 alone, 1 for one of X25519MLKEM768 alone, 2 for both.
        psk: whether there is a pre-shared key.
        skew: seconds by which the client's clock is ahead.
        hash: of the negotiated suite.
    """

    name: str
    hello: Hello
    hybrid: int = 0
    psk: bool = False
    skew: int = 0
    hash: str = "sha256"

    def server(self) -> X25519PrivateKey:
        """Return the server's key."""
        return X25519PrivateKey.from_private_bytes(seeded_bytes(f"{self.name} server", 32))

    def share(self) -> X25519PrivateKey:
        """Return the private key of the share that counts."""
        return X25519PrivateKey.from_private_bytes(seeded_bytes(f"{self.name} share", 32))

    def secret(self) -> SecretBytes | None:
        """Return the pre-shared key."""
        return SecretBytes(seeded_bytes(f"{self.name} psk", 32)) if self.psk else None

    def short_id(self) -> bytes:
        """Return the user's short ID."""
        return seeded_bytes(f"{self.name} short id", 8)

    def plain(self) -> bytes:
        """Return the hello without its random."""
        public = self.share().public_key().public_bytes_raw()
        mlkem = seeded_bytes(f"{self.name} mlkem", MLKEM_KEY_LENGTH)
        match self.hybrid:
            case 0:
                shape = replace(self.hello, share=public)
            case 1:
                shape = replace(self.hello, hybrid_share=mlkem + public)
            case _:
                other = seeded_bytes(f"{self.name} other half", 32)
                shape = replace(self.hello, share=public, hybrid_share=mlkem + other)
        return shape.encode()

    def sealed(self, plaintext: bytes | None = None) -> bytes:
        """Return the hello with its authenticator, or with one that says something else."""
        plain = self.plain()
        if plaintext is None:
            made = seal(
                plain,
                share_private=self.share(),
                server_public=self.server().public_key(),
                psk=self.secret(),
                unix_time=WALL + self.skew,
                short_id=self.short_id(),
            )
            return with_random(plain, made.random)
        shared = self.share().exchange(self.server().public_key())
        keys = derive_keys(shared, self.secret(), plain)
        random = AESGCM(bytes(keys.key.reveal())).encrypt(keys.nonce, plaintext, plain)
        return with_random(plain, random)

    def plaintext(self, *, version: int = 1, flags: int = 0, reserved: int = 0) -> bytes:
        """Return what is in the authenticator."""
        head = bytes([version, flags]) + reserved.to_bytes(2, "big")
        return head + (WALL + self.skew).to_bytes(4, "big") + self.short_id()

    def circumstances(self) -> dict[str, Any]:
        """Return what a server has to know, as fields of a vector."""
        psk = self.secret()
        return {
            "name": self.name,
            "server_private": self.server().private_bytes_raw(),
            "server_public": self.server().public_key().public_bytes_raw(),
            "psk": None if psk is None else bytes(psk.reveal()),
            "users": (self.short_id(), seeded_bytes("another user", 8)),
            "server_name": NAME,
            "wall": WALL,
        }


def decide(vector: RealityVector) -> Accept | Reason:
    """Return what the model decides about a vector's message."""
    psk = None if vector.psk is None else SecretBytes(vector.psk)
    key = X25519PrivateKey.from_private_bytes(vector.server_private)
    decider = Decider(
        ServerCredentials(key, {one: one.hex() for one in vector.users}, psk),
        ServerProfile(frozenset({vector.server_name})),
        ReplayCache(WINDOW),
        WINDOW,
    )
    facts = InitialFacts(vector.version, vector.datagram_size)
    verdict = decider.decide(vector.message, facts, now=0.0, wall=vector.wall)
    return verdict if isinstance(verdict, Accept) else verdict.reason


def _valid(case: Case) -> RealityVector:
    plain, sealed = case.plain(), case.sealed()
    shared = case.share().exchange(case.server().public_key())
    psk = case.secret()
    keys = derive_keys(shared, psk, plain)
    aad_hash = hashlib.sha256(plain).digest()
    prk = hmac.digest(aad_hash, shared + (bytes(32) if psk is None else psk.reveal()), "sha256")
    server_hello = message(seeded_bytes(f"{case.name} server hello", 86), kind=2)
    encrypted_extensions = message(seeded_bytes(f"{case.name} extensions", 90), kind=8)
    transcript = hashlib.new(case.hash, sealed + server_hello + encrypted_extensions).digest()
    number = seeded_int(f"{case.name} certificate", 1, 2**P256_ORDER_BITS)
    public_key = spki(ec.derive_private_key(number, ec.SECP256R1()).public_key())
    vector = RealityVector(
        **case.circumstances(),
        share_private=case.share().private_bytes_raw(),
        unix_time=WALL + case.skew,
        short_id=case.short_id(),
        hello=plain,
        shared_secret=shared,
        aad_hash=aad_hash,
        prk=prk,
        key=bytes(keys.key.reveal()),
        nonce=keys.nonce,
        server_key=bytes(keys.server_key.reveal()),
        plaintext=case.plaintext(),
        random=sealed[6:38],
        message=sealed,
        hash=case.hash,
        server_hello=server_hello,
        encrypted_extensions=encrypted_extensions,
        transcript_hash=transcript,
        spki=public_key,
        signature=proof(keys.server_key, transcript, public_key),
    )
    verdict = decide(vector)
    if not isinstance(verdict, Accept) or bytes(verdict.server_key.reveal()) != vector.server_key:
        raise AssertionError(f"{case.name}: {verdict}")
    return vector


def _invalid(case: Case, sent: bytes, reason: Reason, **changes: Any) -> RealityVector:
    fields = case.circumstances() | {"message": sent, "error": reason.value} | changes
    vector = RealityVector(**fields)
    verdict = decide(vector)
    if verdict is not reason:
        raise AssertionError(f"{case.name}: {verdict}")
    return vector


def _flipped(sent: bytes, at: int, bits: int = 1) -> bytes:
    return sent[:at] + bytes([sent[at] ^ bits]) + sent[at + 1 :]


def _case(name: str, **changes: Any) -> Case:
    return Case(name=name, hello=Hello(server_name=NAME, **changes))


def _relayed() -> list[RealityVector]:
    def one(name: str, reason: Reason, **changes: Any) -> RealityVector:
        case = _case(name, **changes)
        return _invalid(case, case.sealed(), reason)

    def inside(name: str, reason: Reason, **parts: int) -> RealityVector:
        case = _case(name)
        return _invalid(case, case.sealed(case.plaintext(**parts)), reason)

    def broken(name: str, at: int, bits: int = 1) -> RealityVector:
        case = _case(name)
        return _invalid(case, _flipped(case.sealed(), at, bits), Reason.BAD_TAG)

    def skewed(name: str, skew: int) -> RealityVector:
        case = replace(_case(name), skew=skew)
        return _invalid(case, case.sealed(), Reason.CLOCK)

    plain = _case("no_authenticator")
    other_key = _case("another_server_key")
    right_key = _case("the_right_key").server()
    no_psk = replace(_case("psk_of_the_server_alone"), psk=False)
    other_psk = replace(_case("another_psk"), psk=True)
    elsewhere = Case(name="another_server_name", hello=Hello(server_name="example.com"))
    ignored = _case("ignored_bit_of_the_share")
    share_end = ignored.sealed().index(_public(ignored)) + 31
    stranger = _case("unknown_short_id")
    small = _case("share_of_small_order")
    version, size = _case("another_quic_version"), _case("initial_too_small")
    cut, longer = _case("cut_off"), _case("trailing_byte")
    twice = _case("extension_twice", extra=[(0x0A0A, b""), (0x0A0A, b"")])
    return [
        # No share can be found in them, whatever their authenticator was.
        _invalid(cut, cut.sealed()[:-1], Reason.NO_SHARE),
        _invalid(longer, longer.sealed() + b"\0", Reason.NO_SHARE),
        _invalid(twice, twice.sealed(twice.plaintext()), Reason.MALFORMED),
        _invalid(version, version.sealed(), Reason.NOT_QUIC_V1, version=0x6B3343CF),
        _invalid(size, size.sealed(), Reason.INITIAL_TOO_SMALL, datagram_size=1199),
        one("session_id", Reason.SESSION_ID, session_id=bytes(32)),
        one("pre_shared_key_extension", Reason.PSK, psk=b""),
        _invalid(elsewhere, elsewhere.sealed(), Reason.SERVER_NAME),
        one("no_alpn_in_common", Reason.PROFILE, alpn=[b"hq-interop"]),
        one("no_suite_in_common", Reason.PROFILE, suites=[0x1304]),
        _invalid(small, Hello(NAME, share=bytes(32)).encode(), Reason.NO_SHARE),
        _invalid(plain, with_random(plain.plain(), seeded_bytes("random", 32)), Reason.BAD_TAG),
        _invalid(
            other_key,
            other_key.sealed(),
            Reason.BAD_TAG,
            server_private=right_key.private_bytes_raw(),
            server_public=right_key.public_key().public_bytes_raw(),
        ),
        _invalid(no_psk, no_psk.sealed(), Reason.BAD_TAG, psk=seeded_bytes("psk", 32)),
        _invalid(other_psk, other_psk.sealed(), Reason.BAD_TAG, psk=seeded_bytes("psk", 32)),
        broken("first_bit_of_random", 6, 0x80),
        broken("last_bit_of_random", 37),
        broken("changed_suite", 41, 2),
        # X25519 ignores the highest bit of a share (RFC 7748 section 5); the AAD does not.
        _invalid(ignored, _flipped(ignored.sealed(), share_end, 0x80), Reason.BAD_TAG),
        inside("unknown_version", Reason.AUTHENTICATOR_VERSION, version=2),
        inside("unknown_flag", Reason.AUTHENTICATOR_VERSION, flags=1),
        inside("reserved_bits", Reason.AUTHENTICATOR_VERSION, reserved=1),
        _invalid(
            stranger, stranger.sealed(), Reason.SHORT_ID, users=(seeded_bytes("somebody", 8),)
        ),
        skewed("clock_behind", -WINDOW - 1),
        skewed("clock_ahead", WINDOW + 1),
    ]


def _public(case: Case) -> bytes:
    return case.share().public_key().public_bytes_raw()


def reality_vectors() -> list[Vector]:
    """Return the vectors of qr1.json."""
    return [
        _valid(_case("x25519")),
        _valid(replace(_case("x25519_psk"), psk=True)),
        _valid(replace(_case("x25519mlkem768"), hybrid=1)),
        _valid(replace(_case("both_shares"), hybrid=2, hash="sha384")),
        _valid(replace(_case("both_shares_psk"), hybrid=2, psk=True)),
        _valid(replace(_case("clock_behind_by_the_window"), skew=-WINDOW)),
        _valid(replace(_case("clock_ahead_by_the_window"), skew=WINDOW, hash="sha384")),
        _valid(_case("more_extensions", extra=[(0x0A0A, b""), (0xFE0D, bytes(186))])),
        *_relayed(),
    ]
