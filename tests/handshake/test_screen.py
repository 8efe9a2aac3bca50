# SPDX-License-Identifier: BSD-3-Clause
"""The engine's screen against the acceptor that it spares the work.

What it drops, the acceptor would drop: without an answer, without beginning anything, and mostly
for the same reason.
"""

from hypothesis import HealthCheck, given, settings

from nexusnet.handshake.acceptor import Acceptor, Drop
from nexusnet.handshake.datagram import Received
from tests.engine.screening import DATAGRAMS, Screen, lib
from tests.handshake.setting import Setting, scene
from tests.handshake.wire import CLIENT, SERVER

REASONS = {
    lib.NQE_SCREEN_MALFORMED: Drop.MALFORMED,
    lib.NQE_SCREEN_UNKNOWN_CONNECTION: Drop.UNKNOWN_CONNECTION,
    lib.NQE_SCREEN_UNSUPPORTED_VERSION: Drop.UNSUPPORTED_VERSION,
    lib.NQE_SCREEN_INITIAL_TOO_SMALL: Drop.INITIAL_TOO_SMALL,
}


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=DATAGRAMS)
def test_what_it_drops_the_acceptor_would_drop(data: bytes, setting: Setting) -> None:
    # The fixture is a configuration, which nothing changes.
    screen, acceptor = Screen(), Acceptor(setting.server)
    verdict = screen.judge(data)
    acceptor.receive(Received(data, SERVER, CLIENT), 0.0)
    if verdict == int(lib.NQE_SCREEN_ADMIT):
        return
    assert acceptor.transmit(0.0) == []
    assert not acceptor.engines
    (reason,) = acceptor.drops
    # An Initial that is too small need not be well formed; nothing at all is nobody's.
    alike = REASONS[verdict], Drop.MALFORMED
    assert reason in alike if verdict == lib.NQE_SCREEN_INITIAL_TOO_SMALL or not data else alike[:1]


def test_a_handshake_gets_all_that_its_client_sends(setting: Setting) -> None:
    """Also the 1-RTT packets before the handover, and nothing once it is released."""
    stage = scene(setting)
    screen = Screen()
    stage.acceptor.tell(screen)
    client = stage.add_client()
    stage.run_all([client])
    server = stage.server_end(client)
    sent = [one.data for one in stage.wire.log if one.local == CLIENT]
    assert any(not data[0] & 0x80 for data in sent)
    assert all(screen.admits(data) for data in sent)
    server.export()
    stage.acceptor.settled(server)
    assert screen.admits(b"\x40" + server.connection_id + bytes(40))
    stage.acceptor.release(server)
    stage.acceptor.release(server)
    assert not screen.admits(b"\x40" + server.connection_id + bytes(40))
    # Who asks later hears of those that are known already.
    second = stage.add_client(address=(CLIENT[0], 50999))
    stage.run_all([second])
    late = Screen()
    stage.acceptor.tell(late)
    assert late.admits(b"\x40" + stage.server_end(second).connection_id + bytes(40))
