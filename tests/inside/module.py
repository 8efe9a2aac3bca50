# SPDX-License-Identifier: BSD-3-Clause
"""Loading and unloading the module, for tests in a kernel of the lab."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from tools.load_module import load_needed

NAME: Final = "nexus_quic_dco"


def _run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def path() -> str:
    """The module that is under test."""
    return os.environ["NEXUS_MODULE"]


def load(module: str | None = None) -> None:
    """Load it, and first what it needs: without udev nobody else does."""
    module = module or path()
    load_needed(Path(module))
    _run("ip", "link", "set", "lo", "up")
    _run("insmod", module)


def loaded() -> bool:
    """Whether it is there."""
    return Path(f"/sys/module/{NAME}").exists()


def unload() -> None:
    """Unload it, whatever lives in it."""
    _run("rmmod", NAME)
