# SPDX-License-Identifier: BSD-3-Clause
"""A genuine client: a browser's handshake with our authenticator in its random."""

from dataclasses import replace
from random import Random

from nexusnet.handshake.profile import EngineConfig
from nexusnet.handshake.tls_context import TunnelTls
from nexusnet.reality.browser.dressing import as_browser
from nexusnet.reality.browser.tls import BrowserTls
from nexusnet.reality.client_tls import Outcome, RealityClientTls
from nexusnet.reality.credentials import ClientCredentials


class RealityBrowserTls(RealityClientTls, BrowserTls):
    """Seals and judges as `RealityClientTls`, on the wire of `BrowserTls`."""

    @property
    def relayed(self) -> bool:
        """Whether the camouflage site answered."""
        return self.outcome is Outcome.RELAYED


def as_reality_client(
    config: EngineConfig,
    credentials: ClientCredentials,
    peer_name: str,
    rng: Random | None = None,
) -> EngineConfig:
    """Return a client's configuration for REALITY.

    Args:
        config: whom to connect to: `server_name` is the camouflage site's DNS name, the verifier
            says which sites' chains are valid.
        credentials: what we prove ourselves with, and the server's key.
        peer_name: how the server is called here.
        rng: where order, GREASE and pieces come from; the system's where None.
    """

    def prepare(context: TunnelTls) -> None:
        if isinstance(context, RealityBrowserTls):
            context.expect(credentials, peer_name)

    return replace(as_browser(config, RealityBrowserTls, rng), prepare_tls=prepare)
