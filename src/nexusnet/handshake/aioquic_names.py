# SPDX-License-Identifier: BSD-3-Clause
"""Start-up check that aioquic's internals are where this package expects them.

Taking a connection over, and looking like a browser, needs names that aioquic does not promise to
keep. Each one used anywhere in this package and in `nexusnet.reality` stands in the tables
below (a test compares them with the code); `check_aioquic` looks all of them up in the installed
version and says in one line what moved.
"""

import functools
import importlib.metadata
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from aioquic import tls
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoContext, CryptoPair
from aioquic.quic.packet import QuicPacketType, QuicProtocolVersion
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketRecovery, QuicPacketSpace
from aioquic.quic.stream import QuicStreamSender

from nexusnet.handshake.errors import IncompatibleAioquicError

SUPPORTED: Final = (1, 7)
"""Major and minor version that this package was written for."""

METHODS: Final[tuple[tuple[type, str, tuple[str, ...]], ...]] = (
    (QuicConnection, "_flush_builder", ("builder", "network_path", "peer_cid", "now")),
    (QuicConnection, "_handle_ack_frame", ("context", "frame_type", "buf")),
    (QuicConnection, "_handle_connection_close_frame", ("context", "frame_type", "buf")),
    (QuicConnection, "_handle_crypto_frame", ("context", "frame_type", "buf")),
    (QuicConnection, "_initialize", ("peer_cid",)),
    (QuicConnection, "_on_ack_delivery", ("delivery", "space", "highest_acked")),
    (QuicConnection, "_parse_transport_parameters", ("data", "from_session_ticket")),
    (QuicConnection, "_payload_received", ("context", "plain", "crypto_frame_required")),
    (QuicConnection, "_receive_version_negotiation_packet", ("header", "now")),
    (QuicConnection, "_replenish_connection_ids", ()),
    (QuicConnection, "_serialize_transport_parameters", ()),
    (QuicConnection, "_update_traffic_key", ("direction", "epoch", "cipher_suite", "secret")),
    (QuicConnection, "_write_ack_frame", ("builder", "space", "now")),
    (
        QuicConnection,
        "_write_connection_close_frame",
        ("builder", "epoch", "error_code", "frame_type", "reason_phrase"),
    ),
    (QuicConnection, "_write_crypto_frame", ("builder", "space", "stream")),
    (QuicConnection, "_write_handshake", ("builder", "epoch", "now")),
    (QuicPacketBuilder, "_end_packet", ()),
    (QuicPacketBuilder, "_flush_current_datagram", ()),
    (QuicPacketBuilder, "start_frame", ("frame_type", "capacity", "handler", "handler_args")),
    (QuicPacketBuilder, "start_packet", ("packet_type", "crypto")),
    (
        QuicPacketRecovery,
        "_on_packets_lost",
        ("congestion_event", "now", "packets", "persistent_congestion", "space"),
    ),
    (QuicPacketRecovery, "get_probe_timeout", ("include_max_ack_delay",)),
    (QuicPacketRecovery, "reschedule_data", ("now", "speed_up_handshake")),
    (CryptoPair, "_update_key", ("trigger",)),
    (CryptoPair, "decrypt_packet", ("packet", "encrypted_offset", "expected_packet_number")),
    (CryptoPair, "encrypt_packet", ("plain_header", "plain_payload", "packet_number")),
    (QuicStreamSender, "on_data_delivery", ("delivery", "start", "stop", "fin")),
    (tls.Context, "_client_handle_certificate_verify", ("input_buf",)),
    (tls.Context, "_client_handle_encrypted_extensions", ("input_buf",)),
    (tls.Context, "_client_handle_finished", ("input_buf", "output_buf")),
    (tls.Context, "_client_handle_hello", ("input_buf", "output_buf")),
    (tls.Context, "_client_send_hello", ("output_buf",)),
    (tls.Context, "_handle_reassembled_message", ("message_type", "input_buf", "output_buf")),
    (tls.Context, "_server_handle_certificate", ("input_buf",)),
    (tls.Context, "_server_handle_certificate_verify", ("input_buf",)),
    (tls.Context, "_server_expect_finished", ()),
    (tls.Context, "_server_handle_hello", ("input_buf", "initial_buf", "handshake_buf")),
    (tls.Context, "_set_peer_certificate", ("certificate",)),
    (tls.Context, "_set_state", ("state",)),
    (tls.Context, "_setup_traffic_protection", ("direction", "epoch", "label")),
)
"""Methods that are called or overridden, with their parameters."""

ATTRIBUTES: Final[tuple[tuple[type, tuple[str, ...]], ...]] = (
    (
        QuicConnection,
        (
            "_close_event",
            "_close_pending",
            "_crypto_buffers",
            "_crypto_streams",
            "_cryptos",
            "_cryptos_initial",
            "_datagrams_pending",
            "_handshake_confirmed",
            "_handshake_done_pending",
            "_host_cids",
            "_is_client",
            "_local_ack_delay_exponent",
            "_local_active_connection_id_limit",
            "_local_initial_source_connection_id",
            "_local_max_data",
            "_local_max_stream_data_bidi_local",
            "_local_max_stream_data_bidi_remote",
            "_local_max_stream_data_uni",
            "_local_max_streams_bidi",
            "_local_max_streams_uni",
            "_loss",
            "_max_datagram_size",
            "_network_paths",
            "_original_destination_connection_id",
            "_packet_number",
            "_peer_cid",
            "_peer_cid_available",
            "_ping_pending",
            "_probe_pending",
            "_remote_ack_delay_exponent",
            "_remote_preferred_address",
            "_retire_connection_ids",
            "_retry_source_connection_id",
            "_spaces",
            "_spin_bit",
            "_state",
        ),
    ),
    (
        QuicPacketRecovery,
        (
            "_rtt_initial",
            "_rtt_initialized",
            "_rtt_latest",
            "_rtt_min",
            "_rtt_smoothed",
            "_rtt_variance",
            "_send_probe",
            "spaces",
        ),
    ),
    (
        QuicPacketSpace,
        (
            "ack_at",
            "ack_eliciting_in_flight",
            "ack_queue",
            "largest_acked_packet",
            "largest_received_packet",
            "largest_received_time",
            "received_packets",
            "sent_packets",
        ),
    ),
    (
        QuicPacketBuilder,
        (
            "_buffer",
            "_buffer_capacity",
            "_datagram_flight_bytes",
            "_datagram_needs_padding",
            "_flight_capacity",
            "_header_size",
            "_host_cid",
            "_packet",
            "_packet_crypto",
            "_packet_number",
            "_packet_start",
            "_packet_type",
            "_packets",
            "_peer_cid",
            "_peer_token",
            "_version",
            "quic_logger_frames",
            "remaining_buffer_space",
            "remaining_flight_space",
        ),
    ),
    (QuicStreamSender, ("_buffer", "_buffer_start", "_pending", "highest_offset")),
    (CryptoPair, ("_update_key_requested", "recv", "send")),
    (CryptoContext, ("cipher_suite", "key_phase", "secret")),
    (
        tls.Context,
        (
            "_alpn_protocols",
            "_certificate_request",
            "_cipher_suites",
            "_dec_key",
            "_ec_private_keys",
            "_enc_key",
            "_is_client",
            "_key_schedule_proxy",
            "_key_schedule_psk",
            "_peer_certificate",
            "_peer_certificate_chain",
            "_request_client_certificate",
            "_server_name",
            "_signature_algorithms",
            "_x25519_private_key",
            "_x448_private_key",
            "certificate_private_key",
            "client_random",
            "handshake_extensions",
            "key_schedule",
            "received_extensions",
        ),
    ),
)
"""Attributes that a live object has, beside what `WINDOW` lists."""

WINDOW: Final = ("_lower", "_received")
"""Attributes of the duplicate detection window of a packet number space."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not where it was.

    Attributes:
        name: dotted, as in aioquic.
        what: what is wrong with it.
    """

    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name} {self.what}"


def installed_version() -> str:
    """Return the version of the installed aioquic."""
    return importlib.metadata.version("aioquic")


def check_aioquic(
    version: str | None = None, lookup: Callable[[object, str], Any] = getattr
) -> None:
    """Check the installed aioquic; takes about a millisecond.

    Args:
        version: what to take for the installed version.
        lookup: how to look a name up, so that tests can hide one.

    Raises:
        IncompatibleAioquicError: another version, or internals that moved; names each.
    """
    version = installed_version() if version is None else version
    findings = list(_findings(version, lookup))
    if findings:
        raise IncompatibleAioquicError(
            f"aioquic {version} does not fit: {'; '.join(map(str, findings))}; install the version"
            f" that requirements.lock pins ({SUPPORTED[0]}.{SUPPORTED[1]}.x)"
        )


@functools.cache
def ensure_aioquic() -> None:
    """Check the installed aioquic, once in a process.

    Raises:
        IncompatibleAioquicError: see `check_aioquic`.
    """
    check_aioquic()


def _findings(version: str, lookup: Callable[[object, str], Any]) -> Iterator[Finding]:
    if tuple(version.split(".")[:2]) != tuple(map(str, SUPPORTED)):
        yield Finding("its version", f"is not {SUPPORTED[0]}.{SUPPORTED[1]}")
    for owner, name, expected in METHODS:
        method = _find(lookup, owner, name)
        if not callable(method):
            yield Finding(f"{owner.__name__}.{name}", "is gone")
            continue
        parameters = tuple(inspect.signature(method).parameters)[1:]
        if parameters != expected:
            yield Finding(f"{owner.__name__}.{name}", f"takes {parameters}, not {expected}")
    objects = _live_objects()
    for owner, names in ATTRIBUTES:
        for name in names:
            if _find(lookup, objects[owner], name) is None:
                yield Finding(f"{owner.__name__}.{name}", "is gone")
    window = objects[QuicPacketSpace].received_packets
    for name in WINDOW:
        if _find(lookup, window, name) is None:
            yield Finding(f"{type(window).__name__}.{name}", "is gone")


def _find(lookup: Callable[[object, str], Any], owner: object, name: str) -> object | None:
    """Return what `name` stands for; a placeholder where it is there but None."""
    try:
        found = lookup(owner, name)
    except AttributeError:
        return None
    return "there, but None" if found is None else found


def _live_objects() -> dict[type, Any]:
    """Return a fresh object of each class, of a client that has just sent its first packet."""
    connection = QuicConnection(
        configuration=QuicConfiguration(
            is_client=True, supported_versions=[QuicProtocolVersion.VERSION_1]
        )
    )
    connection.connect(("192.0.2.1", 443), now=0.0)
    pair = CryptoPair()
    pair.setup_initial(bytes(8), is_client=True, version=QuicProtocolVersion.VERSION_1)
    builder = QuicPacketBuilder(
        host_cid=b"",
        peer_cid=bytes(8),
        version=QuicProtocolVersion.VERSION_1,
        is_client=True,
        max_datagram_size=1200,
    )
    builder.start_packet(QuicPacketType.INITIAL, pair)
    return {
        QuicConnection: connection,
        QuicPacketRecovery: getattr(connection, "_loss", None),
        QuicPacketSpace: QuicPacketSpace(is_application_data=True),
        QuicPacketBuilder: builder,
        QuicStreamSender: QuicStreamSender(stream_id=None, writable=True),
        CryptoPair: pair,
        CryptoContext: pair.recv,
        tls.Context: connection.tls,
    }
