# SPDX-License-Identifier: BSD-3-Clause
"""A server's TLS engine for one client that was accepted: its flight, and the proof in it.

Only what the hello was accepted for is done: no resumption, no 0-RTT, no HelloRetryRequest, no
client certificate. How the answer looks from outside is told by a `ServerShape`.
"""

import os
from dataclasses import dataclass
from typing import ClassVar, Final

from aioquic import tls
from aioquic._buffer import Buffer

from nexusnet.handshake.errors import NoCommonParametersError
from nexusnet.handshake.tls_context import TunnelTls
from nexusnet.handshake.verify import PeerIdentity
from nexusnet.handshake.wipe import wipe_bytes
from nexusnet.reality.certificate import TemporaryCertificate
from nexusnet.reality.client_hello import ClientHello, ExtensionType, parse_client_hello
from nexusnet.reality.decision import NO_COMPRESSION, TLS_1_3, Accept
from nexusnet.reality.key_exchange import Answer, Group, KeyShareError, answer

LEGACY_VERSION: Final = 0x0303

SIGNATURE: Final = tls.SignatureAlgorithm.ECDSA_SECP256R1_SHA256

CERTIFICATE_OVERHEAD: Final = 13
"""Bytes of a Certificate message with one certificate, beside it (RFC 8446 section 4.4.2)."""

SIGNATURE_LENGTH: Final = 71
"""Bytes that an ECDSA P-256 signature has as a rule (70 to 72)."""

CERTIFICATE_VERIFY_OVERHEAD: Final = 8
FINISHED_OVERHEAD: Final = 4


@dataclass(frozen=True, slots=True)
class ServerShape:
    """How the server's answer looks from outside; taken from the camouflage target's.

    Attributes:
        suites: cipher suites, best first; the first that is offered is taken.
        groups: likewise of key exchange.
        key_share_first: whether key_share comes before supported_versions in the ServerHello.
        flight_size: bytes of CRYPTO data in Handshake packets, which the certificate is padded to;
            as few as it takes where None.
    """

    suites: tuple[int, ...] = (0x1301, 0x1302, 0x1303)
    groups: tuple[int, ...] = (Group.X25519MLKEM768, Group.X25519)
    key_share_first: bool = True
    flight_size: int | None = None


class RealityServerTls(TunnelTls):
    """Answers one accepted ClientHello; `accept` has to be told before the first message."""

    needs_credentials: ClassVar[bool] = False

    accepted: Accept
    shape: ServerShape

    def accept(self, accepted: Accept, shape: ServerShape) -> None:
        """Take over what was decided.

        Args:
            accepted: the client.
            shape: how the answer is to look.
        """
        self.accepted = accepted
        self.shape = shape

    def wipe(self) -> None:
        """Overwrite the secrets, see `TunnelTls`."""
        super().wipe()
        self.accepted.server_key.wipe()

    def _server_handle_hello(
        self, input_buf: Buffer, initial_buf: Buffer, handshake_buf: Buffer
    ) -> None:
        if input_buf.pull_bytes(input_buf.capacity) != self.accepted.message:
            raise tls.AlertIllegalParameter("another ClientHello than the accepted one")
        hello = parse_client_hello(self.accepted.message)
        suite = tls.CipherSuite(
            self._choose("cipher suite", self.shape.suites, hello.cipher_suites)
        )
        shares = {share.group: share.data for share in hello.key_shares}
        group = Group(self._choose("group", self.shape.groups, tuple(shares)))
        self._negotiate_alpn(hello)
        schedule = self.key_schedule = tls.KeySchedule(suite)
        schedule.extract(None)
        schedule.update_hash(hello.message)
        try:
            exchanged = answer(group, shares[group])
        except KeyShareError as error:
            raise tls.AlertIllegalParameter(str(error)) from error
        with tls.push_message(schedule, initial_buf):
            initial_buf.push_bytes(self._server_hello(suite, group, exchanged))
        schedule.extract(exchanged.secret)
        wipe_bytes(exchanged.secret)
        self._setup_traffic_protection(tls.Direction.ENCRYPT, tls.Epoch.HANDSHAKE, b"s hs traffic")
        self._setup_traffic_protection(tls.Direction.DECRYPT, tls.Epoch.HANDSHAKE, b"c hs traffic")
        self._push_handshake_flight(schedule, handshake_buf, hello.server_name or "")
        schedule.extract(None)
        self._setup_traffic_protection(tls.Direction.ENCRYPT, tls.Epoch.ONE_RTT, b"s ap traffic")
        self._next_dec_key = schedule.derive_secret(b"c ap traffic")
        self.identity = PeerIdentity(self.accepted.name, None, self.accepted.short_id)
        self._server_expect_finished()

    def _choose(self, what: str, ours: tuple[int, ...], offered: tuple[int, ...]) -> int:
        found = next((one for one in ours if one in offered), None)
        if found is None:
            # The decision has seen to it that this does not happen.
            self.failure = NoCommonParametersError(f"the client offers no {what} of the profile")
            raise tls.AlertHandshakeFailure(f"no {what} in common")
        return found

    def _negotiate_alpn(self, hello: ClientHello) -> None:
        self.client_random = hello.random
        self.server_random = os.urandom(32)
        self.legacy_session_id = hello.session_id
        self.received_extensions = [(one.type, one.data) for one in hello.extensions]
        offered = [name.decode("latin-1") for name in hello.alpn]
        self.alpn_negotiated = next(
            (name for name in self._alpn_protocols or () if name in offered), None
        )
        if self.alpn_negotiated is None:
            raise tls.AlertNoApplicationProtocol("no ALPN protocol in common")
        if self.alpn_cb:
            # aioquic reads the client's transport parameters here, and prepares ours.
            self.alpn_cb(self.alpn_negotiated)

    def _server_hello(self, suite: tls.CipherSuite, group: Group, exchanged: Answer) -> bytes:
        """Return the ServerHello (RFC 8446 section 4.1.3)."""
        buf = Buffer(capacity=2048)
        share = Buffer(capacity=2048)
        tls.push_key_share(share, (group, exchanged.share))
        extensions = [
            (ExtensionType.KEY_SHARE, share.data),
            (ExtensionType.SUPPORTED_VERSIONS, TLS_1_3.to_bytes(2, "big")),
        ]
        if not self.shape.key_share_first:
            extensions.reverse()
        buf.push_uint8(tls.HandshakeType.SERVER_HELLO)
        with tls.push_block(buf, 3):
            buf.push_uint16(LEGACY_VERSION)
            buf.push_bytes(self.server_random)
            tls.push_opaque(buf, 1, self.legacy_session_id or b"")
            buf.push_uint16(suite)
            buf.push_uint8(NO_COMPRESSION)
            with tls.push_block(buf, 2):
                for kind, payload in extensions:
                    buf.push_uint16(kind)
                    tls.push_opaque(buf, 2, payload)
        return buf.data

    def _push_handshake_flight(
        self, schedule: tls.KeySchedule, buf: Buffer, server_name: str
    ) -> None:
        """Write EncryptedExtensions, Certificate, CertificateVerify and Finished."""
        start = buf.tell()
        with tls.push_message(schedule, buf):
            tls.push_encrypted_extensions(
                buf,
                tls.EncryptedExtensions(
                    alpn_protocol=self.alpn_negotiated,
                    other_extensions=self.handshake_extensions,
                ),
            )
        certificate = TemporaryCertificate.make(
            server_name, self.wall_clock(), size=self._certificate_size(buf.tell() - start)
        )
        # Up to here: ClientHello, ServerHello, EncryptedExtensions.
        transcript = schedule.hash.copy().finalize()
        with tls.push_message(schedule, buf):
            der = certificate.prove(self.accepted.server_key, transcript)
            tls.push_certificate(buf, tls.Certificate(certificates=[(der, b"")]))
        self.accepted.server_key.wipe()
        signature = certificate.private_key.sign(
            schedule.certificate_verify_data(tls.SERVER_CONTEXT_STRING),
            *tls.signature_algorithm_params(SIGNATURE),
        )
        with tls.push_message(schedule, buf):
            tls.push_certificate_verify(
                buf, tls.CertificateVerify(algorithm=SIGNATURE, signature=signature)
            )
        with tls.push_message(schedule, buf):
            verify_data = schedule.finished_verify_data(self._enc_key or b"")
            tls.push_finished(buf, tls.Finished(verify_data=verify_data))

    def _certificate_size(self, encrypted_extensions: int) -> int | None:
        if self.shape.flight_size is None or self.key_schedule is None:
            return None
        return (
            self.shape.flight_size
            - encrypted_extensions
            - CERTIFICATE_OVERHEAD
            - CERTIFICATE_VERIFY_OVERHEAD
            - SIGNATURE_LENGTH
            - FINISHED_OVERHEAD
            - self.key_schedule.algorithm.digest_size
        )
