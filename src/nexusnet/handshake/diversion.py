# SPDX-License-Identifier: BSD-3-Clause
"""What a connection does that will not become a tunnel, but has to end like any other."""

from typing import Protocol

from aioquic.quic.events import QuicEvent

from nexusnet.handshake.errors import HandshakeError


class Diversion(Protocol):
    """Uses a connection whose handshake is complete for something else, without I/O."""

    def handle_event(self, event: QuicEvent) -> None:
        """Take what happened on the connection."""

    @property
    def outcome(self) -> HandshakeError | None:
        """Why there is no tunnel, once it is through and has closed the connection."""
