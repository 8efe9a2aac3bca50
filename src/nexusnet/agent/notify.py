# SPDX-License-Identifier: BSD-3-Clause
"""Tells systemd how the agent is (sd_notify(3)); does nothing where it was not started by it."""

import contextlib
import os
import socket


def notify(*lines: str) -> None:
    """Send state lines such as ``READY=1``; a service manager that is gone is no error."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A leading @ stands for Linux's abstract namespace.
    target = "\0" + address[1:] if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto("\n".join(lines).encode(), target)
