# SPDX-License-Identifier: BSD-3-Clause
"""Python backend: enums, struct and attribute set dataclasses, and tables for the codec."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from nqd_spec.model import (
    SCALAR_SIZES,
    Attribute,
    AttributeSet,
    Enum,
    Family,
    Member,
    Operation,
    Struct,
    c_name,
    class_name,
    python_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WIDTH = 96


def _wrap(text: str, indent: str) -> list[str]:
    return wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def _docstring(text: str, indent: str = "    ") -> Iterator[str]:
    text = text or "See the specification."
    one = f'{indent}"""{text}"""'
    if len(one) <= WIDTH:
        yield one
        return
    first, *rest = _summary(text)
    yield f'{indent}"""{first}'
    yield ""
    for paragraph in rest:
        yield from _wrap(paragraph, indent)
    yield f'{indent}"""'


def _summary(text: str) -> list[str]:
    """A first line of its own, then the text that does not fit it."""
    for mark in (". ", "; ", ": ", ", "):
        head, found, tail = text.partition(mark)
        if found and len(head) < WIDTH - 12:
            return [f"{head}.", tail[0].upper() + tail[1:]]
    raise ValueError(f"no short first sentence in {text!r}")


def _comment(text: str, indent: str) -> Iterator[str]:
    if text:
        yield from _wrap(text, f"{indent}# ")


def _constants(family: Family) -> Iterator[str]:
    yield f'FAMILY_NAME: Final = "{family.name}"'
    yield f"FAMILY_VERSION: Final = {family.version}"
    for name, _, _ in family.groups:
        yield f'{c_name("group-", name)}: Final = "{name}"'
    for const in family.consts:
        yield from _comment(const.doc, "")
        value = hex(const.value) if const.value > 0xFFFF else const.value
        yield f"{c_name(const.name)}: Final = {value}"


def _enum(enum: Enum) -> Iterator[str]:
    base = "IntFlag, boundary=KEEP" if enum.flags else "OpenEnum"
    yield f"class {class_name(enum.name)}({base}):"
    yield from _docstring(enum.doc)
    yield ""
    for entry in enum.entries:
        yield from _comment(entry.doc, "    ")
        value = hex(entry.value) if entry.value > 255 or enum.flags else entry.value
        yield f"    {c_name(entry.name)} = {value}"
    yield ""
    yield ""


def _codes(name: str, doc: str, operations: Iterable[Operation]) -> Iterator[str]:
    yield f"class {name}(OpenEnum):"
    yield f'    """{doc}"""'
    yield ""
    for operation in operations:
        yield from _comment(operation.doc, "    ")
        yield f"    {c_name(operation.name)} = {operation.value}"
    yield ""
    yield ""


def _member_kind(member: Member, secret: set[str]) -> tuple[str, str]:
    """Kind and annotation of a struct's member."""
    if member.name in secret:
        return "SECRET", "SecretBytes"
    if member.kind == "string":
        return "STRING", "str"
    if member.kind == "binary":
        return "BYTES", "bytes"
    return "INT", class_name(member.enum.name) if member.enum else "int"


def _struct(struct: Struct, secret: set[str], private: set[str]) -> Iterator[str]:
    yield "@dataclass(frozen=True, slots=True, kw_only=True)"
    yield f"class {class_name(struct.name)}(Struct):"
    yield from _docstring(struct.doc)
    yield ""
    yield f'    NAME: ClassVar = "{struct.name}"'
    yield f"    SIZE: ClassVar = {struct.size}"
    yield "    MEMBERS: ClassVar = ("
    for member in struct.members:
        kind, annotation = _member_kind(member, secret)
        name = "None" if member.padding else f'"{python_name(member.name)}"'
        extra = ", big_endian=True" if member.big_endian else ""
        extra += f", enum={annotation}" if member.enum else ""
        yield f"        Member({name}, Kind.{kind}, {member.size}{extra}),"
    yield "    )"
    yield ""
    for member in struct.members:
        if not member.padding:
            yield from _comment(member.doc, "    ")
            hidden = " = field(repr=False)" if member.name in private else ""
            yield f"    {python_name(member.name)}: {_member_kind(member, secret)[1]}{hidden}"
    yield ""
    yield ""


def _annotation(attribute: Attribute) -> str:
    if attribute.sub_kind == "u32":
        return "tuple[int, ...]"
    if attribute.nested:
        base = f"{class_name(attribute.nested)}Attributes"
    elif attribute.struct:
        base = class_name(attribute.struct.name)
    elif attribute.enum:
        base = class_name(attribute.enum.name)
    else:
        base = {"string": "str", "binary": "bytes"}.get(attribute.kind, "int")
    return f"tuple[{base}, ...]" if attribute.multi else f"{base} | None"


def _kind(attribute: Attribute) -> tuple[str, str]:
    """How the codec reads an attribute, and what it needs for that."""
    if attribute.kind in SCALAR_SIZES:
        signed = ", signed=True" if attribute.kind.startswith("s") else ""
        return "INT", f", size={SCALAR_SIZES[attribute.kind]}{signed}"
    if attribute.sub_kind == "u32":
        return "U32_LIST", ""
    if attribute.nested:
        return "NEST", f", nest={class_name(attribute.nested)}Attributes"
    if attribute.struct:
        return "STRUCT", f", struct={class_name(attribute.struct.name)}"
    return ("STRING" if attribute.kind == "string" else "BYTES"), ""


def _row(family: Family, attribute_set: AttributeSet, attribute: Attribute) -> str:
    checks = attribute.checks
    mask = family.masks.get(f"{attribute_set.name}.{attribute.name}")
    secret = attribute.name in family.rules.write_only.get(attribute_set.name, ())
    given = {
        "enum": class_name(attribute.enum.name) if attribute.enum else None,
        "multi": attribute.multi or None,
        "write_only": secret or None,
        "minimum": checks.minimum,
        "maximum": checks.maximum,
        "mask": None if mask is None else f"{mask:#x}",
        "min_len": checks.min_len,
        "max_len": checks.max_len,
    }
    kind, rest = _kind(attribute)
    rest += "".join(f", {key}={value}" for key, value in given.items() if value is not None)
    return (
        f'        Attribute("{python_name(attribute.name)}", {attribute.value}, Kind.{kind}{rest}),'
    )


def _attribute_set(family: Family, attribute_set: AttributeSet) -> Iterator[str]:
    shown = [attribute for attribute in attribute_set.attributes if attribute.kind != "pad"]
    yield "@dataclass(frozen=True, slots=True, kw_only=True)"
    yield f"class {class_name(attribute_set.name)}Attributes(AttributeSet):"
    yield from _docstring(attribute_set.doc)
    yield ""
    yield f'    NAME: ClassVar = "{attribute_set.name}"'
    yield "    ATTRIBUTES: ClassVar = ("
    yield from (_row(family, attribute_set, attribute) for attribute in shown)
    yield "    )"
    yield ""
    for attribute in shown:
        yield from _comment(attribute.doc, "    ")
        annotation = _annotation(attribute)
        default = "()" if annotation.startswith("tuple[") else "None"
        if attribute.name in family.rules.private.get(attribute_set.name, ()):
            default = f"field(default={default}, repr=False)"
        yield f"    {python_name(attribute.name)}: {annotation} = {default}"
    yield ""
    yield ""


def _names(names: Iterable[str]) -> str:
    inside = ", ".join(f'"{python_name(name)}"' for name in names)
    return f"frozenset({{{inside}}})" if inside else "frozenset()"


def _tables(family: Family) -> Iterator[str]:
    yield "# Top-level attributes that a request of a command may have."
    yield "REQUEST: Final = {"
    for op in family.commands:
        names = dict.fromkeys((*(op.do_request or ()), *(op.dump_request or ())))
        yield f"    Command.{c_name(op.name)}: {_names(names)},"
    yield "}"
    yield "# Attributes that a request must have; the nest is empty at the top level."
    yield "MANDATORY: Final[dict[Command, tuple[tuple[str, str], ...]]] = {"
    for op in family.commands:
        yield f"    Command.{c_name(op.name)}: ("
        for nest, name in family.rules.mandatory[op.name]:
            yield f'        ("{python_name(nest)}", "{python_name(name)}"),'
        yield "    ),"
    yield "}"
    yield "# Top-level attributes of replies and dump entries."
    yield "REPLY: Final = {"
    for op in family.commands:
        names = dict.fromkeys((*(op.do_reply or ()), *(op.dump_reply or ())))
        yield f"    Command.{c_name(op.name)}: {_names(names)},"
    yield "}"
    dumps = (f"Command.{c_name(op.name)}" for op in family.commands if op.dump_request is not None)
    yield f"DUMPS: Final = frozenset({{{', '.join(dumps)}}})"
    yield "# Top-level attributes of events."
    yield "EVENT: Final = {"
    for op in family.events:
        yield f"    Event.{c_name(op.name)}: {_names(op.event_attributes)},"
    yield "}"
    alone = (f"Event.{c_name(op.name)}" for op in family.events if op.mcgrp is None)
    yield "# Events for the owner alone, to be acknowledged."
    yield f"UNICAST: Final = frozenset({{{', '.join(alone)}}})"


def declarations(family: Family, banner: list[str]) -> str:
    """Text of the generated module, before the formatter."""
    first, *rest = banner
    lines = ["# SPDX-License-Identifier: BSD-3-Clause", f'"""{first}', "", *rest, '"""', ""]
    lines += ["from __future__ import annotations", ""]
    lines += ["from dataclasses import dataclass, field", "from enum import KEEP, IntFlag"]
    lines += ["from typing import TYPE_CHECKING, ClassVar, Final", ""]
    names = "Attribute, AttributeSet, Kind, Member, OpenEnum, Struct"
    lines += [f"from nexusnet.netlink.wire import {names}"]
    lines += ["", "if TYPE_CHECKING:", "    from nexusnet.secret import SecretBytes", ""]
    lines += _constants(family)
    lines += ["", ""]
    for enum in family.enums:
        lines += _enum(enum)
    lines += _codes("Command", "What user space asks for.", family.commands)
    lines += _codes("Event", "What the kernel says unasked.", family.events)
    for struct in family.structs:
        secret = set(family.rules.secret_members.get(struct.name, ()))
        private = set(family.rules.private.get(struct.name, ()))
        lines += _struct(struct, secret, private)
    for attribute_set in (*family.sets[1:], family.main):
        lines += _attribute_set(family, attribute_set)
    lines += _tables(family)
    return "\n".join(lines) + "\n"
