# SPDX-License-Identifier: BSD-3-Clause
"""A simulated network with its own clock: seeded loss, duplication, reordering, an MTU."""

import enum
import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.datagram import Address, Received, Transmit

SERVER: Address = ("192.0.2.1", 443)
CLIENT: Address = ("198.51.100.7", 50000)


class Endpoint(Protocol):
    """A driver: engine, acceptor, or a plain aioquic connection in `plain.PlainPeer`."""

    def receive(self, datagram: Received, now: float) -> None: ...
    def transmit(self, now: float) -> list[Transmit]: ...
    def deadline(self) -> float | None: ...
    def handle_deadline(self, now: float) -> None: ...


class Passive:
    """A driver that says nothing by itself; `receive` is its subclass's."""

    def transmit(self, now: float) -> list[Transmit]:
        del now
        return []

    def deadline(self) -> float | None:
        return None

    def handle_deadline(self, now: float) -> None:
        raise AssertionError(f"nothing was due at {now}")


@dataclass(frozen=True)
class Weather:
    """What the network does to datagrams."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.01
    mtu: int = 65535
    ecn: Ecn = Ecn.NOT_ECT


class Fate(enum.Enum):
    """What happens to one datagram."""

    LOST = "lost"
    TWICE = "twice"
    LATE = "late"


LATENESS = 0.2
"""Seconds that a late datagram takes longer."""


@dataclass
class Wire:
    """Carries datagrams between endpoints, in simulated seconds."""

    seed: int = 1
    weather: Weather = field(default_factory=Weather)
    now: float = 1000.0
    log: list[Transmit] = field(default_factory=list)
    fates: dict[int, Fate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.endpoints: dict[Address, Endpoint] = {}
        self._order = itertools.count()
        self._flying: list[tuple[float, int, Received]] = []
        self._due: dict[Address, float | None] = {}

    def attach(self, address: Address, endpoint: Endpoint) -> None:
        self.endpoints[address] = endpoint
        self.flush(address)

    def detach(self, address: Address) -> None:
        """Take an endpoint away; what is under way to it is lost."""
        del self.endpoints[address]
        self._due.pop(address, None)

    def send(self, transmits: Iterable[Transmit]) -> None:
        weather = self.weather
        for transmit in transmits:
            fate = self.fates.get(len(self.log))
            self.log.append(transmit)
            if len(transmit.data) > weather.mtu or self.random.random() < weather.loss:
                continue
            if fate is Fate.LOST:
                continue
            copies = 2 if self.random.random() < weather.duplicate or fate is Fate.TWICE else 1
            for _ in range(copies):
                delay = weather.delay + (LATENESS if fate is Fate.LATE else 0.0)
                if self.random.random() < weather.reorder:
                    delay *= 1 + 3 * self.random.random()
                received = Received(transmit.data, transmit.remote, transmit.local, weather.ecn)
                heapq.heappush(self._flying, (self.now + delay, next(self._order), received))

    def flush(self, address: Address) -> None:
        endpoint = self.endpoints[address]
        self.send(endpoint.transmit(self.now))
        self._due[address] = endpoint.deadline()

    def step(self) -> bool:
        """Let the next thing happen; return False where nothing ever will."""
        times = [due for due in self._due.values() if due is not None]
        if self._flying:
            times.append(self._flying[0][0])
        if not times:
            return False
        # Real clocks never hit a deadline to the last bit; where one does, aioquic's arithmetic
        # with floats may take the deadline for not reached, for ever.
        self.now = max(self.now, min(times)) + 1e-6
        touched = set()
        while self._flying and self._flying[0][0] <= self.now:
            datagram = heapq.heappop(self._flying)[2]
            if datagram.local in self.endpoints:
                self.endpoints[datagram.local].receive(datagram, self.now)
                touched.add(datagram.local)
        for address, due in tuple(self._due.items()):
            if due is not None and due <= self.now:
                self.endpoints[address].handle_deadline(self.now)
                touched.add(address)
        for address in touched:
            if address in self.endpoints:
                self.flush(address)
        return True

    def run(self, until: Callable[[], bool], *, limit: float = 60.0) -> None:
        """Go on until a condition holds; fail after `limit` simulated seconds."""
        end = self.now + limit
        steps = 0
        while not until():
            assert self.now < end, "the simulated time is up"
            assert self.step(), "nothing more will happen"
            steps += 1
            assert steps < 200_000, "a busy loop"

    def settle(self, seconds: float = 1.0) -> None:
        """Go on for some simulated time."""
        end = self.now + seconds
        while True:
            times = [due for due in self._due.values() if due is not None]
            if self._flying:
                times.append(self._flying[0][0])
            if not times or min(times) > end:
                self.now = end
                return
            self.step()
