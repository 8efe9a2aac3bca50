# SPDX-License-Identifier: BSD-3-Clause
"""What every data plane has to do: changes of a session that runs (UPDATE_SESSION)."""

import errno
import socket
from dataclasses import replace

from nexusnet.netlink.generated import (
    DownReason,
    DropReason,
    DscpPolicy,
    EcnPolicy,
    Event,
    SessionFlag,
)
from nexusnet.quic.frames import AckFrame, DatagramFrame, PingFrame
from nexusnet.session import OuterPolicy, Session, SessionUpdate
from tests.dataplane.contract import PING, PlaneTests, carried, inner, refused
from tests.dataplane.peer import ModelPeer, Received
from tests.dataplane.setup import INNER_PEER, Bench

ECN = 3
ECT0, CE = 2, 3
TOO_LONG_MS = 2 * 24 * 3600 * 1000


class Changes:
    """Makes updates of one session, each of a higher generation."""

    def __init__(self, bench: Bench, session: Session) -> None:
        self.bench = bench
        self.update = SessionUpdate(ref=session.ref, generation=session.generation + 1)

    def __call__(self, **changes: object) -> None:
        self.update = SessionUpdate(
            ref=self.update.ref,
            generation=self.update.generation + 1,
            **changes,  # type: ignore[arg-type]
        )
        self.bench.plane.update_session(self.update)

    def outer(self, **changes: object) -> None:
        self(outer=OuterPolicy(**changes))  # type: ignore[arg-type]


def outwards(bench: Bench, peer: ModelPeer, data: bytes = b"x") -> Received:
    """The packet that carries an inner packet of ours."""
    bench.inner.sendto(data, (INNER_PEER, 4000))
    frame, received = peer.expect(DatagramFrame)
    assert frame.data.endswith(data)
    peer.ack_everything()
    return received


def with_tos(packet: bytes, tos: int) -> DatagramFrame:
    """An IPv4 packet with a TOS field, its checksum right."""
    words = packet[:1] + bytes([tos]) + packet[2:10] + b"\0\0" + packet[12:20]
    total = sum(int.from_bytes(words[i : i + 2], "big") for i in range(0, 20, 2))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return DatagramFrame(
        b"\0" + words[:10] + checksum.to_bytes(2, "big") + words[12:] + packet[20:]
    )


class UpdateContract(PlaneTests):
    """Sizes, timers, marks, DSCP, ECN, and when IP packets may leave."""

    def test_ip_packets_wait_for_send_data(self, bench: Bench) -> None:
        peer, session = bench.connect(flags=SessionFlag(0))
        bench.inner.sendto(b"too early", (INNER_PEER, 4000))
        bench.expect_drop(session, DropReason.STATE)
        peer.send(carried(b"what comes in is not ours to judge"))
        assert bench.inner_receive() is not None
        bench.plane.send_datagram(session.ref, b"\1ready")
        assert peer.expect(DatagramFrame)[0].data == b"\1ready"
        Changes(bench, session)(flags=SessionFlag.SEND_DATA)
        outwards(bench, peer, b"now")

    def test_the_datagram_size_bounds_what_leaves(self, bench: Bench) -> None:
        peer, session = bench.connect()
        change = Changes(bench, session)
        outwards(bench, peer, bytes(1340))
        change(datagram_size=1300)
        status = bench.plane.sessions(bench.device.id)[0]
        assert (status.datagram_size, status.mtu < 1300) == (1300, True)
        bench.inner.sendto(bytes(1340), (INNER_PEER, 4000))
        bench.expect_drop(session, DropReason.MTU)
        facts = bench.expect_event(Event.PATH_MTU_CHANGED).attributes.event
        assert facts is not None
        assert (facts.datagram_size, facts.mtu) == (1300, status.mtu)
        change(datagram_size=1452)
        assert bench.plane.sessions(bench.device.id)[0].datagram_size == 1452
        assert outwards(bench, peer, bytes(1200)).size > 1200

    def test_the_inner_mtu_bounds_what_leaves(self, bench: Bench) -> None:
        peer, session = bench.connect(mtu=1300)
        assert bench.plane.sessions(bench.device.id)[0].mtu == 1300
        outwards(bench, peer, bytes(1300 - 28))
        bench.inner.sendto(bytes(1301 - 28), (INNER_PEER, 4000))
        bench.expect_drop(session, DropReason.MTU)
        Changes(bench, session)(mtu=700)
        assert bench.plane.sessions(bench.device.id)[0].mtu == 700
        outwards(bench, peer, bytes(500))

    def test_keepalive_and_idle_timeout(self, bench: Bench) -> None:
        peer, session = bench.connect(keepalive_ms=0)
        change = Changes(bench, session)
        change(keepalive_ms=200)
        peer.expect(PingFrame)
        change(keepalive_ms=0, idle_timeout_ms=300)
        facts = bench.expect_event(Event.SESSION_DOWN).attributes.event
        assert facts is not None
        assert facts.down_reason is DownReason.IDLE_TIMEOUT

    def test_a_refused_update_changes_nothing(self, bench: Bench) -> None:
        _, session = bench.connect()
        before = bench.plane.sessions(bench.device.id)[0]
        with refused(errno.EINVAL):
            Changes(bench, session)(mtu=700, datagram_size=1300, keepalive_ms=TOO_LONG_MS)
        assert bench.plane.sessions(bench.device.id)[0] == before

    def test_an_update_leaves_the_rest(self, bench: Bench) -> None:
        peer, session = bench.connect(mtu=1300, outer=OuterPolicy(dscp=10))
        before = bench.plane.sessions(bench.device.id)[0]
        Changes(bench, session)(keepalive_ms=10_000)
        after = bench.plane.sessions(bench.device.id)[0]
        assert after == replace(before, generation=after.generation)
        assert outwards(bench, peer).tos >> 2 == 10

    def test_the_mark(self, bench: Bench) -> None:
        peer, session = bench.connect(outer=OuterPolicy(fwmark=7))
        change = Changes(bench, session)
        assert outwards(bench, peer).mark == 7
        change.outer(fwmark=0x80000001)
        assert outwards(bench, peer).mark == 0x80000001
        peer.send(PING)
        assert peer.expect(AckFrame)[1].mark == 0x80000001
        change.outer(fwmark=0)
        assert outwards(bench, peer).mark == 0

    def test_dscp_is_fixed_or_inherited(self, bench: Bench) -> None:
        peer, session = bench.connect()
        change = Changes(bench, session)
        bench.inner.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 12 << 2)
        assert outwards(bench, peer).tos >> 2 == 0
        change.outer(dscp=46)
        assert outwards(bench, peer).tos >> 2 == 46
        peer.send(PING)
        assert peer.expect(AckFrame)[1].tos >> 2 == 46
        change.outer(dscp_policy=DscpPolicy.INHERIT)
        assert outwards(bench, peer).tos >> 2 == 12

    def test_ecn_outside(self, bench: Bench) -> None:
        peer, session = bench.connect(outer=OuterPolicy(ecn_policy=EcnPolicy.DISABLED))
        change = Changes(bench, session)
        assert outwards(bench, peer).tos & ECN == 0
        change.outer(ecn_policy=EcnPolicy.ENABLED)
        assert outwards(bench, peer).tos & ECN == ECT0
        change.outer(ecn_policy=EcnPolicy.DISABLED)
        assert outwards(bench, peer).tos & ECN == 0

    def test_congestion_marks_reach_the_inner_packet(self, bench: Bench) -> None:
        peer, session = bench.connect(outer=OuterPolicy(ecn_policy=EcnPolicy.DISABLED))
        peer.mark(CE)

        def delivered(inside: int) -> int:
            peer.send(with_tos(inner(b"x"), inside))
            data, control, _, _ = bench.inner.recvmsg(100, socket.CMSG_SPACE(4))
            assert data == b"x"
            return sum(value[0] for _, kind, value in control if kind == socket.IP_TOS)

        bench.inner.settimeout(10)
        bench.inner.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        dscp = 12 << 2
        assert delivered(dscp | ECT0) == dscp | ECT0
        Changes(bench, session).outer(ecn_policy=EcnPolicy.ENABLED)
        # RFC 6040 section 4.2; who does not know ECN is not told.
        assert delivered(dscp | ECT0) == dscp | CE
        assert delivered(dscp) == dscp
        reported = peer.expect(AckFrame)[0].ecn
        while reported is None or reported.ce < 3:
            reported = peer.expect(AckFrame)[0].ecn
        assert (reported.ect0, reported.ect1, reported.ce) == (0, 0, 3)
