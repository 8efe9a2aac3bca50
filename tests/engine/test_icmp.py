# SPDX-License-Identifier: BSD-3-Clause
"""Packet Too Big: built from the RFCs, and when there must be none."""

import struct

import pytest

from tests.engine import native
from tests.engine.packets import UDP, Flow, ones_sum

ffi, lib = native.load()
FLOW6 = Flow(version=6, source=bytes.fromhex("fd" + "00" * 14 + "01"),
             destination=bytes.fromhex("fd" + "00" * 14 + "02"))  # fmt: skip


def too_big(packet: bytes, mtu: int = 1169) -> bytes:
    out = ffi.new("u8[]", 1280)
    length = lib.nqe_icmp_too_big(native.octets(packet), len(packet), mtu, out)
    return bytes(ffi.buffer(out, length))


@pytest.mark.parametrize("size", [0, 100, 520, 521, 1400])
def test_ipv4(size: int) -> None:
    packet = Flow().packet(bytes(size))
    answer = too_big(packet)
    assert answer[12:16] == packet[16:20]
    assert answer[16:20] == packet[12:16]
    assert answer[9] == 1
    assert len(answer) == struct.unpack(">H", answer[2:4])[0] <= 576
    assert ones_sum(answer[:20]) == 0xFFFF
    kind, code, _, _, mtu = struct.unpack(">BBHHH", answer[20:28])
    assert (kind, code, mtu) == (3, 4, 1169)
    assert ones_sum(answer[20:]) == 0xFFFF
    quoted = answer[28:]
    assert packet.startswith(quoted)
    assert len(quoted) == min(len(packet), 548)


@pytest.mark.parametrize("size", [0, 1171, 1172, 1400])
def test_ipv6(size: int) -> None:
    packet = FLOW6.packet(bytes(size))
    answer = too_big(packet, 1280)
    assert answer[8:24] == packet[24:40]
    assert answer[24:40] == packet[8:24]
    assert answer[6] == 58
    assert 40 + struct.unpack(">H", answer[4:6])[0] == len(answer) <= 1280
    kind, code, _, mtu = struct.unpack(">BBHI", answer[40:48])
    assert (kind, code, mtu) == (2, 0, 1280)
    pseudo = answer[8:40] + struct.pack(">II", len(answer) - 40, 58)
    assert ones_sum(pseudo + answer[40:]) == 0xFFFF
    assert packet.startswith(answer[48:])


def icmp_error(version: int, kind: int) -> bytes:
    flow = Flow(protocol=UDP) if version == 4 else FLOW6
    packet = bytearray(flow.packet(bytes([kind]) * 100))
    if version == 4:
        packet[9], packet[20] = 1, kind
    else:
        packet[6], packet[40] = 58, kind
    return bytes(packet)


@pytest.mark.parametrize(
    "packet",
    [
        icmp_error(4, 3),
        icmp_error(4, 11),
        icmp_error(6, 2),
        icmp_error(6, 1),
        Flow(destination=bytes([224, 0, 0, 1])).packet(b"x"),
        Flow(source=bytes(4)).packet(b"x"),
        Flow(source=bytes([255] * 4)).packet(b"x"),
        Flow(source=bytes([127, 0, 0, 1])).packet(b"x"),
        Flow().packet(b"x")[:6] + b"\0\1" + Flow().packet(b"x")[8:],  # a later fragment
        Flow(version=6, source=bytes(16), destination=FLOW6.destination).packet(b"x"),
        Flow(version=6, source=FLOW6.source, destination=b"\xff" * 16).packet(b"x"),
        b"",
        b"\x45",
        b"\x75" + bytes(50),
    ],
)
def test_no_answer(packet: bytes) -> None:
    assert too_big(packet) == b""


def test_an_echo_is_answered() -> None:
    assert too_big(icmp_error(4, 8))
    assert too_big(icmp_error(6, 128), 1280)
