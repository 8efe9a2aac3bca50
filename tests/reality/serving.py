# SPDX-License-Identifier: BSD-3-Clause
"""A server on loopback with a real site behind it, and taps on both of its sides."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nexusnet.handshake.datagram import Received, Transmit
from nexusnet.handshake.endpoint import ClientConnection
from nexusnet.handshake.profile import utc_now
from nexusnet.handshake.udp import UdpSocket
from nexusnet.reality.connection_ids import TaggedConnectionIds
from nexusnet.reality.crypto_stream import FirstMessage
from nexusnet.reality.initial import open_initial
from nexusnet.reality.long_header import split_datagram
from nexusnet.reality.server import RealityServer
from nexusnet.reality.target import probe_target
from tests.reality import qr1
from tests.reality.port import SITE_NAME, STATIC_KEY
from tests.reality.taps import LOOPBACK, Tap, real_site, tapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nexusnet.handshake.credentials import Credentials
    from nexusnet.handshake.datagram import Address
    from nexusnet.handshake.profile import EngineConfig
    from nexusnet.reality.decision import Decider
    from nexusnet.reality.flows import RelayLimits
    from nexusnet.reality.template import Template


@dataclass
class Scene:
    """A server with a tap on both of its sides.

    Attributes:
        front: between clients and the server.
        back: between the server and the site.
    """

    site: Credentials
    server: RealityServer
    decider: Decider
    template: Template
    front: Tap
    back: Tap

    def client(self, **options: Any) -> EngineConfig:
        return qr1.client_config(self.site, clock=utc_now, **options)

    async def connect(self, *, udp: UdpSocket | None = None, **options: Any) -> ClientConnection:
        return await ClientConnection.open(self.client(**options), self.front.local, udp=udp)


@contextlib.asynccontextmanager
async def serving(
    site: Credentials, *, limits: RelayLimits | None = None, target: Address | None = None
) -> AsyncIterator[Scene]:
    async with contextlib.AsyncExitStack() as stack:
        if target is None:
            target = await stack.enter_async_context(real_site(site))
        template = await probe_target(target, SITE_NAME, probes=4)
        back = await stack.enter_async_context(tapped(target))
        decider = qr1.decider(template)
        server = RealityServer.serve(
            qr1.server_config(template, clock=utc_now),
            (LOOPBACK, 0),
            target=back.local,
            template=template,
            decider=decider,
            connection_ids=TaggedConnectionIds.derive(STATIC_KEY, template.cid),
            relay_limits=limits,
        )
        stack.callback(server.close)
        front = await stack.enter_async_context(tapped(server.local))
        yield Scene(site, server, decider, template, front, back)


def message_of(datagrams: list[bytes]) -> bytes:
    """Return the ClientHello that Initials carry."""
    message = FirstMessage(1)
    for data in datagrams:
        (packet,) = split_datagram(data)
        payload = open_initial(packet.dcid, data, packet, from_client=True)
        assert payload is not None
        for fragment in payload.fragments:
            message.add(fragment)
    return message.message


async def ask(remote: Address, datagrams: list[bytes], patience: float = 0.3) -> list[bytes]:
    """Send datagrams from a port of their own; return what came back within `patience` s."""
    udp = UdpSocket.bind((LOOPBACK, 0))
    try:
        for data in datagrams:
            assert udp.send(Transmit(data, udp.local, remote)) == 0
        await asyncio.sleep(patience)
        arrived = []
        while isinstance(item := udp.receive(), Received):
            arrived.append(item.data)
        return arrived
    finally:
        udp.close()
