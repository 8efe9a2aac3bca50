# SPDX-License-Identifier: BSD-3-Clause
"""A page loaded as a browser loads it: what becomes of a connection that was relayed to a site.

HTTP/3 (RFC 9114) by aioquic: control and QPACK streams, one GET, the answer read up to a limit and
thrown away, a close without error. Without I/O.
"""

import logging
from typing import Final

from aioquic.h3.connection import ErrorCode, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import QuicEvent, StreamReset

from nexusnet.handshake.errors import HandshakeError

logger = logging.getLogger(__name__)

MAX_PAGE: Final = 262_144
"""Bytes of the answer that are read, more than enough for a front page's HTML."""

USER_AGENT: Final = (
    b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    b" Chrome/156.0.0.0 Safari/537.36"
)
ACCEPT: Final = (
    b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
    b"*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
)
BROWSER_HEADERS: Final = (
    (b"sec-ch-ua", b'"Chromium";v="156", "Not_A Brand";v="24"'),
    (b"sec-ch-ua-mobile", b"?0"),
    (b"sec-ch-ua-platform", b'"Linux"'),
    (b"upgrade-insecure-requests", b"1"),
    (b"user-agent", USER_AGENT),
    (b"accept", ACCEPT),
    (b"sec-fetch-site", b"none"),
    (b"sec-fetch-mode", b"navigate"),
    (b"sec-fetch-user", b"?1"),
    (b"sec-fetch-dest", b"document"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"accept-language", b"en-US,en;q=0.9"),
    (b"priority", b"u=0, i"),
)


class Visit:
    """One GET of a site's front page.

    Attributes:
        status: of the answer; None before it came.
        received: bytes of its body so far.
        done: whether the connection was closed.
    """

    def __init__(self, quic: QuicConnection, authority: str, reason: HandshakeError) -> None:
        """Ask for the page.

        Args:
            quic: its handshake is complete, its protocol `h3`.
            authority: the site's name.
            reason: why the connection is no tunnel.
        """
        self.status: int | None = None
        self.received = 0
        self.done = False
        self._quic = quic
        self._reason = reason
        self._h3 = H3Connection(quic)
        self._stream_id = quic.get_next_available_stream_id()
        self._h3.send_headers(
            self._stream_id,
            [
                (b":method", b"GET"),
                (b":authority", authority.encode("ascii")),
                (b":scheme", b"https"),
                (b":path", b"/"),
                *BROWSER_HEADERS,
            ],
            end_stream=True,
        )

    @property
    def outcome(self) -> HandshakeError | None:
        """Why there is no tunnel, once the page was read."""
        return self._reason if self.done else None

    def handle_event(self, event: QuicEvent) -> None:
        """Take what happened on the connection."""
        if self.done:
            return
        try:
            answers = self._h3.handle_event(event)
        except Exception as error:  # noqa: BLE001 - whatever a site can do to aioquic ends the visit alone
            logger.info("visit ended by %s", type(error).__name__)
            self._finish()
            return
        for answer in answers:
            self._take(answer)
        if isinstance(event, StreamReset) and event.stream_id == self._stream_id:
            self._finish()

    def _take(self, answer: H3Event) -> None:
        ended = False
        if isinstance(answer, HeadersReceived):
            status = dict(answer.headers).get(b":status", b"")
            # RFC 9110 section 15.2: interim answers come before the final one.
            if self.status is None or self.status < 200:
                self.status = int(status) if status.isdigit() else None
            ended = answer.stream_ended
        elif isinstance(answer, DataReceived):
            self.received += len(answer.data)
            ended = answer.stream_ended
        if ended or self.received >= MAX_PAGE:
            self._finish()

    def _finish(self) -> None:
        if not self.done:
            self.done = True
            self._quic.close(error_code=ErrorCode.H3_NO_ERROR)
