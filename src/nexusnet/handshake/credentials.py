# SPDX-License-Identifier: BSD-3-Clause
"""Certificates, private keys and SHA-256 fingerprints of the `tls` mode."""

import datetime as dt
import hashlib
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from nexusnet.handshake.errors import CredentialsError

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

_T = TypeVar("_T")

FINGERPRINT_LENGTH: Final = 32
"""Bytes of a SHA-256 digest."""


def fingerprint(certificate: x509.Certificate) -> bytes:
    """Return the SHA-256 digest (32 bytes) of the certificate's DER form.

    It is what `openssl x509 -noout -fingerprint -sha256` prints.
    """
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()


def format_fingerprint(digest: bytes) -> str:
    """Return a fingerprint as it stands in configuration files: `sha256:` and 64 hex digits."""
    return f"sha256:{digest.hex()}"


def parse_fingerprint(text: str) -> bytes:
    """Read a fingerprint: 64 hex digits, with or without colons and a `sha256:` in front.

    Raises:
        CredentialsError: the text is no SHA-256 fingerprint.
    """
    # `openssl x509 -fingerprint` prints "sha256 Fingerprint=AA:BB:...".
    digits = text.strip().lower().removeprefix("sha256 fingerprint=").removeprefix("sha256:")
    try:
        digest = bytes.fromhex(digits.replace(":", ""))
    except ValueError:
        digest = b""
    if len(digest) != FINGERPRINT_LENGTH:
        raise CredentialsError(
            f"{text!r} is no SHA-256 fingerprint: expected sha256: and 64 hexadecimal digits"
        )
    return digest


# What cryptography says about text that is no PEM helps nobody who runs an agent.


def _read_chain(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise CredentialsError(
            "no PEM certificate; `nexus genkey --mode tls` makes one with its key"
        ) from error


def _read_key(pem: bytes) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise CredentialsError(
            "no unencrypted PEM private key; `nexus genkey --mode tls` makes it and a certificate"
        ) from error
    if not isinstance(key, PrivateKey):
        raise CredentialsError("the private key must be ECDSA, Ed25519 or RSA")
    return key


def _read_file(path: Path, read: Callable[[bytes], _T]) -> _T:
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise CredentialsError(f"{path}: {error.strerror}") from error
    except CredentialsError as error:
        raise CredentialsError(f"{path}: {error}") from error


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate with its private key.

    Attributes:
        certificate: the end entity's.
        private_key: ECDSA (P-256, P-384), Ed25519 or RSA; not in the repr.
        chain: intermediate certificates, nearest first.
    """

    certificate: x509.Certificate
    private_key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 digest of the certificate, 32 bytes: what the peer pins."""
        return fingerprint(self.certificate)

    @classmethod
    def from_pem(cls, certificates: bytes, private_key: bytes) -> Self:
        """Read PEM: the certificate followed by intermediates, and an unencrypted private key.

        Raises:
            CredentialsError: not PEM, an unsupported key type, or a key of another certificate.
        """
        return cls._of(_read_chain(certificates), _read_key(private_key))

    @classmethod
    def _of(cls, chain: list[x509.Certificate], key: PrivateKey) -> Self:
        if _spki(key.public_key()) != _spki(chain[0].public_key()):
            raise CredentialsError(
                "the private key does not belong to the certificate: name the two that were made"
                " together"
            )
        return cls(chain[0], key, tuple(chain[1:]))

    @classmethod
    def load(cls, certificate_file: Path, key_file: Path) -> Self:
        """Read both from PEM files.

        Raises:
            CredentialsError: as `from_pem`, or a file cannot be read; names the file.
        """
        chain = _read_file(certificate_file, _read_chain)
        key = _read_file(key_file, _read_key)
        try:
            return cls._of(chain, key)
        except CredentialsError as error:
            raise CredentialsError(f"{certificate_file}, {key_file}: {error}") from error

    @classmethod
    def self_signed(
        cls,
        name: str,
        *,
        not_before: dt.datetime,
        lifetime: dt.timedelta = dt.timedelta(days=3650),
        key: PrivateKey | None = None,
    ) -> Self:
        """Make a self-signed certificate, to be pinned by its fingerprint.

        Args:
            name: DNS name or IP address that it is for.
            not_before: start of its validity, with a time zone.
            lifetime: how long it stays valid.
            key: to certify; a fresh ECDSA P-256 one where None.
        """
        if key is None:
            key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
        alternative: x509.GeneralName
        try:
            alternative = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_before + lifetime)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
        )
        return cls(certificate, key)

    def to_pem(self) -> tuple[bytes, bytes]:
        """Return the certificates and the private key (PKCS #8, unencrypted) as PEM."""
        certificates = b"".join(
            certificate.public_bytes(serialization.Encoding.PEM)
            for certificate in (self.certificate, *self.chain)
        )
        key = self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return certificates, key


def _spki(public_key: object) -> bytes:
    encode = getattr(public_key, "public_bytes", None)
    if encode is None:
        raise CredentialsError("the certificate holds a public key of an unknown kind")
    encoded: bytes = encode(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded
