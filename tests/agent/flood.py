# SPDX-License-Identifier: BSD-3-Clause
"""Sends what no server should answer: run in the client's namespace.

Usage: python -m tests.agent.flood SERVER PORT OWN_PORT INNER SECONDS RATE
Random, truncated and replayed datagrams in turn, the last two made from the tunnel's own packets,
which are taken from the cable; and packets to the server's address INNER that the tunnel carries
with a source that is not the client's. Prints "flooding" when it begins, and in the end how many of
each were sent, and how many answers came to ports that are not the tunnel's.
"""

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


def main(server: str, port: int, own_port: int, inner: str, seconds: float, rate: float) -> None:
    rng = random.Random(1)
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sniffer.bind((CABLE, 0))
    sniffer.settimeout(0.2)
    frames = genuine(sniffer, own_port, 50, 10)
    assert len(frames) >= 20, "the tunnel is quiet"
    sniffer.settimeout(0)
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    plain.settimeout(0)
    # The kernel fills in the checksum.
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sent: Counter[str] = Counter()
    answers = 0
    print("flooding", flush=True)  # noqa: T201 - a program
    begin = time.monotonic()
    number = 0
    while (now := time.monotonic() - begin) < seconds:
        if number > now * rate:
            time.sleep(0.001)
            continue
        number += 1
        frame = rng.choice(frames)
        match number % 4:
            case 0:
                sent["replayed"] += 1
                sniffer.send(frame)
            case 1:
                sent["truncated"] += 1
                payload = frame[IPV4_UDP_HEADERS:]
                plain.sendto(payload[: rng.randrange(1, min(20, len(payload)))], (server, port))
            case 2:
                sent["spoofed"] += 1
                raw.sendto(spoofed(inner), (inner, 0))
            case _:
                sent["random"] += 1
                # Short headers with the fixed bit: what gets furthest.
                first = bytes((0x40 | rng.randrange(64),))
                plain.sendto(first + rng.randbytes(rng.randrange(0, 1200)), (server, port))
        try:
            plain.recv(2000)
            answers += 1
        except BlockingIOError:
            pass
    time.sleep(0.5)
    try:
        while plain.recv(2000):
            answers += 1
    except BlockingIOError:
        pass
    print(json.dumps({"sent": sent, "answers": answers}))  # noqa: T201 - a program


if __name__ == "__main__":
    main(
        sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4],
        float(sys.argv[5]), float(sys.argv[6]),
    )  # fmt: skip
