# SPDX-License-Identifier: BSD-3-Clause
"""What Chromium 156 offers over QUIC: the constants of the profile.

Taken from a capture, tests/reality/data/chromium-156-quic.pcap; what is drawn anew for each
connection is in `hello` and `transport_parameters`, how Initials are filled in `initials`.
"""

from typing import Final

from aioquic.quic.packet import QuicTransportParameters
from aioquic.tls import CipherSuite, Group, SignatureAlgorithm

from nexusnet.handshake.profile import TransportProfile
from nexusnet.reality.key_exchange import Group as KeyExchangeGroup

SUITES: Final = (
    CipherSuite.AES_128_GCM_SHA256,
    CipherSuite.AES_256_GCM_SHA384,
    CipherSuite.CHACHA20_POLY1305_SHA256,
)

GROUPS: Final[tuple[int, ...]] = (
    KeyExchangeGroup.X25519MLKEM768,
    KeyExchangeGroup.X25519,
    Group.SECP256R1,
    Group.SECP384R1,
)
"""The first two come with a key share; a server that wants another one asks again (RFC 8446
section 4.1.4)."""

SIGNATURE_ALGORITHMS: Final[tuple[int, ...]] = (
    SignatureAlgorithm.ECDSA_SECP256R1_SHA256,
    SignatureAlgorithm.RSA_PSS_RSAE_SHA256,
    SignatureAlgorithm.RSA_PKCS1_SHA256,
    SignatureAlgorithm.ECDSA_SECP384R1_SHA384,
    SignatureAlgorithm.RSA_PSS_RSAE_SHA384,
    SignatureAlgorithm.RSA_PKCS1_SHA384,
    SignatureAlgorithm.RSA_PSS_RSAE_SHA512,
    SignatureAlgorithm.RSA_PKCS1_SHA512,
    SignatureAlgorithm.RSA_PKCS1_SHA1,
)

ALPN: Final = "h3"
"""Application protocol, and the one that application settings are offered for."""

APPLICATION_SETTINGS: Final = 0x44CD
"""ALPS, in its second codepoint (draft-vvv-tls-alps)."""

ENCRYPTED_CLIENT_HELLO: Final = 0xFE0D
"""ECH (RFC 9849), here always GREASE."""

TRUST_ANCHORS: Final = 0xCA34
"""draft-ietf-tls-trust-anchor-ids."""

BROTLI: Final = 2
"""The one certificate compression algorithm (RFC 8879 section 7.3)."""

TRUST_ANCHOR_IDS: Final = tuple(
    bytes.fromhex(prefix + last)
    for prefix, lasts in (
        ("82df1302", "01 06 0d 0e 0f 12 13 14"),
        ("839a648c9b2d01", "07 08 09 0a 0b 0c 0d 12 13"),
        ("d67909", "01 04 05 06 07 08 0a 0b 0c 0d 0f"),
    )
    for last in lasts.split()
)
"""The trust anchors that this version asks for, in its order."""

DATAGRAM_SIZE: Final = 1250
"""UDP payload in bytes of each datagram with an Initial."""

FIRST_PACKET_NUMBER: Final = 1

NUMBER_LENGTH: Final = 1
"""Bytes of an Initial's packet number, but for one."""

LONG_NUMBER: Final = 2
LONG_NUMBER_LENGTH: Final = 2
"""The number of the first flight's second packet has as many bytes."""

INITIAL_PROBE_TIMEOUT: Final = 0.3
"""Seconds until the hello is sent again, before the round-trip time is known; doubles each time."""

GOOGLE_CONNECTION_OPTIONS: Final = (0x3128, b"ORIG")
"""A transport parameter of Google's: that the client can follow ORIGIN frames."""

MAX_DATA: Final = 15 * 2**20
MAX_STREAM_DATA: Final = 6 * 2**20
MAX_STREAMS_BIDI: Final = 100
MAX_STREAMS_UNI: Final = 103

TRANSPORT: Final = TransportProfile(
    idle_timeout=30,
    max_udp_payload_size=1472,
    max_datagram_frame_size=65536,
    disable_active_migration=False,
    connection_id_length=0,
)
"""What of its transport parameters matters to a tunnel: all of it fits. ack_delay_exponent,
max_ack_delay and active_connection_id_limit have the values that stand for absence."""


def transport_parameters() -> QuicTransportParameters:
    """Return the transport parameters as they are in force, without those that say nothing.

    Streams are allowed, as a browser allows them: a site that we are relayed to uses them, a
    tunnel's server never does.
    """
    return QuicTransportParameters(
        max_idle_timeout=TRANSPORT.idle_timeout * 1000,
        max_udp_payload_size=TRANSPORT.max_udp_payload_size,
        initial_max_data=MAX_DATA,
        initial_max_stream_data_bidi_local=MAX_STREAM_DATA,
        initial_max_stream_data_bidi_remote=MAX_STREAM_DATA,
        initial_max_stream_data_uni=MAX_STREAM_DATA,
        initial_max_streams_bidi=MAX_STREAMS_BIDI,
        initial_max_streams_uni=MAX_STREAMS_UNI,
        initial_source_connection_id=b"",
        max_datagram_frame_size=TRANSPORT.max_datagram_frame_size,
    )
