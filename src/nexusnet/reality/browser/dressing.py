# SPDX-License-Identifier: BSD-3-Clause
"""From a client's configuration to one that looks like a browser."""

from dataclasses import replace
from functools import partial
from random import Random

from nexusnet.handshake.profile import EngineConfig
from nexusnet.reality.browser import chromium
from nexusnet.reality.browser.connection import BrowserConnection
from nexusnet.reality.browser.tls import BrowserTls


def as_browser(
    config: EngineConfig,
    tls_context: type[BrowserTls] = BrowserTls,
    rng: Random | None = None,
) -> EngineConfig:
    """Return a client's configuration with the browser's handshake.

    Args:
        config: whom to connect to; `server_name` has to be a DNS name.
        tls_context: seals the ClientHello and decides about the server.
        rng: where order, GREASE and pieces come from; the system's where None.
    """
    return replace(
        config,
        alpn=(chromium.ALPN,),
        suites=chromium.SUITES,
        profile=chromium.TRANSPORT,
        tls_context=tls_context,
        client_connection=partial(BrowserConnection, rng=rng),
    )
