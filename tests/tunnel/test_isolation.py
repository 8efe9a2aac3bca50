# SPDX-License-Identifier: BSD-3-Clause
"""A session whose path is slow does not hold up another one of the same device and socket.

tests/dataplane/contract.py has the peer that acknowledges nothing at all.
"""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.tunnel.proxy import Bottleneck, Proxy
from tests.tunnel.rig import Rig, ServerSide, until, within
from tests.tunnel.standard_peer import echo_client

pytestmark = pytest.mark.netns

SLOW = Bottleneck(rate=200_000, delay=0.01, queue=20_000)
BULK = 600
"""Packets of 1,200 bytes for the slow path: half a minute's worth, longer than the test."""


def test_a_slow_path_does_not_stall_another_session(rig: Rig) -> None:
    async def scenario() -> None:
        side = ServerSide(rig)
        async with AsyncExitStack() as stack:
            stack.callback(side.close)
            ends = []
            for _ in range(2):
                proxy = await Proxy(side.server.local, keep_log=False).open()
                stack.callback(proxy.close)
                peer = await stack.enter_async_context(echo_client(proxy.front))
                ends.append((proxy, peer, await side.session()))
            (slow_path, slow_peer, slow), (_, fast_peer, fast) = ends
            slow_path.bottleneck = SLOW
            slow_peer.echoes = False
            for number in range(BULK):
                rig.send_inner(slow, number.to_bytes(1200, "big"))
                if number % 20 == 0:
                    await asyncio.sleep(0)
            await until(lambda: bool(slow_peer.received), "the slow path's first packet")
            so_far = len(slow_peer.received)

            for number in range(200):
                data = b"fast %d" % number
                rig.send_inner(fast, data)
                await until(lambda data=data: data in rig.delivered_from(fast), "an echo")  # type: ignore[misc]
            # Sent once each, none lost on the way, none dropped for the other's sake.
            assert len(fast_peer.received) == 200
            assert rig.stats(fast).drop == ()
            # Meanwhile the slow path was the bottleneck, and still is one.
            waiting = rig.stats(slow)
            assert waiting.recovery is not None
            assert waiting.recovery.bytes_in_flight > 0
            assert len(slow_peer.received) < BULK / 2
            # It makes progress too.
            await until(lambda: len(slow_peer.received) > so_far + 5, "progress on the slow path")

    within(scenario())
