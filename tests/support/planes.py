# SPDX-License-Identifier: BSD-3-Clause
"""Which data plane a test drives: NEXUS_TEST_PLANE, in user space unless it says `kernel`."""

import os
from typing import Final

from nexusnet.dataplane.kernel import KernelDataPlane
from nexusnet.dataplane.protocol import DataPlane
from nexusnet.dataplane.userspace import UserspaceDataPlane
from nexusnet.dco import Plane

TESTED: Final = Plane(os.environ.get("NEXUS_TEST_PLANE", Plane.USERSPACE.value))
VOLUME: Final = float(os.environ.get("NEXUS_TEST_VOLUME", "1"))
"""How much of what they do in a quick run tests are to do."""


def make_plane(plane: Plane = TESTED) -> DataPlane:
    """A fresh one, in the calling thread's network namespace."""
    return KernelDataPlane() if plane is Plane.KERNEL else UserspaceDataPlane()
