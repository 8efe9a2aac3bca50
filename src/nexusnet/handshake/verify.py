# SPDX-License-Identifier: BSD-3-Clause
"""Who the peer may be: the decision about its certificate.

A verifier runs after TLS has proved that the peer holds the certificate's private key
(CertificateVerify, RFC 8446 section 4.4.3). Another way to authenticate (REALITY) replaces the TLS
context instead, see `tls_context`.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aioquic import tls
from cryptography import x509

from nexusnet.handshake.credentials import fingerprint, format_fingerprint
from nexusnet.handshake.errors import (
    CertificateExpiredError,
    ClockError,
    FingerprintMismatchError,
    UntrustedCertificateError,
)


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """Who the peer proved to be.

    Attributes:
        name: as configured for its pin, or the name in the certificate; for people and policy.
        fingerprint: SHA-256 digest of its certificate, 32 bytes; None where it showed none.
        short_id: by which a server knows it in mode `reality`, 8 bytes; None otherwise.
    """

    name: str
    fingerprint: bytes | None
    short_id: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PeerEvidence:
    """What a verifier has to go by.

    Attributes:
        certificate: the peer's, whose key has signed this handshake.
        chain: further certificates that it sent.
        server_name: name that the client asked for; None on a server.
        now: wall clock, with a time zone.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    server_name: str | None
    now: dt.datetime


class PeerVerifier(Protocol):
    """Decides about a peer's certificate."""

    @property
    def demands_certificate(self) -> bool:
        """Whether a server asks its clients for a certificate and refuses those without."""

    def verify(self, evidence: PeerEvidence) -> PeerIdentity:
        """Accept the peer.

        Raises:
            HandshakeError: the peer is refused; the text says why.
        """


def _minute(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def check_validity(certificate: x509.Certificate, now: dt.datetime) -> None:
    """Check the certificate's dates against the wall clock `now`.

    Raises:
        ClockError: it is not valid yet.
        CertificateExpiredError: it is no longer valid.
    """
    if now < certificate.not_valid_before_utc:
        raise ClockError(
            f"the peer's certificate is valid from {_minute(certificate.not_valid_before_utc)} on,"
            f" but this machine's clock says {_minute(now)}: set the clock"
        )
    if now > certificate.not_valid_after_utc:
        raise CertificateExpiredError(
            f"the peer's certificate expired on {_minute(certificate.not_valid_after_utc)}"
            f" (this machine's clock says {_minute(now)}): renew it there"
        )


@dataclass(frozen=True, slots=True)
class PinnedFingerprints:
    """Accepts exactly the certificates whose SHA-256 fingerprints are configured.

    Attributes:
        pins: name of the peer by fingerprint (32 bytes).
    """

    pins: Mapping[bytes, str]

    @property
    def demands_certificate(self) -> bool:
        """Always: the certificate is the identity."""
        return True

    def verify(self, evidence: PeerEvidence) -> PeerIdentity:
        """Accept a pinned certificate within its dates.

        Raises:
            FingerprintMismatchError: it is not pinned.
            ClockError: it is not valid yet.
            CertificateExpiredError: it is no longer valid.
        """
        digest = fingerprint(evidence.certificate)
        name = self.pins.get(digest)
        if name is None:
            raise FingerprintMismatchError(
                f"the peer's certificate has the fingerprint {format_fingerprint(digest)}, which is"
                " not pinned here: wrong peer, interception, or a renewed certificate to pin"
            )
        check_validity(evidence.certificate, evidence.now)
        return PeerIdentity(name, digest)


@dataclass(frozen=True, slots=True)
class TrustedAuthorities:
    """Accepts a server whose certificate chain leads to an authority and names the server.

    Attributes:
        ca_pem: PEM of the authorities; None stands for the ones that `certifi` brings.
    """

    ca_pem: bytes | None = None

    @property
    def demands_certificate(self) -> bool:
        """Always: the chain is what is checked."""
        return True

    def verify(self, evidence: PeerEvidence) -> PeerIdentity:
        """Accept a chain that is valid for the server name.

        Raises:
            UntrustedCertificateError: unknown authority, or a certificate for another name.
            ClockError: it is not valid yet.
            CertificateExpiredError: it is no longer valid.
        """
        check_validity(evidence.certificate, evidence.now)
        try:
            tls.verify_certificate(
                certificate=evidence.certificate,
                chain=list(evidence.chain),
                server_name=evidence.server_name,
                cadata=self.ca_pem,
            )
        except tls.Alert as alert:
            raise UntrustedCertificateError(
                f"the peer's certificate is not trusted: {alert}; pin its fingerprint"
                f" {format_fingerprint(fingerprint(evidence.certificate))} or install its authority"
            ) from alert
        name = evidence.server_name or evidence.certificate.subject.rfc4514_string()
        return PeerIdentity(name, fingerprint(evidence.certificate))


@dataclass(frozen=True, slots=True)
class AnyPeer:
    """Accepts everyone. For interoperability tests only: it authenticates nobody."""

    @property
    def demands_certificate(self) -> bool:
        """Never."""
        return False

    def verify(self, evidence: PeerEvidence) -> PeerIdentity:
        """Accept whatever certificate was shown."""
        return PeerIdentity("anyone", fingerprint(evidence.certificate))


@dataclass(frozen=True, slots=True)
class NoCertificates:
    """Asks for none and accepts none: the peer proves itself in another way."""

    @property
    def demands_certificate(self) -> bool:
        """Never."""
        return False

    def verify(self, evidence: PeerEvidence) -> PeerIdentity:
        """Refuse.

        Raises:
            UntrustedCertificateError: always.
        """
        raise UntrustedCertificateError(
            f"no certificate counts here ({format_fingerprint(fingerprint(evidence.certificate))})"
        )
