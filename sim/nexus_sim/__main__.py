# SPDX-License-Identifier: BSD-3-Clause
"""`python -m nexus_sim`."""

import sys

from nexus_sim.cli import main

sys.exit(main())
