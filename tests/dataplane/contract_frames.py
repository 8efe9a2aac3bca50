# SPDX-License-Identifier: BSD-3-Clause
"""What every data plane has to do: frames of the owner that are lost, and counters of frames."""

from nexusnet.netlink.generated import Event, FramesAttributes, FrameStats
from nexusnet.netlink.messages import Message
from nexusnet.quic.frames import (
    AckFrame,
    DatagramFrame,
    PathChallengeFrame,
    PathResponseFrame,
    RetireConnectionIdFrame,
)
from nexusnet.session import RttState, Session
from tests.dataplane.contract import PING, PlaneTests, carried
from tests.dataplane.peer import ModelPeer
from tests.dataplane.setup import INNER_PEER, Bench, eventually

# No probe comes in time to repeat what a test wants to be lost.
FAR = RttState(latest=10**10, smoothed=10**10, variation=10**9, min=10**10)
RETIRE = RetireConnectionIdFrame(2)


def lose(bench: Bench, peer: ModelPeer, number: int) -> None:
    """Acknowledge what follows a packet, so that it counts as lost (RFC 9002 section 6.1.1)."""
    later: list[int] = []
    while len(later) < 3:
        bench.inner.sendto(b"x", (INNER_PEER, 4000))
        _, received = peer.expect(DatagramFrame)
        later += [received.packet.pn] if received.packet.pn > number else []
    peer.ack(*later)


def lost(bench: Bench, count: int) -> tuple[int | None, int | None, int | None]:
    """Token, packet number and losses of an event."""
    frames = bench.expect_event(Event.FRAMES_LOST, count).attributes.frames
    assert frames is not None
    return frames.token, frames.packet_number, frames.losses


def counted(bench: Bench, session: Session) -> FrameStats:
    stats = bench.stats(session).frame
    assert stats is not None
    return stats


class FramesContract(PlaneTests):
    """FRAMES_LOST, the flag once, and the counters of frames."""

    def test_every_loss_is_told_until_they_arrive(self, bench: Bench) -> None:
        peer, session = bench.connect(rtt=FAR)
        bench.plane.send_frames(session.ref, 77, RETIRE.encode())
        for count in (1, 2):
            frame, received = peer.expect(RetireConnectionIdFrame)
            assert frame == RETIRE
            lose(bench, peer, received.packet.pn)
            assert lost(bench, count) == (77, received.packet.pn, count)
        _, received = peer.expect(RetireConnectionIdFrame)
        assert not bench.events(Event.FRAMES_ACKED)
        peer.ack(received.packet.pn)
        bench.expect_event(Event.FRAMES_ACKED)
        assert len(bench.events(Event.FRAMES_LOST)) == 2

    def test_losses_are_events_to_be_acknowledged(self, bench: Bench) -> None:
        peer, session = bench.connect(rtt=FAR)
        bench.plane.send_frames(session.ref, 77, RETIRE.encode())
        _, received = peer.expect(RetireConnectionIdFrame)
        lose(bench, peer, received.packet.pn)
        facts = bench.expect_event(Event.FRAMES_LOST).attributes.event
        assert facts is not None
        assert facts.id is not None
        assert bench.stats(session).unacked_events == 1
        bench.plane.acknowledge(session.ref, facts.id)
        assert bench.stats(session).unacked_events == 0

    def test_once_is_once(self, bench: Bench) -> None:
        peer, session = bench.connect(rtt=FAR)
        bench.plane.send_frames(session.ref, 5, RETIRE.encode(), once=True)
        _, received = peer.expect(RetireConnectionIdFrame)
        lose(bench, peer, received.packet.pn)
        assert lost(bench, 1) == (5, received.packet.pn, 1)
        # Late, and of no interest any more.
        peer.ack(received.packet.pn)
        bench.plane.send_frames(session.ref, 6, RETIRE.encode(), once=True)
        _, again = peer.expect(RetireConnectionIdFrame)
        peer.ack(again.packet.pn)

        def tokens() -> list[int | None]:
            return [frames(message).token for message in bench.events(Event.FRAMES_ACKED)]

        eventually(tokens, lambda seen: 6 in seen)
        assert tokens() == [6]
        carriers = [one for one in peer.history if RETIRE in one.frames]
        assert len(carriers) == 2

    def test_a_probe_repeats_nothing_that_is_for_once(self, bench: Bench) -> None:
        peer, session = bench.connect()
        bench.plane.send_frames(session.ref, 5, RETIRE.encode(), once=True)
        peer.expect(RetireConnectionIdFrame)
        eventually(
            lambda: bench.stats(session).recovery, lambda r: r is not None and r.pto_count > 1
        )
        peer.send(PING)
        peer.expect(AckFrame)
        assert len([one for one in peer.history if RETIRE in one.frames]) == 1

    def test_without_a_token_nothing_is_told(self, bench: Bench) -> None:
        peer, session = bench.connect(rtt=FAR)
        bench.plane.send_frames(session.ref, None, RETIRE.encode())
        _, received = peer.expect(RetireConnectionIdFrame)
        lose(bench, peer, received.packet.pn)
        _, received = peer.expect(RetireConnectionIdFrame)
        peer.ack(received.packet.pn)
        bench.plane.send_frames(session.ref, 9, RETIRE.encode())
        _, received = peer.expect(RetireConnectionIdFrame)
        peer.ack(received.packet.pn)
        assert frames(bench.expect_event(Event.FRAMES_ACKED)).token == 9
        assert not bench.events(Event.FRAMES_LOST)

    def test_frames_are_counted_by_kind(self, bench: Bench) -> None:
        peer, session = bench.connect(rtt=FAR)
        peer.send(PING, RetireConnectionIdFrame(3), b"\0\0\0", carried(b"x"))
        assert bench.inner_receive() == b"x"
        peer.expect(AckFrame)
        before = counted(bench, session)
        assert (before.rx_datagram, before.rx_other, before.tx_other) == (1, 2, 0)
        assert before.tx_ack == 1
        bench.plane.send_frames(session.ref, 1, RETIRE.encode() * 2)
        _, received = peer.expect(RetireConnectionIdFrame)
        assert counted(bench, session).tx_other == 2
        peer.ack(received.packet.pn)
        peer.send(PathChallengeFrame(b"12345678"))
        peer.expect(PathResponseFrame)
        after = counted(bench, session)
        assert (after.rx_ack, after.rx_other, after.tx_other) == (1, 3, 3)


def frames(message: Message) -> FramesAttributes:
    """The frames attribute, which the message must have."""
    assert message.attributes.frames is not None
    return message.attributes.frames
