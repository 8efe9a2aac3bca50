# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces."""

from __future__ import annotations

import errno

from nexusnet.netlink import generated as nl
from tests.kernel.client import Netlink
from tests.kernel.guest_base import (
    check,
    create,
    delete,
    devices,
    get,
    inside,
    links,
    namespace,
    of_device,
    refused,
    run,
    until,
)


@check
def namespace_sees_only_its_own() -> None:
    with namespace("a"), namespace("b"):
        with inside("a"):
            in_a = Netlink()
        with inside("b"):
            in_b, listener = Netlink(), Netlink()
        with in_a, in_b, listener:
            listener.subscribe()
            made = create(in_a)
            assert devices(in_b) == []
            refused(errno.ENOENT, "device.id", lambda: get(in_b, made.id or 0))
            delete(in_b, made.id)
            update = of_device(nl.Command.UPDATE_DEVICE, id=made.id, generation=9)
            refused(errno.ENOENT, "device.id", lambda: in_b.ask(update))
            assert devices(in_a) == [made]
            twin = create(in_b)
            assert twin.id == made.id, "numbers are counted per namespace"
            delete(in_a, made.id)
            assert devices(in_b) == [twin]
            delete(in_b, twin.id)
            event = listener.event()
            assert event.attributes.device is not None
            assert event.attributes.device.ifindex == twin.ifindex, "the other's event is not seen"


@check
def device_moves_keeps_id() -> None:
    with namespace("a"), namespace("b"):
        with inside("a"):
            in_a = Netlink()
        with inside("b"):
            in_b = Netlink()
        with in_a, in_b:
            made = create(in_a)
            run("ip", "-n", "a", "link", "set", str(made.ifname), "netns", "b", "name", "moved0")
            moved = get(in_a, made.id or 0)
            assert (moved.in_netns, moved.ifname, moved.id) == (0, "moved0", made.id)
            assert devices(in_b) == []
            assert links("-n", "a") == []
            assert [link["ifname"] for link in links("-n", "b")] == ["moved0"]
            run("ip", "-n", "b", "link", "set", "moved0", "up")
            update = of_device(nl.Command.UPDATE_DEVICE, id=made.id, generation=2, mtu=1300)
            in_a.ask(update)
            assert links("-n", "b")[0]["mtu"] == 1300
            delete(in_a, made.id)
            assert links("-n", "b") == []


@check
def namespace_exit_deletes() -> None:
    with namespace("a"), namespace("b"):
        run("ip", "-n", "a", "link", "add", "q0", "type", "nexusq")
        run("ip", "-n", "a", "link", "set", "q0", "netns", "b")
        run("ip", "-n", "b", "link", "add", "q1", "type", "nexusq")
        run("ip", "-n", "b", "link", "set", "q1", "netns", "a")
        run("ip", "netns", "del", "a")
        # q0 goes with its owner, q1 with the namespace that it is in.
        until(lambda: links("-n", "b") == [], "the devices of the namespace are gone")
        with inside("b"):
            in_b = Netlink()
        with in_b:
            until(lambda: devices(in_b) == [], "the device in the namespace is gone")
