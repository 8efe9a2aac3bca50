# SPDX-License-Identifier: BSD-3-Clause
"""What was chosen from the archives, remembered so that a warm cache needs no network."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from nexus_lab.cache import cache_root
from nexus_lab.errors import LabError
from nexus_lab.progress import say

CHOICE_LASTS = 7 * 86400.0  # seconds until a newer patch level is looked for


@dataclass(frozen=True, slots=True)
class Choice:
    """A package of the archives."""

    release: str
    package: str
    version: str
    note: str = ""
    """What is worth saying about it, such as that it stands in for one that is gone."""


def _path(name: str) -> Path:
    return cache_root() / "choices" / f"{name}.json"


def known(name: str) -> Choice | None:
    """Return what was chosen for `name` before, without a look."""
    try:
        return Choice(**json.loads(_path(name).read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


def remembered(name: str, look: Callable[[], Choice], *, refresh: bool = False) -> Choice:
    """Return what was chosen for `name`, looking (again) when that is old or `refresh` is set."""
    path = _path(name)
    before = known(name)
    if before and not refresh and time.time() - path.stat().st_mtime < CHOICE_LASTS:
        return before
    try:
        chosen = look()
    except LabError as error:
        if before is None:
            raise
        say(f"{name}: going on with {before.package} {before.version}, since {error}")
        return before
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(chosen), indent=1) + "\n")
    return chosen
