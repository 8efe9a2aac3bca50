# SPDX-License-Identifier: BSD-3-Clause
"""Two namespaces with a cable between them, and agents in them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexusnet.demo.namespaces import End, two_ends
from tests.agent.agents import Pair


@pytest.fixture
def ends() -> Iterator[tuple[End, End]]:
    if os.geteuid():
        pytest.skip("network namespaces need root")
    with two_ends() as both:
        yield both


@pytest.fixture
def pair(ends: tuple[End, End], tmp_path: Path) -> Iterator[Pair]:
    """A server in the first namespace, a client in the second; not started."""
    both = Pair(*ends, tmp_path)
    yield both
    both.stop()
