# SPDX-License-Identifier: BSD-3-Clause
"""A session whose path is slow does not hold up another one of the same device and socket.

tests/dataplane/contract.py has the peer that acknowledges nothing at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from nexusnet.netlink.generated import DropReason
from tests.tunnel.proxy import Bottleneck, Proxy
from tests.tunnel.rig import INNER, PEER_PORT, Installed, Rig, ServerSide, until, within
from tests.tunnel.standard_peer import echo_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.netns

SLOW = Bottleneck(rate=200_000, delay=0.01, queue=20_000)


@asynccontextmanager
async def bulk(to: Installed) -> AsyncIterator[None]:
    """More than the slow path takes, all the time.

    By a socket of its own: the kernel charges packets that wait to the socket that has sent them,
    and lets it send no more when it has 200 KB of them. That is to hold up the bulk alone.
    """

    async def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
            source.setblocking(False)
            source.bind((INNER, 0))
            while True:
                with contextlib.suppress(BlockingIOError):
                    source.sendto(bytes(1200), (to.inner, PEER_PORT))
                await asyncio.sleep(0.001)

    sending = asyncio.get_running_loop().create_task(send())
    try:
        yield
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending


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
            await stack.enter_async_context(bulk(slow))
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
            await until(
                lambda: DropReason.CONGESTION in rig.drops(slow), "more than the path takes"
            )
            # It makes progress too.
            await until(lambda: len(slow_peer.received) > so_far + 5, "progress on the slow path")

    within(scenario())
