# SPDX-License-Identifier: BSD-3-Clause
"""aioquic as it is installed: a client and a server that answer DATAGRAMs, no more of ours."""

from __future__ import annotations

import asyncio
import ssl
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import (
    ConnectionTerminated,
    DatagramFrameReceived,
    PingAcknowledged,
    QuicEvent,
)
from aioquic.quic.logger import QuicLogger

from nexusnet.handshake.profile import DEFAULT_ALPN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nexusnet.handshake.credentials import Credentials

IP_PACKET = 0


def turned_round(packet: bytes) -> bytes:
    """An IPv4 UDP packet with both ends exchanged, which leaves its checksums right."""
    source, destination = packet[12:16], packet[16:20]
    ports = struct.unpack_from("!HH", packet, 20)
    return packet[:12] + destination + source + struct.pack("!HH", *ports[::-1]) + packet[24:]


class EchoPeer(QuicConnectionProtocol):
    """Sends every DATAGRAM back.

    Attributes:
        received: DATAGRAM payloads, in order of arrival.
        events: all of aioquic's events.
        echoes: whether it answers.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.received: list[bytes] = []
        self.events: list[QuicEvent] = []
        self.echoes = True

    def quic_event_received(self, event: QuicEvent) -> None:
        self.events.append(event)
        if isinstance(event, DatagramFrameReceived):
            self.received.append(event.data)
            if self.echoes:
                is_packet = event.data[:1] == bytes([IP_PACKET])
                answer = b"\0" + turned_round(event.data[1:]) if is_packet else event.data
                self._quic.send_datagram_frame(answer)
                self.transmit()

    def send(self, payload: bytes) -> None:
        self._quic.send_datagram_frame(payload)
        self.transmit()

    def closed(self) -> ConnectionTerminated | None:
        return next((one for one in self.events if isinstance(one, ConnectionTerminated)), None)

    def pings_answered(self) -> int:
        return sum(isinstance(one, PingAcknowledged) for one in self.events)

    def logged(self, name: str) -> list[dict[str, Any]]:
        """The data of aioquic's own log entries of a name, for example recovery:packet_lost."""
        trace = self._quic.configuration.quic_logger
        assert trace is not None
        return [
            entry["data"]
            for one in trace.to_dict()["traces"]
            for entry in one["events"]
            if entry["name"] == name
        ]


def client_configuration() -> QuicConfiguration:
    return QuicConfiguration(
        is_client=True,
        alpn_protocols=[DEFAULT_ALPN],
        max_datagram_frame_size=65535,
        server_name="localhost",
        verify_mode=ssl.CERT_NONE,
        quic_logger=QuicLogger(),
    )


@asynccontextmanager
async def echo_client(address: tuple[str, int]) -> AsyncIterator[EchoPeer]:
    async with connect(
        *address, configuration=client_configuration(), create_protocol=EchoPeer
    ) as peer:
        assert isinstance(peer, EchoPeer)
        yield peer


@asynccontextmanager
async def echo_server(
    credentials: Credentials, *, alpn: str = DEFAULT_ALPN, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[tuple[str, int], list[EchoPeer]]]:
    """A server's address, and its connections as they come."""
    peers: list[EchoPeer] = []

    def make(*arguments: Any, **options: Any) -> EchoPeer:
        peers.append(EchoPeer(*arguments, **options))
        return peers[-1]

    configuration = QuicConfiguration(
        is_client=False,
        alpn_protocols=[alpn],
        max_datagram_frame_size=65535,
        certificate=credentials.certificate,
        private_key=credentials.private_key,
        quic_logger=QuicLogger(),
    )
    server = await serve(host, 0, configuration=configuration, create_protocol=make)
    transport = server._transport
    assert transport is not None
    try:
        yield transport.get_extra_info("sockname")[:2], peers
    finally:
        server.close()
        # The transport closes itself in the loop's next round.
        await asyncio.sleep(0)
