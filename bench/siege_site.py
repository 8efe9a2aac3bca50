# SPDX-License-Identifier: BSD-3-Clause
"""The camouflage target of the siege: a real HTTP/3 site, until it is told to be a cheap one.

Usage: python -m bench.siege_site PORT NAME
Says "ready" once it listens. At the line "cheap" aioquic goes, and from then on every Initial is
answered with three datagrams that cost next to nothing to make, as a machine of its own would.
"""

import asyncio
import datetime as dt
import functools
import itertools
import os
import select
import socket
import struct
import sys
import time
from typing import NoReturn

from aioquic.asyncio.server import QuicServer
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.profile import utc_now

ANSWER_SIZES = (1200, 1200, 700)
CID_LENGTH = 8
PAUSE = 0.010
"""Seconds after which it looks again: a site far away, and one wake-up for many."""
UDP_SEGMENT = 103
SEGMENTS = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", ANSWER_SIZES[0]))]
"""Ancillary data: what is sent leaves in datagrams of that many bytes."""


@functools.lru_cache
def blank(client_cid: bytes) -> tuple[bytes, list[int]]:
    """Return the datagrams for a client with this connection ID, and where ours stands in them."""
    head = b"\xc0\0\0\0\1" + bytes([len(client_cid)]) + client_cid + bytes([CID_LENGTH])
    rest = len(head) + CID_LENGTH + 1
    datagrams = [
        (head + bytes(CID_LENGTH + 1) + (0x4000 | size - rest - 2).to_bytes(2, "big")).ljust(size)
        for size in ANSWER_SIZES
    ]
    starts = itertools.accumulate(ANSWER_SIZES[:-1], initial=len(head))
    return b"".join(datagrams), list(starts)


def answer(client_cid: bytes) -> bytearray:
    """Return the datagrams for a client with this connection ID, back to back."""
    made, places = blank(client_cid)
    data, ours = bytearray(made), os.urandom(CID_LENGTH)
    for place in places:
        data[place : place + CID_LENGTH] = ours
    return data


def answer_cheaply(sock: socket.socket) -> NoReturn:
    """Answer all Initials, without a look inside."""
    while True:
        select.select([sock], [], [])
        try:
            while True:
                data, address = sock.recvfrom(2048)
                if len(data) >= ANSWER_SIZES[0] and data[0] & 0xB0 == 0x80:
                    scid = data[7 + data[5] :][: data[6 + data[5]]]
                    sock.sendmsg([answer(scid)], SEGMENTS, 0, address)
        except OSError:
            # Nothing waits any more, or the port of a stranger who was evicted is gone.
            time.sleep(PAUSE)


async def be_real(sock: socket.socket, name: str) -> None:
    """Be a real site until a line comes."""
    credentials = Credentials.self_signed(name, not_before=utc_now() - dt.timedelta(days=1))
    configuration = QuicConfiguration(
        is_client=False,
        alpn_protocols=list(H3_ALPN),
        certificate=credentials.certificate,
        private_key=credentials.private_key,
    )
    loop = asyncio.get_running_loop()
    # Not closed, but left behind with the loop: its timers may have something to send.
    await loop.create_datagram_endpoint(lambda: QuicServer(configuration=configuration), sock=sock)
    print("ready", flush=True)
    line = await loop.run_in_executor(None, sys.stdin.readline)
    print(line.strip(), flush=True)


def main(port: int, name: str) -> None:
    """Serve until killed."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(0)
    sock.bind(("0.0.0.0", port))  # noqa: S104 - in a namespace; a flood may come past the server
    asyncio.run(be_real(sock.dup(), name))
    answer_cheaply(sock)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
