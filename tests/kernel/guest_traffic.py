# SPDX-License-Identifier: BSD-3-Clause
"""Packets on their way: super-packets of UDP, and the queues of a device."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from nexusnet.netlink import generated as nl
from tests.kernel.client import Netlink
from tests.kernel.guest_base import check, create, delete, inside, of_device, run, until
from tests.kernel.guest_rig import join, two_ends

if TYPE_CHECKING:
    from tests.kernel.guest_rig import End

SOL_UDP, UDP_SEGMENT = 17, 103
PATIENCE = 20
QUEUES = 4


def _udp(name: str, address: str) -> socket.socket:
    with inside(name):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = socket.socket(family, socket.SOCK_DGRAM)
    made.settimeout(PATIENCE)
    made.bind((address, 0))
    return made


def _cut(source: socket.socket, target: socket.socket, size: int, total: int) -> None:
    """One write of many datagrams: each arrives, whole, in order."""
    data = bytes(i * 7 & 0xFF for i in range(total))
    source.setsockopt(SOL_UDP, UDP_SEGMENT, size)
    assert source.sendto(data, target.getsockname()) == total
    wanted = [data[at : at + size] for at in range(0, total, size)]
    for one in wanted:
        got, sender = target.recvfrom(65536)
        assert got == one
        assert sender[:2] == source.getsockname()[:2]


@check
def udp_super_packets_are_cut() -> None:
    for v6 in (False, True):
        with two_ends(v6=v6) as (first, second):
            join(first, second)
            for addresses in (("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2")):
                with _udp("a", addresses[0]) as source, _udp("b", addresses[1]) as target:
                    for size, total in ((1000, 10_000), (1000, 9_001), (1200, 3_601), (64, 640)):
                        _cut(source, target, size, total)
            _nothing_is_dropped(first)
            _nothing_is_dropped(second)


def _nothing_is_dropped(end: End) -> None:
    assert not end.drops(), end.drops()


def _queues(netlink: Netlink, number: int | None) -> list[tuple[int, int, int]]:
    """Packets, bytes and drops of each TX queue."""
    (reply,) = netlink.ask(of_device(nl.Command.GET_STATS, id=number))
    assert reply.attributes.stats is not None
    queues = reply.attributes.stats.queue
    assert [one.queue for one in queues] == list(range(QUEUES))
    return [(one.tx_packets, one.tx_bytes, one.tx_dropped) for one in queues]


@check
def tx_queues_count() -> None:
    with Netlink() as netlink:
        made = create(netlink, ifname="q0", queues=QUEUES)
        # IPv6 would send on its own.
        run("sysctl", "-q", "-w", "net.ipv6.conf.q0.disable_ipv6=1")
        run("ip", "addr", "add", "10.9.0.1/24", "dev", "q0")
        run("ip", "link", "set", "q0", "up")
        used = set()
        for flow in range(12):
            before = _queues(netlink, made.id)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind(("10.9.0.1", 20_000 + flow))
                for _ in range(5):
                    sender.sendto(bytes(100), ("10.9.0.2", 9))
            after = _queues(netlink, made.id)
            grown = [i for i in range(QUEUES) if after[i] != before[i]]
            # A flow stays on its queue; nobody is there, so that all of it is dropped.
            assert len(grown) == 1, (before, after)
            packets, size, dropped = (
                new - old for new, old in zip(after[grown[0]], before[grown[0]], strict=True)
            )
            assert (packets, size, dropped) == (5, 5 * 128, 5)
            used.add(grown[0])
        assert len(used) > 1
        netlink.ask(of_device(nl.Command.FLUSH_STATS, id=made.id))
        assert _queues(netlink, made.id) == [(0, 0, 0)] * QUEUES
        delete(netlink, made.id)


@check
def tx_queues_of_a_tunnel() -> None:
    with two_ends() as (first, second):
        join(first, second)
        with _udp("a", "10.9.0.1") as source, _udp("b", "10.9.0.2") as target:
            _cut(source, target, 1000, 10_000)
        until(lambda: _carried(first) >= 10, "the packets are counted")
        (reply,) = first.netlink.ask(of_device(nl.Command.GET_STATS, id=first.device.id))
        assert reply.attributes.stats is not None
        queues = reply.attributes.stats.queue
        assert sum(one.tx_packets for one in queues) >= 10
        # Multicast of the kernel's own goes nowhere.
        drops = {one.reason: one.packets for one in reply.attributes.stats.drop}
        assert set(drops) <= {nl.DropReason.NO_ROUTE}
        assert sum(one.tx_dropped for one in queues) == sum(drops.values())


def _carried(end: End) -> int:
    l3 = end.stats().l3
    assert l3 is not None
    return l3.tx_packets
