# SPDX-License-Identifier: BSD-3-Clause
"""Export, checked by going on: with the reference model here and a plain aioquic peer there."""

import gc
import itertools
import logging
from dataclasses import replace

import pytest
from aioquic.quic.events import (
    ConnectionTerminated,
    DatagramFrameReceived,
    HandshakeCompleted,
    PingAcknowledged,
)
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.tls import CipherSuite, Epoch
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st

from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.datagram import Received
from nexusnet.handshake.derivation import KeySchedule
from nexusnet.handshake.engine import MAX_HELD, HandshakeEngine, Phase
from nexusnet.handshake.errors import NotReadyError
from nexusnet.handshake.events import DatagramReceived, EngineEvent
from nexusnet.handshake.export import ExportedConnection, _rtt, received_ranges, udp_tuple
from nexusnet.keys import SecretSet
from nexusnet.netlink.generated import CipherSuite as AbiSuite
from nexusnet.netlink.generated import Role
from nexusnet.quic.frames import ConnectionCloseFrame, DatagramFrame, HandshakeDoneFrame, PingFrame
from nexusnet.quic.keys import derive_header_key, derive_packet_keys, next_secret
from nexusnet.session import PnRange, RttState, SessionRef
from tests.handshake.continuation import SUITES, Continuation
from tests.handshake.setting import PlainPeer, PlainServer, Scene, Setting, plain_client, scene
from tests.handshake.wire import CLIENT, SERVER, Fate, Weather, Wire

ROLES = ["client", "server"]
ALL_SUITES = [
    CipherSuite.AES_128_GCM_SHA256,
    CipherSuite.AES_256_GCM_SHA384,
    CipherSuite.CHACHA20_POLY1305_SHA256,
]
REF = SessionRef(1, 1)


class Meeting:
    """One of our engines and a plain aioquic peer, up to where ours is ready."""

    def __init__(
        self,
        setting: Setting,
        role: str,
        *,
        suite: CipherSuite = CipherSuite.AES_128_GCM_SHA256,
        wire: Wire | None = None,
    ) -> None:
        self.wire = wire or Wire()
        setting = setting.trusting().with_server(suites=(suite,)).with_client(suites=(suite,))
        self.peer: PlainPeer
        if role == "client":
            self.address, self.peer_address = CLIENT, SERVER
            self.peer = PlainServer(setting)
            self.wire.attach(SERVER, self.peer)
            self.engine = HandshakeEngine.client(
                setting.client, local=CLIENT, remote=SERVER, now=self.wire.now
            )
            self.wire.attach(CLIENT, self.engine)
        else:
            self.address, self.peer_address = SERVER, CLIENT
            self.scene = Scene(setting, self.wire)
            self.peer = plain_client(self.wire)
            self.wire.attach(CLIENT, self.peer)
            self.wire.run(lambda: bool(self.scene.acceptor.engines))
            self.engine = self.scene.server_end(self.peer)

    def ready(self) -> "Meeting":
        self.wire.run(lambda: self.engine.busy is None or self.engine.error is not None)
        if self.engine.error is not None:
            raise self.engine.error
        return self

    @property
    def peer_space(self) -> QuicPacketSpace:
        return self.peer.quic._spaces[Epoch.ONE_RTT]

    def events(self) -> list[EngineEvent]:
        """What the engine, or the acceptor for it, has told since the last call."""
        found: list[EngineEvent] = []
        while (event := self.engine.next_event()) is not None:
            found.append(event)
        if self.address == SERVER:
            while (item := self.scene.acceptor.next_event()) is not None:
                found.append(item[1])
        return found

    def go_on(self) -> Continuation:
        """Export, and continue with the model."""
        exported = self.engine.export()
        continuation = Continuation(exported, self.address, self.peer_address)
        for held in self.engine.take_held():
            continuation.receive(held, self.wire.now)
        self.wire.attach(self.address, continuation)
        return continuation

    def flush(self) -> None:
        """Send what either end wants to send, and let some time pass."""
        for address in (self.address, self.peer_address):
            self.wire.flush(address)
        self.wire.settle(0.5)


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("suite", ALL_SUITES, ids=lambda suite: suite.name)
def test_the_connection_goes_on(setting: Setting, role: str, suite: CipherSuite) -> None:
    meeting = Meeting(setting, role, suite=suite).ready()
    already = meeting.peer_space.largest_received_packet
    continuation = meeting.go_on()
    assert continuation.next_pn > already
    meeting.wire.weather = replace(meeting.wire.weather, delay=0.05)

    # DATAGRAMs to the peer, which acknowledges each: no packet number was used before.
    wanted = [f"to the peer {number}".encode() for number in range(20)]
    for data in wanted:
        continuation.send([DatagramFrame(data)])
    meeting.flush()
    assert [event.data for event in meeting.peer.of_type(DatagramFrameReceived)] == wanted
    assert continuation.largest_acked is not None
    assert continuation.largest_acked >= continuation.sent[len(wanted) - 1]

    # DATAGRAMs from the peer, which takes our ACKs: nothing stays in flight, its RTT moves.
    before = meeting.peer.quic._loss._rtt_latest
    for number in range(20):
        meeting.peer.quic.send_datagram_frame(f"from the peer {number}".encode())
    meeting.flush()
    assert continuation.datagrams == [f"from the peer {number}".encode() for number in range(20)]
    assert continuation.dropped == []
    assert meeting.peer_space.ack_eliciting_in_flight == 0
    assert meeting.peer.quic._loss._rtt_latest == pytest.approx(0.1, abs=0.03)
    assert before < 0.05

    # A PING of the peer is answered.
    meeting.peer.quic.send_ping(77)
    meeting.flush()
    assert [event.uid for event in meeting.peer.of_type(PingAcknowledged)] == [77]

    # A key update by us, then one by the peer; data passes both ways in each phase.
    for round_number, initiate in enumerate((continuation.update_keys, None)):
        if initiate is None:
            # aioquic keeps no old key, so nothing of ours may cross its update.
            meeting.peer.quic.request_key_update()
            meeting.peer.quic.send_ping(100)
            meeting.flush()
        else:
            initiate()
        mark = f"phase {round_number}".encode()
        continuation.send([DatagramFrame(mark)])
        meeting.flush()
        meeting.peer.quic.send_datagram_frame(mark)
        meeting.flush()
        generation = continuation.exported.keys.state.generation + round_number + 1
        assert continuation.tx.generation == continuation.rx.generation == generation
        pair = meeting.peer.quic._cryptos[Epoch.ONE_RTT]
        assert pair.send.key_phase == pair.recv.key_phase == generation & 1
        assert continuation.datagrams[-1] == mark
        assert meeting.peer.of_type(DatagramFrameReceived)[-1].data == mark
    assert meeting.peer_space.ack_eliciting_in_flight == 0

    # CONNECTION_CLOSE arrives there.
    continuation.send([ConnectionCloseFrame(0x1234, None, b"done")])
    meeting.flush()
    meeting.wire.settle(5)
    (closed,) = meeting.peer.of_type(ConnectionTerminated)
    assert (closed.error_code, closed.reason_phrase) == (0x1234, "done")
    # Nothing was lost on this wire, so nothing of ours was rejected either.
    assert len(set(continuation.sent)) == len(continuation.sent)


def test_the_peers_close_arrives(setting: Setting, role: str) -> None:
    meeting = Meeting(setting, role).ready()
    continuation = meeting.go_on()
    meeting.peer.quic.close(error_code=7, reason_phrase="bye")
    meeting.flush()
    assert continuation.closed == ConnectionCloseFrame(7, None, b"bye")


def test_every_field_against_the_peers_own_view(setting: Setting, role: str) -> None:
    meeting = Meeting(setting, role).ready()
    quic = meeting.peer.quic
    pair = quic._cryptos[Epoch.ONE_RTT]
    exported = meeting.engine.export()
    keys = exported.keys
    assert isinstance(keys, SecretSet)

    assert exported.role is (Role.CLIENT if role == "client" else Role.SERVER)
    assert exported.udp_tuple == udp_tuple(meeting.address, meeting.peer_address)
    assert exported.alpn == quic.tls.alpn_negotiated == "l3ptp/1"
    if role == "client":
        assert exported.identity is not None
        assert exported.identity.name == "gateway"
    else:
        assert exported.identity is None

    # Keys: what we send with is what the peer receives with.
    assert keys.suite is AbiSuite.AES_128_GCM_SHA256
    assert pair.recv.secret == bytes(keys.tx.reveal())
    assert pair.send.secret == bytes(keys.rx.reveal())
    model = SUITES[keys.suite]
    assert derive_header_key(model, pair.recv.secret) == bytes(keys.header.tx.reveal())
    assert derive_header_key(model, pair.send.secret) == bytes(keys.header.rx.reveal())
    assert (keys.state.generation, keys.state.phase, keys.previous_rx) == (0, 0, None)
    assert keys.state.rx_failed == 0

    # Packet numbers, as the peer knows them.
    space = meeting.peer_space
    assert exported.next_pn == space.largest_received_packet + 1
    received = space.received_packets._received
    assert keys.state.tx_phase_start == min(received)
    assert keys.state.tx_sealed == len(received)
    assert exported.received.largest == quic._packet_number - 1
    assert exported.received.duplicate_floor == 0
    assert keys.state.rx_phase_start == exported.received.ranges[-1].first
    assert exported.largest_acked is not None
    assert exported.largest_acked < exported.next_pn
    # The largest packet that elicited an acknowledgement: PMTU probes come last.
    assert exported.largest_acked in received

    # Connection IDs: aioquic issues one more than the first, as our limit of 2 allows.
    assert [cid.value for cid in exported.local_cids] == [quic._peer_cid.cid]
    assert exported.local_cids[0].sequence == 0
    issued = {cid.sequence_number: cid for cid in quic._host_cids}
    assert {cid.sequence: cid.value for cid in exported.peer_cids} == {
        number: cid.cid for number, cid in issued.items()
    }
    assert exported.peer_cids[0].sequence == 0
    tokens = {token.sequence: bytes(token.token.reveal()) for token in exported.reset_tokens}
    # A client gives no token with its first connection ID (RFC 9000 section 18.2).
    assert tokens == {
        number: cid.stateless_reset_token
        for number, cid in issued.items()
        if number or role == "client"
    }

    # Transport parameters.
    assert exported.local_parameters.max_datagram_frame_size == quic._remote_max_datagram_frame_size
    assert exported.local_parameters.max_idle_timeout_ms == 30_000
    assert exported.local_parameters.max_udp_payload_size == 1472
    assert exported.local_parameters.active_connection_id_limit == 2
    assert quic._remote_active_connection_id_limit == 2
    assert exported.peer_parameters.max_datagram_frame_size == 65535
    assert exported.peer_parameters.max_idle_timeout_ms == 60_000
    assert exported.peer_parameters.max_udp_payload_size == 65527
    assert exported.peer_parameters.active_connection_id_limit == 8
    assert exported.idle_timeout_ms == 30_000
    assert exported.datagram_size == 1452

    # Times: the wire takes 10 ms each way.
    assert exported.rtt.min >= 20_000_000
    assert exported.rtt.latest == pytest.approx(20_000_000, rel=0.5)
    assert exported.rtt.smoothed == pytest.approx(20_000_000, rel=0.5)
    assert 0 < exported.rtt.variation <= 20_000_000
    assert exported.largest_received_at is not None
    assert meeting.wire.now - 0.1 < exported.largest_received_at <= meeting.wire.now
    assert exported.ecn.received == exported.ecn.acked == exported.ecn.sent


def test_it_fills_the_install_contract(setting: Setting, role: str) -> None:
    meeting = Meeting(setting, role).ready()
    exported = meeting.engine.export()
    meeting.peer.quic.send_datagram_frame(b"early")
    meeting.flush()
    session = exported.session(
        REF, generation=3, socket_fd=5, network_id=9, route_epoch=2, keepalive_ms=1000
    )
    assert (session.ref, session.generation, session.keepalive_ms) == (REF, 3, 1000)
    assert session.local_cids == exported.local_cids
    assert session.idle_timeout_ms == 30_000
    held = meeting.engine.take_held()
    assert held
    at = exported.largest_received_at
    assert at is not None
    activation = exported.activation(REF, generation=3, now=at + 0.25, held=held)
    assert activation.largest_received_age == pytest.approx(250_000_000, abs=1000)
    assert activation.keys is exported.keys
    assert [datagram.payload for datagram in activation.held] == [one.data for one in held]
    assert {datagram.udp_tuple for datagram in activation.held} == {exported.udp_tuple}
    activation.wipe()
    assert not any(exported.keys.tx.reveal())


@pytest.mark.parametrize("suite", ALL_SUITES, ids=lambda suite: suite.name)
def test_derived_keys_are_those_of_the_model(setting: Setting, suite: CipherSuite) -> None:
    exported = Meeting(setting, "client", suite=suite).ready().engine.export()
    secrets = exported.keys
    assert isinstance(secrets, SecretSet)
    model = SUITES[secrets.suite]
    chains = {name: bytes(getattr(secrets, name).reveal()) for name in ("tx", "rx")}
    keys, schedule = KeySchedule.begin(secrets)
    secrets.wipe()
    pairs = [keys.current, keys.next, schedule.advance().keys, schedule.advance().keys]
    assert schedule.generation == 3
    for pair in pairs:
        for name, secret in chains.items():
            wanted = derive_packet_keys(model, secret)
            got = getattr(pair, name)
            assert (bytes(got.key.reveal()), bytes(got.iv.reveal())) == (wanted.key, wanted.iv)
        chains = {name: next_secret(model, secret) for name, secret in chains.items()}
    assert any(keys.header.tx.reveal())
    activation = exported.activation(REF, generation=1, now=2000.0, keys=keys)
    assert activation.keys is keys
    schedule.wipe()
    assert not any(schedule._tx.reveal())


def test_a_key_update_before_the_export(setting: Setting, role: str) -> None:
    meeting = Meeting(setting, role).ready()
    connection = meeting.engine._connection
    assert connection is not None
    assert connection._one_rtt.recv.secret is not None
    # A copy: the original is overwritten in place.
    first = bytes(bytearray(connection._one_rtt.recv.secret))
    old_phase = meeting.peer.quic
    old_phase.send_ping(1)
    meeting.flush()
    highest_old = old_phase._packet_number - 1
    old_phase.request_key_update()
    old_phase.send_ping(2)
    meeting.flush()
    meeting.wire.run(lambda: meeting.engine.busy is None)
    exported = meeting.engine.export()
    keys = exported.keys
    assert isinstance(keys, SecretSet)
    pair = meeting.peer.quic._cryptos[Epoch.ONE_RTT]
    assert (keys.state.generation, keys.state.phase) == (1, 1)
    assert bytes(keys.tx.reveal()) == pair.recv.secret
    assert bytes(keys.rx.reveal()) == pair.send.secret
    assert keys.previous_rx is not None
    assert bytes(keys.previous_rx.reveal()) == first
    # Header protection is still that of the first secret.
    model = SUITES[keys.suite]
    assert derive_header_key(model, first) == bytes(keys.header.rx.reveal())
    assert keys.state.rx_phase_start == highest_old + 1
    assert keys.state.tx_phase_start <= exported.next_pn
    assert 0 < keys.state.tx_sealed <= exported.next_pn - keys.state.tx_phase_start

    continuation = Continuation(exported, meeting.address, meeting.peer_address)
    meeting.wire.attach(meeting.address, continuation)
    continuation.send([DatagramFrame(b"second phase")])
    meeting.peer.quic.send_datagram_frame(b"second phase")
    meeting.flush()
    assert meeting.peer.of_type(DatagramFrameReceived)[-1].data == b"second phase"
    assert continuation.datagrams == [b"second phase"]
    assert meeting.peer_space.ack_eliciting_in_flight == 0
    keys_v1, _ = KeySchedule.begin(keys)
    assert keys_v1.previous_rx is not None
    assert bytes(keys_v1.previous_rx.key.reveal()) == derive_packet_keys(model, first).key


def test_pending_acks_are_exported_and_sent_later(setting: Setting) -> None:
    meeting = Meeting(setting, "client")
    meeting.wire.run(lambda: meeting.engine.phase is Phase.READY)
    # The peer's packet arrives, and before the delayed ACK is due the session is exported.
    meeting.peer.quic.send_datagram_frame(b"unacknowledged")
    meeting.wire.flush(SERVER)
    pending = meeting.peer_space.ack_eliciting_in_flight
    assert pending
    connection = meeting.engine._connection
    assert connection is not None
    meeting.wire.run(lambda: connection.ack_eliciting_pending > 0)
    exported = meeting.engine.export()
    assert exported.ack_eliciting_pending > 0
    assert DatagramReceived(b"unacknowledged") in meeting.events()
    continuation = Continuation(exported, CLIENT, SERVER)
    meeting.wire.attach(CLIENT, continuation)
    meeting.flush()
    assert meeting.peer_space.ack_eliciting_in_flight == 0


def test_ecn_counts_both_ways(setting: Setting, role: str) -> None:
    wire = Wire(weather=Weather(ecn=Ecn.ECT0))
    meeting = Meeting(setting, role, wire=wire).ready()
    wire.weather = Weather(ecn=Ecn.CE)
    meeting.peer.quic.send_ping(1)
    meeting.flush()
    exported = meeting.engine.export()
    assert exported.ecn.received.ce == 1
    count = sum(one.last - one.first + 1 for one in exported.received.ranges)
    assert exported.ecn.received.ect0 == count - 1
    # aioquic reports nothing about ours.
    assert exported.ecn.acked.ect0 == 0


def test_the_peers_ecn_report_is_kept(setting: Setting) -> None:
    # Two of our own ends: each reports what it sees.
    stage = scene(setting, weather=Weather(ecn=Ecn.ECT1))
    client = stage.add_client()
    stage.run_all([client])
    assert client.phase is Phase.READY
    for end, other in ((client, stage.server_end(client)), (stage.server_end(client), client)):
        assert end._connection is not None
        assert other._connection is not None
        reported = end._connection.reported_ecn
        assert 0 < reported.ect1 <= other._connection.received_ecn.ect1
        assert (reported.ect0, reported.ce) == (0, 0)


def test_nothing_but_sealed_short_headers_is_kept_after_the_export(setting: Setting) -> None:
    meeting = Meeting(setting, "client").ready()
    meeting.engine.export()
    arriving = [Received(b"\x40" + bytes([n]) * 40, CLIENT, SERVER) for n in range(MAX_HELD)]
    useless = [Received(data, CLIENT, SERVER) for data in (b"", b"\xc0" + bytes(1199))]
    for one in arriving + useless + arriving[:3]:
        meeting.engine.receive(one, meeting.wire.now)
    assert meeting.engine.held_dropped == 3
    assert meeting.engine.take_held() == tuple(arriving)
    assert meeting.engine.take_held() == ()
    assert meeting.engine.transmit(meeting.wire.now) == []
    assert meeting.engine.deadline() is None
    with pytest.raises(NotReadyError, match="exported"):
        meeting.engine.export()


def test_export_waits_for_quiet(setting: Setting) -> None:
    meeting = Meeting(setting, "client")
    seen = set()
    for _ in range(10_000):
        reason = meeting.engine.busy
        if reason is None:
            break
        seen.add(reason)
        with pytest.raises(NotReadyError):
            meeting.engine.export()
        meeting.wire.step()
    assert any("handshake" in reason for reason in seen)
    assert any("probing" in reason for reason in seen)
    meeting.engine.export()


# Secrets


def reachable_bytes(*roots: object) -> list[bytes]:
    """All bytes and bytearrays that can be reached from some objects."""
    found = []
    known = {id(root): root for root in roots}
    todo = list(roots)
    while todo:
        for thing in gc.get_referents(todo.pop()):
            # Modules and classes lead to the whole interpreter, frames to this test.
            if (
                id(thing) in known
                or isinstance(thing, type)
                or type(thing).__name__
                in {
                    "module",
                    "frame",
                    "function",
                    "builtin_function_or_method",
                }
            ):
                continue
            known[id(thing)] = thing
            todo.append(thing)
            if isinstance(thing, bytes | bytearray):
                found.append(bytes(thing))
    return found


def secrets_of(peer: PlainPeer) -> set[bytes]:
    """What a plain peer knows of the connection's 1-RTT secrets and keys, by the model."""
    pair = peer.quic._cryptos[Epoch.ONE_RTT]
    assert pair.send.cipher_suite is not None
    model = SUITES[AbiSuite(int(pair.send.cipher_suite))]
    secrets: set[bytes] = set()
    for secret in (pair.send.secret, pair.recv.secret):
        assert secret is not None
        keys = derive_packet_keys(model, secret)
        secrets |= {secret, keys.key, keys.iv, derive_header_key(model, secret)}
    return secrets


def test_the_engine_keeps_no_secret(setting: Setting, role: str) -> None:
    meeting = Meeting(setting, role).ready()
    secrets = secrets_of(meeting.peer)
    connection = meeting.engine._connection
    assert connection is not None
    # The search is able to find them.
    before = reachable_bytes(meeting.engine)
    originals = [connection._one_rtt.send.secret, connection._one_rtt.recv.secret]
    assert secrets & set(before) >= {bytes(original) for original in originals if original}
    exported = meeting.engine.export()
    # Not in the engine, not in aioquic's connection, and not where aioquic had them either.
    gc.collect()
    left = reachable_bytes(meeting.engine, connection)
    assert not any(secret in one for secret in secrets for one in left)
    assert all(original is not None and not any(original) for original in originals)
    exported.wipe()
    left = reachable_bytes(exported)
    assert not any(secret in one for secret in secrets for one in left)


@pytest.mark.parametrize("suite", ALL_SUITES, ids=lambda suite: suite.name)
def test_no_secret_is_shown_or_logged(
    setting: Setting, suite: CipherSuite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    meeting = Meeting(setting, "server", suite=suite).ready()
    secrets = secrets_of(meeting.peer)
    exported = meeting.engine.export()
    keys, schedule = KeySchedule.begin(exported.keys)
    activation = exported.activation(REF, generation=1, now=2000.0, keys=keys)
    tokens = {bytes(token.token.reveal()) for token in exported.reset_tokens}
    shown = [repr(one) for one in (exported, activation, keys, schedule, meeting.engine, setting)]
    shown += [str(one) for one in (exported, activation, keys)]
    assert caplog.records, "aioquic does log"
    shown += [record.getMessage() for record in caplog.records]
    for text in shown:
        for secret in secrets | tokens:
            assert secret.hex() not in text.lower()
            assert repr(secret)[2:-1] not in text


# The handover, datagram by datagram


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


# Properties


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
