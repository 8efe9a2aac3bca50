# SPDX-License-Identifier: BSD-3-Clause
"""Events of the kernel on their way to the agent: each once, in order, and none missing.

State events may be lost (ENOBUFS). Then the sessions are dumped and compared with what the agent
was told, and what it missed is made up from the difference. Events with an id stay in the kernel
until they are acknowledged; where one is missing, the kernel is asked for all of them again.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nexusnet.netlink.generated import (
    ABI_VERSION,
    DownReason,
    Event,
    EventAttributes,
    KeyUpdateCause,
    MainAttributes,
    SessionAttributes,
    SessionState,
)
from nexusnet.netlink.messages import Message
from nexusnet.session import SessionRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nexusnet.dataplane.protocol import SessionStatus
    from nexusnet.session import Session

LIVING = frozenset({SessionState.HOLD, SessionState.ACTIVE})


@dataclass(slots=True)
class Told:
    """What the agent knows of a session.

    Attributes:
        generation: of the object.
        state: of the session.
        keys: generation of the keys in use.
        laid: generation of the newest keys that were installed; None: the kernel derives them.
        datagram_size: of the path.
        newest: id of the last event that was passed on.
        any_id: the next event with an id need not be the one after `newest`.
    """

    generation: int
    state: SessionState = SessionState.HOLD
    keys: int = 0
    laid: int | None = None
    datagram_size: int = 0
    newest: int = 0
    any_id: bool = False


class EventBook:
    """Queue of events, and what the agent was told by them. Its methods may be called anywhere."""

    def __init__(self, on_gap: Callable[[], None]) -> None:
        """Begin empty.

        Args:
            on_gap: told that an event with an id is missing.
        """
        self._on_gap = on_gap
        self._lock = threading.Lock()  # guards the queue and `_told`
        self._queue: deque[Message] = deque()
        self._told: dict[SessionRef, Told] = {}
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Readable while events wait."""
        return self._wake

    def close(self) -> None:
        """Forget everything."""
        os.close(self._wake)

    # What the agent does

    def added(self, session: Session) -> None:
        """A session was installed."""
        with self._lock:
            self._told[session.ref] = Told(session.generation, datagram_size=session.datagram_size)

    def adopted(self, status: SessionStatus) -> None:
        """A session was found, whose events begin anywhere."""
        with self._lock:
            self._told[status.ref] = Told(
                status.generation,
                status.state,
                keys=status.key_generation,
                datagram_size=status.datagram_size,
                any_id=True,
            )

    def activated(self, ref: SessionRef, keys: int, laid: int | None) -> None:
        """A session got its keys; both as in :class:`Told`."""
        with self._lock:
            if ref in self._told:
                told = self._told[ref]
                told.laid, told.keys = laid, max(told.keys, keys)

    def keys_laid(self, ref: SessionRef, generation: int) -> None:
        """Keys of a next generation were installed."""
        with self._lock:
            if ref in self._told:
                self._told[ref].laid = generation

    def keys_of(self, ref: SessionRef) -> int | None:
        """Generation of the keys of a session that lives, else None."""
        with self._lock:
            told = self._told.get(ref)
            return told.keys if told is not None and told.state in LIVING else None

    def refs(self) -> frozenset[SessionRef]:
        """All sessions whose end has not been told."""
        with self._lock:
            return frozenset(self._told)

    def take(self) -> list[Message]:
        """All events that wait; never blocks."""
        with self._lock:
            try:
                os.eventfd_read(self._wake)
            except BlockingIOError:
                return []
            taken = list(self._queue)
            self._queue.clear()
            return taken

    # What the kernel does

    def receive(self, message: Message) -> None:
        """An event of the kernel."""
        session = message.attributes.session
        with self._lock:
            if session is None or session.device_id is None or session.id is None:
                self._pass_on(message)
                return
            ref = SessionRef(session.device_id, session.id)
            told = self._told.get(ref)
            if told is None:
                # Not of ours, or its end was told already.
                return
            if message.to_be_acknowledged:
                gap = not self._in_order(told, message)
            else:
                gap = False
                self._note(ref, told, message)
                self._pass_on(message)
        if gap:
            self._on_gap()

    def _in_order(self, told: Told, message: Message) -> bool:
        event = message.attributes.event
        number = event.id if event is not None and event.id is not None else 0
        if number <= told.newest:
            return True  # sent again, although it had arrived
        if number > told.newest + 1 and not told.any_id:
            return False
        told.newest, told.any_id = number, False
        self._pass_on(message)
        return True

    def _note(self, ref: SessionRef, told: Told, message: Message) -> None:
        session, event = message.attributes.session, message.attributes.event
        if session is not None and session.generation is not None:
            told.generation = max(told.generation, session.generation)
        match message.code:
            case Event.SESSION_UP:
                told.state = SessionState.ACTIVE
            case Event.SESSION_DOWN:
                del self._told[ref]
            case Event.KEY_UPDATE_DONE if event is not None and event.key_generation is not None:
                told.keys = event.key_generation
            case Event.PATH_MTU_CHANGED if event is not None:
                told.datagram_size = event.datagram_size or told.datagram_size
            case _:
                pass

    def _pass_on(self, message: Message) -> None:
        self._queue.append(message)
        os.eventfd_write(self._wake, 1)

    # Resynchronisation

    def sent_again(self) -> None:
        """The kernel sends the events with an id again: the oldest one comes first."""
        with self._lock:
            for told in self._told.values():
                told.any_id = True

    def compare(self, before: frozenset[SessionRef], found: Iterable[SessionStatus]) -> None:
        """Make up what the agent missed.

        Args:
            before: sessions that the agent knew when the dump began; those that it added later may
                not be in it.
            found: the dump.
        """
        now = {status.ref: status for status in found}
        with self._lock:
            for ref in before & self._told.keys():
                told, status = self._told[ref], now.get(ref)
                for message in missed(ref, told, status):
                    self._note(ref, told, message)
                    self._pass_on(message)


def missed(ref: SessionRef, told: Told, status: SessionStatus | None) -> Iterable[Message]:
    """The events that lead from what was told to what is; `status` None: the session is gone."""

    def message(code: Event, event: EventAttributes, state: SessionState | None = None) -> Message:
        session = SessionAttributes(
            device_id=ref.device_id,
            id=ref.id,
            generation=told.generation if status is None else status.generation,
            state=state,
        )
        attributes = MainAttributes(abi_version=ABI_VERSION, session=session, event=event)
        return Message(code, attributes)

    if status is None or status.state not in LIVING:
        # Why it ended was in the event that was lost.
        facts = EventAttributes(
            down_reason=DownReason.INTERNAL_ERROR, message="its end was told in a lost event"
        )
        yield message(Event.SESSION_DOWN, facts, None if status is None else status.state)
        return
    if told.state is SessionState.HOLD and status.state is SessionState.ACTIVE:
        yield message(Event.SESSION_UP, EventAttributes())
    if status.key_generation > told.keys:
        yield message(Event.KEY_UPDATE_DONE, EventAttributes(key_generation=status.key_generation))
    if told.laid is not None and told.laid <= status.key_generation:
        yield message(
            Event.KEY_UPDATE_NEEDED,
            EventAttributes(
                key_update_cause=KeyUpdateCause.NEXT_KEYS_MISSING,
                key_generation=status.key_generation,
            ),
        )
    if status.datagram_size != told.datagram_size:
        facts = EventAttributes(datagram_size=status.datagram_size, mtu=status.mtu)
        yield message(Event.PATH_MTU_CHANGED, facts)
