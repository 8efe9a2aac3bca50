# SPDX-License-Identifier: BSD-3-Clause
"""Devices."""

from __future__ import annotations

import errno
import socket
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_REQUEST,
)
from tests.kernel.client import Netlink
from tests.kernel.guest_base import (
    MODULE,
    check,
    create,
    delete,
    devices,
    dump,
    get,
    head,
    links,
    of_device,
    refused,
    run,
)


@check
def device_attributes() -> None:
    with Netlink() as netlink:
        device = create(
            netlink, ifname="tunnel0", generation=5, network_id=1 << 40, route_epoch=9, mtu=1400,
            flags=nl.DeviceFlag.PERSIST, fwmark=0xABCD, dscp_policy=nl.DscpPolicy.INHERIT, dscp=46,
            ecn_policy=nl.EcnPolicy.ENABLED, queues=3,
        )  # fmt: skip
        (link,) = links()
        wanted = nl.DeviceAttributes(
            id=device.id, ifindex=link["ifindex"], ifname="tunnel0", generation=5,
            network_id=1 << 40, route_epoch=9, mtu=1400, flags=nl.DeviceFlag.PERSIST, fwmark=0xABCD,
            dscp_policy=nl.DscpPolicy.INHERIT, dscp=46, ecn_policy=nl.EcnPolicy.ENABLED, queues=3,
            owner_port=netlink.port, session_count=0, in_netns=1,
        )  # fmt: skip
        assert device == wanted
        assert get(netlink, device.id or 0) == wanted
        assert devices(netlink) == [wanted]
        assert (link["ifname"], link["mtu"], link["num_tx_queues"]) == ("tunnel0", 1400, 3)
        assert link["link_type"] == "none"
        assert {"POINTOPOINT", "NOARP"} <= set(link["flags"])
        info = run("ethtool", "-i", "tunnel0")
        assert f"driver: {MODULE}\n" in info
        version = Path(f"/sys/module/{MODULE}/version").read_text()
        assert f"version: {version}" in info
        delete(netlink, device.id)
        assert links() == []


@check
def device_update() -> None:
    with Netlink() as netlink:
        made = create(netlink, generation=5)
        assert made.ifname == "nexusq0"
        change = {"id": made.id, "generation": 6, "route_epoch": 3, "mtu": 1300, "fwmark": 2}
        netlink.ask(of_device(nl.Command.UPDATE_DEVICE, **change))
        after = get(netlink, made.id or 0)
        assert after == replace(made, generation=6, route_epoch=3, mtu=1300, fwmark=2)
        for fixed in ({"network_id": 8}, {"ifname": "other0"}, {"queues": 9}, {"owner_port": 1}):
            request = of_device(
                nl.Command.UPDATE_DEVICE, **{"id": made.id, "generation": 7, "mtu": 1000, **fixed}
            )
            refused(errno.EINVAL, "device", partial(netlink.ask, request))
        missing = of_device(nl.Command.UPDATE_DEVICE, id=99, generation=7)
        refused(errno.ENOENT, "device.id", lambda: netlink.ask(missing))
        assert get(netlink, made.id or 0) == after, "a refused command has changed nothing"
        delete(netlink, made.id)


@check
def update_stale() -> None:
    with Netlink() as netlink:
        made = create(netlink, generation=5)
        for generation in (5, 4, 1):
            request = of_device(
                nl.Command.UPDATE_DEVICE, id=made.id, generation=generation, mtu=1300
            )
            refused(errno.ESTALE, "device.generation", partial(netlink.ask, request))
        assert get(netlink, made.id or 0) == made
        delete(netlink, made.id)


@check
def delete_older_is_noop() -> None:
    with Netlink() as netlink:
        made = create(netlink, generation=5)
        delete(netlink, made.id, 4)
        assert devices(netlink) == [made]
        delete(netlink, made.id, 5)
        assert devices(netlink) == []


@check
def delete_device_twice() -> None:
    with Netlink() as netlink:
        made = create(netlink)
        delete(netlink, made.id)
        delete(netlink, made.id)
        delete(netlink, 0xFFFFFFFF)
        again = create(netlink)
        assert again.id != made.id, "a number does not come back at once"
        delete(netlink, again.id)


@check
def dump_carries_generation() -> None:
    with Netlink() as netlink:
        made = [create(netlink, generation=n + 10) for n in range(40)]
        assert devices(netlink) == made
        assert [message.generation for message in dump(netlink)] == [n + 10 for n in range(40)]
        for device in made:
            delete(netlink, device.id)
        assert devices(netlink) == []


@check
def dump_interrupted_by_add() -> None:
    with Netlink() as netlink, Netlink() as other:
        made = [create(netlink) for _ in range(80)]
        netlink.send(head(nl.Command.GET_DEVICE), NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP)
        made.append(create(other))
        assert netlink.finish().interrupted
        netlink.send(head(nl.Command.GET_DEVICE), NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP)
        answers = netlink.finish()
        assert not answers.interrupted
        assert len(answers.messages) == len(made)
        for device in made:
            delete(netlink, device.id)


@check
def names() -> None:
    with Netlink() as netlink:
        first = create(netlink, ifname="q0")
        refused(errno.EEXIST, "ifname", lambda: create(netlink, ifname="q0"))
        for name in ("a/b", "x y", "..", "q%d", "%s"):
            refused(errno.EINVAL, "ifname", partial(create, netlink, ifname=name))
        refused(errno.EINVAL, "device.id", lambda: create(netlink, id=5))
        refused(errno.EINVAL, "kernel", lambda: create(netlink, owner_port=5))
        assert devices(netlink) == [first]
        delete(netlink, first.id)


@check
def no_room_for_the_answer() -> None:
    with Netlink() as netlink, Netlink() as full:
        spare = create(netlink)
        full.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for _ in range(50):
            full.send(head(nl.Command.GET_CAPS), NLM_F_REQUEST)
        make = of_device(nl.Command.CREATE_DEVICE, network_id=7, generation=1)
        full.send(bytes(make.encode()), make.flags)
        assert devices(netlink) == [spare], "whoever is not told of its device has none"
        delete(netlink, spare.id)
        run("ip", "link", "add", "tun7", "type", "nexusq")
        (orphan,) = devices(netlink)
        adopt = of_device(nl.Command.ADOPT_DEVICE, id=orphan.id, generation=2)
        full.send(bytes(adopt.encode()), adopt.flags)
        assert devices(netlink) == [orphan]
        delete(netlink, orphan.id)


@check
def ip_link_add() -> None:
    run("ip", "link", "add", "tun7", "mtu", "1380", "type", "nexusq")
    with Netlink() as netlink:
        (device,) = devices(netlink)
        assert (device.ifname, device.mtu, device.owner_port) == ("tun7", 1380, 0)
        adopt = of_device(nl.Command.ADOPT_DEVICE, id=device.id, generation=2)
        (reply,) = netlink.ask(adopt)
        assert reply.attributes.device == replace(device, generation=2, owner_port=netlink.port)
        refused(errno.ESTALE, "generation", lambda: netlink.ask(adopt))
        run("ip", "link", "set", "tun7", "name", "tun8")
        assert get(netlink, device.id or 0).ifname == "tun8"
        run("ip", "link", "del", "tun8")
        assert devices(netlink) == []


@check
def owner_goes() -> None:
    with Netlink() as netlink:
        owner = Netlink()
        made = create(owner)
        assert made.owner_port == owner.port != netlink.port
        adopt = of_device(nl.Command.ADOPT_DEVICE, id=made.id, generation=2)
        refused(errno.EBUSY, "owner", lambda: netlink.ask(adopt))
        owner.socket.close()
        assert get(netlink, made.id or 0) == replace(made, owner_port=0)
        netlink.ask(adopt)
        assert get(netlink, made.id or 0).owner_port == netlink.port
        delete(netlink, made.id)


@check
def device_down_event() -> None:
    with Netlink() as listener, Netlink() as netlink:
        listener.subscribe()
        made = create(netlink, generation=3)
        delete(netlink, made.id)
        event = listener.event()
        assert event.code is nl.Event.DEVICE_DOWN
        assert event.generation == 3
        assert event.attributes.device is not None
        assert event.attributes.device.id == made.id
        facts = event.attributes.event
        assert facts is not None
        assert facts.down_reason is nl.DownReason.DEVICE_DELETED
        assert abs(time.clock_gettime_ns(time.CLOCK_BOOTTIME) - (facts.time_ns or 0)) < 60e9


def send_udp(family: int, address: str) -> int:
    """Send to an address and wait for the error that ICMP brings."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.settimeout(10)
        # IP_RECVERR, IPV6_RECVERR: report what is not fatal too.
        level, option = (0, 11) if family == socket.AF_INET else (41, 25)
        probe.setsockopt(level, option, 1)
        probe.connect((address, 9))
        probe.send(b"x")
        try:
            probe.recv(1)
        except OSError as error:
            return error.errno or 0
    return 0


@check
def without_session_drops() -> None:
    with Netlink() as netlink:
        made = create(netlink, ifname="q0", mtu=1280)
        run("ip", "addr", "add", "10.9.0.1/24", "dev", "q0")
        run("ip", "addr", "add", "fd09::1/64", "dev", "q0", "nodad")
        run("ip", "link", "set", "q0", "up")
        assert send_udp(socket.AF_INET, "10.9.0.2") == errno.EHOSTUNREACH
        assert send_udp(socket.AF_INET6, "fd09::2") == errno.EHOSTUNREACH
        # No IP packet at all.
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as raw:
            raw.bind(("q0", 0x0800))
            raw.send(b"\x65" + bytes(40))
        (reply,) = netlink.ask(of_device(nl.Command.GET_STATS, id=made.id))
        stats = reply.attributes.stats
        assert stats is not None
        drops = {drop.reason: drop.packets for drop in stats.drop}
        # IPv6 sends router solicitations and reports of its own.
        assert drops.pop(nl.DropReason.INNER_MALFORMED) == 1
        assert drops.pop(nl.DropReason.NO_ROUTE) >= 2
        assert not drops
        assert stats.l3 is not None
        assert stats.l3.tx_packets == stats.l3.rx_packets == 0
        (link,) = links()
        counters = link["stats64"]
        assert counters["tx"]["dropped"] >= 3
        assert counters["tx"]["packets"] == counters["rx"]["packets"] == 0
        delete(netlink, made.id)
