# SPDX-License-Identifier: BSD-3-Clause
"""The TUN device: what the kernel grants, what it hands over, what it takes."""

import errno
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine import native
from tests.engine.packets import NEEDS_CSUM, UDP, Flow
from tests.engine.test_segment import cut
from tests.support.own_namespace import own_namespace

pytestmark = pytest.mark.netns

ffi, lib = native.load()
CSUM, TSO, USO = lib.NQE_TUN_CSUM, lib.NQE_TUN_TSO, lib.NQE_TUN_USO


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    with own_namespace():
        yield


class Tun:
    """struct nqe_tun, up and with an address."""

    def __init__(self, offloads: int) -> None:
        self.state = ffi.gc(ffi.new("struct nqe_tun *"), lib.nqe_tun_close)
        assert lib.nqe_tun_open(self.state, b"nexusq%d", offloads) == 0
        self.name = ffi.string(self.state.name).decode()
        for command in (f"addr add 10.8.0.1/24 dev {self.name}", f"link set {self.name} up"):
            subprocess.run(["ip", *command.split()], check=True, timeout=30)

    def read(self) -> tuple[Any, bytes]:
        """The next IPv4 packet."""
        vnet, packet = ffi.new("struct nqe_vnet *"), ffi.new("u8[]", 65535)
        deadline = time.monotonic() + 10
        while True:
            length = lib.nqe_tun_read(self.state, vnet, packet)
            if length > 0 and packet[0] >> 4 == 4:
                return vnet, bytes(ffi.buffer(packet, length))
            assert length > 0 or length == -errno.EAGAIN
            assert time.monotonic() < deadline, "nothing to read"

    def write(self, vnet: Any, packet: bytes) -> int:
        data = native.octets(packet)
        iov = ffi.new("struct iovec[2]")
        iov[0].iov_base, iov[0].iov_len = vnet, ffi.sizeof("struct nqe_vnet")
        iov[1].iov_base, iov[1].iov_len = data, len(packet)
        return int(lib.nqe_tun_write(self.state, iov, 2))


@pytest.mark.parametrize("wanted", [0, CSUM, CSUM | TSO, CSUM | TSO | USO])
def test_offloads_are_no_more_than_wanted(wanted: int) -> None:
    granted = Tun(wanted).state.offloads
    assert granted in {wanted, wanted & ~USO}


def test_a_name_is_chosen_and_taken_once() -> None:
    tun = Tun(0)
    assert tun.name.startswith("nexusq")
    again = ffi.new("struct nqe_tun *")
    assert lib.nqe_tun_open(again, tun.name.encode(), 0) == -errno.EBUSY
    assert lib.nqe_tun_open(again, b"", 0) == -errno.EINVAL
    assert lib.nqe_tun_open(again, b"x" * 16, 0) == -errno.EINVAL
    assert lib.nqe_tun_open(again, b"a/b", 0) == -errno.EINVAL
    lib.nqe_tun_close(tun.state)
    assert tun.name not in {name for _, name in socket.if_nameindex()}


@pytest.mark.parametrize("offloads", [0, CSUM | TSO | USO], ids=["plain", "offloads"])
def test_packets_come_whole(offloads: int) -> None:
    tun = Tun(offloads)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("10.8.0.1", 4000))
        sender.sendto(b"hello", ("10.8.0.2", 5000))
        vnet, packet = tun.read()
        (made,) = cut(
            packet, flags=vnet.flags & NEEDS_CSUM, gso_type=vnet.gso_type, size=vnet.gso_size,
            start=vnet.csum_start, offset=vnet.csum_offset,
        )  # fmt: skip
        flow = Flow(
            protocol=UDP, source=packet[12:16], destination=packet[16:20], ports=(4000, 5000),
            ident=int.from_bytes(packet[4:6], "big"), dont_fragment=bool(packet[6] & 0x40),
        )  # fmt: skip
        assert made == flow.packet(b"hello")
        if not offloads:
            assert not vnet.flags & NEEDS_CSUM


def test_a_super_packet_is_taken_and_cut_by_the_kernel() -> None:
    tun = Tun(CSUM | TSO | USO)
    if not tun.state.offloads & USO:
        pytest.skip("this kernel's TUN has no UDP segmentation (Linux 6.2)")
    flow = Flow(protocol=UDP, source=bytes([10, 8, 0, 2]), destination=bytes([10, 8, 0, 1]),
                ports=(4000, 5000))  # fmt: skip
    payload = bytes(range(200)) * 10
    vnet = ffi.new("struct nqe_vnet *", {
        "flags": NEEDS_CSUM, "gso_type": 5, "hdr_len": 28, "gso_size": 700, "csum_start": 20,
        "csum_offset": 6})  # fmt: skip
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("10.8.0.1", 5000))
        receiver.settimeout(10)
        assert tun.write(vnet, flow.partial(payload)) == 0
        got = [receiver.recv(2000) for _ in range(3)]
    assert got == [payload[:700], payload[700:1400], payload[1400:]]
    vnet.csum_start = 60000
    assert tun.write(vnet, flow.partial(payload)) == -errno.EINVAL
