# SPDX-License-Identifier: BSD-3-Clause
"""Runs inside User-Mode Linux: installs keys that exist nowhere else in its memory, deletes them.

    python -m tests.kernel.memory_guest MODULE.ko

At each stage it says so and waits for the host to have looked at its memory. The keys are made byte
by byte in the buffer that is sent, and wiped from it: what is found later was left by the kernel.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import tunnel_end
from nexusnet.keys import HeaderKeys, KeyPair, KeySet, KeyState, PacketKey, SecretSet
from nexusnet.netlink import convert
from nexusnet.netlink import generated as nl
from nexusnet.secret import SecretBytes
from nexusnet.session import (
    Activation,
    Close,
    ConnectionId,
    Device,
    ReceivedRanges,
    RttState,
    SessionRef,
)
from tests.inside import module
from tests.kernel.client import HEADER, Netlink

if TYPE_CHECKING:
    from nexusnet.netlink.messages import Request

SUITE: Final = nl.CipherSuite.AES_128_GCM_SHA256
# Names of what is installed, with lengths; their order is that of the marks in a request.
V2: Final = {"tx": 32, "rx": 32, "tx_header": 16, "rx_header": 16}
V1: Final = {
    name: length
    for way in ("tx", "rx")
    for name, length in (
        (f"{way}_header", 16), (f"{way}_key", 16), (f"{way}_iv", 12),
        (f"next_{way}_key", 16), (f"next_{way}_iv", 12),
    )
}  # fmt: skip


def byte_of(name: str, index: int) -> int:
    """One byte of a key; the host makes the same."""
    return (sum(name.encode()) * 31 + index * 167 + index * index * 13 + 0x5A) & 0xFF


def mark(number: int, length: int) -> SecretBytes:
    """What stands in a request for a key, until the moment that it is sent."""
    return SecretBytes(bytes([0xA0 + number]) * length)


def wait(stage: str) -> None:
    """Let the host look."""
    sys.stdout.write(f"{stage}\n")
    sys.stdout.flush()
    folder = Path(os.environ["NEXUS_LAB_OUT"])
    deadline = time.monotonic() + 120
    # Listed: a name that was not there stays so for a while where one asks for it alone.
    while f"{stage}.seen" not in {path.name for path in folder.iterdir()}:
        assert time.monotonic() < deadline, f"nobody looks at {stage}"
        time.sleep(0.1)


def send(netlink: Netlink, request: Request, keys: dict[str, int], prefix: str) -> None:
    """Put the keys into the request, send it, wipe it."""
    body = request.encode()
    netlink.sequence += 1
    whole = bytearray(
        HEADER.pack(16 + len(body), netlink.family, request.flags, netlink.sequence, 0)
    )
    whole += body
    for number, (name, length) in enumerate(keys.items()):
        at = whole.index(bytes([0xA0 + number]) * length)
        for index in range(length):
            whole[at + index] = byte_of(prefix + name, index)
    netlink.socket.send(whole)
    for index in range(len(whole)):
        whole[index] = 0
    netlink.finish()


def v2() -> SecretSet:
    return SecretSet(
        suite=SUITE, state=KeyState(), tx=mark(0, 32), rx=mark(1, 32),
        header=HeaderKeys(tx=mark(2, 16), rx=mark(3, 16)),
    )  # fmt: skip


def v1() -> KeySet:
    marks = [mark(number, length) for number, length in enumerate(V1.values())]
    tx, rx = marks[:5], marks[5:]
    return KeySet(
        suite=SUITE, state=KeyState(), header=HeaderKeys(tx=tx[0], rx=rx[0]),
        current=KeyPair(tx=PacketKey(tx[1], tx[2]), rx=PacketKey(rx[1], rx[2])),
        next=KeyPair(tx=PacketKey(tx[3], tx[4]), rx=PacketKey(rx[3], rx[4])),
    )  # fmt: skip


def activation(number: int, keys: SecretSet | KeySet) -> Request:
    """The request that installs them, with marks where they will stand."""
    return convert.activate_session(
        Activation(
            ref=SessionRef(1, number), generation=2, keys=keys, next_pn=10, largest_acked=9,
            received=ReceivedRanges((), 10), rtt=RttState(),
        )
    )  # fmt: skip


def attribute_headers() -> dict[str, bytes]:
    """What stands in front of each key that begins its attribute: length and type of that."""
    found = {}
    for prefix, fields, keys in (("v1 ", V1, v1()), ("v2 ", V2, v2())):
        body = activation(1, keys).encode()
        for number, (name, length) in enumerate(fields.items()):
            at = body.index(bytes([0xA0 + number]) * length)
            if any(head := body[at - 4 : at]):
                found[prefix + name] = bytes(head)
    return found


def install(netlink: Netlink, sock: socket.socket, number: int, keys: SecretSet | KeySet) -> None:
    """A session in HOLD, then its keys."""
    end = tunnel_end.End(
        role=nl.Role.SERVER, device="q0", local="127.0.0.1", remote="127.0.0.1", routes=(),
        sources=("10.0.0.1/32",),
    )  # fmt: skip
    ref = SessionRef(1, number)
    session = replace(
        tunnel_end.session(end, 1, sock.fileno()), ref=ref,
        local_cids=(ConnectionId(0, bytes([number]) * 8),),
    )  # fmt: skip
    netlink.ask(convert.add_session(session))
    fields, prefix = (V2, "v2 ") if isinstance(keys, SecretSet) else (V1, "v1 ")
    send(netlink, activation(number, keys), fields, prefix)


def main() -> None:
    module.load(sys.argv[1])
    with Netlink() as netlink, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 443))
        netlink.ask(convert.create_device(Device(generation=1, network_id=1, route_epoch=1)))
        install(netlink, sock, 1, v2())
        install(netlink, sock, 2, v1())
        wait("installed")
        for number in (1, 2):
            close = Close(mode=nl.CloseMode.SILENT)
            netlink.ask(convert.delete_session(SessionRef(1, number), 9, close))
        wait("deleted")
        netlink.ask(convert.delete_device(1, 9))
    module.unload()


if __name__ == "__main__":
    main()
