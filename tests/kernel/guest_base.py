# SPDX-License-Identifier: BSD-3-Clause
"""What all checks inside a kernel share."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import struct
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import (
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


def faults_can_be_injected() -> bool:
    """Whether allocations can be made to fail here; made ready for :func:`failing` if so."""
    knobs = Path("/sys/kernel/debug/failslab")
    if not Path("/proc/thread-self/fail-nth").exists():
        return False
    if not knobs.exists():
        run("mount", "-t", "debugfs", "debugfs", "/sys/kernel/debug")
    (knobs / "ignore-gfp-wait").write_text("N")
    (knobs / "verbose").write_text("0")
    return True


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
