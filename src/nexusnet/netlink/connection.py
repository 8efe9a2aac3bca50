# SPDX-License-Identifier: BSD-3-Clause
"""One generic netlink socket: requests and their answers, and what comes unasked.

pyroute2 opens the socket and carries the bytes; what they mean is `codec` and `messages`. One
request is under way at a time, since a socket has room for one dump only.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import struct
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pyroute2.netlink import NETLINK_GENERIC, NLMSG_DONE, NLMSG_ERROR
from pyroute2.netlink.nlsocket import AsyncNetlinkSocket

from nexusnet.netlink.extack import refusal
from nexusnet.netlink.messages import (
    DumpInterruptedError,
    Message,
    Request,
    check_dump_part,
    decode_message,
)
from nexusnet.netlink.wire import NetlinkFormatError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

HEADER: Final = struct.Struct("=IHHII")
SOL_NETLINK: Final = 270
NETLINK_CAP_ACK: Final = 10
PATIENCE: Final = 10.0
"""Seconds that an answer may take: the kernel answers before the request's system call returns."""

DUMP_ATTEMPTS: Final = 20
KERNEL: Final = 0
"""Port of the sender of all that is believed."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One netlink message: type, flags, sequence number, and what follows the header."""

    kind: int
    flags: int
    sequence: int
    payload: memoryview = field(repr=False)


def split(data: bytes) -> Iterator[Packet]:
    """The messages of a datagram; what is truncated ends it."""
    view = memoryview(data)
    while len(view) >= HEADER.size:
        length, kind, flags, sequence, _ = HEADER.unpack_from(view)
        if not HEADER.size <= length <= len(view):
            logger.error("a truncated netlink message of the kernel is dropped")
            return
        yield Packet(kind, flags, sequence, view[HEADER.size : length])
        view = view[(length + 3) & ~3 :]


class _Receiver(asyncio.DatagramProtocol):
    """Hands datagrams of the kernel and the socket's errors on."""

    def __init__(
        self, on_packet: Callable[[Packet], None], on_error: Callable[[OSError], None]
    ) -> None:
        self._on_packet = on_packet
        self._on_error = on_error

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if addr and addr[0] != KERNEL:  # any process may send to a netlink socket
            return
        for packet in split(data):
            self._on_packet(packet)

    def error_received(self, exc: Exception) -> None:
        self._on_error(exc if isinstance(exc, OSError) else OSError(errno.EIO, str(exc)))


class _Socket(AsyncNetlinkSocket):  # type: ignore[misc]  # pyroute2 has no types
    """pyroute2's socket, whose datagrams go to our receiver instead of its marshal."""

    def __init__(self, receiver: _Receiver, prepared: socket.socket | None) -> None:
        self._receiver = receiver
        super().__init__(family=NETLINK_GENERIC, ext_ack=True, use_socket=prepared)

    async def setup_endpoint(self) -> None:
        if getattr(self.local, "transport", None) is not None:
            return
        self.local.transport, self.local.protocol = await self.event_loop.create_datagram_endpoint(
            lambda: self._receiver, sock=self.socket
        )


@dataclass(slots=True)
class _Exchange:
    """A request that waits for its answers."""

    request: bytearray
    sequence: int
    done: asyncio.Future[None]
    messages: list[Message] = field(default_factory=list)
    interrupted: bool = False


class Connection:
    """A netlink socket of the family, in the network namespace of the thread that opened it.

    Attributes:
        port: its netlink port; owners are named by it.
    """

    def __init__(
        self,
        family: int,
        *,
        on_event: Callable[[Message], None] | None = None,
        on_overrun: Callable[[], None] | None = None,
    ) -> None:
        """Prepare; `open` opens the socket.

        Args:
            family: number of the generic netlink family.
            on_event: told what the kernel sends unasked.
            on_overrun: told that some of that was lost (ENOBUFS).
        """
        self.port = 0
        self._family = family
        self._on_event = on_event
        self._on_overrun = on_overrun
        self._socket: Any = None
        self._sequence = 0
        self._turn = asyncio.Lock()
        self._exchange: _Exchange | None = None

    async def open(self, prepared: socket.socket | None = None) -> None:
        """Open and bind the socket.

        Args:
            prepared: an open socket that takes its place, for tests.

        Raises:
            OSError: there is no socket to be had.
        """
        self._receiver = _Receiver(self._received, self._failed)
        made = _Socket(self._receiver, prepared)
        if prepared is None:
            # Port 0: the kernel chooses one that is free. Requests are not echoed in refusals:
            # there they would put keys into one more buffer.
            made.socket.bind((0, 0))
            made.socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
            self.port = int(made.socket.getsockname()[0])
        await made.setup_endpoint()
        self._socket = made

    def subscribe(self, group: int) -> None:
        """Join a multicast group.

        Raises:
            PermissionError: no CAP_NET_ADMIN in the namespace.
        """
        self._socket.add_membership(group)

    def close(self) -> None:
        """Close the socket; who waits for an answer is told so."""
        if self._socket is not None:
            self._fail(OSError(errno.ENOTCONN, "the netlink socket is closed"))
            self._socket.close()
            self._socket = None

    async def ask(self, request: Request) -> tuple[Message, ...]:
        """Send a request and return its answers; a dump that was interrupted is made again.

        The encoded request is wiped.

        Raises:
            NetlinkFormatError: the request is not what the ABI allows.
            NetlinkRefusedError: the kernel refused.
            OSError: no answer in time, or the socket failed.
        """
        for _ in range(DUMP_ATTEMPTS):
            try:
                return await self._once(request)
            except DumpInterruptedError:
                continue
        raise OSError(errno.EINTR, "the kernel's objects change too fast for a dump")

    async def _once(self, request: Request) -> tuple[Message, ...]:
        async with self._turn:
            if self._socket is None:
                raise OSError(errno.ENOTCONN, "the netlink socket is closed")
            exchange = self._prepare(request)
            try:
                self._exchange = exchange
                self._socket.socket.send(exchange.request)
                async with asyncio.timeout(PATIENCE):
                    await exchange.done
            except TimeoutError as error:
                raise OSError(errno.ETIMEDOUT, "the kernel does not answer") from error
            finally:
                self._exchange = None
                exchange.request[:] = bytes(len(exchange.request))
            if exchange.interrupted:
                raise DumpInterruptedError
            return tuple(exchange.messages)

    def _prepare(self, request: Request) -> _Exchange:
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        body = request.encode()
        whole = bytearray(
            HEADER.pack(
                HEADER.size + len(body), self._family, request.flags, self._sequence, self.port
            )
        )
        whole += body
        body[:] = bytes(len(body))
        return _Exchange(whole, self._sequence, asyncio.get_running_loop().create_future())

    def _received(self, packet: Packet) -> None:
        exchange = self._exchange
        if packet.sequence == 0 and packet.kind == self._family:
            self._receive_event(packet)
        elif exchange is None or packet.sequence != exchange.sequence or exchange.done.done():
            logger.debug("a late answer of the kernel is dropped")
        else:
            try:
                self._receive_answer(exchange, packet)
            except (NetlinkFormatError, OSError) as error:
                exchange.done.set_exception(error)

    def _receive_event(self, packet: Packet) -> None:
        try:
            message = decode_message(packet.payload)
        except NetlinkFormatError:
            logger.exception("an event of the kernel makes no sense")
            return
        if self._on_event is not None:
            self._on_event(message)

    @staticmethod
    def _receive_answer(exchange: _Exchange, packet: Packet) -> None:
        try:
            check_dump_part(packet.flags)
        except DumpInterruptedError:
            exchange.interrupted = True
        if packet.kind not in {NLMSG_ERROR, NLMSG_DONE}:
            exchange.messages.append(decode_message(packet.payload))
            return
        code = int.from_bytes(packet.payload[:4], sys.byteorder, signed=True)
        if code < 0:
            # An error is followed by the request's header, the end of a dump is not.
            skip = 4 + HEADER.size if packet.kind == NLMSG_ERROR else 4
            raise refusal(code, packet.payload[skip:], exchange.request)
        exchange.done.set_result(None)

    def _failed(self, error: OSError) -> None:
        if error.errno == errno.ENOBUFS and self._on_overrun is not None:
            self._on_overrun()
            return
        self._fail(error)

    def _fail(self, error: OSError) -> None:
        if self._exchange is not None and not self._exchange.done.done():
            self._exchange.done.set_exception(error)
