# SPDX-License-Identifier: BSD-3-Clause
"""`python -m nexusnet` is the command `nexus`."""

from nexusnet.cli import main

main()
