# SPDX-License-Identifier: BSD-3-Clause
"""Module and namespaces go while sessions live and traffic flows, again and again."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from tests.inside import module
from tests.inside.hosts import answered, flood, hosts
from tests.support.planes import VOLUME

if TYPE_CHECKING:
    from collections.abc import Callable

# 200 where it is fast; two on a kernel that is emulated.
CYCLES = max(2, min(200, round(2 * VOLUME)))


def in_flight(end: Callable[[str], None]) -> None:
    """A tunnel, traffic through it, and then `end`, told of a namespace."""
    with hosts() as (first, second):
        answered(first, second)
        with flood(first, second), flood(second, first):
            time.sleep(0.05)
            end(first.namespace.name)


def test_the_module_is_unloaded_with_all_that_lives() -> None:
    def reload(_: str) -> None:
        module.unload()
        assert not module.loaded()

    for _ in range(CYCLES):
        try:
            in_flight(reload)
        finally:
            if not module.loaded():
                module.load()
    assert (
        subprocess.run(
            ["ip", "link", "show", "type", "nexusq"], capture_output=True, text=True, check=True
        ).stdout
        == ""
    )


def test_a_namespace_goes_with_all_that_lives() -> None:
    def delete(name: str) -> None:
        subprocess.run(["ip", "netns", "del", name], check=True, timeout=60)

    for _ in range(CYCLES):
        in_flight(delete)
