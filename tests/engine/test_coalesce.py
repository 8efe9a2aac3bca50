# SPDX-License-Identifier: BSD-3-Clause
"""Merging packets into super-packets, and that cutting gives the same packets again."""

import errno
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import native
from tests.engine.packets import ACK, CWR, ECE, FIN, NEEDS_CSUM, PSH, TCP, UDP, Flow, ones_sum
from tests.engine.strategies import flows
from tests.engine.test_segment import cut

ffi, lib = native.load()
ALL = 7


class Device:
    """What a TUN device with offloads would be given."""

    def __init__(self, offloads: int = ALL, refuse: int = 0) -> None:
        self.written: list[tuple[Any, bytes]] = []
        self.refuse = refuse
        self.callback = ffi.callback("nqe_coalesce_write", self.write)
        self.state = ffi.new("struct nqe_coalesce *")
        self.buffers: list[Any] = []
        lib.nqe_coalesce_init(self.state, offloads, self.callback, ffi.NULL)

    def write(self, _context: Any, iov: Any, count: int) -> int:
        vnet = ffi.cast("struct nqe_vnet *", iov[0].iov_base)
        if vnet.gso_type and self.refuse:
            return -self.refuse
        copy = ffi.new("struct nqe_vnet *", vnet[0])
        parts = [bytes(ffi.buffer(iov[i].iov_base, iov[i].iov_len)) for i in range(1, count)]
        self.written.append((copy, b"".join(parts)))
        return 0

    def add(self, packets: list[bytes]) -> None:
        for packet in packets:
            buffer = native.octets(packet)
            outline = ffi.new("struct nqe_ip *")
            assert lib.nqe_ip_parse(buffer, len(packet), outline) == 0
            self.buffers.append(buffer)
            lib.nqe_coalesce_add(self.state, buffer, outline.len, outline)

    def flush(self) -> list[bytes]:
        """Flush; returns the IP packets that the kernel would see, super-packets cut again."""
        lib.nqe_coalesce_flush(self.state)
        made: list[bytes] = []
        for vnet, packet in self.written:
            made += cut(packet, flags=vnet.flags & NEEDS_CSUM, gso_type=vnet.gso_type,
                        size=vnet.gso_size, start=vnet.csum_start,
                        offset=vnet.csum_offset)  # fmt: skip
        return made

    def run(self, packets: list[bytes]) -> list[bytes]:
        self.add(packets)
        return self.flush()


@settings(deadline=None)
@given(
    flows(), st.integers(1, 3000), st.integers(1, 64000), st.sampled_from([0, PSH]), st.randoms()
)
def test_cutting_is_the_inverse(
    flow: Flow, size: int, length: int, push: int, rng: random.Random
) -> None:
    length = min(length, size * 64)
    if flow.protocol == TCP:
        flow = replace(flow, flags=flow.flags | push)
    packets = flow.segments(rng.randbytes(length), size)
    device = Device()
    assert device.run(packets) == packets
    # All in one, unless the whole would not fit an IP packet.
    total = flow.header_length + length - (40 if flow.version == 6 else 0)
    assert len(device.written) == 1 or total > 65535 - 40
    if len(packets) > 1:
        assert device.state.merged >= len(packets) - 1


def normal(packet: bytes) -> bytes:
    """Without the identification (and its checksum) where RFC 6864 gives it no meaning."""
    if packet[0] >> 4 == 4 and packet[6] & 0x40:
        return packet[:4] + packet[6:10] + packet[12:]
    return packet


@settings(deadline=None, max_examples=200)
@given(st.data(), st.randoms())
def test_mixed_traffic_keeps_every_packet_and_the_order_of_flows(
    data: st.DataObject, rng: random.Random
) -> None:
    streams: list[list[bytes]] = []
    for index in range(data.draw(st.integers(1, 12))):
        flow = data.draw(flows(st.sampled_from([ACK, ACK | PSH, ACK | FIN, ACK | CWR, 2])))
        flow = replace(flow, ports=(index, 5201))
        stream = flow.segments(rng.randbytes(rng.randrange(1, 9000)), rng.choice([100, 536, 1400]))
        if rng.random() < 0.3:  # a hole, a repetition
            stream[rng.randrange(len(stream))] = stream[0]
        if rng.random() < 0.3:
            broken = rng.randrange(len(stream))
            stream[broken] = stream[broken][:-1] + bytes([stream[broken][-1] ^ 1])
        streams.append(stream)
    order = [i for i, stream in enumerate(streams) for _ in stream]
    rng.shuffle(order)
    left = [list(stream) for stream in streams]
    packets = [left[i].pop(0) for i in order]
    made = [normal(packet) for packet in Device().run(packets)]
    assert sorted(made) == sorted(normal(packet) for packet in packets)
    for stream in streams:
        mine = [normal(packet) for packet in stream]
        assert [packet for packet in made if packet in mine] == mine


def two(flow: Flow, change: dict[str, Any] | None = None) -> list[bytes]:
    """Two packets in sequence, the second with changed fields."""
    second = {"seq": flow.seq + 500, "ident": flow.ident + 1} | (change or {})
    return [flow.packet(bytes(500)), replace(flow, **second).packet(bytes(500))]


FLOW6 = Flow(version=6, source=bytes(15) + b"\1", destination=bytes(15) + b"\2")


@pytest.mark.parametrize("protocol", [TCP, UDP])
@pytest.mark.parametrize("base", [Flow(), FLOW6], ids=["v4", "v6"])
def test_a_pair_is_merged(base: Flow, protocol: int) -> None:
    device = Device()
    packets = two(replace(base, protocol=protocol))
    assert device.run(packets) == packets
    assert len(device.written) == 1


@pytest.mark.parametrize(
    ("base", "change"),
    [
        (Flow(), {"seq": 501}),
        (Flow(), {"acknowledged": 78}),
        (Flow(), {"window": 1}),
        (Flow(), {"flags": ACK | ECE}),
        (Flow(), {"flags": ACK | FIN}),
        (Flow(), {"flags": ACK | CWR}),
        (Flow(flags=2), {}),
        (Flow(), {"options": bytes(4)}),
        (Flow(options=bytes(4)), {"options": b"\1\1\1\1"}),
        (Flow(), {"ttl": 63}),
        (Flow(), {"tos": 1}),
        (Flow(), {"ident": 99}),
        (Flow(dont_fragment=False), {"ident": 100}),
        (Flow(), {"dont_fragment": False}),
        (FLOW6, {"ttl": 63}),
        (FLOW6, {"flow_label": 1}),
        (FLOW6, {"tos": 4}),
        (Flow(), {"ports": (40000, 5202)}),
        (Flow(flags=ACK | PSH), {}),
    ],
)
def test_packets_that_differ_stay_apart(base: Flow, change: dict[str, Any]) -> None:
    device = Device()
    packets = two(base, change)
    assert sorted(device.run(packets)) == sorted(packets)
    assert len(device.written) == 2


@pytest.mark.parametrize("at", [12, 30, 36, 60], ids=["address", "port", "check", "data"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_broken_checksum_is_passed_on_broken(at: int, which: int) -> None:
    packets = two(Flow())
    bad = bytearray(packets[which])
    bad[at] ^= 0x10
    packets[which] = bytes(bad)
    device = Device()
    assert sorted(device.run(packets)) == sorted(packets)
    assert len(device.written) == 2


def test_udp_without_checksum_and_fragments_stay_apart() -> None:
    packets = two(Flow(protocol=UDP))
    bare = [packet[:26] + b"\0\0" + packet[28:] for packet in packets]
    device = Device()
    assert device.run(bare) == bare
    assert len(device.written) == 2
    fragments = []
    for packet in two(Flow(dont_fragment=False)):
        head = packet[:6] + b"\x20\x00" + packet[8:10] + b"\0\0" + packet[12:20]
        check = (~ones_sum(head) & 0xFFFF).to_bytes(2, "big")
        fragments.append(head[:10] + check + head[12:] + packet[20:])
    device = Device()
    assert device.run(fragments) == fragments
    assert len(device.written) == 2


def test_constant_identification_of_atomic_datagrams_is_merged() -> None:
    """RFC 6864: with DF the field has no meaning, so that it rises after cutting does no harm."""
    device = Device()
    device.run(two(Flow(ident=0), {"ident": 0}))
    assert len(device.written) == 1


def test_without_offloads_nothing_is_merged() -> None:
    device = Device(offloads=0)
    packets = two(Flow())
    assert device.run(packets) == packets
    assert len(device.written) == 2
    assert device.state.merged == 0


@pytest.mark.parametrize("base", [Flow(), FLOW6, Flow(protocol=UDP)])
def test_a_refused_super_packet_goes_out_in_parts(base: Flow) -> None:
    device = Device(refuse=errno.EINVAL)
    packets = two(base)
    assert device.run(packets) == packets
    assert device.run(packets)[2:] == packets
    assert len(device.written) == 4
    assert device.state.offloads != ALL
    assert device.state.failed == 0


def test_a_full_device_counts_what_it_lost() -> None:
    device = Device()
    device.refuse = 0
    device.callback = ffi.callback("nqe_coalesce_write", lambda *_: -errno.EAGAIN)
    device.state.write = device.callback
    device.add(two(Flow()))
    device.flush()
    assert device.state.failed == 2
    assert device.state.offloads == ALL
