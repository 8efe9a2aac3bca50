# SPDX-License-Identifier: BSD-3-Clause
"""The command `nexus`."""

from nexusnet.cli.main import main

__all__ = ["main"]
