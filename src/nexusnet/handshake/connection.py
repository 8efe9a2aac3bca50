# SPDX-License-Identifier: BSD-3-Clause
"""aioquic's connection, made to stand still: everything that touches aioquic's internals.

What is changed, and why (the names used are checked at start, see `aioquic_names`):

- transport parameters are ours, and the peer's are kept for the export;
- no connection IDs beyond the first, no session tickets: nothing that would have to be handed over;
- ECN counts are kept and reported (RFC 9000 section 13.4.1), which aioquic does not do;
- an ACK of a packet never sent closes the connection (RFC 9000 section 13.1);
- a ClientHello may not fill half a megabyte of memory before anything is authenticated.
"""

import enum
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aioquic._buffer import Buffer
from aioquic.buffer import UINT_VAR_MAX_SIZE
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import (
    ACK_FRAME_CAPACITY,
    END_STATES,
    QuicConnection,
    QuicConnectionError,
    QuicConnectionState,
    QuicNetworkPath,
    QuicReceiveContext,
)
from aioquic.quic.crypto import derive_key_iv_hp
from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet import (
    QuicErrorCode,
    QuicFrameType,
    QuicHeader,
    QuicPacketType,
    QuicProtocolVersion,
    QuicTransportParameters,
    pull_ack_frame,
    pull_quic_transport_parameters,
    push_ack_frame,
    push_quic_transport_parameters,
)
from aioquic.quic.packet_builder import QuicDeliveryState, QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.tls import CipherSuite, Direction, Epoch

from nexusnet.handshake.aioquic_names import ensure_aioquic
from nexusnet.handshake.diversion import Diversion
from nexusnet.handshake.one_rtt import OneRttCrypto
from nexusnet.handshake.profile import BASE_DATAGRAM_SIZE, EngineConfig
from nexusnet.handshake.tls_context import TunnelTls
from nexusnet.handshake.wipe import wipe_bytes

AMPLIFICATION: Final = 3
"""Bytes that may be sent for each one received, before the address is validated."""

FIRST_DCID_LENGTH: Final = 8
"""Bytes of the connection ID that a client makes up for the server, the least that is allowed."""

MAX_HELLO: Final = 65536
"""Bytes of unauthenticated CRYPTO data that are kept for a connection."""

DEFAULT_ACK_DELAY_EXPONENT: Final = 3
DEFAULT_MAX_ACK_DELAY: Final = 25
DEFAULT_MAX_UDP_PAYLOAD: Final = 65527
"""Where the peer leaves the parameter out (RFC 9000 section 18.2)."""


class Ecn(enum.IntEnum):
    """ECN codepoint of an IP packet (RFC 3168 section 5)."""

    NOT_ECT = 0
    ECT1 = 1
    ECT0 = 2
    CE = 3


@dataclass(slots=True)
class EcnTally:
    """Packets by codepoint in one packet number space (RFC 9000 section 19.3.2)."""

    ect0: int = 0
    ect1: int = 0
    ce: int = 0

    def count(self, codepoint: Ecn) -> None:
        """Count a packet."""
        if codepoint is Ecn.ECT0:
            self.ect0 += 1
        elif codepoint is Ecn.ECT1:
            self.ect1 += 1
        elif codepoint is Ecn.CE:
            self.ce += 1

    @property
    def any(self) -> bool:
        """Whether anything was counted."""
        return bool(self.ect0 or self.ect1 or self.ce)


def quic_configuration(config: EngineConfig, *, is_client: bool) -> QuicConfiguration:
    """Return aioquic's view of our configuration."""
    credentials = config.credentials
    return QuicConfiguration(
        alpn_protocols=list(config.alpn),
        certificate=credentials.certificate if credentials else None,
        certificate_chain=list(credentials.chain) if credentials else [],
        cipher_suites=list(config.suites),
        connection_id_length=config.profile.connection_id_length,
        idle_timeout=float(config.profile.idle_timeout),
        is_client=is_client,
        max_data=0,
        max_datagram_frame_size=config.profile.max_datagram_frame_size,
        max_datagram_size=BASE_DATAGRAM_SIZE,
        max_stream_data=0,
        private_key=credentials.private_key if credentials else None,
        secrets_log_file=config.key_log,
        server_name=config.server_name,
        # Decision 1: the wire is QUIC v1. (aioquic would speak version 2 as well.)
        supported_versions=[QuicProtocolVersion.VERSION_1],
        verify_mode=0,  # ssl.CERT_NONE: the verifier decides, see TunnelTls
    )


class TunnelConnection(QuicConnection):
    """A connection that shakes hands, probes the path and can then be taken apart.

    Attributes:
        tls: aioquic's TLS engine, ours since `_initialize`.
        peer_parameters: what the peer offers; None before its flight was read.
        local_parameters: what we offer.
        received_ecn: 1-RTT packets received, by codepoint.
        reported_ecn: our 1-RTT packets as the peer counted them, from its ACK_ECN frames.
        packets_received: authenticated packets of any kind.
        ack_eliciting_pending: ack-eliciting 1-RTT packets received and in no ACK of ours yet.
        closed_by_peer: whether a CONNECTION_CLOSE of the peer ended the connection.
        offered_versions: what a server's Version Negotiation packet listed; empty without one.
    """

    tls: TunnelTls

    def __init__(
        self,
        config: EngineConfig,
        *,
        is_client: bool,
        connection_id: bytes | None = None,
        stateless_reset_token: bytes | None = None,
        original_destination_connection_id: bytes | None = None,
        retry_source_connection_id: bytes | None = None,
    ) -> None:
        """Make a connection.

        Args:
            config: what we offer and whom we accept.
            is_client: our role.
            connection_id: ours; random where None.
            stateless_reset_token: a server's, 16 bytes; random where None.
            original_destination_connection_id: a server's: from the client's first Initial.
            retry_source_connection_id: a server's: from the Retry it sent, if any.
        """
        ensure_aioquic()
        # aioquic reads the peer's parameters while the handshake runs.
        self.peer_parameters: QuicTransportParameters | None = None
        self.local_parameters = config.profile.parameters()
        self.reported_ecn = EcnTally()
        self.packets_received = 0
        self.ack_eliciting_pending = 0
        self.offered_versions: tuple[int, ...] = ()
        self.closed_by_peer = False
        self._config = config
        self._ecn: dict[Epoch, EcnTally] = {epoch: EcnTally() for epoch in Epoch}
        self._datagram_ecn = Ecn.NOT_ECT
        self._header_keys: dict[Direction, bytes] = {}
        self._one_rtt = OneRttCrypto()
        super().__init__(
            configuration=quic_configuration(config, is_client=is_client),
            original_destination_connection_id=original_destination_connection_id,
            retry_source_connection_id=retry_source_connection_id,
        )
        if connection_id is not None:
            self._host_cids[0].cid = connection_id
            self.host_cid = connection_id
            self._local_initial_source_connection_id = connection_id
        if is_client:
            # RFC 9000 section 7.2: at least 8 unpredictable bytes; aioquic takes the length of our
            # own connection IDs.
            self._peer_cid.cid = os.urandom(FIRST_DCID_LENGTH)
            self._original_destination_connection_id = self._peer_cid.cid
        if stateless_reset_token is not None:
            self._host_cids[0].stateless_reset_token = stateless_reset_token
        self._local_active_connection_id_limit = config.profile.active_connection_id_limit
        self._local_ack_delay_exponent = config.profile.ack_delay_exponent
        # No stream is ever opened, by either side.
        for limit in (self._local_max_streams_bidi, self._local_max_streams_uni):
            limit.value = 0
            limit.sent = 0

    # What the handshake does differently

    @property
    def _spin_bit(self) -> bool:
        """Never set: the data plane takes no part in it, nor does the browser of the profile.

        RFC 9000 section 17.4 leaves it to each end, for each connection.
        """
        return False

    @_spin_bit.setter
    def _spin_bit(self, value: bool) -> None:
        del value

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        # aioquic offers no way to bring one's own context; it has set this one up completely and
        # not used it yet.
        self.tls.__class__ = self._config.tls_context
        self.tls.adopt(self._config.verifier, self._config.wall_clock)
        if self._config.prepare_tls is not None:
            self._config.prepare_tls(self.tls)
        self._cryptos[Epoch.ONE_RTT] = self._one_rtt

    def _replenish_connection_ids(self) -> None:
        """Issue none: each would have to be handed over, and a tunnel has one path."""

    def _serialize_transport_parameters(self) -> bytes:
        parameters = self.local_parameters
        parameters.initial_source_connection_id = self._local_initial_source_connection_id
        if not self._is_client:
            parameters.stateless_reset_token = self._host_cids[0].stateless_reset_token
            parameters.original_destination_connection_id = self._original_destination_connection_id
            parameters.retry_source_connection_id = self._retry_source_connection_id
        buf = Buffer(capacity=1024)
        push_quic_transport_parameters(buf, parameters)
        return buf.data

    def _parse_transport_parameters(self, data: bytes, from_session_ticket: bool = False) -> None:  # noqa: FBT001, FBT002 - aioquic's signature
        super()._parse_transport_parameters(data, from_session_ticket)
        parameters = pull_quic_transport_parameters(Buffer(data=data))
        self.peer_parameters = parameters
        # aioquic 1.7.2 reads the exponent and then keeps its own.
        if parameters.ack_delay_exponent is not None:
            self._remote_ack_delay_exponent = parameters.ack_delay_exponent
        # A client may ignore the preferred address (RFC 9000 section 9.6): there is one path.
        self._remote_preferred_address = None

    def _update_traffic_key(
        self,
        direction: Direction,
        epoch: Epoch,
        cipher_suite: CipherSuite,
        secret: bytes,
    ) -> None:
        super()._update_traffic_key(direction, epoch, cipher_suite, secret)
        if epoch is Epoch.ONE_RTT:
            # RFC 9001 section 6.1: header protection keeps the keys of the first secret, which a
            # key update before the export would have taken away.
            _, _, self._header_keys[direction] = derive_key_iv_hp(
                cipher_suite=cipher_suite,
                secret=secret,
                version=QuicProtocolVersion.VERSION_1,
            )

    def _receive_version_negotiation_packet(self, header: QuicHeader, now: float) -> None:
        self.offered_versions = tuple(header.supported_versions)
        super()._receive_version_negotiation_packet(header, now)

    def _handle_crypto_frame(
        self, context: QuicReceiveContext, frame_type: int, buf: Buffer
    ) -> None:
        start = buf.tell()
        end = buf.pull_uint_var() + buf.pull_uint_var()
        buf.seek(start)
        # RFC 9000 section 7.5. aioquic allows half a megabyte, too much for strangers.
        if context.epoch is Epoch.INITIAL and end > MAX_HELLO:
            raise QuicConnectionError(
                error_code=QuicErrorCode.CRYPTO_BUFFER_EXCEEDED,
                frame_type=frame_type,
                reason_phrase="ClientHello or ServerHello too long",
            )
        super()._handle_crypto_frame(context, frame_type, buf)

    def _handle_connection_close_frame(
        self, context: QuicReceiveContext, frame_type: int, buf: Buffer
    ) -> None:
        self.closed_by_peer = self._close_event is None
        super()._handle_connection_close_frame(context, frame_type, buf)

    # Acknowledgements and ECN

    def receive(self, data: bytes, addr: tuple[str, int], ecn: Ecn, now: float) -> None:
        """Take a datagram, as `receive_datagram`, with the ECN codepoint of its IP header."""
        self._datagram_ecn = ecn
        self.receive_datagram(data, addr, now)

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Any]]:
        """Return what to send, see `QuicConnection`."""
        datagrams = super().datagrams_to_send(now)
        path = self._network_paths[0]
        # RFC 9000 section 8.1: aioquic's CONNECTION_CLOSE pays no heed to the limit. A stranger's
        # handshake that is given up ends in silence then.
        if not path.is_validated and path.bytes_sent > AMPLIFICATION * path.bytes_received:
            return []
        return datagrams

    def _payload_received(
        self,
        context: QuicReceiveContext,
        plain: bytes,
        crypto_frame_required: bool = False,  # noqa: FBT001, FBT002 - aioquic's signature
    ) -> tuple[bool, bool]:
        self.packets_received += 1
        self._ecn[context.epoch].count(self._datagram_ecn)
        is_ack_eliciting, is_probing = super()._payload_received(
            context, plain, crypto_frame_required
        )
        if is_ack_eliciting and context.epoch is Epoch.ONE_RTT:
            self.ack_eliciting_pending += 1
        return is_ack_eliciting, is_probing

    @property
    def received_ecn(self) -> EcnTally:
        """1-RTT packets received, by codepoint."""
        return self._ecn[Epoch.ONE_RTT]

    def _handle_ack_frame(self, context: QuicReceiveContext, frame_type: int, buf: Buffer) -> None:
        start = buf.tell()
        try:
            acked, _ = pull_ack_frame(buf)
        except ValueError:
            # A truncated frame as well: aioquic tells both apart on reading it again.
            acked = None
        if acked is not None:
            # RFC 9000 section 13.1: acknowledging what was never sent is a protocol violation.
            if acked.bounds().stop > self._packet_number:
                raise QuicConnectionError(
                    error_code=QuicErrorCode.PROTOCOL_VIOLATION,
                    frame_type=frame_type,
                    reason_phrase="ACK of a packet that was not sent",
                )
            if frame_type == QuicFrameType.ACK_ECN:
                ect0, ect1, ce = (buf.pull_uint_var() for _ in range(3))
                reported = self.reported_ecn
                if context.epoch is Epoch.ONE_RTT:
                    # RFC 9000 section 13.4.2.1: counts never fall; a reordered ACK may be older.
                    reported.ect0 = max(reported.ect0, ect0)
                    reported.ect1 = max(reported.ect1, ect1)
                    reported.ce = max(reported.ce, ce)
        buf.seek(start)
        super()._handle_ack_frame(context, frame_type, buf)

    def _write_ack_frame(
        self, builder: QuicPacketBuilder, space: QuicPacketSpace, now: float
    ) -> None:
        if space is self._spaces[Epoch.ONE_RTT]:
            self.ack_eliciting_pending = 0
        tally = self._ecn[next(epoch for epoch, known in self._spaces.items() if known is space)]
        if not tally.any:
            super()._write_ack_frame(builder, space, now)
            return
        # RFC 9000 section 13.4.1: who can see ECN marks reports them.
        counts_capacity = 3 * UINT_VAR_MAX_SIZE
        received_at = now if space.largest_received_time is None else space.largest_received_time
        delay = int((now - received_at) * 1_000_000) >> self._local_ack_delay_exponent
        buf = builder.start_frame(
            QuicFrameType.ACK_ECN,
            capacity=ACK_FRAME_CAPACITY + counts_capacity,
            handler=self._on_ack_delivery,
            handler_args=(space, space.largest_received_packet),
        )
        push_ack_frame(
            buf, space.ack_queue, delay, builder.remaining_buffer_space - counts_capacity
        )
        for count in (tally.ect0, tally.ect1, tally.ce):
            buf.push_uint_var(count)
        space.ack_at = None

    # Path MTU probes

    def probe(
        self, size: int, now: float, on_acknowledged: Callable[[int], None]
    ) -> list[tuple[bytes, tuple[str, int]]]:
        """Build a datagram of PING and PADDING (RFC 9000 section 14.4).

        Args:
            size: UDP payload in bytes.
            now: seconds.
            on_acknowledged: called with `size` when the peer acknowledges it.

        Returns:
            The datagram with its destination.
        """
        builder = QuicPacketBuilder(
            host_cid=self.host_cid,
            is_client=self._is_client,
            max_datagram_size=size,
            packet_number=self._packet_number,
            peer_cid=self._peer_cid.cid,
            spin_bit=self._spin_bit,
            version=QuicProtocolVersion.VERSION_1,
        )
        builder.start_packet(QuicPacketType.ONE_RTT, self._one_rtt)
        buf = builder.start_frame(
            QuicFrameType.PING,
            handler=self._on_probe_delivery,
            handler_args=(size, on_acknowledged),
        )
        buf.push_bytes(bytes(builder.remaining_buffer_space))
        return self._flush_builder(
            builder=builder,
            network_path=self._network_paths[0],
            peer_cid=self._peer_cid.cid,
            now=now,
        )

    @staticmethod
    def _on_probe_delivery(
        delivery: QuicDeliveryState, size: int, on_acknowledged: Callable[[int], None]
    ) -> None:
        # Lost ones are the search's business. That aioquic takes them for a sign of congestion
        # (RFC 9000 section 14.4 does not) ends with aioquic: its window is not handed over.
        if delivery is QuicDeliveryState.ACKED:
            on_acknowledged(size)

    @property
    def probe_timeout(self) -> float:
        """Seconds after which an acknowledgement is overdue (RFC 9002 section 6.2.1)."""
        return self._loss.get_probe_timeout()

    # State, as the engine and the export need it

    def divert(self) -> Diversion | None:
        """Return what to do with this peer instead of a tunnel; None for a tunnel.

        Asked once, when the handshake is complete.
        """
        return None

    @property
    def confirmed(self) -> bool:
        """Whether the handshake is confirmed (RFC 9001 section 4.1.2)."""
        return self._handshake_confirmed

    @property
    def termination(self) -> ConnectionTerminated | None:
        """Why the connection ends, as soon as that is decided; None while it lives."""
        return self._close_event

    @property
    def over(self) -> bool:
        """Whether the connection has ended and nothing is to be sent any more."""
        # aioquic repeats no CONNECTION_CLOSE, so nothing is to come in the closing period.
        return self._state in END_STATES

    @property
    def peer_max_udp_payload_size(self) -> int:
        """Largest UDP payload in bytes that the peer takes."""
        parameters = self.peer_parameters
        size = None if parameters is None else parameters.max_udp_payload_size
        return DEFAULT_MAX_UDP_PAYLOAD if size is None else size

    def wipe(self) -> None:
        """Overwrite all secrets and let go of all keys; the connection is of no use afterwards.

        What aioquic derived and freed before (AEAD keys as `bytes`) is out of reach; OpenSSL clears
        its own copies when they are released here.
        """
        for pair in (*self._cryptos.values(), *self._cryptos_initial.values(), self._one_rtt):
            for context in (pair.recv, pair.send):
                wipe_bytes(context.secret)
            pair.teardown()
        for cid in (self._peer_cid, *self._peer_cid_available, *self._host_cids):
            cid.stateless_reset_token = b""
        for key in self._header_keys.values():
            wipe_bytes(key)
        self._header_keys.clear()
        if "tls" in vars(self):
            self.tls.wipe()

    def pending_work(self) -> str | None:
        """Return what stands against an export right now, or None where nothing does.

        Nothing ack-eliciting may be in flight and nothing may wait to be sent, but pending ACKs
        may: they are part of the export.
        """
        space = self._spaces[Epoch.ONE_RTT]
        checks = (
            ("the handshake is not confirmed", not self._handshake_confirmed),
            ("the connection is closing", self._state is not QuicConnectionState.CONNECTED),
            ("a close is pending", self._close_pending or self._close_event is not None),
            ("ack-eliciting packets are in flight", space.ack_eliciting_in_flight > 0),
            ("HANDSHAKE_DONE waits to be sent", self._handshake_done_pending),
            ("a PING waits to be sent", bool(self._ping_pending) or self._probe_pending),
            ("CRYPTO data waits to be sent", not self._crypto_buffer_empty()),
            ("a DATAGRAM waits to be sent", bool(self._datagrams_pending)),
            ("RETIRE_CONNECTION_ID waits to be sent", bool(self._retire_connection_ids)),
            ("a key update is requested", self._one_rtt._update_key_requested),
            ("a path is not validated", not self._one_quiet_path()),
        )
        return next((reason for reason, applies in checks if applies), None)

    def _crypto_buffer_empty(self) -> bool:
        return self._crypto_streams[Epoch.ONE_RTT].sender.buffer_is_empty

    def _one_quiet_path(self) -> bool:
        path: QuicNetworkPath = self._network_paths[0]
        return path.is_validated and not path.remote_challenges
