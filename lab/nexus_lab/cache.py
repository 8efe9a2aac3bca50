# SPDX-License-Identifier: BSD-3-Clause
"""The cache: what is downloaded or built once, kept by a key made of everything it depends on.

An entry counts only once its stamp, written last, is there: what a killed run left behind is wiped
and made again. One lock a name keeps two runs from making the same thing twice. The whole folder
may be deleted at any time.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus_lab.errors import LabError
from nexus_lab.progress import say

STAMP = "done.json"


def cache_root() -> Path:
    """Return the cache folder: $NEXUS_CACHE, or nexusnet under the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    root = Path(os.environ.get("NEXUS_CACHE") or f"{base}/nexusnet").expanduser().absolute()
    if not fit_for_make(root):
        raise LabError(f"kernels cannot be built below {root}: set NEXUS_CACHE to a plain path")
    return root


def fit_for_make(path: Path) -> bool:
    """Say whether the kernel's makefiles take a path: they split it at white space and colons."""
    return not any(letter.isspace() or letter == ":" for letter in str(path))


def content_key(*parts: str | bytes) -> str:
    """Return 16 hex digits that name the given parts, in order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock of that name; says so when another run has it."""
    folder = cache_root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that prepares {name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True, slots=True)
class Entry:
    """One folder of the cache: `kind`/`key`, complete only with its stamp."""

    kind: str
    key: str

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return cache_root() / self.kind / self.key

    def facts(self) -> dict[str, Any] | None:
        """Return what its maker noted, or None when it is not (completely) there."""
        try:
            noted: dict[str, Any] = json.loads((self.folder / STAMP).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return noted

    def make(self, fill: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
        """Return its facts; where it is missing, have `fill` make it first, in an empty folder."""
        if (facts := self.facts()) is not None:
            return facts
        with locked(f"{self.kind}-{self.key}"):
            if (facts := self.facts()) is not None:
                return facts
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            begun = time.monotonic()
            noted = dict(fill(self.folder))
            noted["seconds"] = round(time.monotonic() - begun, 1)
            stamp = self.folder / f"{STAMP}.new"
            stamp.write_text(json.dumps(noted, indent=1) + "\n")
            stamp.rename(self.folder / STAMP)
        return noted


def entries(kind: str) -> list[Entry]:
    """Return the complete entries of a kind, oldest first."""
    stamps = sorted((cache_root() / kind).glob(f"*/{STAMP}"), key=lambda path: path.stat().st_mtime)
    return [Entry(kind, stamp.parent.name) for stamp in stamps]
