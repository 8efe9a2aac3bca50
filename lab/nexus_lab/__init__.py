# SPDX-License-Identifier: BSD-3-Clause
"""The kernel lab: runs a command as root inside a Linux kernel of one's choice."""

from nexus_lab.errors import LabError
from nexus_lab.kernels import KERNELS, Home, Kernel
from nexus_lab.lab import Lab
from nexus_lab.module import Built
from nexus_lab.run import Result
from nexus_lab.verdict import Fault, KunitTotals, Problem

__all__ = [
    "KERNELS",
    "Built",
    "Fault",
    "Home",
    "Kernel",
    "KunitTotals",
    "Lab",
    "LabError",
    "Problem",
    "Result",
]
