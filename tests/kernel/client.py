# SPDX-License-Identifier: BSD-3-Clause
"""A small blocking client of the module's control interface, for checks inside a kernel."""

from __future__ import annotations

import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from nexusnet.netlink.codec import walk
from nexusnet.netlink.generated import FAMILY_NAME
from nexusnet.netlink.messages import Message, Request, decode_message

if TYPE_CHECKING:
    from collections.abc import Iterator

GENERIC: Final = 16
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_DUMP_INTR: Final = 0x10
HEADER: Final = struct.Struct("=IHHII")
SOL_NETLINK: Final = 270
ADD_MEMBERSHIP, CAP_ACK, EXT_ACK = 1, 10, 11
PATIENCE: Final = 30.0


class RefusedError(Exception):
    """The kernel refused: a negative error number, and what the extended acknowledgement says."""

    def __init__(self, code: int, message: str | None) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{os.strerror(-code)}: {message}")


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back, and whether a dump was interrupted by a change."""

    messages: tuple[Message, ...]
    interrupted: bool = False


def _attribute(number: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), number) + payload + bytes(-len(payload) % 4)


def _family() -> tuple[int, int]:
    """Number of the family and of its multicast group."""
    with Netlink(0) as netlink:
        body = bytes([3, 1, 0, 0]) + _attribute(2, FAMILY_NAME.encode() + b"\0")
        netlink.send(body, 1, GENERIC)
        data = next(payload for kind, _, payload in netlink.packets() if kind == GENERIC)
    fields = {number: payload for number, _, payload in walk(data[4:])}
    (group,) = (payload for _, _, payload in walk(fields[7]))
    group_fields = {number: payload for number, _, payload in walk(group)}
    return int.from_bytes(fields[1], sys.byteorder), int.from_bytes(group_fields[2], sys.byteorder)


class Netlink:
    """One netlink socket; belongs to the network namespace that it was opened in."""

    def __init__(self, family: int | None = None) -> None:
        self.family, self.group = _family() if family is None else (family, 0)
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC)
        self.socket.bind((0, 0))
        self.socket.settimeout(PATIENCE)
        for option in (CAP_ACK, EXT_ACK):
            self.socket.setsockopt(SOL_NETLINK, option, 1)
        self.sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @property
    def port(self) -> int:
        """Its netlink port."""
        port: int = self.socket.getsockname()[0]
        return port

    def subscribe(self) -> None:
        """Join the multicast group of the state events."""
        self.socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, self.group)

    def send(self, body: bytes, flags: int, kind: int | None = None) -> None:
        """Send a request: the bytes after the netlink header."""
        self.sequence += 1
        number = self.family if kind is None else kind
        self.socket.send(HEADER.pack(16 + len(body), number, flags, self.sequence, 0) + body)

    def packets(self, *, events: bool = False) -> Iterator[tuple[int, int, bytes]]:
        """Type, flags and payload of what answers the last request (or comes unasked)."""
        while True:
            data = self.socket.recv(1 << 16)
            while data:
                length, kind, flags, sequence, _ = HEADER.unpack_from(data)
                if sequence == (0 if events else self.sequence):
                    yield kind, flags, data[16:length]
                data = data[(length + 3) & ~3 :]

    def finish(self) -> Answers:
        """Take the answers to the last request.

        Raises:
            RefusedError: with the error number and the message.
        """
        messages, interrupted = [], False
        for kind, flags, payload in self.packets():
            interrupted |= bool(flags & NLM_F_DUMP_INTR)
            if kind not in {NLMSG_ERROR, NLMSG_DONE}:
                messages.append(decode_message(payload))
                continue
            code = int.from_bytes(payload[:4], sys.byteorder, signed=True)
            if code:
                # An error is followed by the request's header, the end of a dump is not.
                rest = payload[20:] if kind == NLMSG_ERROR else payload[4:]
                said = {number: value for number, _, value in walk(rest)}
                text = bytes(said[1]).rstrip(b"\0").decode() if 1 in said else None
                raise RefusedError(code, text)
            break
        return Answers(tuple(messages), interrupted)

    def raw(self, body: bytes, flags: int = 5) -> Answers:
        """Send bytes, take the answers."""
        self.send(body, flags)
        return self.finish()

    def ask(self, request: Request) -> tuple[Message, ...]:
        """Send a request, take the answers."""
        return self.raw(bytes(request.encode()), request.flags).messages

    def event(self) -> Message:
        """Wait for the next event."""
        return next(decode_message(payload) for _, _, payload in self.packets(events=True))
