# SPDX-License-Identifier: BSD-3-Clause
"""A client's connection with Chromium's first flight.

What is changed in `TunnelConnection`: connection IDs, packet numbers, transport parameters, how
Initials are filled, and that a Retry is answered with the same ClientHello.
"""

from random import Random, SystemRandom

from aioquic.quic.packet import QuicFrameType, QuicPacketType
from aioquic.quic.packet_builder import QuicPacketBuilder, QuicPacketBuilderStop
from aioquic.quic.stream import QuicStreamSender
from aioquic.tls import Epoch

from nexusnet.handshake.connection import TunnelConnection
from nexusnet.handshake.diversion import Diversion
from nexusnet.handshake.profile import EngineConfig
from nexusnet.reality.browser import chromium
from nexusnet.reality.browser.initials import Crypto, Frame, Padding, divide, scramble
from nexusnet.reality.browser.packet_builder import BrowserPacketBuilder
from nexusnet.reality.browser.recovery import BrowserRecovery
from nexusnet.reality.browser.tls import BrowserTls
from nexusnet.reality.browser.transport_parameters import serialize
from nexusnet.reality.browser.visit import Visit


class BrowserConnection(TunnelConnection):
    """A client's connection.

    Attributes:
        tls: our TLS engine; `EngineConfig.tls_context` is `BrowserTls` or a subclass.
    """

    tls: BrowserTls

    def __init__(self, config: EngineConfig, rng: Random | None = None) -> None:
        """Make one; `connect` sends the first flight.

        Args:
            config: with `tls_context` and `profile` of a browser, see `as_browser`.
            rng: where order, GREASE and pieces come from; the system's where None.
        """
        self._rng = rng or SystemRandom()
        super().__init__(config, is_client=True)
        self.local_parameters = chromium.transport_parameters()
        self._packet_number = chromium.FIRST_PACKET_NUMBER
        self._max_datagram_size = chromium.DATAGRAM_SIZE
        BrowserRecovery.adopt(self._loss)
        for limit, value in (
            (self._local_max_data, chromium.MAX_DATA),
            (self._local_max_streams_bidi, chromium.MAX_STREAMS_BIDI),
            (self._local_max_streams_uni, chromium.MAX_STREAMS_UNI),
        ):
            limit.value = limit.sent = value
        self._local_max_stream_data_bidi_local = chromium.MAX_STREAM_DATA
        self._local_max_stream_data_bidi_remote = chromium.MAX_STREAM_DATA
        self._local_max_stream_data_uni = chromium.MAX_STREAM_DATA

    def _initialize(self, peer_cid: bytes) -> None:
        before: BrowserTls | None = vars(self).get("tls")
        super()._initialize(peer_cid)
        if before is None or before.hello is None:
            self.tls.dress(self._rng)
        else:
            # RFC 9000 section 17.2.5.3: after a Retry the same ClientHello again. aioquic would
            # make another one.
            self.tls = before
            self._crypto_buffers[Epoch.INITIAL].push_bytes(before.hello.encode())

    def divert(self) -> Diversion | None:
        """Load the page of a site that we were relayed to, as a browser would."""
        failure = self.tls.failure
        if not self.tls.relayed or failure is None:
            return None
        return Visit(self, self._config.server_name or "", failure)

    def _serialize_transport_parameters(self) -> bytes:
        return serialize(self.local_parameters, self._rng)

    def _parse_transport_parameters(self, data: bytes, from_session_ticket: bool = False) -> None:  # noqa: FBT001, FBT002 - aioquic's signature
        super()._parse_transport_parameters(data, from_session_ticket)
        # RFC 9000 section 18.2. aioquic pays no heed, as it never sends more than anyone takes.
        self._max_datagram_size = min(self._max_datagram_size, self.peer_max_udp_payload_size)

    def _write_handshake(self, builder: QuicPacketBuilder, epoch: Epoch, now: float) -> None:
        if epoch is Epoch.INITIAL:
            BrowserPacketBuilder.adopt(builder)
            self._write_hello(builder, now)
        super()._write_handshake(builder, epoch, now)

    def _write_connection_close_frame(
        self,
        builder: QuicPacketBuilder,
        epoch: Epoch,
        error_code: int,
        frame_type: int | None,
        reason_phrase: str,
    ) -> None:
        BrowserPacketBuilder.adopt(builder)
        # An Initial is as good as readable, and our words are no browser's.
        reason_phrase = ""
        super()._write_connection_close_frame(builder, epoch, error_code, frame_type, reason_phrase)

    def _write_hello(self, builder: QuicPacketBuilder, now: float) -> None:
        """Write what waits of the CRYPTO stream, first or again, in pieces."""
        crypto = self._cryptos[Epoch.INITIAL]
        space = self._spaces[Epoch.INITIAL]
        sender = self._crypto_streams[Epoch.INITIAL].sender
        pending = [Crypto(piece.start, piece.stop) for piece in sender._pending]
        if not pending or not crypto.send.is_valid():
            return
        if self._probe_pending:
            # Chromium leaves a packet number out before each probe.
            builder._packet_number += 1
        packets: list[list[Crypto]] = []
        while pending:
            builder.start_packet(QuicPacketType.INITIAL, crypto)
            if space.ack_at is not None:
                self._write_ack_frame(builder, space, now)
            room = builder.remaining_buffer_space
            if builder.remaining_flight_space < room:
                raise QuicPacketBuilderStop
            packets = packets or divide(pending, room, self._rng)
            for frame in scramble(packets.pop(0), room, self._rng):
                self._write_frame(builder, sender, frame)
            pending = [piece for packet in packets for piece in packet]
        self._probe_pending = False

    @staticmethod
    def _write_frame(builder: QuicPacketBuilder, sender: QuicStreamSender, frame: Frame) -> None:
        if isinstance(frame, Padding):
            builder.start_frame(QuicFrameType.PADDING).push_bytes(bytes(frame.size - 1))
        elif isinstance(frame, Crypto):
            buf = builder.start_frame(
                QuicFrameType.CRYPTO,
                capacity=frame.size,
                handler=sender.on_data_delivery,
                handler_args=(frame.start, frame.stop, False),
            )
            buf.push_uint_var(frame.start)
            buf.push_uint_var(frame.length)
            origin = sender._buffer_start
            buf.push_bytes(bytes(sender._buffer[frame.start - origin : frame.stop - origin]))
            sender._pending.subtract(frame.start, frame.stop)
            sender.highest_offset = max(sender.highest_offset, frame.stop)
        else:
            builder.start_frame(QuicFrameType.PING)
