# SPDX-License-Identifier: BSD-3-Clause
"""Reliable control frames: RFC 9000 section 13.3."""

import errno
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sim.core import Core

RETIRE = b"\x19\x01"
"""RETIRE_CONNECTION_ID of sequence number 1."""


class Queue:
    """A queue with its memory, and the bytes that it points to."""

    def __init__(self, core: Core, slots: int = 4) -> None:
        self.core = core
        self.c = core.ffi.new("struct nqd_control *")
        self.slots = core.ffi.new("struct nqd_control_slot[]", slots)
        self.keep: list[Any] = []
        core.lib.nqd_control_init(self.c, self.slots, slots)

    def queue(
        self, identity: int, frames: bytes, *, client: bool = True, once: bool = False
    ) -> int:
        memory = self.core.ffi.from_buffer(frames)
        self.keep.append(memory)
        lib = self.core.lib
        call = lib.nqd_control_queue_once if once else lib.nqd_control_queue
        return int(call(self.c, identity, memory, len(frames), client))

    def fill(self, pn: int, room: int = 1200) -> bytes:
        buffer = self.core.ffi.new("u8[]", 1200)
        used = self.core.lib.nqd_control_fill(self.c, buffer, room, pn)
        return bytes(self.core.ffi.buffer(buffer, used))

    def acked(self, pn: int) -> None:
        self.core.lib.nqd_control_on_acked(self.c, pn)

    def lost(self, pn: int) -> None:
        self.core.lib.nqd_control_on_lost(self.c, pn)

    def pop_lost(self) -> list[tuple[int, int, int, bool]]:
        """Reports of losses: id, packet number, losses so far, final."""
        loss = self.core.ffi.new("struct nqd_control_loss *")
        out = []
        while self.core.lib.nqd_control_pop_lost(self.c, loss):
            out.append((int(loss.id), int(loss.pn), int(loss.losses), bool(loss.final)))
        assert self.c.lost == 0
        return out

    def pop(self) -> list[int]:
        identity = self.core.ffi.new("u64 *")
        out = []
        while self.core.lib.nqd_control_pop(self.c, identity):
            out.append(int(identity[0]))
        return out


@pytest.fixture
def queue(core: Core) -> Queue:
    return Queue(core)


def test_frames_leave_in_order_as_many_as_fit(queue: Queue) -> None:
    for identity in (7, 8, 9):
        assert queue.queue(identity, bytes([0x19, identity])) == 0
    assert queue.fill(100, room=5) == b"\x19\x07\x19\x08"
    assert queue.fill(101) == b"\x19\x09"
    assert queue.fill(102) == b""


def test_lost_frames_go_first_and_acknowledged_ones_are_reported_once(queue: Queue) -> None:
    queue.queue(1, b"\x19\x01")
    assert queue.fill(100) == b"\x19\x01"
    queue.queue(2, b"\x19\x02")
    queue.lost(100)
    assert queue.fill(101) == b"\x19\x01\x19\x02"
    assert queue.c.retransmissions == 1
    queue.acked(100)
    assert queue.pop() == []
    queue.acked(101)
    queue.acked(101)
    assert queue.pop() == [1, 2]
    assert queue.pop() == []


def test_late_acknowledgement_stops_a_repetition(queue: Queue) -> None:
    queue.queue(1, RETIRE)
    queue.fill(100)
    queue.lost(100)
    queue.acked(100)
    assert queue.fill(101) == b""
    assert queue.pop() == [1]


def test_probe_repeats_the_oldest(core: Core, queue: Queue) -> None:
    assert core.lib.nqd_control_requeue_oldest(queue.c) == 0
    queue.queue(1, b"\x19\x01")
    queue.queue(2, b"\x19\x02")
    queue.fill(100)
    assert core.lib.nqd_control_requeue_oldest(queue.c) == 1
    assert queue.fill(101) == b"\x19\x01"


def test_slots_are_bounded_and_come_back(queue: Queue) -> None:
    for identity in range(4):
        assert queue.queue(identity, RETIRE) == 0
    assert queue.queue(4, RETIRE) == -errno.ENOBUFS
    queue.fill(1)
    queue.acked(1)
    assert queue.queue(4, RETIRE) == -errno.ENOBUFS
    assert queue.pop() == [0, 1, 2, 3]
    assert queue.queue(4, RETIRE) == 0


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        (b"", errno.EMSGSIZE),
        (bytes(1153), errno.EMSGSIZE),
        (b"\x19", errno.EINVAL),
        (b"\x21\x00", errno.EINVAL),
        (b"\x00", errno.EPERM),
        (b"\x02\x00\x00\x00\x00", errno.EPERM),
        (b"\x1a" + bytes(8), errno.EPERM),
        (b"\x1b" + bytes(8), errno.EPERM),
        (b"\x1c\x00\x00\x00", errno.EPERM),
        (b"\x30abc", errno.EPERM),
        (b"\x31\x03abc", errno.EPERM),
        (b"\x1e", errno.EPERM),
        (b"\x08\x00abc", errno.EINVAL),
        (RETIRE + b"\x1e", errno.EPERM),
    ],
)
def test_what_may_not_be_repeated_is_refused(queue: Queue, frames: bytes, error: int) -> None:
    assert queue.queue(1, frames) == -error
    assert queue.fill(1) == b""


def test_the_server_may_send_what_the_client_may_not(queue: Queue) -> None:
    assert queue.queue(1, b"\x1e", client=False) == 0


@given(data=st.data())
def test_every_frame_arrives_under_any_loss(core: Core, data: st.DataObject) -> None:
    queue = Queue(core, 8)
    pending = set(range(8))
    for identity in pending:
        queue.queue(identity, bytes([0x19, identity]))
    delivered: set[int] = set()
    reported: list[int] = []
    flight: list[int] = []
    for pn in range(200):
        if len(reported) == 8:
            break
        sent = queue.fill(pn, data.draw(st.sampled_from([2, 4, 16])))
        if sent:
            flight.append(pn)
        settle = data.draw(st.booleans())
        if flight and settle:
            done = flight.pop(data.draw(st.integers(0, len(flight) - 1)))
            if pn > 100 or data.draw(st.booleans()):
                queue.acked(done)
            else:
                queue.lost(done)
        delivered |= set(sent[1::2])
        reported += queue.pop()
    for pn in flight:
        queue.acked(pn)
    reported += queue.pop()
    while sent := queue.fill(1000):
        delivered |= set(sent[1::2])
        queue.acked(1000)
        reported += queue.pop()
    assert sorted(reported) == list(range(8))
    assert delivered == pending


def test_every_loss_is_reported(queue: Queue) -> None:
    queue.queue(1, RETIRE)
    queue.queue(2, RETIRE)
    for pn, losses in ((100, 1), (101, 2)):
        assert queue.fill(pn) == RETIRE * 2
        queue.lost(pn)
        assert queue.pop_lost() == [(1, pn, losses, False), (2, pn, losses, False)]
        assert queue.pop_lost() == []
    assert queue.c.frames == 4


def test_what_is_sent_once_is_gone_when_lost(core: Core, queue: Queue) -> None:
    queue.queue(1, RETIRE, once=True)
    queue.fill(100)
    assert core.lib.nqd_control_requeue_oldest(queue.c) == 0
    queue.lost(100)
    queue.acked(100)
    assert queue.fill(101) == b""
    assert queue.pop() == []
    assert queue.pop_lost() == [(1, 100, 1, True)]
    for identity in range(4):
        assert queue.queue(identity, RETIRE) == 0


def test_an_acknowledgement_overtakes_the_report_of_a_loss(queue: Queue) -> None:
    queue.queue(1, RETIRE)
    queue.fill(100)
    queue.lost(100)
    queue.acked(100)
    assert queue.pop() == [1]
    assert queue.pop_lost() == []


def test_what_never_left_was_not_lost(core: Core, queue: Queue) -> None:
    queue.queue(1, RETIRE, once=True)
    queue.fill(100)
    core.lib.nqd_control_on_unsent(queue.c, 100)
    assert queue.pop_lost() == []
    assert queue.fill(101) == RETIRE
