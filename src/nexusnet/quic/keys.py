# SPDX-License-Identifier: BSD-3-Clause
"""Key derivation and key update (RFC 9001 sections 5.1 and 6.1; RFC 8446 section 7.1)."""

import enum
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from nexusnet.quic.errors import internal_error


class CipherSuite(enum.Enum):
    """AEADs of QUIC v1, under the names that the golden vectors use."""

    AES_128_GCM = "aes-128-gcm"
    AES_256_GCM = "aes-256-gcm"
    CHACHA20_POLY1305 = "chacha20-poly1305"

    @property
    def key_length(self) -> int:
        """Length in bytes of the AEAD key and of the header protection key."""
        return 16 if self is CipherSuite.AES_128_GCM else 32

    @property
    def secret_length(self) -> int:
        """Length in bytes of a traffic secret: that of the suite's hash."""
        return self.hash_algorithm().digest_size

    def hash_algorithm(self) -> hashes.HashAlgorithm:
        """Return the hash of the TLS cipher suite (RFC 8446 appendix B.4)."""
        return hashes.SHA384() if self is CipherSuite.AES_256_GCM else hashes.SHA256()


@dataclass(frozen=True, slots=True)
class PacketKeys:
    """What protects the payload of one key generation; its repr shows no secret.

    Attributes:
        secret: traffic secret, `CipherSuite.secret_length` bytes.
        key: AEAD key, `CipherSuite.key_length` bytes.
        iv: 12 bytes, combined with the packet number into the nonce.
    """

    secret: bytes = field(repr=False)
    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)


def hkdf_expand_label(
    algorithm: hashes.HashAlgorithm, secret: bytes, label: str, length: int
) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).

    Args:
        algorithm: hash of the cipher suite.
        secret: pseudorandom key, as long as the hash's output.
        label: without the "tls13 " prefix, at most 249 characters.
        length: bytes wanted.
    """
    full_label = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(full_label)]) + full_label + b"\0"
    return HKDFExpand(algorithm=algorithm, length=length, info=info).derive(secret)


def _expand(suite: CipherSuite, secret: bytes, label: str, length: int) -> bytes:
    if len(secret) != suite.secret_length:
        raise internal_error(
            f"a secret of {suite.value} has {suite.secret_length} bytes, not {len(secret)}"
        )
    return hkdf_expand_label(suite.hash_algorithm(), secret, label, length)


def derive_packet_keys(suite: CipherSuite, secret: bytes) -> PacketKeys:
    """Derive "quic key" and "quic iv" of a traffic secret (RFC 9001 section 5.1).

    Raises:
        QuicError: INTERNAL_ERROR for a secret of the wrong length.
    """
    return PacketKeys(
        secret=secret,
        key=_expand(suite, secret, "quic key", suite.key_length),
        iv=_expand(suite, secret, "quic iv", 12),
    )


def derive_header_key(suite: CipherSuite, secret: bytes) -> bytes:
    """Derive "quic hp" of the first traffic secret; it stays over key updates (RFC 9001 s. 6.1).

    Raises:
        QuicError: INTERNAL_ERROR for a secret of the wrong length.
    """
    return _expand(suite, secret, "quic hp", suite.key_length)


def next_secret(suite: CipherSuite, secret: bytes) -> bytes:
    """Derive the traffic secret of the next key generation, "quic ku" (RFC 9001 section 6.1).

    Raises:
        QuicError: INTERNAL_ERROR for a secret of the wrong length.
    """
    return _expand(suite, secret, "quic ku", suite.secret_length)
