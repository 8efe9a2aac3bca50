# SPDX-License-Identifier: BSD-3-Clause
"""From a client's configuration to one that looks like a browser."""

import os
from dataclasses import replace
from functools import partial
from random import Random

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.handshake.profile import EngineConfig
from nexusnet.reality.browser import chromium
from nexusnet.reality.browser.connection import BrowserConnection
from nexusnet.reality.browser.hello import RANDOM_LENGTH
from nexusnet.reality.browser.tls import BrowserTls, Seal


def no_seal(message: bytes, private: X25519PrivateKey) -> bytes:
    """Return a random that hides nothing, as a browser's."""
    del message, private
    return os.urandom(RANDOM_LENGTH)


def as_browser(
    config: EngineConfig,
    *,
    seal: Seal = no_seal,
    tls_context: type[BrowserTls] = BrowserTls,
    rng: Random | None = None,
) -> EngineConfig:
    """Return a client's configuration with the browser's handshake.

    Args:
        config: whom to connect to; `server_name` has to be a DNS name.
        seal: makes the random of the ClientHello.
        tls_context: decides about the server.
        rng: where order, GREASE and pieces come from; the system's where None.
    """
    return replace(
        config,
        alpn=(chromium.ALPN,),
        suites=chromium.SUITES,
        profile=chromium.TRANSPORT,
        tls_context=tls_context,
        client_connection=partial(BrowserConnection, seal=seal, rng=rng),
    )
