# SPDX-License-Identifier: BSD-3-Clause
"""The UDP socket of a tunnel end: unfragmented datagrams with addresses and ECN codepoints."""

import errno
import functools
import ipaddress
import socket
import struct
from typing import Final, Self

from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.datagram import Address, Received, Transmit

# Constants of Linux that the socket module does not name: linux/in.h, linux/in6.h.
IP_PKTINFO: Final = 8
IP_MTU_DISCOVER: Final = 10
IP_RECVERR: Final = 11
IPV6_MTU_DISCOVER: Final = 23
IPV6_RECVERR: Final = 25
PMTUDISC_PROBE: Final = 3
"""Sets DF and ignores what the kernel believes about the path: probes decide (RFC 9000 s. 14.3)."""
MSG_ERRQUEUE: Final = 0x2000
ERROR_RECORDS: Final = frozenset(
    {(socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)}
)
"""Where ICMP errors stand among the ancillary data of the error queue."""

MAX_UDP_PAYLOAD: Final = 65535
BUFFER_SIZE: Final = 4 * 1024 * 1024
"""Socket buffers in bytes; the kernel may grant less."""

IN_PKTINFO: Final = struct.Struct("=i4s4s")
IN6_PKTINFO: Final = struct.Struct("=16si")
ANCILLARY_SIZE: Final = 256

AncillaryRecord = tuple[int, int, bytes]
"""Level, type and content, as `sendmsg` takes and `recvmsg` gives them."""

CACHED: Final = 4096
"""Addresses whose reading is remembered: it costs more than a system call."""


@functools.lru_cache(maxsize=CACHED)
def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address as it is without its scope."""
    return ipaddress.ip_address(host.partition("%")[0])


@functools.lru_cache(maxsize=CACHED)
def plain_ip(text: str) -> str:
    """Return an IP address as text, an IPv4-mapped one as IPv4."""
    host, _, scope = text.partition("%")
    ip = ipaddress.ip_address(host)
    if ip.version == 6 and ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return f"{ip}%{scope}" if scope else str(ip)


def normal_address(address: Address) -> Address:
    """Return an address as `receive` reports it, so that both can be compared.

    Raises:
        ValueError: it is no IP address.
        OSError: the scope names no interface.
    """
    host, _, scope = address[0].partition("%")
    if scope and not scope.isdigit():
        scope = str(socket.if_nametoindex(scope))
    return plain_ip(f"{host}%{scope}" if scope else host), address[1]


class UdpSocket:
    """A bound, non-blocking UDP socket.

    Attributes:
        sock: the socket itself, handed to the data plane after the handshake.
        local: where it is bound; the address may be a wildcard.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Take over a bound UDP socket and set it up.

        Args:
            sock: the socket.

        Raises:
            OSError: it is no UDP socket of IPv4 or IPv6.
        """
        if sock.family not in {socket.AF_INET, socket.AF_INET6} or sock.type != socket.SOCK_DGRAM:
            raise OSError(errno.EPROTOTYPE, "a UDP socket of IPv4 or IPv6 is needed")
        self.sock = sock
        self._is_v6 = sock.family == socket.AF_INET6
        sock.settimeout(0)
        name = sock.getsockname()
        self.local: Address = (plain_ip(name[0]), name[1])
        self._wildcard = _ip(self.local[0]).is_unspecified
        self._reports_icmp = False
        self._set_options()

    @classmethod
    def bind(cls, local: Address) -> Self:
        """Open a socket on a local address; an IPv6 wildcard takes IPv4 as well.

        Args:
            local: address and port.

        Raises:
            OSError: the address is not ours, the port is taken or needs privilege; names both.
        """
        local = normal_address(local)
        host, port = local
        is_v6 = _ip(host).version == 6
        sock = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if is_v6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind(socket_address(local, is_v6=is_v6))
            return cls(sock)
        except OSError as error:
            sock.close()
            raise OSError(
                error.errno, f"cannot bind UDP {host} port {port}: {error.strerror}"
            ) from error

    @classmethod
    def for_remote(cls, remote: Address) -> Self:
        """Open a socket on any port, of the address family of `remote`."""
        is_v6 = _ip(remote[0]).version == 6
        wildcard = "::" if is_v6 else "0.0.0.0"  # noqa: S104 - a client's own port
        return cls.bind((wildcard, 0))

    def connect(self, remote: Address) -> None:
        """Exchange datagrams with one peer only.

        Raises:
            OSError: there is no route.
        """
        self.sock.connect(socket_address(remote, is_v6=self._is_v6))

    def _set_options(self) -> None:
        sock = self.sock
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_SIZE)
        set_path_options(sock)
        if self._is_v6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)

    def report_icmp(self, *, enable: bool) -> None:
        """Have ICMP errors reported by `receive`, or not. Not for a socket of many peers.

        Args:
            enable: on for a client's handshake, off before the socket is handed over.
        """
        self._reports_icmp = enable
        self.sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, int(enable))
        if self._is_v6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, int(enable))
        if not enable:
            self._clear_errors()

    def _clear_errors(self) -> None:
        for _ in range(64):
            try:
                self.sock.recvmsg(1, ANCILLARY_SIZE, MSG_ERRQUEUE)
            except OSError:
                break
        self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def _queued_error(self) -> int | None:
        """Return an ICMP error that a send has heard of before us.

        Its record stays in the error queue, and the socket readable, until somebody takes it.
        """
        if not self._reports_icmp:
            return None
        try:
            _, ancillary, _, _ = self.sock.recvmsg(1, ANCILLARY_SIZE, MSG_ERRQUEUE)
        except OSError:
            return None
        for level, kind, payload in ancillary:
            if (level, kind) in ERROR_RECORDS:
                # struct sock_extended_err begins with the errno.
                return int(struct.unpack_from("=I", payload)[0])
        return errno.ECONNREFUSED

    def receive(self) -> Received | int | None:
        """Return the next datagram, the `errno` of an ICMP error, or None where nothing waits.

        Raises:
            OSError: the socket is closed or broken.
        """
        try:
            data, ancillary, _, source = self.sock.recvmsg(MAX_UDP_PAYLOAD, ANCILLARY_SIZE)
        except BlockingIOError:
            return self._queued_error()
        except OSError as error:
            if error.errno in {errno.EBADF, errno.ENOTSOCK, None}:
                raise
            self._clear_errors()
            return error.errno
        host = source[0]
        if self._is_v6 and source[3]:
            host = f"{host.partition('%')[0]}%{source[3]}"
        local_host, ecn = self._ancillary(ancillary)
        return Received(
            data, (local_host or self.local[0], self.local[1]), (plain_ip(host), source[1]), ecn
        )

    @staticmethod
    def _ancillary(messages: list[AncillaryRecord]) -> tuple[str | None, Ecn]:
        local: str | None = None
        for level, kind, payload in messages:
            if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
                # The third field is the destination of the packet.
                local = socket.inet_ntoa(IN_PKTINFO.unpack(payload)[2])
            elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                packed, index = IN6_PKTINFO.unpack(payload)
                ip = ipaddress.IPv6Address(packed)
                local = plain_ip(f"{ip}%{index}" if ip.is_link_local else str(ip))
        return local, read_ecn(messages)

    def send(self, transmit: Transmit) -> int:
        """Send a datagram; return 0, or the `errno` why it was not sent.

        A full send buffer counts as sent: QUIC makes good for loss.
        """
        ancillary: list[AncillaryRecord] = []
        if self._wildcard:
            ancillary += _source_records(transmit.local[0])
        remote = socket_address(transmit.remote, is_v6=self._is_v6)
        if transmit.ecn is not Ecn.NOT_ECT:
            is_v4 = _ip(transmit.remote[0]).version == 4
            ancillary.append(ecn_record(transmit.ecn, is_v4=is_v4))
        try:
            self.sock.sendmsg([transmit.data], ancillary, 0, remote)
        except BlockingIOError:
            return 0
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


def set_path_options(sock: socket.socket) -> None:
    """Set DF on what a socket sends, and have it report the ECN codepoints of what arrives."""
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)


def read_ecn(messages: list[AncillaryRecord]) -> Ecn:
    """Return the ECN codepoint of a datagram that came with these records."""
    for level, kind, payload in messages:
        if level == socket.IPPROTO_IP and kind == socket.IP_TOS:
            return Ecn(payload[0] & 3)
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_TCLASS:
            return Ecn(struct.unpack("=i", payload)[0] & 3)
    return Ecn.NOT_ECT


@functools.lru_cache(maxsize=CACHED)
def _source_records(host: str) -> tuple[AncillaryRecord, ...]:
    """Return what makes a socket of many addresses send from this one."""
    ip = _ip(host)
    if ip.is_unspecified:
        return ()
    if ip.version == 4:
        # Understood by both kinds of socket where the destination is IPv4.
        return ((socket.IPPROTO_IP, IP_PKTINFO, IN_PKTINFO.pack(0, ip.packed, bytes(4))),)
    return ((socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, IN6_PKTINFO.pack(ip.packed, 0)),)


def ecn_record(ecn: Ecn, *, is_v4: bool) -> AncillaryRecord:
    """Return what has a datagram to an IPv4 or IPv6 address carry an ECN codepoint."""
    mark = struct.pack("=i", ecn)
    if is_v4:
        # Understood by both kinds of socket where the destination is IPv4.
        return socket.IPPROTO_IP, socket.IP_TOS, mark
    return socket.IPPROTO_IPV6, socket.IPV6_TCLASS, mark


@functools.lru_cache(maxsize=CACHED)
def socket_address(address: Address, *, is_v6: bool) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return an address as a socket of IPv4 or IPv6 takes it; mapped where IPv6 sends to IPv4."""
    host, port = address
    if not is_v6:
        return host, port
    host, _, scope = host.partition("%")
    if _ip(host).version == 4:
        return f"::ffff:{host}", port, 0, 0
    if not scope:
        return host, port, 0, 0
    return host, port, 0, int(scope)
