# SPDX-License-Identifier: BSD-3-Clause
"""The two netlink sockets of the kernel data plane, in a thread of their own.

One asks; the other is the owner of devices and hears events. So an answer is never behind events,
and the owner's port stays the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from nexusnet.dataplane.kernel_events import EventBook
from nexusnet.dataplane.kernel_objects import dump_of_device, session_status
from nexusnet.dataplane.loop_thread import LoopThread
from nexusnet.dataplane.protocol import DataPlaneError
from nexusnet.netlink import convert
from nexusnet.netlink.connection import Connection
from nexusnet.netlink.extack import NetlinkRefusedError
from nexusnet.netlink.family import Family, find_family
from nexusnet.netlink.generated import ABI_VERSION, CapsAttributes, Command
from nexusnet.netlink.wire import NetlinkFormatError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from nexusnet.netlink.messages import Message, Request
    from nexusnet.session import SessionRef

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

KEY_UPDATE_INTERVAL: Final = 0.05
"""Seconds between attempts at a key update that is not allowed yet."""

# Where the netlink ABI and the contract of data planes name one fact by two numbers.
CONTRACT: Final = {
    (Command.ADD_SESSION, errno.ENOENT): errno.ENODEV,
    (Command.ACTIVATE_SESSION, errno.EBUSY): errno.EALREADY,
    (Command.SET_KEYS, errno.EBUSY): errno.ENOTCONN,
    (Command.KEY_UPDATE, errno.EBUSY): errno.ENOTCONN,
    (Command.SEND_FRAMES, errno.EBUSY): errno.ENOTCONN,
    (Command.SEND_DATAGRAM, errno.EBUSY): errno.ENOTCONN,
    (Command.SEND_FRAMES, errno.ENOBUFS): errno.ENOSPC,
    (Command.SEND_DATAGRAM, errno.ENOBUFS): errno.ENOSPC,
}


class KernelRefusedError(DataPlaneError):
    """The kernel refused a call.

    Attributes:
        message: of the extended acknowledgement; None without one.
        attribute: that is to blame, as in "session.local_cid"; None where no one is.
    """

    def __init__(self, what: str, command: Command, error: NetlinkRefusedError) -> None:
        number = error.errno or errno.EIO
        number = CONTRACT.get((command, number), number)
        self.message = error.message
        self.attribute = error.attribute
        super().__init__(number, f"{what}: {error.words('refused by the kernel')}")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Sockets that are open already, for tests: who asks, who owns and by which port."""

    family: Family
    requests: socket.socket
    events: socket.socket
    owner_port: int


class KernelLink:
    """Carries requests to the kernel and events back, see the module.

    Attributes:
        book: the events.
        owner_port: netlink port that owns our devices.
    """

    def __init__(self, prepared: Prepared | None = None) -> None:
        """Open the sockets; `adopt_again_by` belongs to it.

        Raises:
            DataPlaneError: there is no module, no permission, or it speaks another ABI.
        """
        self.owner_port = 0
        self._resync: asyncio.Task[None] | None = None
        self._updates: dict[SessionRef, asyncio.Task[None]] = {}
        self._adopt_again: Callable[[], list[Request]] = list
        self._thread = LoopThread("nexus-netlink")
        self.book = EventBook(self.lost_something)
        try:
            self._call(self._open(prepared), "netlink")
        except BaseException:
            self.close()
            raise

    async def _open(self, prepared: Prepared | None) -> None:
        family = await find_family() if prepared is None else prepared.family
        if family is None:
            raise DataPlaneError(errno.ENOENT, "the module nexus_quic_dco is not loaded")
        self._requests = Connection(family.number)
        self._events = Connection(
            family.number, on_event=self.book.receive, on_overrun=self.lost_something
        )
        await self._requests.open(prepared.requests if prepared else None)
        await self._events.open(prepared.events if prepared else None)
        self.owner_port = self._events.port if prepared is None else prepared.owner_port
        if prepared is None:
            self._events.subscribe(family.group)
        self.caps = await self._capabilities()

    async def _capabilities(self) -> CapsAttributes:
        (answer,) = await self._requests.ask(convert.get_caps())
        caps = answer.attributes.caps
        low, high = (caps.abi_min or 0, caps.abi_max or 0) if caps else (0, 0)
        if caps is None or not low <= ABI_VERSION <= high:
            raise DataPlaneError(
                errno.EPROTONOSUPPORT, f"the module speaks ABI {low} to {high}, not {ABI_VERSION}"
            )
        return caps

    def close(self) -> None:
        """Close the sockets; the kernel notices that the owner of its devices is gone."""

        async def end() -> None:
            for name in ("_requests", "_events"):
                connection: Connection | None = getattr(self, name, None)
                if connection is not None:
                    connection.close()

        with contextlib.suppress(OSError):  # closed before
            self._thread.call(end())
        self._thread.close()

    # Requests

    def ask(
        self, what: str, make: Callable[P, Request], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Message, ...]:
        """Send a request and return its answers.

        Args:
            what: it is about, for messages.
            make: makes the request; its encoded bytes are wiped.
            *args: of `make`.
            **kwargs: of `make`.

        Raises:
            DataPlaneError: the kernel refused or did not answer, or the request is no legal one.
        """
        return self._call(self._ask(self._requests, what, make, *args, **kwargs), what)

    def ask_as_owner(
        self, what: str, make: Callable[P, Request], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Message, ...]:
        """As `ask`, from the socket that is to own the device."""
        return self._call(self._ask(self._events, what, make, *args, **kwargs), what)

    @staticmethod
    async def _ask(
        connection: Connection,
        what: str,
        make: Callable[P, Request],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> tuple[Message, ...]:
        request = make(*args, **kwargs)
        try:
            return await connection.ask(request)
        except NetlinkRefusedError as error:
            raise KernelRefusedError(what, request.command, error) from error

    def _call(self, work: Coroutine[Any, Any, T], what: str) -> T:
        try:
            return self._thread.call(work)
        except DataPlaneError:
            raise
        except NetlinkFormatError as error:
            raise DataPlaneError(errno.EINVAL, f"{what}: {error}") from error
        except OSError as error:
            text = f"{what}: {error.strerror or error}"
            raise DataPlaneError(error.errno or errno.EIO, text) from error

    # Key updates

    def update_keys(self, ref: SessionRef) -> None:
        """Start a key update, or try again until it is allowed (RFC 9001 section 6.1).

        Raises:
            DataPlaneError: the session is not active, or there are no keys to change to.
        """
        try:
            self.ask(f"session {ref.id}", convert.key_update, ref)
        except KernelRefusedError as error:
            if error.errno != errno.EAGAIN:
                raise
            self._thread.loop.call_soon_threadsafe(self._begin_update, ref)

    def _begin_update(self, ref: SessionRef) -> None:
        if ref not in self._updates:
            task = self._thread.loop.create_task(self._update_when_allowed(ref))
            self._updates[ref] = task
            task.add_done_callback(lambda _: self._updates.pop(ref, None))

    async def _update_when_allowed(self, ref: SessionRef) -> None:
        former = self.book.keys_of(ref)
        while former is not None:
            await asyncio.sleep(KEY_UPDATE_INTERVAL)
            # The peer may have been faster, or the session is over.
            if self.book.keys_of(ref) != former:
                return
            try:
                await self._requests.ask(convert.key_update(ref))
            except NetlinkRefusedError as error:
                if error.errno == errno.EAGAIN:
                    continue
                logger.info("a key update is refused: %s", error.strerror)
            except OSError:
                logger.exception("a key update cannot be asked for")
            return

    # What was lost

    def adopt_again_by(self, requests: Callable[[], list[Request]]) -> None:
        """Say how events with an id are asked for again: by adopting our devices once more."""
        self._adopt_again = requests

    def lost_something(self) -> None:
        """Events were lost: find out what, in the link's thread."""
        if self._resync is None or self._resync.done():
            self._resync = self._thread.loop.create_task(self._resynchronise())

    async def _resynchronise(self) -> None:
        logger.warning("events of the kernel were lost: comparing with its objects")
        try:
            before = self.book.refs()
            dump = await self._requests.ask(dump_of_device(Command.GET_SESSION, None))
            self.book.compare(before, [session_status(message) for message in dump])
            self.book.sent_again()
            for request in self._adopt_again():
                await self._events.ask(request)
        except (NetlinkFormatError, OSError):
            logger.exception("the kernel's objects cannot be compared with")
