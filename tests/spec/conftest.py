# SPDX-License-Identifier: BSD-3-Clause
"""Repeatable examples, and no limit of time for one: the machine may be busy."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "spec", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("spec")
