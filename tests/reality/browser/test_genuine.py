# SPDX-License-Identifier: BSD-3-Clause
"""A genuine client on the wire: recognised by its first flight, and indistinguishable by it."""

from dataclasses import replace
from typing import Any

import pytest
from aioquic.tls import CipherSuite

from nexusnet.handshake.engine import HandshakeEngine, Phase
from nexusnet.handshake.profile import EngineConfig
from nexusnet.handshake.tls_context import TunnelTls
from nexusnet.handshake.verify import NoCertificates, PeerIdentity, TrustedAuthorities
from nexusnet.quic.protection import SPIN_BIT
from nexusnet.reality.client import as_reality_client
from nexusnet.reality.credentials import ClientCredentials
from nexusnet.reality.decision import Accept
from nexusnet.reality.key_exchange import Group
from nexusnet.reality.long_header import HEADER_FORM
from nexusnet.reality.server_tls import RealityServerTls, ServerShape
from tests.handshake.setting import Scene, Setting
from tests.handshake.wire import CLIENT, Fate, Weather, Wire
from tests.reality.browser.comparison import differences
from tests.reality.browser.observer import FirstFlight
from tests.reality.handshakes import SERVER_KEY, SHORT_ID, SITE, decide, site

SUITES = list(CipherSuite)[:3]


def genuine(**changes: Any) -> EngineConfig:
    config = EngineConfig(TrustedAuthorities(site().to_pem()[0]), server_name=SITE)
    credentials = ClientCredentials(SERVER_KEY.public_key(), SHORT_ID)
    return replace(as_reality_client(config, credentials, "gateway"), timeout=50.0, **changes)


class Genuine:
    """A client and our server, which decides about its first flight."""

    def __init__(self, shape: ServerShape | None = None, wire: Wire | None = None) -> None:
        self.scene = Scene(
            Setting(
                EngineConfig(
                    NoCertificates(),
                    # aioquic makes no server without one; it is not shown.
                    credentials=site(),
                    alpn=("h3",),
                    timeout=50.0,
                    tls_context=RealityServerTls,
                    prepare_tls=self.prepare,
                ),
                genuine(),
            ),
            wire or Wire(),
        )
        self.shape = shape or ServerShape()
        self.client: HandshakeEngine | None = None

    def prepare(self, context: TunnelTls) -> None:
        assert isinstance(context, RealityServerTls)
        mine = [one.data for one in self.scene.wire.log if one.local == CLIENT]
        verdict = decide(FirstFlight.of(mine[:2]).message)
        assert isinstance(verdict, Accept), verdict
        context.accept(verdict, self.shape)

    def run(self) -> "Genuine":
        self.client = self.scene.add_client()
        self.scene.run_all([self.client])
        return self


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("group", list(Group), ids=lambda group: group.name)
def test_it_gets_in(suite: CipherSuite, group: Group) -> None:
    done = Genuine(ServerShape(suites=(suite,), groups=(group,))).run()
    client = done.client
    assert client is not None
    assert client.phase is Phase.READY, client.error
    end = done.scene.server_end(client)
    ours, theirs = client.export(), end.export()
    assert ours.identity == PeerIdentity("gateway", None)
    assert theirs.identity == PeerIdentity("alice", None, SHORT_ID)
    assert bytes(ours.keys.tx.reveal()) == bytes(theirs.keys.rx.reveal())
    assert bytes(ours.keys.rx.reveal()) == bytes(theirs.keys.tx.reveal())
    mine = [one.data for one in done.scene.wire.log if one.local == CLIENT]
    # The name is shorter than the captured one's; all else is the browser's.
    assert differences(FirstFlight.of(mine[:2])) == []


def test_no_short_header_has_the_spin_bit() -> None:
    """The browser's never have, and the bit is not protected (RFC 9000 section 17.4)."""
    done = Genuine().run()
    short = [one.data for one in done.scene.wire.log if not one.data[0] & HEADER_FORM]
    assert len(short) > 4
    assert not any(data[0] & SPIN_BIT for data in short)


@pytest.mark.parametrize("fate", list(Fate))
@pytest.mark.parametrize("unlucky", range(4))
def test_in_bad_luck(fate: Fate, unlucky: int) -> None:
    done = Genuine(wire=Wire(fates={unlucky: fate})).run()
    assert done.client is not None
    assert done.client.phase is Phase.READY, done.client.error


@pytest.mark.parametrize("seed", range(6))
def test_in_bad_weather(seed: int) -> None:
    done = Genuine(wire=Wire(seed, Weather(loss=0.15, duplicate=0.1, reorder=0.3))).run()
    assert done.client is not None
    assert done.client.phase is Phase.READY, done.client.error


def test_the_sealed_random_says_nothing() -> None:
    # 200 randoms of one client, one key, one second: each byte's bits are balanced.
    randoms = []
    for _ in range(200):
        engine = HandshakeEngine.client(genuine(), local=CLIENT, remote=("192.0.2.1", 443), now=0.0)
        flight = FirstFlight.of([one.data for one in engine.transmit(0.0)])
        randoms.append(flight.hello.random)
    assert len(set(randoms)) == len(randoms)
    for bit in range(256):
        ones = sum(random[bit // 8] >> (bit % 8) & 1 for random in randoms)
        # 7 sigma of 200 fair coins: 1 in 10^11 a bit.
        assert abs(ones - 100) <= 49
