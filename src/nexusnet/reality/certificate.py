# SPDX-License-Identifier: BSD-3-Clause
"""The server's proof: a temporary certificate whose signature is an HMAC under K_srv.

    signatureValue = HMAC-SHA512(K_srv, TH(ClientHello | ServerHello | EncryptedExtensions) | SPKI)

TH uses the hash of the negotiated suite, SPKI is the DER of the certificate's own public key. The
key is ECDSA P-256 (browsers offer no Ed25519) and lives for one connection; CertificateVerify is a
genuine signature by it. TLS encrypts all of it, so only its size can be seen.
"""

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier

from nexusnet.secret import SecretBytes

PROOF_LENGTH: Final = 64
"""Bytes of an HMAC-SHA512."""

SIZE_TOLERANCE: Final = 4
"""Bytes by which a padded certificate may miss its size: DER lengths grow in steps."""

SMALLEST_PADDING: Final = 20
"""Bytes that padding adds at least, about."""

PADDING: Final = ObjectIdentifier("2.16.840.1.113730.1.13")
"""Extension that fills a certificate up: nsComment, an IA5String that nobody reads."""

LIFETIME: Final = dt.timedelta(days=90)

_ROUNDS: Final = 4
"""In which padding is brought to size: the first adds the extension's own bytes as well."""

_SEQUENCE: Final = b"\x30"
_BIT_STRING: Final = b"\x03"
_IA5_STRING: Final = b"\x16"
# AlgorithmIdentifier ecdsa-with-SHA256 (RFC 5758 section 3.2), DER.
_ECDSA_WITH_SHA256: Final = bytes.fromhex("300a06082a8648ce3d040302")


def _der(tag: bytes, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return tag + bytes([length]) + content
    size = (length.bit_length() + 7) // 8
    return tag + bytes([0x80 | size]) + length.to_bytes(size, "big") + content


def spki(public_key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as SubjectPublicKeyInfo in DER."""
    return public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def proof(server_key: SecretBytes, transcript_hash: bytes, public_key: bytes) -> bytes:
    """Return the HMAC that stands where a certificate has its signature, 64 bytes.

    Args:
        server_key: K_srv.
        transcript_hash: of ClientHello, ServerHello and EncryptedExtensions.
        public_key: SPKI of the certificate.
    """
    return hmac.digest(bytes(server_key.reveal()), transcript_hash + public_key, hashlib.sha512)


@dataclass(frozen=True, slots=True)
class TemporaryCertificate:
    """A certificate of one connection, still without its proof.

    Attributes:
        private_key: signs CertificateVerify.
        spki: its public key, DER.
    """

    private_key: ec.EllipticCurvePrivateKey = field(repr=False)
    spki: bytes
    _signed_part: bytes = field(repr=False)

    @classmethod
    def make(
        cls, server_name: str, now: dt.datetime, *, size: int | None = None
    ) -> "TemporaryCertificate":
        """Make a key and its certificate.

        Args:
            server_name: that the client asked for.
            now: time of day, with its zone.
            size: bytes that the whole certificate (DER) is to have, to within `SIZE_TOLERANCE`, or
                `SMALLEST_PADDING` where it is hardly above the smallest; that where None or less.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, server_name[:64])])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - LIFETIME / 2)
            .not_valid_after(now + LIFETIME / 2)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(server_name)]), critical=False)
        )
        signed_part = _signed_part(builder, key)
        wanted = 0 if size is None else size
        padding = 0
        for _ in range(_ROUNDS):
            missing = wanted - _whole_length(signed_part)
            if abs(missing) <= SIZE_TOLERANCE or padding + missing < 0:
                break
            padding += missing
            comment = _der(_IA5_STRING, b" " * padding)
            extension = x509.UnrecognizedExtension(PADDING, comment)
            signed_part = _signed_part(builder.add_extension(extension, critical=False), key)
        return cls(key, spki(key.public_key()), signed_part)

    @property
    def size(self) -> int:
        """Bytes of the whole certificate (DER)."""
        return _whole_length(self._signed_part)

    def prove(self, server_key: SecretBytes, transcript_hash: bytes) -> bytes:
        """Return the whole certificate in DER.

        Args:
            server_key: K_srv.
            transcript_hash: of ClientHello, ServerHello and EncryptedExtensions.
        """
        return _whole(self._signed_part, proof(server_key, transcript_hash, self.spki))


def _signed_part(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256()).tbs_certificate_bytes


def _whole(signed_part: bytes, signature: bytes) -> bytes:
    # RFC 5280 section 4.1; the bit string has no unused bits.
    value = _der(_BIT_STRING, b"\0" + signature)
    return _der(_SEQUENCE, signed_part + _ECDSA_WITH_SHA256 + value)


def _whole_length(signed_part: bytes) -> int:
    return len(_whole(signed_part, bytes(PROOF_LENGTH)))


def check_proof(
    certificate: x509.Certificate, server_key: SecretBytes, transcript_hash: bytes
) -> bool:
    """Return whether a certificate holds the proof of the server that has K_srv.

    To be asked after CertificateVerify has shown that the peer has the certificate's private key.

    Args:
        certificate: the peer's own.
        server_key: K_srv.
        transcript_hash: of ClientHello, ServerHello and EncryptedExtensions.
    """
    public_key = certificate.public_key()
    is_temporary = isinstance(public_key, ec.EllipticCurvePublicKey) and isinstance(
        public_key.curve, ec.SECP256R1
    )
    encoded = public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    expected = proof(server_key, transcript_hash, encoded)
    return hmac.compare_digest(expected, certificate.signature) and is_temporary
