# SPDX-License-Identifier: BSD-3-Clause
"""The kernel module on this machine: what it can do, and why it is not there."""

import platform
from pathlib import Path
from typing import Final

from nexusnet.dataplane.loop_thread import LoopThread
from nexusnet.dco import Absence, Probe
from nexusnet.netlink.family import probe

NAME: Final = "nexus_quic_dco"
CAP_SYS_MODULE: Final = 16


def bounding_set(status: str) -> int:
    """Return the capabilities that a process may ever have, of a /proc/PID/status."""
    for line in status.splitlines():
        if line.startswith("CapBnd:"):
            return int(line.split()[1], 16)
    return 0


def may_load(proc: Path = Path("/proc")) -> bool:
    """Whether modules can be loaded here at all.

    Args:
        proc: where procfs is.
    """
    switch = proc / "sys/kernel/modules_disabled"
    if not (proc / "modules").exists() or not switch.exists():
        return False
    if switch.read_text(encoding="ascii").strip() != "0":
        return False
    status = (proc / "self/status").read_text(encoding="ascii", errors="replace")
    return bool(bounding_set(status) >> CAP_SYS_MODULE & 1)


def installed(folder: Path | None = None) -> bool:
    """Whether `modprobe` would find the module.

    Args:
        folder: modules of the running kernel.
    """
    folder = folder or Path("/lib/modules") / platform.release()
    return any(folder.rglob(f"{NAME}.ko*"))


def why_absent() -> Absence:
    """Return what keeps the module from being loaded."""
    if not may_load():
        return Absence.CANNOT_LOAD
    return Absence.NOT_LOADED if installed() else Absence.NOT_INSTALLED


def probe_kernel() -> Probe:
    """Ask the kernel what it can do; may be called while an event loop runs."""
    thread = LoopThread("nexus-probe")
    try:
        found = thread.call(probe())
    finally:
        thread.close()
    return why_absent() if found is Absence.NOT_LOADED else found
