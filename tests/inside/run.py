# SPDX-License-Identifier: BSD-3-Clause
"""Runs inside a kernel of the lab: loads the module, runs pytest, prints each test's outcome.

    python -m tests.inside.run MODULE.ko TEST…

One process for all of them, because starting Python takes long in an emulated kernel. JSON on
standard output: {TEST: null, or what went wrong}. NEXUS_TEST_PLANE is set to `kernel`.
"""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.inside.module import NAME, load, unload
from tests.support.planes import VOLUME

# What a test does grows with the volume.
TIMEOUT = round(300 + 15 * VOLUME)
OPTIONS = ("-q", "-p", "no:cacheprovider", "-m", "", "--timeout", str(TIMEOUT))


class Outcomes:
    """Collects what became of each test."""

    def __init__(self) -> None:
        self.failures: dict[str, str | None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first failure of a test's phases; a skipped test is one that was not made."""
        name = report.nodeid
        if report.when == "call":
            self.failures.setdefault(name, None)
        if not report.passed:
            what = f"{report.when}: {report.longreprtext}"
            self.failures[name] = self.failures.get(name) or what

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be read fails, too."""
        if not report.passed:
            self.failures[report.nodeid] = report.longreprtext


def main() -> None:
    """Do it; the exit status says only whether the tests were run."""
    module, *tests = sys.argv[1:]
    os.environ.setdefault("NEXUS_TEST_PLANE", "kernel")
    os.environ["NEXUS_MODULE"] = module
    load(module)
    outcomes = Outcomes()
    report, sys.stdout = sys.stdout, sys.stderr
    pytest.main([*OPTIONS, *tests], plugins=[outcomes])
    sys.stdout = report
    unload()
    json.dump({"module": NAME, "failures": outcomes.failures}, sys.stdout)


if __name__ == "__main__":
    main()
