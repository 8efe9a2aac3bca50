# SPDX-License-Identifier: BSD-3-Clause
"""The contract, kept by the kernel: for kernels of the lab (tests/kernel/test_inside.py)."""

import pytest

from nexusnet.dataplane.kernel import KernelDataPlane
from nexusnet.dataplane.protocol import DataPlane
from tests.dataplane import contract, contract_frames, contract_handover, contract_update

pytestmark = pytest.mark.module


class Kernel:
    """Makes the plane."""

    def make_plane(self) -> DataPlane:
        return KernelDataPlane()


class TestInstall(Kernel, contract.InstallContract):
    """HOLD, ACTIVATE, generations, refusals."""


class TestTraffic(Kernel, contract.TrafficContract):
    """Packets both ways, and what is dropped."""


class TestProtocol(Kernel, contract.ProtocolContract):
    """Frames, keys, life of a session."""


class TestFrames(Kernel, contract_frames.FramesContract):
    """FRAMES_LOST, the flag once, and the counters of frames."""


class TestHandover(Kernel, contract_handover.HandoverContract):
    """Keys of the generation before, and what was counted before."""


class TestUpdate(Kernel, contract_update.UpdateContract):
    """Sizes, timers, marks, DSCP, ECN, and when IP packets may leave."""
