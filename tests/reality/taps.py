# SPDX-License-Identifier: BSD-3-Clause
"""Loopback: a real HTTP/3 site, an ordinary HTTP/3 client, and taps that see every datagram."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration

from nexusnet.demo.probe import Probe
from nexusnet.demo.site import Site
from tests.reality.port import PAGE, SITE_NAME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nexusnet.handshake.credentials import Credentials
    from nexusnet.handshake.datagram import Address

LOOPBACK = "127.0.0.1"


class PlainSite(Site):
    """Serves the page of these tests, of which a browser makes a document without changing it."""

    page = PAGE


@contextlib.asynccontextmanager
async def real_site(
    credentials: Credentials, *, retry: bool = False, **options: Any
) -> AsyncIterator[Address]:
    """Serve the page with the site's own certificate; gives the address."""
    configuration = QuicConfiguration(
        is_client=False,
        alpn_protocols=list(H3_ALPN),
        certificate=credentials.certificate,
        private_key=credentials.private_key,
        certificate_chain=list(credentials.chain),
        **options,
    )
    server = await serve(
        LOOPBACK, 0, configuration=configuration, create_protocol=PlainSite, retry=retry
    )
    try:
        transport = server._transport
        assert transport is not None
        yield transport.get_extra_info("sockname")[:2]
    finally:
        server.close()


async def load_page(remote: Address, site: Credentials, *, local_port: int = 0) -> bytes:
    """Load the page with an ordinary client that checks the site's certificate."""
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=list(H3_ALPN),
        server_name=SITE_NAME,
        verify_mode=ssl.CERT_REQUIRED,
        cadata=site.to_pem()[0],
    )
    async with connect(
        *remote, configuration=configuration, create_protocol=Probe, local_port=local_port
    ) as protocol:
        assert isinstance(protocol, Probe)
        await protocol.load(SITE_NAME)
        return protocol.page


class _TapSide(asyncio.DatagramProtocol):
    def __init__(self, tap: Tap, client: Address | None) -> None:
        self.tap = tap
        self.client = client

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.tap.passed(data, addr[:2] if self.client is None else self.client, self)


class Tap:
    """Passes datagrams on and keeps a copy of each.

    Attributes:
        forth: datagrams of clients, in order.
        back: datagrams to clients, in order.
        lost: which of the clients' datagrams, by number, do not get through.
    """

    def __init__(self, remote: Address) -> None:
        self.remote = remote
        self.forth: list[bytes] = []
        self.back: list[bytes] = []
        self.lost: set[int] = set()
        self.local: Address = (LOOPBACK, 0)
        self._front: asyncio.DatagramTransport | None = None
        self._backs: dict[Address, asyncio.DatagramTransport] = {}
        self._waiting: dict[Address, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(
            lambda: _TapSide(self, None), local_addr=(LOOPBACK, 0)
        )
        self.local = self._front.get_extra_info("sockname")[:2]

    def passed(self, data: bytes, client: Address, side: _TapSide) -> None:
        if side.client is not None:
            self.back.append(data)
            if self._front is not None:
                self._front.sendto(data, client)
            return
        self.forth.append(data)
        if len(self.forth) - 1 in self.lost:
            return
        transport = self._backs.get(client)
        if transport is not None:
            transport.sendto(data)
        elif client in self._waiting:
            self._waiting[client].append(data)
        else:
            self._waiting[client] = [data]
            task = asyncio.get_running_loop().create_task(self._connect(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, client: Address) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _TapSide(self, client), remote_addr=self.remote
        )
        self._backs[client] = transport
        for data in self._waiting.pop(client):
            transport.sendto(data)

    def close(self) -> None:
        for transport in (self._front, *self._backs.values()):
            if transport is not None:
                transport.close()


@contextlib.asynccontextmanager
async def tapped(remote: Address) -> AsyncIterator[Tap]:
    tap = Tap(remote)
    await tap.open()
    try:
        yield tap
    finally:
        tap.close()
