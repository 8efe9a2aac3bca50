# SPDX-License-Identifier: BSD-3-Clause
"""A small HTTP/3 site on aioquic: what the demo's server is taken for.

Run as `python -m nexusnet.demo.site CERTIFICATE KEY ADDRESS PORT`.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent

PAGE: Final = b"<!doctype html><title>A site</title><p>Nothing but a site.\n" * 64


class Site(QuicConnectionProtocol):
    """Answers every request with the page.

    Attributes:
        page: what is served.
    """

    page = PAGE
    _h3: H3Connection | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        """Handle an event of the connection."""
        if isinstance(event, ProtocolNegotiated):
            self._h3 = H3Connection(self._quic)
        if self._h3 is None:
            return
        for item in self._h3.handle_event(event):
            if isinstance(item, HeadersReceived):
                headers = [(b":status", b"200"), (b"content-type", b"text/html")]
                self._h3.send_headers(item.stream_id, headers)
                self._h3.send_data(item.stream_id, self.page, end_stream=True)
        self.transmit()


async def run(certificate: Path, key: Path, address: str, port: int) -> None:
    """Serve until cancelled."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
    configuration.load_cert_chain(certificate, key)
    await serve(address, port, configuration=configuration, create_protocol=Site)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
