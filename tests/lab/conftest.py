# SPDX-License-Identifier: BSD-3-Clause
"""What the lab's tests share: the lab, and its two modules built for a kernel."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nexus_lab import Lab

LAB = Path(__file__).resolve().parents[2] / "lab"

Modules = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()


@pytest.fixture(scope="session")
def module(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Modules:
    """Give (kernel, folder below lab/) -> the .ko, built once a session."""
    built: dict[tuple[str, str], Path] = {}

    def build(kernel: str, name: str) -> Path:
        if (kernel, name) not in built:
            place = tmp_path_factory.mktemp(f"{name}-{kernel.replace('.', '-')}")
            done = lab.build(kernel, LAB / name, place)
            assert not done.warnings
            (built[kernel, name],) = done.modules
        return built[kernel, name]

    return build
