# SPDX-License-Identifier: BSD-3-Clause
"""A deterministic network: virtual time, links, and the packets on them.

Times are integers in nanoseconds, sizes bytes, rates bytes a second. Nothing here reads a clock:
equal seeds give equal runs, to the last packet.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

NS: Final = 1
US: Final = 1_000
MS: Final = 1_000_000
S: Final = 1_000_000_000

EPOCH: Final = S
"""Virtual time at which every run begins; not 0, which some code may take for "never"."""

ECN_CE: Final = 3

_SPIN: Final = 100_000
"""Events at one instant that mean a timer is armed for the past again and again."""


class SpinError(Exception):
    """Virtual time stands still."""


class Packet(NamedTuple):
    """One UDP datagram on its way; nothing is encrypted, but keys must match.

    Attributes:
        pn: packet number, which the nonce of the AEAD would be made of.
        first_byte: of the short header, unprotected.
        truncated_pn: packet number as the header carries it.
        generation: key generation that it was sealed with.
        payload: frames.
        size: UDP payload bytes, with header and tag.
        ecn: ECN codepoint of the IP header, 0 to 3.
        path: index of the path it takes.
    """

    pn: int
    first_byte: int
    truncated_pn: int
    generation: int
    payload: bytes
    size: int
    ecn: int
    path: int


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """One direction of a path.

    Attributes:
        rate: bytes a second of the bottleneck; 0 for no bottleneck.
        queue: bytes that its queue holds, without the packet on the wire; the tail is dropped.
        delay: propagation, ns.
        jitter: largest extra delay, ns, drawn anew for each packet; order is kept.
        loss: probability that a packet is lost, 0 to 1.
        duplicate: probability that a packet arrives twice.
        reorder: probability that a packet is held back by `reorder_delay`: others overtake it.
        reorder_delay: ns.
        ecn_threshold: queue length in bytes from which ECN-capable packets are marked; None: never.
        mtu: largest UDP payload; larger packets vanish.
        outages: intervals (from, to), ns since the start of the run, in which all is lost.
        drops: times, ns since the start, ascending: the first packet from each of them on is lost.
    """

    rate: int = 0
    queue: int = 1 << 30
    delay: int = 10 * MS
    jitter: int = 0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_delay: int = 0
    ecn_threshold: int | None = None
    mtu: int = 65_527
    outages: tuple[tuple[int, int], ...] = ()
    drops: tuple[int, ...] = ()


class Simulator:
    """Virtual time and the events in it."""

    def __init__(self) -> None:
        self.now = EPOCH
        self.events = 0
        self._heap: list[tuple[int, int, Callable[..., object], tuple[object, ...]]] = []
        self._sequence = 0

    def at(self, when: int, call: Callable[..., object], *arguments: object) -> None:
        """Have `call(*arguments)` run at `when`; events of one instant run in the order given."""
        self._sequence += 1
        heapq.heappush(self._heap, (when, self._sequence, call, arguments))

    def run(self, until: int) -> None:
        """Run all events up to and including `until`, which then is the time."""
        heap = self._heap
        pop = heapq.heappop
        same = 0
        while heap and heap[0][0] <= until:
            when, _, call, arguments = pop(heap)
            same = same + 1 if when == self.now else 0
            if same > _SPIN:
                raise SpinError(f"{_SPIN} events at {when} ns: something does not wait")
            self.now = when
            self.events += 1
            call(*arguments)
        self.now = until


class Link:
    """One direction of a path; several flows may share it.

    Attributes:
        config: how it behaves; may be replaced during a run.
        sent: packets given to it.
        dropped_queue: of these, dropped by the full queue.
        dropped_random: lost at random, by `drops`, in an outage, or above the MTU.
        marked: marked CE.
        queue_max: longest queue seen, bytes.
    """

    def __init__(self, simulator: Simulator, config: LinkConfig, seed: int) -> None:
        self.config = config
        self.sent = 0
        self.dropped_queue = 0
        self.dropped_random = 0
        self.marked = 0
        self.queue_max = 0
        self._simulator = simulator
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._free_at = 0
        self._last_arrival = 0
        self._departures: deque[tuple[int, int]] = deque()
        self._queued = 0
        self._drops_done = 0

    def queued(self) -> int:
        """Return the bytes in the queue now, with the packet on the wire."""
        now = self._simulator.now
        departures = self._departures
        while departures and departures[0][0] <= now:
            self._queued -= departures.popleft()[1]
        return self._queued

    def _in_outage(self) -> bool:
        since = self._simulator.now - EPOCH
        return any(begin <= since < end for begin, end in self.config.outages)

    def _is_dropped(self) -> bool:
        drops = self.config.drops
        due = self._drops_done < len(drops)
        due = due and drops[self._drops_done] <= self._simulator.now - EPOCH
        self._drops_done += due
        return due

    def transmit(self, packet: Packet, receive: Callable[[Packet], None]) -> None:
        """Take a packet; `receive` is called with it when, and if, it arrives."""
        config = self.config
        simulator = self._simulator
        leaves = simulator.now
        self.sent += 1
        if packet.size > config.mtu or (config.outages and self._in_outage()):
            self.dropped_random += 1
            return
        if config.rate:
            queued = self.queued()
            if queued > config.queue:
                self.dropped_queue += 1
                return
            if (
                config.ecn_threshold is not None
                and queued >= config.ecn_threshold
                and packet.ecn in (1, 2)
            ):
                packet = packet._replace(ecn=ECN_CE)
                self.marked += 1
            # 28 bytes of IPv4 and UDP header take their time too.
            leaves = max(leaves, self._free_at) + (packet.size + 28) * S // config.rate
            self._free_at = leaves
            self._queued = queued + packet.size
            self._departures.append((leaves, packet.size))
            self.queue_max = max(self.queue_max, self._queued)
        if config.drops and self._is_dropped():
            self.dropped_random += 1
            return
        if config.loss and self._random.random() < config.loss:
            self.dropped_random += 1
            return
        arrives = leaves + config.delay
        if config.jitter:
            arrives += int(self._random.random() * config.jitter)
        if config.reorder and self._random.random() < config.reorder:
            simulator.at(arrives + config.reorder_delay, receive, packet)
        else:
            arrives = max(arrives, self._last_arrival)
            self._last_arrival = arrives
            simulator.at(arrives, receive, packet)
        if config.duplicate and self._random.random() < config.duplicate:
            simulator.at(arrives + int(self._random.random() * config.delay), receive, packet)
