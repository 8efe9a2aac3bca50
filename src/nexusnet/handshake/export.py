# SPDX-License-Identifier: BSD-3-Clause
"""What a data plane needs to carry a connection on, taken out of aioquic's objects."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

from aioquic.quic.packet import QuicTransportParameters
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.tls import Direction, Epoch

from nexusnet.handshake.connection import (
    DEFAULT_ACK_DELAY_EXPONENT,
    DEFAULT_MAX_ACK_DELAY,
    DEFAULT_MAX_UDP_PAYLOAD,
    EcnTally,
    TunnelConnection,
)
from nexusnet.handshake.datagram import Address, Received
from nexusnet.handshake.verify import PeerIdentity
from nexusnet.keys import HeaderKeys, KeySet, KeyState, SecretSet
from nexusnet.netlink.generated import CipherSuite, Role
from nexusnet.secret import SecretBytes
from nexusnet.session import (
    Activation,
    ConnectionId,
    EcnAccounting,
    EcnCounts,
    Endpoint,
    HeldDatagram,
    PnRange,
    ReceivedRanges,
    ResetToken,
    RttState,
    Session,
    SessionRef,
    TransportParameters,
    UdpTuple,
)

NANOSECONDS: Final = 1_000_000_000

DEFAULT_CONNECTION_ID_LIMIT: Final = 2
"""Where a peer leaves active_connection_id_limit out (RFC 9000 section 18.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedConnection:
    """A confirmed connection with nothing in flight, at the moment of its export.

    Attributes:
        role: our role.
        identity: who the peer proved to be; None where nobody asked.
        alpn: application protocol.
        udp_tuple: addresses of the path.
        local_cids: connection IDs by which the peer may address us.
        peer_cids: connection IDs by which we may address the peer; the first one is in use.
        reset_tokens: that the peer gave with its connection IDs.
        local_parameters: transport parameters that we sent.
        peer_parameters: transport parameters that the peer sent.
        datagram_size: largest UDP payload in bytes that is known to arrive.
        keys: traffic secrets of both directions.
        next_pn: next packet number to send.
        largest_acked: largest of our 1-RTT packets that the peer acknowledged; None for none.
        received: 1-RTT packets received.
        largest_received_at: when the largest of them came, in seconds of the engine's clock.
        ack_eliciting_pending: ack-eliciting 1-RTT packets received and in no ACK of ours yet.
        ecn: ECN counts both ways.
        rtt: round-trip time.
    """

    role: Role
    identity: PeerIdentity | None
    alpn: str | None
    udp_tuple: UdpTuple
    local_cids: tuple[ConnectionId, ...]
    peer_cids: tuple[ConnectionId, ...]
    reset_tokens: tuple[ResetToken, ...]
    local_parameters: TransportParameters
    peer_parameters: TransportParameters
    datagram_size: int
    keys: SecretSet = field(repr=False)
    next_pn: int
    largest_acked: int | None
    received: ReceivedRanges
    largest_received_at: float | None
    ack_eliciting_pending: int
    ecn: EcnAccounting
    rtt: RttState

    @property
    def idle_timeout_ms(self) -> int:
        """Milliseconds of silence that end the connection (RFC 9000 section 10.1); 0: never."""
        ends = (self.local_parameters, self.peer_parameters)
        return min((end.max_idle_timeout_ms for end in ends if end.max_idle_timeout_ms), default=0)

    def session(
        self,
        ref: SessionRef,
        *,
        generation: int,
        socket_fd: int,
        network_id: int,
        route_epoch: int,
        **options: Any,
    ) -> Session:
        """Return what is installed first, in HOLD.

        Args:
            ref: device and session.
            generation: of this installation.
            socket_fd: the bound UDP socket.
            network_id: the network that the session belongs to.
            route_epoch: its epoch.
            options: further fields of `Session`.

        Raises:
            SessionError: a value is out of its range.
        """
        return Session(
            ref=ref,
            generation=generation,
            role=self.role,
            socket_fd=socket_fd,
            udp_tuple=self.udp_tuple,
            local_cids=self.local_cids,
            peer_cids=self.peer_cids,
            reset_tokens=self.reset_tokens,
            cipher_suite=self.keys.suite,
            local_parameters=self.local_parameters,
            peer_parameters=self.peer_parameters,
            datagram_size=self.datagram_size,
            network_id=network_id,
            route_epoch=route_epoch,
            idle_timeout_ms=self.idle_timeout_ms,
            **options,
        )

    def activation(
        self,
        ref: SessionRef,
        *,
        generation: int,
        now: float,
        held: Iterable[Received] = (),
        keys: KeySet | None = None,
    ) -> Activation:
        """Return what brings the installed session to life.

        Args:
            ref: as installed.
            generation: as installed.
            now: seconds of the engine's clock.
            held: datagrams that arrived since the export, oldest first.
            keys: derived keys, for a data plane that takes no secrets (v1); the secrets (v2) where
                None.

        Raises:
            SessionError: a value is out of its range.
        """
        received_at = now if self.largest_received_at is None else self.largest_received_at
        return Activation(
            ref=ref,
            generation=generation,
            keys=self.keys if keys is None else keys,
            next_pn=self.next_pn,
            largest_acked=self.largest_acked,
            received=self.received,
            rtt=self.rtt,
            largest_received_age=max(0, round((now - received_at) * NANOSECONDS)),
            ack_eliciting_pending=self.ack_eliciting_pending,
            ecn=self.ecn,
            held=tuple(
                HeldDatagram(
                    udp_tuple(datagram.local, datagram.remote), int(datagram.ecn), datagram.data
                )
                for datagram in held
            ),
        )

    def wipe(self) -> None:
        """Zero the secrets."""
        self.keys.wipe()
        for token in self.reset_tokens:
            token.token.wipe()


def endpoint(address: Address) -> Endpoint:
    """Return an address and port of the wire as the contract has them; the scope is numeric."""
    host, _, scope = address[0].partition("%")
    return Endpoint(ipaddress.ip_address(host), address[1], int(scope or 0))


def udp_tuple(local: Address, remote: Address) -> UdpTuple:
    """Return both ends of a path; a wildcard of the wrong family stands for any address."""
    peer = endpoint(remote)
    ours = endpoint(local)
    if ours.address.is_unspecified and ours.address.version != peer.address.version:
        # A dual-stack socket whose own IPv4 address is not known yet.
        unspecified = type(peer.address)(0)
        ours = replace(ours, address=unspecified)
    return UdpTuple(ours, peer)


def export_connection(
    connection: TunnelConnection,
    *,
    local: Address,
    datagram_size: int,
    alpn: str | None,
) -> ExportedConnection:
    """Take a quiet connection's state; the caller wipes the connection afterwards.

    Args:
        connection: with `pending_work()` None.
        local: our address of its path.
        datagram_size: largest UDP payload in bytes that is known to arrive.
        alpn: application protocol.
    """
    space = connection._spaces[Epoch.ONE_RTT]
    peer_cids = (connection._peer_cid, *connection._peer_cid_available)
    peer = connection.peer_parameters
    remote = connection.get_peer_address()
    if peer is None or remote is None:
        raise ValueError("a confirmed connection has a peer with transport parameters")
    return ExportedConnection(
        role=Role.CLIENT if connection.configuration.is_client else Role.SERVER,
        identity=connection.tls.identity,
        alpn=alpn,
        udp_tuple=udp_tuple(local, remote),
        local_cids=tuple(
            ConnectionId(cid.sequence_number, cid.cid) for cid in connection._host_cids
        ),
        peer_cids=tuple(ConnectionId(cid.sequence_number or 0, cid.cid) for cid in peer_cids),
        reset_tokens=tuple(
            ResetToken(cid.sequence_number or 0, SecretBytes(cid.stateless_reset_token))
            for cid in peer_cids
            if cid.stateless_reset_token
        ),
        local_parameters=_parameters(connection.local_parameters),
        peer_parameters=_parameters(peer),
        datagram_size=datagram_size,
        keys=_secrets(connection),
        next_pn=connection._packet_number,
        # aioquic starts from 0, but a 1-RTT packet never has that number: it numbers the packets
        # of all spaces in one sequence, and the first is an Initial.
        largest_acked=space.largest_acked_packet or None,
        received=received_ranges(space),
        largest_received_at=space.largest_received_time,
        ack_eliciting_pending=connection.ack_eliciting_pending,
        ecn=EcnAccounting(
            received=_counts(connection.received_ecn), acked=_counts(connection.reported_ecn)
        ),
        rtt=_rtt(connection),
    )


def received_ranges(space: QuicPacketSpace) -> ReceivedRanges:
    """Return the newest ranges of packet numbers received, and the floor below them."""
    window = space.received_packets
    numbers = sorted(number for number in window._received if number >= window._lower)
    ranges: list[PnRange] = []
    first = None
    for number, following in pairwise((*numbers, None)):
        if number is None:
            continue
        first = number if first is None else first
        if following != number + 1:
            ranges.append(PnRange(first, number))
            first = None
    return ReceivedRanges.newest(ranges, window._lower)


def _parameters(parameters: QuicTransportParameters) -> TransportParameters:
    def of(value: int | None, default: int) -> int:
        return default if value is None else value

    return TransportParameters(
        max_datagram_frame_size=of(parameters.max_datagram_frame_size, 0),
        max_idle_timeout_ms=of(parameters.max_idle_timeout, 0),
        # More than UDP can carry is legal to offer (RFC 9000 section 18.2).
        max_udp_payload_size=min(
            of(parameters.max_udp_payload_size, DEFAULT_MAX_UDP_PAYLOAD), DEFAULT_MAX_UDP_PAYLOAD
        ),
        max_ack_delay_ms=of(parameters.max_ack_delay, DEFAULT_MAX_ACK_DELAY),
        ack_delay_exponent=of(parameters.ack_delay_exponent, DEFAULT_ACK_DELAY_EXPONENT),
        active_connection_id_limit=min(
            of(parameters.active_connection_id_limit, DEFAULT_CONNECTION_ID_LIMIT), 2**32 - 1
        ),
    )


def _secrets(connection: TunnelConnection) -> SecretSet:
    pair = connection._one_rtt
    if pair.send.secret is None or pair.recv.secret is None or pair.send.cipher_suite is None:
        raise ValueError("a confirmed connection has 1-RTT keys")
    tx_start = connection._packet_number if pair.tx_phase_start is None else pair.tx_phase_start
    previous = pair.previous_rx_secret
    return SecretSet(
        suite=CipherSuite(int(pair.send.cipher_suite)),
        state=KeyState(
            generation=pair.generation,
            tx_phase_start=tx_start,
            rx_phase_start=pair.rx_phase_start,
            tx_sealed=pair.sealed,
            rx_failed=pair.failed,
        ),
        header=HeaderKeys(
            tx=SecretBytes(connection._header_keys[Direction.ENCRYPT]),
            rx=SecretBytes(connection._header_keys[Direction.DECRYPT]),
        ),
        tx=SecretBytes(pair.send.secret),
        rx=SecretBytes(pair.recv.secret),
        previous_rx=None if previous is None else SecretBytes(previous),
    )


def _counts(tally: EcnTally) -> EcnCounts:
    return EcnCounts(ect0=tally.ect0, ect1=tally.ect1, ce=tally.ce)


def _rtt(connection: TunnelConnection) -> RttState:
    loss = connection._loss
    if not loss._rtt_initialized:
        return RttState()
    return RttState(
        latest=round(loss._rtt_latest * NANOSECONDS),
        smoothed=round(loss._rtt_smoothed * NANOSECONDS),
        variation=round(loss._rtt_variance * NANOSECONDS),
        min=round(loss._rtt_min * NANOSECONDS),
    )
