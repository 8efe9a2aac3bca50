# SPDX-License-Identifier: BSD-3-Clause
"""Targets of all habits behind the server's port: what strangers and genuine clients get of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aioquic import tls
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.handshake.engine import HandshakeEngine, Phase
from nexusnet.handshake.errors import RelayedError
from nexusnet.reality.decision import Reason
from nexusnet.reality.demultiplexer import Fate
from nexusnet.reality.key_exchange import Group
from nexusnet.reality.template import TargetError, Template, observe
from tests.handshake.wire import CLIENT, SERVER, Wire
from tests.reality.browser.site import SETTINGS, Habits, Site
from tests.reality.port import TARGET, Port, sent_to
from tests.reality.qr1 import (
    WALL,
    SilentProbe,
    client_config,
    decider,
    engine_client,
    observe_site,
    server_config,
)

if TYPE_CHECKING:
    from nexusnet.handshake.credentials import Credentials

HABITS = {
    "plain": Habits(),
    "hybrid": Habits(group=Group.X25519MLKEM768),
    "compressed certificate": Habits(compress=True),
    "application settings": Habits(settings=SETTINGS),
    "HelloRetryRequest": Habits(ask_again_for=tls.Group.SECP256R1, cookie=b"a cookie"),
    "Retry": Habits(retry=True),
    "all at once": Habits(
        ask_again_for=tls.Group.SECP384R1, compress=True, settings=SETTINGS, retry=True
    ),
}
REFUSED = {
    "HelloRetryRequest": "HelloRetryRequest",
    "Retry": "Retry",
    "all at once": "Retry",
}
WRONG_KEY = X25519PrivateKey.generate().public_key()


@pytest.fixture(scope="module")
def template(site_credentials: Credentials) -> Template:
    return Template.of(observe_site(site_credentials, 4))


class Behind:
    """A port in front of a site."""

    def __init__(self, site: Credentials, template: Template, habits: Habits) -> None:
        self.wire = Wire()
        self.site = Site(site, habits, local=TARGET)
        self.wire.attach(TARGET, self.site)
        self.port = Port(
            server_config(template),
            self.wire,
            decider=decider(template),
            template=template,
            wall=WALL,
        )
        self.credentials = site

    def client(self, **options: Any) -> HandshakeEngine:
        """A client whose handshake has come to its end."""
        client = engine_client(client_config(self.credentials, **options), self.wire, CLIENT)
        self.wire.run(lambda: client.phase in {Phase.READY, Phase.FAILED})
        self.wire.settle(1.0)
        return client

    def to_site(self) -> list[bytes]:
        return [one.data for one in self.wire.log if one.remote == TARGET]

    def of_site(self) -> list[bytes]:
        return [one.data for one in self.wire.log if one.local == TARGET]


@pytest.mark.parametrize("habits", HABITS)
def test_a_stranger_ends_as_a_visitor(
    site_credentials: Credentials, template: Template, habits: str
) -> None:
    behind = Behind(site_credentials, template, HABITS[habits])
    stranger = behind.client(server_key=WRONG_KEY)
    assert isinstance(stranger.error, RelayedError)
    (request,) = behind.site.requests
    assert request[b":path"] == b"/"
    # Byte for byte, in both directions: what the site answers to, and what it answers.
    assert sent_to(behind.wire, CLIENT) == behind.of_site()
    assert [one.data for one in behind.wire.log if one.local == CLIENT] == behind.to_site()
    assert behind.port.demultiplexer.reasons == {Reason.BAD_TAG: 1}
    assert len(behind.port.opened) == 1, "a Retry's connection ID belongs to the same flow"


@pytest.mark.parametrize("habits", HABITS)
def test_a_genuine_client_gets_in_whatever_the_site_says(
    site_credentials: Credentials, template: Template, habits: str
) -> None:
    """Such as Retry, under load, long after it was probed."""
    behind = Behind(site_credentials, template, HABITS[habits])
    client = behind.client()
    assert client.error is None
    assert behind.of_site()
    assert not set(sent_to(behind.wire, CLIENT)) & set(behind.of_site())
    assert behind.port.demultiplexer.counts[Fate.ACCEPTED] == 1
    assert behind.port.demultiplexer.counts[Fate.TARGET_SILENT] == 0


@pytest.mark.parametrize("habits", HABITS)
def test_which_targets_are_taken(site_credentials: Credentials, habits: str) -> None:
    wire = Wire()
    wire.attach(TARGET, Site(site_credentials, HABITS[habits], local=TARGET))
    probe = SilentProbe(wire, SERVER)
    wire.settle(0.15)
    if habits in REFUSED:
        with pytest.raises(TargetError, match=REFUSED[habits]):
            observe(probe.dcid, probe.replies)
    else:
        seen = observe(probe.dcid, probe.replies)
        assert seen.group == HABITS[habits].group
