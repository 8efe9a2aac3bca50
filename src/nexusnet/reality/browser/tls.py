# SPDX-License-Identifier: BSD-3-Clause
"""TLS 1.3 of a client that offers what Chromium offers, and can do all of it.

Beyond aioquic: a ClientHello in a drawn order, X25519MLKEM768, HelloRetryRequest, certificate
compression, application settings (ALPS). A subclass may hide something in the random.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Final

from aioquic import tls
from aioquic._buffer import Buffer
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.handshake.tls_context import TunnelTls
from nexusnet.handshake.wipe import wipe_bytes
from nexusnet.reality.browser.certificate import pull_compressed_certificate
from nexusnet.reality.browser.chromium import (
    ALPN,
    APPLICATION_SETTINGS,
    GROUPS,
    SIGNATURE_ALGORITHMS,
    SUITES,
)
from nexusnet.reality.browser.ec_share import EcShare
from nexusnet.reality.browser.hello import RANDOM_LENGTH, BrowserHello
from nexusnet.reality.browser.hello_retry import HelloRetryRequest, asks_again
from nexusnet.reality.key_exchange import (
    ClientShare,
    Group,
    HybridShare,
    KeyShareError,
    X25519Share,
)

WAITS_FOR_CERTIFICATE: Final = frozenset(
    {
        tls.State.CLIENT_EXPECT_CERTIFICATE_REQUEST_OR_CERTIFICATE,
        tls.State.CLIENT_EXPECT_CERTIFICATE,
    }
)


class UnsupportedExtensionAlert(tls.Alert):
    """The alert unsupported_extension (RFC 8446 section 6.2), which aioquic does not define."""

    description = tls.AlertDescription.unsupported_extension


class BrowserTls(TunnelTls):
    """A client's TLS.

    Attributes:
        hello: the ClientHello in force; None before it was made.
        server_parameters_hash: transcript hash from the ClientHello to EncryptedExtensions, that
            of the negotiated suite; empty before.
    """

    hello: BrowserHello | None
    server_parameters_hash: bytes

    def dress(self, rng: Random) -> None:
        """Take over a context of a client, before its first message; after `adopt`.

        Args:
            rng: where order and GREASE come from.
        """
        self.hello = None
        self.server_parameters_hash = b""
        self._rng = rng
        self._shares: dict[int, ClientShare] = {}
        self._retried = False
        self._settles_application = False
        self._alpn_protocols = [ALPN]
        self._cipher_suites = list(SUITES)
        self._signature_algorithms = list(SIGNATURE_ALGORITHMS)

    def seal(self, message: bytes, share_private: X25519PrivateKey) -> bytes:
        """Return the random of a ClientHello, 32 bytes; a browser's hides nothing.

        Args:
            message: the handshake message, with zeros for its random.
            share_private: private key of its X25519 share.
        """
        del message, share_private
        return os.urandom(RANDOM_LENGTH)

    @property
    def relayed(self) -> bool:
        """Whether the server proved to be a genuine site and not ours; for a subclass to find."""
        return False

    def wipe(self) -> None:
        """Overwrite the secrets and let go of the private keys; no message may follow."""
        super().wipe()
        self._shares = {}

    # ClientHello

    def _client_send_hello(self, output_buf: Buffer) -> None:
        hybrid, x25519 = HybridShare.generate(), X25519Share.generate()
        self._shares = {Group.X25519MLKEM768: hybrid, Group.X25519: x25519}
        ((_, transport_parameters),) = self.handshake_extensions
        if self._server_name is None:
            raise tls.AlertInternalError("a browser always names the server")
        unsealed = BrowserHello.draw(
            server_name=self._server_name,
            shares=(hybrid, x25519),
            transport_parameters=transport_parameters,
            rng=self._rng,
        )
        self.client_random = self.seal(unsealed.encode(), x25519.x25519)
        self.hello = unsealed.with_random(self.client_random)
        self._key_schedule_proxy = tls.KeyScheduleProxy(self._cipher_suites)
        self._key_schedule_proxy.extract(None)
        with _message(self._key_schedule_proxy, output_buf):
            output_buf.push_bytes(self.hello.encode())
        self._set_state(tls.State.CLIENT_EXPECT_SERVER_HELLO)

    # ServerHello

    def _client_handle_hello(self, input_buf: Buffer, output_buf: Buffer) -> None:
        if asks_again(input_buf.data_slice(0, input_buf.capacity)):
            self._say_hello_again(input_buf, output_buf)
            return
        answer = tls.pull_server_hello(input_buf)
        suite = self._chosen_suite(answer.cipher_suite)
        if (
            answer.legacy_session_id
            or answer.compression_method != tls.CompressionMethod.NULL
            or answer.supported_version != tls.TLS_VERSION_1_3
        ):
            raise tls.AlertIllegalParameter("ServerHello chooses what was not offered")
        # No PSK was offered.
        if answer.pre_shared_key is not None or answer.other_extensions:
            raise UnsupportedExtensionAlert("ServerHello has an extension that was not offered")
        if answer.key_share is None:
            raise tls.AlertMissingExtension("ServerHello has no key share")
        group, public = answer.key_share
        share = self._shares.get(group)
        if share is None:
            raise tls.AlertIllegalParameter("ServerHello has a key share of another group")
        try:
            secret = share.exchange(public)
        except KeyShareError as error:
            raise tls.AlertIllegalParameter(str(error)) from error
        self._shares = {}
        if self._key_schedule_proxy is None:
            raise tls.AlertUnexpectedMessage("a ServerHello before a ClientHello")
        schedule = self._key_schedule_proxy.select(suite)
        self.key_schedule = schedule
        self._key_schedule_proxy = None
        schedule.update_hash(input_buf.data)
        schedule.extract(secret)
        wipe_bytes(secret)
        self._setup_traffic_protection(tls.Direction.DECRYPT, tls.Epoch.HANDSHAKE, b"s hs traffic")
        self._setup_traffic_protection(tls.Direction.ENCRYPT, tls.Epoch.HANDSHAKE, b"c hs traffic")
        self._set_state(tls.State.CLIENT_EXPECT_ENCRYPTED_EXTENSIONS)

    def _chosen_suite(self, suite: int) -> tls.CipherSuite:
        if suite not in self._cipher_suites:
            raise tls.AlertIllegalParameter("the server chooses a cipher suite not offered")
        return tls.CipherSuite(suite)

    def _say_hello_again(self, input_buf: Buffer, output_buf: Buffer) -> None:
        # RFC 8446 section 4.1.4: once is enough.
        if self._retried or self.hello is None:
            raise tls.AlertUnexpectedMessage("a second HelloRetryRequest")
        request = HelloRetryRequest.pull(input_buf)
        suite = self._chosen_suite(request.suite)
        group = request.group
        # It has to lead to another hello, with a share of a group that was offered without one.
        if group is None or group not in GROUPS or group in self._shares:
            raise tls.AlertIllegalParameter("HelloRetryRequest asks for nothing new")
        share = EcShare.generate(group)
        self._retried = True
        self._shares = {group: share}
        self._cipher_suites = [suite]
        first = hashes.Hash(tls.cipher_suite_hash(suite))
        first.update(self.hello.encode())
        digest = first.finalize()
        # RFC 8446 section 4.4.1: the first hello counts as a message of its hash.
        proxy = tls.KeyScheduleProxy([suite])
        proxy.extract(None)
        proxy.update_hash(
            bytes([tls.HandshakeType.MESSAGE_HASH]) + len(digest).to_bytes(3) + digest
        )
        proxy.update_hash(input_buf.data)
        self._key_schedule_proxy = proxy
        self.hello = self.hello.again(share, request.cookie, self._rng)
        with _message(proxy, output_buf):
            output_buf.push_bytes(self.hello.encode())

    # The rest of the server's flight

    @property
    def _schedule(self) -> tls.KeySchedule:
        if self.key_schedule is None:
            raise tls.AlertInternalError("no key schedule before a ServerHello")
        return self.key_schedule

    def _handle_reassembled_message(
        self, message_type: int, input_buf: Buffer, output_buf: dict[tls.Epoch, Buffer]
    ) -> None:
        if (
            message_type == tls.HandshakeType.COMPRESSED_CERTIFICATE
            and self.state in WAITS_FOR_CERTIFICATE
        ):
            self._client_handle_compressed_certificate(input_buf)
        else:
            super()._handle_reassembled_message(message_type, input_buf, output_buf)

    def _client_handle_encrypted_extensions(self, input_buf: Buffer) -> None:
        super()._client_handle_encrypted_extensions(input_buf)
        received = {kind for kind, _ in self.received_extensions or ()}
        if self.hello is None or self.early_data_accepted or received - self.hello.offered:
            raise UnsupportedExtensionAlert("the server answers what was not offered")
        self._settles_application = APPLICATION_SETTINGS in received
        self.server_parameters_hash = self._schedule.hash.copy().finalize()

    def _client_handle_compressed_certificate(self, input_buf: Buffer) -> None:
        certificate = pull_compressed_certificate(input_buf)
        if not certificate.certificates:
            raise tls.AlertDecodeError("Certificate message is empty")
        # RFC 8879 section 4: the transcript has the compressed form.
        self._schedule.update_hash(input_buf.data)
        self._set_peer_certificate(certificate)
        self._set_state(tls.State.CLIENT_EXPECT_CERTIFICATE_VERIFY)

    def _client_handle_finished(self, input_buf: Buffer, output_buf: Buffer) -> None:
        finished = tls.pull_finished(input_buf)
        schedule = self._schedule
        server_key, client_key = self._dec_key, self._enc_key
        if server_key is None or client_key is None:
            raise tls.AlertInternalError("no handshake secrets")
        if finished.verify_data != schedule.finished_verify_data(server_key):
            raise tls.AlertDecryptError("the server's Finished is wrong")
        schedule.update_hash(input_buf.data)
        schedule.extract(None)
        self._setup_traffic_protection(tls.Direction.DECRYPT, tls.Epoch.ONE_RTT, b"s ap traffic")
        next_enc_key = schedule.derive_secret(b"c ap traffic")
        if self._settles_application:
            # draft-vvv-tls-alps section 4: ours come in an EncryptedExtensions message of the
            # client's; a browser has none to tell over HTTP/3.
            with _message(schedule, output_buf):
                tls.push_encrypted_extensions(
                    output_buf,
                    tls.EncryptedExtensions(other_extensions=[(APPLICATION_SETTINGS, b"")]),
                )
        if self._certificate_request is not None:
            # As a browser without a certificate (RFC 8446 section 4.4.2).
            with _message(schedule, output_buf):
                tls.push_certificate(
                    output_buf,
                    tls.Certificate(request_context=self._certificate_request.request_context),
                )
        with _message(schedule, output_buf):
            tls.push_finished(
                output_buf,
                tls.Finished(verify_data=schedule.finished_verify_data(client_key)),
            )
        self._enc_key = next_enc_key
        self.update_traffic_key_cb(
            tls.Direction.ENCRYPT, tls.Epoch.ONE_RTT, schedule.cipher_suite, next_enc_key
        )
        self._set_state(tls.State.CLIENT_POST_HANDSHAKE)


@contextmanager
def _message(schedule: tls.KeySchedule | tls.KeyScheduleProxy, buf: Buffer) -> Iterator[None]:
    """Add what is written to the transcript."""
    start = buf.tell()
    yield
    schedule.update_hash(buf.data_slice(start, buf.tell()))
