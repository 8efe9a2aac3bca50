# SPDX-License-Identifier: BSD-3-Clause
"""Random networks, and what must hold on every one of them."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nexus_sim.core import Core
from nexus_sim.endpoint import Endpoint, EndpointConfig, InvariantError, connect
from nexus_sim.network import EPOCH, MS, Link, LinkConfig, S, Simulator

SENDING: Final = 6 * S
"""How long applications send."""

SETTLING: Final = 25 * S
"""Time after that in which all that is in flight must be acknowledged or given up."""

AFTER_OUTAGE: Final = 4 * S
"""Applications go on at least so long after an outage."""

RECOVERY: Final = 22 * S
"""
Traffic must flow again within this time after an outage. Outages last 3 s at most, so the next
probe comes 3 s after the end at the latest (RFC 9002 section 6.2.1: the period doubles); but one
pair of probes in 25 is lost where a fifth of all packets is, and the next comes 6 s later, then 12.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one random network saw.

    Attributes:
        datagrams: delivered, both ways.
        lost: packets declared lost, both ways.
        spurious: of these, acknowledged later.
        key_updates: completed, both ends.
        outages: of the network.
        ring_max: larger sent ring, entries.
    """

    datagrams: int
    lost: int
    spurious: int
    key_updates: int
    outages: int
    ring_max: int


def _link(source: random.Random, *, outages: tuple[tuple[int, int], ...]) -> LinkConfig:
    rate = int(10 ** source.uniform(4.5, 6.3))
    delay = int(10 ** source.uniform(5.5, 8.3))
    bdp = rate * delay * 2 // S
    reorders = source.random() < 0.3
    return LinkConfig(
        rate=rate,
        queue=max(8_000, int(bdp * 10 ** source.uniform(-0.7, 0.7))),
        delay=delay,
        jitter=int(delay * source.random()) if source.random() < 0.5 else 0,
        loss=source.choice((0.0, 0.0, 0.001, 0.01, 0.05, 0.2)),
        duplicate=source.choice((0.0, 0.0, 0.05)),
        reorder=source.random() * 0.1 if reorders else 0.0,
        reorder_delay=int(delay * source.random() * 2) if reorders else 0,
        ecn_threshold=source.choice((None, 20_000)),
        mtu=source.choice((65_527, 1_300)),
        outages=outages,
    )


def _endpoint(source: random.Random, *, sends: bool) -> EndpointConfig:
    rate: int | None = 0
    if sends:
        rate = source.choice((None, None, int(10 ** source.uniform(3.5, 6))))
    return EndpointConfig(
        congestion=source.choice(("cubic_like", "cubic_like", "bbr_like")),
        payload=source.choice((0, 0, 100, 900)),
        source_rate=rate,
        mtu_ceiling=source.choice((0, 1_452)),
        ecn=source.random() < 0.5,
        key_delay=source.choice((0, 0, 50 * MS)),
        keepalive=source.choice((0, 5 * S)),
        control_slots=64,
    )


def _frame(number: int) -> bytes:
    """Return RETIRE_CONNECTION_ID of a sequence number below 2^30."""
    return b"\x19" + (number | 0x80000000).to_bytes(4, "big")


class _Run:
    """One network, built from its seed."""

    def __init__(self, core: Core, seed: int) -> None:
        source = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.core = core
        self.simulator = Simulator()
        self.outages: tuple[tuple[int, int], ...] = ()
        if source.random() < 0.4:
            begin = source.randrange(S, 4 * S)
            self.outages = ((begin, begin + source.randrange(100 * MS, 3 * S)),)
        self.until = max([SENDING, *(end + AFTER_OUTAGE for _, end in self.outages)])
        self.give_up = max([SENDING, *(end + RECOVERY for _, end in self.outages)])
        both = source.random() < 0.4
        self.forward = Link(self.simulator, _link(source, outages=self.outages), seed * 2 + 1)
        self.backward = Link(self.simulator, _link(source, outages=self.outages), seed * 2 + 2)
        self.client = self._end(_endpoint(source, sends=True), client=True)
        self.server = self._end(_endpoint(source, sends=both), client=False)
        connect(self.client, self.server, self.forward, self.backward)
        self.ends = (self.client, self.server)
        self.queued: dict[bool, set[int]] = {True: set(), False: set()}
        self._schedule(source)

    def _end(self, config: EndpointConfig, *, client: bool) -> Endpoint:
        return Endpoint(self.core, self.simulator, config, client=client)

    def _schedule(self, source: random.Random) -> None:
        for endpoint in self.ends:
            for _ in range(source.randrange(4)):
                self._at(source.randrange(self.until), endpoint.update_keys)
        for number in range(source.randrange(40)):
            client = source.random() < 0.5
            self._at(source.randrange(self.until), self._control, client, number)

    def _at(self, when: int, call: Callable[..., object], *arguments: object) -> None:
        self.simulator.at(EPOCH + when, call, *arguments)

    def _control(self, client: bool, number: int) -> None:  # noqa: FBT001 - an event's argument
        endpoint = self.client if client else self.server
        if endpoint.queue_control(number, _frame(number)) == 0:
            self.queued[client].add(number)

    def go(self) -> None:
        for endpoint in self.ends:
            endpoint.start()
        recovered = 0
        for _, end in self.outages:
            self.simulator.run(EPOCH + end)
            recovered = self.server.counters.datagrams_received
        self.simulator.run(EPOCH + self.until)
        while self.outages and self.server.counters.datagrams_received <= recovered:
            if self.simulator.now > EPOCH + self.give_up:
                raise InvariantError("no traffic after an outage")
            self.simulator.run(self.simulator.now + S)
        for endpoint in self.ends:
            endpoint.stop()
        self.simulator.run(self.simulator.now + SETTLING)
        # A keepalive may be under way at just that moment.
        for _ in range(8):
            if any(endpoint.conn.recovery.sent.eliciting for endpoint in self.ends):
                self.simulator.run(self.simulator.now + S // 2)


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - a condition
    if not holds:
        raise InvariantError(what)


def _check_accounts(core: Core, end: Endpoint) -> None:
    """Packets sent are acknowledged, lost, or out; bytes in flight are the sum of the latter."""
    lib = core.lib
    sent = end.conn.recovery.sent
    outstanding = in_flight = 0
    for pn in range(sent.oldest, sent.next_pn):
        entry = lib.nqd_sent_find(end.conn_sent(), pn)
        if entry and entry.flags & lib.NQD_SENT_STATE_MASK == lib.NQD_SENT_OUTSTANDING:
            outstanding += 1
            in_flight += entry.size if entry.flags & lib.NQD_SENT_IN_FLIGHT else 0
    _require(
        sent.sent == sent.acked + sent.lost + outstanding + sent.cancelled + sent.forgotten,
        f"{sent.sent} sent, {sent.acked} acknowledged, {sent.lost} lost, {outstanding} out",
    )
    _require(sent.bytes_in_flight == in_flight, f"{sent.bytes_in_flight} bytes in flight")
    _require(sent.eliciting == 0, f"{sent.eliciting} ack-eliciting packets never resolved")
    _require(in_flight == 0, "bytes in flight after all has settled")


def _check_end(run: _Run, end: Endpoint, link: Link) -> None:
    lib = run.core.lib
    conn = end.conn
    _require(conn.state.state == lib.NQD_SESSION_STATE_ACTIVE, f"state {conn.state.state}")
    _check_accounts(run.core, end)
    # A packet so late that its number cannot be reconstructed does not open (RFC 9000 section A.3).
    late = {lib.NQD_DROP_TOO_OLD, lib.NQD_DROP_KEY_DISCARDED, lib.NQD_DROP_AEAD}
    allowed = {lib.NQD_DROP_DUPLICATE} | late
    _require(set(end.counters.drops) <= allowed, f"drops {end.counters.drops}")
    _require(end.counters.wrong_keys == 0, "keys did not match")
    config = link.config
    if not config.reorder and not config.duplicate:
        # Order is kept, so nothing that arrives was overtaken: RFC 9002 section 6.1.
        _require(conn.recovery.sent.spurious == 0, f"{conn.recovery.sent.spurious} spurious losses")
    # The largest window is what path and queue hold, some times over; a ring need not be longer.
    peak = 4 * (
        config.queue + config.rate * (run.forward.config.delay + run.backward.config.delay) // S
    )
    _require(
        end.counters.ring_entries <= max(1024, 1 << (16 * peak // 100).bit_length()),
        f"ring of {end.counters.ring_entries} entries",
    )


def check(core: Core, seed: int) -> Outcome:
    """Run one random network.

    Args:
        core: the protocol core.
        seed: decides all of it.

    Raises:
        InvariantError: a rule was broken; the message begins with the seed.
    """
    try:
        return _check(core, seed)
    except InvariantError as error:
        raise InvariantError(f"network {seed}: {error}") from error


def _check(core: Core, seed: int) -> Outcome:
    run = _Run(core, seed)
    run.go()
    client, server = run.ends
    _check_end(run, client, run.forward)
    _check_end(run, server, run.backward)
    for sender, receiver, by_client in ((client, server, True), (server, client, False)):
        wanted = run.queued[by_client]
        _require(
            set(sender.counters.control_acked) == wanted, "a control frame was never acknowledged"
        )
        _require(
            len(sender.counters.control_acked) == len(wanted), "a control frame was reported twice"
        )
        got = {
            int.from_bytes(frame[1:], "big") & 0x3FFFFFFF for frame in receiver.counters.handed_up
        }
        _require(got == wanted, "a control frame was acknowledged and not delivered, or invented")
        _require(
            receiver.counters.datagrams_received <= sender.counters.datagrams_sent,
            "more DATAGRAMs than were sent",
        )
    return Outcome(
        datagrams=client.counters.datagrams_received + server.counters.datagrams_received,
        lost=client.conn.recovery.sent.lost + server.conn.recovery.sent.lost,
        spurious=client.conn.recovery.sent.spurious + server.conn.recovery.sent.spurious,
        key_updates=client.conn.keys.updates + server.conn.keys.updates,
        outages=len(run.outages),
        ring_max=max(end.counters.ring_entries for end in run.ends),
    )
