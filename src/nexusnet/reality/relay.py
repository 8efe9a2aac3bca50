# SPDX-License-Identifier: BSD-3-Clause
"""The relay's edge: a connected UDP socket towards the camouflage target for each flow.

The engine copies datagrams and ECN codepoints, never fragments (DF is set), and decides nothing. It
reads many at a time, outside of Python's lock: there may be thousands of strangers a second.
"""

import functools
import ipaddress
import logging
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from nexusnet._engine import ffi, lib
from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.datagram import Address
from nexusnet.handshake.reader import Reader, never_rest
from nexusnet.handshake.udp import CACHED, UdpSocket, normal_address
from nexusnet.reality.flows import Path

logger = logging.getLogger(__name__)

ROUNDS: Final = 4
"""Times that up to `NQE_RELAY_READY` flows are read before other work has its turn."""


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


@functools.lru_cache(maxsize=CACHED)
def engine_address(address: Address) -> Any:
    """Return an address as the engine takes it; an unspecified one becomes "none"."""
    host, _, scope = address[0].partition("%")
    ip = ipaddress.ip_address(host)
    made = ffi.new("struct nqe_address *")
    if not ip.is_unspecified:
        made.family, made.port, made.scope = ip.version, address[1], int(scope or 0)
        ffi.memmove(made.ip, ip.packed, len(ip.packed))
    return made


class RelaySockets:
    """Ports towards the target, in the running event loop; an `Upstream`."""

    def __init__(
        self,
        target: Address,
        sock: socket.socket,
        hear: Callable[[int, Sequence[bytes], int, int], None],
        flush: Callable[[], None],
        *,
        mark: int | None = None,
        rest: Callable[[], float] = never_rest,
    ) -> None:
        """Make an edge without flows.

        Args:
            target: IP address and port of the camouflage target.
            sock: the server's, through which strangers get what the target says.
            hear: told what it said, see `Demultiplexer.hear`.
            flush: called after that.
            mark: of the packets to the target.
            rest: see `Reader`.

        Raises:
            ValueError: `target` is no IP address.
            OSError: out of file descriptors.
        """
        address = engine_address(normal_address(target))
        self._relay = lib.nqe_relay_new(address, sock.fileno(), mark or 0)
        if self._relay == ffi.NULL:
            raise OSError(ffi.errno, os.strerror(ffi.errno))
        self._hear = hear
        self._flush = flush
        self._flows: dict[int, Any] = {}
        self._reports = ffi.new("struct nqe_relay_report[]", lib.NQE_RELAY_READY)
        self._reader = Reader(lib.nqe_relay_fd(self._relay), self._readable, rest)
        self._failing = False

    def __len__(self) -> int:
        return len(self._flows)

    def descriptors(self) -> list[int]:
        """Return the file descriptors of all ports."""
        return [flow.udp.fd for flow in self._flows.values()]

    def open(self, number: int) -> None:
        """Open a port for a flow, see `Upstream`."""
        if self._relay == ffi.NULL:
            return
        flow = lib.nqe_relay_open(self._relay, number)
        if flow == ffi.NULL:
            # Out of descriptors or memory, or no route: the flow's datagrams are lost, as on a bad
            # network. Said once, not for every stranger.
            log = logger.debug if self._failing else logger.warning
            log("no socket towards the camouflage target: %s", os.strerror(ffi.errno))
            self._failing = True
            return
        self._failing = False
        self._flows[number] = flow

    def send(self, number: int, data: bytes, ecn: Ecn) -> None:
        """Send a datagram to the target, see `Upstream`."""
        flow = self._flows.get(number)
        if flow is not None:
            lib.nqe_relay_send(flow, data, len(data), ecn)

    def settle(self, number: int, path: Path) -> None:
        """Send a client what the target says, see `Upstream`."""
        flow = self._flows.get(number)
        if flow is not None:
            local, remote = path
            lib.nqe_relay_settle(self._relay, flow, engine_address(remote), engine_address(local))

    def discard(self, number: int) -> list[bytes]:
        """Return what was kept, see `Upstream`."""
        flow = self._flows.get(number)
        if flow is None:
            return []
        datagrams = []
        reply = flow.held
        while reply != ffi.NULL:
            data = bytes(ffi.buffer(reply.data, reply.len))
            size = reply.segment
            datagrams += [data[start : start + size] for start in range(0, len(data), size)]
            reply = reply.next
        lib.nqe_relay_discard(flow)
        return datagrams

    def close(self, number: int) -> None:
        """Close the port of a flow, see `Upstream`."""
        flow = self._flows.pop(number, None)
        if flow is not None:
            lib.nqe_relay_close(flow)

    def close_all(self) -> None:
        """Close all ports; none can be opened afterwards."""
        if self._relay == ffi.NULL:
            return
        for number in tuple(self._flows):
            self.close(number)
        self._reader.close()
        lib.nqe_relay_free(self._relay)
        self._relay = ffi.NULL

    def _readable(self) -> None:
        for _ in range(ROUNDS):
            count = lib.nqe_relay_receive(self._relay, self._reports, lib.NQE_RELAY_READY)
            for index in range(count):
                self._report(self._reports[index])
            if count < lib.NQE_RELAY_READY:
                break
        self._flush()

    def _report(self, report: Any) -> None:
        cids: Sequence[bytes] = ()
        if report.cids and report.number in self._flows:
            flow = report.flow
            known = range(flow.cids - report.cids, flow.cids)
            cids = [bytes(ffi.buffer(flow.cid[one], flow.cid_len[one])) for one in known]
        self._hear(report.number, cids, report.held, report.octets)
