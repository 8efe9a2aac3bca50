# SPDX-License-Identifier: BSD-3-Clause
"""A UDP socket that the kernel takes the sessions' datagrams from; all others stay in it."""

from __future__ import annotations

import errno
import os
from ipaddress import ip_address
from typing import TYPE_CHECKING

from nexusnet.dataplane.protocol import DataPlaneError, ReceivedDatagram
from nexusnet.handshake.datagram import Transmit
from nexusnet.handshake.udp import UdpSocket
from nexusnet.session import Endpoint

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


def _endpoint(host: str, port: int) -> Endpoint:
    address, _, scope = host.partition("%")
    return Endpoint(ip_address(address), port, int(scope) if scope.isdigit() else 0)


class KernelEndpoint:
    """Reads what belongs to no session.

    Attributes:
        cid_length: bytes of every local connection ID.
        inode: of the socket, by which it is known again.
    """

    def __init__(
        self,
        sock: socket.socket,
        cid_length: int,
        in_use: Callable[[int], bool],
        forget: Callable[[int], None],
    ) -> None:
        """Take a bound socket.

        Args:
            sock: stays the caller's.
            cid_length: bytes of every local connection ID, 0 to 20.
            in_use: whether sessions use the socket of an inode.
            forget: told that the endpoint of an inode is closed.

        Raises:
            OSError: it is no UDP socket.
        """
        self.cid_length = cid_length
        self.inode = os.fstat(sock.fileno()).st_ino
        self._udp = UdpSocket(sock)
        self._in_use = in_use
        self._forget = forget

    def fileno(self) -> int:
        """Readable while there may be datagrams."""
        return self._udp.sock.fileno()

    def receive(self) -> list[ReceivedDatagram]:
        """All that has arrived; never blocks."""
        received = []
        while (one := self._udp.receive()) is not None:
            # An int is an error that ICMP brought: of no session either.
            if not isinstance(one, int) and one.remote[1]:
                local = _endpoint(*one.local)
                received.append(
                    ReceivedDatagram(
                        remote=_endpoint(*one.remote),
                        local=None if local.address.is_unspecified else local,
                        ecn=int(one.ecn),
                        payload=one.data,
                    )
                )
        return received

    def send(self, payload: bytes, remote: Endpoint) -> None:
        """Send one datagram; raises OSError as a socket does."""
        host = f"{remote.address}%{remote.scope_id}" if remote.scope_id else str(remote.address)
        number = self._udp.send(Transmit(payload, self._udp.local, (host, remote.port)))
        if number:
            raise OSError(number, os.strerror(number))

    def close(self) -> None:
        """Let go of the socket, which stays open. EBUSY while sessions use it."""
        if self._in_use(self.inode):
            raise DataPlaneError(errno.EBUSY, "socket: sessions use it")
        self._forget(self.inode)
