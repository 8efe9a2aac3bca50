# SPDX-License-Identifier: BSD-3-Clause
"""The relay's edge: a connected UDP socket towards the camouflage target for each flow.

It copies datagrams and ECN codepoints, never fragments (DF is set), and decides nothing.
"""

import ipaddress
import logging
import select
import socket
from collections.abc import Callable
from typing import Final

from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.datagram import Address
from nexusnet.handshake.reader import Reader, never_rest
from nexusnet.handshake.udp import (
    MAX_UDP_PAYLOAD,
    UdpSocket,
    ecn_record,
    normal_address,
    read_ecn,
    set_path_options,
    socket_address,
)

logger = logging.getLogger(__name__)

BATCH: Final = 32
"""Datagrams read from one flow's socket before the others have their turn."""

READY: Final = 128
"""Flows whose sockets are read before other work has its turn."""

FLOW_BUFFER: Final = 256 * 1024
"""Receive buffer in bytes of a flow: kernel memory, for strangers."""

ANCILLARY_SIZE: Final = socket.CMSG_SPACE(4)
"""Room for an ECN codepoint."""

SO_MARK: Final = getattr(socket, "SO_MARK", 36)


def is_same_port(local: Address, target: Address) -> bool:
    """Whether a target is the very port that a server listens on: datagrams would go in circles."""
    local, target = normal_address(local), normal_address(target)
    if local[1] != target[1]:
        return False
    if not ipaddress.ip_address(local[0].partition("%")[0]).is_unspecified:
        return local == target
    try:
        # Only addresses of this machine can be bound.
        UdpSocket.bind((target[0], 0)).close()
    except OSError:
        return False
    return True


class RelaySockets:
    """Ports towards the target, in the running event loop; an `Upstream`."""

    def __init__(
        self,
        target: Address,
        deliver: Callable[[int, bytes, Ecn], None],
        flush: Callable[[], None],
        *,
        mark: int | None = None,
        rest: Callable[[], float] = never_rest,
    ) -> None:
        """Make an edge without flows.

        Args:
            target: IP address and port of the camouflage target.
            deliver: takes a datagram of the target, with the number of the flow.
            flush: called after some were delivered.
            mark: of the packets.
            rest: see `Reader`.

        Raises:
            ValueError: `target` is no IP address.
        """
        target = normal_address(target)
        self._is_v6 = ipaddress.ip_address(target[0].partition("%")[0]).version == 6
        self._target = socket_address(target, is_v6=self._is_v6)
        self._deliver = deliver
        self._flush = flush
        self._mark = mark
        self._sockets: dict[int, socket.socket] = {}
        self._numbers: dict[int, int] = {}
        # One of our own: a flow costs it one system call, and the event loop none.
        self._epoll = select.epoll()
        self._reader = Reader(self._epoll.fileno(), self._readable, rest)
        self._failing = False

    def __len__(self) -> int:
        return len(self._sockets)

    def open(self, number: int) -> None:
        """Open a port for a flow, see `Upstream`."""
        try:
            sock = self._connect()
        except OSError as error:
            # Out of descriptors or memory, or no route: the flow's datagrams are lost, as on a bad
            # network. Said once, not for every stranger.
            log = logger.debug if self._failing else logger.warning
            log("no socket towards the camouflage target: %s", error)
            self._failing = True
            return
        self._failing = False
        self._sockets[number] = sock
        self._numbers[sock.fileno()] = number

    def _connect(self) -> socket.socket:
        family = socket.AF_INET6 if self._is_v6 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            set_path_options(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, FLOW_BUFFER)
            if self._mark is not None:
                sock.setsockopt(socket.SOL_SOCKET, SO_MARK, self._mark)
            # Connected: nobody but the target can answer.
            sock.connect(self._target)
            self._epoll.register(sock, select.EPOLLIN)
        except OSError:
            sock.close()
            raise
        return sock

    def send(self, number: int, data: bytes, ecn: Ecn) -> None:
        """Send a datagram to the target, see `Upstream`."""
        sock = self._sockets.get(number)
        if sock is None:
            return
        try:
            if ecn is Ecn.NOT_ECT:
                sock.send(data)
            else:
                sock.sendmsg([data], [ecn_record(ecn, is_v4=not self._is_v6)])
        except (BlockingIOError, ConnectionRefusedError):
            return
        except OSError as error:
            # Too large for the path, or no route: lost, as at any router.
            logger.debug("not relayed: %s", error)

    def close(self, number: int) -> None:
        """Close the port of a flow, see `Upstream`."""
        sock = self._sockets.pop(number, None)
        if sock is not None:
            del self._numbers[sock.fileno()]
            sock.close()

    def close_all(self) -> None:
        """Close all ports; none can be opened afterwards."""
        for number in tuple(self._sockets):
            self.close(number)
        self._reader.close()
        self._epoll.close()

    def _readable(self) -> None:
        for fd, _ in self._epoll.poll(0, READY):
            number = self._numbers.get(fd)
            if number is not None:
                self._read(number)
        self._flush()

    def _read(self, number: int) -> None:
        for _ in range(BATCH):
            # What is delivered may end the flow.
            sock = self._sockets.get(number)
            if sock is None:
                return
            try:
                data, ancillary, _, _ = sock.recvmsg(MAX_UDP_PAYLOAD, ANCILLARY_SIZE)
            except BlockingIOError:
                return
            except OSError:
                # An ICMP error of the target is nothing that a client could be told.
                continue
            self._deliver(number, data, read_ecn(ancillary))
