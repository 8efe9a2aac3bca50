# SPDX-License-Identifier: BSD-3-Clause
"""A genuine HTTP/3 site on aioquic, which does what real ones do and aioquic alone does not.

Certificate compression, application settings, HelloRetryRequest, Retry, X25519MLKEM768.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import brotli
from aioquic import tls
from aioquic._buffer import Buffer
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ProtocolNegotiated, QuicEvent
from aioquic.quic.packet import QuicProtocolVersion, encode_quic_retry, pull_quic_header
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.datagram import Address, Received, Transmit
from nexusnet.reality.browser.hello_retry import RETRY_RANDOM
from nexusnet.reality.client_hello import ClientHello, parse_client_hello
from nexusnet.reality.key_exchange import Group, answer
from tests.handshake.setting import PlainPeer
from tests.handshake.wire import SERVER

ALPS = 0x44CD
SETTINGS = b"\x04\x03\x01\x02\x03"


@dataclass
class Habits:
    """What a site does."""

    suite: tls.CipherSuite = tls.CipherSuite.AES_128_GCM_SHA256
    group: int = Group.X25519
    ask_again_for: int | None = None
    cookie: bytes | None = None
    times: int = 1
    compress: bool = False
    compression: int = 2
    length_lie: int = 0
    settings: bytes | None = None
    asks_certificate: bool = False
    retry: bool = False
    more_extensions: list[tuple[int, bytes]] = field(default_factory=list)
    server_hello_extensions: list[tuple[int, bytes]] = field(default_factory=list)
    page: bytes = b"<html>It works.</html>"
    answers: bool = True
    spoil: Callable[[bytes], bytes] = lambda share: share


class SiteTls(tls.Context):
    """The server's TLS."""

    habits: Habits
    hellos: list[ClientHello]
    client_settings: list[tuple[int, bytes]] | None
    started: tls.KeySchedule | None

    def _server_handle_hello(
        self, input_buf: Buffer, initial_buf: Buffer, handshake_buf: Buffer
    ) -> None:
        habits = self.habits
        hello = parse_client_hello(input_buf.pull_bytes(input_buf.capacity))
        self.hellos.append(hello)
        self.client_random = hello.random
        self.server_random = os.urandom(32)
        if habits.ask_again_for is not None and len(self.hellos) <= habits.times:
            self._ask_again(hello, initial_buf)
            return
        schedule = self.key_schedule = self.started or self._schedule()
        schedule.update_hash(hello.message)
        self.received_extensions = [(one.type, one.data) for one in hello.extensions]
        self.alpn_negotiated = "h3"
        assert self.alpn_cb is not None
        self.alpn_cb("h3")
        group = habits.ask_again_for or habits.group
        offered = {share.group: share.data for share in hello.key_shares}
        share, secret = self._exchange(group, offered[group])
        with tls.push_message(schedule, initial_buf):
            tls.push_server_hello(
                initial_buf,
                tls.ServerHello(
                    random=self.server_random,
                    legacy_session_id=b"",
                    cipher_suite=habits.suite,
                    compression_method=0,
                    key_share=(group, habits.spoil(share)),
                    supported_version=tls.TLS_VERSION_1_3,
                    other_extensions=habits.server_hello_extensions,
                ),
            )
        schedule.extract(secret)
        self._setup_traffic_protection(tls.Direction.ENCRYPT, tls.Epoch.HANDSHAKE, b"s hs traffic")
        self._setup_traffic_protection(tls.Direction.DECRYPT, tls.Epoch.HANDSHAKE, b"c hs traffic")
        self._push_flight(schedule, handshake_buf)
        schedule.extract(None)
        self._setup_traffic_protection(tls.Direction.ENCRYPT, tls.Epoch.ONE_RTT, b"s ap traffic")
        self._next_dec_key = schedule.derive_secret(b"c ap traffic")
        if habits.settings is not None:
            self._set_state(tls.State.SERVER_EXPECT_FINISHED)
        elif habits.asks_certificate:
            self._set_state(tls.State.SERVER_EXPECT_CERTIFICATE)
        else:
            self._server_expect_finished()

    def _schedule(self) -> tls.KeySchedule:
        schedule = tls.KeySchedule(self.habits.suite)
        schedule.extract(None)
        return schedule

    def _ask_again(self, hello: ClientHello, buf: Buffer) -> None:
        habits = self.habits
        if self.started is None:
            self.started = self._schedule()
            digest = hashes.Hash(self.started.algorithm)
            digest.update(hello.message)
            hashed = digest.finalize()
            self.started.update_hash(b"\xfe" + len(hashed).to_bytes(3) + hashed)
        assert habits.ask_again_for is not None
        extensions = b"\0\x2b\0\x02\x03\x04" + b"\0\x33\0\x02" + habits.ask_again_for.to_bytes(2)
        if habits.cookie is not None:
            payload = len(habits.cookie).to_bytes(2) + habits.cookie
            extensions += b"\0\x2c" + len(payload).to_bytes(2) + payload
        body = b"\x03\x03" + RETRY_RANDOM + b"\0" + int(habits.suite).to_bytes(2) + b"\0"
        body += len(extensions).to_bytes(2) + extensions
        with tls.push_message(self.started, buf):
            buf.push_bytes(b"\x02" + len(body).to_bytes(3) + body)

    @staticmethod
    def _exchange(group: int, share: bytes) -> tuple[bytes, bytes]:
        if group in {Group.X25519, Group.X25519MLKEM768}:
            made = answer(Group(group), share)
            return made.share, made.secret
        curve = tls.GROUP_TO_CURVE[group]()
        private = ec.generate_private_key(curve)
        peer = ec.EllipticCurvePublicKey.from_encoded_point(curve, share)
        public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return public, private.exchange(ec.ECDH(), peer)

    def _push_flight(self, schedule: tls.KeySchedule, buf: Buffer) -> None:
        habits = self.habits
        extensions = [*self.handshake_extensions, *habits.more_extensions]
        if habits.settings is not None:
            extensions.append((ALPS, habits.settings))
        with tls.push_message(schedule, buf):
            tls.push_encrypted_extensions(
                buf, tls.EncryptedExtensions(alpn_protocol="h3", other_extensions=extensions)
            )
        if habits.asks_certificate:
            with tls.push_message(schedule, buf):
                tls.push_certificate_request(
                    buf,
                    tls.CertificateRequest(
                        request_context=b"", signature_algorithms=self._signature_algorithms
                    ),
                )
        assert self.certificate is not None
        plain = Buffer(capacity=8192)
        der = self.certificate.public_bytes(Encoding.DER)
        tls.push_certificate(plain, tls.Certificate(certificates=[(der, b"")]))
        with tls.push_message(schedule, buf):
            buf.push_bytes(self._compressed(plain.data) if habits.compress else plain.data)
        private = self.certificate_private_key
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        algorithm = tls.SignatureAlgorithm.ECDSA_SECP256R1_SHA256
        signature = private.sign(
            schedule.certificate_verify_data(tls.SERVER_CONTEXT_STRING),
            *tls.signature_algorithm_params(algorithm),
        )
        with tls.push_message(schedule, buf):
            tls.push_certificate_verify(buf, tls.CertificateVerify(algorithm, signature))
        assert self._enc_key is not None
        with tls.push_message(schedule, buf):
            verify_data = schedule.finished_verify_data(self._enc_key)
            tls.push_finished(buf, tls.Finished(verify_data=verify_data))

    def _compressed(self, message: bytes) -> bytes:
        body = message[4:]
        packed: bytes = brotli.compress(body)
        inside = self.habits.compression.to_bytes(2)
        inside += (len(body) + self.habits.length_lie).to_bytes(3)
        inside += len(packed).to_bytes(3) + packed
        return b"\x19" + len(inside).to_bytes(3) + inside

    def _handle_reassembled_message(
        self, message_type: int, input_buf: Buffer, output_buf: dict[tls.Epoch, Buffer]
    ) -> None:
        if message_type == tls.HandshakeType.ENCRYPTED_EXTENSIONS:
            assert self.habits.settings is not None, "application settings nobody asked for"
            assert self.client_settings is None
            assert self.key_schedule is not None
            self.client_settings = tls.pull_encrypted_extensions(input_buf).other_extensions
            self.key_schedule.update_hash(input_buf.data)
            if self.habits.asks_certificate:
                self._set_state(tls.State.SERVER_EXPECT_CERTIFICATE)
            else:
                self._server_expect_finished()
        else:
            super()._handle_reassembled_message(message_type, input_buf, output_buf)


class SiteConnection(QuicConnection):
    """The server's connection."""

    tls: SiteTls

    def __init__(self, habits: Habits, **options: Any) -> None:
        self.habits = habits
        super().__init__(**options)

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        self.tls.__class__ = SiteTls
        self.tls.habits = self.habits
        self.tls.hellos = []
        self.tls.client_settings = None
        self.tls.started = None


class Site(PlainPeer):
    """A site with one visitor, on the wire."""

    quic: SiteConnection

    def __init__(
        self, credentials: Credentials, habits: Habits | None = None, *, local: Address = SERVER
    ) -> None:
        self.habits = habits or Habits()
        self.configuration = QuicConfiguration(
            is_client=False,
            alpn_protocols=["h3"],
            certificate=credentials.certificate,
            private_key=credentials.private_key,
            supported_versions=[QuicProtocolVersion.VERSION_1],
        )
        self.local = local
        self.events: list[QuicEvent] = []
        self.received: list[bytes] = []
        self.requests: list[dict[bytes, bytes]] = []
        self.started = False
        self._h3: H3Connection | None = None
        self._retries: list[Transmit] = []
        self._retry_cid = b""
        self._original = b""

    def receive(self, datagram: Received, now: float) -> None:
        self.received.append(datagram.data)
        if not self.started:
            header = pull_quic_header(Buffer(data=datagram.data), host_cid_length=8)
            if self.habits.retry and not header.token:
                self._send_retry(datagram, header.destination_cid, header.source_cid)
                return
            self.started = True
            original = self._original or header.destination_cid
            self.quic = SiteConnection(
                self.habits,
                configuration=self.configuration,
                original_destination_connection_id=original,
                retry_source_connection_id=self._retry_cid or None,
            )
        super().receive(datagram, now)

    def _send_retry(self, datagram: Received, dcid: bytes, scid: bytes) -> None:
        if self._retry_cid:
            return
        self._original = dcid
        self._retry_cid = os.urandom(8)
        packet = encode_quic_retry(
            version=QuicProtocolVersion.VERSION_1,
            source_cid=self._retry_cid,
            destination_cid=scid,
            original_destination_cid=dcid,
            retry_token=b"token of a site " * 6,
        )
        self._retries.append(Transmit(packet, self.local, datagram.remote))

    def transmit(self, now: float) -> list[Transmit]:
        retries, self._retries = self._retries, []
        return retries + (super().transmit(now) if self.started else [])

    def deadline(self) -> float | None:
        return super().deadline() if self.started else None

    def _collect(self) -> None:
        while (event := self.quic.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, ProtocolNegotiated):
                self._h3 = H3Connection(self.quic)
            if self._h3 is not None:
                for answer in self._h3.handle_event(event):
                    if isinstance(answer, HeadersReceived):
                        self._serve(answer)

    def _serve(self, request: HeadersReceived) -> None:
        assert self._h3 is not None
        assert request.stream_ended
        self.requests.append(dict(request.headers))
        if self.habits.answers:
            headers = [(b":status", b"200"), (b"content-type", b"text/html")]
            self._h3.send_headers(request.stream_id, headers)
            self._h3.send_data(request.stream_id, self.habits.page, end_stream=True)

    @property
    def visitor_settings(self) -> dict[int, int] | None:
        return None if self._h3 is None else self._h3.received_settings
