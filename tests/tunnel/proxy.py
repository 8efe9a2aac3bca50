# SPDX-License-Identifier: BSD-3-Clause
"""A UDP path between one client and one server that loses, doubles, delays and queues datagrams.

As a program it is a bottleneck: `python -m tests.tunnel.proxy FRONT BACK TARGET RATE DELAY QUEUE`
takes addresses as HOST:PORT, bits a second, seconds one way, and bytes; it prints "ready".
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import random
import sys
from dataclasses import dataclass, field
from typing import Any

Address = tuple[str, int]

LATENESS = 0.06
"""Seconds that a late datagram takes longer: more than a loopback's PTO."""


class Fate(enum.Enum):
    """What happens to one datagram."""

    LOST = "lost"
    TWICE = "twice"
    LATE = "late"


class Side(enum.Enum):
    """Where a datagram came from."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """Of one direction: bits a second, seconds, bytes that may wait."""

    rate: float
    delay: float = 0.0
    queue: int = 100_000


@dataclass(slots=True)
class _Hop:
    """One direction: when its line is free again."""

    free_at: float = 0.0


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, proxy: Proxy, side: Side) -> None:
        self.proxy = proxy
        self.side = side

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.proxy.take(self.side, data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        """An end that is gone: what is sent to it is lost."""


@dataclass
class Proxy:
    """Clients talk to `front`; it talks to `server` from `back`.

    Attributes:
        fates: of datagrams by their number, counted from the last `count_from_here()`.
        loss: probability for all others, both ways.
        log: every datagram that came in, once, with the side that sent it.
        counted: datagrams since the last `count_from_here()`.
        dropped: datagrams that were lost, by side.
    """

    server: Address
    seed: int = 1
    loss: float = 0.0
    bottleneck: Bottleneck | None = None
    fates: dict[int, Fate] = field(default_factory=dict)
    log: list[tuple[Side, bytes]] = field(default_factory=list)
    keep_log: bool = True
    counting: bool = False
    counted: int = 0
    dropped: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(Side, 0))
    client: Address | None = None
    front: Address = ("", 0)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._hops = {side: _Hop() for side in Side}
        self._transports: dict[Side, asyncio.DatagramTransport] = {}

    async def open(self, front: Address | None = None, back: Address | None = None) -> Proxy:
        """Begin, at any ports of the server's host unless told otherwise."""
        self._loop = asyncio.get_running_loop()
        anywhere = (self.server[0], 0)
        for side, address in ((Side.CLIENT, front or anywhere), (Side.SERVER, back or anywhere)):
            transport, _ = await self._loop.create_datagram_endpoint(
                lambda side=side: _Receiver(self, side),  # type: ignore[misc] # mypy: defaults of lambdas
                local_addr=address,
            )
            self._transports[side] = transport
        name = self._transports[Side.CLIENT].get_extra_info("sockname")
        self.front = (name[0], name[1])
        return self

    def close(self) -> None:
        for transport in self._transports.values():
            transport.abort()

    def count_from_here(self) -> None:
        """From now on fates apply."""
        self.counting = True
        self.counted = 0

    def sent_by(self, side: Side) -> list[bytes]:
        return [data for sender, data in self.log if sender is side]

    def take(self, side: Side, data: bytes, sender: Address) -> None:
        """Decide about a datagram."""
        if side is Side.CLIENT:
            self.client = sender
        if self.keep_log:
            self.log.append((side, data))
        fate = None
        if self.counting:
            fate = self.fates.get(self.counted)
            self.counted += 1
        if fate is Fate.LOST or self.random.random() < self.loss:
            self.dropped[side] += 1
            return
        if fate is Fate.LATE:
            self._loop.call_later(LATENESS, self.forward, side, data)
            return
        wait = self._queued(side, len(data))
        if wait is None:
            self.dropped[side] += 1
            return
        for _ in range(2 if fate is Fate.TWICE else 1):
            if wait:
                self._loop.call_later(wait, self.forward, side, data)
            else:
                self.forward(side, data)

    def _queued(self, side: Side, size: int) -> float | None:
        """Seconds until the datagram is at the other end; None where the queue is full."""
        limits = self.bottleneck
        if limits is None:
            return 0.0
        now, hop = self._loop.time(), self._hops[side]
        free_at = max(now, hop.free_at)
        if (free_at - now) * limits.rate / 8 + size > limits.queue:
            return None
        hop.free_at = free_at + size * 8 / limits.rate
        return hop.free_at - now + limits.delay

    def forward(self, side: Side, data: bytes) -> None:
        """Send on what came from `side`; also for replays."""
        if side is Side.CLIENT:
            self._transports[Side.SERVER].sendto(data, self.server)
        elif self.client is not None:
            self._transports[Side.CLIENT].sendto(data, self.client)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def main(arguments: list[str]) -> None:
    front, back, target = map(_address, arguments[:3])
    rate, delay = map(float, arguments[3:5])
    proxy = Proxy(target, bottleneck=Bottleneck(rate, delay, int(arguments[5])), keep_log=False)
    await proxy.open(front, back)
    print("ready", flush=True)  # noqa: T201 - a program
    # Until standard input ends, and with it the test.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    proxy.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1:]))
