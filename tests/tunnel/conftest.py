# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator

import pytest

from tests.support.own_namespace import own_namespace
from tests.tunnel.rig import Rig, Underlay


@pytest.fixture
def underlay() -> Underlay:
    """Overridden by the parameter of a test that has one."""
    return Underlay.IPV4


@pytest.fixture
def rig(underlay: Underlay) -> Iterator[Rig]:
    with own_namespace():
        made = Rig(underlay)
        try:
            yield made
        finally:
            made.close()
