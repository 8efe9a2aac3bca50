# SPDX-License-Identifier: BSD-3-Clause
"""All of these need the module."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave them to kernels of the lab."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.module)
