# SPDX-License-Identifier: BSD-3-Clause
"""Path validation and anti-amplification: RFC 9000 section 8."""

import errno
from typing import Any

import pytest

from nexus_sim.core import Core

S = 10**9
MS = 10**6
PTO = 100 * MS
NEVER = (1 << 64) - 1
NO_LIMIT = (1 << 64) - 1
DATA = [bytes([n] * 8) for n in (1, 2, 3)]


@pytest.fixture
def path(core: Core) -> Any:
    p = core.ffi.new("struct nqd_path *")
    core.lib.nqd_path_init(p)
    return p


def validate(core: Core, path: Any, target: int = 1, now: int = S) -> int:
    data = core.ffi.new("u8[3][8]", [list(d) for d in DATA])
    return int(core.lib.nqd_path_validate(path, target, data, now, PTO))


def challenge(core: Core, path: Any, now: int) -> bytes | None:
    data = core.lib.nqd_path_challenge_sent(path, now)
    return bytes(core.ffi.buffer(data, 8)) if data else None


def test_three_challenges_with_other_data_then_failure(core: Core, path: Any) -> None:
    lib = core.lib
    assert lib.nqd_path_deadline(path) == NEVER
    assert validate(core, path) == 0
    assert validate(core, path) == -errno.EBUSY
    sent, now = [], S
    while (now := lib.nqd_path_deadline(path)) < S + 2_997 * MS:
        assert not lib.nqd_path_on_timer(path, now)
        sent.append((now - S, challenge(core, path, now)))
        assert challenge(core, path, now) is None
    assert sent == [(0, DATA[0]), (333 * MS, DATA[1]), (666 * MS, DATA[2])]
    assert lib.nqd_path_on_timer(path, now)
    assert path.validation == lib.NQD_PATH_FAILED
    assert lib.nqd_path_deadline(path) == NEVER
    assert validate(core, path) == 0


def test_only_an_answer_to_a_sent_challenge_validates(core: Core, path: Any) -> None:
    lib = core.lib
    assert not lib.nqd_path_on_response(path, DATA[0])
    validate(core, path)
    assert not lib.nqd_path_on_response(path, DATA[0])
    challenge(core, path, S)
    assert not lib.nqd_path_on_response(path, DATA[1])
    assert not lib.nqd_path_on_response(path, bytes(8))
    assert lib.nqd_path_on_response(path, DATA[0])
    assert path.validation == lib.NQD_PATH_VALIDATED
    assert not lib.nqd_path_on_response(path, DATA[0])


def test_unvalidated_candidate_gets_three_times_what_it_sent(core: Core, path: Any) -> None:
    lib = core.lib
    assert lib.nqd_path_allowance(path, lib.NQD_PATH_ACTIVE) == NO_LIMIT
    assert lib.nqd_path_allowance(path, lib.NQD_PATH_CANDIDATE) == 0
    lib.nqd_path_candidate_received(path, 100)
    assert lib.nqd_path_allowance(path, lib.NQD_PATH_CANDIDATE) == 300
    lib.nqd_path_candidate_sent(path, 250)
    assert lib.nqd_path_allowance(path, lib.NQD_PATH_CANDIDATE) == 50
    lib.nqd_path_candidate_sent(path, 100)
    assert lib.nqd_path_allowance(path, lib.NQD_PATH_CANDIDATE) == 0
    validate(core, path)
    challenge(core, path, S)
    lib.nqd_path_on_response(path, DATA[0])
    assert lib.nqd_path_allowance(path, lib.NQD_PATH_CANDIDATE) == NO_LIMIT


def test_validating_the_active_path_lifts_no_limit_of_the_candidate(core: Core, path: Any) -> None:
    lib = core.lib
    validate(core, path, lib.NQD_PATH_ACTIVE)
    challenge(core, path, S)
    assert lib.nqd_path_on_response(path, DATA[0])
    assert lib.nqd_path_allowance(path, lib.NQD_PATH_CANDIDATE) == 0


def test_answers_are_bounded_and_the_oldest_goes(core: Core, path: Any) -> None:
    lib, ffi = core.lib, core.ffi
    for number in range(6):
        lib.nqd_path_on_challenge(path, lib.NQD_PATH_ACTIVE, bytes([number] * 8))
    response = ffi.new("struct nqd_path_response *")
    got = []
    while lib.nqd_path_response_next(path, 50, response):
        got.append(response.data[0])
    assert got == [2, 3, 4, 5]
    assert path.responses_dropped == 2


def test_answers_beyond_the_limit_are_dropped(core: Core, path: Any) -> None:
    lib = core.lib
    lib.nqd_path_candidate_received(path, 40)
    lib.nqd_path_on_challenge(path, lib.NQD_PATH_CANDIDATE, bytes(8))
    response = core.ffi.new("struct nqd_path_response *")
    assert lib.nqd_path_response_next(path, 121, response) == 0
    assert path.responses_dropped == 1
    lib.nqd_path_on_challenge(path, lib.NQD_PATH_CANDIDATE, bytes(8))
    assert lib.nqd_path_response_next(path, 120, response) == 1
