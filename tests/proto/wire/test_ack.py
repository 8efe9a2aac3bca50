# SPDX-License-Identifier: BSD-3-Clause
"""The ACK policy, and ACK frames byte by byte against the reference model."""

import errno
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sim.core import Core
from nexusnet.quic.frames import AckFrame, parse_frames
from nexusnet.quic.received import Ecn, ReceivedPackets

MS = 1_000_000
MAX_ACK_DELAY = 25 * MS
EXPONENT = 3


@dataclass
class Receiver:
    """A home: acknowledges when the policy says so, and not a moment earlier."""

    core: Core
    max_ack_delay: int = MAX_ACK_DELAY
    srtt: int = 50 * MS
    now: int = 10**9
    acks: list[tuple[int, bytes]] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    policy: Any = None
    received: Any = None

    def __post_init__(self) -> None:
        ffi, lib = self.core.ffi, self.core.lib
        self.policy = ffi.new("struct nqd_ack_policy *")
        self.received = ffi.new("struct nqd_received *")
        lib.nqd_received_init(self.received, 0)
        assert lib.nqd_ack_init(self.policy, self.max_ack_delay, EXPONENT, self.now) == 0

    def advance(self, until: int) -> None:
        """Let time pass, with an ACK at each deadline on the way."""
        lib = self.core.lib
        while (deadline := lib.nqd_ack_deadline(self.policy)) <= until:
            if deadline > self.now:
                assert not lib.nqd_ack_due(self.policy, deadline - 1)
            self.now = max(self.now, deadline)
            assert lib.nqd_ack_due(self.policy, self.now)
            self.acknowledge()
        self.now = until

    def arrive(self, pn: int, *, eliciting: bool = True, ecn: int = 0, act: bool = True) -> bool:
        """Take a packet; return whether it was answered at once."""
        lib = self.core.lib
        if lib.nqd_received_check(self.received, pn) != lib.NQD_DROP_NONE:
            return False
        lib.nqd_received_add(self.received, pn, self.now, ecn)
        lib.nqd_ack_on_packet(
            self.policy, self.received, self.now, pn, eliciting, ecn == Ecn.CE, self.srtt
        )
        if eliciting:
            self.waiting.append(self.now)
        assert lib.nqd_ack_pending(self.policy) == bool(self.waiting)
        due = bool(lib.nqd_ack_due(self.policy, self.now))
        if due and act:
            self.acknowledge()
        return due

    def build(self, room: int = 1200) -> bytes | int:
        buffer = self.core.ffi.new("u8[]", max(room, 1))
        largest = self.core.ffi.new("u64 *")
        length = self.core.lib.nqd_ack_build(
            self.policy, self.received, self.now, buffer, room, largest
        )
        if length > 0:
            assert largest[0] == self.received.largest
        return bytes(buffer)[:length] if length >= 0 else int(length)

    def acknowledge(self) -> None:
        frame = self.build()
        assert isinstance(frame, bytes)
        assert frame
        self.acks.append((self.now, frame))
        # RFC 9000 section 13.2.1: every ack-eliciting packet, within max_ack_delay.
        assert all(self.now - arrived <= self.max_ack_delay for arrived in self.waiting)
        self.waiting.clear()
        self.core.lib.nqd_ack_sent(self.policy)
        assert not self.core.lib.nqd_ack_pending(self.policy)
        assert self.core.lib.nqd_ack_deadline(self.policy) == self.core.lib.NQD_TIME_NEVER


def stream(receiver: Receiver, packets: int, interval: int, first: int = 0) -> int:
    """Receive `packets` in order, `interval` ns apart; return how many ACKs that took."""
    before = len(receiver.acks)
    for pn in range(first, first + packets):
        receiver.advance(receiver.now + interval)
        receiver.arrive(pn)
    return len(receiver.acks) - before


ARRIVALS = st.lists(
    st.tuples(
        st.integers(-40, 60),  # from the largest number received
        st.integers(0, 60 * MS),  # after the packet before
        st.booleans(),
        st.sampled_from(list(Ecn)),
    ),
    max_size=120,
)


@given(
    arrivals=ARRIVALS,
    srtt=st.sampled_from([0, 1000, MS, 30 * MS, 500 * MS, 10**10]),
    max_ack_delay=st.sampled_from([0, MS, 25 * MS, 16_383 * MS]),
)
def test_always_in_time_and_true(
    core: Core, arrivals: list[tuple[int, int, bool, Ecn]], srtt: int, max_ack_delay: int
) -> None:
    """Whatever arrives: ACK in time, at once where it must, and equal to the model's."""
    receiver = Receiver(core, max_ack_delay=max_ack_delay, srtt=srtt)
    model = ReceivedPackets(max_ranges=100_000)
    largest_eliciting = -1
    seen: set[int] = set()
    checked = 0
    for step, wait, eliciting, ecn in arrivals:
        receiver.advance(receiver.now + wait)
        pn = max(model.largest + step, 0)
        if pn in seen:
            continue
        seen.add(pn)
        model.receive(pn, ecn)
        at_once = receiver.arrive(pn, eliciting=eliciting, ecn=ecn)
        if eliciting:
            # RFC 9000 section 13.2.1: reordering, a gap, or CE.
            missing = set(range(largest_eliciting + 1, pn)) - seen
            if pn < largest_eliciting or missing or ecn is Ecn.CE:
                assert at_once
            largest_eliciting = max(largest_eliciting, pn)
        for when, frame in receiver.acks[checked:]:
            checked += 1
            if when != receiver.now:
                continue  # sent by the timer, before this packet: compared below
            delay = (when - receiver.received.largest_time) // 1000 >> EXPONENT
            expected = model.ack_frame(delay)
            assert expected is not None
            shown = AckFrame(expected.ranges[:32], expected.ack_delay, expected.ecn)
            assert frame == shown.encode()
    receiver.advance(receiver.now + max_ack_delay)
    assert not receiver.waiting, "everything is acknowledged in the end"
    for _, frame in receiver.acks:
        (ack,) = parse_frames(frame)
        assert isinstance(ack, AckFrame)
        claimed = {pn for part in ack.ranges for pn in range(part.smallest, part.largest + 1)}
        assert claimed <= seen


def test_young_connection_gets_every_second(core: Core) -> None:
    assert stream(Receiver(core), packets=100, interval=100_000) == 50


@pytest.mark.parametrize("pps", [1_000, 5_000, 20_000])
@pytest.mark.parametrize("rtt_ms", [10, 50, 200])
def test_decimated_to_a_few_a_round_trip(core: Core, pps: int, rtt_ms: int) -> None:
    receiver = Receiver(core, srtt=rtt_ms * MS)
    interval = 10**9 // pps
    first = 2 * pps * rtt_ms // 1000 + 200
    stream(receiver, first, interval)
    packets = 20 * pps * rtt_ms // 1000
    acks = stream(receiver, packets, interval, first)
    per_round = acks / 20
    in_round = packets / 20
    if in_round >= 64 * 8:
        assert acks == pytest.approx(packets / 64, rel=0.05), "never more than 64 packets unacked"
    elif rtt_ms // 4 <= 25:
        assert 4 <= per_round <= 9 or acks >= packets / 2 - 1
    # However slow: no packet waits longer than max_ack_delay (asserted in Receiver).
    assert packets / 64 - 1 <= acks <= packets / 2 + 1


def test_slow_again_after_silence(core: Core) -> None:
    receiver = Receiver(core, srtt=50 * MS)
    stream(receiver, 5_000, 50_000)
    assert receiver.policy.threshold == 64
    receiver.advance(receiver.now + 10**10)
    stream(receiver, 2, 10 * MS, 5_000)
    assert receiver.policy.threshold == 2


def test_only_acks_are_not_acknowledged(core: Core) -> None:
    """RFC 9000 section 13.2: no ACK answers packets that hold nothing but ACK frames."""
    receiver = Receiver(core)
    for pn in [0, 1, 5, 3, 9]:
        assert not receiver.arrive(pn, eliciting=False, ecn=Ecn.CE)
    receiver.advance(receiver.now + 10**10)
    assert not receiver.acks


def test_delay_counts_from_the_largest(core: Core) -> None:
    receiver = Receiver(core)
    receiver.arrive(0)
    receiver.advance(receiver.now + 5 * MS)
    frame = receiver.build()
    assert isinstance(frame, bytes)
    (ack,) = parse_frames(frame)
    assert isinstance(ack, AckFrame)
    assert ack.delay_microseconds(EXPONENT) == 5000


def test_nothing_to_report(core: Core) -> None:
    receiver = Receiver(core)
    assert receiver.build() == b""
    receiver.arrive(0)
    assert receiver.build(4) == -errno.ENOSPC


@pytest.mark.parametrize("pending", [True, False])
def test_import_pending(core: Core, pending: bool) -> None:  # noqa: FBT001
    lib = core.lib
    receiver = Receiver(core)
    lib.nqd_ack_import(receiver.policy, receiver.received, pending, receiver.now)
    assert not lib.nqd_ack_due(receiver.policy, receiver.now), "nothing was received at all"
    lib.nqd_received_add(receiver.received, 7, receiver.now, 0)
    lib.nqd_ack_import(receiver.policy, receiver.received, pending, receiver.now)
    assert lib.nqd_ack_due(receiver.policy, receiver.now) == pending
    # The number before it was imported: no gap.
    assert receiver.arrive(8, act=False) == pending


def test_asks_for_an_ack_of_acks_once_a_round_trip(core: Core) -> None:
    receiver = Receiver(core)
    wants = core.lib.nqd_ack_wants_ping
    for pn in range(0, 6, 2):
        receiver.arrive(pn)
    receiver.advance(receiver.now + 10**9)
    assert not wants(receiver.policy, receiver.now, receiver.srtt), "three ranges are few"
    receiver.arrive(6)
    assert wants(receiver.policy, receiver.now, receiver.srtt)
    assert not wants(receiver.policy, receiver.now + receiver.srtt - 1, receiver.srtt)
    assert wants(receiver.policy, receiver.now + receiver.srtt, receiver.srtt)
    core.lib.nqd_received_forget(receiver.received, 7)
    receiver.arrive(7)
    receiver.acknowledge()
    assert not wants(receiver.policy, receiver.now + 10**9, receiver.srtt), "the peer knows"


@pytest.mark.parametrize(
    ("max_ack_delay", "exponent"), [((1 << 14) * MS, 3), (1 << 63, 3), (25 * MS, 21)]
)
def test_parameters_out_of_range(core: Core, max_ack_delay: int, exponent: int) -> None:
    policy = core.ffi.new("struct nqd_ack_policy *")
    assert core.lib.nqd_ack_init(policy, max_ack_delay, exponent, 0) == -errno.EINVAL


def test_an_ack_that_is_nearly_due_may_leave_early(core: Core) -> None:
    receiver = Receiver(core)
    lib, policy = core.lib, receiver.policy
    assert not lib.nqd_ack_hasten(policy, (1 << 64) - 2)
    receiver.arrive(0, act=False)
    deadline = lib.nqd_ack_deadline(policy)
    assert not lib.nqd_ack_hasten(policy, deadline - 1)
    assert not lib.nqd_ack_due(policy, receiver.now)
    assert lib.nqd_ack_hasten(policy, deadline)
    assert lib.nqd_ack_due(policy, receiver.now)
    lib.nqd_ack_sent(policy)
    assert not lib.nqd_ack_due(policy, deadline)
