# SPDX-License-Identifier: BSD-3-Clause
"""Send UDP into many sessions in turn: ROLE COUNT BURST RATE SECONDS.

That is the side that sends, sessions 0 to COUNT - 1, packets a visit, packets a second. A burst is
one UDP_SEGMENT send, so the engine gets it as one super-packet, as it does TCP's. Prints how many
packets were sent.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress
from typing import Final

from bench.many_end import inner_address
from bench.tunnel_end import other
from nexusnet.netlink.generated import Role

UDP_SEGMENT: Final = 103  # linux/udp.h; Python's socket module lacks it
PAYLOAD: Final = 1200
PORT: Final = 9  # discard
# Sleeping is only worth it above this; below, the next visit is a moment early.
SHORTEST_SLEEP: Final = 0.0002


def sender(role: Role, index: int) -> socket.socket:
    """A socket into a session; what is larger than PAYLOAD leaves as one super-packet."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((inner_address(role, index), 0))
    one.setsockopt(socket.SOL_UDP, UDP_SEGMENT, PAYLOAD)
    one.connect((inner_address(other(role), index), PORT))
    return one


def main(argv: list[str]) -> None:
    """Send for a time."""
    role = Role[argv[0].upper()]
    count, burst, rate = (int(word) for word in argv[1:4])
    seconds = float(argv[4])
    sockets = [sender(role, index) for index in range(count)]
    payload = bytes(PAYLOAD * burst)
    start = time.monotonic()
    visits = 0
    while (now := time.monotonic()) - start < seconds:
        due = start + visits * burst / rate
        if due - now > SHORTEST_SLEEP:
            time.sleep(due - now)
        with suppress(ConnectionRefusedError):  # nobody listens; ICMP says so
            sockets[visits % count].send(payload)
        visits += 1
    print(visits * burst)


if __name__ == "__main__":
    main(sys.argv[1:])
