# SPDX-License-Identifier: BSD-3-Clause
"""What the owner may change in a connection that runs; what holds before the first RTT sample."""

import errno

import pytest

from nexus_sim.core import Core
from tests.proto.session.connection import MS, NONE, Connection, S, Sent

DATAGRAM = b"\x31\x03abc"
ACK_OF_0 = b"\x02\x00\x00\x00\x00"
SAMPLED = {
    f"recovery.rtt_{name}": value
    for name, value in (
        ("latest", 40 * MS),
        ("min", 40 * MS),
        ("smoothed", 40 * MS),
        ("var", MS),
    )
}


@pytest.fixture
def conn(core: Core) -> Connection:
    return Connection(core, overrides=SAMPLED)


def set_limits(conn: Connection, suite: int, seal: int, failures: int) -> int:
    return int(conn.core.lib.nqd_conn_set_key_limits(conn.conn, suite, seal, failures))


def departures(conn: Connection, packets: int) -> list[int]:
    """Send as the pacer allows; return when each packet left."""
    out: list[int] = []
    lib, ffi = conn.core.lib, conn.core.ffi
    plan, buffer = ffi.new("struct nqd_conn_plan *"), ffi.new("u8[]", 2048)
    while len(out) < packets:
        verdict = lib.nqd_conn_tx_datagram(conn.conn, conn.now, 1000, buffer, 2048, plan)
        if verdict == lib.NQD_CONN_PACED:
            assert plan.departure > conn.now
            conn.now = plan.departure
            continue
        assert verdict == lib.NQD_CONN_SEND
        out.append(conn.now)
    return out


# Congestion control.


def test_congestion_control_changes_with_its_pace(core: Core, conn: Connection) -> None:
    lib = core.lib
    rate = 100_000
    kind = lib.NQD_CONGESTION_FIXED_RATE_TEST
    assert lib.nqd_conn_set_congestion(conn.conn, conn.now, kind, True, rate) == 0
    assert conn.conn.recovery.cc.kind == kind
    size = conn.conn.overhead + 2 + 1 + 1000
    times = departures(conn, 20)
    # No acknowledgement has come, yet they leave at the set rate; the first ones are a burst.
    assert times[-1] - times[-11] == pytest.approx(10 * size * S / rate, rel=0.01)


def test_a_new_controller_begins_as_a_new_connection_does(core: Core, conn: Connection) -> None:
    lib = core.lib
    cc = conn.conn.recovery.cc
    first = cc.cwnd
    assert isinstance(conn.send(100), Sent)
    flight = conn.conn.recovery.sent.bytes_in_flight
    cc.cwnd, cc.ssthresh = 10 * first, 5 * first
    kind = lib.NQD_CONGESTION_BBR_LIKE
    assert lib.nqd_conn_set_congestion(conn.conn, conn.now, kind, False, 0) == 0
    assert (cc.kind, cc.cwnd, cc.ssthresh) == (kind, first, NONE)
    # What is in flight goes on to count, and its acknowledgement is taken.
    assert conn.conn.recovery.sent.bytes_in_flight == flight
    conn.now += 40 * MS
    assert conn.receive(ACK_OF_0) == lib.NQD_DROP_NONE
    assert conn.conn.recovery.sent.bytes_in_flight == 0


@pytest.mark.parametrize(
    ("kind", "lab_mode", "rate", "error"),
    [
        ("FIXED_RATE_TEST", False, 1000, errno.EPERM),
        ("FIXED_RATE_TEST", True, 0, errno.EINVAL),
        (None, False, 0, errno.EINVAL),
    ],
)
def test_a_refused_controller_changes_nothing(
    core: Core,
    conn: Connection,
    kind: str | None,
    lab_mode: bool,  # noqa: FBT001 - parametrised
    rate: int,
    error: int,
) -> None:
    lib, ffi = core.lib, core.ffi
    number = 7 if kind is None else getattr(lib, f"NQD_CONGESTION_{kind}")
    before = bytes(ffi.buffer(ffi.addressof(conn.conn, "recovery")))
    assert lib.nqd_conn_set_congestion(conn.conn, conn.now, number, lab_mode, rate) == -error
    assert bytes(ffi.buffer(ffi.addressof(conn.conn, "recovery"))) == before


# Limits of keys.


def test_limits_of_keys_change_while_they_are_used(core: Core, conn: Connection) -> None:
    lib = core.lib
    suite = lib.NQD_CIPHER_SUITE_AES_128_GCM_SHA256
    keys = conn.conn.keys
    assert isinstance(conn.send(10), Sent)
    assert set_limits(conn, suite, 4, 2) == 0
    assert (keys.seal_limit, keys.seal_half, keys.open_failure_limit) == (4, 2, 2)
    # What was sealed before counts: half of the limit is reached by the second packet.
    assert keys.sealed == 1
    assert isinstance(conn.send(10), Sent)
    assert keys.update_asked
    assert isinstance(conn.send(10), Sent)
    # The last one is for CONNECTION_CLOSE.
    assert conn.send(10) == lib.NQD_CONN_KEY_LIMIT
    # 0 is the suite's own, which cannot be exceeded.
    for wish in (0, 1 << 60):
        assert set_limits(conn, suite, wish, wish) == 0
        assert (keys.seal_limit, keys.open_failure_limit) == (1 << 28, 1 << 52)
    assert isinstance(conn.send(10), Sent)


def test_a_limit_of_failures_below_those_that_came_ends_it_at_the_next(
    core: Core, conn: Connection
) -> None:
    lib = core.lib
    for _ in range(3):
        assert lib.nqd_conn_rx_failed(conn.conn, conn.now) == lib.NQD_DROP_AEAD
    assert set_limits(conn, lib.NQD_CIPHER_SUITE_CHACHA20_POLY1305_SHA256, 0, 2) == 0
    assert conn.conn.keys.seal_limit == (1 << 62) - 1
    assert conn.conn.state.state == lib.NQD_SESSION_STATE_ACTIVE
    assert lib.nqd_conn_rx_failed(conn.conn, conn.now) == lib.NQD_DROP_AEAD_LIMIT
    assert conn.conn.state.state == lib.NQD_SESSION_STATE_CLOSING
    assert conn.conn.state.error_code == lib.NQD_QUIC_AEAD_LIMIT_REACHED


def test_limits_for_an_unknown_suite_are_refused(core: Core, conn: Connection) -> None:
    before = bytes(core.ffi.buffer(core.ffi.addressof(conn.conn, "keys")))
    assert set_limits(conn, 7, 4, 4) == -errno.EINVAL
    assert bytes(core.ffi.buffer(core.ffi.addressof(conn.conn, "keys"))) == before


# Key update.


def test_update_now_or_a_reason_why_not(core: Core, conn: Connection) -> None:
    lib = core.lib
    # RFC 9001 section 6.1: not before a packet of these keys was acknowledged.
    assert lib.nqd_conn_update_keys_now(conn.conn, conn.now) == -errno.EAGAIN
    packet = conn.send(10)
    assert isinstance(packet, Sent)
    assert packet.generation == 0
    conn.receive(ACK_OF_0)
    assert lib.nqd_conn_update_keys_now(conn.conn, conn.now) == 0
    assert conn.events() & lib.NQD_CONN_EVENT_KEYS_TX
    packet = conn.send(10)
    assert isinstance(packet, Sent)
    assert packet.generation == 1
    assert packet.first_byte & 0x04
    # The peer has not answered: refused, and not remembered for later either.
    assert lib.nqd_conn_next_keys_installed(conn.conn, conn.now, lib.NQD_KEYS_TX, 2) == 0
    assert lib.nqd_conn_update_keys_now(conn.conn, conn.now) == -errno.EAGAIN
    conn.run_until(conn.now + 2 * S)
    assert conn.conn.keys.tx_generation == 1


def test_update_now_without_keys_says_so(core: Core) -> None:
    conn = Connection(core, overrides={**SAMPLED, "keys.tx_next": False})
    assert isinstance(conn.send(10), Sent)
    conn.receive(ACK_OF_0)
    assert core.lib.nqd_conn_update_keys_now(conn.conn, conn.now) == -errno.ENOKEY
    assert conn.conn.keys.tx_generation == 0


# Before the first RTT sample.


def test_without_a_sample_acks_are_those_of_a_long_path(core: Core) -> None:
    """RFC 9002 section 6.2.2: 333 ms; every 64th packet, or max_ack_delay."""
    conn = Connection(core)
    delays = []
    for _ in range(20_000):
        conn.receive(DATAGRAM)
        delays.append(core.lib.nqd_ack_deadline(core.ffi.addressof(conn.conn, "ack")) - conn.now)
        conn.pending()
        conn.now += 50_000
    assert conn.conn.ack.threshold == 64
    assert max(delays) <= 25 * MS
