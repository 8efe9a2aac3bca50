# SPDX-License-Identifier: BSD-3-Clause
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.handshake.path_mtu import MAX_PROBES, PathMtuSearch
from nexusnet.handshake.profile import BASE_DATAGRAM_SIZE, PROBE_SIZES


def search(
    path: int, *, limit: int = 65527, lost: frozenset[int] = frozenset()
) -> tuple[int, int, float]:
    """Search on a path that carries `path` bytes and loses the probes numbered in `lost`."""
    finder = PathMtuSearch(PROBE_SIZES, base=BASE_DATAGRAM_SIZE, limit=limit)
    now, sent = 0.0, 0
    while not finder.done:
        for size in finder.probes_due(now, 0.1):
            assert size > finder.validated
            assert size <= limit
            if size <= path and sent not in lost:
                finder.acknowledged(size)
            sent += 1
        due = finder.deadline
        now = now if due is None else due
    assert finder.deadline is None
    assert finder.probes_due(now, 0.1) == []
    return finder.validated, sent, now


@pytest.mark.parametrize(
    ("path", "found"), [(1500, 1452), (1452, 1452), (1451, 1352), (1351, 1311), (1310, 1200)]
)
def test_the_largest_that_fits_is_found(path: int, found: int) -> None:
    assert search(path)[0] == found


def test_a_clean_path_takes_one_round() -> None:
    assert search(1500) == (1452, 3, 0.0)


def test_too_big_sizes_cost_a_few_rounds_only() -> None:
    validated, sent, took = search(1311)
    assert (validated, sent) == (1311, 1 + 2 * MAX_PROBES)
    assert took == pytest.approx(MAX_PROBES * 0.1)


def test_the_peers_limit_is_kept() -> None:
    assert search(1500, limit=1400)[0] == 1352
    assert search(1500, limit=1200) == (1200, 0, 0.0)


@given(st.integers(1200, 1600), st.frozensets(st.integers(0, 8)))
def test_loss_never_makes_the_result_too_big(path: int, lost: frozenset[int]) -> None:
    validated, sent, _ = search(path, lost=lost)
    assert validated <= max(path, BASE_DATAGRAM_SIZE)
    assert sent <= len(PROBE_SIZES) * MAX_PROBES
    if not lost:
        assert validated == max((s for s in PROBE_SIZES if s <= path), default=1200)


def test_what_the_interface_refuses_is_not_tried_again() -> None:
    finder = PathMtuSearch(PROBE_SIZES, base=1200, limit=65527)
    finder.probes_due(0.0, 0.1)
    finder.refused(1352)
    done_after_refusal = finder.done
    finder.acknowledged(1311)
    assert (done_after_refusal, finder.done) == (False, True)
    assert finder.validated == 1311


def test_nothing_to_search() -> None:
    finder = PathMtuSearch((), base=1200, limit=65527)
    assert finder.done
    assert finder.validated == 1200
