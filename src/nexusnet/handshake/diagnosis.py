# SPDX-License-Identifier: BSD-3-Clause
"""From an aioquic connection that ended to the one typed error that says why."""

from typing import Final

from aioquic import tls
from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet import QuicErrorCode

from nexusnet.handshake.errors import (
    AlpnMismatchError,
    CertificateRefusedError,
    HandshakeError,
    NoCommonParametersError,
    PeerClosedError,
    PeerViolationError,
    VersionMismatchError,
    printable,
)

QUIC_V1: Final = 1

CERTIFICATE_ALERTS: Final = frozenset(
    {
        tls.AlertDescription.bad_certificate,
        tls.AlertDescription.unsupported_certificate,
        tls.AlertDescription.certificate_revoked,
        tls.AlertDescription.certificate_expired,
        tls.AlertDescription.certificate_unknown,
        tls.AlertDescription.unknown_ca,
        tls.AlertDescription.access_denied,
        tls.AlertDescription.certificate_required,
    }
)


def tls_alert(error_code: int) -> tls.AlertDescription | None:
    """Return the TLS alert that a CONNECTION_CLOSE carries (RFC 9001 section 4.8), if any."""
    try:
        return tls.AlertDescription(error_code - QuicErrorCode.CRYPTO_ERROR)
    except ValueError:
        return None


def error_name(error_code: int) -> str:
    """Return an error code in words (RFC 9000 section 20.1)."""
    alert = tls_alert(error_code)
    if alert is not None:
        return f"TLS alert {alert.name}"
    try:
        return QuicErrorCode(error_code).name
    except ValueError:
        return f"error {error_code:#x}"


def version_error(offered: tuple[int, ...]) -> VersionMismatchError:
    """Return the error for a server that speaks only other versions of QUIC."""
    listed = ", ".join(f"{version:#010x}" for version in offered[:8])
    return VersionMismatchError(
        f"the server does not speak QUIC v1, only {listed}: update it, or check the port"
    )


def diagnose(
    event: ConnectionTerminated, *, by_peer: bool, alpn: tuple[str, ...]
) -> HandshakeError:
    """Return the typed error for the end of a connection.

    Args:
        event: what aioquic noted.
        by_peer: whether the peer's CONNECTION_CLOSE ended it, not ours.
        alpn: application protocols that we offered.
    """
    code = event.error_code
    reason = printable(event.reason_phrase)
    said = f"{error_name(code)}{f' ({reason})' if reason else ''}"
    # An application's close (without frame type) has error codes of its own.
    alert = None if event.frame_type is None else tls_alert(code)
    error = _from_alert(alert, said, by_peer=by_peer, alpn=alpn)
    if error is not None:
        return error
    if by_peer:
        return PeerClosedError(f"the peer closed the connection: {said}; see its log", code)
    return PeerViolationError(f"the peer broke the protocol: {said}; connection closed", code)


def _from_alert(
    alert: tls.AlertDescription | None, said: str, *, by_peer: bool, alpn: tuple[str, ...]
) -> HandshakeError | None:
    if alert is tls.AlertDescription.no_application_protocol:
        return AlpnMismatchError(
            f"no common application protocol: we speak {', '.join(alpn)}; configure the same ALPN"
            " on both ends"
        )
    if alert is tls.AlertDescription.protocol_version:
        return VersionMismatchError(f"no common TLS version: {said}; both ends need TLS 1.3")
    if alert is tls.AlertDescription.handshake_failure:
        return NoCommonParametersError(
            f"no common cipher suite, group or signature algorithm: {said}; compare both ends"
        )
    if by_peer and alert in CERTIFICATE_ALERTS:
        return CertificateRefusedError(
            f"the peer refuses our certificate: {said}; pin its fingerprint there, and check dates"
            " and clocks on both ends"
        )
    return None
