# SPDX-License-Identifier: BSD-3-Clause
"""Sends what no server should answer: run in the client's namespace.

Usage: python -m tests.agent.flood SERVER PORT OWN_PORT INNER SECONDS RATE [PULSES]
Random, truncated and replayed datagrams in turn, the last two made from the tunnel's own packets,
which are taken from the cable; and packets to the server's address INNER that the tunnel carries
with a source that is not the client's. With PULSES it floods so many times for SECONDS, with
pauses as long before, between and behind. Prints "flooding" and "pausing" when it begins to, and in
the end how many of each were sent, and how many answers came to ports that are not the tunnel's.
"""

import contextlib
import json
import random
import socket
import struct
import sys
import time
from collections import Counter

from nexusnet.demo.namespaces import CABLE

ETH_P_ALL = 3
IPV4_UDP_HEADERS = 14 + 20 + 8
CHECKSUM = 14 + 20 + 6
OUTGOING = 4


def genuine(sniffer: socket.socket, own_port: int, count: int, patience: float) -> list[bytes]:
    """Frames of the tunnel as they leave."""
    frames: list[bytes] = []
    end = time.monotonic() + patience
    while len(frames) < count and time.monotonic() < end:
        try:
            frame, address = sniffer.recvfrom(65535)
        except TimeoutError:
            continue
        is_udp = frame[12:14] == b"\x08\x00" and frame[23] == 17
        whole = len(frame) <= 1514  # no super-packet
        if whole and address[2] == OUTGOING and is_udp and port_of(frame, 34) == own_port:
            # What leaves a veth has no checksum yet; 0 stands for none (RFC 768).
            frames.append(frame[:CHECKSUM] + bytes(2) + frame[CHECKSUM + 2 :])
    return frames


def port_of(frame: bytes, offset: int) -> int:
    return int.from_bytes(frame[offset : offset + 2], "big")


def spoofed(inner: str) -> bytes:
    """An IPv4 packet of an experimental protocol (RFC 3692) from an address that is nobody's."""
    addresses = socket.inet_aton("192.0.2.1") + socket.inet_aton(inner)
    return struct.pack("!BBHHHBBH", 0x45, 0, 48, 0, 0, 64, 253, 0) + addresses + bytes(28)


class Flood:
    """Sockets, and what went through them."""

    def __init__(self, server: tuple[str, int], own_port: int, inner: str) -> None:
        self.server, self.own_port, self.inner = server, own_port, inner
        self.rng = random.Random(1)
        self.sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sniffer.bind((CABLE, 0))
        self.frames: list[bytes] = []
        self.plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.plain.settimeout(0)
        # The kernel fills in the checksum.
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.sent: Counter[str] = Counter()
        self.answers = 0

    def learn(self) -> None:
        """What the tunnel's packets look like now."""
        self.sniffer.settimeout(0.2)
        self.frames = genuine(self.sniffer, self.own_port, 50, 10)
        assert len(self.frames) >= 20, "the tunnel is quiet"
        self.sniffer.settimeout(0)

    def send(self, number: int) -> None:
        frame = self.rng.choice(self.frames)
        match number % 4:
            case 0:
                self.sent["replayed"] += 1
                self.sniffer.send(frame)
            case 1:
                self.sent["truncated"] += 1
                payload = frame[IPV4_UDP_HEADERS:]
                size = self.rng.randrange(1, min(20, len(payload)))
                self.plain.sendto(payload[:size], self.server)
            case 2:
                self.sent["spoofed"] += 1
                self.raw.sendto(spoofed(self.inner), (self.inner, 0))
            case _:
                self.sent["random"] += 1
                # Short headers with the fixed bit: what gets furthest.
                first = bytes((0x40 | self.rng.randrange(64),))
                noise = self.rng.randbytes(self.rng.randrange(0, 1200))
                self.plain.sendto(first + noise, self.server)

    def listen(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.plain.recv(2000):
                self.answers += 1

    def pulse(self, seconds: float, rate: float) -> None:
        begin = time.monotonic()
        number = 0
        while (now := time.monotonic() - begin) < seconds:
            if number > now * rate:
                time.sleep(0.001)
                continue
            number += 1
            self.send(number)
            self.listen()


def say(word: str) -> None:
    print(word, flush=True)  # noqa: T201 - a program


def main(flood: Flood, seconds: float, rate: float, pulses: int | None) -> None:
    flood.learn()
    for _ in range(pulses or 1):
        if pulses is not None:
            say("pausing")
            time.sleep(seconds)
        say("flooding")
        flood.pulse(seconds, rate)
    say("pausing")
    time.sleep(0.5 if pulses is None else seconds)
    flood.listen()
    say(json.dumps({"sent": flood.sent, "answers": flood.answers}))


if __name__ == "__main__":
    main(
        Flood((sys.argv[1], int(sys.argv[2])), int(sys.argv[3]), sys.argv[4]),
        float(sys.argv[5]), float(sys.argv[6]), int(sys.argv[7]) if sys.argv[7:] else None,
    )  # fmt: skip
