# SPDX-License-Identifier: BSD-3-Clause
"""What must hold on any network; `make sim` runs many more of them."""

import pytest

from nexus_sim.core import Core
from nexus_sim.random_networks import check

CHUNK = 10


@pytest.mark.parametrize("first", range(0, 80, CHUNK))
def test_random_networks(core: Core, first: int) -> None:
    outcomes = [check(core, seed) for seed in range(first, first + CHUNK)]
    # The networks are no sunshine: else nothing would be shown.
    assert sum(outcome.lost for outcome in outcomes) > 50
    assert sum(outcome.key_updates for outcome in outcomes) > 5
    assert sum(outcome.datagrams for outcome in outcomes) > 5_000
