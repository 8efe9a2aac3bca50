# SPDX-License-Identifier: BSD-3-Clause
"""Runs inside a kernel of the lab: prints the outcome of its checks as JSON.

    python -m tests.kernel.guest MODULE.ko SELFTEST.ko [CHECK…]

One process for all of them, because starting Python takes long in an emulated kernel. Each check
starts with the module loaded and no device, and is to leave it so.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
import traceback
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nexusnet.netlink import generated as nl
from nexusnet.netlink.codec import encode
from nexusnet.netlink.messages import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    Message,
    Request,
    decode_message,
)
from tests.kernel.client import PATIENCE, Netlink, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULE: Final = "nexus_quic_dco"
NOBODY: Final = 65534
CLONE_NEWNET: Final = 0x40000000
ROOT: Final = Path(__file__).resolve().parents[2]
VECTORS, INVALID_VECTORS = (
    len(json.loads((ROOT / f"vectors/{name}.json").read_bytes())["vectors"])
    for name in ("short_header", "short_header_invalid")
)
CYCLES: Final = int(os.environ.get("NEXUS_CYCLES", "20"))

CHECKS: dict[str, Callable[[], None]] = {}


def check(function: Callable[[], None]) -> Callable[[], None]:
    """Register a check by its name."""
    CHECKS[function.__name__] = function
    return function


def run(*command: str) -> str:
    """Run a command that must succeed; return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what must become true."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, f"not in 30 s: {what}"
        time.sleep(0.02)


def refused(code: int, words: str, request: Callable[[], object]) -> None:
    """The request must be refused with this error number and a message that says so."""
    try:
        request()
    except RefusedError as error:
        assert error.code == -code, (errno.errorcode.get(-error.code), error.message)
        assert error.message, "no message in the extended acknowledgement"
        assert words in error.message, error.message
    else:
        raise AssertionError(f"not refused: {words}")


@contextmanager
def namespace(name: str) -> Iterator[None]:
    """A network namespace, deleted at the end if it is still there."""
    run("ip", "netns", "add", name)
    try:
        yield
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Be in a network namespace: sockets opened here belong to it."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        assert libc.setns(there, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        yield
    finally:
        assert libc.setns(home, CLONE_NEWNET) == 0
        os.close(there)
        os.close(home)


def of_device(command: nl.Command, **values: object) -> Request:
    """A request about a device."""
    device = nl.DeviceAttributes(**values)  # type: ignore[arg-type]  # the caller names them
    return Request(command, nl.MainAttributes(device=device))


def create(netlink: Netlink, **values: object) -> nl.DeviceAttributes:
    """CREATE_DEVICE; what it answers."""
    wanted: dict[str, object] = {"network_id": 7, "generation": 1, **values}
    (reply,) = netlink.ask(of_device(nl.Command.CREATE_DEVICE, **wanted))
    assert reply.attributes.device is not None
    return reply.attributes.device


def get(netlink: Netlink, number: int) -> nl.DeviceAttributes:
    """GET_DEVICE of one."""
    (reply,) = netlink.ask(of_device(nl.Command.GET_DEVICE, id=number))
    assert reply.attributes.device is not None
    return reply.attributes.device


def dump(netlink: Netlink, command: nl.Command = nl.Command.GET_DEVICE) -> tuple[Message, ...]:
    """All objects."""
    return netlink.ask(Request(command, nl.MainAttributes(), dump=True))


def devices(netlink: Netlink) -> list[nl.DeviceAttributes]:
    """All devices."""
    found = [message.attributes.device for message in dump(netlink)]
    return [device for device in found if device is not None]


def delete(netlink: Netlink, number: int | None, generation: int = 1 << 60) -> None:
    """DELETE_DEVICE."""
    netlink.ask(of_device(nl.Command.DELETE_DEVICE, id=number, generation=generation))


def links(*extra: str) -> list[dict[str, Any]]:
    """What ip says of nexusq devices here."""
    found: list[dict[str, Any]] = json.loads(
        run("ip", *extra, "-json", "-details", "-stats", "link", "show", "type", "nexusq") or "[]"
    )
    return [link for link in found if link]


def head(command: nl.Command, version: int | None = nl.ABI_VERSION) -> bytes:
    """Generic netlink header and abi-version."""
    body = bytes([command, 1, 0, 0])
    if version is not None:
        body += struct.pack("=HHI", 8, 2, version)
    return body


@check
def caps() -> None:
    with Netlink() as netlink:
        (reply,) = netlink.ask(Request(nl.Command.GET_CAPS, nl.MainAttributes()))
    found = reply.attributes.caps
    assert found is not None
    assert (found.abi_min, found.abi_max) == (1, 1)
    assert found.module_version == Path(f"/sys/module/{MODULE}/version").read_text().strip()
    assert {cap.suite for cap in found.cipher} == set(nl.CipherSuite)
    listed = Path("/proc/crypto").read_text()
    for cap in found.cipher:
        assert f": {cap.driver}\n" in listed, cap
    assert not found.features, "nothing is offered that is not there"
    assert found.max_sessions == 0
    for cap in found.cipher:
        sys.stderr.write(f"caps: {cap.suite.name} {cap.driver} {cap.asynchronous}\n")


@check
def abi_version_missing() -> None:
    with Netlink() as netlink:
        for command in nl.Command:
            refused(errno.EINVAL, "mandatory", partial(netlink.raw, head(command, None)))


@check
def abi_version_out_of_range() -> None:
    with Netlink() as netlink:
        for command in set(nl.Command) - {nl.Command.GET_CAPS}:
            refused(errno.EPROTONOSUPPORT, "abi-version", partial(netlink.raw, head(command, 2)))


@check
def abi_version_get_caps_any() -> None:
    with Netlink() as netlink:
        for version in (1, 2, 0xFFFFFFFF):
            assert len(netlink.raw(head(nl.Command.GET_CAPS, version)).messages) == 1


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


def answered(netlink: Netlink) -> list[Message]:
    """What answers the last request and is there already."""
    netlink.socket.setblocking(False)
    found = []
    with suppress(BlockingIOError):
        for kind, _, payload in netlink.packets():
            if kind == netlink.family:
                found.append(decode_message(payload))
    netlink.socket.settimeout(PATIENCE)
    return found


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


@check
def absent_commands_are_refused() -> None:
    body = head(nl.Command.KEY_UPDATE) + bytes(
        encode(nl.MainAttributes(session=nl.SessionAttributes(device_id=1, id=1)))
    )
    with Netlink() as netlink:
        refused(errno.EOPNOTSUPP, "does not offer", lambda: netlink.raw(body))
        for command in (nl.Command.GET_SESSION, nl.Command.GET_ROUTE, nl.Command.GET_STATS):
            assert dump(netlink, command) == ()


@check
def unprivileged_every_command() -> None:
    with Netlink() as known:
        family = known.family
    os.seteuid(NOBODY)
    try:
        with Netlink(family) as netlink:
            for command in nl.Command:
                for flags in (NLM_F_REQUEST | NLM_F_ACK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP):
                    try:
                        netlink.raw(head(command), flags)
                    except RefusedError as error:
                        allowed = {-errno.EPERM}
                        if flags & NLM_F_DUMP and command not in nl.DUMPS:
                            allowed.add(-errno.EOPNOTSUPP)
                        assert error.code in allowed, (command, error)
                    else:
                        raise AssertionError(f"{command.name} is not refused")
    finally:
        os.seteuid(0)


@check
def unprivileged_subscription() -> None:
    with Netlink() as known:
        family, group = known.family, known.group
    os.seteuid(NOBODY)
    try:
        with Netlink(family) as netlink:
            netlink.group = group
            try:
                netlink.subscribe()
            except PermissionError:
                return
            raise AssertionError("not refused")
    finally:
        os.seteuid(0)


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


def failing(request: Callable[[], object]) -> Iterator[bool]:
    """Make a request again and again, its first, second, … allocation failing, until none is left.

    Gives whether the request succeeded all the same.
    """
    # Opened ahead: opening allocates too.
    nth = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
    for count in range(1, 1000):
        os.pwrite(nth, str(count).encode(), 0)
        try:
            request()
            succeeded = True
        except (RefusedError, OSError):
            succeeded = False
        try:
            left = int(os.pread(nth, 16, 0))
        except OSError:
            left = 1  # The question itself failed: the request is past its last allocation.
        # Where one failure is left, copying this from user space meets it: it is spent then.
        with contextlib.suppress(OSError):
            os.pwrite(nth, b"0", 0)
        yield succeeded
        if left:
            os.close(nth)
            return
    raise AssertionError("there is always one more allocation")


@check
def failslab_device() -> None:
    knobs = Path("/sys/kernel/debug/failslab")
    if not Path("/proc/thread-self/fail-nth").exists():
        return
    if not knobs.exists():
        run("mount", "-t", "debugfs", "debugfs", "/sys/kernel/debug")
    (knobs / "ignore-gfp-wait").write_text("N")
    (knobs / "verbose").write_text("0")
    with Netlink() as netlink:
        before, tries = [], 0
        request = of_device(nl.Command.CREATE_DEVICE, network_id=7, generation=1, ifname="q0")
        body = bytes(request.encode())
        for succeeded in failing(partial(netlink.send, body, NLM_F_REQUEST)):
            tries += 1
            # Whatever failed, the answer says whether the device is there.
            answers = answered(netlink) if succeeded else []
            after = devices(netlink)
            assert len(after) in {0, 1}
            assert bool(after) == bool(answers), (tries, after, answers)
            for device in after:
                delete(netlink, device.id)
            before.append(bool(after))
        assert tries > 10, "allocations were made to fail"
        assert before.count(False) > 5
        assert before[-1], "with no failure the device is made"


@check
def golden_vectors() -> None:
    # With KUnit the lab counts what fails; without it the module does not load then.
    run("insmod", sys.argv[2])
    run("rmmod", Path(sys.argv[2]).stem)
    found = re.findall(r"(\w+): (\d+) vectors", run("dmesg"))
    tried = {name: int(count) for name, count in found}
    assert tried.pop("routes") == 4000
    assert tried.pop("bad_prefixes") == 8
    assert tried.pop("key_lengths") == len(nl.CipherSuite)
    assert tried.pop("short_header_opens") == tried.pop("short_header_seals") == VECTORS
    assert tried.pop("short_header_invalid") == INVALID_VECTORS
    assert tried.pop("short_header_bit_flips") > VECTORS // 4
    assert not tried


@check
def module_cycles() -> None:
    path = sys.argv[1]
    for cycle in range(CYCLES):
        run("ip", "link", "add", f"q{cycle}", "up", "type", "nexusq")
        with namespace("a"):
            run("ip", "-n", "a", "link", "add", "q0", "up", "type", "nexusq")
            with Netlink() as netlink:
                create(netlink)
            run("rmmod", MODULE)
            assert not links("-n", "a")
        assert links() == []
        run("insmod", path)


@check
def namespace_cycles() -> None:
    for _ in range(CYCLES):
        with namespace("a"):
            with inside("a"):
                owner = Netlink()
            with owner:
                create(owner)
                run("ip", "-n", "a", "link", "add", "q7", "up", "type", "nexusq")
                run("ip", "-n", "a", "link", "set", "q7", "netns", "1")
    until(lambda: links() == [], "devices of namespaces that are gone")


def main() -> None:
    path = sys.argv[1]
    depends = "".join(run("modinfo", "-F", "depends", module) for module in sys.argv[1:3])
    # Without udev nothing loads the fast ciphers; where they are built in there is nothing to load.
    for name in [*depends.replace(",", " ").split(), "aesni_intel", "ghash_clmulni_intel"]:
        with suppress(AssertionError):
            run("modprobe", name)
    run("ip", "link", "set", "lo", "up")
    run("insmod", path)
    outcome: dict[str, str | None] = {}
    for name in sys.argv[3:] or CHECKS:
        function = CHECKS[name]
        try:
            function()
            outcome[name] = None
        except Exception:  # noqa: BLE001  # a failure is the result of a check
            outcome[name] = traceback.format_exc()
        with Netlink() as netlink:
            left = devices(netlink)
            for device in left:
                delete(netlink, device.id)
        if left and outcome[name] is None:
            outcome[name] = f"left behind: {left}"
    run("rmmod", MODULE)
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()
