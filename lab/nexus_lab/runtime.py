# SPDX-License-Identifier: BSD-3-Clause
"""The folder of one run on the host, shared with the guest; it goes with the run.

A run that was killed outright leaves its folder, nothing else; the next run sweeps it: each folder
is locked for as long as its run lives.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "nexus-lab-"
_LOCK = "alive"


def _base() -> Path:
    """Return where runs' folders go. Their paths stand on a kernel command line: no white space."""
    for text in (os.environ.get("TMPDIR", ""), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp follows
        path = Path(text)
        if text and not any(c.isspace() or c in ',"' for c in text) and os.access(path, os.W_OK):
            return path.resolve()
    return Path("/run")


def sweep() -> None:
    """Remove the folders of runs that are over."""
    for folder in _base().glob(f"{_PREFIX}*"):
        try:
            # Without a lock file the folder is just being made.
            with (folder / _LOCK).open() as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


@contextmanager
def run_folder() -> Iterator[Path]:
    """Give a fresh folder, removed at the end of the `with`."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_base()))
    with (folder / f"{_LOCK}.new").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        # Under its name only once it is locked: a sweep never meets it unlocked while we live.
        (folder / f"{_LOCK}.new").rename(folder / _LOCK)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
