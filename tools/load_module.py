# SPDX-License-Identifier: BSD-3-Clause
"""Loads a freshly built nexus_quic_dco.ko into the running kernel.

python -m tools.load_module --check      whether that can be done here at all
python -m tools.load_module MODULE.ko
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

from nexusnet.agent.module import NAME, may_load
from nexusnet.dataplane.kernel import KernelDataPlane
from nexusnet.dataplane.protocol import DataPlaneError

ALSO: Final = ("aesni_intel", "ghash_clmulni_intel")
"""Without them a stock kernel's AES-GCM is generic C; elsewhere they do not exist."""


def obstacle() -> str | None:
    """Return why no module can be loaded here; None where one can."""
    if os.geteuid():
        return "loading a module needs root"
    if not may_load():
        return (
            f"this system may not load kernel modules (kernel {platform.release()}): "
            "run `make load` on its host, or try the module in the lab (docs/lab.md)"
        )
    return None


def load_needed(path: Path) -> None:
    """Load what a module needs, as far as this kernel has it as modules: insmod does not."""
    listed = subprocess.run(
        ["modinfo", "-F", "depends", str(path)], capture_output=True, text=True, check=False
    )
    for name in (*listed.stdout.strip().split(","), *ALSO):
        if name:
            subprocess.run(["modprobe", "-q", name], capture_output=True, check=False)


def load(path: Path) -> str | None:
    """Load the module, in the place of one that is loaded; return what went wrong."""
    if Path(f"/sys/module/{NAME}").exists():
        subprocess.run(["rmmod", NAME], check=False)
    load_needed(path)
    done = subprocess.run(["insmod", str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"{done.stderr.strip()}: the kernel's log (`dmesg`) says why"
    try:
        KernelDataPlane().close()
    except DataPlaneError as error:
        return f"it is loaded, but does not answer: {error.strerror}"
    return None


def main() -> None:
    """Do it."""
    wrong = obstacle()
    if wrong is None and sys.argv[1] != "--check":
        wrong = load(Path(sys.argv[1]))
        if wrong is None:
            sys.stdout.write(f"{NAME} is loaded: agents with dco_mode = preferred use it\n")
    if wrong is not None:
        sys.exit(f"make load: {wrong}")


if __name__ == "__main__":
    main()
