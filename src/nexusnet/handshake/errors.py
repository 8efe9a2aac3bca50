# SPDX-License-Identifier: BSD-3-Clause
"""What can go wrong in a handshake: one class a cause, one clear line each.

The text of each error is meant for the person who runs the tunnel: it says what happened and what
to do about it, and never holds key material. What a peer wrote is cut and made printable first.
"""

from typing import Final

PEER_TEXT_LIMIT: Final = 120
"""Characters of a peer's reason phrase that are shown."""


def printable(text: str) -> str:
    """Return a peer's text without control characters, cut to `PEER_TEXT_LIMIT` characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:PEER_TEXT_LIMIT])


class HandshakeError(Exception):
    """A handshake did not lead to a session. Subclasses name the cause."""


class UnreachableError(HandshakeError):
    """Nothing at all came back from the peer."""


class HandshakeTimeoutError(HandshakeError):
    """The peer answered, but the handshake did not end in time."""


class CertificateExpiredError(HandshakeError):
    """The peer's certificate is no longer valid."""


class ClockError(HandshakeError):
    """The peer's certificate is not valid yet: almost always this machine's clock is behind."""


class FingerprintMismatchError(HandshakeError):
    """The peer's certificate is none of the pinned ones."""


class UntrustedCertificateError(HandshakeError):
    """The peer's certificate does not lead to a trusted authority, or is for another name."""


class RelayedError(HandshakeError):
    """The camouflage site answered, with its own valid certificate: our server relayed us to it."""


class BadCertificateError(HandshakeError):
    """The certificate proves neither our server nor the camouflage site."""


class CertificateMissingError(HandshakeError):
    """The client showed no certificate to a server that asks for one."""


class CertificateRefusedError(HandshakeError):
    """The peer did not accept our certificate, or misses one."""


class AlpnMismatchError(HandshakeError):
    """The two ends have no application protocol in common."""


class VersionMismatchError(HandshakeError):
    """The two ends have no QUIC or TLS version in common."""


class NoCommonParametersError(HandshakeError):
    """The two ends have no cipher suite, group or signature algorithm in common."""


class DatagramsUnsupportedError(HandshakeError):
    """The peer offers no DATAGRAM frames (RFC 9221 section 3), or too small ones for a tunnel."""


class PeerClosedError(HandshakeError):
    """The peer closed the connection.

    Attributes:
        error_code: from its CONNECTION_CLOSE (RFC 9000 section 20).
    """

    def __init__(self, message: str, error_code: int) -> None:
        super().__init__(message)
        self.error_code = error_code


class ClosedByUsError(HandshakeError):
    """This end gave the handshake up."""


class PeerViolationError(HandshakeError):
    """The peer broke the protocol and the connection was closed.

    Attributes:
        error_code: sent in CONNECTION_CLOSE (RFC 9000 section 20).
    """

    def __init__(self, message: str, error_code: int) -> None:
        super().__init__(message)
        self.error_code = error_code


class EngineFaultError(HandshakeError):
    """The handshake engine itself failed on the peer's input; only this connection is lost."""


class NotReadyError(HandshakeError):
    """Export was asked for while the connection still has work under way; try again later."""


class CredentialsError(HandshakeError):
    """A certificate, private key or fingerprint cannot be read or does not fit."""


class IncompatibleAioquicError(HandshakeError):
    """The installed aioquic is not the one that this package was written for."""
