# SPDX-License-Identifier: BSD-3-Clause
"""Life of a session: RFC 9000 section 10."""

import errno
from typing import Any

import pytest

from nexus_sim.core import Core

S = 10**9
PTO = S // 10
NEVER = (1 << 64) - 1


@pytest.fixture
def state(core: Core) -> Any:
    s = core.ffi.new("struct nqd_state *")
    core.lib.nqd_state_init(s, 30 * S, 15 * S, S)
    return s


def test_hold_has_no_timer_and_ends_at_once(core: Core, state: Any) -> None:
    lib = core.lib
    assert state.state == lib.NQD_SESSION_STATE_HOLD
    assert lib.nqd_state_deadline(state, PTO) == NEVER
    assert not lib.nqd_state_close(state, 0, 0, False, 2 * S, PTO)
    assert state.state == lib.NQD_SESSION_STATE_DRAINING
    assert lib.nqd_state_on_timer(state, 2 * S, PTO) == lib.NQD_STATE_EXPIRED_DRAINED


def test_activation_happens_once(core: Core, state: Any) -> None:
    assert core.lib.nqd_state_activate(state, S) == 0
    assert core.lib.nqd_state_activate(state, S) == -errno.EALREADY


def test_keepalive_then_idle(core: Core, state: Any) -> None:
    lib = core.lib
    lib.nqd_state_activate(state, S)
    assert lib.nqd_state_deadline(state, PTO) == 16 * S
    assert lib.nqd_state_on_timer(state, 16 * S, PTO) == lib.NQD_STATE_EXPIRED_KEEPALIVE
    # The PING is the first ack-eliciting packet since the last received one: it restarts the timer.
    lib.nqd_state_sent(state, 16 * S)
    assert lib.nqd_state_deadline(state, PTO) == 31 * S
    assert lib.nqd_state_on_timer(state, 31 * S, PTO) == lib.NQD_STATE_EXPIRED_KEEPALIVE
    # The second does not.
    lib.nqd_state_sent(state, 31 * S)
    assert lib.nqd_state_deadline(state, PTO) == 46 * S
    assert lib.nqd_state_on_timer(state, 46 * S, PTO) == lib.NQD_STATE_EXPIRED_IDLE
    assert state.state == lib.NQD_SESSION_STATE_DRAINING
    assert not state.close_pending
    assert lib.nqd_state_on_timer(state, 46 * S + 3 * PTO, PTO) == lib.NQD_STATE_EXPIRED_DRAINED
    assert lib.nqd_state_deadline(state, PTO) == NEVER


def test_received_packets_postpone_idleness(core: Core, state: Any) -> None:
    lib = core.lib
    lib.nqd_state_activate(state, S)
    for second in range(2, 100):
        lib.nqd_state_received(state, second * S)
        assert lib.nqd_state_on_timer(state, second * S, PTO) == lib.NQD_STATE_EXPIRED_NONE
    assert lib.nqd_state_deadline(state, PTO) == 114 * S


def test_idle_timeout_is_three_pto_at_least(core: Core) -> None:
    lib = core.lib
    state = core.ffi.new("struct nqd_state *")
    lib.nqd_state_init(state, S, 0, S)
    lib.nqd_state_activate(state, S)
    assert lib.nqd_state_deadline(state, PTO) == 2 * S
    assert lib.nqd_state_deadline(state, 5 * S) == 16 * S


def test_no_timeouts_no_deadline(core: Core) -> None:
    state = core.ffi.new("struct nqd_state *")
    core.lib.nqd_state_init(state, 0, 0, S)
    core.lib.nqd_state_activate(state, S)
    assert core.lib.nqd_state_deadline(state, PTO) == NEVER


def test_closing_answers_ever_fewer_packets(core: Core, state: Any) -> None:
    lib = core.lib
    lib.nqd_state_activate(state, S)
    assert lib.nqd_state_close(state, 10, 6, False, 2 * S, PTO)
    assert not lib.nqd_state_close(state, 11, 0, False, 2 * S, PTO)
    assert (state.error_code, state.error_frame_type) == (10, 6)
    assert state.close_pending
    answered = []
    for packet in range(1, 100):
        state.close_pending = False
        lib.nqd_state_closing_received(state)
        if state.close_pending:
            answered.append(packet)
    assert answered == [1, 2, 4, 8, 16, 32, 64]
    assert lib.nqd_state_deadline(state, PTO) == 2 * S + 3 * PTO


def test_draining_after_closing_keeps_the_end(core: Core, state: Any) -> None:
    lib = core.lib
    lib.nqd_state_activate(state, S)
    lib.nqd_state_close(state, 0, 0, True, 2 * S, PTO)
    lib.nqd_state_drain(state, 2 * S + PTO, PTO)
    assert state.state == lib.NQD_SESSION_STATE_DRAINING
    assert not state.close_pending
    assert lib.nqd_state_deadline(state, PTO) == 2 * S + 3 * PTO
