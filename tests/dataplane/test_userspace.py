# SPDX-License-Identifier: BSD-3-Clause
"""The contract, kept by the user-space plane; and what is its own."""

import errno
import socket
import subprocess
import sys
from ipaddress import ip_address

import pytest

from nexusnet.dataplane.protocol import DataPlane, ScreeningEndpoint
from nexusnet.dataplane.userspace import UserspaceDataPlane
from nexusnet.netlink.generated import CipherSuite, Congestion
from nexusnet.quic.frames import DatagramFrame
from nexusnet.session import ConnectionId, Endpoint, UdpTuple
from tests.dataplane import contract, contract_frames, contract_handover, contract_update
from tests.dataplane.setup import Bench
from tests.support.own_namespace import own_namespace

pytestmark = pytest.mark.netns


class Userspace:
    """Makes the plane."""

    def make_plane(self) -> DataPlane:
        return UserspaceDataPlane()


class TestInstall(Userspace, contract.InstallContract):
    """HOLD, ACTIVATE, generations, refusals."""


class TestTraffic(Userspace, contract.TrafficContract):
    """Packets both ways, and what is dropped."""


class TestUpdate(Userspace, contract_update.UpdateContract):
    """Changes of a session that runs."""


class TestHandover(Userspace, contract_handover.HandoverContract):
    """Keys and counts of before the handover."""


class TestFrames(Userspace, contract_frames.FramesContract):
    """Frames that are lost, sent once, counted."""


class TestProtocol(Userspace, contract.ProtocolContract):
    """Frames, keys, life of a session."""


def test_connection_ids_without_length_are_told_apart_by_address() -> None:
    with own_namespace():
        bench = Bench(UserspaceDataPlane(), cid_length=0)
        try:
            for number in (1, 2):
                peer = bench.peer(number)
                session = bench.session(peer, number, local_cids=(ConnectionId(0, b""),))
                bench.plane.add_session(session)
                bench.plane.activate(bench.activation(peer, session))
                peer.send(contract.carried(bytes([number])))
                assert bench.inner_receive() == bytes([number])
            same = bench.session(bench.peers[0], 3, local_cids=(ConnectionId(0, b""),))
            with contract.refused(17):
                bench.plane.add_session(same)
        finally:
            bench.close()


def test_a_dual_stack_socket_serves_ipv4_peers() -> None:
    with own_namespace():
        bench = Bench(UserspaceDataPlane(), family=socket.AF_INET6)
        try:
            peer, _ = bench.connect()
            peer.send(contract.carried(b"mapped"))
            assert bench.inner_receive() == b"mapped"
            bench.inner.sendto(b"back", ("10.8.0.2", 4000))
            frame, _ = peer.expect(DatagramFrame)
            assert frame.data.endswith(b"back")
            six = UdpTuple(Endpoint(ip_address("::1"), 9), Endpoint(ip_address("::1"), 9))
            assert six.peer.address.version == 6
        finally:
            bench.close()


def test_a_plane_that_nobody_closes_ends_with_the_process() -> None:
    script = (
        "from nexusnet.dataplane.userspace import UserspaceDataPlane as P; a = P(); b = P(); "
        "b.close(); b.close(); print('done')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_an_endpoint_outlives_its_plane() -> None:
    with own_namespace():
        bench = Bench(UserspaceDataPlane())
        bench.close()
        bench.endpoint.close()
        assert bench.endpoint.receive() == []


def test_a_screen_keeps_from_the_endpoint_what_is_no_handshakes() -> None:
    with own_namespace():
        bench = Bench(UserspaceDataPlane())
        try:
            endpoint = bench.endpoint
            assert isinstance(endpoint, ScreeningEndpoint)
            screen = endpoint.screen()
            peer, session = bench.connect()
            screen.expect(b"awaited!")
            initial = b"\xc0\x00\x00\x00\x01\x08somebody\x00\x00\x44\xd0"
            datagrams = {
                b"\x40awaited!" + bytes(30): None,
                b"\xe0\x00\x00\x00\x01\x08awaited!\x00" + bytes(30): None,
                initial.ljust(1200, b"\0"): None,
                initial.ljust(1199, b"\0"): "initial_too_small",
                b"\x40somebody" + bytes(30): "unknown_connection",
                b"\xc0": "malformed",
                b"\xc0\xfa\xce\xb0\x0c\x08somebody\x00" + bytes(30): "unsupported_version",
            }
            for datagram in datagrams:
                peer.send_raw(datagram)
            # A session's are not concerned.
            peer.send(contract.carried(b"past it"))
            assert bench.inner_receive() == b"past it"
            admitted = [datagram for datagram, reason in datagrams.items() if reason is None]
            assert [one.payload for one in endpoint.receive()] == admitted
            reasons = [reason for reason in datagrams.values() if reason is not None]
            assert screen.drops() == dict.fromkeys(reasons, 1)
            screen.forget(b"awaited!")
            peer.send_raw(admitted[0])
            peer.send(contract.carried(b"behind it"))
            assert bench.inner_receive() == b"behind it"
            assert endpoint.receive() == []
            assert screen.drops()["unknown_connection"] == 2
            assert not bench.drops(session)
            with contract.refused(errno.EINVAL):
                screen.expect(b"short")
            with contract.refused(errno.EEXIST):
                screen.expect(b"twice in")
                screen.expect(b"twice in")
        finally:
            bench.close()
        # Handshakes may end after the plane.
        screen.expect(b"too late")
        screen.forget(b"too late")
        assert screen.drops() == {}


def test_without_connection_ids_there_is_no_screen() -> None:
    with own_namespace():
        bench = Bench(UserspaceDataPlane(), cid_length=0)
        try:
            assert isinstance(bench.endpoint, ScreeningEndpoint)
            with contract.refused(errno.EINVAL):
                bench.endpoint.screen()
        finally:
            bench.close()


def test_capabilities() -> None:
    plane = UserspaceDataPlane()
    try:
        caps = plane.capabilities()
        assert {one.suite for one in caps.cipher} == set(CipherSuite)
        assert set(caps.congestion) == set(Congestion)
        assert plane.events() == []
    finally:
        plane.close()


def test_an_endpoint_may_be_closed_after_its_plane() -> None:
    """Who waits for a session to end comes too late when the agent ends meanwhile."""
    script = """
import socket
from nexusnet.dataplane.userspace import UserspaceDataPlane
plane = UserspaceDataPlane()
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 0))
endpoint = plane.open_endpoint(sock, 8)
plane.close()
endpoint.close()
endpoint.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
