# SPDX-License-Identifier: BSD-3-Clause
"""The kernel module on bad networks: what `weather` does, with the module on both ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.weather import KERNEL, QUICK, QUICK_SECONDS, ROOT, SECONDS, Result, measure, table
from nexus_lab import Lab

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Result", "build", "run", "table"]


def build(kernel: str = KERNEL) -> Path:
    """The module for a kernel of the lab."""
    built = Lab().build(kernel, ROOT / "kernel", ROOT / "build/lab" / kernel / "bench")
    return next(path for path in built.modules if path.stem == "nexus_quic_dco")


def run(*, quick: bool = False) -> list[Result]:
    """Measure; `quick` only shows that it works."""
    names, seconds = (QUICK, QUICK_SECONDS) if quick else ((), SECONDS)
    return measure(names, seconds, module=build())
