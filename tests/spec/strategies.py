# SPDX-License-Identifier: BSD-3-Clause
"""Hypothesis strategies for every struct and attribute set, made from their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from nexusnet.netlink import generated as nl
from nexusnet.netlink.wire import Attribute, AttributeSet, Kind, Member, Struct
from nexusnet.secret import SecretBytes

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_Base = TypeVar("_Base")


def _subclasses(base: type[_Base]) -> tuple[type[_Base], ...]:
    found = (value for value in vars(nl).values() if isinstance(value, type))
    return tuple(value for value in found if issubclass(value, base) and value is not base)


STRUCTS: tuple[type[Struct], ...] = _subclasses(Struct)
SETS: tuple[type[AttributeSet], ...] = _subclasses(AttributeSet)
TEXT = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=15)


def _member(member: Member) -> SearchStrategy[Any]:
    if member.enum is not None:
        return st.sampled_from(list(member.enum))
    match member.kind:
        case Kind.INT:
            return st.integers(0, 2 ** (8 * member.size) - 1)
        case Kind.SECRET:
            return st.binary(min_size=member.size, max_size=member.size).map(SecretBytes)
        case Kind.STRING:
            return TEXT
        case _:
            return st.binary(min_size=member.size, max_size=member.size)


def structs(kind: type[Struct]) -> SearchStrategy[Any]:
    return st.builds(
        kind, **{member.name: _member(member) for member in kind.MEMBERS if member.name}
    )


def _integers(attribute: Attribute) -> SearchStrategy[int]:
    if attribute.mask is not None:
        return st.integers(0, attribute.mask).map(lambda bits: bits & (attribute.mask or 0))
    bits = 8 * attribute.size
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if attribute.signed else (0, 2**bits - 1)
    if attribute.minimum is not None:
        low = attribute.minimum
    if attribute.maximum is not None:
        high = attribute.maximum
    return st.integers(low, high)


def _value(attribute: Attribute) -> SearchStrategy[Any]:
    if attribute.nest is not None:
        return attribute_sets(attribute.nest)
    if attribute.struct is not None:
        return structs(attribute.struct)
    if attribute.enum is not None:
        return st.sampled_from(list(attribute.enum))
    most = 64 if attribute.max_len is None else min(attribute.max_len, 64)
    return {
        Kind.INT: _integers(attribute) if attribute.size else st.nothing(),
        Kind.STRING: TEXT,
        Kind.BYTES: st.binary(min_size=attribute.min_len, max_size=most),
        Kind.U32_LIST: st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8).map(tuple),
    }[attribute.kind]


def values(attribute: Attribute) -> SearchStrategy[Any]:
    """A value of an attribute that is set."""
    if attribute.multi:
        return st.lists(_value(attribute), min_size=1, max_size=3).map(tuple)
    return _value(attribute)


def attribute_sets(
    kind: type[AttributeSet], *, secrets: bool = False, only: frozenset[str] | None = None
) -> SearchStrategy[Any]:
    """An attribute set with any of its attributes; write-only ones on demand."""
    shown = [one for one in kind.ATTRIBUTES if secrets or not one.write_only]
    shown = [one for one in shown if only is None or one.name in only]
    return st.fixed_dictionaries({}, optional={one.name: values(one) for one in shown}).map(
        lambda given: kind(**given)
    )
