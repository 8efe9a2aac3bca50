# SPDX-License-Identifier: BSD-3-Clause
"""Export, checked by going on: with the reference model here and a plain aioquic peer there."""

from dataclasses import replace

import pytest
from aioquic._buffer import Buffer
from aioquic.quic.connection import QuicReceiveContext
from aioquic.quic.events import (
    ConnectionTerminated,
    DatagramFrameReceived,
    PingAcknowledged,
)
from aioquic.tls import CipherSuite, Epoch

from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.datagram import Received
from nexusnet.handshake.derivation import KeySchedule
from nexusnet.handshake.engine import MAX_HELD, Phase
from nexusnet.handshake.errors import NotReadyError
from nexusnet.handshake.events import DatagramReceived
from nexusnet.handshake.export import udp_tuple
from nexusnet.keys import SecretSet
from nexusnet.netlink.generated import CipherSuite as AbiSuite
from nexusnet.netlink.generated import Role
from nexusnet.quic.frames import ConnectionCloseFrame, DatagramFrame, NewConnectionIdFrame
from nexusnet.quic.keys import derive_header_key, derive_packet_keys, next_secret
from tests.handshake.continuation import SUITES, Continuation
from tests.handshake.meeting import ALL_SUITES, REF, Meeting
from tests.handshake.setting import Setting, scene
from tests.handshake.wire import CLIENT, SERVER, Weather, Wire


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


def test_a_retired_connection_id_is_not_exported(setting: Setting, role: str) -> None:
    meeting = Meeting(setting, role).ready()
    connection = meeting.engine._connection
    assert connection is not None
    # The peer's NEW_CONNECTION_ID once more, now asking to retire the first one.
    spare = connection._peer_cid_available[0]
    frame = NewConnectionIdFrame(1, 1, spare.cid, spare.stateless_reset_token).encode()
    context = QuicReceiveContext(
        epoch=Epoch.ONE_RTT,
        host_cid=meeting.engine.connection_id,
        network_path=connection._network_paths[0],
        quic_logger_frames=None,
        time=meeting.wire.now,
        version=None,
    )
    connection._handle_new_connection_id_frame(context, frame[0], Buffer(data=frame[1:]))
    assert meeting.engine.busy == "RETIRE_CONNECTION_ID waits to be sent"
    # Past the acceptor, which has seen nothing arrive.
    meeting.wire.send(meeting.engine.transmit(meeting.wire.now))
    meeting.flush()
    meeting.ready()
    continuation = meeting.go_on()
    exported = continuation.exported
    # aioquic has issued another one for it.
    assert [cid.sequence for cid in exported.peer_cids] == [1, 2]
    assert exported.peer_cids[0].value == spare.cid
    assert [token.sequence for token in exported.reset_tokens] == [1, 2]
    continuation.send([DatagramFrame(b"to the second connection ID")])
    meeting.flush()
    (received,) = meeting.peer.of_type(DatagramFrameReceived)
    assert received.data == b"to the second connection ID"


def test_a_client_behind_a_nat_that_forgets(setting: Setting) -> None:
    meeting = Meeting(setting, "server").ready()
    moved = ("198.51.100.7", 60000)
    meeting.peer.local = moved
    meeting.wire.attach(moved, meeting.peer)
    meeting.peer.quic.send_ping(9)
    meeting.wire.flush(moved)
    meeting.wire.run(lambda: meeting.engine.busy is not None)
    # RFC 9000 section 9.3: not exported before the new path is validated.
    connection = meeting.engine._connection
    assert connection is not None
    validated = [connection._network_paths[0].is_validated]
    meeting.wire.run(lambda: meeting.engine.busy is None)
    validated.append(connection._network_paths[0].is_validated)
    assert validated == [False, True]
    meeting.peer_address = moved
    assert meeting.engine.remote == moved
    continuation = meeting.go_on()
    assert continuation.exported.udp_tuple == udp_tuple(SERVER, moved)
    continuation.send([DatagramFrame(b"to the new address")])
    meeting.flush()
    assert meeting.peer.of_type(DatagramFrameReceived)[-1].data == b"to the new address"


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
