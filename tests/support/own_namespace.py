# SPDX-License-Identifier: BSD-3-Clause
"""A network namespace for the calling thread."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def moved(handle: int | None) -> Iterator[None]:
    """Move this thread into a namespace, a new one where None is given, and back at the end."""
    former = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if handle is None:
            _checked(LIBC.unshare(CLONE_NEWNET))
        else:
            _checked(LIBC.setns(handle, CLONE_NEWNET))
        try:
            yield
        finally:
            _checked(LIBC.setns(former, CLONE_NEWNET))
    finally:
        os.close(former)


@contextmanager
def own_namespace() -> Iterator[None]:
    """Move this thread into a new namespace with a loopback interface, and back at the end."""
    with moved(None):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=30)
        yield
