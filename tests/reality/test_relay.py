# SPDX-License-Identifier: BSD-3-Clause
"""The ports towards the target: what is kept, what is passed on, and in which order."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.udp import UdpSocket
from nexusnet.reality.relay import RelaySockets
from tests.handshake.test_endpoint import within
from tests.reality.taps import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nexusnet.reality.flows import Path

UDP_SEGMENT = 103


def long_header(cid: bytes, size: int = 60) -> bytes:
    """A datagram of the target with this connection ID, to a client without one."""
    return (b"\xc0\0\0\0\1\0" + bytes([len(cid)]) + cid).ljust(size, b"\x55")


class Edge:
    """A relay between a client and a target that are plain sockets."""

    def __init__(self, front: UdpSocket, target: socket.socket, client: socket.socket) -> None:
        self.target, self.client = target, client
        self.heard: list[tuple[int, list[bytes], int, int]] = []
        self.path: Path = (front.local, client.getsockname())
        self.changed = asyncio.Event()
        self.relay = RelaySockets(
            target.getsockname(), front.sock, self.hear, self.changed.set, rest=lambda: 0.0
        )

    def hear(self, number: int, cids: Sequence[bytes], held: int, octets: int) -> None:
        self.heard.append((number, list(cids), held, octets))

    def open(self, number: int) -> tuple[str, int]:
        """Open a flow and send something; return where the target may answer it."""
        self.relay.open(number)
        self.relay.send(number, b"hello", Ecn.NOT_ECT)
        data, address = self.target.recvfrom(100)
        assert data == b"hello"
        return address[0], address[1]

    def say(self, address: tuple[str, int], data: bytes, segment: int) -> None:
        """Have the target send datagrams of one size back to back."""
        control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", segment))]
        self.target.sendmsg([data], control, 0, address)

    async def until(self, datagrams: int) -> None:
        while sum(held for _, _, held, _ in self.heard) < datagrams:
            self.changed.clear()
            await self.changed.wait()

    def arrived(self) -> list[bytes]:
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.client.recv(2000))
        return found


@contextlib.contextmanager
def edge() -> Iterator[Edge]:
    front = UdpSocket.bind((LOOPBACK, 0))
    with contextlib.ExitStack() as stack:
        stack.callback(front.close)
        target, client = (
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
        )
        for sock in (target, client):
            sock.bind((LOOPBACK, 0))
        target.settimeout(5)
        client.settimeout(0)
        made = Edge(front, target, client)
        stack.callback(made.relay.close_all)
        yield made


def test_what_is_kept_leaves_in_order_and_what_follows_at_once() -> None:
    async def scenario() -> None:
        with edge() as made:
            there = made.open(1)
            made.say(there, b"a" * 50 + b"b" * 50 + b"c" * 20, 50)
            made.say(there, b"d" * 30, 30)
            await made.until(4)
            assert made.arrived() == []
            assert sum(octets for _, _, _, octets in made.heard) == 150
            made.relay.settle(1, made.path)
            assert made.arrived() == [b"a" * 50, b"b" * 50, b"c" * 20, b"d" * 30]
            made.heard.clear()
            made.say(there, b"e" * 50 + b"f" * 10, 50)
            while not made.heard:
                made.changed.clear()
                await made.changed.wait()
            assert made.arrived() == [b"e" * 50, b"f" * 10]
            assert {(number, held, octets) for number, _, held, octets in made.heard} == {(1, 0, 0)}

    within(scenario())


def test_what_nobody_gets_is_told_datagram_by_datagram() -> None:
    async def scenario() -> None:
        with edge() as made:
            made.say(made.open(7), b"a" * 50 + b"b" * 50 + b"c" * 20, 50)
            await made.until(3)
            assert made.relay.discard(7) == [b"a" * 50, b"b" * 50, b"c" * 20]
            assert made.relay.discard(7) == []
            made.relay.settle(7, made.path)
            assert made.arrived() == []

    within(scenario())


def test_connection_ids_of_the_target_are_told_once() -> None:
    async def scenario() -> None:
        with edge() as made:
            there = made.open(1)
            cids = [bytes([one]) * 8 for one in range(6)]
            known = [cids[0], cids[0], cids[1], b"", cids[1]]
            made.say(there, b"".join(long_header(cid) for cid in known), 60)
            await made.until(5)
            # What breaks off, and a connection ID that version 1 has no room for, tell nothing.
            made.say(there, b"\xc0\0\0\0\1\0\x08abc" + long_header(b"x" * 21)[:11], 11)
            made.say(there, b"".join(long_header(cid) for cid in cids), 60)
            await made.until(13)
            assert [cid for _, told, _, _ in made.heard for cid in told] == cids[:4]

    within(scenario())


@pytest.mark.parametrize("closed", [True, False])
def test_flows_without_a_socket_lose_their_datagrams(*, closed: bool) -> None:
    async def scenario() -> None:
        with edge() as made:
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            if closed:
                made.relay.close_all()
            else:
                resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
            try:
                made.relay.open(1)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert len(made.relay) == 0
            made.relay.send(1, b"lost", Ecn.NOT_ECT)
            made.relay.settle(1, made.path)
            assert made.relay.discard(1) == []
            made.relay.close(1)

    within(scenario())
