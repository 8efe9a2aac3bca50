# SPDX-License-Identifier: BSD-3-Clause
"""What a handshake engine tells its owner."""

from dataclasses import dataclass, field

from nexusnet.handshake.errors import HandshakeError
from nexusnet.handshake.verify import PeerIdentity


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The handshake is confirmed (RFC 9001 section 4.1.2).

    Attributes:
        alpn: application protocol that both ends speak.
        identity: who the peer proved to be; None where nobody asked.
    """

    alpn: str | None
    identity: PeerIdentity | None


@dataclass(frozen=True, slots=True)
class Ready:
    """Nothing is in flight and the path is probed: `export` may be called.

    Attributes:
        path_mtu: largest UDP payload in bytes that is known to arrive.
    """

    path_mtu: int


@dataclass(frozen=True, slots=True)
class DatagramReceived:
    """The peer sent a DATAGRAM before the export: its session was active first.

    Attributes:
        data: the frame's payload, an L3PTP datagram.
    """

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """The handshake ended without a session.

    Attributes:
        error: why.
    """

    error: HandshakeError


EngineEvent = Confirmed | Ready | DatagramReceived | Failed
