# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Iterator

import pytest

from tests.support.own_namespace import own_namespace
from tests.tunnel.rig import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    with own_namespace():
        made = Rig()
        try:
            yield made
        finally:
            made.close()
