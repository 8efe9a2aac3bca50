# SPDX-License-Identifier: BSD-3-Clause
from tests.tunnel.conftest import rig

__all__ = ["rig"]
