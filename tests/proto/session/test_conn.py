# SPDX-License-Identifier: BSD-3-Clause
"""The connection: what comes in, what goes out, and when."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sim.core import Core
from tests.proto.session.connection import MS, Connection, S, Sent

PING = b"\x01"
DATAGRAM = b"\x31\x03abc"
RETIRE = b"\x19\x01"


def sent(packet: Sent | int) -> Sent:
    assert isinstance(packet, Sent), f"verdict {packet}"
    return packet


@pytest.fixture
def conn(core: Core) -> Connection:
    return Connection(core)


# Install.


@pytest.mark.parametrize(
    ("field", "value", "error", "why"),
    [
        ("peer_cid_len", 21, errno.EINVAL, "connection ID"),
        ("ack_delay_exponent", 21, errno.EINVAL, "ack_delay_exponent"),
        ("peer_ack_delay_exponent", 21, errno.EINVAL, "ack_delay_exponent"),
        ("max_ack_delay", (1 << 14) * MS, errno.EINVAL, "max_ack_delay"),
        ("max_datagram_frame_size", 1 << 62, errno.EINVAL, "max_datagram_frame_size"),
        ("mtu", 1199, errno.EINVAL, "UDP payload"),
        ("mtu_ceiling", 1199, errno.EINVAL, "UDP payload"),
        ("idle_timeout", 1 << 60, errno.EINVAL, "idle timeout"),
        ("received_count", 33, errno.EINVAL, "32 received"),
        ("received_count", 1, errno.EINVAL, "ranges missing"),
        ("received_floor", 1 << 62, errno.EINVAL, "floor"),
        ("ack_pending", True, errno.EINVAL, "pending of nothing"),
        ("keys.suite", 1, errno.EINVAL, "cipher suite"),
        ("keys.generation", 1 << 62, errno.EINVAL, "generation"),
        ("recovery.ring_entries", 255, errno.EINVAL, "ring"),
        ("recovery.congestion", 2, errno.EPERM, "lab mode"),
    ],
)
def test_install_is_checked_and_explained(
    core: Core, field: str, value: int, error: int, why: str
) -> None:
    refused = Connection(core, overrides={field: value})
    assert refused.error == -error
    assert why in refused.why


def test_hold_neither_receives_nor_sends(core: Core) -> None:
    lib = core.lib
    held = Connection(core, active=False)
    assert held.receive(PING) == lib.NQD_DROP_STATE
    assert held.send(100) == lib.NQD_CONN_INACTIVE
    assert held.pending() == []
    assert lib.nqd_conn_queue_control(held.conn, 1, RETIRE, 2) == -errno.ENOTCONN
    assert lib.nqd_conn_activate(held.conn, S) == 0
    assert held.receive(PING) == lib.NQD_DROP_NONE


def test_imported_ranges_are_duplicates_and_reported(core: Core) -> None:
    ranges = core.ffi.new("struct nqd_pn_range[]", [(20, 25), (10, 12)])
    overrides = {"received": ranges, "received_count": 2, "ack_pending": True}
    conn = Connection(core, overrides={**overrides, "received_floor": 5})
    for pn, reason in ((22, "DUPLICATE"), (11, "DUPLICATE"), (4, "TOO_OLD"), (15, "NONE")):
        assert conn.receive(PING, pn=pn) == getattr(core.lib, f"NQD_DROP_{reason}")
    (ack,) = conn.pending()
    # Largest 25, three ranges: 20-25, 15, 10-12.
    assert ack.frames[:2] == b"\x02\x19"
    assert ack.frames[-6:] == bytes([2, 5, 3, 0, 1, 2])


# Receive.


def test_one_datagram_is_found_with_and_without_length(core: Core, conn: Connection) -> None:
    for payload, offset in ((b"\x30abc", 1), (DATAGRAM, 2), (b"\x00\x01" + DATAGRAM, 4)):
        assert conn.receive(payload) == core.lib.NQD_DROP_NONE
        span = conn.result.datagram
        assert (conn.result.datagrams, span.offset, span.len) == (1, offset, 3)
    assert conn.receive(DATAGRAM + DATAGRAM + b"\x30") == core.lib.NQD_DROP_NONE
    assert conn.result.datagrams == 3
    assert conn.conn.stats.rx_datagrams == 6


def test_a_packet_counts_once(core: Core, conn: Connection) -> None:
    assert conn.receive(DATAGRAM, pn=7) == core.lib.NQD_DROP_NONE
    assert conn.receive(DATAGRAM, pn=7) == core.lib.NQD_DROP_DUPLICATE
    assert conn.conn.stats.rx_packets == 1


@pytest.mark.parametrize(
    ("client", "payload", "reason", "code"),
    [
        (True, b"", "PROTOCOL_VIOLATION", 0x0A),
        (True, b"\x01\x21", "FRAME_ENCODING", 0x07),
        (True, b"\x01\x40\x01", "PROTOCOL_VIOLATION", 0x0A),
        (True, b"\x31\x04abc", "FRAME_ENCODING", 0x07),
        (True, b"\x02\x05\x00\x00\x00", "PROTOCOL_VIOLATION", 0x0A),
        (False, b"\x1e", "PROTOCOL_VIOLATION", 0x0A),
        (False, b"\x07\x01a", "PROTOCOL_VIOLATION", 0x0A),
        (True, b"\x30" + bytes(1400), "DATAGRAM_TOO_LARGE", 0x0A),
        (True, b"\x01\x30" + bytes(1400), "DATAGRAM_TOO_LARGE", 0x0A),
    ],
)
def test_a_broken_rule_closes_and_changes_nothing_else(
    core: Core,
    client: bool,  # noqa: FBT001 - parametrised
    payload: bytes,
    reason: str,
    code: int,
) -> None:
    conn = Connection(core, client=client)
    assert conn.receive(payload) == getattr(core.lib, f"NQD_DROP_{reason}")
    assert conn.conn.state.state == core.lib.NQD_SESSION_STATE_CLOSING
    assert conn.events() & core.lib.NQD_CONN_EVENT_ERROR
    assert conn.conn.received.largest == (1 << 64) - 1
    (close,) = conn.pending()
    assert close.frames[:2] == bytes([0x1C, code])
    assert conn.send(10) == core.lib.NQD_CONN_INACTIVE


def test_frames_before_a_malformed_one_have_no_effect(core: Core, conn: Connection) -> None:
    sent(conn.send(100))
    ack = b"\x02\x00\x00\x00\x00"
    assert conn.receive(ack + b"\x21") == core.lib.NQD_DROP_FRAME_ENCODING
    assert conn.conn.recovery.sent.acked == 0


def test_datagram_that_was_not_negotiated(core: Core) -> None:
    conn = Connection(core, overrides={"max_datagram_frame_size": 0})
    assert conn.receive(DATAGRAM) == core.lib.NQD_DROP_DATAGRAM_TOO_LARGE


def test_reserved_bits(core: Core, conn: Connection) -> None:
    assert conn.receive(PING, first_byte=0x4B) == core.lib.NQD_DROP_RESERVED_BITS
    assert conn.conn.state.error_code == core.lib.NQD_QUIC_PROTOCOL_VIOLATION


def test_client_takes_what_servers_send(core: Core, conn: Connection) -> None:
    new_cid = b"\x18\x01\x00\x04abcd" + bytes(16)
    assert conn.receive(b"\x1e\x07\x01a" + new_cid) == core.lib.NQD_DROP_NONE
    assert conn.result.handup_frames == 2
    assert conn.result.handup_bytes == 3 + len(new_cid)


def test_hand_up_without_room_is_not_acknowledged(core: Core, conn: Connection) -> None:
    crypto = b"\x06\x00\x04abcd"
    assert conn.receive(crypto, pn=3, room=6) == core.lib.NQD_DROP_EVENT_QUEUE_FULL
    assert conn.run_until(2 * S) == []
    assert conn.receive(crypto, pn=3, room=7) == core.lib.NQD_DROP_NONE
    assert conn.run_until(3 * S)


def test_forged_packets_end_the_connection_at_the_limit(core: Core) -> None:
    lib = core.lib
    conn = Connection(core, overrides={"keys.open_failure_limit": 2})
    assert lib.nqd_conn_rx_failed(conn.conn, conn.now) == lib.NQD_DROP_AEAD
    assert lib.nqd_conn_rx_failed(conn.conn, conn.now) == lib.NQD_DROP_AEAD_LIMIT
    (close,) = conn.pending()
    assert close.frames[:2] == bytes([0x1C, 0x0F])


@given(payload=st.binary(max_size=200), client=st.booleans())
def test_any_payload_is_accepted_or_closes(
    core: Core,
    payload: bytes,
    client: bool,  # noqa: FBT001 - drawn
) -> None:
    lib = core.lib
    conn = Connection(core, client=client)
    reason = conn.receive(payload)
    state = conn.conn.state.state
    if reason == lib.NQD_DROP_NONE:
        assert conn.conn.received.largest == 0
    else:
        assert state == lib.NQD_SESSION_STATE_CLOSING
        assert len(conn.pending()) == 1
    conn.run_until(100 * S)
    assert conn.conn.state.state == lib.NQD_SESSION_STATE_DRAINING


# Send.


def test_datagram_fills_the_packet_and_no_more(core: Core, conn: Connection) -> None:
    largest = core.lib.nqd_conn_max_payload(conn.conn)
    assert largest == 1200 - 1 - 8 - 4 - 1 - 16
    packet = sent(conn.send(largest))
    assert packet.frames == b"\x30"
    assert packet.size == 1 + 8 + packet.pn_len + 1 + largest + 16 <= 1200
    assert conn.send(largest + 1) == core.lib.NQD_CONN_TOO_BIG
    assert conn.conn.stats.tx_too_big == 1


def test_peer_limit_counts_the_type_byte(core: Core) -> None:
    conn = Connection(core, overrides={"peer_max_datagram_frame_size": 500})
    assert core.lib.nqd_conn_max_payload(conn.conn) == 499
    none = Connection(core, overrides={"peer_max_datagram_frame_size": 0})
    assert none.send(0) == core.lib.NQD_CONN_TOO_BIG


def test_tiny_packets_leave_room_for_the_sample(conn: Connection) -> None:
    for length in range(6):
        packet = sent(conn.send(length))
        assert packet.pn_len + len(packet.frames) + length >= 4
        assert packet.frames[-1] == 0x30
        assert packet.size == 1 + 8 + packet.pn_len + len(packet.frames) + length + 16


def test_numbers_follow_each_other_and_the_window_ends_it(core: Core, conn: Connection) -> None:
    numbers = []
    while isinstance(packet := conn.send(1000), Sent):
        numbers.append(packet.pn)
        conn.now += 100 * MS
    assert numbers == list(range(len(numbers)))
    assert packet == core.lib.NQD_CONN_CWND
    recovery = conn.conn.recovery
    assert recovery.cc.cwnd - 1100 < recovery.sent.bytes_in_flight <= recovery.cc.cwnd


def test_batch_is_equal_packets_within_the_window(core: Core, conn: Connection) -> None:
    conn.receive(DATAGRAM)
    total = 0
    for _ in range(40):
        packet = conn.send(1000, batch=64)
        if packet == core.lib.NQD_CONN_CWND:
            break
        if packet == core.lib.NQD_CONN_PACED:
            conn.now += 10 * MS
            continue
        batch = sent(packet)
        assert batch.pn == total
        assert batch.frames == b"\x30"
        total += batch.count
    else:
        pytest.fail("the window never filled")
    recovery = conn.conn.recovery
    assert recovery.sent.sent == total
    assert recovery.sent.bytes_in_flight <= recovery.cc.cwnd
    assert total == recovery.cc.cwnd // (1 + 8 + 2 + 1 + 1000 + 16)


def test_a_waiting_ack_rides_along(core: Core, conn: Connection) -> None:
    conn.now += 10 * S
    conn.receive(DATAGRAM)
    packet = sent(conn.send(100))
    assert packet.frames[0] == 0x02
    assert packet.frames[-1] == 0x30
    assert not core.lib.nqd_ack_pending(core.ffi.addressof(conn.conn, "ack"))


def test_ack_alone_within_max_ack_delay(core: Core, conn: Connection) -> None:
    conn.receive(DATAGRAM)
    deadline = core.lib.nqd_conn_deadline(conn.conn)
    assert conn.now < deadline <= conn.now + 25 * MS
    (packet,) = conn.run_until(conn.now + 26 * MS)
    assert packet.frames[:2] == b"\x02\x00"
    assert conn.conn.recovery.sent.bytes_in_flight == 0
    assert conn.conn.stats.tx_ack_only == 1


def test_failed_sealing_takes_all_back(core: Core, conn: Connection) -> None:
    conn.receive(DATAGRAM)
    lib = core.lib
    lib.nqd_conn_queue_control(conn.conn, 5, RETIRE, 2)
    (packet,) = conn.pending()
    assert packet.frames.endswith(RETIRE)
    lib.nqd_conn_tx_failed(conn.conn, conn.now, packet.pn)
    assert conn.conn.recovery.sent.bytes_in_flight == 0
    (again,) = conn.pending()
    assert again.pn == packet.pn + 1
    assert again.frames.endswith(RETIRE)
    assert again.frames[0] == 0x02


def test_longest_control_frames_fit_the_smallest_packet(core: Core) -> None:
    """What the ABI lets user space queue leaves, with the longest peer CID and an ACK pending."""
    conn = Connection(core, overrides={"peer_cid_len": 20})
    conn.receive(DATAGRAM)
    frames = bytes([1]) * core.lib.NQD_FRAMES_MAX_LEN  # PING
    memory = core.ffi.from_buffer(frames)
    assert core.lib.nqd_conn_queue_control(conn.conn, 5, memory, len(frames)) == 0
    packets = conn.run_until(conn.now + 26 * MS)
    (carrier,) = (packet for packet in packets if frames in packet.frames)
    assert carrier.size <= 1200
    assert any(packet.frames[0] == 0x02 for packet in packets)


def test_probes_after_silence_repeat_control_frames(core: Core, conn: Connection) -> None:
    core.lib.nqd_conn_queue_control(conn.conn, 5, RETIRE, 2)
    (first,) = conn.pending()
    packets = conn.run_until(conn.now + 5 * S)
    assert packets
    assert all(RETIRE in packet.frames for packet in packets)
    ack = bytes([2, packets[-1].pn, 0, 0, 0])
    assert conn.receive(ack) == core.lib.NQD_DROP_NONE
    assert conn.events() & core.lib.NQD_CONN_EVENT_CONTROL_ACKED
    assert first.pn == 0


def out_of_keys(core: Core) -> Connection:
    """A connection whose key has one packet left, for CONNECTION_CLOSE, and the next is missing."""
    lib = core.lib
    conn = Connection(core, overrides={"keys.seal_limit": 5, "keys.tx_next": False})
    for _ in range(4):
        sent(conn.send(10))
        conn.now += S
    assert conn.events() & lib.NQD_CONN_EVENT_KEYS_UPDATE_NEEDED
    conn.receive(DATAGRAM)
    assert conn.send(10) == lib.NQD_CONN_KEY_LIMIT
    assert conn.events() & lib.NQD_CONN_EVENT_KEYS_EXHAUSTED
    assert conn.send(10) == lib.NQD_CONN_KEY_LIMIT
    assert not conn.events() & lib.NQD_CONN_EVENT_KEYS_EXHAUSTED
    assert conn.pending() == []
    return conn


def test_key_limit_stops_without_spinning(core: Core) -> None:
    lib = core.lib
    conn = out_of_keys(core)
    assert lib.nqd_conn_deadline(conn.conn) > conn.now
    conn.receive(b"\x02\x03\x00\x00\x03")
    assert lib.nqd_conn_next_keys_installed(conn.conn, conn.now, lib.NQD_KEYS_TX, 1) == 0
    packet = sent(conn.send(10))
    assert packet.generation == 1
    assert packet.first_byte & 0x04


def test_key_limit_closes_where_no_update_comes(core: Core) -> None:
    """RFC 9001 section 6.6; the last packet of the key is the CONNECTION_CLOSE."""
    lib = core.lib
    conn = out_of_keys(core)
    packets = conn.run_until(conn.now + 2 * S)
    assert packets == []
    assert conn.conn.state.state == lib.NQD_SESSION_STATE_ACTIVE
    (close,) = conn.run_until(conn.now + 2 * S)
    assert close.frames[:2] == b"\x1c\x0f"
    assert conn.conn.keys.sealed == conn.conn.keys.seal_limit
    assert conn.events() & lib.NQD_CONN_EVENT_ERROR
    assert conn.conn.state.state == lib.NQD_SESSION_STATE_CLOSING
    conn.receive(DATAGRAM, pn=50)
    assert conn.pending() == []


def test_key_limit_is_waited_at_while_an_update_is_due(core: Core) -> None:
    """Nothing is in flight, nothing comes: the update begins when it is allowed all the same."""
    lib = core.lib
    conn = out_of_keys(core)
    conn.receive(b"\x02\x03\x00\x00\x03")
    conn.conn.keys.tx_acked = True
    conn.conn.keys.update_at = conn.now + 5 * S
    assert lib.nqd_conn_next_keys_installed(conn.conn, conn.now, lib.NQD_KEYS_TX, 1) == 0
    conn.run_until(conn.now + 4 * S)
    assert conn.send(10) == lib.NQD_CONN_KEY_LIMIT
    conn.run_until(conn.now + 2 * S)
    assert sent(conn.send(10)).generation == 1


def test_own_update_starts_by_itself_at_half_the_limit(core: Core) -> None:
    conn = Connection(core, overrides={"keys.seal_limit": 20})
    sent(conn.send(10))
    conn.receive(b"\x02\x00\x00\x00\x00")
    generations = [sent(conn.send(10)).generation for _ in range(9)]
    assert generations[-1] == 1
    assert generations == sorted(generations)


def test_spin_bit(core: Core) -> None:
    for client in (True, False):
        conn = Connection(core, client=client, overrides={"spin": True})
        for pn, spin in enumerate((1, 0, 1)):
            conn.receive(PING, pn=pn, first_byte=0x43 | spin << 5)
            packet = sent(conn.send(10))
            assert packet.first_byte >> 5 & 1 == (not spin if client else spin)
        # Only a new largest packet number counts.
        conn.receive(PING, pn=10, first_byte=0x43)
        conn.receive(PING, pn=9, first_byte=0x63)
        assert sent(conn.send(10)).first_byte >> 5 & 1 == (1 if client else 0)


# Ends.


def test_close_is_answered_and_both_ends_fall_silent(core: Core, conn: Connection) -> None:
    lib = core.lib
    peer = Connection(core, client=False)
    assert lib.nqd_conn_close(conn.conn, conn.now, 5, True) == 0
    assert lib.nqd_conn_close(conn.conn, conn.now, 5, True) == -errno.EALREADY
    (close,) = conn.pending()
    assert close.frames[:2] == b"\x1d\x05"
    assert peer.receive(close.frames) == lib.NQD_DROP_NONE
    assert peer.events() & lib.NQD_CONN_EVENT_PEER_CLOSED
    assert (peer.conn.peer_close.code, peer.conn.peer_close.application) == (5, True)
    assert peer.conn.state.state == lib.NQD_SESSION_STATE_DRAINING
    assert peer.receive(PING) == lib.NQD_DROP_STATE
    assert peer.run_until(10 * S) == []
    assert peer.events() & lib.NQD_CONN_EVENT_DRAINED


def test_closing_repeats_its_close_for_packets_that_come(core: Core, conn: Connection) -> None:
    lib = core.lib
    lib.nqd_conn_close(conn.conn, conn.now, 0, False)
    assert len(conn.pending()) == 1
    answers = 0
    for _ in range(20):
        assert conn.receive(PING) == lib.NQD_DROP_STATE
        answers += len(conn.pending())
    assert answers == 5
    assert conn.receive(b"\x1c\x00\x00\x00") == lib.NQD_DROP_STATE
    assert conn.conn.state.state == lib.NQD_SESSION_STATE_DRAINING
    assert conn.receive(PING) == lib.NQD_DROP_STATE
    assert conn.pending() == []


def test_idle_timeout_is_silent(core: Core, conn: Connection) -> None:
    assert conn.run_until(40 * S) == []
    assert conn.events() & core.lib.NQD_CONN_EVENT_IDLE
    assert conn.conn.state.state == core.lib.NQD_SESSION_STATE_DRAINING


def test_smaller_idle_timeout_counts(core: Core) -> None:
    conn = Connection(core, overrides={"peer_idle_timeout": 5 * S})
    conn.run_until(5 * S)
    assert not conn.events() & core.lib.NQD_CONN_EVENT_IDLE
    conn.run_until(7 * S)
    assert conn.events() & core.lib.NQD_CONN_EVENT_IDLE


# Paths and MTU.


def test_path_challenge_is_answered_in_a_full_datagram(core: Core, conn: Connection) -> None:
    assert conn.receive(b"\x1a" + bytes(range(8))) == core.lib.NQD_DROP_NONE
    answers = [p for p in conn.pending() if p.frames[0] == 0x1B]
    assert len(answers) == 1
    assert answers[0].frames[:9] == b"\x1b" + bytes(range(8))
    assert answers[0].size == 1200


def test_answer_to_a_candidate_is_at_most_three_times_its_packet(
    core: Core, conn: Connection
) -> None:
    conn.receive(b"\x1a" + bytes(range(8)), path=core.lib.NQD_PATH_CANDIDATE)
    (answer,) = (p for p in conn.pending() if p.frames[0] == 0x1B)
    assert answer.path == core.lib.NQD_PATH_CANDIDATE
    assert 3 * (9 + 29) - 3 <= answer.size <= 3 * (9 + 29)
    conn.receive(b"\x1a" + bytes(8) + bytes(1200), path=core.lib.NQD_PATH_CANDIDATE)
    (answer,) = (p for p in conn.pending() if p.frames[0] == 0x1B)
    assert answer.size == 1200


def test_candidate_is_challenged_within_the_limit(core: Core, conn: Connection) -> None:
    lib = core.lib
    data = core.ffi.new("u8[3][8]", [[n] * 8 for n in (1, 2, 3)])
    candidate = lib.NQD_PATH_CANDIDATE
    conn.receive(b"\x01" + bytes(470), path=candidate)
    conn.pending()
    assert lib.nqd_conn_validate_path(conn.conn, conn.now, candidate, data) == 0
    challenges = [p for p in conn.run_until(4 * S) if p.frames[0] == 0x1A]
    assert [(p.path, p.frames[1]) for p in challenges] == [(candidate, 1), (candidate, 2)]
    assert sum(p.size for p in challenges) <= 1500
    conn.receive(b"\x1b" + bytes([2] * 8), path=candidate)
    assert conn.events() & lib.NQD_CONN_EVENT_PATH_VALIDATED


def test_mtu_probe_leaves_padded_and_raises_the_limit(core: Core) -> None:
    conn = Connection(core, overrides={"mtu_ceiling": 1452})
    (probe,) = conn.pending()
    assert probe.size == 1452
    assert probe.frames == b"\x01" + bytes(len(probe.frames) - 1)
    before = core.lib.nqd_conn_max_payload(conn.conn)
    conn.receive(bytes([2, probe.pn, 0, 0, 0]))
    assert conn.events() & core.lib.NQD_CONN_EVENT_MTU
    # The peer's max_datagram_frame_size of 1400 is smaller than the new room.
    assert (before, core.lib.nqd_conn_max_payload(conn.conn)) == (1170, 1399)


def test_icmp_lowers_the_limit(core: Core) -> None:
    conn = Connection(core, overrides={"mtu": 1400, "mtu_ceiling": 1400})
    core.lib.nqd_conn_mtu_reported(conn.conn, conn.now, 1300)
    assert conn.events() & core.lib.NQD_CONN_EVENT_MTU
    assert core.lib.nqd_conn_max_payload(conn.conn) == 1270


# Changes of an installed connection.


def test_timers_change(core: Core, conn: Connection) -> None:
    assert core.lib.nqd_conn_set_timers(conn.conn, 0, 10**15) == -errno.EINVAL
    assert core.lib.nqd_conn_set_timers(conn.conn, 5 * S, 2 * S) == 0
    (ping, *_) = conn.run_until(conn.now + 3 * S)
    assert ping.frames[0] == 0x01
    conn.run_until(conn.now + 5 * S)
    assert conn.events() & core.lib.NQD_CONN_EVENT_IDLE


def test_sizes_change(core: Core, conn: Connection) -> None:
    for size, ceiling in ((1199, 1400), (1400, 1300), (1400, 70000)):
        assert core.lib.nqd_conn_set_mtu(conn.conn, conn.now, size, ceiling) == -errno.EINVAL
    assert core.lib.nqd_conn_set_mtu(conn.conn, conn.now, 1300, 1300) == 0
    assert conn.events() & core.lib.NQD_CONN_EVENT_MTU
    assert core.lib.nqd_conn_max_payload(conn.conn) == 1270
    assert conn.pending() == []
    assert core.lib.nqd_conn_set_mtu(conn.conn, conn.now, 1300, 1452) == 0
    (probe,) = conn.pending()
    assert probe.size == 1452


def test_former_keys_go_three_pto_after_the_install(core: Core) -> None:
    conn = Connection(core, overrides={"keys.generation": 1, "keys.rx_old": True})
    assert conn.conn.keys.rx_old
    forget_at = conn.conn.keys.forget_at
    assert forget_at == conn.now + 3 * core.lib.nqd_rtt_pto(
        core.ffi.addressof(conn.conn.recovery, "rtt")
    )
    conn.run_until(forget_at + MS)
    assert not conn.conn.keys.rx_old
    assert conn.events() & core.lib.NQD_CONN_EVENT_KEYS_FORGET


def test_other_frames_are_counted(core: Core, conn: Connection) -> None:
    conn.receive(b"\x01" + RETIRE + b"\0\0" + DATAGRAM)
    core.lib.nqd_conn_queue_control(conn.conn, 5, RETIRE, 2)
    conn.pending()
    stats = conn.conn.stats
    assert (stats.rx_other, stats.tx_other, stats.rx_datagrams) == (2, 1, 1)
