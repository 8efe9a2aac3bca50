# SPDX-License-Identifier: BSD-3-Clause
"""The core as simulations use it."""

import pytest

from nexus_sim.core import Core, Flavour, load


@pytest.fixture(scope="session")
def core() -> Core:
    """Return the core that aborts on undefined behaviour and broken invariants."""
    return load()


@pytest.fixture(scope="session")
def fast() -> Core:
    """Return the core as the data plane is compiled."""
    return load(Flavour.FAST)
