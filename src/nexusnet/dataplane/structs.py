# SPDX-License-Identifier: BSD-3-Clause
"""The install contract as the engine's C structs, and back."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, Final

from nexusnet._engine import ffi, lib
from nexusnet.keys import KeySet, PacketKey, SecretSet
from nexusnet.netlink.generated import PN_NONE, EcnPolicy, Role, SessionFlag
from nexusnet.session import Endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexusnet.secret import SecretBytes
    from nexusnet.session import (
        Activation,
        ConnectionId,
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
    if not source.family or not source.port:
        return None
    octets = bytes(ffi.buffer(source.ip))
    if source.family == 4:
        return Endpoint(IPv4Address(octets[:4]), source.port)
    return Endpoint(IPv6Address(octets), source.port, source.scope)


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


def session_config(session: Session, device: int, socket: int) -> Any:
    """A session as struct nqe_session_config; `device` and `socket` are the engine's ids."""
    config = ffi.new("struct nqe_session_config *")
    config.device = device
    config.socket = socket
    config.object_generation = session.generation
    config.route_epoch = session.route_epoch
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
    conn.mtu_ceiling = conn.mtu
    if SessionFlag.PMTU_SEARCH in session.flags:
        most = ETHERNET_PAYLOAD[session.udp_tuple.peer.address.version]
        conn.mtu_ceiling = max(conn.mtu, min(peer.max_udp_payload_size, most))
    # The contract carries the effective timeout, so both sides' parameter is that.
    conn.idle_timeout = conn.peer_idle_timeout = session.idle_timeout_ms * MS
    conn.keepalive = session.keepalive_ms * MS


def _put_recovery(conn: Any, session: Session, activation: Activation) -> None:
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
    recovery.ecn = session.outer.ecn_policy is EcnPolicy.ENABLED
    for name in ("ect0", "ect1", "ce"):
        setattr(recovery.ecn_reported, name, getattr(ecn.acked, name))
        setattr(conn.received_ecn, name, getattr(ecn.received, name))
    recovery.ecn_marked = ecn.sent.ect0 + ecn.sent.ect1


class ActivationStruct:
    """struct nqe_activation with the memory that it points to."""

    def __init__(self, session: Session, activation: Activation) -> None:
        self.pointer = ffi.new("struct nqe_activation *")
        conn = self.pointer.conn
        _put_parameters(conn, session)
        _put_recovery(conn, session, activation)
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
        target.conn.keys.suite = int(keys.suite)
        target.conn.keys.generation = keys.state.generation
        target.conn.keys.sealed = keys.state.tx_sealed
        target.conn.keys.seal_limit = session.confidentiality_limit or 0
        target.conn.keys.open_failure_limit = session.integrity_limit or 0
        if isinstance(keys, KeySet):
            _put_keys(target.tx, keys.header.tx, keys.current.tx, keys.next.tx)
            _put_keys(target.rx, keys.header.rx, keys.current.rx, keys.next.rx)
        else:
            _put_keys(target.tx, keys.header.tx, keys.tx, None)
            _put_keys(target.rx, keys.header.rx, keys.rx, None)

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
