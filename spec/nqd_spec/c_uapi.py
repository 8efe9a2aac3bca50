# SPDX-License-Identifier: BSD-3-Clause
"""C backend: the uapi header, and the header that pins the layout of its structs."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from nqd_spec.model import AttributeSet, Enum, Family, Member, Operation, Struct, c_ident, c_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LICENCE = "((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)"
WIDTH = 96


def comment(text: str, indent: str = "") -> Iterator[str]:
    """A block comment in kernel style."""
    lines = wrap(text, WIDTH - len(indent.expandtabs(8)) - 6)
    if len(lines) == 1:
        yield f"{indent}/* {lines[0]} */"
        return
    yield f"{indent}/*"
    yield from (f"{indent} * {line}" for line in lines)
    yield f"{indent} */"


def kernel_doc(kind: str, doc: str, items: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A kernel-doc comment of a type with one line or more an item."""
    yield "/**"
    head = wrap(f"{kind} - {doc}", WIDTH - 4)
    yield from (f" * {line}" for line in head)
    for name, text in items:
        if text:
            lines = wrap(f"@{name}: {text}", WIDTH - 8)
            yield f" * {lines[0]}"
            yield from (f" *\t{line}" for line in lines[1:])
    yield " */"


def _enum(enum: Enum) -> Iterator[str]:
    names = [c_name(enum.prefix, entry.name) for entry in enum.entries]
    docs = [entry.doc for entry in enum.entries]
    yield from kernel_doc(f"enum {c_ident(enum.c_enum)}", enum.doc, zip(names, docs, strict=True))
    yield f"enum {c_ident(enum.c_enum)} {{"
    for name, entry in zip(names, enum.entries, strict=True):
        value = f"1U << {entry.value.bit_length() - 1}" if enum.flags else _code(entry.value)
        yield f"\t{name} = {value},"
    if enum.render_max:
        last = names[-1]
        yield ""
        yield f"\t/* private: */\n\t__{c_name(enum.prefix, 'count')} = {last} + 1,"
    yield "};"
    yield ""


def _value(value: int) -> str:
    suffix = "ULL" if value > 0x7FFFFFFF else ""
    return f"{value:#x}{suffix}" if value > 0xFFFF or suffix else str(value)


def _code(value: int) -> str:
    return hex(value) if value > 0xFF else str(value)


def _declare(member: Member) -> str:
    if member.kind in {"binary", "string"}:
        length = member.size
        text = member.length if isinstance(member.length, str) else None
        base = "char" if member.kind == "string" else "__u8"
        return f"{base} {c_ident(member.name)}[{c_name('nqd-', text) if text else length}];"
    base = f"__be{member.kind[1:]}" if member.big_endian else f"__{member.kind}"
    return f"{base} {c_ident(member.name)};"


def _struct(struct: Struct) -> Iterator[str]:
    name = c_ident(struct.name)
    items = [(c_ident(member.name), _member_doc(member)) for member in struct.members]
    yield from kernel_doc(f"struct {name}", f"{struct.doc} {struct.size} bytes.", items)
    yield f"struct {name} {{"
    yield from (f"\t{_declare(member)}" for member in struct.members)
    yield "};"
    yield ""


def _member_doc(member: Member) -> str:
    if member.padding:
        return "Zero."
    if member.enum is not None and not member.doc:
        return f"enum {c_ident(member.enum.c_enum)}."
    return member.doc


def _attributes(attribute_set: AttributeSet) -> Iterator[str]:
    yield from comment(attribute_set.doc)
    yield f"enum {c_ident(attribute_set.c_enum)} {{"
    previous = 0
    for attribute in attribute_set.attributes:
        name = c_name(attribute_set.prefix, attribute.name)
        value = "" if attribute.value == previous + 1 and previous else f" = {attribute.value}"
        yield f"\t{name}{value},"
        previous = attribute.value
    prefix = c_name(attribute_set.prefix)
    yield ""
    yield f"\t__{prefix}MAX,"
    yield f"\t{prefix}MAX = __{prefix}MAX - 1"
    yield "};"
    yield ""


def _operations(name: str, prefix: str, operations: Iterable[Operation], doc: str) -> Iterator[str]:
    listed = tuple(operations)
    items = ((c_name(prefix, operation.name), operation.doc) for operation in listed)
    yield from kernel_doc(f"enum {c_ident(name)}", doc, items)
    yield f"enum {c_ident(name)} {{"
    yield from (f"\t{c_name(prefix, operation.name)} = {operation.value}," for operation in listed)
    yield "};"
    yield ""


def uapi_header(family: Family, banner: list[str]) -> str:
    """Text of the uapi header."""
    lines = [f"/* SPDX-License-Identifier: {LICENCE} */"]
    lines += ["/*", *(f" * {line}" for line in banner), " */"]
    lines += ["#ifndef _UAPI_NEXUS_QUIC_DCO_H", "#define _UAPI_NEXUS_QUIC_DCO_H", ""]
    lines += ["#include <linux/types.h>", ""]
    lines += [f'#define {c_name(family.c_family_name)} "{family.name}"']
    lines += [f"#define {c_name(family.c_version_name)} {family.version}", ""]
    for const in family.consts:
        lines += comment(const.doc)
        lines += [f"#define {const.c} {_value(const.value)}", ""]
    for enum in family.enums:
        lines += _enum(enum)
    for struct in family.structs:
        lines += _struct(struct)
    for attribute_set in family.sets:
        lines += _attributes(attribute_set)
    if family.commands:
        lines += _operations(
            family.command_enum, family.command_prefix, family.commands, "Commands."
        )
        lines += _operations(
            family.event_enum,
            family.event_prefix,
            family.events,
            "Events; they share the number space of the commands.",
        )
    for name, define, _ in family.groups:
        lines += [f'#define {c_name(define)} "{name}"']
    lines += ["", "#endif /* _UAPI_NEXUS_QUIC_DCO_H */", ""]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def layout_header(family: Family, banner: list[str]) -> str:
    """Text of the header whose inclusion fails to compile where a layout differs."""
    lines = [f"/* SPDX-License-Identifier: {LICENCE} */"]
    lines += ["/*", *(f" * {line}" for line in banner), " *"]
    lines += [" * Include it once, in kernel or user space: it fails to compile where a layout"]
    lines += [" * differs from the specification.", " */"]
    lines += ["#ifndef _NEXUS_QUIC_DCO_LAYOUT_H", "#define _NEXUS_QUIC_DCO_LAYOUT_H", ""]
    lines += ['#include "nexus_quic_dco.h"', ""]
    lines += ["#ifdef __cplusplus", "#define NQD_PIN(what) static_assert(what, #what)", "#else"]
    lines += ["#define NQD_PIN(what) _Static_assert(what, #what)", "#endif"]
    lines += ["#define NQD_PIN_SIZE(type, size) NQD_PIN(sizeof(struct type) == (size))"]
    lines += ["#define NQD_PIN_OFFSET(type, member, offset) \\"]
    lines += ["\tNQD_PIN(__builtin_offsetof(struct type, member) == (offset))"]
    lines += ["#define NQD_PIN_MEMBER(type, member, size) \\"]
    lines += ["\tNQD_PIN(sizeof(((struct type *)0)->member) == (size))", ""]
    for struct in family.structs:
        name = c_ident(struct.name)
        lines += [f"NQD_PIN_SIZE({name}, {struct.size});"]
        for member in struct.members:
            place = f"{name}, {c_ident(member.name)}"
            lines += [f"NQD_PIN_OFFSET({place}, {member.offset});"]
            lines += [f"NQD_PIN_MEMBER({place}, {member.size});"]
        lines += [""]
    lines += [
        "#undef NQD_PIN_MEMBER",
        "#undef NQD_PIN_OFFSET",
        "#undef NQD_PIN_SIZE",
        "#undef NQD_PIN",
        "",
    ]
    lines += ["#endif /* _NEXUS_QUIC_DCO_LAYOUT_H */", ""]
    return "\n".join(lines)
