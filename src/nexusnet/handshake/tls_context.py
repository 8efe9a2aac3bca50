# SPDX-License-Identifier: BSD-3-Clause
"""The TLS engine with our own decision about the peer: the seam where authentication plugs in.

aioquic makes a `tls.Context` for a connection; `TunnelConnection` turns it into a `TunnelTls`
before the first message. Another way to authenticate, such as REALITY, is a subclass with its own
ClientHello and certificate handling.
"""

import datetime as dt
from collections.abc import Callable
from typing import ClassVar

from aioquic import tls
from aioquic._buffer import Buffer

from nexusnet.handshake.errors import (
    CertificateExpiredError,
    CertificateMissingError,
    ClockError,
    HandshakeError,
)
from nexusnet.handshake.verify import PeerEvidence, PeerIdentity, PeerVerifier
from nexusnet.handshake.wipe import wipe_bytes


class CertificateRequiredAlert(tls.Alert):
    """The alert certificate_required (RFC 8446 section 6.2), which aioquic does not define."""

    description = tls.AlertDescription.certificate_required


class TunnelTls(tls.Context):
    """TLS 1.3 as aioquic does it, where a `PeerVerifier` has the last word about the peer.

    Attributes:
        identity: who the peer proved to be; None until then.
        failure: why the peer was refused, typed; None while it was not.
    """

    needs_credentials: ClassVar[bool] = True
    """Whether a server has to bring a certificate of its own."""

    verifier: PeerVerifier
    wall_clock: Callable[[], dt.datetime]
    identity: PeerIdentity | None
    failure: HandshakeError | None

    def adopt(self, verifier: PeerVerifier, wall_clock: Callable[[], dt.datetime]) -> None:
        """Take over a context that aioquic has just made, before its first message.

        Args:
            verifier: decides about the peer's certificate.
            wall_clock: gives the time of day, with a time zone.
        """
        self.verifier = verifier
        self.wall_clock = wall_clock
        self.identity = None
        self.failure = None
        # aioquic's name says "for test purposes only"; it only means that QuicConfiguration has no
        # switch for it.
        self._request_client_certificate = not self._is_client and verifier.demands_certificate

    def wipe(self) -> None:
        """Overwrite the secrets and let go of the private keys; no message may follow."""
        for secret in (self._enc_key, self._dec_key, getattr(self, "_next_dec_key", None)):
            wipe_bytes(secret)
        if self.key_schedule is not None:
            wipe_bytes(self.key_schedule.secret)
        self._enc_key = self._dec_key = self._next_dec_key = None
        self.key_schedule = self._key_schedule_psk = self._key_schedule_proxy = None
        self.certificate_private_key = None
        self._ec_private_keys.clear()
        self._x25519_private_key = self._x448_private_key = None

    def _judge_peer(self) -> None:
        if self._peer_certificate is None:
            raise tls.AlertInternalError("no peer certificate to judge")
        evidence = PeerEvidence(
            certificate=self._peer_certificate,
            chain=tuple(self._peer_certificate_chain),
            server_name=self._server_name,
            now=self.wall_clock(),
        )
        try:
            self.identity = self.verifier.verify(evidence)
        except HandshakeError as error:
            self.failure = error
            if isinstance(error, (CertificateExpiredError, ClockError)):
                raise tls.AlertCertificateExpired("certificate expired or not valid yet") from error
            raise tls.AlertBadCertificate("certificate refused") from error

    def _client_handle_certificate_verify(self, input_buf: Buffer) -> None:
        # The configuration says CERT_NONE, so this checks only the peer's signature.
        super()._client_handle_certificate_verify(input_buf)
        self._judge_peer()

    def _server_handle_certificate(self, input_buf: Buffer) -> None:
        super()._server_handle_certificate(input_buf)
        # RFC 8446 section 4.4.2.4: a server may refuse a client that sends no certificate.
        if self._peer_certificate is None:
            self.failure = CertificateMissingError(
                "the client showed no certificate: configure one there"
            )
            raise CertificateRequiredAlert("a client certificate is required")

    def _server_handle_certificate_verify(self, input_buf: Buffer) -> None:
        super()._server_handle_certificate_verify(input_buf)
        self._judge_peer()
