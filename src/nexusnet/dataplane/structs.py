# SPDX-License-Identifier: BSD-3-Clause
"""The install contract as the engine's C structs, and back."""

from __future__ import annotations

import functools
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, Final

from nexusnet._engine import ffi, lib
from nexusnet.keys import KeySet, PacketKey, SecretSet
from nexusnet.netlink.generated import PN_NONE, DscpPolicy, EcnPolicy, Role, SessionFlag
from nexusnet.session import Endpoint, OuterPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexusnet.secret import SecretBytes
    from nexusnet.session import (
        Activation,
        ConnectionId,
        Device,
        HeldDatagram,
        ResetToken,
        Session,
    )

MS: Final = 1_000_000  # ns
# UDP payload of an Ethernet's 1500-byte packets, where a search for the path MTU ends.
ETHERNET_PAYLOAD: Final = {4: 1472, 6: 1452}


def fill(target: Any, data: bytes | bytearray | memoryview) -> None:
    """Copy into the start of a C array."""
    ffi.memmove(target, data, len(data))


def put_endpoint(target: Any, endpoint: Endpoint) -> None:
    """Write struct nqe_address; an unspecified address becomes "none"."""
    if endpoint.address.is_unspecified:
        return
    target.family = endpoint.address.version
    target.port = endpoint.port
    target.scope = endpoint.scope_id
    fill(target.ip, endpoint.address.packed)


def get_endpoint(source: Any) -> Endpoint | None:
    """Read struct nqe_address; None where it holds no address or port."""
    return _endpoint(bytes(ffi.buffer(ffi.addressof(source))))


# What arrives is mostly of the same few peers, or of strangers by the thousand.
@functools.lru_cache(maxsize=4096)
def _endpoint(octets: bytes) -> Endpoint | None:
    source = ffi.from_buffer("struct nqe_address *", octets)
    if not source.family or not source.port:
        return None
    ip = bytes(ffi.buffer(source.ip))
    if source.family == 4:
        return Endpoint(IPv4Address(ip[:4]), source.port)
    return Endpoint(IPv6Address(ip), source.port, source.scope)


def put_cids(
    config: Any,
    local: Sequence[ConnectionId],
    peer: Sequence[ConnectionId],
    tokens: Sequence[ResetToken],
) -> None:
    """Write connection IDs; the peer's one with the lowest sequence number is used."""
    named = [cid for cid in local if cid.value]
    config.local_cids = len(named)
    for index, cid in enumerate(named):
        fill(config.local_cid[index], cid.value)
    current = min(peer, key=lambda cid: cid.sequence)
    fill(config.peer_cid, current.value)
    config.peer_cid_len = len(current.value)
    config.reset_tokens = len(tokens)
    for index, token in enumerate(tokens):
        fill(config.reset_token[index], token.token.reveal())


def outer_policy(session: Session, device: Device) -> OuterPolicy:
    """The session's own words, and the device's where it has none."""

    def either(name: str) -> Any:
        own = getattr(session.outer, name)
        return getattr(device.outer, name) if own is None else own

    return OuterPolicy(
        fwmark=either("fwmark"),
        dscp_policy=either("dscp_policy"),
        dscp=either("dscp"),
        ecn_policy=either("ecn_policy"),
    )


def _put_policy(target: Any, session: Session, outer: OuterPolicy) -> None:
    target.mtu = session.mtu or 0
    target.mark = outer.fwmark or 0
    target.dscp = outer.dscp or 0
    target.dscp_inherit = outer.dscp_policy is DscpPolicy.INHERIT
    target.ecn = outer.ecn_policy is EcnPolicy.ENABLED
    target.send_data = SessionFlag.SEND_DATA in session.flags


def _ceiling(session: Session) -> int:
    """The largest UDP payload to search for."""
    if SessionFlag.PMTU_SEARCH not in session.flags:
        return session.datagram_size
    most = ETHERNET_PAYLOAD[session.udp_tuple.peer.address.version]
    most = min(session.peer_parameters.max_udp_payload_size, most)
    return max(session.datagram_size, most)


def session_update(session: Session, outer: OuterPolicy, *, datagram_size: int | None) -> Any:
    """What a session has become, as struct nqe_session_update; a size only where it is new."""
    update = ffi.new("struct nqe_session_update *")
    _put_policy(update.policy, session, outer)
    update.idle_timeout = session.idle_timeout_ms * MS
    update.keepalive = session.keepalive_ms * MS
    update.datagram_size = datagram_size or 0
    update.datagram_ceiling = _ceiling(session)
    return update


def session_config(session: Session, outer: OuterPolicy, device: int, socket: int) -> Any:
    """A session as struct nqe_session_config; `device` and `socket` are the engine's ids."""
    config = ffi.new("struct nqe_session_config *")
    config.device = device
    config.socket = socket
    config.object_generation = session.generation
    config.route_epoch = session.route_epoch
    _put_policy(config.policy, session, outer)
    put_endpoint(config.remote, session.udp_tuple.peer)
    put_endpoint(config.local, session.udp_tuple.local)
    put_cids(config, session.local_cids, session.peer_cids, session.reset_tokens)
    return config


def _put_key(keys: Any, key: PacketKey, prefix: str = "") -> None:
    fill(getattr(keys, f"{prefix}key"), key.key.reveal())
    fill(getattr(keys, f"{prefix}iv"), key.iv.reveal())


def _put_keys(
    keys: Any, header: SecretBytes, current: PacketKey | SecretBytes, after: PacketKey | None
) -> None:
    fill(keys.hp, header.reveal())
    if isinstance(current, PacketKey):
        _put_key(keys, current)
    else:
        fill(keys.secret, current.reveal())
        keys.has_secret = True
    if after is not None:
        _put_key(keys, after, "next_")
        keys.has_next = True


def _put_previous(keys: Any, previous: PacketKey | SecretBytes | None) -> None:
    if previous is None:
        return
    keys.has_previous = True
    if isinstance(previous, PacketKey):
        _put_key(keys, previous, "previous_")
    else:
        fill(keys.previous_secret, previous.reveal())


def _put_key_state(target: Any, keys: KeySet | SecretSet, session: Session) -> None:
    state = keys.state
    target.suite = int(keys.suite)
    target.generation = state.generation
    target.sealed = state.tx_sealed
    target.seal_limit = session.confidentiality_limit or 0
    target.open_failures = state.rx_failed
    target.open_failure_limit = session.integrity_limit or 0
    if state.rx_phase_start is not None:
        target.rx_first_pn = state.rx_phase_start
    elif keys.previous_rx is not None:
        # Nothing came in this phase yet: whatever has the other bit is of the one before.
        target.rx_first_pn = PN_NONE


def next_keys(key: PacketKey) -> Any:
    """Keys of a next generation as struct nqe_keys."""
    keys = ffi.new("struct nqe_keys *")
    _put_key(keys, key)
    return keys


def _put_parameters(conn: Any, session: Session) -> None:
    local, peer = session.local_parameters, session.peer_parameters
    conn.client = session.role is Role.CLIENT
    conn.ack_delay_exponent = local.ack_delay_exponent
    conn.peer_ack_delay_exponent = peer.ack_delay_exponent
    conn.max_ack_delay = local.max_ack_delay_ms * MS
    conn.recovery.max_ack_delay = peer.max_ack_delay_ms * MS
    conn.max_datagram_frame_size = local.max_datagram_frame_size
    conn.peer_max_datagram_frame_size = peer.max_datagram_frame_size
    conn.mtu = session.datagram_size
    conn.mtu_ceiling = _ceiling(session)
    # The contract carries the effective timeout, so both sides' parameter is that.
    conn.idle_timeout = conn.peer_idle_timeout = session.idle_timeout_ms * MS
    conn.keepalive = session.keepalive_ms * MS


def _put_recovery(conn: Any, session: Session, outer: OuterPolicy, activation: Activation) -> None:
    recovery, rtt, ecn = conn.recovery, activation.rtt, activation.ecn
    recovery.congestion = int(session.congestion)
    recovery.lab_mode = SessionFlag.LAB_MODE in session.flags
    recovery.fixed_rate = session.lab_rate or 0
    recovery.next_pn = activation.next_pn
    recovery.largest_acked = (
        PN_NONE if activation.largest_acked is None else activation.largest_acked
    )
    recovery.rtt_initial = rtt.smoothed
    if rtt.latest:
        recovery.rtt_latest, recovery.rtt_min = rtt.latest, rtt.min
        recovery.rtt_smoothed, recovery.rtt_var = rtt.smoothed, rtt.variation
    recovery.ecn = outer.ecn_policy is EcnPolicy.ENABLED
    for name in ("ect0", "ect1", "ce"):
        setattr(recovery.ecn_reported, name, getattr(ecn.acked, name))
        setattr(conn.received_ecn, name, getattr(ecn.received, name))
    recovery.ecn_marked = ecn.sent.ect0 + ecn.sent.ect1


class ActivationStruct:
    """struct nqe_activation with the memory that it points to."""

    def __init__(self, session: Session, outer: OuterPolicy, activation: Activation) -> None:
        self.pointer = ffi.new("struct nqe_activation *")
        conn = self.pointer.conn
        _put_parameters(conn, session)
        _put_recovery(conn, session, outer, activation)
        received = activation.received
        self._ranges = ffi.new("struct nqd_pn_range[]", max(1, len(received.ranges)))
        for index, one in enumerate(received.ranges):
            self._ranges[index].smallest, self._ranges[index].largest = one.first, one.last
        conn.received = self._ranges
        conn.received_count = len(received.ranges)
        conn.received_floor = received.duplicate_floor
        conn.ack_pending = activation.ack_eliciting_pending > 0
        self._put_keys(activation.keys, session)
        self._put_held(activation.held)

    def _put_keys(self, keys: KeySet | SecretSet, session: Session) -> None:
        target = self.pointer
        _put_key_state(target.conn.keys, keys, session)
        if isinstance(keys, KeySet):
            _put_keys(target.tx, keys.header.tx, keys.current.tx, keys.next.tx)
            _put_keys(target.rx, keys.header.rx, keys.current.rx, keys.next.rx)
        else:
            _put_keys(target.tx, keys.header.tx, keys.tx, None)
            _put_keys(target.rx, keys.header.rx, keys.rx, None)
        _put_previous(target.rx, keys.previous_rx)

    def _put_held(self, held: Sequence[HeldDatagram]) -> None:
        self._held = ffi.new("struct nqe_held[]", max(1, len(held)))
        self._payloads = [ffi.from_buffer(one.payload) for one in held]
        for index, one in enumerate(held):
            self._held[index].data = ffi.cast("u8 *", self._payloads[index])
            self._held[index].len = len(one.payload)
            self._held[index].ecn = one.ecn
            put_endpoint(self._held[index].remote, one.udp_tuple.peer)
        self.pointer.drained = self._held
        self.pointer.drained_count = len(held)

    def wipe(self) -> None:
        """Zero the keys, whatever became of the call."""
        for keys in (self.pointer.rx, self.pointer.tx):
            ffi.buffer(ffi.addressof(keys))[:] = bytes(ffi.sizeof("struct nqe_keys"))


def supported(suite: int) -> bool:
    """Whether this libcrypto has a cipher suite."""
    return bool(lib.nqe_crypto_key_len(suite))
