# SPDX-License-Identifier: BSD-3-Clause
"""Sessions: two of them make a tunnel; how they are installed, shown, changed and ended."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from nexusnet.netlink import convert
from nexusnet.netlink import generated as nl
from nexusnet.session import ConnectionId, OuterPolicy, SessionUpdate
from tests.kernel.client import Netlink
from tests.kernel.guest_base import check, get, inside, links, namespace, run, until
from tests.kernel.guest_rig import SUITES, fails, join, one_end, ping, two_ends

if TYPE_CHECKING:
    from tests.kernel.guest_rig import End


def _carried(end: End) -> tuple[int, int]:
    l3 = end.stats().l3
    assert l3 is not None
    return l3.rx_packets, l3.tx_packets


@check
def tunnel_ping() -> None:
    for suite in SUITES:
        for v1 in (False, True):
            with two_ends(suite=suite) as (first, second):
                join(first, second, v1=v1)
                ping("a", "10.9.0.2")
                ping("b", "10.9.0.1", "-s", "1300")
                ping("a", "fd09::2")
                assert _carried(first) == _carried(second) == (9, 9)
                assert not first.drops(), first.drops()
                assert not second.drops(), second.drops()
                assert first.get().state is nl.SessionState.ACTIVE


@check
def tunnel_over_ipv6() -> None:
    with two_ends(v6=True) as (first, second):
        join(first, second)
        ping("a", "10.9.0.2", "-s", "1300")
        ping("b", "fd09::1")
        assert not first.drops(), first.drops()


@check
def sessions_are_shown() -> None:
    with one_end() as end:
        added = end.add()
        assert added.state is nl.SessionState.HOLD
        assert end.get() == added
        end.activate()
        shown = end.get()
        assert (shown.state, shown.generation) == (nl.SessionState.ACTIVE, 2)
        wanted = end.session()
        assert shown.udp_tuple is not None
        assert convert.unpack_tuple(shown.udp_tuple) == wanted.udp_tuple
        assert [bytes(cid.id[: cid.len]) for cid in shown.local_cid] == [
            cid.value for cid in wanted.local_cids
        ]
        assert (shown.mtu, shown.datagram_size) == (1452 - 1 - 8 - 16 - 4 - 1 - 1, 1452)
        assert end.device.session_count == 0
        for number in range(2, 41):
            end.add(number)
        assert end.numbers() == list(range(1, 41))
        assert get(end.netlink, end.device.id or 0).session_count == 40
        largest = tuple(ip_network(f"10.{n}.0.0/16") for n in range(256))
        end.add(41, allowed_sources=largest)
        assert len(end.get(41).allowed_source) == 256
        assert end.numbers() == list(range(1, 42)), "the largest session fits a dump"
        end.remove(7)
        assert 7 not in end.numbers()


@check
def sessions_are_changed() -> None:
    with one_end() as end:
        end.connect()
        update = SessionUpdate(
            ref=end.ref(),
            generation=3,
            local_cids=(ConnectionId(1, b"12345678"),),
            peer_cids=(ConnectionId(1, b"87654321"),),
            allowed_sources=(ip_network("10.9.0.0/24"),),
            route_epoch=5,
            datagram_size=1300,
            mtu=1200,
            idle_timeout_ms=5000,
            keepalive_ms=1000,
            flags=nl.SessionFlag.SEND_DATA | nl.SessionFlag.LAB_MODE,
            outer=OuterPolicy(fwmark=9, dscp=10),
        )
        end.ask(convert.update_session(update))
        after = end.get()
        assert (after.generation, after.route_epoch, after.datagram_size, after.mtu) == (
            3, 5, 1300, 1200)  # fmt: skip
        assert (after.idle_timeout_ms, after.keepalive_ms, after.fwmark) == (5000, 1000, 9)
        assert [bytes(cid.id[: cid.len]) for cid in after.local_cid] == [b"12345678"]
        profile = nl.Congestion.FIXED_RATE_TEST
        values = {"generation": 4, "congestion": profile, "lab_rate": 10**6}
        end.ask(end.named(nl.Command.UPDATE_SESSION, **values))
        assert end.stats().congestion is profile
        for spoilt in (
            {"role": nl.Role.SERVER},
            {"network_id": 8},
            {"peer_cid": (nl.Cid(sequence=0, len=3, id=b"abc"),)},
            {"local_cid": (nl.Cid(sequence=0, len=3, id=b"abc"),)},
            {"flags": nl.SessionFlag.MIGRATION},
        ):
            request = end.named(nl.Command.UPDATE_SESSION, generation=9, **spoilt)
            code = errno.EOPNOTSUPP if "flags" in spoilt else errno.EINVAL
            fails(code, request, end)
        assert end.get().generation == 4, "a refused command has changed nothing"


def _bound(family: int = socket.AF_INET, kind: int = socket.SOCK_DGRAM) -> socket.socket:
    made = socket.socket(family, kind)
    made.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    return made


@check
def sockets_that_are_refused() -> None:
    with one_end() as end, ExitStack() as stack:
        unbound = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        shared = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(("127.0.0.1", 0))
        taken = stack.enter_context(_bound())
        taken.setsockopt(socket.IPPROTO_UDP, 100, 3)  # UDP_ENCAP, L2TP
        tcp = stack.enter_context(_bound(kind=socket.SOCK_STREAM))
        read, write = os.pipe()
        with namespace("a"):
            with inside("a"):
                run("ip", "link", "set", "lo", "up")
                foreign = stack.enter_context(_bound())
            for fd, code in (
                (999, errno.EBADF),
                (read, errno.ENOTSOCK),
                (tcp.fileno(), errno.EPROTOTYPE),
                (unbound.fileno(), errno.EADDRNOTAVAIL),
                (shared.fileno(), errno.EADDRNOTAVAIL),
                (taken.fileno(), errno.EADDRNOTAVAIL),
                (foreign.fileno(), errno.EADDRNOTAVAIL),
            ):
                session = end.session(socket_fd=fd)
                assert "socket-fd" in fails(code, convert.add_session(session), end)
        os.close(read)
        os.close(write)
        assert end.numbers() == []
        short = (ConnectionId(0, b"abc"),)
        end.add()
        request = convert.add_session(end.session(2, local_cids=short))
        assert "length" in fails(errno.EINVAL, request, end)
        same = end.session(1).local_cids
        request = convert.add_session(end.session(2, local_cids=same))
        assert "local-cid" in fails(errno.EEXIST, request, end)
        fails(errno.EEXIST, convert.add_session(end.session(1)), end)
        end.remove()
        # The hook is off again: another length is welcome now.
        end.add(2, local_cids=short)


@check
def socket_closes() -> None:
    with one_end() as end, Netlink() as listener:
        listener.subscribe()
        end.connect()
        end.lead("10.9.0.0/24")
        assert listener.event().code is nl.Event.SESSION_UP
        end.udp.close()
        event = listener.event()
        assert event.code is nl.Event.SESSION_DOWN
        facts = event.attributes.event
        assert facts is not None
        assert facts.down_reason is nl.DownReason.SOCKET_CLOSED
        assert event.attributes.session is not None
        assert event.attributes.session.state is None
        assert end.numbers() == []
        assert end.all(nl.Command.GET_ROUTE) == ()


@check
def persistent_sessions_outlive_their_socket() -> None:
    with two_ends(flags=nl.DeviceFlag.PERSIST) as (first, second):
        join(first, second)
        ping("a", "10.9.0.2")
        port = first.port
        first.udp.close()
        second.udp.close()
        ping("a", "10.9.0.2")
        ping("b", "fd09::1")
        assert first.numbers() == [1]
        # The address is in use until the session ends.
        with inside("a"):
            again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                again.bind((first.address, port))
            except OSError as error:
                assert error.errno == errno.EADDRINUSE
            else:
                raise AssertionError("the port is free")
            first.remove()
            again.bind((first.address, port))
            again.close()


@check
def namespace_exit_ends_persistent_sessions() -> None:
    with two_ends(flags=nl.DeviceFlag.PERSIST) as (first, second):
        join(first, second)
        ping("a", "10.9.0.2")
        for end in (first, second):
            end.udp.close()
        run("ip", "-n", "a", "link", "set", str(first.device.ifname), "netns", "b", "name", "moved")
        first.netlink.socket.close()
        run("ip", "netns", "del", "a")
        until(lambda: links("-n", "b") != [] and len(links("-n", "b")) == 1, "the device goes")
        with inside("a") if Path("/run/netns/a").exists() else inside("b"):
            first.netlink = Netlink()


@check
def owner_goes_sessions_in_hold_end() -> None:
    with one_end() as end, Netlink() as listener:
        listener.subscribe()
        end.add(1)
        end.connect(2)
        assert listener.event().code is nl.Event.SESSION_UP
        end.netlink.socket.close()
        end.netlink = Netlink()
        event = listener.event()
        facts = event.attributes.event
        assert facts is not None
        assert facts.down_reason is nl.DownReason.OWNER_GONE
        assert end.numbers() == [2]


@check
def delete_session_twice() -> None:
    with one_end() as end:
        end.connect()
        end.remove(generation=1)
        assert end.numbers() == [1], "an older delete does nothing"
        for _ in range(2):
            end.remove()
        end.remove(12345)
        assert end.numbers() == []


@check
def delete_route_twice() -> None:
    with one_end() as end:
        end.connect()
        end.lead("10.9.0.0/24", generation=5)
        route = end.route("10.9.0.0/24", generation=5)
        fails(errno.EEXIST, convert.add_route(route), end)
        fails(errno.ESTALE, convert.add_route(route, replace=True), end)
        end.ask(convert.delete_route(replace(route, generation=4)))
        assert len(end.all(nl.Command.GET_ROUTE)) == 1
        end.ask(convert.add_route(replace(route, generation=6), replace=True))
        for _ in range(2):
            end.ask(convert.delete_route(replace(route, generation=7)))
        assert end.all(nl.Command.GET_ROUTE) == ()
        fails(errno.ESTALE, convert.add_route(replace(route, epoch=2)), end)
        missing = replace(route, session=end.ref(9))
        fails(errno.ENOENT, convert.add_route(missing), end)


@check
def idle_sessions_end() -> None:
    with one_end() as end, Netlink() as listener:
        listener.subscribe()
        end.connect(idle_timeout_ms=300, keepalive_ms=0)
        end.lead("10.9.0.0/24")
        assert listener.event().code is nl.Event.SESSION_UP
        event = listener.event()
        facts = event.attributes.event
        assert facts is not None
        assert facts.down_reason is nl.DownReason.IDLE_TIMEOUT
        assert event.attributes.session is not None
        assert event.attributes.session.state is None
        until(lambda: end.numbers() == [], "the session is gone")
        assert end.all(nl.Command.GET_ROUTE) == ()
