# SPDX-License-Identifier: BSD-3-Clause
"""Genuine clients and a server that knows them, with a template of the site of these tests."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.handshake.profile import EngineConfig, TransportProfile, utc_now
from nexusnet.handshake.verify import AnyPeer, NoCertificates, PinnedFingerprints
from nexusnet.reality.browser.dressing import as_browser
from nexusnet.reality.client import as_reality_client
from nexusnet.reality.credentials import ClientCredentials, ServerCredentials
from nexusnet.reality.decision import Decider, ServerProfile
from nexusnet.reality.long_header import parse_long_header
from nexusnet.reality.replay import ReplayCache
from nexusnet.reality.server_tls import RealityServerTls
from nexusnet.reality.template import Observation, Template, observe
from tests.handshake.setting import MIDNIGHT
from tests.handshake.wire import SERVER, Passive, Wire
from tests.reality.port import SITE_NAME, TARGET, Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexusnet.handshake.credentials import Credentials
    from nexusnet.handshake.datagram import Address, Received, Transmit

SERVER_KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
ALICE = bytes.fromhex("a11ce00000000001")
WALL = MIDNIGHT.timestamp()


def wall_clock() -> dt.datetime:
    return dt.datetime.fromtimestamp(WALL, dt.UTC)


def decider(template: Template | None = None) -> Decider:
    names = frozenset({SITE_NAME})
    profile = ServerProfile(names) if template is None else template.profile(names)
    return Decider(ServerCredentials(SERVER_KEY, {ALICE: "alice"}), profile, ReplayCache(120.0))


def server_config(
    template: Template, *, clock: Callable[[], dt.datetime] = wall_clock
) -> EngineConfig:
    return EngineConfig(
        NoCertificates(),
        alpn=("h3",),
        profile=TransportProfile(connection_id_length=template.cid.length),
        wall_clock=clock,
        tls_context=RealityServerTls,
    )


def client_config(
    site: Credentials,
    *,
    clock: Callable[[], dt.datetime] = wall_clock,
    server_key: X25519PublicKey | None = None,
    short_id: bytes = ALICE,
    server_name: str = SITE_NAME,
) -> EngineConfig:
    credentials = ClientCredentials(server_key or SERVER_KEY.public_key(), short_id)
    # By its fingerprint: chains are checked against this machine's clock.
    verifier = PinnedFingerprints({site.fingerprint: "the site"})
    config = EngineConfig(verifier, server_name=server_name, wall_clock=clock)
    return as_reality_client(config, credentials, "gateway")


class SilentProbe(Passive):
    """Sends a browser's hello to the site and keeps quiet."""

    def __init__(self, wire: Wire, local: Address) -> None:
        config = replace(
            as_browser(EngineConfig(AnyPeer(), server_name=SITE_NAME)), wall_clock=utc_now
        )
        self.wire = wire
        self.started = wire.now
        self.hello = HandshakeEngine.client(
            config, local=local, remote=TARGET, now=wire.now
        ).transmit(wire.now)
        self.replies: list[tuple[float, bytes]] = []
        wire.attach(local, self)

    def receive(self, datagram: Received, now: float) -> None:
        self.replies.append((now - self.started, datagram.data))

    def transmit(self, now: float) -> list[Transmit]:
        del now
        out, self.hello = self.hello, []
        if out:
            header = parse_long_header(out[0].data)
            assert header is not None
            self.dcid = header.dcid
        return out


def observe_site(site: Credentials, count: int = 1) -> list[Observation]:
    wire = Wire()
    wire.attach(TARGET, Site(site))
    seen = []
    for number in range(count):
        probe = SilentProbe(wire, ("192.0.2.1", 5000 + number))
        wire.settle(0.15)
        seen.append(observe(probe.dcid, probe.replies))
    return seen


def engine_client(config: EngineConfig, wire: Wire, local: Address) -> HandshakeEngine:
    client = HandshakeEngine.client(config, local=local, remote=SERVER, now=wire.now)
    wire.attach(local, client)
    return client
