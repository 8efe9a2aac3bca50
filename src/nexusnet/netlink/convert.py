# SPDX-License-Identifier: BSD-3-Clause
"""The install contract in netlink requests, and kernel objects in the contract's terms."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING

from nexusnet.dco import KernelCapabilities
from nexusnet.keys import KeySet, KeyState, NextKeys, PacketKey, SecretSet
from nexusnet.netlink import generated as nl
from nexusnet.netlink.codec import names_of
from nexusnet.netlink.messages import Request
from nexusnet.netlink.wire import NetlinkFormatError
from nexusnet.session import Close, Endpoint, OuterPolicy, Route, SessionRef, UdpTuple
from nexusnet.validation import SessionError

if TYPE_CHECKING:
    from nexusnet.secret import SecretBytes
    from nexusnet.session import (
        Activation,
        Address,
        ConnectionId,
        Device,
        EcnCounts,
        Prefix,
        ResetToken,
        Session,
        SessionUpdate,
        TransportParameters,
    )

IPV4_LEN = 4


def _family(address: Address | Prefix) -> int:
    ipv4 = isinstance(address, IPv4Address | IPv4Network)
    return int(socket.AF_INET if ipv4 else socket.AF_INET6)


def _address(family: int, data: bytes, what: str) -> Address:
    if family == socket.AF_INET:
        if any(data[IPV4_LEN:]):
            raise NetlinkFormatError(f"{what}: an IPv4 address is followed by zeros")
        return IPv4Address(data[:IPV4_LEN])
    if family == socket.AF_INET6:
        return IPv6Address(data)
    raise NetlinkFormatError(f"{what}: address family {family}")


def pack_tuple(flow: UdpTuple) -> nl.UdpTuple:
    """A flow as the kernel's struct; mapped IPv4 addresses as IPv4."""
    ends = []
    for end in (flow.local, flow.peer):
        mapped = end.address.ipv4_mapped if isinstance(end.address, IPv6Address) else None
        ends.append(mapped or end.address)
    if ends[0].version != ends[1].version:
        # An unspecified local address fits either family.
        if not ends[0].is_unspecified:
            raise NetlinkFormatError("local and peer address are of different families")
        ends[0] = IPv4Address(0)
    return nl.UdpTuple(
        family=_family(ends[1]),
        local_port=flow.local.port,
        peer_port=flow.peer.port,
        local=ends[0].packed,
        peer=ends[1].packed,
        scope_id=flow.peer.scope_id,
    )


def unpack_tuple(flow: nl.UdpTuple) -> UdpTuple:
    """A flow from the kernel's struct; :class:`NetlinkFormatError` where it makes no sense."""
    local = _address(flow.family, flow.local, "local")
    peer = _address(flow.family, flow.peer, "peer")
    try:
        return UdpTuple(
            Endpoint(local, flow.local_port), Endpoint(peer, flow.peer_port, flow.scope_id)
        )
    except SessionError as error:
        raise NetlinkFormatError(str(error)) from None


def pack_prefix(prefix: Prefix) -> nl.Prefix:
    """A prefix as the kernel's struct."""
    return nl.Prefix(
        family=_family(prefix),
        prefix_len=prefix.prefixlen,
        address=prefix.network_address.packed,
    )


def unpack_prefix(prefix: nl.Prefix) -> Prefix:
    """A prefix from the kernel's struct; :class:`NetlinkFormatError` where it makes no sense."""
    address = _address(prefix.family, prefix.address, "prefix")
    try:
        if isinstance(address, IPv4Address):
            return IPv4Network((address, prefix.prefix_len))
        return IPv6Network((address, prefix.prefix_len))
    except ValueError as error:
        raise NetlinkFormatError(f"prefix: {error}") from None


def _cids(cids: tuple[ConnectionId, ...] | None) -> tuple[nl.Cid, ...]:
    return tuple(nl.Cid(sequence=c.sequence, len=len(c.value), id=c.value) for c in cids or ())


def _tokens(tokens: tuple[ResetToken, ...] | None) -> tuple[nl.ResetToken, ...]:
    return tuple(nl.ResetToken(sequence=t.sequence, token=t.token) for t in tokens or ())


def _prefixes(prefixes: tuple[Prefix, ...] | None) -> tuple[nl.Prefix, ...]:
    return tuple(pack_prefix(prefix) for prefix in prefixes or ())


def _parameters(parameters: TransportParameters) -> nl.TransportParams:
    return nl.TransportParams(
        max_datagram_frame_size=parameters.max_datagram_frame_size,
        max_idle_timeout_ms=parameters.max_idle_timeout_ms,
        max_udp_payload_size=parameters.max_udp_payload_size,
        max_ack_delay_ms=parameters.max_ack_delay_ms,
        ack_delay_exponent=parameters.ack_delay_exponent,
        active_connection_id_limit=parameters.active_connection_id_limit,
    )


def _counts(counts: EcnCounts) -> nl.EcnCounts:
    return nl.EcnCounts(ect0=counts.ect0, ect1=counts.ect1, ce=counts.ce)


def _key(key: PacketKey) -> nl.PacketKey:
    return nl.PacketKey(key=key.key, iv=key.iv)


def _secret(secret: SecretBytes) -> nl.TrafficSecret:
    return nl.TrafficSecret(len=len(secret), secret=secret)


def _number(number: int | None) -> int:
    return nl.PN_NONE if number is None else number


def _key_state(state: KeyState) -> nl.KeyState:
    return nl.KeyState(
        generation=state.generation,
        tx_phase_start=state.tx_phase_start,
        rx_phase_start=_number(state.rx_phase_start),
        tx_sealed=state.tx_sealed,
        rx_failed=state.rx_failed,
    )


def _keys(keys: KeySet | SecretSet) -> nl.KeysAttributes:
    state = _key_state(keys.state)
    tx_header = nl.HeaderKey(key=keys.header.tx)
    rx_header = nl.HeaderKey(key=keys.header.rx)
    if isinstance(keys, SecretSet):
        return nl.KeysAttributes(
            state=state,
            tx_header_key=tx_header,
            rx_header_key=rx_header,
            tx_secret=_secret(keys.tx),
            rx_secret=_secret(keys.rx),
            previous_rx_secret=_secret(keys.previous_rx) if keys.previous_rx else None,
        )
    return nl.KeysAttributes(
        state=state,
        tx_header_key=tx_header,
        rx_header_key=rx_header,
        tx_key=_key(keys.current.tx),
        rx_key=_key(keys.current.rx),
        next_tx_key=_key(keys.next.tx),
        next_rx_key=_key(keys.next.rx),
        previous_rx_key=_key(keys.previous_rx) if keys.previous_rx else None,
    )


def _reference(ref: SessionRef, generation: int | None = None) -> nl.SessionAttributes:
    return nl.SessionAttributes(device_id=ref.device_id, id=ref.id, generation=generation)


def _of_session(command: nl.Command, ref: SessionRef) -> Request:
    return Request(command, nl.MainAttributes(session=_reference(ref)))


def get_caps() -> Request:
    """GET_CAPS."""
    return Request(nl.Command.GET_CAPS, nl.MainAttributes())


def _device(device: Device) -> nl.DeviceAttributes:
    return nl.DeviceAttributes(
        id=device.id or None,
        generation=device.generation,
        ifname=device.name or None,
        network_id=device.network_id,
        route_epoch=device.route_epoch,
        mtu=device.mtu,
        queues=device.queues,
        flags=device.flags,
        fwmark=device.outer.fwmark,
        dscp_policy=device.outer.dscp_policy,
        dscp=device.outer.dscp,
        ecn_policy=device.outer.ecn_policy,
    )


def create_device(device: Device) -> Request:
    """CREATE_DEVICE; the reply names the id that the kernel chose."""
    return Request(nl.Command.CREATE_DEVICE, nl.MainAttributes(device=_device(device)))


def update_device(
    device_id: int, generation: int, *, route_epoch: int | None = None, mtu: int | None = None
) -> Request:
    """UPDATE_DEVICE; None leaves a value."""
    device = nl.DeviceAttributes(
        id=device_id, generation=generation, route_epoch=route_epoch, mtu=mtu
    )
    return Request(nl.Command.UPDATE_DEVICE, nl.MainAttributes(device=device))


def delete_device(device_id: int, generation: int) -> Request:
    """DELETE_DEVICE."""
    device = nl.DeviceAttributes(id=device_id, generation=generation)
    return Request(nl.Command.DELETE_DEVICE, nl.MainAttributes(device=device))


def adopt_device(device_id: int, generation: int) -> Request:
    """ADOPT_DEVICE."""
    device = nl.DeviceAttributes(id=device_id, generation=generation)
    return Request(nl.Command.ADOPT_DEVICE, nl.MainAttributes(device=device))


def _not_to_be_ignored(session: nl.SessionAttributes) -> tuple[tuple[str, str], ...]:
    """What an older kernel must refuse rather than skip: policy and limits that protect."""
    protective = {"allowed_source", "reset_token", "confidentiality_limit", "integrity_limit"}
    return tuple(("session", name) for name in sorted(protective & names_of(session)))


def add_session(session: Session) -> Request:
    """ADD_SESSION."""
    attributes = nl.SessionAttributes(
        device_id=session.ref.device_id,
        id=session.ref.id,
        generation=session.generation,
        role=session.role,
        quic_version=session.quic_version,
        socket_fd=session.socket_fd,
        udp_tuple=pack_tuple(session.udp_tuple),
        local_cid=_cids(session.local_cids),
        peer_cid=_cids(session.peer_cids),
        reset_token=_tokens(session.reset_tokens),
        cipher_suite=session.cipher_suite,
        params_local=_parameters(session.local_parameters),
        params_peer=_parameters(session.peer_parameters),
        idle_timeout_ms=session.idle_timeout_ms,
        keepalive_ms=session.keepalive_ms,
        datagram_size=session.datagram_size,
        mtu=session.mtu,
        flags=session.flags,
        congestion=session.congestion,
        lab_rate=session.lab_rate,
        network_id=session.network_id,
        allowed_source=_prefixes(session.allowed_sources),
        route_epoch=session.route_epoch,
        confidentiality_limit=session.confidentiality_limit,
        integrity_limit=session.integrity_limit,
        fwmark=session.outer.fwmark,
        dscp_policy=session.outer.dscp_policy,
        dscp=session.outer.dscp,
        ecn_policy=session.outer.ecn_policy,
    )
    return Request(
        nl.Command.ADD_SESSION,
        nl.MainAttributes(session=attributes),
        required=_not_to_be_ignored(attributes),
    )


def activate_session(activation: Activation) -> Request:
    """ACTIVATE_SESSION; its encoded bytes carry keys and are to be wiped once sent."""
    state = nl.StateAttributes(
        tx=nl.TxState(next_pn=activation.next_pn, largest_acked=_number(activation.largest_acked)),
        rx=nl.RxState(
            duplicate_floor=activation.received.duplicate_floor,
            largest_received=_number(activation.received.largest),
            largest_age_ns=activation.largest_received_age,
            ack_eliciting_pending=activation.ack_eliciting_pending,
        ),
        received_range=tuple(
            nl.PnRange(smallest=one.first, largest=one.last) for one in activation.received.ranges
        ),
        ecn_received=_counts(activation.ecn.received),
        ecn_acked=_counts(activation.ecn.acked),
        ecn_sent=_counts(activation.ecn.sent),
        ecn_state=activation.ecn.state,
        rtt=nl.RttState(
            latest_ns=activation.rtt.latest,
            smoothed_ns=activation.rtt.smoothed,
            variation_ns=activation.rtt.variation,
            min_ns=activation.rtt.min,
        ),
    )
    held = tuple(
        nl.HeldAttributes(udp_tuple=pack_tuple(one.udp_tuple), ecn=one.ecn, payload=one.payload)
        for one in activation.held
    )
    attributes = nl.MainAttributes(
        session=_reference(activation.ref, activation.generation),
        state=state,
        keys=_keys(activation.keys),
        held=held,
    )
    return Request(nl.Command.ACTIVATE_SESSION, attributes)


def update_session(update: SessionUpdate) -> Request:
    """UPDATE_SESSION."""
    attributes = nl.SessionAttributes(
        device_id=update.ref.device_id,
        id=update.ref.id,
        generation=update.generation,
        local_cid=_cids(update.local_cids),
        peer_cid=_cids(update.peer_cids),
        reset_token=_tokens(update.reset_tokens),
        allowed_source=_prefixes(update.allowed_sources),
        route_epoch=update.route_epoch,
        datagram_size=update.datagram_size,
        mtu=update.mtu,
        idle_timeout_ms=update.idle_timeout_ms,
        keepalive_ms=update.keepalive_ms,
        flags=update.flags,
        fwmark=update.outer.fwmark,
        dscp_policy=update.outer.dscp_policy,
        dscp=update.outer.dscp,
        ecn_policy=update.outer.ecn_policy,
    )
    return Request(
        nl.Command.UPDATE_SESSION,
        nl.MainAttributes(session=attributes),
        required=_not_to_be_ignored(attributes),
    )


def delete_session(ref: SessionRef, generation: int, close: Close) -> Request:
    """DELETE_SESSION."""
    attributes = nl.CloseAttributes(
        mode=close.mode,
        error_code=close.error_code,
        application=int(close.application),
        reason=close.reason or None,
    )
    return Request(
        nl.Command.DELETE_SESSION,
        nl.MainAttributes(session=_reference(ref, generation), close=attributes),
    )


def set_keys(ref: SessionRef, generation: int, keys: NextKeys) -> Request:
    """SET_KEYS (v1); its encoded bytes carry keys and are to be wiped once sent."""
    attributes = nl.KeysAttributes(
        generation=keys.generation, tx_key=_key(keys.keys.tx), rx_key=_key(keys.keys.rx)
    )
    return Request(
        nl.Command.SET_KEYS,
        nl.MainAttributes(session=_reference(ref, generation), keys=attributes),
    )


def key_update(ref: SessionRef) -> Request:
    """KEY_UPDATE."""
    return _of_session(nl.Command.KEY_UPDATE, ref)


def _route(route: Route) -> nl.RouteAttributes:
    return nl.RouteAttributes(
        device_id=route.session.device_id,
        session_id=route.session.id,
        prefix=pack_prefix(route.prefix),
        generation=route.generation,
        epoch=route.epoch,
    )


def add_route(route: Route, *, replace: bool = False) -> Request:
    """ADD_ROUTE; ``replace`` takes the place of a route of the same prefix."""
    attributes = nl.MainAttributes(route=_route(route))
    return Request(nl.Command.ADD_ROUTE, attributes, replace=replace)


def delete_route(route: Route) -> Request:
    """DELETE_ROUTE."""
    return Request(nl.Command.DELETE_ROUTE, nl.MainAttributes(route=_route(route)))


def _check_payload(payload: bytes) -> None:
    if not 0 < len(payload) <= nl.FRAMES_MAX_LEN:
        raise NetlinkFormatError(f"a payload has 1 to {nl.FRAMES_MAX_LEN} bytes")


def send_frames(
    ref: SessionRef, payload: bytes, token: int | None = None, *, once: bool = False
) -> Request:
    """SEND_FRAMES: whole encoded frames; ``token`` comes back in FRAMES_ACKED and FRAMES_LOST."""
    _check_payload(payload)
    flags = nl.FramesFlag.ONCE if once else None
    frames = nl.FramesAttributes(token=token, flags=flags, payload=payload)
    return Request(
        nl.Command.SEND_FRAMES, nl.MainAttributes(session=_reference(ref), frames=frames)
    )


def send_datagram(
    ref: SessionRef, context: int, payload: bytes, token: int | None = None
) -> Request:
    """SEND_DATAGRAM: a payload of an L3PTP context other than 0."""
    _check_payload(payload)
    if context == 0:
        raise NetlinkFormatError("context 0 is IP packets: they go through the device")
    frames = nl.FramesAttributes(token=token, context_id=context, payload=payload)
    return Request(
        nl.Command.SEND_DATAGRAM, nl.MainAttributes(session=_reference(ref), frames=frames)
    )


def event_ack(ref: SessionRef, event_id: int) -> Request:
    """EVENT_ACK: releases the events of a session up to that id."""
    event = nl.EventAttributes(id=event_id)
    return Request(nl.Command.EVENT_ACK, nl.MainAttributes(session=_reference(ref), event=event))


def capabilities(caps: nl.CapsAttributes) -> KernelCapabilities:
    """What GET_CAPS said; :class:`NetlinkFormatError` where a fact is missing."""
    if caps.abi_min is None or caps.abi_max is None:
        raise NetlinkFormatError("GET_CAPS does not say which ABI versions the kernel speaks")
    return KernelCapabilities(
        abi_min=caps.abi_min,
        abi_max=caps.abi_max,
        module_version=caps.module_version or "unknown",
        # Those that only a newer agent knows are none of ours.
        ciphers=frozenset(cap.suite for cap in caps.cipher if cap.suite.known),
        congestion=frozenset(profile for profile in caps.congestion if profile.known),
        features=nl.Feature(caps.features or 0),
        max_sessions=caps.max_sessions,
    )


def route(attributes: nl.RouteAttributes) -> Route:
    """A route from a dump; :class:`NetlinkFormatError` where a fact is missing or wrong."""
    match attributes:
        case nl.RouteAttributes(
            device_id=int(device),
            session_id=int(session),
            prefix=nl.Prefix() as prefix,
            generation=int(generation),
            epoch=int(epoch),
        ):
            pass
        case _:
            raise NetlinkFormatError("a dumped route lacks an attribute")
    try:
        return Route(
            session=SessionRef(device, session),
            prefix=unpack_prefix(prefix),
            generation=generation,
            epoch=epoch,
        )
    except SessionError as error:
        raise NetlinkFormatError(f"a dumped route makes no sense: {error}") from None


def outer_policy(attributes: nl.SessionAttributes | nl.DeviceAttributes) -> OuterPolicy:
    """Outer header policy from a dump."""
    return OuterPolicy(
        fwmark=attributes.fwmark,
        dscp_policy=attributes.dscp_policy,
        dscp=attributes.dscp,
        ecn_policy=attributes.ecn_policy,
    )
