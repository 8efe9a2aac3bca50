# SPDX-License-Identifier: BSD-3-Clause
"""Documentation backend: docs/abi.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nqd_spec.model import Attribute, AttributeSet, Enum, Family, Operation, Struct, c_ident, c_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

INTRODUCTION = """\
How user space controls `nexus_quic_dco.ko`. The same install contract drives the user-space data
plane (`src/nexusnet/session.py`). Generic netlink, family `{family}`, version {version}, ABI
version {abi}; header `kernel/uapi/nexus_quic_dco.h`. Byte order is the host's unless a member says
big-endian.

`kernel/netlink_gen.c` holds the policies and `nqd_nl_check()`, which every handler calls first;
`kernel/uapi/nexus_quic_dco_layout.h` fails to compile where a layout differs from this page.
"""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(head)
    yield "| " + " | ".join(names) + " |"
    yield "|" + " --- |" * len(names)
    for row in rows:
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"
    yield ""


def _limits(family: Family, attribute_set: AttributeSet, attribute: Attribute) -> str:
    checks = attribute.checks
    parts = []
    if checks.minimum is not None and checks.maximum is not None:
        parts.append(f"{checks.minimum}-{checks.maximum}")
    elif checks.minimum is not None:
        parts.append(f">= {checks.minimum}")
    elif checks.maximum is not None:
        parts.append(f"<= {checks.maximum}")
    mask = family.masks.get(f"{attribute_set.name}.{attribute.name}")
    if mask is not None:
        parts.append(f"bits {mask:#x}")
    if checks.min_len is not None or checks.max_len is not None:
        parts.append(f"{checks.min_len or 0}-{checks.max_len} bytes")
    return ", ".join(parts)


def _type(attribute: Attribute) -> str:
    if attribute.nested:
        kind = f"nest of [{attribute.nested}](#{attribute.nested}-attributes)"
    elif attribute.struct:
        kind = (
            f"[struct {c_ident(attribute.struct.name)}](#struct-{c_ident(attribute.struct.name)})"
        )
    elif attribute.enum:
        kind = (
            f"u32, [enum {c_ident(attribute.enum.c_enum)}](#enum-{c_ident(attribute.enum.c_enum)})"
        )
    elif attribute.sub_kind:
        kind = f"array of {attribute.sub_kind}"
    else:
        kind = attribute.kind
    return f"{kind}, repeated" if attribute.multi else kind


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "-"


def _command(family: Family, operation: Operation) -> Iterator[str]:
    yield f"### {c_name(family.command_prefix, operation.name)} ({operation.value})"
    yield ""
    yield operation.doc
    yield ""
    if operation.do_request is not None:
        yield f"- do: {_names(operation.do_request)}"
        reply = operation.do_reply
        yield f"- reply: {_names(reply)}" if reply else "- reply: acknowledgement only"
    if operation.dump_request is not None:
        yield f"- dump: {_names(operation.dump_request)}"
        yield f"- dump entry: {_names(operation.dump_reply or ())}"
    places = (
        f"`{nest}.{name}`" if nest else f"`{name}`"
        for nest, name in family.rules.mandatory[operation.name]
    )
    yield f"- mandatory: {', '.join(places)}"
    yield ""


def _events(family: Family) -> Iterator[str]:
    rows = (
        (
            f"`{c_name(family.event_prefix, op.name)}`",
            str(op.value),
            f"group {op.mcgrp}" if op.mcgrp else "owner",
            _names(op.event_attributes),
            op.doc,
        )
        for op in family.events
    )
    yield from _table(("Event", "Number", "To", "Attributes", "When"), rows)


def _attribute_set(family: Family, attribute_set: AttributeSet) -> Iterator[str]:
    yield f"### {attribute_set.name} attributes"
    yield ""
    yield f"{attribute_set.doc} Prefix `{c_name(attribute_set.prefix)}`."
    yield ""
    rows = (
        (
            str(attribute.value),
            attribute.name,
            _type(attribute),
            _limits(family, attribute_set, attribute),
            attribute.doc,
        )
        for attribute in attribute_set.attributes
    )
    yield from _table(("Number", "Name", "Type", "Limits", "Meaning"), rows)


def _struct(family: Family, struct: Struct) -> Iterator[str]:
    yield f"### struct {c_ident(struct.name)}"
    yield ""
    yield f"{struct.doc} {struct.size} bytes."
    yield ""
    secret = family.rules.secret_members.get(struct.name, ())
    rows = (
        (
            str(member.offset),
            str(member.size),
            c_ident(member.name),
            f"{member.kind}, big-endian" if member.big_endian else member.kind,
            "Zero."
            if member.padding
            else f"**{member.doc}**"
            if member.name in secret
            else member.doc,
        )
        for member in struct.members
    )
    yield from _table(("Offset", "Size", "Member", "Type", "Meaning"), rows)


def _enum(enum: Enum) -> Iterator[str]:
    yield f"### enum {c_ident(enum.c_enum)}"
    yield ""
    yield enum.doc
    yield ""
    rows = (
        (
            hex(entry.value) if enum.flags or entry.value > 0xFF else str(entry.value),
            f"`{c_name(enum.prefix, entry.name)}`",
            entry.doc,
        )
        for entry in enum.entries
    )
    yield from _table(("Value", "Name", "Meaning"), rows)


def _rules(family: Family) -> Iterator[str]:
    for rule in family.rules.rules:
        yield f"### {rule.name}"
        yield ""
        yield rule.text
        yield ""
        if rule.here:
            yield f"Held by: {', '.join(f'`{name}`' for name in rule.here)}."
            yield ""


def _kernel_tests(family: Family) -> Iterator[str]:
    yield "Passed by the kernel module (tests/kernel), by these names:"
    yield ""
    for rule in family.rules.rules:
        for name in rule.kernel:
            yield f"- `{name}` ({rule.name})"
    yield ""


def document(family: Family, banner: list[str]) -> str:
    """Text of docs/abi.md."""
    lines = ["<!-- SPDX-License-Identifier: BSD-3-Clause -->"]
    lines += [f"<!-- {' '.join(banner)} -->", "", "# The control ABI", ""]
    lines += [
        INTRODUCTION.format(
            family=family.name, version=family.version, abi=family.const("abi-version")
        )
    ]
    for title, text in family.rules.sections:
        lines += [f"## {title}", "", text, ""]
    lines += ["## Rules", "", *_rules(family)]
    lines += ["## Errors", ""]
    lines += _table(("Error", "When"), ((f"-{errno}", when) for errno, when in family.rules.errors))
    lines += ["## Commands", ""]
    for operation in family.commands:
        lines += _command(family, operation)
    lines += ["## Events", "", *_events(family), "## Attributes", ""]
    for attribute_set in family.sets:
        lines += _attribute_set(family, attribute_set)
    lines += ["## Structs", ""]
    for struct in family.structs:
        lines += _struct(family, struct)
    lines += ["## Constants", ""]
    constants = ((f"`{const.c}`", str(const.value), const.doc) for const in family.consts)
    lines += _table(("Name", "Value", "Meaning"), constants)
    lines += ["## Enums", ""]
    for enum in family.enums:
        lines += _enum(enum)
    lines += ["## Tests for the kernel", "", *_kernel_tests(family)]
    return "\n".join(lines).rstrip() + "\n"
