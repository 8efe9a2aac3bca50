# SPDX-License-Identifier: BSD-3-Clause
"""The rule of generation numbers, the same for both data planes.

They belong to the caller and rise strictly for each object, so that a request overtaken by a
newer one does no harm.
"""

from __future__ import annotations

from enum import Enum, auto


class Verdict(Enum):
    """What to do with a request."""

    APPLY = auto()
    STALE = auto()
    NO_OP = auto()
    MISSING = auto()


def judge_update(current: int | None, offered: int) -> Verdict:
    """A change of an object whose generation is ``current`` (None: there is no such object)."""
    if current is None:
        return Verdict.MISSING
    return Verdict.APPLY if offered > current else Verdict.STALE


def judge_delete(current: int | None, offered: int) -> Verdict:
    """A deletion: of nothing, or older than the object, it succeeds and does nothing."""
    if current is None or offered < current:
        return Verdict.NO_OP
    return Verdict.APPLY
