# SPDX-License-Identifier: BSD-3-Clause
"""The relay's edge: a connected UDP socket towards the camouflage target for each flow.

It copies datagrams and ECN codepoints, never fragments (DF is set), and decides nothing.
"""

import asyncio
import errno
import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import Final

from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.datagram import Address, Received, Transmit
from nexusnet.handshake.udp import UdpSocket, normal_address

logger = logging.getLogger(__name__)

BATCH: Final = 32
"""Datagrams read from one flow's socket before the others have their turn."""

FLOW_BUFFER: Final = 256 * 1024
"""Socket buffers in bytes of a flow: kernel memory, for strangers."""

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
    ) -> None:
        """Make an edge without flows.

        Args:
            target: IP address and port of the camouflage target.
            deliver: takes a datagram of the target, with the number of the flow.
            flush: called after some were delivered.
            mark: of the packets.

        Raises:
            ValueError: `target` is no IP address.
        """
        self._target = normal_address(target)
        self._deliver = deliver
        self._flush = flush
        self._mark = mark
        self._loop = asyncio.get_running_loop()
        self._sockets: dict[int, UdpSocket] = {}
        self._failing = False

    def __len__(self) -> int:
        return len(self._sockets)

    def open(self, number: int) -> None:
        """Open a port for a flow, see `Upstream`."""
        try:
            udp = self._connect()
        except OSError as error:
            # Out of descriptors or memory, or no route: the flow's datagrams are lost, as on a bad
            # network. Said once, not for every stranger.
            log = logger.debug if self._failing else logger.warning
            log("no socket towards the camouflage target: %s", error)
            self._failing = True
            return
        self._failing = False
        self._sockets[number] = udp
        # By number: selectors write out a socket whenever they do not know it yet.
        self._loop.add_reader(udp.sock.fileno(), self._readable, number)

    def _connect(self) -> UdpSocket:
        udp = UdpSocket.for_remote(self._target, buffer_size=FLOW_BUFFER)
        try:
            if self._mark is not None:
                udp.sock.setsockopt(socket.SOL_SOCKET, SO_MARK, self._mark)
            # Connected: nobody but the target can answer.
            udp.connect(self._target)
        except OSError:
            udp.close()
            raise
        return udp

    def send(self, number: int, data: bytes, ecn: Ecn) -> None:
        """Send a datagram to the target, see `Upstream`."""
        udp = self._sockets.get(number)
        if udp is None:
            return
        code = udp.send(Transmit(data, udp.local, self._target, ecn))
        if code not in {0, errno.ECONNREFUSED}:
            # Too large for the path, or no route: lost, as at any router.
            logger.debug("not relayed: %s", errno.errorcode.get(code, code))

    def close(self, number: int) -> None:
        """Close the port of a flow, see `Upstream`."""
        udp = self._sockets.pop(number, None)
        if udp is not None:
            self._loop.remove_reader(udp.sock.fileno())
            udp.close()

    def close_all(self) -> None:
        """Close all ports."""
        for number in tuple(self._sockets):
            self.close(number)

    def _readable(self, number: int) -> None:
        for _ in range(BATCH):
            udp = self._sockets.get(number)
            item = None if udp is None else udp.receive()
            if item is None:
                break
            # An ICMP error of the target is nothing that a client could be told.
            if isinstance(item, Received):
                self._deliver(number, item.data, item.ecn)
        self._flush()
