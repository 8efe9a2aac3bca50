# SPDX-License-Identifier: BSD-3-Clause
"""The engine and a plain aioquic peer, handed over, with a proxy between them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.tunnel.proxy import Proxy
from tests.tunnel.rig import Installed, Rig, ServerSide
from tests.tunnel.standard_peer import EchoPeer, echo_client, echo_server


@dataclass(frozen=True, slots=True)
class Meeting:
    """Both ends and the path."""

    peer: EchoPeer
    installed: Installed
    proxy: Proxy


@asynccontextmanager
async def as_client(rig: Rig) -> AsyncIterator[Meeting]:
    """The engine is the client."""
    async with AsyncExitStack() as stack:
        address, peers = await stack.enter_async_context(
            echo_server(rig.credentials, host=rig.underlay.host)
        )
        proxy = await Proxy(address).open()
        stack.callback(proxy.close)
        client = await rig.connect(proxy.front)
        installed = await rig.client_session(client)
        yield Meeting(peers[0], installed, proxy)


@asynccontextmanager
async def as_server(rig: Rig) -> AsyncIterator[Meeting]:
    """The engine is the server."""
    side = ServerSide(rig)
    async with AsyncExitStack() as stack:
        stack.callback(side.close)
        proxy = await Proxy(side.address).open()
        stack.callback(proxy.close)
        peer = await stack.enter_async_context(echo_client(proxy.front))
        installed = await side.session()
        yield Meeting(peer, installed, proxy)
