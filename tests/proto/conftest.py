# SPDX-License-Identifier: BSD-3-Clause
"""What all tests of the protocol core share: the core itself, and repeatable examples."""

import pytest
from hypothesis import HealthCheck, settings

from nexus_sim.core import Core, load

# The core is shared between examples on purpose: it has no state of its own.
settings.register_profile(
    "proto",
    deadline=None,
    max_examples=300,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("proto")


@pytest.fixture(scope="session")
def core() -> Core:
    return load()
