# SPDX-License-Identifier: BSD-3-Clause
"""The install contract: what a handshake hands to a data plane, in the kernel or in user space.

A connection is installed in two steps: :class:`Session` (in HOLD: its short headers are queued,
nothing is sent), then :class:`Activation` (keys, transport state, drained datagrams). All values
are validated when they are made; :class:`SessionError` names what is wrong. Key material is
:class:`~nexusnet.secret.SecretBytes`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Final, TypeAlias

from nexusnet.netlink import generated as abi
from nexusnet.netlink.generated import (
    CipherSuite,
    CloseMode,
    Congestion,
    DeviceFlag,
    DscpPolicy,
    EcnPolicy,
    EcnState,
    Role,
    SessionFlag,
)
from nexusnet.validation import SessionError, at_most, in_range, positive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nexusnet.keys import KeySet, SecretSet
    from nexusnet.secret import SecretBytes

Address: TypeAlias = IPv4Address | IPv6Address
Prefix: TypeAlias = IPv4Network | IPv6Network

QUIC_V1: Final = 1
NO_DEVICE_FLAGS: Final = DeviceFlag(0)
NO_SESSION_FLAGS: Final = SessionFlag(0)
U32_MAX: Final = 2**32 - 1
U64_MAX: Final = 2**64 - 1
MAX_PORT: Final = 65535
MAX_ECN: Final = 3
MAX_DSCP: Final = 63
MAX_MTU: Final = 65535


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a UDP flow; ``scope_id``: interface index of a link-local address, else 0.

    Attributes:
        text: address, with ``%scope`` where there is one, and port, as the handshake writes them.
    """

    address: Address
    port: int
    scope_id: int = 0
    text: tuple[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        in_range("port", self.port, 1, MAX_PORT)
        in_range("scope_id", self.scope_id, 0, U32_MAX)
        # Once, not for each datagram: those who receive keep the endpoints of thousands of peers.
        host = f"{self.address}%{self.scope_id}" if self.scope_id else str(self.address)
        object.__setattr__(self, "text", (host, self.port))


@dataclass(frozen=True, slots=True)
class UdpTuple:
    """Both ends of a UDP flow, of one address family; mapped IPv4 addresses count as IPv4."""

    local: Endpoint
    peer: Endpoint

    def __post_init__(self) -> None:
        if self.local.address.version != self.peer.address.version:
            raise SessionError("local and peer address are of different families")
        if self.peer.address.is_unspecified:
            raise SessionError("the peer's address is unspecified")


@dataclass(frozen=True, slots=True)
class ConnectionId:
    """A connection ID, 0-20 bytes, with its sequence number (RFC 9000 section 5.1.1)."""

    sequence: int
    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        in_range("connection ID sequence number", self.sequence, 0, abi.PN_MAX)
        at_most("connection ID", len(self.value), abi.CID_MAX_LEN)


@dataclass(frozen=True, slots=True)
class ResetToken:
    """Stateless reset token that the peer gave with its connection ID ``sequence``."""

    sequence: int
    token: SecretBytes

    def __post_init__(self) -> None:
        in_range("connection ID sequence number", self.sequence, 0, abi.PN_MAX)
        if len(self.token) != abi.RESET_TOKEN_LEN:
            raise SessionError(f"a stateless reset token has {abi.RESET_TOKEN_LEN} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportParameters:
    """Transport parameters of one end that matter after the handshake (RFC 9000 section 18.2).

    Times in milliseconds, sizes in bytes. ``max_datagram_frame_size`` counts the whole frame
    (RFC 9221 section 3); 0 means that DATAGRAM was not negotiated. ``max_idle_timeout_ms`` 0 means
    none.
    """

    max_datagram_frame_size: int
    max_idle_timeout_ms: int = 0
    max_udp_payload_size: int = abi.DATAGRAM_MAX_LEN
    max_ack_delay_ms: int = 25
    ack_delay_exponent: int = 3
    active_connection_id_limit: int = 2

    def __post_init__(self) -> None:
        in_range("max_datagram_frame_size", self.max_datagram_frame_size, 0, abi.PN_MAX)
        in_range("max_idle_timeout_ms", self.max_idle_timeout_ms, 0, abi.PN_MAX)
        size = self.max_udp_payload_size
        in_range("max_udp_payload_size", size, abi.UDP_PAYLOAD_MIN, abi.DATAGRAM_MAX_LEN)
        in_range("max_ack_delay_ms", self.max_ack_delay_ms, 0, abi.MAX_ACK_DELAY_MAX_MS)
        in_range("ack_delay_exponent", self.ack_delay_exponent, 0, abi.ACK_DELAY_EXPONENT_MAX)
        in_range("active_connection_id_limit", self.active_connection_id_limit, 2, U32_MAX)


@dataclass(frozen=True, slots=True)
class PnRange:
    """Packet numbers from ``first`` to ``last``, both included."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last <= abi.PN_MAX:
            raise SessionError(f"{self.first} to {self.last} is no range of packet numbers")


@dataclass(frozen=True, slots=True)
class ReceivedRanges:
    """What was received: ranges, highest first, and a floor below which all is duplicate."""

    ranges: tuple[PnRange, ...] = ()
    duplicate_floor: int = 0

    def __post_init__(self) -> None:
        at_most("received ranges", len(self.ranges), abi.RECEIVED_RANGES_MAX)
        in_range("duplicate_floor", self.duplicate_floor, 0, abi.PN_MAX)
        for higher, lower in zip(self.ranges, self.ranges[1:], strict=False):
            if lower.last + 1 >= higher.first:
                raise SessionError("received ranges must be apart, the highest one first")
        if self.ranges and self.ranges[-1].first < self.duplicate_floor:
            raise SessionError("a received range reaches below the duplicate floor")

    @property
    def largest(self) -> int | None:
        """Largest packet number received, None before the first one."""
        return self.ranges[0].last if self.ranges else None

    def __contains__(self, number: int) -> bool:
        """Whether a packet of that number would be a duplicate."""
        if number < self.duplicate_floor:
            return True
        return any(one.first <= number <= one.last for one in self.ranges)

    @classmethod
    def newest(cls, ranges: Iterable[PnRange], duplicate_floor: int = 0) -> ReceivedRanges:
        """The newest 32 of disjoint ranges in any order; the floor rises above those left out."""
        ordered = sorted(ranges, key=lambda one: one.last, reverse=True)
        kept = ordered[: abi.RECEIVED_RANGES_MAX]
        left_out = ordered[abi.RECEIVED_RANGES_MAX :]
        floor = max(duplicate_floor, left_out[0].last + 1) if left_out else duplicate_floor
        return cls(tuple(kept), floor)


@dataclass(frozen=True, slots=True, kw_only=True)
class EcnCounts:
    """Packets by ECN codepoint (RFC 9000 section 19.3.2)."""

    ect0: int = 0
    ect1: int = 0
    ce: int = 0

    def __post_init__(self) -> None:
        for name in ("ect0", "ect1", "ce"):
            in_range(name, getattr(self, name), 0, abi.PN_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class EcnAccounting:
    """ECN both ways (RFC 9000 section 13.4): received, last reported by the peer, sent."""

    received: EcnCounts = EcnCounts()
    acked: EcnCounts = EcnCounts()
    sent: EcnCounts = EcnCounts()
    state: EcnState = EcnState.UNKNOWN

    def __post_init__(self) -> None:
        if self.sent.ce:
            raise SessionError("CE is never sent")


@dataclass(frozen=True, slots=True, kw_only=True)
class RttState:
    """Round-trip time in ns (RFC 9002 section 5); ``latest`` and ``min`` 0: no sample yet."""

    latest: int = 0
    smoothed: int = 333_000_000  # RFC 9002 section 6.2.2: the initial RTT
    variation: int = 166_500_000
    min: int = 0

    def __post_init__(self) -> None:
        for name in ("latest", "smoothed", "variation", "min"):
            in_range(f"RTT {name}", getattr(self, name), 0, U64_MAX)
        positive("RTT smoothed", self.smoothed)
        if (self.latest == 0) != (self.min == 0) or self.min > self.latest:
            raise SessionError("RTT min and latest contradict each other")


@dataclass(frozen=True, slots=True)
class HeldDatagram:
    """A datagram that was drained from the socket unprocessed: flow, ECN field, UDP payload."""

    udp_tuple: UdpTuple
    ecn: int
    payload: bytes = field(repr=False)

    def __post_init__(self) -> None:
        in_range("ECN field", self.ecn, 0, MAX_ECN)
        in_range("held datagram length", len(self.payload), 1, abi.HELD_DATAGRAM_MAX_LEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class OuterPolicy:
    """IP header of outer packets; None: that of the device (for a device: 0, and ECN off)."""

    fwmark: int | None = None
    dscp_policy: DscpPolicy | None = None
    dscp: int | None = None
    ecn_policy: EcnPolicy | None = None

    def __post_init__(self) -> None:
        in_range("fwmark", self.fwmark or 0, 0, U32_MAX)
        in_range("dscp", self.dscp or 0, 0, MAX_DSCP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A virtual L3 device, one a network. ``id`` is 0 until the data plane chose it."""

    id: int = 0
    generation: int
    network_id: int
    name: str = ""
    route_epoch: int = 0
    mtu: int | None = None
    queues: int | None = None
    flags: DeviceFlag = NO_DEVICE_FLAGS
    outer: OuterPolicy = OuterPolicy()

    def __post_init__(self) -> None:
        in_range("device id", self.id, 0, U32_MAX)
        positive("generation", self.generation)
        in_range("network_id", self.network_id, 0, U64_MAX)
        in_range("route_epoch", self.route_epoch, 0, U64_MAX)
        at_most("device name", len(self.name.encode()), 15)  # IFNAMSIZ - 1
        in_range("MTU", self.mtu or abi.MTU_MIN, abi.MTU_MIN, MAX_MTU)


@dataclass(frozen=True, slots=True)
class SessionRef:
    """Names a session: the device's id, and its own within the device; both from 1 up."""

    device_id: int
    id: int

    def __post_init__(self) -> None:
        in_range("device id", self.device_id, 1, U32_MAX)
        in_range("session id", self.id, 1, U64_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An established connection as it is installed (in HOLD)."""

    ref: SessionRef
    generation: int
    role: Role
    socket_fd: int
    udp_tuple: UdpTuple
    local_cids: tuple[ConnectionId, ...]
    peer_cids: tuple[ConnectionId, ...]
    cipher_suite: CipherSuite
    local_parameters: TransportParameters
    peer_parameters: TransportParameters
    datagram_size: int
    network_id: int
    route_epoch: int
    allowed_sources: tuple[Prefix, ...] = ()
    reset_tokens: tuple[ResetToken, ...] = ()
    quic_version: int = QUIC_V1
    idle_timeout_ms: int = 0
    keepalive_ms: int = abi.KEEPALIVE_DEFAULT_MS
    mtu: int | None = None
    flags: SessionFlag = NO_SESSION_FLAGS
    congestion: Congestion = Congestion.CUBIC_LIKE
    lab_rate: int | None = None
    confidentiality_limit: int | None = None
    integrity_limit: int | None = None
    outer: OuterPolicy = OuterPolicy()

    def __post_init__(self) -> None:
        positive("generation", self.generation)
        in_range("socket_fd", self.socket_fd, 0, 2**31 - 1)
        in_range("network_id", self.network_id, 0, U64_MAX)
        in_range("route_epoch", self.route_epoch, 0, U64_MAX)
        in_range("idle_timeout_ms", self.idle_timeout_ms, 0, U32_MAX)
        in_range("keepalive_ms", self.keepalive_ms, 0, U32_MAX)
        in_range("MTU", self.mtu or abi.MTU_MIN, abi.MTU_MIN, MAX_MTU)
        if self.quic_version != QUIC_V1:
            raise SessionError(f"QUIC version {self.quic_version:#x} cannot be installed, only 1")
        if not self.cipher_suite.known:
            raise SessionError(f"cipher suite {int(self.cipher_suite):#06x} cannot be installed")
        self._check_connection_ids()
        self._check_sizes()
        self._check_congestion()
        self._check_limits()
        at_most("allowed source prefixes", len(self.allowed_sources), abi.ALLOWED_SOURCES_MAX)

    def _check_connection_ids(self) -> None:
        in_range("number of local connection IDs", len(self.local_cids), 1, abi.LOCAL_CIDS_MAX)
        in_range("number of peer connection IDs", len(self.peer_cids), 1, abi.PEER_CIDS_MAX)
        at_most("reset tokens", len(self.reset_tokens), abi.PEER_CIDS_MAX)
        if len({len(cid.value) for cid in self.local_cids}) != 1:
            raise SessionError("local connection IDs must be of one length")
        for what, cids in (("local", self.local_cids), ("peer", self.peer_cids)):
            if len({cid.value for cid in cids}) != len(cids):
                raise SessionError(f"a {what} connection ID is given twice")
            if len({cid.sequence for cid in cids}) != len(cids):
                raise SessionError(f"a sequence number of {what} connection IDs is given twice")

    def _check_sizes(self) -> None:
        limit = self.peer_parameters.max_udp_payload_size
        in_range("datagram_size", self.datagram_size, abi.UDP_PAYLOAD_MIN, limit)
        for end in (self.local_parameters, self.peer_parameters):
            if end.max_datagram_frame_size == 0:
                raise SessionError("DATAGRAM was not negotiated (RFC 9221 section 3)")

    def _check_congestion(self) -> None:
        lab = self.congestion is Congestion.FIXED_RATE_TEST
        if lab and SessionFlag.LAB_MODE not in self.flags:
            raise SessionError("fixed_rate_test needs the lab_mode flag: it ignores congestion")
        if lab != (self.lab_rate is not None):
            raise SessionError("lab_rate goes with fixed_rate_test, and only with it")
        if self.lab_rate is not None:
            in_range("lab_rate", self.lab_rate, 1, U64_MAX)

    def _check_limits(self) -> None:
        gcm = self.cipher_suite is not CipherSuite.CHACHA20_POLY1305_SHA256
        most = abi.GCM_CONFIDENTIALITY_LIMIT if gcm else abi.CHACHA20_CONFIDENTIALITY_LIMIT
        in_range("confidentiality_limit", self.confidentiality_limit or 2, 2, most)
        most = abi.GCM_INTEGRITY_LIMIT if gcm else abi.CHACHA20_INTEGRITY_LIMIT
        in_range("integrity_limit", self.integrity_limit or 2, 2, most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """What brings an installed session to life.

    The handshake is confirmed and nothing ack-eliciting is in flight. ``largest_received_age`` is
    in nanoseconds. ``held`` are the datagrams drained from the socket after the session was
    installed, in order of arrival; the data plane processes them before those it queued itself.
    """

    ref: SessionRef
    generation: int
    keys: KeySet | SecretSet
    next_pn: int
    largest_acked: int | None
    received: ReceivedRanges
    rtt: RttState
    largest_received_age: int = 0
    ack_eliciting_pending: int = 0
    ecn: EcnAccounting = EcnAccounting()
    held: tuple[HeldDatagram, ...] = ()

    def __post_init__(self) -> None:
        positive("generation", self.generation)
        in_range("next_pn", self.next_pn, 0, abi.PN_MAX)
        in_range("largest_received_age", self.largest_received_age, 0, U64_MAX)
        in_range("ack_eliciting_pending", self.ack_eliciting_pending, 0, U32_MAX)
        at_most("held datagrams", len(self.held), abi.HOLD_QUEUE_LEN)
        if self.largest_acked is not None and not 0 <= self.largest_acked < self.next_pn:
            raise SessionError("largest_acked must be below next_pn")
        if self.keys.state.tx_phase_start > self.next_pn:
            raise SessionError("the TX key phase starts above next_pn")
        if self.received.largest is None and self.ack_eliciting_pending:
            raise SessionError("ACKs are pending, but nothing was received")

    def wipe(self) -> None:
        """Wipe the key material, to be called once it is installed."""
        self.keys.wipe()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUpdate:
    """Changes of an installed session: None leaves a value, a list replaces the former one."""

    ref: SessionRef
    generation: int
    local_cids: tuple[ConnectionId, ...] | None = None
    peer_cids: tuple[ConnectionId, ...] | None = None
    reset_tokens: tuple[ResetToken, ...] | None = None
    allowed_sources: tuple[Prefix, ...] | None = None
    route_epoch: int | None = None
    datagram_size: int | None = None
    mtu: int | None = None
    idle_timeout_ms: int | None = None
    keepalive_ms: int | None = None
    flags: SessionFlag | None = None
    outer: OuterPolicy = OuterPolicy()

    def __post_init__(self) -> None:
        positive("generation", self.generation)
        for name in ("local_cids", "peer_cids", "reset_tokens", "allowed_sources"):
            if getattr(self, name) == ():
                raise SessionError(f"{name}: an update cannot leave an empty list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An inner destination prefix that leads to a session, of an epoch of the network."""

    session: SessionRef
    prefix: Prefix
    generation: int
    epoch: int

    def __post_init__(self) -> None:
        positive("generation", self.generation)
        in_range("epoch", self.epoch, 0, U64_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """How a session ends: silently, or with CONNECTION_CLOSE (RFC 9000 section 19.19)."""

    mode: CloseMode = CloseMode.SEND
    error_code: int = 0
    application: bool = True
    reason: bytes = b""

    def __post_init__(self) -> None:
        in_range("error_code", self.error_code, 0, abi.PN_MAX)
        at_most("reason phrase", len(self.reason), abi.REASON_MAX_LEN)
