# SPDX-License-Identifier: BSD-3-Clause
"""The seam between handshakes and tunnels: how a connection comes to be installed.

Order of a handover: `export` (from then on datagrams are only kept), HOLD in the data plane,
`drain`, ACTIVATE with both, `release`. Each way to shake hands implements `Dialer` and `Listener`.
"""

import socket
from collections.abc import Sequence
from typing import Protocol

from nexusnet.agent.config import PeerSettings
from nexusnet.handshake.datagram import Received
from nexusnet.handshake.export import ExportedConnection

__all__ = ["Dialer", "ExportedConnection", "Handover", "Listener"]


class Handover(Protocol):
    """A connection whose handshake is over."""

    @property
    def sock(self) -> socket.socket:
        """Its UDP socket, which the data plane knows as an endpoint after `export`."""

    async def export(self) -> ExportedConnection:
        """Take the session out.

        Raises:
            HandshakeError: the connection ended meanwhile.
            DataPlaneError: the data plane refused the socket.
        """

    def drain(self) -> Sequence[Received]:
        """Return the datagrams that arrived since the export, oldest first."""

    def early_datagrams(self) -> Sequence[bytes]:
        """Return DATAGRAM payloads that the peer sent before our export."""

    def issue(self, length: int) -> tuple[bytes, bytes]:
        """Return a new connection ID of ours for this session, and its stateless reset token.

        Args:
            length: bytes of the session's connection IDs.
        """

    def release(self) -> None:
        """Hear that the data plane knows the session's packets now."""

    def close(self) -> None:
        """Let go of what belongs to this connection alone; the session is over or never was."""


class Dialer(Protocol):
    """Connects to servers."""

    async def dial(self, peer: PeerSettings) -> Handover:
        """Shake hands with a server.

        Raises:
            HandshakeError: it did not work; the text says why.
            OSError: no socket, or the server's name is not known.
        """


class Listener(Protocol):
    """Waits for clients."""

    @property
    def local(self) -> tuple[str, int]:
        """Address and port."""

    @property
    def drops(self) -> dict[str, int]:
        """Datagrams that belonged to nobody, by reason."""

    async def accept(self) -> Handover:
        """Return the next connection."""

    def close(self) -> None:
        """Stop listening; all sessions of the socket are gone."""
