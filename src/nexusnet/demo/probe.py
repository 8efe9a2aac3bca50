# SPDX-License-Identifier: BSD-3-Clause
"""A probe of the tunnel's port: an ordinary HTTP/3 client, with nothing of ours in its handshake.

Run as `python -m nexusnet.demo.probe AUTHORITY NAME ADDRESS PORT`; prints JSON.
"""

import asyncio
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What a probe got to see.

    Attributes:
        status: of the HTTP response.
        certificate: common name in the server's certificate.
        fingerprint: SHA-256 digest of the certificate, in hexadecimal.
        page: SHA-256 digest of the page, in hexadecimal.
        octets: bytes of the page.
    """

    status: int
    certificate: str
    fingerprint: str
    page: str
    octets: int

    @classmethod
    def read(cls, text: str) -> "Sight":
        """Read what the program printed.

        Raises:
            ValueError: it is something else.
        """
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(str(error)) from error


class Probe(QuicConnectionProtocol):
    """Loads a page.

    Attributes:
        page: as far as it is there.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._h3 = H3Connection(self._quic)
        self._status = 0
        self.page = b""
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event: QuicEvent) -> None:
        """Handle an event of the connection."""
        for item in self._h3.handle_event(event):
            if isinstance(item, HeadersReceived):
                self._status = int(dict(item.headers)[b":status"])
            elif isinstance(item, DataReceived):
                self.page += item.data
                if item.stream_ended and not self._done.done():
                    self._done.set_result(None)

    async def load(self, name: str) -> Sight:
        """Ask for the site's first page."""
        stream = self._quic.get_next_available_stream_id()
        headers = {":method": "GET", ":scheme": "https", ":authority": name, ":path": "/"}
        encoded = [(key.encode(), value.encode()) for key, value in headers.items()]
        self._h3.send_headers(stream, encoded, end_stream=True)
        self.transmit()
        await asyncio.wait_for(self._done, PATIENCE)
        certificate = self._quic.tls._peer_certificate  # noqa: SLF001 - aioquic shows it nowhere else
        if certificate is None:
            raise ConnectionError("the server showed no certificate")
        (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return Sight(
            status=self._status,
            certificate=str(attribute.value),
            fingerprint=hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
            page=hashlib.sha256(self.page).hexdigest(),
            octets=len(self.page),
        )


async def look(authority: Path, name: str, address: str, port: int) -> Sight:
    """Connect like any client, which checks the server's certificate, and load the page.

    Raises:
        ConnectionError, TimeoutError: it could not.
    """
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, server_name=name)
    configuration.load_verify_locations(str(authority))
    async with asyncio.timeout(2 * PATIENCE):
        async with connect(
            address, port, configuration=configuration, create_protocol=Probe
        ) as protocol:
            if not isinstance(protocol, Probe):
                raise TypeError("another protocol than the one asked for")
            return await protocol.load(name)


if __name__ == "__main__":
    seen = asyncio.run(look(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
    sys.stdout.write(json.dumps(asdict(seen)) + "\n")
