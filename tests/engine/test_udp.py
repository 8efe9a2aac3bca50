# SPDX-License-Identifier: BSD-3-Clause
"""The UDP socket: batches, ECN, addresses, and what happens without offloads."""

import errno
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import pytest

from tests.engine import native

ffi, lib = native.load()
BOTH = lib.NQE_UDP_GSO | lib.NQE_UDP_GRO


class Udp:
    """struct nqe_udp on a bound socket."""

    def __init__(self, address: str, offloads: int = BOTH) -> None:
        version = ip_address(address).version
        self.socket = socket.socket(
            socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM
        )
        self.socket.bind((address, 0))
        self.port = self.socket.getsockname()[1]
        self.state = ffi.new("struct nqe_udp *")
        assert lib.nqe_udp_open(self.state, self.socket.fileno(), offloads) == 0
        self.batch = ffi.new("struct nqe_udp_batch *")
        assert lib.nqe_udp_batch_init(self.batch) == 0

    def send(
        self, to: str, port: int, data: bytes, segment: int, *, ecn: int = 0, local: str = ""
    ) -> tuple[int, int]:
        sent = ffi.new("u32 *")
        header = ffi.new("struct nqe_udp_header *")
        header.remote, header.local = address(to, port)[0], address(local, 0)[0]
        header.tos = ecn
        err = lib.nqe_udp_send(self.state, header, data, len(data), segment, sent)
        return err, sent[0]

    def receive(self, count: int) -> list[tuple[bytes, Any]]:
        """At least `count` datagrams, each with a copy of its message."""
        got: list[tuple[bytes, Any]] = []
        deadline = time.monotonic() + 10
        while len(got) < count:
            assert time.monotonic() < deadline, f"{len(got)} of {count} came"
            for index in range(lib.nqe_udp_receive(self.state, self.batch)):
                message = self.batch.message[index]
                data = bytes(ffi.buffer(message.data, message.len))
                copy = ffi.new("struct nqe_udp_message *", message)
                step = message.segment
                got += [(data[at : at + step], copy) for at in range(0, len(data), step)]
        return got

    def close(self) -> None:
        lib.nqe_udp_batch_free(self.batch)
        lib.nqe_udp_close(self.state)
        self.socket.detach()


def address(ip: str, port: int) -> Any:
    made = ffi.new("struct nqe_address *")
    if ip:
        parsed = ip_address(ip)
        made.family, made.port = parsed.version, port
        ffi.memmove(made.ip, parsed.packed, len(parsed.packed))
    return made


@contextmanager
def pair(
    one: str, two: str, offloads: int = BOTH, receive: int = BOTH
) -> Iterator[tuple[Udp, Udp]]:
    ends = Udp(one, offloads), Udp(two, receive)
    try:
        yield ends
    finally:
        for end in ends:
            end.close()


def datagrams(count: int, segment: int, last: int) -> list[bytes]:
    rng = random.Random(count)
    return [rng.randbytes(segment) for _ in range(count - 1)] + [rng.randbytes(last)]


@pytest.mark.parametrize("local", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("offloads", [0, BOTH], ids=["plain", "gso"])
@pytest.mark.parametrize("receive", [0, BOTH], ids=["single", "gro"])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_batches_arrive_whole(local: str, offloads: int, receive: int, count: int) -> None:
    with pair(local, local, offloads, receive) as (a, b):
        sent = datagrams(count, 1200, 700)
        assert a.send(local, b.port, b"".join(sent), 1200 if count > 1 else 700) == (0, count)
        got = b.receive(count)
        assert [data for data, _ in got] == sent
        message = got[0][1]
        assert message.remote.port == a.port
        packed = ip_address(local).packed
        assert bytes(ffi.buffer(message.remote.ip))[: len(packed)] == packed
        assert bytes(ffi.buffer(message.local.ip))[: len(packed)] == packed
        assert message.local.port == b.port
        assert a.state.gso_refused == 0


@pytest.mark.parametrize("local", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("ecn", range(4))
def test_ecn_goes_and_comes(local: str, ecn: int) -> None:
    with pair(local, local) as (a, b):
        assert a.send(local, b.port, b"x" * 100, 100, ecn=ecn) == (0, 1)
        ((_, message),) = b.receive(1)
        assert message.ecn == ecn


@pytest.mark.parametrize("ecn", [0, 2])
def test_a_dual_stack_socket_speaks_ipv4(ecn: int) -> None:
    with pair("::", "127.0.0.1") as (six, four):
        assert four.send("127.0.0.1", six.port, b"a" * 50, 50, ecn=ecn) == (0, 1)
        ((_, message),) = six.receive(1)
        assert (message.remote.family, message.remote.port) == (4, four.port)
        assert bytes(ffi.buffer(message.remote.ip))[:4] == bytes([127, 0, 0, 1])
        assert (message.local.family, message.ecn) == (4, ecn)
        for local in ("", "127.0.0.1"):
            sent = datagrams(5, 900, 10)
            result = six.send("127.0.0.1", four.port, b"".join(sent), 900, ecn=ecn, local=local)
            assert result == (0, 5)
            got = four.receive(5)
            assert [data for data, _ in got] == sent
            assert got[0][1].ecn == ecn


def test_the_source_address_can_be_chosen() -> None:
    with pair("0.0.0.0", "127.0.0.1") as (a, b):  # noqa: S104 - loopback anyway
        assert a.send("127.0.0.1", b.port, b"x", 1, local="127.0.0.9") == (0, 1)
        ((_, message),) = b.receive(1)
        assert bytes(ffi.buffer(message.remote.ip))[:4] == bytes([127, 0, 0, 9])


def test_refused_segmentation_falls_back_and_is_given_up() -> None:
    with pair("127.0.0.1", "127.0.0.1") as (a, b):
        # The kernel refuses UDP_SEGMENT on a socket without checksums (EIO).
        a.socket.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
        assert a.state.offloads & lib.NQE_UDP_GSO
        sent = datagrams(10, 500, 100)
        assert a.send("127.0.0.1", b.port, b"".join(sent), 500) == (0, 10)
        assert [data for data, _ in b.receive(10)] == sent
        assert a.state.gso_refused == 1
        assert not a.state.offloads & lib.NQE_UDP_GSO
        assert a.send("127.0.0.1", b.port, b"".join(sent), 500) == (0, 10)
        assert a.state.gso_refused == 1


def test_what_cannot_be_sent_says_why() -> None:
    with pair("127.0.0.1", "127.0.0.1") as (a, b):
        assert a.send("::1", b.port, b"x", 1) == (-errno.EAFNOSUPPORT, 0)
        assert a.send("127.0.0.1", b.port, bytes(65000), 65000)[0] == 0
        b.receive(1)


def test_sockets_that_will_not_do_are_refused() -> None:
    state = ffi.new("struct nqe_udp *")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unbound:
        assert lib.nqe_udp_open(state, unbound.fileno(), BOTH) == -errno.EINVAL
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
        stream.bind(("127.0.0.1", 0))
        assert lib.nqe_udp_open(state, stream.fileno(), BOTH) == -errno.EPROTOTYPE
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local:
        assert lib.nqe_udp_open(state, local.fileno(), BOTH) == -errno.EPROTOTYPE
    assert lib.nqe_udp_open(state, -1, BOTH) == -errno.EBADF


def test_closing_gives_the_socket_back_as_it_was() -> None:
    udp = Udp("127.0.0.1")
    twin = socket.fromfd(udp.socket.fileno(), socket.AF_INET, socket.SOCK_DGRAM)
    assert twin.getsockopt(socket.IPPROTO_UDP, 104) == 1  # UDP_GRO
    udp.close()
    assert twin.getsockopt(socket.IPPROTO_UDP, 104) == 0
    twin.close()
