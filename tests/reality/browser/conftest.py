# SPDX-License-Identifier: BSD-3-Clause
from tests.tunnel.conftest import rig, underlay

__all__ = ["rig", "underlay"]
