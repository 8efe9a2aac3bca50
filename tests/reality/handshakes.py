# SPDX-License-Identifier: BSD-3-Clause
"""TLS handshakes without QUIC: a client with a plain hello and a server, message by message."""

import datetime as dt
import functools
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aioquic import tls
from aioquic._buffer import Buffer
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.profile import utc_now
from nexusnet.handshake.verify import NoCertificates, TrustedAuthorities
from nexusnet.reality.client_tls import RealityClientTls
from nexusnet.reality.credentials import ClientCredentials, ServerCredentials
from nexusnet.reality.decision import Accept, Decider, Decision, InitialFacts, ServerProfile
from nexusnet.reality.key_exchange import ClientShare, Group, HybridShare, X25519Share
from nexusnet.reality.replay import ReplayCache
from nexusnet.reality.server_tls import RealityServerTls, ServerShape
from tests.reality.hellos import Hello, vector, with_random

SITE = "site.test"
SUITES = (
    tls.CipherSuite.AES_128_GCM_SHA256,
    tls.CipherSuite.AES_256_GCM_SHA384,
    tls.CipherSuite.CHACHA20_POLY1305_SHA256,
)
SERVER_KEY = X25519PrivateKey.generate()
SHORT_ID = bytes.fromhex("0011223344556677")
PARAMETERS = b"\x01\x04\x80\x00\x75\x30"


@functools.cache
def site() -> Credentials:
    """The camouflage site's certificate; it is its own authority."""
    return Credentials.self_signed(SITE, not_before=utc_now() - dt.timedelta(days=1))


class HelloMaker(RealityClientTls):
    """Sends a hello made by hand, with the shares that `groups` says."""

    groups: tuple[int, ...] = (0x001D,)

    def _client_send_hello(self, output_buf: Buffer) -> None:
        plain, hybrid = X25519Share.generate(), HybridShare.generate()
        self.shares: dict[Group, ClientShare] = {Group.X25519: plain, Group.X25519MLKEM768: hybrid}
        shape = Hello(
            server_name=self._server_name,
            share=plain.public if Group.X25519 in self.groups else None,
            hybrid_share=hybrid.public if Group.X25519MLKEM768 in self.groups else None,
            parameters=PARAMETERS,
        )
        message = shape.encode()
        bound = plain if Group.X25519 in self.groups else hybrid
        message = with_random(message, self.seal(message, bound.x25519))
        self.key_schedule_proxy = tls.KeyScheduleProxy(list(SUITES))
        self.key_schedule_proxy.extract(None)
        self.key_schedule_proxy.update_hash(message)
        output_buf.push_bytes(message)
        self.state = tls.State.CLIENT_EXPECT_SERVER_HELLO

    def _client_handle_hello(self, input_buf: Buffer, output_buf: Buffer) -> None:
        del output_buf
        hello = tls.pull_server_hello(input_buf)
        assert hello.key_share is not None
        self.server_group, share = hello.key_share
        schedule = self.key_schedule = self.key_schedule_proxy.select(
            tls.CipherSuite(hello.cipher_suite)
        )
        schedule.update_hash(input_buf.data)
        schedule.extract(self.shares[Group(self.server_group)].exchange(share))
        self._setup_traffic_protection(tls.Direction.DECRYPT, tls.Epoch.HANDSHAKE, b"s hs traffic")
        self._setup_traffic_protection(tls.Direction.ENCRYPT, tls.Epoch.HANDSHAKE, b"c hs traffic")
        self.state = tls.State.CLIENT_EXPECT_ENCRYPTED_EXTENSIONS


def buffers() -> dict[tls.Epoch, Buffer]:
    return {epoch: Buffer(capacity=32768) for epoch in tls.Epoch}


def take(buf: Buffer) -> bytes:
    data = buf.data
    buf.seek(0)
    return data


def client_tls(
    credentials: ClientCredentials | None = None,
    *,
    name: str = SITE,
    groups: Sequence[int] = (0x001D,),
    authority: bytes | None = None,
    clock: Callable[[], dt.datetime] = utc_now,
) -> HelloMaker:
    context = tls.Context(
        is_client=True,
        alpn_protocols=["h3"],
        cipher_suites=list(SUITES),
        server_name=name,
        verify_mode=ssl.CERT_NONE,
    )
    context.__class__ = HelloMaker
    assert isinstance(context, HelloMaker)
    context.adopt(TrustedAuthorities(authority or site().to_pem()[0]), clock)
    context.expect(
        credentials or ClientCredentials(SERVER_KEY.public_key(), SHORT_ID), peer_name="gateway"
    )
    context.groups = tuple(groups)
    return context


def server_tls(accepted: Accept, shape: ServerShape | None = None) -> RealityServerTls:
    context = tls.Context(is_client=False, alpn_protocols=["h3"], verify_mode=ssl.CERT_NONE)
    context.handshake_extensions = [(0x39, PARAMETERS)]
    context.__class__ = RealityServerTls
    assert isinstance(context, RealityServerTls)
    context.adopt(NoCertificates(), utc_now)
    context.accept(accepted, shape or ServerShape())
    return context


def site_tls(credentials: Credentials | None = None) -> tls.Context:
    """The camouflage site: aioquic as it is."""
    shown = credentials or site()
    context = tls.Context(is_client=False, alpn_protocols=["h3"], verify_mode=ssl.CERT_NONE)
    context.certificate, context.certificate_private_key = shown.certificate, shown.private_key
    return context


def make_decider() -> Decider:
    return Decider(
        ServerCredentials(SERVER_KEY, {SHORT_ID: "alice"}),
        ServerProfile(frozenset({SITE})),
        ReplayCache(120.0),
    )


def decide(hello: bytes, decider: Decider | None = None) -> Decision:
    wall = utc_now().timestamp()
    return (decider or make_decider()).decide(hello, InitialFacts(1, 1250), now=0.0, wall=wall)


@dataclass
class Flight:
    """A server's answer: CRYPTO data of its Initial and its Handshake packets."""

    server_hello: bytes
    handshake: bytes


def send_hello(client: tls.Context) -> bytes:
    out = buffers()
    client.handle_message(b"", out)
    return take(out[tls.Epoch.INITIAL])


def answer_hello(server: tls.Context, hello: bytes) -> Flight:
    out = buffers()
    server.handle_message(hello, out)
    return Flight(take(out[tls.Epoch.INITIAL]), take(out[tls.Epoch.HANDSHAKE]))


def finish(client: tls.Context, server: tls.Context, flight: Flight) -> None:
    out = buffers()
    client.handle_message(flight.server_hello, out)
    client.handle_message(flight.handshake, out)
    server.handle_message(take(out[tls.Epoch.HANDSHAKE]), buffers())


def messages(flight: bytes) -> list[tuple[int, bytes]]:
    """Return type and whole message of each handshake message."""
    found = []
    while flight:
        end = 4 + int.from_bytes(flight[1:4], "big")
        found.append((flight[0], flight[:end]))
        flight = flight[end:]
    return found


def rebuilt(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(3, body)
