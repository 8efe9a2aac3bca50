# SPDX-License-Identifier: BSD-3-Clause
"""Two sessions on one engine, one of them behind a slow line: what does it cost the other?"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Any, Final

from bench.ends import End, end, send
from bench.many_end import inner_address
from bench.paths import path
from bench.send_many import PAYLOAD
from bench.traffic import tcp
from nexusnet.netlink.generated import Role

SLOW_MBIT, FAST_MBIT = 1, 100
# What the slow one is given to send, beside what its line takes.
FLOOD: Final = 10
# What a line's queue holds, but never less than a few packets.
QUEUE_SECONDS, SMALLEST_QUEUE = 0.02, 10_000
RUNS: Final = 2


def isolate(seconds: float) -> dict[str, Any]:
    """One engine sends to two clients, one of them behind 1 Mbit/s: does the other notice?"""
    pairs = [isolate_once(seconds) for _ in range(RUNS)]
    return {
        "alone_bits_per_second": [alone for alone, _, _ in pairs],
        "beside_bits_per_second": [beside for _, beside, _ in pairs],
        "slow_bits_per_second": [slow for _, _, slow in pairs],
    }


def isolate_once(seconds: float) -> tuple[float, float, float]:
    """What the fast session gets alone, and while the slow one has FLOOD times what fits.

    And how much of that the slow one gets, to see that it was held up. All in bits a second.
    """
    with ExitStack() as stack:
        on = stack.enter_context(path(clients=2))
        for port, mbit in zip(on.back[1:], (SLOW_MBIT, FAST_MBIT), strict=True):
            port.limit(mbit, max(int(mbit * 1_000_000 / 8 * QUEUE_SECONDS), SMALLEST_QUEUE))
        clients = [
            stack.enter_context(end(one, Role.CLIENT, [f"{i}={on.server.ipv4}"], index=i))
            for i, one in enumerate(on.clients)
        ]
        groups = [f"{index}={one.ipv4}" for index, one in enumerate(on.clients)]
        stack.enter_context(end(on.server, Role.SERVER, groups, index=0))
        # The server's end of the second session.
        second = f"{inner_address(Role.SERVER, 1)}/32"
        on.server.run("ip", "addr", "add", second, "dev", "lo")
        bound = ("--bind", inner_address(Role.SERVER, 1))

        def fast_rate() -> float:
            client = inner_address(Role.CLIENT, 1)
            return tcp(on.server, on.clients[1], client, seconds, *bound).rate

        fast_rate()  # windows
        alone = fast_rate()
        rate = FLOOD * SLOW_MBIT * 1_000_000 // 8 // PAYLOAD
        flood = threading.Thread(
            target=send,
            args=(on.server, Role.SERVER),
            kwargs={"sessions": 1, "burst": 4, "rate": rate, "seconds": seconds + 2},
        )
        flood.start()
        time.sleep(1)
        before, start = received_bits(clients[0]), time.monotonic()
        beside = fast_rate()
        slow = (received_bits(clients[0]) - before) / (time.monotonic() - start)
        flood.join()
        return alone, beside, slow


def received_bits(one: End) -> int:
    """Bits of IP packets that this end gave to its device so far."""
    return int(one.stats()["device"]["l3"]["rx_bytes"]) * 8
