# SPDX-License-Identifier: BSD-3-Clause
"""Who gets a datagram that arrives on the server's port, without I/O.

In this order: (1) connection IDs that we issued; (2) the client's first connection ID together with
its address, while such a handshake or its session lives; (3) an Initial with a connection ID that
nobody knows, which is inspected even where its sender is relayed already; (4) everything else
belongs to the camouflage target.

What is undecided goes to the target at once, and the target's answers wait here. So a stranger gets
exactly the target's bytes, and nothing that is sent depends on the authenticator before the
decision has been made.
"""

import enum
import os
import secrets
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from nexusnet.handshake.acceptor import Acceptor
from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.datagram import Received, Transmit
from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.handshake.flood import Flood
from nexusnet.handshake.profile import BASE_DATAGRAM_SIZE
from nexusnet.quic.errors import QuicError
from nexusnet.reality.authenticator import Sight
from nexusnet.reality.connection_ids import TaggedConnectionIds
from nexusnet.reality.crypto_stream import Progress
from nexusnet.reality.decision import Accept, Decision, InitialFacts, Reason, Relay
from nexusnet.reality.flows import FirstFlight, Flow, FlowState, FlowTable, Path, RelayLimits
from nexusnet.reality.initial import is_answer, open_initial
from nexusnet.reality.long_header import (
    FIXED_BIT,
    HEADER_FORM,
    VERSION_1,
    LongHeaderPacket,
    PacketType,
    parse_long_header,
    split_datagram,
)
from nexusnet.reality.sessions import Sessions

MIN_RESET: Final = 21
"""Bytes of the smallest stateless reset (RFC 9000 section 10.3)."""

RESET_SPREAD: Final = 24
"""A reset has up to this many bytes more, so that its size tells nothing."""

LINGER: Final = 300.0
"""Seconds for which a session that is over keeps its first packets from being a stranger's."""


class Fate(enum.Enum):
    """What became of datagrams and flows, beside the reasons of `decision.Reason`."""

    SWALLOWED = "swallowed"
    RESET = "reset"
    ACCEPTED = "accepted"
    RELAYED_AT_ONCE = "relayed_at_once"
    UNDECIDED_TOO_LONG = "undecided_too_long"
    BUFFER_FULL = "buffer_full"
    IMPOSSIBLE_HELLO = "impossible_hello"
    TOO_MANY_HANDSHAKES = "too_many_handshakes"
    EVICTED = "evicted"
    IDLE = "idle"
    TARGET_SILENT = "target_silent"


class Upstream(Protocol):
    """The ports towards the camouflage target, one for each flow.

    What the target says to one is kept until it is settled whose it is; `Demultiplexer.hear` is
    told of it in either case.
    """

    def open(self, number: int) -> None:
        """Open a port for a flow; where that fails, all else does nothing."""

    def send(self, number: int, data: bytes, ecn: Ecn) -> None:
        """Send a datagram to the target, or lose it."""

    def settle(self, number: int, path: Path) -> None:
        """Send the client on this path what was kept, in order, and from now on all at once."""

    def discard(self, number: int) -> list[bytes]:
        """Return the datagrams that were kept: nobody else gets them."""

    def close(self, number: int) -> None:
        """Close the port of a flow."""


class HelloDecider(Protocol):
    """Decides about hellos, see `decision.Decider`."""

    def glance(
        self, datagram: bytes, packet: LongHeaderPacket, *, now: float, wall: float
    ) -> Reason | Sight:
        """Return why a client's first datagram is relayed, or what else is to be seen of it."""

    def decide(self, message: bytes, facts: InitialFacts, *, now: float, wall: float) -> Decision:
        """Return who sent it."""


class Demultiplexer:
    """Shares a server's port between handshakes, sessions and the camouflage target.

    Attributes:
        acceptor: the handshakes of genuine clients.
        flows: what is relayed or undecided.
        counts: what became of datagrams and flows.
        reasons: why hellos were relayed.
    """

    def __init__(
        self,
        acceptor: Acceptor,
        decider: HelloDecider,
        connection_ids: TaggedConnectionIds,
        upstream: Upstream,
        *,
        wall_clock: Callable[[], float],
        begin: Callable[[Flow, Accept, float], HandshakeEngine | None],
        limits: RelayLimits | None = None,
    ) -> None:
        """Make one.

        Args:
            acceptor: shakes hands; issues connection IDs of `connection_ids`.
            decider: tells genuine clients from all others.
            connection_ids: recognises ours.
            upstream: the ports towards the target.
            wall_clock: time of day in seconds since 1970.
            begin: begins the handshake of an accepted flow, whose `held` has its datagrams.
            limits: what is spent on strangers.
        """
        self.acceptor = acceptor
        self.counts: Counter[Fate] = Counter()
        self.reasons: Counter[enum.Enum] = Counter()
        self._decider = decider
        self._ids = connection_ids
        self._upstream = upstream
        self._wall_clock = wall_clock
        self._begin_handshake = begin
        self._limits = limits or RelayLimits()
        self.flows = FlowTable(self._limits)
        self._sessions = Sessions()
        self._next_number = 0
        self._octets = 0
        self._out: deque[Transmit] = deque()
        # All are in order of time, since the delay is always the same.
        self._undecided: deque[tuple[float, Flow]] = deque()
        self._waiting: deque[tuple[float, Flow]] = deque()
        self._over: deque[tuple[float, HandshakeEngine]] = deque()
        self._engines: dict[int, HandshakeEngine] = {}
        self._flood = Flood()
        self._resets_left = self._limits.resets_per_second
        self._resets_since = 0.0

    # Datagrams of clients

    def receive(self, datagram: Received, now: float) -> None:
        """Take a datagram from the server's port; `transmit` afterwards.

        Args:
            datagram: whatever it is.
            now: seconds.
        """
        data = datagram.data
        path = (datagram.local, datagram.remote)
        if not data or not data[0] & HEADER_FORM:
            cid = data[1 : 1 + self._ids.shape.length]
            if self._is_ours(cid, data, path, None):
                self._receive_ours(cid, datagram, now)
            else:
                self._relay(datagram, path, None, now)
            return
        packet = parse_long_header(data)
        if packet is None or packet.version != VERSION_1:
            # The target has its own mind about other versions, and about garbage.
            self._relay(datagram, path, None, now)
        elif self._is_ours(packet.dcid, data, path, packet.dcid):
            self._receive_ours(packet.dcid, datagram, now)
        elif self.flows.knows(packet.dcid) or self._sessions.knows(packet.dcid):
            self._receive_known(packet.dcid, datagram, path, now)
        elif packet.packet_type is PacketType.INITIAL and len(data) >= BASE_DATAGRAM_SIZE:
            self._begin(datagram, path, packet, now)
        else:
            self._relay(datagram, path, packet.dcid, now)

    def _is_ours(self, cid: bytes, data: bytes, path: Path, dcid: bytes | None) -> bool:
        """Whether we issued a connection ID; where the tag is right by chance, the target did."""
        return self._ids.is_ours(cid) and (
            self.acceptor.by_connection_id(cid) is not None
            or not self.flows.addressed(path, data, dcid)
        )

    def _receive_ours(self, cid: bytes, datagram: Received, now: float) -> None:
        """Step 1. Never relayed: a tunnel may send a gigabit a second."""
        engine = self.acceptor.by_connection_id(cid)
        if engine is not None:
            self.acceptor.feed(engine, datagram, now)
        elif datagram.data[0] & HEADER_FORM or not self._may_reset(len(datagram.data), now):
            self.counts[Fate.SWALLOWED] += 1
        else:
            self._reset(cid, datagram)

    def _receive_known(self, dcid: bytes, datagram: Received, path: Path, now: float) -> None:
        """Step 2; from another path step 4."""
        engine = self._sessions.by_initial(dcid, path)
        flow = self.flows.by_initial(dcid, path)
        if engine is not None and self.acceptor.knows(engine):
            self.acceptor.feed(engine, datagram, now)
        elif engine is not None:
            self.counts[Fate.SWALLOWED] += 1
        elif flow is not None:
            self._to_target(flow, datagram, now)
        else:
            self._relay(datagram, path, dcid, now)

    def _may_reset(self, size: int, now: float) -> bool:
        # RFC 9000 section 10.3.3: smaller than what it answers, so that two ends cannot play
        # ping-pong with resets.
        if size <= MIN_RESET:
            return False
        if now - self._resets_since >= 1:
            self._resets_since, self._resets_left = now, self._limits.resets_per_second
        if not self._resets_left:
            return False
        self._resets_left -= 1
        return True

    def _reset(self, cid: bytes, datagram: Received) -> None:
        """Tell a client that its session is gone (RFC 9000 section 10.3)."""
        self.counts[Fate.RESET] += 1
        token = self._ids.reset_token(cid)
        size = min(len(datagram.data) - 1, 2 * MIN_RESET + secrets.randbelow(RESET_SPREAD))
        noise = os.urandom(size - len(token))
        first = FIXED_BIT | noise[0] & ~(HEADER_FORM | FIXED_BIT)
        data = bytes([first]) + noise[1:] + token
        self._out.append(Transmit(data, datagram.local, datagram.remote))

    def _relay(self, datagram: Received, path: Path, dcid: bytes | None, now: float) -> None:
        """Step 4."""
        flow = self.flows.on_path(path, datagram.data, dcid)
        if flow is None:
            # A connection that moved to another address gets a port of its own as well: the target
            # sees the move and validates the new path (RFC 9000 section 9), as it would without us.
            flow = self._open(path, dcid, FlowState.RELAYED, now)
            self.counts[Fate.RELAYED_AT_ONCE] += 1
        self._to_target(flow, datagram, now)

    def is_besieged(self, now: float) -> bool:
        """Whether strangers come in a flood, so that their datagrams may wait for each other.

        Args:
            now: seconds.
        """
        return self._flood.lasts(now)

    def _open(self, path: Path, dcid: bytes | None, state: FlowState, now: float) -> Flow:
        self._flood.count(1, now)
        self._next_number += 1
        flow = Flow(self._next_number, path, dcid, now, state)
        while (surplus := self.flows.surplus(flow.network)) is not None:
            self.counts[Fate.EVICTED] += 1
            self._close(surplus)
        self.flows.add(flow)
        self._upstream.open(flow.number)
        if state is FlowState.RELAYED:
            self._upstream.settle(flow.number, path)
        return flow

    def _close(self, flow: Flow) -> None:
        if flow.state is FlowState.UNDECIDED:
            self._flush(flow)
        elif flow.state is FlowState.ACCEPTED:
            self._speak(flow)
        flow.state = FlowState.CLOSED
        self.flows.remove(flow)
        self._upstream.close(flow.number)

    def _to_target(self, flow: Flow, datagram: Received, now: float) -> None:
        # The mirror first: what the target gets, and when, depends on nothing that follows.
        self._upstream.send(flow.number, datagram.data, datagram.ecn)
        self.flows.touch(flow, now)
        if flow.state is FlowState.UNDECIDED:
            self._inspect(flow, datagram, now)

    # The decision

    def _begin(self, datagram: Received, path: Path, packet: LongHeaderPacket, now: float) -> None:
        """Step 3. The mirror comes first here as well."""
        flow = self._open(path, packet.dcid, FlowState.UNDECIDED, now)
        data = datagram.data
        self._upstream.send(flow.number, data, datagram.ecn)
        seen = self._decider.glance(data, packet, now=now, wall=self._wall_clock())
        if isinstance(seen, Reason):
            self._reject(flow, seen, now)
            return
        self._undecided.append((now + self._limits.undecided, flow))
        # Where its first packet does not open another one behind it may.
        if seen is Sight.UNCLEAR or packet.end < len(data):
            self._inspect(flow, datagram, now)

    def _inspect(self, flow: Flow, datagram: Received, now: float) -> None:
        opened = False
        first = flow.first = flow.first or FirstFlight()
        for packet in split_datagram(datagram.data):
            if packet.packet_type is not PacketType.INITIAL or packet.dcid != flow.dcid:
                continue
            try:
                payload = open_initial(packet.dcid, datagram.data, packet, from_client=True)
            except QuicError:
                self._reject(flow, Fate.IMPOSSIBLE_HELLO, now)
                return
            if payload is None:
                continue
            opened = True
            for fragment in payload.fragments:
                first.hello.add(fragment)
            if payload.fragments:
                size = len(datagram.data)
                first.smallest = min(first.smallest or size, size)
        if opened:
            first.held.append(datagram)
            self._account(flow, len(datagram.data))
        if first.hello.progress is Progress.IMPOSSIBLE:
            self._reject(flow, Fate.IMPOSSIBLE_HELLO, now)
        elif first.hello.progress is Progress.COMPLETE:
            self._decide(flow, first, now)
        else:
            self._check_buffers(flow, now)

    def _decide(self, flow: Flow, first: FirstFlight, now: float) -> None:
        if self.acceptor.full(flow.path[1]):
            self._reject(flow, Fate.TOO_MANY_HANDSHAKES, now)
            return
        decision = self._decider.decide(
            first.hello.message,
            InitialFacts(VERSION_1, first.smallest),
            now=now,
            wall=self._wall_clock(),
        )
        if isinstance(decision, Relay):
            self._reject(flow, decision.reason, now)
        else:
            self._accept(flow, decision, now)

    def _reject(self, flow: Flow, reason: enum.Enum, now: float) -> None:
        if isinstance(reason, Fate):
            self.counts[reason] += 1
        else:
            self.reasons[reason] += 1
        self._flush(flow)
        flow.active = now
        self.flows.settle(flow)

    def _flush(self, flow: Flow) -> None:
        """Relay for good: what the target has said goes out in its order."""
        self._forget_buffers(flow)
        flow.state = FlowState.RELAYED
        self._upstream.settle(flow.number, flow.path)

    def _accept(self, flow: Flow, decision: Accept, now: float) -> None:
        self.counts[Fate.ACCEPTED] += 1
        flow.state = FlowState.ACCEPTED
        answered = self._answered(flow)
        engine = self._begin_handshake(flow, decision, now)
        self._forget_buffers(flow)
        if engine is not None and flow.dcid is not None:
            self._sessions.add(engine, flow.dcid, flow.path)
            self._engines[flow.number] = engine
            if not answered:
                self.acceptor.keep_silent(engine)
        if answered or engine is None:
            self._close(flow)
        else:
            self._waiting.append((now + self._limits.answer, flow))

    def _answered(self, flow: Flow) -> bool:
        """Whether the target has said something that is more than an acknowledgement, lately."""
        replies = self._upstream.discard(flow.number)
        return any(is_answer(flow.dcid or b"", reply) for reply in replies)

    def _speak(self, flow: Flow) -> None:
        engine = self._engines.pop(flow.number, None)
        if engine is not None:
            self.acceptor.speak(engine)

    # Buffers of undecided flows

    def _account(self, flow: Flow, size: int) -> None:
        flow.octets += size
        self._octets += size

    def _forget_buffers(self, flow: Flow) -> None:
        self._octets -= flow.octets
        flow.octets = flow.replies = 0
        flow.first = None

    def _check_buffers(self, flow: Flow, now: float) -> None:
        limits = self._limits
        if (
            len(flow.held) > limits.datagrams
            or flow.replies > limits.datagrams
            or flow.octets > limits.octets
        ):
            self._reject(flow, Fate.BUFFER_FULL, now)
        while self._octets > limits.octets_in_all and self._undecided:
            _, oldest = self._undecided.popleft()
            if oldest.state is FlowState.UNDECIDED:
                self._reject(oldest, Fate.BUFFER_FULL, now)

    # Datagrams of the target

    def hear(self, number: int, cids: Sequence[bytes], held: int, octets: int, now: float) -> None:
        """Hear that the target has said something to the port of a flow; `transmit` afterwards.

        Args:
            number: of the flow.
            cids: connection IDs that it wants to be addressed by since.
            held: datagrams of it that were kept.
            octets: bytes of these.
            now: seconds.
        """
        flow = self.flows.get(number)
        if flow is None:
            return
        for cid in cids:
            self.flows.learn(flow, cid)
        if flow.state is FlowState.ACCEPTED:
            if self._answered(flow):
                self._close(flow)
        elif flow.state is FlowState.UNDECIDED:
            flow.replies += held
            self._account(flow, octets)
            self._check_buffers(flow, now)
        else:
            self.flows.touch(flow, now)

    # What the socket's edge asks for, see `endpoint.Driver`

    def transmit(self, now: float) -> list[Transmit]:
        """Return the datagrams to send to clients now.

        Args:
            now: seconds.
        """
        out = list(self._out)
        self._out.clear()
        return out + self.acceptor.transmit(now)

    def deadline(self) -> float | None:
        """Return when `handle_deadline` is due, in seconds; None for never."""
        times = [queue[0][0] for queue in (self._undecided, self._waiting, self._over) if queue]
        handshakes = self.acceptor.deadline()
        if handshakes is not None:
            times.append(handshakes)
        idlest = self.flows.idlest()
        if idlest is not None:
            times.append(idlest.active + self._limits.idle)
        return min(times, default=None)

    def handle_deadline(self, now: float) -> None:
        """Do what time asks for; `transmit` afterwards.

        Args:
            now: seconds.
        """
        while self._undecided and self._undecided[0][0] <= now:
            _, flow = self._undecided.popleft()
            if flow.state is FlowState.UNDECIDED:
                self._reject(flow, Fate.UNDECIDED_TOO_LONG, now)
        while self._waiting and self._waiting[0][0] <= now:
            _, flow = self._waiting.popleft()
            if flow.state is FlowState.ACCEPTED:
                self.counts[Fate.TARGET_SILENT] += 1
                self._close(flow)
        while (idle := self.flows.idlest()) is not None and idle.active + self._limits.idle <= now:
            self.counts[Fate.IDLE] += 1
            self._close(idle)
        while self._over and self._over[0][0] <= now:
            self._sessions.forget(self._over.popleft()[1])
        self.acceptor.handle_deadline(now)

    def report_send_error(self, transmit: Transmit, code: int, now: float) -> None:
        """Hear that a datagram was not sent, see `Acceptor.report_send_error`."""
        self.acceptor.report_send_error(transmit, code, now)

    def report_icmp(self, code: int, now: float) -> None:
        """Ignore an ICMP error: anyone can forge one."""

    def ended(self, engine: HandshakeEngine, now: float) -> None:
        """Tell that a session or a handshake is over: soon, its first packets are a stranger's.

        Args:
            engine: of the handshake.
            now: seconds.
        """
        self._over.append((now + LINGER, engine))

    def close(self) -> None:
        """Close all ports towards the target."""
        for flow in self.flows:
            self.flows.remove(flow)
            self._upstream.close(flow.number)
