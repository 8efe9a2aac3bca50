# SPDX-License-Identifier: BSD-3-Clause
"""The camouflage target of the siege: a real HTTP/3 site, until it is told to be a cheap one.

Usage: python -m bench.siege_site PORT NAME
Reads lines: "cheap" has every Initial answered with three datagrams that cost nothing to make, as
a machine of its own would; "real" has aioquic answer again. Says "ready" once it listens.
"""

import asyncio
import datetime as dt
import os
import sys

from aioquic.asyncio.server import QuicServer
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.profile import utc_now

ANSWER_SIZES = (1200, 1200, 700)


class Site(QuicServer):
    """aioquic's server with a way out."""

    cheap = False

    def datagram_received(self, data: bytes | str, addr: tuple[str, int]) -> None:
        """Answer an Initial in either way."""
        if not self.cheap or not isinstance(data, bytes) or self._transport is None:
            super().datagram_received(data, addr)
            return
        if len(data) >= ANSWER_SIZES[0] and data[0] & 0xB0 == 0x80:
            scid = data[7 + data[5] :][: data[6 + data[5]]]
            head = b"\xc0\0\0\0\1" + bytes([len(scid)]) + scid + b"\x08" + os.urandom(8) + b"\0"
            for size in ANSWER_SIZES:
                length = 0x4000 | size - len(head) - 2
                packet = head + length.to_bytes(2, "big")
                self._transport.sendto(packet.ljust(size, b"\x5a"), addr)


async def main(port: int, name: str) -> None:
    """Serve until standard input ends."""
    credentials = Credentials.self_signed(name, not_before=utc_now() - dt.timedelta(days=1))
    configuration = QuicConfiguration(
        is_client=False,
        alpn_protocols=list(H3_ALPN),
        certificate=credentials.certificate,
        private_key=credentials.private_key,
    )
    loop = asyncio.get_running_loop()
    everywhere = "0.0.0.0"  # noqa: S104 - in a namespace; a flood may come past the server
    transport, site = await loop.create_datagram_endpoint(
        lambda: Site(configuration=configuration), local_addr=(everywhere, port)
    )
    print("ready", flush=True)
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        site.cheap = line == "cheap"
        print(line, flush=True)
    transport.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
