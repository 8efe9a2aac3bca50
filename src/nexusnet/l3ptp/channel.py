# SPDX-License-Identifier: BSD-3-Clause
"""Control messages over lossy DATAGRAMs: each arrives once and in order, or the peer is given up.

Message IDs rise by one. The receiver acknowledges at once, delivers in order, and keeps up to a
window of messages that came early. The sender keeps a window of messages under way, each with its
own timer: RTT estimate and timeout as in RFC 6298, doubled with every attempt, samples taken only
from messages sent once (Karn).
"""

import enum
from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

from nexusnet.l3ptp.errors import (
    InvalidMessageError,
    MalformedError,
    QueueFullError,
    UnknownCriticalError,
)
from nexusnet.l3ptp.messages import (
    SACK_BITS,
    Ack,
    Message,
    Refused,
    decode_message,
    encode_message,
)

WINDOW: Final = SACK_BITS
"""Messages under way at once."""

QUEUE_MAX: Final = 256
"""Messages under way or waiting."""

INITIAL_RTT: Final = 0.333
"""Seconds, before anything is known (RFC 9002 section 6.2.2)."""

MIN_TIMEOUT: Final = 0.1
MAX_TIMEOUT: Final = 8.0
"""Seconds between two attempts."""

GIVE_UP_AFTER: Final = 30.0
"""Seconds without an acknowledgement after which the peer counts as gone."""


class Ignored(enum.Enum):
    """Why a received message had no effect; counted."""

    DUPLICATE = "duplicate"
    BEYOND_WINDOW = "beyond_window"
    UNKNOWN_TYPE = "unknown_type"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message arrived, in its turn.

    Attributes:
        message: what it says.
    """

    message: Message


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The peer has a message.

    Attributes:
        message_id: as `send` returned it.
    """

    message_id: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The peer acknowledges nothing any more; the channel has stopped.

    Attributes:
        message_id: the oldest that it does not acknowledge.
        attempts: how often it was sent.
    """

    message_id: int
    attempts: int


ChannelEvent = Delivered | Acknowledged | Unanswered


@dataclass(slots=True)
class _Outgoing:
    message_id: int
    data: bytes
    attempts: int = 0
    first_sent: float = 0.0
    due: float = 0.0


class ControlChannel:
    """Both directions of the control channel of one session.

    Attributes:
        ignored: received messages without effect, by reason.
        retransmissions: messages sent again.
        stopped: whether the peer was given up.
    """

    def __init__(
        self, *, initial_rtt: float = INITIAL_RTT, give_up_after: float = GIVE_UP_AFTER
    ) -> None:
        """Make a channel.

        Args:
            initial_rtt: seconds, as the handshake measured it.
            give_up_after: seconds without an acknowledgement after which the peer is given up.
        """
        self.ignored: Counter[Ignored] = Counter()
        self.retransmissions = 0
        self.stopped = False
        self._give_up_after = give_up_after
        self._smoothed = initial_rtt
        self._variation = initial_rtt / 2
        self._sampled = False
        self._next_id = 0
        self._waiting: deque[_Outgoing] = deque()
        self._in_flight: dict[int, _Outgoing] = {}
        self._next_expected = 0
        self._early: dict[int, Message | None] = {}
        self._ack_due = False
        self._heard = float("-inf")
        self._events: deque[ChannelEvent] = deque()

    @property
    def idle(self) -> bool:
        """Whether everything that was sent is acknowledged."""
        return not self._waiting and not self._in_flight

    @property
    def timeout(self) -> float:
        """Seconds after which a message is sent again for the first time."""
        return min(max(self._smoothed + 4 * self._variation, MIN_TIMEOUT), MAX_TIMEOUT)

    # Sending

    def send(self, message: Message) -> int:
        """Queue a message; `transmit` sends it.

        Args:
            message: any but `Ack`.

        Returns:
            Its ID, as `Acknowledged` will name it.

        Raises:
            InvalidMessageError: it has no encoding, or is an `Ack`.
            QueueFullError: too many are under way or waiting.
        """
        if isinstance(message, Ack):
            raise InvalidMessageError("the channel sends acknowledgements by itself")
        if len(self._waiting) + len(self._in_flight) >= QUEUE_MAX:
            raise QueueFullError(f"{QUEUE_MAX} control messages wait for the peer")
        message_id = self._next_id
        self._waiting.append(_Outgoing(message_id, encode_message(message, message_id)))
        self._next_id += 1
        return message_id

    def transmit(self, now: float) -> list[bytes]:
        """Return the control messages to send now: acknowledgement, repetitions, new ones.

        Args:
            now: seconds.
        """
        if self.stopped:
            return []
        out = []
        if self._ack_due:
            self._ack_due = False
            out.append(encode_message(self._acknowledgement(), 0))
        for outgoing in tuple(self._in_flight.values()):
            if outgoing.due > now:
                continue
            if now >= self._give_up_at(outgoing):
                self.stopped = True
                self._events.append(Unanswered(outgoing.message_id, outgoing.attempts))
                return out
            self.retransmissions += 1
            out.append(self._attempt(outgoing, now))
        # The window counts from the oldest unacknowledged message: the receiver keeps no more.
        while self._waiting and self._waiting[0].message_id <= self._window_end():
            outgoing = self._waiting.popleft()
            outgoing.first_sent = now
            self._in_flight[outgoing.message_id] = outgoing
            out.append(self._attempt(outgoing, now))
        return out

    def _window_end(self) -> int:
        oldest = min(self._in_flight, default=self._waiting[0].message_id)
        return oldest + WINDOW

    def _attempt(self, outgoing: _Outgoing, now: float) -> bytes:
        wait = min(self.timeout * 2**outgoing.attempts, MAX_TIMEOUT)
        outgoing.attempts += 1
        # Never later than the moment at which the peer is given up.
        outgoing.due = min(now + wait, self._give_up_at(outgoing))
        return outgoing.data

    def _give_up_at(self, outgoing: _Outgoing) -> float:
        return max(outgoing.first_sent, self._heard) + self._give_up_after

    def deadline(self) -> float | None:
        """Return when `transmit` is due without any input, in seconds; None for never."""
        if self.stopped:
            return None
        return min((outgoing.due for outgoing in self._in_flight.values()), default=None)

    @property
    def pending_output(self) -> bool:
        """Whether `transmit` has something to send at once."""
        if self.stopped:
            return False
        return self._ack_due or (
            bool(self._waiting) and self._waiting[0].message_id <= self._window_end()
        )

    # Receiving

    def receive(self, data: bytes, now: float) -> None:
        """Take a control message; `transmit` afterwards acknowledges it.

        Args:
            data: the payload of context 1.
            now: seconds.

        Raises:
            MalformedError: it is no control message, or acknowledges what was never sent.
            UnsupportedVersionError: it is of another version.
        """
        try:
            envelope = decode_message(data)
        except UnknownCriticalError as error:
            if self._accept(error.message_id, None):
                self.ignored[Ignored.REFUSED] += 1
                self._refuse(error)
            return
        message = envelope.message
        if isinstance(message, Ack):
            self._acknowledge(message, now)
            return
        if self._accept(envelope.message_id, message) and message is None:
            self.ignored[Ignored.UNKNOWN_TYPE] += 1

    def next_event(self) -> ChannelEvent | None:
        """Return what happened next, or None."""
        return self._events.popleft() if self._events else None

    def _refuse(self, error: UnknownCriticalError) -> None:
        # A peer that floods us with what we cannot read gets no answer beyond the queue.
        if len(self._waiting) + len(self._in_flight) < QUEUE_MAX:
            self.send(Refused(error.message_id, error.message_type, error.field))

    def _accept(self, message_id: int, message: Message | None) -> bool:
        """Record a message; return whether it is new."""
        if message_id > self._next_expected + SACK_BITS:
            # Not acknowledged: the sender has overrun its window and will repeat it.
            self.ignored[Ignored.BEYOND_WINDOW] += 1
            return False
        self._ack_due = True
        if message_id < self._next_expected or message_id in self._early:
            self.ignored[Ignored.DUPLICATE] += 1
            return False
        self._early[message_id] = message
        while self._next_expected in self._early:
            arrived = self._early.pop(self._next_expected)
            self._next_expected += 1
            if arrived is not None:
                self._events.append(Delivered(arrived))
        return True

    def _acknowledgement(self) -> Ack:
        beyond = sum(1 << (early - self._next_expected - 1) for early in self._early)
        return Ack(self._next_expected, beyond)

    def _acknowledge(self, ack: Ack, now: float) -> None:
        sent = self._next_id - len(self._waiting)
        # Bit n stands for the ID next_expected + 1 + n, so the highest bit for this one:
        highest = ack.next_expected + ack.beyond.bit_length()
        if ack.next_expected > sent or (ack.beyond and highest >= sent):
            raise MalformedError("an acknowledgement of control messages that were not sent")
        self._heard = now
        arrived = [
            message_id
            for message_id in self._in_flight
            if message_id < ack.next_expected
            or (
                message_id > ack.next_expected
                and ack.beyond >> (message_id - ack.next_expected - 1) & 1
            )
        ]
        for message_id in arrived:
            outgoing = self._in_flight.pop(message_id)
            if outgoing.attempts == 1:
                self._sample(now - outgoing.first_sent)
            self._events.append(Acknowledged(message_id))

    def _sample(self, rtt: float) -> None:
        # RFC 6298 section 2.
        if self._sampled:
            self._variation += (abs(self._smoothed - rtt) - self._variation) / 4
            self._smoothed += (rtt - self._smoothed) / 8
        else:
            self._sampled = True
            self._smoothed = rtt
            self._variation = rtt / 2
