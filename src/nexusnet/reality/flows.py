# SPDX-License-Identifier: BSD-3-Clause
"""The flows that are, or may yet be, relayed to the camouflage target: a bounded table.

A flow is a client's address together with one port towards the target. A client that begins a
second connection from the same port gets a second flow, so that what the target says to each is
told apart.
"""

import enum
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from nexusnet.handshake.datagram import Address, Received, network_of
from nexusnet.reality.crypto_stream import FirstMessage

CLIENT_HELLO: Final = 1
"""HandshakeType client_hello (RFC 8446 section 4)."""

MAX_TARGET_CIDS: Final = 4
"""Connection IDs of the target that are remembered for a flow; a handshake shows one or two."""

Path = tuple[Address, Address]
"""Our address and the client's: what RFC 9000 calls the 4-tuple."""


class FlowState(enum.Enum):
    """What is known about a flow."""

    UNDECIDED = "undecided"
    RELAYED = "relayed"
    ACCEPTED = "accepted"
    """A genuine client's; kept until the target has answered too."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """How much is spent on strangers.

    Attributes:
        undecided: seconds after which a flow without a whole ClientHello is relayed for good.
        flows: flows at a time, each with a socket.
        flows_per_network: of these, from one IPv4 address or IPv6 /64.
        datagrams: kept for an undecided flow, of each direction.
        octets: bytes kept for an undecided flow, both directions together.
        octets_in_all: bytes kept for all undecided flows.
        idle: seconds without a datagram after which a flow is forgotten.
        answer: seconds that our answer waits for the target's at most.
        resets_per_second: stateless resets.
    """

    undecided: float = 0.030
    flows: int = 512
    flows_per_network: int = 64
    datagrams: int = 32
    octets: int = 65536
    octets_in_all: int = 8 * 1024 * 1024
    idle: float = 60.0
    answer: float = 0.250
    resets_per_second: int = 100


@dataclass(slots=True, eq=False)
class FirstFlight:
    """What an undecided client has sent, as far as it could be opened.

    Attributes:
        hello: the ClientHello as far as it is there.
        smallest: bytes of the smallest datagram with a part of the hello.
        held: the datagrams, for the handshake.
    """

    hello: FirstMessage = field(default_factory=lambda: FirstMessage(CLIENT_HELLO))
    smallest: int = 0
    held: list[Received] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Flow:
    """One flow.

    Attributes:
        number: its name towards the edge.
        path: our address and the client's.
        dcid: the connection ID that the client made up, where the flow began with an Initial.
        began: when, in seconds.
        state: what is known about it.
        active: when a datagram passed last, in seconds.
        first: what the client has sent, while undecided; most strangers never need it.
        replies: how many of the target's datagrams are kept, while undecided.
        octets: bytes of these and of the client's.
        target_cids: connection IDs by which the target wants to be addressed.
    """

    number: int
    path: Path
    dcid: bytes | None
    began: float
    state: FlowState
    active: float = 0.0
    first: FirstFlight | None = None
    replies: int = 0
    octets: int = 0
    target_cids: set[bytes] = field(default_factory=set)
    network: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.network = network_of(self.path[1])
        self.active = self.began

    @property
    def held(self) -> list[Received]:
        """The client's datagrams, for the handshake."""
        return [] if self.first is None else self.first.held

    def addressed_by(self, data: bytes, dcid: bytes | None) -> bool:
        """Whether a client's datagram is for this flow's connection at the target.

        Args:
            data: the datagram.
            dcid: its connection ID; None for a short header, whose length only the target knows.
        """
        if dcid is not None:
            return dcid == self.dcid or dcid in self.target_cids
        return any(cid and data.startswith(cid, 1) for cid in self.target_cids)


class FlowTable:
    """All flows, with the order in which relayed ones fell idle."""

    def __init__(self, limits: RelayLimits) -> None:
        """Start empty."""
        self._limits = limits
        self._flows: dict[int, Flow] = {}
        self._by_path: dict[Path, dict[int, Flow]] = {}
        self._by_initial: dict[tuple[bytes, Path], Flow] = {}
        # Connection IDs that began a flow or are the target's, and how often.
        self._known: dict[bytes, int] = {}
        self._by_network: dict[bytes, dict[int, Flow]] = {}
        # All relayed flows, idlest first.
        self._idle: OrderedDict[int, Flow] = OrderedDict()

    def __len__(self) -> int:
        return len(self._flows)

    def __iter__(self) -> Iterator[Flow]:
        return iter(tuple(self._flows.values()))

    def get(self, number: int) -> Flow | None:
        """Return a flow by its number."""
        return self._flows.get(number)

    def by_initial(self, dcid: bytes, path: Path) -> Flow | None:
        """Return the flow that began with an Initial to `dcid` on this path."""
        return self._by_initial.get((dcid, path))

    def knows(self, dcid: bytes) -> bool:
        """Whether a connection ID is one of the target's, or began a flow on any path."""
        return dcid in self._known

    def addressed(self, path: Path, data: bytes, dcid: bytes | None) -> bool:
        """Whether a datagram's connection ID is one that a flow on this path has at the target."""
        flows = self._by_path.get(path, {})
        return any(one.addressed_by(data, dcid) for one in flows.values())

    def on_path(self, path: Path, data: bytes, dcid: bytes | None) -> Flow | None:
        """Return the flow of a client's datagram: by connection ID, else the newest."""
        flows = self._by_path.get(path)
        if flows is None:
            return None
        newest_first = list(reversed(flows.values()))
        return next((one for one in newest_first if one.addressed_by(data, dcid)), newest_first[0])

    def add(self, flow: Flow) -> None:
        """Take a flow in; `surplus` first."""
        self._flows[flow.number] = flow
        self._by_path.setdefault(flow.path, {})[flow.number] = flow
        self._by_network.setdefault(flow.network, {})[flow.number] = flow
        if flow.dcid is not None:
            self._by_initial[flow.dcid, flow.path] = flow
            self._know(flow.dcid)
        if flow.state is FlowState.RELAYED:
            self.settle(flow)

    def settle(self, flow: Flow) -> None:
        """Put a flow that is relayed from now on at the end of the idle order."""
        self._idle[flow.number] = flow

    def touch(self, flow: Flow, now: float) -> None:
        """Note that a datagram of a flow passed."""
        flow.active = now
        if flow.state is FlowState.RELAYED:
            self._idle.move_to_end(flow.number)

    def learn(self, flow: Flow, cid: bytes) -> None:
        """Remember a connection ID of the target."""
        if cid and cid not in flow.target_cids and len(flow.target_cids) < MAX_TARGET_CIDS:
            flow.target_cids.add(cid)
            self._know(cid)

    def _know(self, cid: bytes) -> None:
        self._known[cid] = self._known.get(cid, 0) + 1

    def _forget(self, cid: bytes) -> None:
        left = self._known[cid] - 1
        if left:
            self._known[cid] = left
        else:
            del self._known[cid]

    def surplus(self, network: bytes) -> Flow | None:
        """Return the flow to evict before another one of `network` is added, or None."""
        of_network = self._by_network.get(network, {})
        if len(of_network) >= self._limits.flows_per_network:
            # They are few.
            return min(of_network.values(), key=_by_idleness)
        if len(self._flows) >= self._limits.flows:
            return next(iter((self._idle or self._flows).values()))
        return None

    def idlest(self) -> Flow | None:
        """Return the relayed flow that has been idle for longest."""
        return next(iter(self._idle.values()), None)

    def remove(self, flow: Flow) -> None:
        """Forget a flow that was added."""
        del self._flows[flow.number]
        _discard(self._by_path, flow.path, flow.number)
        _discard(self._by_network, flow.network, flow.number)
        self._idle.pop(flow.number, None)
        if flow.dcid is not None:
            if self._by_initial.get((flow.dcid, flow.path)) is flow:
                del self._by_initial[flow.dcid, flow.path]
            self._forget(flow.dcid)
        for cid in flow.target_cids:
            self._forget(cid)


def _by_idleness(flow: Flow) -> tuple[bool, float]:
    """Order flows for eviction: relayed ones first, of these the idlest."""
    return flow.state is not FlowState.RELAYED, flow.active


def _discard(
    index: dict[Path, dict[int, Flow]] | dict[bytes, dict[int, Flow]], key: object, number: int
) -> None:
    flows = index.get(key)  # type: ignore[call-overload]
    if flows is not None:
        flows.pop(number, None)
        if not flows:
            del index[key]  # type: ignore[arg-type]
