# SPDX-License-Identifier: BSD-3-Clause
"""Runs inside a kernel: loads a module, sends netlink requests from standard input, prints answers.

Input: JSON list of [hex of the bytes after the netlink header, netlink flags, as whom]; output:
JSON list of [error number, whether the extended acknowledgement has a message]. Standard library
only: Python is slow in an emulated kernel.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys

GENERIC = 16
GET_FAMILY = 3
NLMSG_ERROR, NLMSG_DONE = 2, 3
HEADER = struct.Struct("=IHHII")
NOBODY = 65534


def attribute(number: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), number) + payload + bytes(-len(payload) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        length, number = struct.unpack_from("=HH", data)
        found[number & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


class Netlink:
    """One generic netlink socket with extended acknowledgements, requests not echoed."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC)
        self.socket.bind((0, 0))
        self.socket.settimeout(20)
        for option in (10, 11):  # NETLINK_CAP_ACK, NETLINK_EXT_ACK
            self.socket.setsockopt(270, option, 1)
        self.sequence = 0

    def ask(self, kind: int, body: bytes, flags: int) -> list[tuple[int, bytes]]:
        """All messages that answer, up to the acknowledgement or the end of a dump."""
        self.sequence += 1
        self.socket.send(HEADER.pack(16 + len(body), kind, flags, self.sequence, 0) + body)
        answers: list[tuple[int, bytes]] = []
        while True:
            data = self.socket.recv(65536)
            while data:
                length, number, _, sequence, _ = HEADER.unpack_from(data)
                if sequence == self.sequence:
                    answers.append((number, data[16:length]))
                data = data[(length + 3) & ~3 :]
            if answers and answers[-1][0] in {NLMSG_ERROR, NLMSG_DONE}:
                return answers


def family() -> int:
    body = bytes([GET_FAMILY, 1, 0, 0]) + attribute(2, b"nexus_quic_dco\0")
    _, first = Netlink().ask(GENERIC, body, 5)[0]
    return int.from_bytes(attributes(first[4:])[1], sys.byteorder)


def answer(netlink: Netlink, kind: int, body: bytes, flags: int) -> tuple[int, bool]:
    number, last = netlink.ask(kind, body, flags)[-1]
    code = int.from_bytes(last[:4], sys.byteorder, signed=True)
    # An error is followed by the request's header, the end of a dump is not.
    more = attributes(last[20:] if number == NLMSG_ERROR else last[4:])
    return code, bool(more.get(1))


def main() -> None:
    cases = json.load(sys.stdin)
    subprocess.run(["insmod", sys.argv[1]], check=True)
    kind = family()
    netlink = Netlink()
    answers: list[tuple[int, bool] | None] = [
        answer(netlink, kind, bytes.fromhex(body), flags) if user == "root" else None
        for body, flags, user in cases
    ]
    os.seteuid(NOBODY)
    netlink = Netlink()
    for index, (body, flags, user) in enumerate(cases):
        if user != "root":
            answers[index] = answer(netlink, kind, bytes.fromhex(body), flags)
    os.seteuid(0)
    subprocess.run(["rmmod", "nqd_policy"], check=True)
    json.dump(answers, sys.stdout)


main()
