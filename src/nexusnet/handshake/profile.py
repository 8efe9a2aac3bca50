# SPDX-License-Identifier: BSD-3-Clause
"""What an end offers in its handshake: transport parameters, suites, names, limits."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TextIO

from aioquic.quic.packet import QuicTransportParameters
from aioquic.tls import CipherSuite

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.tls_context import TunnelTls
from nexusnet.handshake.verify import PeerVerifier
from nexusnet.netlink.generated import FRAMES_MAX_LEN

if TYPE_CHECKING:
    from nexusnet.handshake.connection import TunnelConnection

BASE_DATAGRAM_SIZE: Final = 1200
"""UDP payload in bytes that every QUIC path carries (RFC 9000 section 14)."""

PROBE_SIZES: Final = (1311, 1352, 1452)
"""UDP payloads that are tried before export.

1311 is the least that carries an inner IPv6 packet of 1280 bytes, 1352 fits a path of 1400 bytes
over IPv6 with its headers, 1452 fills an Ethernet frame over IPv6.
"""

DEFAULT_ALPN: Final = "l3ptp/1"
"""Application protocol of the `tls` mode: L3PTP version 1 in DATAGRAM frames."""

DEFAULT_SUITES: Final = (
    CipherSuite.AES_128_GCM_SHA256,
    CipherSuite.AES_256_GCM_SHA384,
    CipherSuite.CHACHA20_POLY1305_SHA256,
)

MIN_TUNNEL_DATAGRAM: Final = FRAMES_MAX_LEN + 3
"""Least max_datagram_frame_size of a peer, in bytes, that any control message fits, type and length
included."""


@dataclass(frozen=True, slots=True)
class TransportProfile:
    """Transport parameters that an end sends (RFC 9000 section 18.2, RFC 9221 section 3).

    No stream may be opened: a tunnel needs none. min_ack_delay is never offered, so that nobody
    sends ACK_FREQUENCY.

    Attributes:
        idle_timeout: seconds, 1 and more; the smaller of both ends' counts.
        max_udp_payload_size: largest UDP payload in bytes that we want to receive.
        max_datagram_frame_size: largest DATAGRAM frame in bytes, with type and length.
        ack_delay_exponent: scale of the ACK Delay field in our ACKs, 0..20.
        max_ack_delay: milliseconds by which we delay an ACK at most.
        active_connection_id_limit: connection IDs of the peer that we keep, 2 and more.
        disable_active_migration: asks the peer not to move to another address on purpose.
        connection_id_length: bytes of the connection IDs that we choose, 0..20.
    """

    idle_timeout: int = 30
    max_udp_payload_size: int = 1472
    max_datagram_frame_size: int = 65535
    ack_delay_exponent: int = 3
    max_ack_delay: int = 25
    active_connection_id_limit: int = 2
    disable_active_migration: bool = True
    connection_id_length: int = 8

    def parameters(self) -> QuicTransportParameters:
        """Return them without those that belong to one connection."""
        return QuicTransportParameters(
            max_idle_timeout=self.idle_timeout * 1000,
            max_udp_payload_size=self.max_udp_payload_size,
            initial_max_data=0,
            initial_max_stream_data_bidi_local=0,
            initial_max_stream_data_bidi_remote=0,
            initial_max_stream_data_uni=0,
            initial_max_streams_bidi=0,
            initial_max_streams_uni=0,
            ack_delay_exponent=self.ack_delay_exponent,
            max_ack_delay=self.max_ack_delay,
            disable_active_migration=self.disable_active_migration,
            active_connection_id_limit=self.active_connection_id_limit,
            max_datagram_frame_size=self.max_datagram_frame_size,
        )


def utc_now() -> dt.datetime:
    """Return the time of day with its time zone; the default wall clock."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What both roles are told.

    Attributes:
        verifier: decides about the peer's certificate.
        credentials: our certificate; a server needs one, a client only where the server asks.
        server_name: a client's: name or address that the server's certificate is for, sent as SNI
            where it is a name.
        alpn: application protocols that we speak, best first.
        suites: cipher suites that we speak, best first.
        profile: our transport parameters.
        probe_sizes: UDP payloads in bytes to try before export, rising; empty for no search.
        timeout: seconds from the first packet to readiness for export.
        wall_clock: time of day, for certificates.
        key_log: where to write the TLS secrets for a packet analyser: lab only, it ends secrecy.
        tls_context: the TLS engine; a subclass authenticates otherwise.
        client_connection: makes a client's connection of this configuration, where it is to look
            otherwise on the wire; a `TunnelConnection` where None.
        prepare_tls: tells it what it needs beyond this, before its first message.
    """

    verifier: PeerVerifier
    credentials: Credentials | None = None
    server_name: str | None = None
    alpn: tuple[str, ...] = (DEFAULT_ALPN,)
    suites: tuple[CipherSuite, ...] = DEFAULT_SUITES
    profile: TransportProfile = field(default_factory=TransportProfile)
    probe_sizes: tuple[int, ...] = PROBE_SIZES
    timeout: float = 10.0
    wall_clock: Callable[[], dt.datetime] = utc_now
    key_log: TextIO | None = field(default=None, repr=False)
    tls_context: type[TunnelTls] = TunnelTls
    client_connection: "Callable[[EngineConfig], TunnelConnection] | None" = None
    prepare_tls: Callable[[TunnelTls], None] | None = None
