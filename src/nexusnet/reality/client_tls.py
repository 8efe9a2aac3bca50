# SPDX-License-Identifier: BSD-3-Clause
"""A client's verdict about who answered: our server, the camouflage site, or an impostor.

CertificateVerify is checked first, as anywhere in TLS. Then the certificate's HMAC decides; where
it is wrong, a chain that is valid for the name that was asked for shows that we were relayed.
"""

import enum

from aioquic import tls
from aioquic._buffer import Buffer
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.handshake.errors import BadCertificateError, HandshakeError, RelayedError
from nexusnet.handshake.tls_context import TunnelTls
from nexusnet.handshake.verify import PeerEvidence, PeerIdentity
from nexusnet.reality.authenticator import seal
from nexusnet.reality.certificate import check_proof
from nexusnet.reality.credentials import ClientCredentials
from nexusnet.secret import SecretBytes


class Outcome(enum.Enum):
    """Who answered a client."""

    GENUINE = "genuine"
    RELAYED = "relayed"
    BAD_CERTIFICATE = "bad_certificate"


class RealityClientTls(TunnelTls):
    """Makes the authenticator of a hello, and judges the server's proof.

    `expect` has to be told before the first message; the verifier says which sites' chains are
    valid. Where we were relayed the handshake goes on, so that it ends as a browser's does.

    Attributes:
        outcome: who answered; None before CertificateVerify.
    """

    outcome: Outcome | None
    _credentials: ClientCredentials
    _peer_name: str
    _server_key: SecretBytes | None
    _transcript_hash: bytes

    def expect(self, credentials: ClientCredentials, peer_name: str) -> None:
        """Take over what the server is to be recognised by.

        Args:
            credentials: what we prove ourselves with, and the server's key.
            peer_name: how the server is called here.
        """
        self.outcome = None
        self._credentials = credentials
        self._peer_name = peer_name
        self._server_key = None
        self._transcript_hash = b""

    def seal(self, message: bytes, share_private: X25519PrivateKey) -> bytes:
        """Return the random of a ClientHello that is complete but for it, see `authenticator.seal`.

        Args:
            message: the handshake message, with 32 zero bytes for random.
            share_private: private key of its X25519 share.
        """
        sealed = seal(
            message,
            share_private=share_private,
            server_public=self._credentials.server_key,
            psk=self._credentials.psk,
            unix_time=int(self.wall_clock().timestamp()),
            short_id=self._credentials.short_id,
        )
        self._server_key = sealed.server_key
        self.client_random = sealed.random
        return sealed.random

    def wipe(self) -> None:
        """Overwrite the secrets, see `TunnelTls`."""
        super().wipe()
        self._forget_server_key()

    def _forget_server_key(self) -> None:
        if self._server_key is not None:
            self._server_key.wipe()
            self._server_key = None

    def _client_handle_encrypted_extensions(self, input_buf: Buffer) -> None:
        super()._client_handle_encrypted_extensions(input_buf)
        if self.key_schedule is not None:
            # Up to here: ClientHello, ServerHello, EncryptedExtensions.
            self._transcript_hash = self.key_schedule.hash.copy().finalize()

    def _judge_peer(self) -> None:
        certificate = self._peer_certificate
        if certificate is None or self._server_key is None:
            raise tls.AlertInternalError("nothing to judge the peer by")
        genuine = check_proof(certificate, self._server_key, self._transcript_hash)
        self._forget_server_key()
        if genuine:
            self.outcome = Outcome.GENUINE
            self.identity = PeerIdentity(self._peer_name, None)
            return
        evidence = PeerEvidence(
            certificate=certificate,
            chain=tuple(self._peer_certificate_chain),
            server_name=self._server_name,
            now=self.wall_clock(),
        )
        try:
            self.verifier.verify(evidence)
        except HandshakeError as error:
            self.outcome = Outcome.BAD_CERTIFICATE
            self.failure = BadCertificateError(
                "who answered is neither our server nor the site whose name it bears: somebody"
                f" between answers in its place, or the site's certificate is bad ({error})"
            )
            raise tls.AlertBadCertificate("certificate refused") from error
        self.outcome = Outcome.RELAYED
        self.failure = RelayedError(
            f"the real site {self._server_name} answered instead of our server, which does not take"
            " this client for one of its own: check short_id, public_key, preshared_key_file and"
            " this machine's clock (it may differ by 2 minutes)"
        )
