# SPDX-License-Identifier: BSD-3-Clause
"""The session queue: bounds, order, and CoDel as RFC 8289 describes it."""

import itertools
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine import native

ffi, lib = native.load()
MS = 1_000_000
TARGET, INTERVAL = 5 * MS, 100 * MS


@pytest.fixture
def pool() -> Iterator[Any]:
    state = ffi.new("struct nqe_pool *")
    yield state
    lib.nqe_pool_free(state)


@pytest.mark.parametrize("length", [1, 2048, 2049, 16384, 16385, 65535])
def test_buffers_are_large_enough_and_reused(pool: Any, length: int) -> None:
    packet = lib.nqe_pool_get(pool, length)
    data = ffi.cast("u8 *", packet) + ffi.offsetof("struct nqe_packet", "data")
    ffi.buffer(data, length)[:] = bytes(length)  # a sanitizer would see it
    assert pool.bytes == lib.nqe_packet_size(packet) >= length
    lib.nqe_pool_put(pool, packet)
    assert pool.bytes == 0
    assert lib.nqe_pool_get(pool, length) == packet
    lib.nqe_pool_put(pool, packet)


def test_first_in_first_out_within_the_limit(pool: Any) -> None:
    queue = ffi.new("struct nqe_queue *")
    size = lib.nqe_packet_size(first := lib.nqe_pool_get(pool, 100))
    queue.limit = 10 * size
    packets = [first] + [lib.nqe_pool_get(pool, 100) for _ in range(10)]
    taken = [lib.nqe_queue_push(queue, packet, 1) for packet in packets]
    assert taken == [True] * 10 + [False]
    assert (queue.bytes, queue.packets) == (10 * size, 10)
    assert [lib.nqe_queue_pop(queue) for _ in range(10)] == packets[:10]
    assert lib.nqe_queue_pop(queue) == ffi.NULL
    assert (queue.bytes, queue.packets) == (0, 0)
    for packet in packets:
        lib.nqe_pool_put(pool, packet)


class Model:
    """RFC 8289 section 5 in Python, from its pseudo-code."""

    def __init__(self) -> None:
        self.first_above = 0
        self.drop_next = 0.0
        self.count = self.last_count = 0
        self.dropping = False

    def drop(self, now: int, sojourn: int, *, short: bool) -> bool:
        ok = False
        if sojourn < TARGET or short:
            self.first_above = 0
        elif self.first_above == 0:
            self.first_above = now + INTERVAL
        else:
            ok = now >= self.first_above
        if self.dropping:
            if not ok:
                self.dropping = False
                return False
            if now < self.drop_next:
                return False
            self.count += 1
            self.drop_next += INTERVAL / math.sqrt(self.count)
            return True
        if not ok:
            return False
        self.dropping = True
        delta = self.count - self.last_count
        recent = now - self.drop_next < 16 * INTERVAL
        self.count = delta if delta > 1 and recent else 1
        self.last_count = self.count
        self.drop_next = now + INTERVAL / math.sqrt(self.count)
        return True


@pytest.mark.parametrize("seed", range(4))
def test_codel_is_the_rfcs(seed: int) -> None:
    rng = random.Random(seed)
    codel, model = ffi.new("struct nqe_codel *"), Model()
    now, sojourn, dropped = 10**9, 0, 0
    for step in range(20000):
        now += rng.randrange(10_000, 2 * MS)
        if step % 500 == 0:
            sojourn = rng.choice([0, TARGET - 1, TARGET, 20 * MS, 200 * MS])
        short = rng.random() < 0.0005
        drop = lib.nqe_codel_drop(codel, now, sojourn, 1000 if short else 100_000, 1500)
        # The engine's square root is an integer's: a drop may fall due a little off.
        if drop != model.drop(now, sojourn, short=short):
            assert abs(now - model.drop_next) < INTERVAL or codel.dropping
            model.dropping, model.count = codel.dropping, codel.count
            model.last_count, model.drop_next = codel.last_count, codel.drop_next
        dropped += drop
    assert dropped > 100


def test_codel_leaves_a_short_queue_alone() -> None:
    codel = ffi.new("struct nqe_codel *")
    for step in range(1000):
        assert not lib.nqe_codel_drop(codel, 10**9 + step * MS, TARGET - 1, 10**6, 1500)
        assert not lib.nqe_codel_drop(codel, 10**9 + step * MS, 10**9, 1500, 1500)


def test_codel_drops_faster_the_longer_the_delay_stays() -> None:
    codel = ffi.new("struct nqe_codel *")
    times = [
        step * MS
        for step in range(3000)
        if lib.nqe_codel_drop(codel, 10**9 + step * MS, 50 * MS, 10**6, 1500)
    ]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert times[0] == INTERVAL
    assert abs(gaps[0] - INTERVAL) <= MS
    for number, gap in enumerate(gaps, 1):
        assert abs(gap - INTERVAL / math.sqrt(number)) <= 2 * MS
