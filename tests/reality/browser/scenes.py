# SPDX-License-Identifier: BSD-3-Clause
"""Browser-like clients, on the simulated wire of the handshake tests."""

import datetime as dt
import functools
from random import Random

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.handshake.profile import EngineConfig, utc_now
from nexusnet.handshake.verify import AnyPeer, TrustedAuthorities
from nexusnet.reality.browser.dressing import as_browser
from tests.handshake.wire import CLIENT, SERVER
from tests.reality.browser.comparison import CAPTURED_NAME
from tests.reality.browser.observer import FirstFlight


@functools.cache
def site() -> Credentials:
    """A site's certificate, which is its own authority."""
    return Credentials.self_signed(CAPTURED_NAME, not_before=utc_now() - dt.timedelta(days=1))


def visitor(name: str = CAPTURED_NAME) -> EngineConfig:
    return EngineConfig(TrustedAuthorities(site().to_pem()[0]), server_name=name)


def browser_config(seed: int | None = None, name: str = CAPTURED_NAME) -> EngineConfig:
    return as_browser(visitor(name), rng=None if seed is None else Random(seed))


def tunnel_server() -> EngineConfig:
    """A server in `tls` mode that speaks the browser's protocol."""
    return EngineConfig(AnyPeer(), credentials=site(), alpn=("h3",))


def first_datagrams(config: EngineConfig) -> list[bytes]:
    engine = HandshakeEngine.client(config, local=CLIENT, remote=SERVER, now=0.0)
    return [transmit.data for transmit in engine.transmit(0.0)]


def first_flight(config: EngineConfig) -> FirstFlight:
    return FirstFlight.of(first_datagrams(config))
