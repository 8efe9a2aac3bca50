# SPDX-License-Identifier: BSD-3-Clause
"""One end of a tunnel's control: who may send IP packets, is the peer alive, who hung up.

    inactive --activate--> active --peer's READY--> open --CLOSE--> closed

Neither end sends IP packets (context 0) before the peer's READY, and READY is sent only once the
sender's data plane is active: so no packet meets a session that cannot take it.
"""

import contextlib
import enum
from collections import deque
from dataclasses import dataclass
from typing import Final

from nexusnet.l3ptp.channel import (
    GIVE_UP_AFTER,
    INITIAL_RTT,
    Acknowledged,
    ControlChannel,
    Delivered,
    Unanswered,
)
from nexusnet.l3ptp.context import Context, ContextDatagram
from nexusnet.l3ptp.errors import NotActiveError, QueueFullError
from nexusnet.l3ptp.messages import (
    VERSION,
    Close,
    CloseCode,
    Keepalive,
    Message,
    Ready,
    Refused,
)

KEEPALIVE_INTERVAL: Final = 15.0
"""Seconds of silence on the control channel after which the peer is asked for a sign of life."""


class LinkState(enum.Enum):
    """How far the link is."""

    INACTIVE = "inactive"
    ACTIVE = "active"
    OPEN = "open"
    CLOSED = "closed"


class CloseCause(enum.Enum):
    """Why a link is closed."""

    LOCAL = "local"
    PEER = "peer"
    UNRESPONSIVE = "unresponsive"
    INCOMPATIBLE = "incompatible"


@dataclass(frozen=True, slots=True)
class LinkOpen:
    """The peer is READY: IP packets may be sent."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """The peer sent a message that is not the link's own business.

    Attributes:
        message: capabilities, addresses, routes or MTU.
    """

    message: Message


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """The peer did not understand a message of ours, which had no effect there.

    Attributes:
        message_id: as `send` returned it.
        field: number of the field in question; None: the message as a whole.
    """

    message_id: int
    field: int | None


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """No more messages or packets.

    Attributes:
        cause: who or what closed it.
        code: the peer's `CloseCode` or another number; None where the peer did not say.
        reason: for people; may be empty.
    """

    cause: CloseCause
    code: int | None = None
    reason: str = ""


LinkEvent = LinkOpen | MessageReceived | MessageRefused | LinkClosed


class Link:
    """Drives the control channel of one session.

    Attributes:
        state: how far the link is.
        channel: what brings the messages across, with its counters.
    """

    def __init__(
        self,
        *,
        initial_rtt: float = INITIAL_RTT,
        keepalive: float | None = KEEPALIVE_INTERVAL,
        give_up_after: float = GIVE_UP_AFTER,
    ) -> None:
        """Make a link for a session that is not active yet.

        Args:
            initial_rtt: seconds, as the handshake measured it.
            keepalive: seconds of silence before a keepalive; None for none.
            give_up_after: seconds without an answer after which the peer counts as gone.
        """
        self.state = LinkState.INACTIVE
        self.channel = ControlChannel(initial_rtt=initial_rtt, give_up_after=give_up_after)
        self._keepalive = keepalive
        self._last_heard = 0.0
        self._asked = False
        self._peer_ready = False
        self._events: deque[LinkEvent] = deque()

    @property
    def may_send_packets(self) -> bool:
        """Whether IP packets (context 0) may be sent."""
        return self.state is LinkState.OPEN

    def activate(self, now: float) -> None:
        """Tell that the data plane takes packets of this session; READY goes out.

        Args:
            now: seconds.
        """
        if self.state is not LinkState.INACTIVE:
            return
        self.state = LinkState.ACTIVE
        self._last_heard = now
        self.channel.send(Ready((VERSION,)))
        self._open_when_both_ready()

    def send(self, message: Message) -> int:
        """Queue a message after READY; `transmit` sends it.

        Args:
            message: capabilities, addresses, routes or MTU.

        Returns:
            Its ID.

        Raises:
            NotActiveError: before `activate`, or after the link was closed.
            InvalidMessageError: it has no encoding.
            QueueFullError: too many wait already.
        """
        if self.state not in {LinkState.ACTIVE, LinkState.OPEN}:
            raise NotActiveError(f"the link is {self.state.value}")
        return self.channel.send(message)

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Hang up: `transmit` sends CLOSE until it is acknowledged or the session is deleted.

        Args:
            code: why.
            reason: for people, up to 256 bytes.

        Raises:
            InvalidMessageError: the reason is too long.
        """
        if self.state in {LinkState.ACTIVE, LinkState.OPEN}:
            farewell = Close(code, reason)
            # With a full queue the peer hears of it by QUIC's CONNECTION_CLOSE alone.
            with contextlib.suppress(QueueFullError):
                self.channel.send(farewell)
            self._end(LinkClosed(CloseCause.LOCAL, code, reason))
        else:
            self.state = LinkState.CLOSED

    def receive(self, data: bytes, now: float) -> None:
        """Take the payload of a context 1 datagram; `transmit` afterwards.

        Before `activate` it is kept and answered later.

        Args:
            data: the payload.
            now: seconds.

        Raises:
            MalformedError: the peer broke the protocol.
            UnsupportedVersionError: the peer's version is not understood.
        """
        self.channel.receive(data, now)
        self._last_heard = now
        self._collect(now)

    def transmit(self, now: float) -> list[bytes]:
        """Return the DATAGRAM payloads to send now, context ID and all.

        Args:
            now: seconds.
        """
        if self.state is LinkState.INACTIVE:
            return []
        due = self._keepalive_due()
        if due is not None and now >= due:
            self._asked = True
            self.channel.send(Keepalive())
        payloads = self.channel.transmit(now)
        self._collect(now)
        return [ContextDatagram(Context.CONTROL, payload).encode() for payload in payloads]

    def deadline(self) -> float | None:
        """Return when `transmit` is due without any input, in seconds; None for never."""
        if self.state is LinkState.INACTIVE:
            return None
        times = (self.channel.deadline(), self._keepalive_due())
        return min((time for time in times if time is not None), default=None)

    def next_event(self) -> LinkEvent | None:
        """Return what happened next, or None."""
        return self._events.popleft() if self._events else None

    def _keepalive_due(self) -> float | None:
        if self._keepalive is None or self._asked or self.state is LinkState.CLOSED:
            return None
        # Whatever is under way is answered as well as a keepalive would be.
        if not self.channel.idle:
            return None
        return self._last_heard + self._keepalive

    def _end(self, event: LinkClosed) -> None:
        if self.state is not LinkState.CLOSED:
            self.state = LinkState.CLOSED
            self._events.append(event)

    def _collect(self, now: float) -> None:
        while (event := self.channel.next_event()) is not None:
            if isinstance(event, Acknowledged):
                self._last_heard = now
                self._asked = self._asked and not self.channel.idle
            elif isinstance(event, Unanswered):
                self._end(LinkClosed(CloseCause.UNRESPONSIVE))
            elif isinstance(event, Delivered):
                self._handle(event.message)

    def _open_when_both_ready(self) -> None:
        if self._peer_ready and self.state is LinkState.ACTIVE:
            self.state = LinkState.OPEN
            self._events.append(LinkOpen())

    def _handle(self, message: Message) -> None:
        if self.state is LinkState.CLOSED:
            return
        if isinstance(message, Ready):
            if VERSION in message.versions:
                self._peer_ready = True
                self._open_when_both_ready()
            else:
                self._end(LinkClosed(CloseCause.INCOMPATIBLE))
        elif isinstance(message, Close):
            self._end(LinkClosed(CloseCause.PEER, message.code, message.reason))
        elif isinstance(message, Refused):
            self._events.append(MessageRefused(message.message_id, message.field))
        elif not isinstance(message, Keepalive):
            self._events.append(MessageReceived(message))
