# SPDX-License-Identifier: BSD-3-Clause
"""`python -m nexus_lab` is the command `nexus-lab`."""

from nexus_lab.cli import main

main()
