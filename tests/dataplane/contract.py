# SPDX-License-Identifier: BSD-3-Clause
"""What every data plane has to do, whoever runs it: tests against the protocol alone.

A plane is tested by a subclass of these classes that says how to make one.
"""

import errno
import socket
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network

import pytest

from nexusnet.dataplane.protocol import DataPlane, DataPlaneError, ReceivedDatagram
from nexusnet.netlink.generated import (
    CipherSuite,
    CloseMode,
    Congestion,
    DownReason,
    DropReason,
    Event,
    SessionState,
)
from nexusnet.quic.frames import (
    AckFrame,
    ConnectionCloseFrame,
    CryptoFrame,
    DatagramFrame,
    Frame,
    PathChallengeFrame,
    PathResponseFrame,
    PingFrame,
    RetireConnectionIdFrame,
)
from nexusnet.session import Close, ConnectionId, HeldDatagram, SessionRef, SessionUpdate
from tests.dataplane.peer import ModelPeer
from tests.dataplane.setup import (
    INNER,
    INNER_PEER,
    INNER_PORT,
    RESET_TOKEN,
    SUITES,
    Bench,
    eventually,
)
from tests.engine.packets import UDP, Flow
from tests.support.own_namespace import own_namespace

PING = PingFrame()


def inner(data: bytes, source: str = INNER_PEER, destination: str = INNER) -> bytes:
    """An IPv4 UDP packet as the peer would send it."""
    flow = Flow(
        protocol=UDP,
        source=bytes(map(int, source.split("."))),
        destination=bytes(map(int, destination.split("."))),
        ports=(4000, INNER_PORT),
    )
    return flow.packet(data)


def carried(data: bytes, **addresses: str) -> DatagramFrame:
    """A DATAGRAM with an IP packet: context 0."""
    return DatagramFrame(b"\0" + inner(data, **addresses), has_length=False)


def refused(number: int) -> "pytest.RaisesExc[DataPlaneError]":
    return pytest.raises(DataPlaneError, check=lambda error: error.errno == number)


class PlaneTests:
    """Fixtures."""

    @abstractmethod
    def make_plane(self) -> DataPlane:
        """A fresh plane."""

    @pytest.fixture
    def bench(self) -> Iterator[Bench]:
        with own_namespace():
            made = Bench(self.make_plane())
            try:
                yield made
            finally:
                made.close()

    @pytest.fixture
    def connected(self, bench: Bench) -> tuple[Bench, ModelPeer]:
        peer, _ = bench.connect()
        return bench, peer


class InstallContract(PlaneTests):
    """HOLD, ACTIVATE, generations, refusals."""

    def test_hold_keeps_datagrams_and_sends_nothing(self, bench: Bench) -> None:
        peer = bench.peer()
        session = bench.session(peer)
        bench.plane.add_session(session)
        peer.send(carried(b"one"))
        peer.send(PING)
        eventually(lambda: bench.stats(session).held_datagrams, lambda held: held == 2)
        peer.expect_nothing()
        assert bench.plane.sessions(bench.device.id)[0].state is SessionState.HOLD
        drained = peer.seal(carried(b"zero"), pn=12)
        held = HeldDatagram(session.udp_tuple, 0, drained)
        bench.plane.activate(bench.activation(peer, session, held=(held,)))
        assert [bench.inner_receive(), bench.inner_receive()] == [b"zero", b"one"]
        ack, _ = peer.expect(AckFrame)
        while ack.ranges[0].largest < 12 or len(ack.ranges) > 1:
            ack, _ = peer.expect(AckFrame)
        assert (ack.ranges[0].smallest, ack.ranges[0].largest) == (10, 12)
        bench.expect_event(Event.SESSION_UP)
        assert bench.plane.sessions(bench.device.id)[0].state is SessionState.ACTIVE

    def test_the_hold_queue_is_bounded(self, bench: Bench) -> None:
        peer = bench.peer()
        session = bench.session(peer)
        bench.plane.add_session(session)
        for _ in range(70):
            peer.send(PING)
        bench.expect_drop(session, DropReason.HOLD_QUEUE_FULL, 6)
        bench.plane.activate(bench.activation(peer, session))
        eventually(lambda: bench.stats(session).held_datagrams, lambda held: held == 0)
        assert bench.stats(session).quic is not None

    def test_what_was_received_before_is_not_delivered_again(self, bench: Bench) -> None:
        peer = bench.peer()
        session = bench.session(peer)
        bench.plane.add_session(session)
        bench.plane.activate(bench.activation(peer, session))
        peer.send(carried(b"old"), pn=9)
        eventually(lambda: bench.drops(session), bool)
        assert set(bench.drops(session)) <= {DropReason.DUPLICATE, DropReason.TOO_OLD}
        packet = peer.send(carried(b"new"))
        assert bench.inner_receive() == b"new"
        for _ in range(5):
            peer.send_raw(packet)
        eventually(lambda: sum(bench.drops(session).values()), lambda count: count == 6)
        assert bench.inner_receive(0.2) is None
        bench.expect_event(Event.REPLAY_OR_DUPLICATE_DROP)

    def test_generations_rise(self, bench: Bench) -> None:
        peer = bench.peer()
        session = bench.session(peer, generation=5)
        bench.plane.add_session(session)
        with refused(errno.ESTALE):
            bench.plane.activate(bench.activation(peer, session, generation=5))
        bench.plane.delete_session(session.ref, 4, Close())
        bench.plane.activate(bench.activation(peer, session, generation=6))
        with refused(errno.ESTALE):
            bench.plane.update_session(SessionUpdate(ref=session.ref, generation=6, route_epoch=2))
        with refused(errno.EALREADY):
            bench.plane.activate(bench.activation(peer, session, generation=7))
        assert bench.plane.sessions(bench.device.id)[0].generation == 6
        with refused(errno.ESTALE):
            bench.plane.update_device(bench.device.id, 1, route_epoch=2, mtu=None)
        bench.plane.delete_device(bench.device.id, 0)
        assert bench.plane.devices()

    def test_refusals(self, bench: Bench) -> None:
        peer, other = bench.peer(1), bench.peer(2)
        session = bench.session(peer)
        bench.plane.add_session(session)
        with refused(errno.EEXIST):
            bench.plane.add_session(bench.session(other))
        with refused(errno.EEXIST):  # its connection ID
            bench.plane.add_session(bench.session(peer, 2))
        with refused(errno.ENODEV):
            bench.plane.add_session(bench.session(other, ref=SessionRef(bench.device.id + 99, 1)))
        with refused(errno.EINVAL):
            bench.plane.add_session(bench.session(other, 2, socket_fd=bench.inner.fileno()))
        with refused(errno.ENOENT):
            bench.plane.activate(bench.activation(peer, bench.session(peer, 3)))
        with refused(errno.EINVAL):  # connection IDs of a socket are of one length
            bench.plane.add_session(
                bench.session(other, 2, local_cids=(ConnectionId(0, b"short"),))
            )
        with refused(errno.EEXIST):
            bench.plane.create_device(replace(bench.device, id=0))
        with refused(errno.EEXIST):
            bench.plane.open_endpoint(bench.socket, 8)
        with refused(errno.EBUSY):
            bench.endpoint.close()
        assert len(bench.plane.sessions(bench.device.id)) == 1

    def test_keys_are_wiped_even_when_refused(self, bench: Bench) -> None:
        peer = bench.peer()
        session = bench.session(peer)
        activation = bench.activation(peer, session)
        with refused(errno.ENOENT):
            bench.plane.activate(activation)
        assert bytes(activation.keys.header.tx.reveal()) == bytes(16)
        bench.plane.add_session(session)
        activation = bench.activation(peer, session, v1=True)
        bench.plane.activate(activation)
        assert bytes(activation.keys.header.rx.reveal()) == bytes(16)

    def test_a_refused_activation_leaves_the_session_in_hold(self, bench: Bench) -> None:
        peer = bench.peer()
        session = bench.session(peer)
        bench.plane.add_session(session)
        stranger = bench.peer(2, next(reversed(SUITES)))
        wrong = bench.keys_v2(stranger, bench.session(stranger, 2))
        with refused(errno.EINVAL):
            bench.plane.activate(bench.activation(peer, session, keys=wrong))
        bench.plane.activate(bench.activation(peer, session))
        peer.send(carried(b"works"))
        assert bench.inner_receive() == b"works"

    def test_deletion_is_idempotent(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, _ = connected
        ref = SessionRef(bench.device.id, 1)
        silent = Close(mode=CloseMode.SILENT)
        for _ in range(2):
            bench.plane.delete_session(ref, 9, silent)
        assert not bench.plane.sessions(bench.device.id)
        assert not bench.plane.routes(bench.device.id)
        for _ in range(2):
            bench.plane.delete_device(bench.device.id, 9)
        assert not bench.plane.devices()
        bench.endpoint.close()


class TrafficContract(PlaneTests):
    """Packets both ways, and what is dropped."""

    @pytest.mark.parametrize("suite", SUITES)
    @pytest.mark.parametrize("install", ["secrets", "keys"])
    def test_packets_travel_both_ways(self, bench: Bench, suite: CipherSuite, install: str) -> None:
        peer, session = bench.connect(suite=suite, v1=install == "keys")
        peer.send(carried(b"inwards"))
        assert bench.inner_receive() == b"inwards"
        bench.inner.sendto(b"outwards", (INNER_PEER, 4000))
        frame, received = peer.expect(DatagramFrame)
        assert frame.data[:1] == b"\0"
        assert frame.data[-8:] == b"outwards"
        # A whole, correct IP packet: rebuilt from its fields it is the same.
        packet = frame.data[1:]
        flow = Flow(
            protocol=UDP,
            source=packet[12:16],
            destination=packet[16:20],
            ports=(INNER_PORT, 4000),
            ttl=packet[8],
            ident=int.from_bytes(packet[4:6], "big"),
            dont_fragment=bool(packet[6] & 0x40),
        )
        assert packet == flow.packet(b"outwards")
        assert received.packet.key_phase == 0
        l3 = bench.stats(session).l3
        assert l3 is not None
        assert (l3.rx_packets, l3.tx_packets) == (1, 1)

    def test_packet_numbers_go_on_where_the_handshake_ended(
        self, connected: tuple[Bench, ModelPeer]
    ) -> None:
        bench, peer = connected
        numbers: list[int] = []
        for _ in range(20):
            bench.inner.sendto(b"x", (INNER_PEER, 4000))
        while len(numbers) < 20:
            _, received = peer.expect(DatagramFrame)
            numbers.append(received.packet.pn)
            if len(numbers) % 5 == 0:
                peer.ack_everything()
        assert min(one.packet.pn for one in peer.history) == 10
        assert len({one.packet.pn for one in peer.history}) == len(peer.history)

    def test_a_foreign_source_is_dropped_but_acknowledged(
        self, connected: tuple[Bench, ModelPeer]
    ) -> None:
        bench, peer = connected
        session = bench.session(peer)
        peer.send(carried(b"spoofed", source="10.8.0.3"))
        bench.expect_drop(session, DropReason.SOURCE_PREFIX)
        peer.expect(AckFrame)
        assert bench.inner_receive(0.2) is None
        update = SessionUpdate(
            ref=session.ref, generation=3, allowed_sources=(ip_network("10.8.0.3/32"),)
        )
        bench.plane.update_session(update)
        peer.send(carried(b"now allowed", source="10.8.0.3"))
        assert bench.inner_receive() == b"now allowed"
        peer.send(carried(b"no longer"))
        bench.expect_drop(session, DropReason.SOURCE_PREFIX, 2)

    def test_garbage_is_counted_and_not_answered(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, peer = connected
        session = bench.session(peer)
        good = peer.seal(carried(b"x"))
        for bad in (
            good[:-1] + bytes([good[-1] ^ 1]),
            good[:30],
            bytes([good[0] & ~0x40]) + good[1:],
        ):
            peer.send_raw(bad)
        eventually(lambda: sum(bench.drops(session).values()), lambda count: count == 3)
        assert (
            bench.drops(session)
            == {
                DropReason.AEAD: 1,
                DropReason.TRUNCATED: 1,
                DropReason.FIXED_BIT: 1,
            }
            or bench.drops(session)[DropReason.AEAD]
            + bench.drops(session).get(DropReason.TRUNCATED, 0)
            == 2
        )
        peer.expect_nothing()
        peer.send_raw(good)
        assert bench.inner_receive() == b"x"

    @pytest.mark.parametrize(
        ("payload", "reason"),
        [
            (b"\2unknown", DropReason.CONTEXT_UNKNOWN),
            (b"", DropReason.CONTEXT_UNKNOWN),
            (b"\x40", DropReason.CONTEXT_UNKNOWN),
            (b"\0", DropReason.INNER_MALFORMED),
            (b"\0" + inner(b"x")[:-1], DropReason.INNER_MALFORMED),
            (b"\0" + inner(b"x") + b"y", DropReason.INNER_MALFORMED),
            (b"\0" + b"\x55" + inner(b"x")[1:], DropReason.INNER_MALFORMED),
        ],
    )
    def test_bad_payloads_are_acknowledged_and_dropped(
        self, connected: tuple[Bench, ModelPeer], payload: bytes, reason: DropReason
    ) -> None:
        bench, peer = connected
        peer.send(DatagramFrame(payload))
        bench.expect_drop(bench.session(peer), reason)
        peer.expect(AckFrame)

    def test_several_datagrams_in_a_packet(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, peer = connected
        frames = [DatagramFrame(b"\0" + inner(bytes([i]))) for i in range(3)]
        peer.send(*frames, DatagramFrame(b"\1to the owner"))
        assert sorted(str(bench.inner_receive()) for _ in range(3)) == sorted(
            str(bytes([i])) for i in range(3)
        )
        message = bench.expect_event(Event.DATAGRAM_RECEIVED)
        assert message.attributes.frames is not None
        assert message.attributes.frames.payload == b"to the owner"

    def test_datagrams_of_no_session_arrive_at_the_endpoint(
        self, connected: tuple[Bench, ModelPeer]
    ) -> None:
        bench, peer = connected
        long_header = b"\xc0" + bytes(50)
        unknown = b"\x40" + bytes(50)
        peer.send_raw(long_header)
        peer.send_raw(unknown)
        received: list[ReceivedDatagram] = []
        while len(received) < 2:
            received += eventually(bench.endpoint.receive, bool)
        assert [one.payload for one in received] == [long_header, unknown]
        assert received[0].remote.port == peer.port
        bench.endpoint.send(b"answer", received[0].remote)
        peer.socket.settimeout(5)
        assert peer.socket.recv(100) == b"answer"

    def test_routes_lead_by_the_longest_prefix(self, bench: Bench) -> None:
        first, one = bench.connect(1)
        second, two = bench.connect(2)
        bench.plane.add_route(bench.route(one, "10.8.0.0/24"))
        bench.plane.add_route(bench.route(two, "10.8.0.128/25"))
        for address, peer in (("10.8.0.200", second), ("10.8.0.100", first)):
            bench.inner.sendto(address.encode(), (address, 4000))
            frame, _ = peer.expect(DatagramFrame)
            assert frame.data.endswith(address.encode())
        with refused(errno.EEXIST):
            bench.plane.add_route(bench.route(one, "10.8.0.128/25", 2))
        with refused(errno.ESTALE):
            bench.plane.add_route(bench.route(one, "10.8.0.128/25", 1), replace=True)
        bench.plane.add_route(bench.route(one, "10.8.0.128/25", 2), replace=True)
        bench.plane.delete_route(bench.route(two, "10.8.0.128/25", 1))  # older: nothing happens
        bench.inner.sendto(b"moved", ("10.8.0.200", 4000))
        frame, _ = first.expect(DatagramFrame)
        assert frame.data.endswith(b"moved")
        bench.plane.delete_route(bench.route(one, "10.8.0.128/25", 2))
        bench.plane.delete_route(bench.route(one, "10.8.0.128/25", 2))
        assert len(bench.plane.routes(bench.device.id)) == 2
        with refused(errno.ESTALE):
            bench.plane.add_route(bench.route(one, "10.9.0.0/24", 1, epoch=2))

    def test_another_epoch_stops_traffic(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, peer = connected
        session = bench.session(peer)
        bench.plane.update_device(bench.device.id, 2, route_epoch=2, mtu=None)
        peer.send(carried(b"x"))
        bench.expect_drop(session, DropReason.ROUTE_EPOCH)
        bench.inner.sendto(b"x", (INNER_PEER, 4000))
        bench.expect_drop(session, DropReason.ROUTE_EPOCH, 2)
        facts = bench.expect_event(Event.ROUTE_EPOCH_MISMATCH).attributes.event
        assert facts is not None
        assert (facts.expected_epoch, facts.found_epoch) == (2, 1)
        bench.plane.update_session(SessionUpdate(ref=session.ref, generation=3, route_epoch=2))
        peer.send(carried(b"again"))
        assert bench.inner_receive() == b"again"

    def test_a_peer_that_acknowledges_nothing_stalls_nobody(self, bench: Bench) -> None:
        silent, one = bench.connect(1)
        lively, two = bench.connect(2)
        bench.plane.add_route(bench.route(two, "10.8.0.3/32"))
        # Far more than the window, less than what waits in front of the device. From a socket of
        # its own: what waits in a kernel counts against the buffer of its sender.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood, suppress(BlockingIOError):
            flood.setblocking(False)
            for _ in range(300):
                flood.sendto(bytes(1300), (INNER_PEER, 4000))
        for number in range(50):
            bench.inner.sendto(number.to_bytes(2, "big"), ("10.8.0.3", 4000))
            frame, _ = lively.expect(DatagramFrame)
            assert frame.data.endswith(number.to_bytes(2, "big"))
            lively.ack_everything()
        recovery = bench.stats(one).recovery
        assert recovery is not None
        assert recovery.bytes_in_flight <= recovery.congestion_window
        assert silent.receive() is not None

    def test_what_has_no_route_is_counted(self, bench: Bench) -> None:
        bench.inner.sendto(b"x", ("10.8.0.77", 4000))
        eventually(
            lambda: {
                one.reason: one.packets for one in bench.plane.device_stats(bench.device.id).drop
            },
            lambda drops: drops.get(DropReason.NO_ROUTE, 0) >= 1,
        )

    def test_another_tuple_is_not_followed(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, peer = connected
        stranger = bench.peer()
        stranger.next_pn = 50
        stranger.send(carried(b"from elsewhere"))
        bench.expect_drop(bench.session(peer), DropReason.TUPLE_MISMATCH)
        bench.expect_event(Event.PEER_TUPLE_CHANGED)
        stranger.expect_nothing()
        assert bench.inner_receive(0.1) is None


class ProtocolContract(PlaneTests):
    """Frames, keys, life of a session."""

    def test_every_ack_eliciting_packet_is_acknowledged(
        self, connected: tuple[Bench, ModelPeer]
    ) -> None:
        _, peer = connected
        for _ in range(30):
            peer.send(PING)
        seen: set[int] = set()
        while not seen >= set(range(10, 40)):
            ack, _ = peer.expect(AckFrame)
            for one in ack.ranges:
                seen |= set(range(one.smallest, one.largest + 1))
        assert max(seen) == 39

    def test_path_challenges_are_answered(self, connected: tuple[Bench, ModelPeer]) -> None:
        _, peer = connected
        peer.send(PathChallengeFrame(b"12345678"))
        response, _ = peer.expect(PathResponseFrame)
        assert response.data == b"12345678"

    def test_frames_go_up_with_their_bytes(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, peer = connected
        frames: list[Frame] = [CryptoFrame(0, b"ticket"), RetireConnectionIdFrame(3)]
        peer.send(PING, *frames)
        message = bench.expect_event(Event.FRAMES_RECEIVED)
        assert message.attributes.frames is not None
        assert message.attributes.frames.payload == b"".join(one.encode() for one in frames)
        peer.expect(AckFrame)

    def test_a_full_event_queue_acknowledges_nothing(
        self, connected: tuple[Bench, ModelPeer]
    ) -> None:
        bench, peer = connected
        session = bench.session(peer)
        for number in range(64):
            peer.send(DatagramFrame(b"\1" + bytes([number])))
        last = bench.expect_event(Event.DATAGRAM_RECEIVED, 64).attributes.event
        assert last is not None
        assert last.id is not None
        rejected = peer.next_pn
        peer.send(DatagramFrame(b"\1one too many"))
        peer.send(CryptoFrame(0, b"this too"))
        bench.expect_drop(session, DropReason.EVENT_QUEUE_FULL, 2)
        peer.send(carried(b"packets still flow"))
        assert bench.inner_receive() == b"packets still flow"
        while True:
            ack, _ = peer.expect(AckFrame)
            assert not any(rejected in one or rejected + 1 in one for one in ack.ranges)
            if ack.largest_acknowledged == rejected + 2:
                break
        with refused(errno.EINVAL):
            bench.plane.acknowledge(session.ref, last.id + 1000)
        bench.plane.acknowledge(session.ref, last.id)
        assert bench.stats(session).unacked_events == 0
        peer.send(DatagramFrame(b"\1room again"))
        bench.expect_event(Event.DATAGRAM_RECEIVED, 65)

    def test_frames_are_repeated_until_acknowledged(
        self, connected: tuple[Bench, ModelPeer]
    ) -> None:
        bench, peer = connected
        ref = SessionRef(bench.device.id, 1)
        bench.plane.send_frames(ref, 77, RetireConnectionIdFrame(2).encode())
        first, _ = peer.expect(RetireConnectionIdFrame)
        again, received = peer.expect(RetireConnectionIdFrame)
        assert first.sequence_number == again.sequence_number == 2
        assert not bench.events(Event.FRAMES_ACKED)
        peer.ack(received.packet.pn)
        message = bench.expect_event(Event.FRAMES_ACKED)
        assert message.attributes.frames is not None
        assert message.attributes.frames.token == 77
        with refused(errno.EINVAL):
            bench.plane.send_frames(ref, 78, b"\x3f")

    def test_control_datagrams(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, peer = connected
        ref = SessionRef(bench.device.id, 1)
        bench.plane.send_datagram(ref, b"\1ready")
        frame, _ = peer.expect(DatagramFrame)
        assert frame.data == b"\1ready"
        for payload, number in ((b"\0" + inner(b"x"), errno.EINVAL), (b"", errno.EINVAL),
                                (b"\1" + bytes(1500), errno.EMSGSIZE)):  # fmt: skip
            with refused(number):
                bench.plane.send_datagram(ref, payload)

    def test_deleting_says_goodbye(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, peer = connected
        session = bench.session(peer)
        bench.plane.delete_session(session.ref, 9, Close(error_code=7, application=True))
        close, _ = peer.expect(ConnectionCloseFrame)
        assert (close.error_code, close.frame_type) == (7, None)
        peer.send(carried(b"too late"))
        assert bench.inner_receive(0.2) is None
        facts = bench.expect_event(Event.SESSION_DOWN).attributes.event
        assert facts is not None
        assert facts.down_reason is DownReason.DELETED
        eventually(lambda: bench.plane.sessions(bench.device.id), lambda left: not left)

    def test_many_sessions_end_together(self, bench: Bench) -> None:
        connected = [bench.connect(number) for number in range(1, 81)]
        for _, session in connected:
            bench.plane.delete_session(session.ref, 9, Close())
        for peer, _ in connected:
            peer.expect(ConnectionCloseFrame)
        bench.expect_event(Event.SESSION_DOWN, 80)
        eventually(lambda: bench.plane.sessions(bench.device.id), lambda left: not left)

    def test_silent_deletion_stops_at_once(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, peer = connected
        bench.plane.delete_session(SessionRef(bench.device.id, 1), 9, Close(mode=CloseMode.SILENT))
        peer.send(carried(b"too late"))
        peer.expect_nothing()
        assert bench.inner_receive(0.1) is None

    def test_the_peers_close_is_told(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, peer = connected
        peer.send(ConnectionCloseFrame(0x33, None, b"bye"))
        message = bench.expect_event(Event.SESSION_DOWN)
        assert message.attributes.event is not None
        assert message.attributes.event.down_reason is DownReason.PEER_CLOSED
        assert message.attributes.close is not None
        assert message.attributes.close.error_code == 0x33
        peer.send(PING)
        peer.expect_nothing()

    @pytest.mark.parametrize(
        ("frames", "code"),
        [(b"\x21\0\0\0", 0x07), (b"\x06\x00\x10", 0x07), (b"\x1e\0\0\0", 0x0A)],
        ids=["unknown", "truncated", "HANDSHAKE_DONE from a client"],
    )
    def test_broken_rules_close_the_connection(
        self, connected: tuple[Bench, ModelPeer], frames: bytes, code: int
    ) -> None:
        bench, peer = connected
        peer.send(frames)
        close, _ = peer.expect(ConnectionCloseFrame)
        assert close.error_code == code
        message = bench.expect_event(Event.SESSION_DOWN)
        assert message.attributes.event is not None
        assert message.attributes.event.down_reason is DownReason.PROTOCOL_ERROR

    def test_reserved_bits_close_after_authentication_only(
        self, connected: tuple[Bench, ModelPeer]
    ) -> None:
        bench, peer = connected
        session = bench.session(peer)
        sealed = peer.tx[0].seal_raw(0x5B, peer.peer_cid, peer.next_pn, 4, b"\1\0\0\0")
        forged = sealed[:-1] + bytes([sealed[-1] ^ 1])
        peer.send_raw(forged)
        bench.expect_drop(session, DropReason.AEAD)
        assert not bench.events(Event.SESSION_DOWN)
        peer.send_raw(sealed)
        close, _ = peer.expect(ConnectionCloseFrame)
        assert close.error_code == 0x0A

    def test_the_idle_timeout_ends_a_session(self, bench: Bench) -> None:
        bench.connect(idle_timeout_ms=300, keepalive_ms=0)
        facts = bench.expect_event(Event.SESSION_DOWN).attributes.event
        assert facts is not None
        assert facts.down_reason is DownReason.IDLE_TIMEOUT

    def test_keepalive(self, bench: Bench) -> None:
        peer, _ = bench.connect(keepalive_ms=200)
        peer.expect(PingFrame)

    @pytest.mark.parametrize("length", [25, 61])
    def test_a_stateless_reset_ends_a_session(
        self, connected: tuple[Bench, ModelPeer], length: int
    ) -> None:
        bench, peer = connected
        start = (b"\x40" + peer.peer_cid).ljust(length - 16, b"\7")
        peer.send_raw(start + bytes(16))
        reason = DropReason.TRUNCATED if length == 25 else DropReason.AEAD
        bench.expect_drop(bench.session(peer), reason)
        peer.send_raw(start + RESET_TOKEN)
        facts = bench.expect_event(Event.SESSION_DOWN).attributes.event
        assert facts is not None
        assert facts.down_reason is DownReason.STATELESS_RESET
        peer.expect_nothing(0.1)

    @pytest.mark.parametrize("install", ["secrets", "keys"])
    def test_the_peers_key_update_is_followed(self, bench: Bench, install: str) -> None:
        peer, session = bench.connect(v1=install == "keys")
        late = peer.seal(carried(b"late"))
        peer.send(carried(b"old keys"))
        assert bench.inner_receive() == b"old keys"
        peer.expect(AckFrame)
        peer.send(carried(b"new keys"), generation=1)
        assert bench.inner_receive() == b"new keys"
        while peer.expect(AckFrame)[1].packet.key_phase != 1:
            pass
        facts = bench.expect_event(Event.KEY_UPDATE_DONE).attributes.event
        assert facts is not None
        assert facts.key_generation == 1
        # A packet of the former keys that was overtaken.
        peer.send_raw(late)
        assert bench.inner_receive() == b"late"
        if install == "keys":
            bench.expect_event(Event.KEY_UPDATE_NEEDED)
            bench.plane.set_keys(session.ref, bench.next_keys(peer, session, 2))
            with refused(errno.ESTALE):
                bench.plane.set_keys(session.ref, bench.next_keys(peer, session, 1))

    def test_our_own_key_update(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, peer = connected
        bench.inner.sendto(b"before", (INNER_PEER, 4000))
        _, received = peer.expect(DatagramFrame)
        assert received.packet.key_phase == 0
        peer.ack_everything()
        bench.plane.key_update(SessionRef(bench.device.id, 1))

        def phase_after() -> int:
            bench.inner.sendto(b"after", (INNER_PEER, 4000))
            _, last = peer.expect(DatagramFrame)
            peer.ack_everything() if last.packet.key_phase == 0 else None
            return last.packet.key_phase

        eventually(phase_after, lambda phase: phase == 1)
        peer.send(carried(b"answer"), generation=1)
        assert bench.inner_receive() == b"answer"
        peer.ack(peer.largest, generation=1)
        bench.expect_event(Event.KEY_UPDATE_DONE)

    def test_the_key_limit_brings_an_update(self, bench: Bench) -> None:
        peer, session = bench.connect(confidentiality_limit=20)
        phases = set()
        for number in range(30):
            bench.inner.sendto(bytes([number]), (INNER_PEER, 4000))
            _, received = peer.expect(DatagramFrame)
            phases.add(received.packet.key_phase)
            peer.ack(received.packet.pn, generation=received.packet.key_phase)
            time.sleep(0.01)
        assert phases == {0, 1}
        assert bench.stats(session).key is not None

    def test_fixed_rate_is_labelled(self, connected: tuple[Bench, ModelPeer]) -> None:
        bench, peer = connected
        stats = bench.stats(bench.session(peer))
        assert stats.congestion is Congestion.CUBIC_LIKE
        assert stats.lab_mode == 0
