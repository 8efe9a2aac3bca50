# SPDX-License-Identifier: BSD-3-Clause
"""The handover in bad luck: datagram by datagram, and in any weather."""

import itertools

import pytest
from aioquic.quic.events import (
    ConnectionTerminated,
    DatagramFrameReceived,
    HandshakeCompleted,
)
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.tls import CipherSuite
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st

from nexusnet.handshake.datagram import Received
from nexusnet.handshake.engine import HandshakeEngine, Phase
from nexusnet.handshake.events import DatagramReceived
from nexusnet.handshake.export import ExportedConnection, _rtt, received_ranges
from nexusnet.quic.frames import DatagramFrame, HandshakeDoneFrame, PingFrame
from nexusnet.session import PnRange, RttState
from tests.handshake.continuation import Continuation
from tests.handshake.meeting import ALL_SUITES, ROLES, Meeting
from tests.handshake.setting import Setting
from tests.handshake.wire import CLIENT, SERVER, Fate, Weather, Wire


@pytest.mark.parametrize("fate", list(Fate))
def test_each_datagram_in_turn_has_bad_luck(setting: Setting, role: str, fate: Fate) -> None:
    length, everything = handover(setting, role, {})
    assert everything == [b"number %d" % number for number in range(5)]
    for unlucky_one in range(length):
        _, delivered = handover(setting, role, {unlucky_one: fate})
        assert len(set(delivered)) == len(delivered), "delivered twice"
        # The replay at the end makes up for the one that was lost, unless that came too early.
        assert len(delivered) >= len(everything) - (fate is Fate.LOST)


def handover(setting: Setting, role: str, fates: dict[int, Fate]) -> tuple[int, list[bytes]]:
    """Hand over while the peer keeps sending; return what was on the wire and what arrived."""
    wire = Wire(fates=fates)
    meeting = Meeting(setting, role, wire=wire)
    delivered: list[bytes] = []
    sent = 0

    def peer_sends() -> None:
        nonlocal sent
        meeting.peer.quic.send_datagram_frame(b"number %d" % sent)
        wire.flush(meeting.peer_address)
        sent += 1

    wire.run(lambda: meeting.engine.phase is Phase.READY)
    peer_sends()
    wire.settle(0.015)
    peer_sends()
    meeting.ready()
    exported = meeting.engine.export()
    delivered += [event.data for event in meeting.events() if isinstance(event, DatagramReceived)]
    # Between export and activation.
    peer_sends()
    wire.settle(0.015)
    peer_sends()
    wire.settle(0.004)
    continuation = Continuation(exported, meeting.address, meeting.peer_address)
    for held in meeting.engine.take_held():
        continuation.receive(held, wire.now)
    wire.attach(meeting.address, continuation)
    peer_sends()
    for number in range(3):
        continuation.send([DatagramFrame(b"answer %d" % number)])
    meeting.flush()
    wire.settle(5)
    # Everything that was ever on the wire is replayed; only what was lost before is news.
    before = len(continuation.datagrams)
    for transmit in wire.log:
        if transmit.local == meeting.peer_address:
            continuation.receive(
                Received(transmit.data, meeting.address, meeting.peer_address), wire.now
            )
    assert len(continuation.datagrams) - before <= (Fate.LOST in fates.values())
    assert meeting.peer_space.ack_eliciting_in_flight == 0
    answers = [event.data for event in meeting.peer.of_type(DatagramFrameReceived)]
    assert len(set(answers)) == len(answers)
    assert len(answers) >= (2 if Fate.LOST in fates.values() else 3)
    return len(wire.log), delivered + continuation.datagrams


weathers = st.builds(
    Weather,
    loss=st.floats(0, 0.3),
    duplicate=st.floats(0, 0.3),
    reorder=st.floats(0, 0.5),
    mtu=st.integers(1200, 1500),
)


@settings(
    max_examples=30,
    deadline=None,
    phases=[
        HypothesisPhase.explicit,
        HypothesisPhase.reuse,
        HypothesisPhase.generate,
    ],  # shrinking handshakes takes too long
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 2**32),
    role=st.sampled_from(ROLES),
    suite=st.sampled_from(ALL_SUITES),
    weather=weathers,
)
def test_export_in_any_weather(
    setting: Setting, seed: int, role: str, suite: CipherSuite, weather: Weather
) -> None:
    wire = Wire(seed, weather)
    patient = setting.with_client(timeout=50.0).with_server(timeout=50.0)
    meeting = Meeting(patient, role, suite=suite, wire=wire).ready()
    peer_received = set(meeting.peer_space.received_packets._received)
    peer_sent = meeting.peer.quic._packet_number
    exported = meeting.engine.export()
    check_consistency(exported)
    assert exported.next_pn > max(peer_received)
    assert exported.largest_acked in peer_received
    assert (exported.received.largest or 0) < peer_sent
    assert exported.datagram_size <= max(weather.mtu, 1200)

    continuation = Continuation(exported, meeting.address, meeting.peer_address)
    for held in meeting.engine.take_held():
        continuation.receive(held, wire.now)
    wire.attach(meeting.address, continuation)
    # What was under way when the weather cleared is acknowledged, delivered once, or a duplicate.
    wire.weather = Weather()
    wire.settle(20)
    continuation.send([DatagramFrame(b"after the storm")])
    meeting.peer.quic.send_datagram_frame(b"after the storm")
    meeting.flush()
    assert meeting.peer.of_type(DatagramFrameReceived)[-1].data == b"after the storm"
    assert continuation.datagrams[-1] == b"after the storm"
    assert meeting.peer_space.ack_eliciting_in_flight == 0
    assert not meeting.peer.of_type(ConnectionTerminated)
    assert len(meeting.peer.of_type(HandshakeCompleted)) == 1


def check_consistency(exported: ExportedConnection) -> None:
    state = exported.keys.state
    assert state.tx_phase_start <= exported.next_pn
    assert state.tx_sealed <= exported.next_pn
    ranges = exported.received.ranges
    assert ranges
    assert all(high.first > low.last + 1 for high, low in itertools.pairwise(ranges))
    assert exported.rtt.min <= exported.rtt.latest
    assert exported.rtt.smoothed > 0


@given(st.lists(st.integers(0, 2000), max_size=300))
def test_received_ranges_are_what_was_received(numbers: list[int]) -> None:
    space = QuicPacketSpace()
    accepted = set()
    for number in numbers:
        if number not in space.received_packets:
            accepted.add(number)
            space.received_packets.add(number)
    exported = received_ranges(space)
    # Nothing that was received may be taken again.
    assert all(number in exported for number in accepted)
    # Above the floor nothing counts as received that was not.
    listed = {n for one in exported.ranges for n in range(one.first, one.last + 1)}
    assert listed <= accepted
    floor = exported.duplicate_floor
    assert listed == {number for number in accepted if number >= floor}
    assert exported.largest == max(accepted, default=None)
    assert len(exported.ranges) <= 32


def test_more_ranges_than_fit_raise_the_floor() -> None:
    space = QuicPacketSpace()
    for number in range(0, 120, 2):
        space.received_packets.add(number)
    exported = received_ranges(space)
    assert len(exported.ranges) == 32
    assert exported.ranges[0] == PnRange(118, 118)
    assert exported.ranges[-1] == PnRange(56, 56)
    assert exported.duplicate_floor == 55


def test_a_client_that_got_nothing_yet_has_no_rtt(setting: Setting) -> None:
    engine = HandshakeEngine.client(setting.client, local=CLIENT, remote=SERVER, now=0.0)
    assert engine._connection is not None
    assert _rtt(engine._connection) == RttState()


@pytest.mark.parametrize("kind", [HandshakeDoneFrame, PingFrame])
def test_frames_that_real_servers_repeat_are_digested(
    setting: Setting, kind: type[HandshakeDoneFrame | PingFrame]
) -> None:
    # A HANDSHAKE_DONE whose acknowledgement was lost comes again, after the export.
    meeting = Meeting(setting, "client").ready()
    continuation = meeting.go_on()
    quic = meeting.peer.quic
    if kind is HandshakeDoneFrame:
        quic._handshake_done_pending = True
    else:
        quic.send_ping(5)
    meeting.flush()
    assert any(isinstance(frame, kind) for frame in continuation.frames)
    assert meeting.peer_space.ack_eliciting_in_flight == 0
