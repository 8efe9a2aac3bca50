# SPDX-License-Identifier: BSD-3-Clause
import datetime as dt
from collections.abc import Callable

import pytest

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.profile import EngineConfig
from nexusnet.handshake.verify import PinnedFingerprints
from tests.handshake.meeting import ROLES
from tests.handshake.setting import MIDNIGHT, Setting


@pytest.fixture(scope="session")
def credentials() -> Callable[[str], Credentials]:
    """Certificates by name, made once."""
    made: dict[str, Credentials] = {}

    def get(name: str) -> Credentials:
        if name not in made:
            made[name] = Credentials.self_signed(name, not_before=MIDNIGHT - dt.timedelta(days=1))
        return made[name]

    return get


@pytest.fixture
def setting(credentials: Callable[[str], Credentials]) -> Setting:
    """A server and a client that have pinned each other."""
    server, client = credentials("vpn.example"), credentials("client.example")
    return Setting(
        server=EngineConfig(
            PinnedFingerprints({client.fingerprint: "alice"}),
            credentials=server,
            wall_clock=lambda: MIDNIGHT,
        ),
        client=EngineConfig(
            PinnedFingerprints({server.fingerprint: "gateway"}),
            credentials=client,
            server_name="vpn.example",
            wall_clock=lambda: MIDNIGHT,
        ),
    )


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)
