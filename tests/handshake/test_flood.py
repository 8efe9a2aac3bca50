# SPDX-License-Identifier: BSD-3-Clause
"""When strangers are a flood, and that their datagrams wait for each other then."""

import asyncio

from nexusnet.handshake.datagram import Received
from nexusnet.handshake.endpoint import Server
from nexusnet.handshake.flood import CALM, REST, SURPLUS, Flood
from tests.handshake.setting import Setting
from tests.handshake.wire import CLIENT


def test_a_flood_begins_and_ends() -> None:
    flood = Flood()
    assert not flood.lasts(0.0)
    for millisecond in range(2000):
        flood.count(1, millisecond / 1000)
    assert flood.lasts(2.0)
    # However long it lasted, a second later it is over.
    assert not flood.lasts(3.0)
    flood.count(1, 4.0)
    assert not flood.lasts(4.0)


def test_a_few_strangers_are_none() -> None:
    flood = Flood()
    for second in range(100):
        flood.count(CALM - 1, float(second))
        assert not flood.lasts(float(second))
    flood.count(SURPLUS, 99.0)
    assert flood.lasts(99.0)


def test_a_server_rests_in_a_flood_of_strangers(setting: Setting) -> None:
    async def scenario() -> None:
        server = Server.listen(setting.server, ("127.0.0.1", 0))
        try:
            nonsense = Received(b"\x40" + bytes(40), server.local, CLIENT)
            server.receive([nonsense] * SURPLUS)
            assert server.rest() == 0.0
            server.receive([nonsense] * SURPLUS)
            assert server.rest() == REST
            assert server.acceptor.strangers == 2 * SURPLUS
        finally:
            server.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))
