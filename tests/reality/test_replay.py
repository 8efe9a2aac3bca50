# SPDX-License-Identifier: BSD-3-Clause
"""No accepted authenticator is accepted twice, whatever clocks and restarts do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from nexusnet.reality.replay import Replay, ReplayCache, ReplayStateError

WINDOW = 120.0


def random_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_seen_once_is_seen_for_two_windows() -> None:
    cache = ReplayCache(WINDOW)
    assert cache.refusal(random_of(1), 1000, 0.0) is None
    cache.insert(random_of(1), 1000, 0.0, 1000.0)
    assert cache.refusal(random_of(1), 1000, 0.1) is Replay.SEEN
    assert cache.refusal(random_of(1), 1000, 239.0) is Replay.SEEN
    # Gone from the cache, but the clock may have been set back.
    assert cache.refusal(random_of(1), 1000, 1000.0) is Replay.STALE
    assert len(cache) == 0


def test_a_full_cache_accepts_nobody() -> None:
    cache = ReplayCache(WINDOW, capacity=2)
    for number in range(2):
        cache.insert(random_of(number), 1000, 0.0, 1000.0)
    assert cache.refusal(random_of(2), 1000, 0.0) is Replay.FULL
    assert cache.refusal(random_of(0), 1000, 0.0) is Replay.SEEN
    assert cache.refusal(random_of(2), 1300, 300.0) is None


def test_a_fast_client_does_not_lock_out_a_slow_one() -> None:
    cache = ReplayCache(WINDOW)
    cache.insert(random_of(1), 1120, 0.0, 1000.0)
    assert cache.refusal(random_of(2), 880, 0.0) is None


def test_a_clock_set_back_opens_nothing() -> None:
    cache = ReplayCache(WINDOW)
    cache.insert(random_of(1), 10_000, 0.0, 10_000.0)
    # An old hello that was never delivered, and a clock that stands at its time now.
    assert cache.refusal(random_of(2), 5000, 1.0) is Replay.STALE
    assert cache.floor == 9880


def test_the_state_survives_a_restart() -> None:
    cache = ReplayCache(WINDOW)
    state = cache.snapshot(0.0)
    for number in range(3):
        cache.insert(random_of(number), 1000 + number, float(number), 1000.0 + number)
        state += cache.take_journal()
    assert cache.take_journal() == b""
    again = ReplayCache.restore(state, WINDOW, 77.0)
    assert len(again) == 3
    assert again.refusal(random_of(1), 1001, 78.0) is Replay.SEEN
    assert again.refusal(random_of(9), 1001, 78.0) is None
    # A crash while a record was being written: those before it count.
    torn = ReplayCache.restore(state[:-1], WINDOW, 77.0)
    assert len(torn) == 2
    for broken in (b"", state[:5], b"x" + state[1:]):
        with pytest.raises(ReplayStateError):
            ReplayCache.restore(broken, WINDOW, 0.0)


def test_a_snapshot_forgets_what_the_floor_refuses() -> None:
    cache = ReplayCache(WINDOW)
    cache.insert(random_of(1), 1000, 0.0, 1000.0)
    grown = len(cache.snapshot(1.0))
    small = cache.snapshot(500.0)
    assert len(small) < grown
    assert ReplayCache.restore(small, WINDOW, 0.0).refusal(random_of(1), 1000, 0.0) is Replay.STALE


@given(st.binary(max_size=300))
def test_any_state_file_is_read_or_refused(state: bytes) -> None:
    header = ReplayCache(WINDOW).snapshot(0.0)
    try:
        ReplayCache.restore(state, WINDOW, 0.0)
    except ReplayStateError:
        assert not state.startswith(header[:-4]) or len(state) < len(header)
    cache = ReplayCache.restore(header + state, WINDOW, 0.0)
    assert len(cache) <= len(state) // 36


class Server(RuleBasedStateMachine):
    """A server whose clock is set at will and which restarts or crashes at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.wall = 1000.0, 50_000.0
        self.cache = ReplayCache(WINDOW, capacity=50)
        self.file = self.cache.snapshot(self.now)
        self.accepted: dict[bytes, int] = {}
        self.highest_wall = self.wall
        self.stepped = False

    def attempt(self, random: bytes, unix_time: int) -> bool:
        in_window = abs(unix_time - int(self.wall)) <= WINDOW
        if self.cache.refusal(random, unix_time, self.now) is not None or not in_window:
            return False
        self.cache.insert(random, unix_time, self.now, self.wall)
        self.file += self.cache.take_journal()
        return True

    @rule(skew=st.integers(-120, 120))
    def a_genuine_client_comes(self, skew: int) -> None:
        random = random_of(len(self.accepted) + 1)
        unix_time = int(self.wall) + skew
        let_in = self.attempt(random, unix_time)
        if let_in:
            self.accepted[random] = unix_time
        if not self.stepped and len(self.cache) < 50:
            assert let_in

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def a_recorded_hello_comes_again(self, data: st.DataObject) -> None:
        random = data.draw(st.sampled_from(sorted(self.accepted)))
        assert not self.attempt(random, self.accepted[random])

    @rule(seconds=st.floats(0, 500))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    @rule(seconds=st.integers(-2000, 2000))
    def the_clock_is_set(self, seconds: int) -> None:
        self.wall += seconds
        self.stepped = True

    @rule(clean=st.booleans(), now=st.floats(0, 10_000))
    def it_restarts(self, *, clean: bool, now: float) -> None:
        if clean:
            self.file = self.cache.snapshot(self.now)
        self.now = now
        self.cache = ReplayCache.restore(self.file, WINDOW, now, capacity=50)


TestServer = Server.TestCase
