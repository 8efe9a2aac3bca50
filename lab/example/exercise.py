#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Uses the example module from inside a guest: `python3 exercise.py nexus_lab_example.ko`.

Standard library only: emulated, Python is some 50 times slower, and so is every import.
"""

import errno
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

NETLINK_GENERIC = 16
NLM_F_REQUEST, NLMSG_ERROR = 1, 2
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 0x10, 3, 1, 2
LAB_CMD_SUM, LAB_A_FIRST, LAB_A_SECOND, LAB_A_SUM = 1, 1, 2, 3


def attribute(kind: int, value: bytes) -> bytes:
    """Return a netlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes of a message by type."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def ask(link: socket.socket, family: int, command: int, payload: bytes) -> dict[int, bytes]:
    """Send a generic netlink request; returns the reply's attributes or raises its error."""
    body = struct.pack("=BBH", command, 1, 0) + payload
    link.send(struct.pack("=IHHII", 16 + len(body), family, NLM_F_REQUEST, 1, 0) + body)
    reply = link.recv(65536)
    length, kind = struct.unpack_from("=IH", reply)
    if kind == NLMSG_ERROR:
        code = -struct.unpack_from("=i", reply, 16)[0]
        raise OSError(code, os.strerror(code))
    return attributes(reply[20:length])


def add(link: socket.socket, family: int, first: int, second: int) -> int:
    """Have the module add two numbers."""
    payload = attribute(LAB_A_FIRST, struct.pack("=I", first))
    payload += attribute(LAB_A_SECOND, struct.pack("=I", second))
    total: int = struct.unpack("=I", ask(link, family, LAB_CMD_SUM, payload)[LAB_A_SUM])[0]
    return total


def main() -> None:
    """Load the module, use the family and the device, unload it."""
    device = Path("/sys/class/net/nxlab0")
    subprocess.run(["insmod", sys.argv[1]], check=True)
    if not device.exists():
        sys.exit("the device did not appear")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as link:
        link.bind((0, 0))
        name = attribute(CTRL_ATTR_FAMILY_NAME, b"nexus_lab\0")
        reply = ask(link, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, name)
        family = struct.unpack("=H", reply[CTRL_ATTR_FAMILY_ID])[0]
        if add(link, family, 40, 2) != 42:
            sys.exit("the module cannot add")
        try:
            add(link, family, 0xFFFFFFFF, 1)
        except OSError as error:
            if error.errno != errno.EOVERFLOW:
                raise
        else:
            sys.exit("the module missed an overflow")
    subprocess.run(["ip", "link", "set", "nxlab0", "up"], check=True)
    subprocess.run(["ip", "addr", "add", "192.0.2.1/24", "dev", "nxlab0"], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(3):
            sender.sendto(b"x" * 100, ("192.0.2.2", 9))
    if int((device / "statistics/tx_packets").read_text()) < 3:
        sys.exit("the device did not count what was sent")
    subprocess.run(["rmmod", "nexus_lab_example"], check=True)
    if device.exists():
        sys.exit("the device outlived its module")
    print("example: device, netlink and unloading work on", os.uname().release)


main()
