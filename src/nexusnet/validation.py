# SPDX-License-Identifier: BSD-3-Clause
"""Checks that the dataclasses of the install contract share."""

from __future__ import annotations


class SessionError(ValueError):
    """A value of the install contract is out of its range or contradicts another one."""


def in_range(name: str, value: int, low: int, high: int) -> None:
    """Raise :class:`SessionError` unless ``low <= value <= high``."""
    if not low <= value <= high:
        raise SessionError(f"{name} = {value} is not within {low} to {high}")


def at_most(name: str, count: int, limit: int) -> None:
    """Raise :class:`SessionError` where a length or number is above its limit."""
    if count > limit:
        raise SessionError(f"{name}: {count}, at most {limit} allowed")


def positive(name: str, value: int) -> None:
    """Raise :class:`SessionError` unless the value is from 1 to 2^64-1."""
    in_range(name, value, 1, 2**64 - 1)
