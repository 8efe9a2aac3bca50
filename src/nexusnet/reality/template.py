# SPDX-License-Identifier: BSD-3-Clause
"""What anybody can see of a server's answer to a hello, and the template that ours is made after.

Initial keys are public, so the ServerHello is; of all other packets type and size are. A template
comes from several connections, because sizes vary a little from one to the next.
"""

import enum
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from nexusnet.quic.errors import QuicError
from nexusnet.quic.reader import Reader
from nexusnet.quic.varint import varint_size
from nexusnet.reality.connection_ids import ConnectionIdShape, ShapeError
from nexusnet.reality.crypto_stream import FirstMessage, Progress
from nexusnet.reality.decision import ServerProfile
from nexusnet.reality.initial import open_initial
from nexusnet.reality.key_exchange import Group
from nexusnet.reality.long_header import (
    FIXED_BIT,
    HEADER_FORM,
    LongHeaderPacket,
    PacketType,
    split_datagram,
)
from nexusnet.reality.server_tls import ServerShape

SERVER_HELLO: Final = 2
SUPPORTED_VERSIONS: Final = 43
KEY_SHARE: Final = 51
TLS_1_3: Final = 0x0304
SUITES: Final = (0x1301, 0x1302, 0x1303)

RETRY_RANDOM: Final = bytes.fromhex(
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)
"""The random of a ServerHello that is a HelloRetryRequest (RFC 8446 section 4.1.3)."""

LONG_HEADER_SIZE: Final = 11
"""Bytes of a Handshake packet's header beside its connection IDs; Length and packet number have two
bytes each."""

TAG_SIZE: Final = 16

SIZE_SLACK: Final = 3
"""Bytes by which TLS may miss a flight's size: DER lengths and ECDSA signatures vary."""

MAX_PLAN: Final = 64
"""Datagrams of a flight that are copied."""


class TargetError(Exception):
    """The camouflage target does not do; says why and what to do."""


class PlannedType(enum.Enum):
    """Packets of a server's first flight."""

    INITIAL = "initial"
    HANDSHAKE = "handshake"
    ONE_RTT = "1rtt"


@dataclass(frozen=True, slots=True)
class PlannedPacket:
    """One packet.

    Attributes:
        type: its type.
        size: bytes, with header and tag.
    """

    type: PlannedType
    size: int


@dataclass(frozen=True, slots=True)
class PlannedDatagram:
    """One datagram.

    Attributes:
        packets: that are coalesced in it, in order.
        trailing: bytes behind the last one.
    """

    packets: tuple[PlannedPacket, ...]
    trailing: int = 0

    @property
    def size(self) -> int:
        """Bytes of the UDP payload."""
        return sum(packet.size for packet in self.packets) + self.trailing


FlightPlan = tuple[PlannedDatagram, ...]
"""The datagrams of a server's first flight."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer of a server.

    Attributes:
        suite: cipher suite.
        group: of the key share.
        key_share_first: whether key_share comes before supported_versions.
        cid: the connection ID that the server chose.
        flight: its datagrams from the ServerHello on, as long as the client says nothing.
        delay: seconds from the hello to the ServerHello.
    """

    suite: int
    group: int
    key_share_first: bool
    cid: bytes
    flight: FlightPlan
    delay: float


@dataclass(frozen=True, slots=True)
class Template:
    """How a server's answers look.

    Attributes:
        suite: cipher suite.
        group: of the key share: X25519 or X25519MLKEM768.
        key_share_first: whether key_share comes before supported_versions.
        cid: what its connection IDs have in common.
        flights: first flights as they were seen; each of ours is made after one of them.
        delay: the median time in seconds from a hello to its answer.
    """

    suite: int
    group: int
    key_share_first: bool
    cid: ConnectionIdShape
    flights: tuple[FlightPlan, ...]
    delay: float

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> Self:
        """Make a template of what was seen, one observation or more.

        Raises:
            TargetError: the answers contradict each other, or cannot be copied.
        """
        answers = {(one.suite, one.group, one.key_share_first) for one in observations}
        if len(answers) != 1:
            raise TargetError(
                "the target answers the same hello in different ways (several servers behind one"
                " address?): choose another one"
            )
        suite, group, key_share_first = answers.pop()
        try:
            cid = ConnectionIdShape.observed([one.cid for one in observations])
        except ShapeError as error:
            raise TargetError(
                f"the target's connection IDs cannot be copied ({error}): choose another one"
            ) from error
        flights = tuple(dict.fromkeys(one.flight for one in observations))
        delay = statistics.median(one.delay for one in observations)
        return cls(suite, group, key_share_first, cid, flights, delay)

    def shape(self, flight: FlightPlan) -> ServerShape:
        """Return what TLS has to know of a flight."""
        return ServerShape(
            suites=(self.suite,),
            groups=(self.group,),
            key_share_first=self.key_share_first,
            # A browser's own connection IDs are empty.
            flight_size=handshake_capacity(flight, self.cid.length) - SIZE_SLACK,
        )

    def profile(self, server_names: frozenset[str]) -> ServerProfile:
        """Return what a hello must offer, so that it can be answered in the template's way."""
        return ServerProfile(server_names, suites=(self.suite,), groups=(self.group,))

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self), default=lambda one: one.value, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            TargetError: it is no template.
        """
        try:
            return cls._from_dict(json.loads(text))
        except (ValueError, KeyError, TypeError) as error:
            raise TargetError(f"this is no template of a target: {error!r}") from error

    @classmethod
    def _from_dict(cls, read: dict[str, Any]) -> Self:
        cid = ConnectionIdShape(
            int(read["cid"]["length"]), tuple((int(at), int(b)) for at, b in read["cid"]["fixed"])
        )
        flights = tuple(
            tuple(
                PlannedDatagram(
                    tuple(
                        PlannedPacket(PlannedType(packet["type"]), int(packet["size"]))
                        for packet in datagram["packets"]
                    ),
                    int(datagram["trailing"]),
                )
                for datagram in flight
            )
            for flight in read["flights"]
        )
        if not flights:
            raise ValueError("no flights")
        return cls(
            int(read["suite"]),
            int(read["group"]),
            bool(read["key_share_first"]),
            cid,
            flights,
            float(read["delay"]),
        )


def crypto_room(space: int, offset: int) -> int:
    """Return how many bytes of CRYPTO data one frame holds.

    Args:
        space: bytes that the frame may take.
        offset: where its data begins in the stream.
    """
    # Type, offset, and a length of two bytes (RFC 9000 section 19.6).
    return max(0, space - 3 - varint_size(offset))


def handshake_capacity(flight: FlightPlan, cids: int) -> int:
    """Return how many bytes of CRYPTO data the Handshake packets of a flight hold.

    Args:
        flight: the plan.
        cids: bytes of both connection IDs together.
    """
    offset = 0
    for datagram in flight:
        for packet in datagram.packets:
            if packet.type is PlannedType.HANDSHAKE:
                offset += crypto_room(packet.size - LONG_HEADER_SIZE - cids - TAG_SIZE, offset)
    return offset


def observe(original_dcid: bytes, replies: Sequence[tuple[float, bytes]]) -> Observation:
    """Describe a server's answer to a hello.

    Args:
        original_dcid: connection ID that the client made up.
        replies: the server's datagrams in order, with the seconds since the hello was sent, while
            the client said nothing.

    Raises:
        TargetError: it is no answer that can be copied.
    """
    if not replies:
        raise TargetError(
            "the target does not answer: is its address right, and does it speak QUIC (HTTP/3) on"
            " this UDP port?"
        )
    hello = FirstMessage(SERVER_HELLO)
    flight: list[PlannedDatagram] = []
    delay = 0.0
    cid = b""
    for seconds, data in replies:
        packets = list(split_datagram(data))
        _refuse(packets)
        for packet in packets:
            if packet.packet_type is PacketType.INITIAL:
                cid = packet.scid
                _collect(original_dcid, data, packet, hello)
        # An Initial that only acknowledges the first part of a hello is not copied: both parts
        # are there when we answer.
        if hello.progress is not Progress.INCOMPLETE or flight:
            delay = delay if flight else seconds
            flight.append(_plan(data, packets))
    if hello.progress is not Progress.COMPLETE:
        raise TargetError(
            "the target sends no ServerHello: it may not take this server name, or not want"
            " clients of this address"
        )
    return _describe(hello.message, cid, tuple(flight[:MAX_PLAN]), delay)


def _refuse(packets: Sequence[LongHeaderPacket]) -> None:
    types = {packet.packet_type for packet in packets}
    if PacketType.RETRY in types:
        raise TargetError(
            "the target answers with Retry, which only it could keep up: choose a target that"
            " does not validate addresses, or one that does so under load only"
        )
    if PacketType.VERSION_NEGOTIATION in types:
        raise TargetError("the target does not speak QUIC version 1: choose another one")


def _collect(
    original_dcid: bytes, data: bytes, packet: LongHeaderPacket, hello: FirstMessage
) -> None:
    try:
        payload = open_initial(original_dcid, data, packet, from_client=False)
    except QuicError as error:
        raise TargetError(f"the target's Initial is malformed ({error})") from error
    if payload is None:
        return
    for fragment in payload.fragments:
        hello.add(fragment)
    if payload.closes and not payload.fragments:
        raise TargetError(
            "the target closes the connection: it may not know this server name, or not speak h3"
        )


def _plan(data: bytes, packets: Sequence[LongHeaderPacket]) -> PlannedDatagram:
    names = {
        PacketType.INITIAL: PlannedType.INITIAL,
        PacketType.HANDSHAKE: PlannedType.HANDSHAKE,
    }
    planned = [
        PlannedPacket(names[packet.packet_type], packet.size)
        for packet in packets
        if packet.packet_type in names
    ]
    end = packets[-1].end if packets else 0
    rest = len(data) - end
    if rest and data[end] & (HEADER_FORM | FIXED_BIT) == FIXED_BIT:
        planned.append(PlannedPacket(PlannedType.ONE_RTT, rest))
        rest = 0
    return PlannedDatagram(tuple(planned), rest)


def _describe(message: bytes, cid: bytes, flight: FlightPlan, delay: float) -> Observation:
    reader = Reader(message, 4)
    extensions: list[tuple[int, bytes]] = []
    try:
        reader.take(2)
        random = reader.take(32)
        reader.take(reader.uint8())
        suite = int.from_bytes(reader.take(2), "big")
        reader.take(1)
        reader.take(2)
        while reader.remaining:
            kind = int.from_bytes(reader.take(2), "big")
            extensions.append((kind, reader.take(int.from_bytes(reader.take(2), "big"))))
    except QuicError as error:
        raise TargetError("the target's ServerHello is malformed") from error
    share = dict(extensions).get(KEY_SHARE, b"")
    group = int.from_bytes(share[:2], "big")
    if random == RETRY_RANDOM:
        raise TargetError(
            f"the target wants another key exchange (group {group:#06x}) and answers with a"
            " HelloRetryRequest: choose a target that takes X25519MLKEM768 or X25519"
        )
    order = [kind for kind, _ in extensions]
    if sorted(order) != [SUPPORTED_VERSIONS, KEY_SHARE]:
        raise TargetError(f"the target's ServerHello has extensions {order}, which we do not copy")
    if group not in set(Group) or suite not in SUITES:
        raise TargetError(
            f"the target answers with group {group:#06x} and suite {suite:#06x}: choose one that"
            " takes X25519MLKEM768 or X25519 and a suite of TLS 1.3"
        )
    return Observation(suite, group, order[0] == KEY_SHARE, cid, flight, delay)
