# SPDX-License-Identifier: BSD-3-Clause
"""Generation numbers: the caller's, and the kernel's, which some calls use up on their own.

The kernel wants a higher number for every change of an object. SET_KEYS and a repeated ADOPT_DEVICE
are such changes, but none of the caller's: from then on the kernel's numbers are ahead of his.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from nexusnet.session import SessionRef

    Key: TypeAlias = SessionRef | int
    """A session, or a device by its id."""


@dataclass(slots=True)
class _Numbers:
    current: int  # the kernel's
    ahead: int = 0


class Generations:
    """Translates the numbers of all objects; may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards `_numbers`
        self._numbers: dict[Key, _Numbers] = {}

    def begin(self, key: Key, generation: int) -> None:
        """An object is there now, with this number of the kernel's."""
        with self._lock:
            self._numbers[key] = _Numbers(generation)

    def forget(self, key: Key) -> None:
        """An object is gone."""
        with self._lock:
            self._numbers.pop(key, None)

    def to_kernel(self, key: Key, generation: int) -> int:
        """The kernel's number for one of the caller's."""
        with self._lock:
            numbers = self._numbers.get(key)
            return generation + numbers.ahead if numbers else generation

    def to_caller(self, key: Key, generation: int) -> int:
        """The caller's number for one of the kernel's."""
        with self._lock:
            numbers = self._numbers.get(key)
            return generation - numbers.ahead if numbers else generation

    def accepted(self, key: Key, generation: int) -> None:
        """The kernel took a change with this number of its own."""
        with self._lock:
            if key in self._numbers:
                numbers = self._numbers[key]
                numbers.current = max(numbers.current, generation)

    def use_one(self, key: Key) -> int:
        """A number of the kernel's for a change that is none of the caller's."""
        with self._lock:
            numbers = self._numbers.setdefault(key, _Numbers(0))
            numbers.current += 1
            numbers.ahead += 1
            return numbers.current
