# SPDX-License-Identifier: BSD-3-Clause
import datetime as dt

import pytest

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.profile import EngineConfig, utc_now
from nexusnet.handshake.verify import PinnedFingerprints
from tests.handshake.setting import MIDNIGHT, Setting
from tests.reality.port import GENUINE_NAME, SITE_NAME


def self_signed(name: str) -> Credentials:
    return Credentials.self_signed(name, not_before=MIDNIGHT - dt.timedelta(days=1))


@pytest.fixture(scope="session")
def site_credentials() -> Credentials:
    return self_signed(SITE_NAME)


@pytest.fixture(scope="session")
def genuine() -> Setting:
    """A tunnel's two ends that have pinned each other."""
    server, client = self_signed(GENUINE_NAME), self_signed("client.example")
    return Setting(
        server=EngineConfig(
            PinnedFingerprints({client.fingerprint: "alice"}),
            credentials=server,
            wall_clock=lambda: MIDNIGHT,
            alpn=("h3",),
        ),
        client=EngineConfig(
            PinnedFingerprints({server.fingerprint: "gateway"}),
            credentials=client,
            server_name=GENUINE_NAME,
            wall_clock=lambda: MIDNIGHT,
            alpn=("h3",),
        ),
    )


@pytest.fixture(scope="session")
def site() -> Credentials:
    """The site's certificate at today's time of day."""
    return Credentials.self_signed(SITE_NAME, not_before=utc_now() - dt.timedelta(days=1))
