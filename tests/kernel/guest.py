# SPDX-License-Identifier: BSD-3-Clause
"""Runs inside a kernel of the lab: prints the outcome of its checks as JSON.

    python -m tests.kernel.guest MODULE.ko SELFTEST.ko [CHECK…]

One process for all of them, because starting Python takes long in an emulated kernel. Each check
starts with the module loaded and no device, and is to leave it so.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Final

from tests.kernel.client import Netlink
from tests.kernel.guest_base import (
    CHECKS,
    MODULE,
    delete,
    devices,
    run,
)
from tools.load_module import load_needed

# Each registers its checks when it is read.
CONCEPTS: Final = (
    "debug",
    "traffic",
    "faults",
    "abi",
    "device",
    "namespace",
    "rules",
    "session",
    "activate",
    "module",
)


def main() -> None:
    for concept in CONCEPTS:
        importlib.import_module(f"tests.kernel.guest_{concept}")
    path = sys.argv[1]
    for module in sys.argv[1:3]:
        load_needed(Path(module))
    run("ip", "link", "set", "lo", "up")
    run("insmod", path)
    outcome: dict[str, str | None] = {}
    for name in sys.argv[3:] or CHECKS:
        function, begun = CHECKS[name], time.monotonic()
        try:
            function()
            outcome[name] = None
        except Exception:  # noqa: BLE001  # a failure is the result of a check
            outcome[name] = traceback.format_exc()
        with Netlink() as netlink:
            left = devices(netlink)
            for device in left:
                delete(netlink, device.id)
        if left and outcome[name] is None:
            outcome[name] = f"left behind: {left}"
        # Where the time goes, and where a run that takes too long has got to.
        sys.stderr.write(f"{name}: {time.monotonic() - begun:.1f} s\n")
        sys.stderr.flush()
    run("rmmod", MODULE)
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()
