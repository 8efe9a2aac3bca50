# SPDX-License-Identifier: BSD-3-Clause
"""Requests for every command: one with just what is mandatory, and any legal one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import Request
from nexusnet.netlink.wire import Attribute, AttributeSet, Kind, Member, Struct
from nexusnet.secret import SecretBytes
from tests.spec.strategies import attribute_sets, values

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def _member(member: Member) -> Any:
    if member.kind is Kind.SECRET:
        return SecretBytes(bytes(member.size))
    if member.kind is Kind.INT:
        return 1 if member.enum is None else next(iter(member.enum))
    return "" if member.kind is Kind.STRING else bytes(member.size)


def _struct(kind: type[Struct]) -> Struct:
    return kind(**{member.name: _member(member) for member in kind.MEMBERS if member.name})


def _value(attribute: Attribute) -> Any:
    if attribute.struct is not None:
        value: Any = _struct(attribute.struct)
    elif attribute.enum is not None:
        value = next(iter(attribute.enum))
    elif attribute.kind is Kind.BYTES:
        value = b"x"
    else:
        value = attribute.minimum or 1
    return (value,) if attribute.multi else value


def _find(kind: type[AttributeSet], name: str) -> Attribute:
    return next(attribute for attribute in kind.ATTRIBUTES if attribute.name == name)


def complete(command: nl.Command) -> Request:
    """A request with its mandatory attributes and no others."""
    attributes: Any = nl.MainAttributes()
    for nest, name in nl.MANDATORY[command]:
        if name == "abi_version":
            continue
        if not nest:
            kind = _find(nl.MainAttributes, name).nest
            assert kind is not None
            attributes = replace(attributes, **{name: kind()})
        else:
            holder: Any = getattr(attributes, nest)
            value = _value(_find(type(holder), name))
            attributes = replace(attributes, **{nest: replace(holder, **{name: value})})
    return Request(command, attributes)


def requests(command: nl.Command) -> SearchStrategy[Request]:
    """Any request of a command that the ABI allows."""
    least = complete(command).attributes
    names = nl.REQUEST[command] - {"abi_version", "required"}

    def fill(given: dict[str, Any]) -> Request:
        main: Any = least
        for name, value in given.items():
            there = getattr(main, name)
            if isinstance(there, AttributeSet):
                mandatory = {inner for nest, inner in nl.MANDATORY[command] if nest == name}
                kept = {inner: getattr(there, inner) for inner in mandatory}
                main = replace(main, **{name: replace(value, **kept)})
            else:
                main = replace(main, **{name: value})
        return Request(command, main)

    optional: dict[str, SearchStrategy[Any]] = {}
    for name in sorted(names):
        attribute = _find(nl.MainAttributes, name)
        assert attribute.nest is not None
        if attribute.multi:
            optional[name] = values(attribute)
        else:
            optional[name] = attribute_sets(attribute.nest, secrets=True)
    return st.fixed_dictionaries({}, optional=optional).map(fill)
