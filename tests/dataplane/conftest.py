# SPDX-License-Identifier: BSD-3-Clause
"""Lets a build with sanitizers take the place of the engine (tests/engine/test_sanitizers.py)."""

import importlib.util
import os
import sys


def _replace_engine(path: str) -> None:
    spec = importlib.util.spec_from_file_location("nexusnet._engine", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["nexusnet._engine"] = module


if path := os.environ.get("NEXUS_ENGINE_MODULE"):
    _replace_engine(path)
