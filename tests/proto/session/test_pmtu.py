# SPDX-License-Identifier: BSD-3-Clause
"""Path MTU search: RFC 8899."""

import errno
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_sim.core import Core

S = 10**9
NEVER = (1 << 64) - 1


def start(core: Core, validated: int = 1200, ceiling: int = 1452) -> Any:
    m = core.ffi.new("struct nqd_pmtu *")
    assert core.lib.nqd_pmtu_init(m, validated, ceiling) == 0
    return m


def search(core: Core, m: Any, path_mtu: int, now: int = S) -> int:
    """Probe until the search ends; return the number of probes."""
    probes = 0
    while size := core.lib.nqd_pmtu_probe_wanted(m):
        assert m.current_size < size <= m.ceiling
        probes += 1
        core.lib.nqd_pmtu_probe_sent(m, probes)
        assert core.lib.nqd_pmtu_probe_wanted(m) == 0
        outcome = core.lib.nqd_pmtu_acked if size <= path_mtu else core.lib.nqd_pmtu_lost
        outcome(m, probes, size, now)
        assert probes < 100
    return probes


@given(ceiling=st.integers(1200, 9000), path_mtu=st.integers(1200, 9000))
def test_search_ends_close_below_the_path(core: Core, ceiling: int, path_mtu: int) -> None:
    m = start(core, 1200, ceiling)
    probes = search(core, m, path_mtu)
    best = min(ceiling, path_mtu)
    assert best - 16 < m.current_size <= best
    assert probes <= 3 * 11
    assert core.lib.nqd_pmtu_deadline(m) == (NEVER if m.current_size == ceiling else S + 600 * S)


def test_ceiling_is_tried_first(core: Core) -> None:
    m = start(core)
    assert core.lib.nqd_pmtu_probe_wanted(m) == 1452
    assert search(core, m, 1500) == 1


def test_nothing_to_search_without_room(core: Core) -> None:
    m = start(core, 1311, 1311)
    assert core.lib.nqd_pmtu_probe_wanted(m) == 0
    assert core.lib.nqd_pmtu_deadline(m) == NEVER


@pytest.mark.parametrize(("validated", "ceiling"), [(1199, 1452), (1300, 1299)])
def test_sizes_out_of_range_are_refused(core: Core, validated: int, ceiling: int) -> None:
    m = core.ffi.new("struct nqd_pmtu *")
    assert core.lib.nqd_pmtu_init(m, validated, ceiling) == -errno.EINVAL


def test_one_lost_probe_decides_nothing(core: Core) -> None:
    m = start(core)
    for pn in (1, 2):
        core.lib.nqd_pmtu_probe_sent(m, pn)
        core.lib.nqd_pmtu_lost(m, pn, 1452, S)
        assert core.lib.nqd_pmtu_probe_wanted(m) == 1452
    core.lib.nqd_pmtu_probe_sent(m, 3)
    assert core.lib.nqd_pmtu_acked(m, 3, 1452, S)
    assert m.current_size == 1452


def test_raise_timer_searches_again(core: Core) -> None:
    m = start(core)
    search(core, m, 1400)
    core.lib.nqd_pmtu_on_timer(m, core.lib.nqd_pmtu_deadline(m) - 1)
    assert core.lib.nqd_pmtu_probe_wanted(m) == 0
    core.lib.nqd_pmtu_on_timer(m, core.lib.nqd_pmtu_deadline(m))
    assert core.lib.nqd_pmtu_probe_wanted(m) == 1452


def test_black_hole_falls_back_to_the_base(core: Core) -> None:
    lib = core.lib
    m = start(core)
    search(core, m, 1500)
    assert not lib.nqd_pmtu_take_watch(m, 1452)
    lib.nqd_pmtu_suspect(m)
    watched = [pn for pn in range(10, 30) if lib.nqd_pmtu_take_watch(m, 1452)]
    assert watched == list(range(10, 16))
    assert not lib.nqd_pmtu_take_watch(m, 1452)
    fell = [lib.nqd_pmtu_lost(m, pn, 1452, S) for pn in watched]
    assert fell == [False] * 5 + [True]
    assert (m.current_size, m.black_holes) == (1200, 1)
    assert 1200 < lib.nqd_pmtu_probe_wanted(m) < 1452


def test_small_packets_are_not_watched_and_one_large_ack_clears(core: Core) -> None:
    lib = core.lib
    m = start(core)
    search(core, m, 1500)
    lib.nqd_pmtu_suspect(m)
    assert not lib.nqd_pmtu_take_watch(m, 1200)
    for pn in range(5):
        lib.nqd_pmtu_lost(m, pn + 100, 1452, S)
    lib.nqd_pmtu_acked(m, 200, 1452, S)
    for pn in range(5):
        assert not lib.nqd_pmtu_lost(m, pn + 300, 1452, S)
    assert m.current_size == 1452


def test_icmp_lowers_but_never_below_the_base(core: Core) -> None:
    lib = core.lib
    m = start(core)
    search(core, m, 1500)
    assert not lib.nqd_pmtu_too_big(m, 1199, S)
    assert not lib.nqd_pmtu_too_big(m, 1452, S)
    assert m.current_size == 1452
    assert lib.nqd_pmtu_too_big(m, 1300, S)
    assert m.current_size == 1300
    assert lib.nqd_pmtu_probe_wanted(m) == 0


def test_icmp_bounds_a_running_search(core: Core) -> None:
    m = start(core)
    core.lib.nqd_pmtu_probe_sent(m, 1)
    assert not core.lib.nqd_pmtu_too_big(m, 1400, S)
    assert 1200 < core.lib.nqd_pmtu_probe_wanted(m) <= 1400
