# SPDX-License-Identifier: BSD-3-Clause
"""The authenticator that a genuine client hides in ClientHello.random.

    share  = the hello's X25519 share (`ClientHello.x25519_share`)
    SS     = X25519(share_priv, S_pub)
    AAD    = the ClientHello handshake message with zeros in place of random
    PRK    = HKDF-Extract-SHA256(salt = SHA256(AAD), IKM = SS | PSK)
    K | N  = HKDF-Expand(PRK, "quic-reality v1 ch", 44)
    K_srv  = HKDF-Expand(PRK, "quic-reality v1 srv", 32)
    PT     = version | flags | 0x0000 | unix_time u32be | short_id[8]
    random = AES-256-GCM(K, N, PT, AAD)                    16 B ciphertext | 16 B tag

Every ClientHello has keys of its own, so the nonce needs no counter. Nothing comes from the QUIC
connection: a Retry repeats the hello under another connection ID.
"""

import enum
import errno
import hashlib
import struct
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from nexusnet._engine import ffi, lib
from nexusnet.handshake.wipe import wipe_bytes
from nexusnet.reality.client_hello import RANDOM_LENGTH, parse_client_hello
from nexusnet.reality.credentials import KEY_LENGTH, SHORT_ID_LENGTH
from nexusnet.reality.long_header import LongHeaderPacket
from nexusnet.secret import SecretBytes

VERSION: Final = 1
KNOWN_FLAGS: Final = 0
LABEL_HELLO: Final = b"quic-reality v1 ch"
LABEL_SERVER: Final = b"quic-reality v1 srv"
AES_KEY_LENGTH: Final = 32
NONCE_LENGTH: Final = 12
MAX_UNIX_TIME: Final = 2**32 - 1

_PLAINTEXT: Final = struct.Struct(f">BBHI{SHORT_ID_LENGTH}s")


class Refusal(enum.Enum):
    """Why a hello holds no authenticator that we can open."""

    NO_SHARE = "no_share"
    BAD_TAG = "bad_tag"


@dataclass(frozen=True, slots=True)
class HelloKeys:
    """What is derived for one ClientHello.

    Attributes:
        key: seals `random`, 32 bytes.
        nonce: goes with it, 12 bytes.
        server_key: K_srv, 32 bytes.
    """

    key: SecretBytes
    nonce: bytes = field(repr=False)
    server_key: SecretBytes

    def wipe_hello(self) -> None:
        """Zero what sealed the authenticator; K_srv stays."""
        self.key.wipe()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A hello's authenticator.

    Attributes:
        random: 32 bytes, to take the place of the zeros in the hello.
        server_key: K_srv, 32 bytes: the key of the server's proof.
    """

    random: bytes
    server_key: SecretBytes


@dataclass(frozen=True, slots=True)
class Claims:
    """What a client says of itself in `random`.

    Attributes:
        version: 1 is known.
        flags: none is known yet; the reserved 16 bits count as flags, above the 8 that have a name.
        unix_time: the client's clock, seconds since 1970, 32 bits.
        short_id: 8 bytes.
    """

    version: int
    flags: int
    unix_time: int
    short_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """What was in `random`; the tag is valid, nothing else is checked yet.

    Attributes:
        claims: of the client.
        server_key: K_srv, 32 bytes.
    """

    claims: Claims
    server_key: SecretBytes


class Sight(enum.Enum):
    """What a first look at an Initial shows, where that is no whole ClientHello."""

    CLOSED = "closed"
    """Nothing: it is not authentic as a packet."""
    UNCLEAR = "unclear"
    """It takes another look: the hello is in pieces, say."""


class Inspected(NamedTuple):
    """A whole ClientHello at first sight.

    Attributes:
        refusal: why there is no authenticator; None where its tag is valid.
        random: of the hello, 32 bytes.
        claims: all zeros where there is no authenticator.
    """

    refusal: Refusal | None
    random: bytes
    claims: Claims


NO_CLAIMS: Final = Claims(0, 0, 0, bytes(SHORT_ID_LENGTH))

_SIGHTS: Final = {lib.NQE_INSPECT_CLOSED: Sight.CLOSED, lib.NQE_INSPECT_UNCLEAR: Sight.UNCLEAR}
_REFUSALS: Final = {
    lib.NQE_INSPECT_NO_SHARE: Refusal.NO_SHARE,
    lib.NQE_INSPECT_BAD_TAG: Refusal.BAD_TAG,
}


def derive_keys(shared_secret: bytes, psk: SecretBytes | None, aad: bytes) -> HelloKeys:
    """Return the keys of one ClientHello.

    Args:
        shared_secret: SS, 32 bytes.
        psk: 32 bytes; zeros where None.
        aad: the ClientHello with zeros in place of random.
    """
    ikm = bytearray(shared_secret)
    ikm += bytes(KEY_LENGTH) if psk is None else psk.reveal()
    prk = HKDF.extract(hashes.SHA256(), hashlib.sha256(aad).digest(), bytes(ikm))
    ikm[:] = bytes(len(ikm))

    def expand(label: bytes, length: int) -> bytes:
        return HKDFExpand(hashes.SHA256(), length, label).derive(prk)

    block, server_key = expand(LABEL_HELLO, AES_KEY_LENGTH + NONCE_LENGTH), expand(LABEL_SERVER, 32)
    keys = HelloKeys(
        SecretBytes(block[:AES_KEY_LENGTH]), block[AES_KEY_LENGTH:], SecretBytes(server_key)
    )
    for secret in (prk, block, server_key):
        wipe_bytes(secret)
    return keys


def seal(
    message: bytes,
    *,
    share_private: X25519PrivateKey,
    server_public: X25519PublicKey,
    psk: SecretBytes | None,
    unix_time: int,
    short_id: bytes,
) -> Sealed:
    """Make the authenticator of a ClientHello that is complete but for its `random`.

    Args:
        message: the handshake message, with 32 zero bytes for `random`.
        share_private: private key of the hello's X25519 share (`ClientHello.x25519_share`).
        server_public: the server's static key.
        psk: 32 bytes, or None.
        unix_time: our clock, seconds since 1970.
        short_id: 8 bytes.

    Raises:
        HelloError: the message is no ClientHello.
        ValueError: `random` is not zero, the share is not that of `share_private`, a number is out
            of range, or the key exchange gives zeros.
    """
    hello = parse_client_hello(message)
    if hello.random != bytes(RANDOM_LENGTH):
        raise ValueError("the hello has its random already")
    if hello.x25519_share != share_private.public_key().public_bytes_raw():
        raise ValueError("the hello's X25519 share belongs to another key")
    if not 0 <= unix_time <= MAX_UNIX_TIME or len(short_id) != SHORT_ID_LENGTH:
        raise ValueError("time or short ID out of range")
    shared = share_private.exchange(server_public)
    keys = derive_keys(shared, psk, message)
    wipe_bytes(shared)
    plaintext = _PLAINTEXT.pack(VERSION, 0, 0, unix_time, short_id)
    random = AESGCM(keys.key.reveal()).encrypt(keys.nonce, plaintext, message)
    keys.wipe_hello()
    return Sealed(random, keys.server_key)


class HelloOpener:
    """Opens authenticators with a server's keys, in the engine, which has a copy of them.

    The work is the same for all hellos of one length, whoever sent them: a key exchange, two
    hashes, an AEAD. A hello without a usable share is worked on with a made-up one.
    """

    def __init__(self, private_key: X25519PrivateKey, psk: SecretBytes | None) -> None:
        """Make one.

        Args:
            private_key: the server's.
            psk: 32 bytes, or None.

        Raises:
            MemoryError: libcrypto fails.
        """
        raw = private_key.private_bytes_raw()
        secret = bytes(KEY_LENGTH) if psk is None else ffi.from_buffer(psk.reveal())
        opener = lib.nqe_opener_new(raw, secret)
        wipe_bytes(raw)
        if opener == ffi.NULL:
            raise MemoryError("libcrypto has no room for a server's key")
        # Wiped when nobody uses it any more.
        self._opener = ffi.gc(opener, lib.nqe_opener_free)
        self._found = ffi.new("struct nqe_inspected *")
        self._random = ffi.buffer(self._found.random)
        self._plaintext = ffi.buffer(self._found.plaintext)

    def open(self, message: bytes) -> Authenticator | Refusal:
        """Open the authenticator of a ClientHello, where it has one.

        Args:
            message: the handshake message; nothing else is known of it.
        """
        plaintext = ffi.new("u8[]", lib.NQE_AUTHENTICATOR_PLAINTEXT)
        proof = ffi.new("u8[]", lib.NQE_AUTHENTICATOR_KEY)
        error = lib.nqe_authenticator_open(self._opener, message, len(message), plaintext, proof)
        if error:
            return Refusal.NO_SHARE if error == -errno.ENOKEY else Refusal.BAD_TAG
        server_key = SecretBytes(ffi.buffer(proof))
        ffi.memmove(proof, bytes(KEY_LENGTH), KEY_LENGTH)
        return Authenticator(_read_claims(ffi.buffer(plaintext)), server_key)

    def inspect(self, datagram: bytes, packet: LongHeaderPacket) -> Inspected | Sight:
        """Look into the Initial that a client's first datagram begins with.

        Args:
            datagram: the datagram.
            packet: its first packet.

        Returns:
            What is in a hello that stands there whole, in one CRYPTO frame.
        """
        dcid = packet.dcid
        verdict = lib.nqe_inspect(
            self._opener, dcid, len(dcid), datagram, packet.pn_offset, packet.end, self._found
        )
        sight = _SIGHTS.get(verdict)
        if sight is not None:
            return sight
        random, claims = bytes(self._random), _read_claims(self._plaintext)
        return Inspected(_REFUSALS.get(verdict), random, claims)


def _read_claims(plaintext: Any) -> Claims:
    version, flags, reserved, unix_time, short_id = _PLAINTEXT.unpack(plaintext)
    return Claims(version, reserved << 8 | flags, unix_time, short_id)
