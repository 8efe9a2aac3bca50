# SPDX-License-Identifier: BSD-3-Clause
"""Bogus Initials from a thousand ports of 250 addresses.

Usage: python -m bench.siege_flood NETWORK RATE NAME
In turn: whole hellos without an authenticator, halves of hellos, and packets that do not open; each
with a connection ID of its own. Says "ready" once they are made. Lines tell it where to send from
now on, "HOST PORT", or nowhere, "rest", or ask, "count"; it answers each with the number sent yet.
"""

import contextlib
import os
import select
import socket
import sys
import time

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.reality.hellos import Hello
from tests.reality.initials import crypto_frame, initial, new_dcid

PAUSE = 0.010
"""Seconds between two bursts: one wake-up for several."""
SOCKETS = 1000
HOSTS = 250
MADE = 10_000
STEP = 617
"""From one sender to the next; no divisor of their number."""


def bogus(number: int, name: str) -> bytes:
    """Return the datagram with this number."""
    share = X25519PrivateKey.generate().public_key().public_bytes_raw()
    hello = Hello(server_name=name, share=share).encode(os.urandom(32))
    dcid = new_dcid()
    if number % 4 == 1:
        return initial(crypto_frame(0, hello[: len(hello) // 2]), dcid)
    data = initial(crypto_frame(0, hello), dcid)
    return data[:-1] + bytes([data[-1] ^ 1]) if number % 4 == 3 else data


def ports(network: str) -> list[socket.socket]:
    """Return sockets of many addresses; the network is local here."""
    found = []
    for number in range(SOCKETS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(0)
        sock.bind((f"{network}.{1 + number % HOSTS}", 0))
        found.append(sock)
    return found


def main(network: str, rate: int, name: str) -> None:
    """Send at a steady rate."""
    made = [bogus(number, name) for number in range(MADE)]
    senders = ports(network)
    resting = True
    # Who was held up catches up gently: what is in the way has queues.
    burst = round(2 * rate * PAUSE)
    begin, sent, before = time.monotonic(), 0, 0
    print("ready", flush=True)
    while True:
        if select.select([sys.stdin], [], [], None if resting else PAUSE)[0]:
            where = sys.stdin.readline().split()
            if not where:
                return
            if where != ["count"]:
                resting = where == ["rest"]
                begin, before = time.monotonic(), sent
            if len(where) == len(("host", "port")):
                # Connected, so that the kernel looks for the way once.
                for sender in senders:
                    sender.connect((where[0], int(where[1])))
            print(sent, flush=True)
        if resting:
            continue
        due = min(before + int((time.monotonic() - begin) * rate), sent + burst)
        for number in range(sent, due):
            with contextlib.suppress(OSError):  # an ICMP error of one before, say
                senders[number * STEP % SOCKETS].send(made[number % MADE])
        sent = max(sent, due)


if __name__ == "__main__":
    _, network_, rate_, name_ = sys.argv
    main(network_, int(rate_), name_)
