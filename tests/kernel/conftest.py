# SPDX-License-Identifier: BSD-3-Clause
"""The module and its self-test, built once for each kernel."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nexus_lab import KERNELS, Lab

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
DAILY = ("uml-debug", "6.1")
EVERY_KERNEL = [
    pytest.param(name, marks=pytest.mark.lab if name in DAILY else pytest.mark.lab_matrix)
    for name in KERNELS
]

Modules = tuple[Path, Path]


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Modules]:
    """Give kernel -> nexus_quic_dco.ko and nexus_quic_dco_selftest.ko, built without a warning."""
    place = tmp_path_factory.mktemp("kernel")
    source = place / "nexus_quic_dco"

    @cache
    def build(kernel: str) -> Modules:
        if not source.exists():
            shutil.copytree(ROOT / "kernel", source)
            kbuild = source / "Kbuild"
            kbuild.write_text("NQD_SELFTEST := m\n" + kbuild.read_text())
        built = Lab().build(kernel, source, place / kernel)
        assert built.warnings == ()
        module, selftest = built.modules
        assert selftest.stem == "nexus_quic_dco_selftest"
        return module, selftest

    return build
