# SPDX-License-Identifier: BSD-3-Clause
"""The specification as typed objects: reads the YAML, resolves references, refuses contradictions.

Names keep the YAML's dashes; :func:`c_name` and :func:`python_name` turn them into identifiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

SCALAR_SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "s32": 4, "s64": 8}
MAX_COMMAND = 255  # the command of a generic netlink header is one byte
MAX_TEMPLATE_ATTRIBUTE = 0x3FFF  # the two upper bits of an attribute type are flags


class SpecError(ValueError):
    """The specification contradicts itself or says something that no backend can render."""


def c_name(*parts: str) -> str:
    """Upper-case C identifier of joined YAML names."""
    return "".join(parts).replace("-", "_").upper()


def c_ident(*parts: str) -> str:
    """Lower-case C identifier of joined YAML names."""
    return "".join(parts).replace("-", "_").lower()


def python_name(name: str) -> str:
    """Snake-case identifier of a YAML name."""
    return name.replace("-", "_")


def class_name(name: str) -> str:
    """CapWords identifier of a YAML name without its ``nqd-`` prefix."""
    return "".join(word.capitalize() for word in name.removeprefix("nqd-").split("-"))


@dataclass(frozen=True, slots=True)
class Const:
    """A numeric constant."""

    name: str
    prefix: str
    value: int
    doc: str

    @property
    def c(self) -> str:
        """Name in C."""
        return c_name(self.prefix, self.name)


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of an enum; of a flags enum, the bit's mask."""

    name: str
    value: int
    doc: str


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum, or a set of flags."""

    name: str
    c_enum: str
    prefix: str
    flags: bool
    render_max: bool
    entries: tuple[Entry, ...]
    doc: str

    @property
    def mask(self) -> int:
        """All flags."""
        return sum(entry.value for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct with its place."""

    name: str
    kind: str
    size: int
    offset: int
    length: str | int | None
    big_endian: bool
    enum: Enum | None
    hint: str | None
    doc: str

    @property
    def padding(self) -> bool:
        """Whether it is there for alignment only, always zero."""
        return self.name.startswith("pad")


@dataclass(frozen=True, slots=True)
class Struct:
    """A fixed-size struct: no implicit padding, a multiple of eight bytes."""

    name: str
    members: tuple[Member, ...]
    size: int
    doc: str


@dataclass(frozen=True, slots=True)
class Checks:
    """Limits of an attribute's value or length, already resolved to numbers."""

    minimum: int | None = None
    maximum: int | None = None
    min_len: int | None = None
    max_len: int | None = None
    exact_len: int | None = None
    flags_mask: str | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a set."""

    name: str
    kind: str
    value: int
    multi: bool
    enum: Enum | None
    struct: Struct | None
    nested: str | None
    sub_kind: str | None
    checks: Checks
    doc: str


@dataclass(frozen=True, slots=True)
class AttributeSet:
    """A space of attribute numbers."""

    name: str
    prefix: str
    c_enum: str
    attributes: tuple[Attribute, ...]
    doc: str

    def __getitem__(self, name: str) -> Attribute:
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise SpecError(f"attribute set {self.name} has no attribute {name}")

    @property
    def maximum(self) -> int:
        """Highest attribute number."""
        return max(attribute.value for attribute in self.attributes)


@dataclass(frozen=True, slots=True)
class Operation:
    """A command, or an event."""

    name: str
    value: int
    event: bool
    doc: str
    attribute_set: str
    flags: tuple[str, ...]
    dont_validate: tuple[str, ...]
    mcgrp: str | None
    do_request: tuple[str, ...] | None
    do_reply: tuple[str, ...] | None
    dump_request: tuple[str, ...] | None
    dump_reply: tuple[str, ...] | None
    event_attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the ABI, and the tests that hold it."""

    name: str
    text: str
    here: tuple[str, ...]
    kernel: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the netlink schema has no words for."""

    mandatory: dict[str, tuple[tuple[str, str], ...]]
    write_only: dict[str, tuple[str, ...]]
    secret_members: dict[str, tuple[str, ...]]
    private: dict[str, tuple[str, ...]]
    errors: tuple[tuple[str, str], ...]
    rules: tuple[Rule, ...]
    sections: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """The whole specification."""

    name: str
    doc: str
    version: int
    c_family_name: str
    c_version_name: str
    consts: tuple[Const, ...]
    enums: tuple[Enum, ...]
    structs: tuple[Struct, ...]
    sets: tuple[AttributeSet, ...]
    operations: tuple[Operation, ...]
    command_prefix: str
    event_prefix: str
    command_enum: str
    event_enum: str
    groups: tuple[tuple[str, str, tuple[str, ...]], ...]
    rules: Rules

    def set(self, name: str) -> AttributeSet:
        """The attribute set of that name."""
        for candidate in self.sets:
            if candidate.name == name:
                return candidate
        raise SpecError(f"no attribute set {name}")

    @property
    def main(self) -> AttributeSet:
        """The set of the top-level attributes."""
        return self.sets[0]

    @property
    def masks(self) -> dict[str, int]:
        """Known bits of attributes that are flags: "set.attribute" -> mask."""
        by_name = {enum.name: enum for enum in self.enums}
        return {
            f"{attribute_set.name}.{attribute.name}": by_name[attribute.checks.flags_mask].mask
            for attribute_set in self.sets
            for attribute in attribute_set.attributes
            if attribute.checks.flags_mask is not None
        }

    @property
    def commands(self) -> tuple[Operation, ...]:
        """Operations that user space asks for."""
        return tuple(op for op in self.operations if not op.event)

    @property
    def events(self) -> tuple[Operation, ...]:
        """Messages that the kernel sends unasked."""
        return tuple(op for op in self.operations if op.event)

    def const(self, name: str) -> int:
        """Value of a constant."""
        for const in self.consts:
            if const.name == name:
                return const.value
        raise SpecError(f"no constant {name}")


class _Reader:
    """Turns the YAML's mappings into the objects above, in their order of dependence."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.consts: dict[str, Const] = {}
        self.enums: dict[str, Enum] = {}
        self.structs: dict[str, Struct] = {}

    def number(self, value: str | int) -> int:
        if isinstance(value, int):
            return value
        if value in self.consts:
            return self.consts[value].value
        if value[:1] in "us" and value[1:].partition("-")[2] in {"min", "max"}:
            bits, _, end = value[1:].partition("-")
            low, high = (0, 2 ** int(bits) - 1)
            if value[0] == "s":
                low, high = -(2 ** (int(bits) - 1)), 2 ** (int(bits) - 1) - 1
            return low if end == "min" else high
        raise SpecError(f"{value!r} is neither a number nor a constant")

    def enum(self, name: str | None) -> Enum | None:
        if name is None:
            return None
        if name not in self.enums:
            raise SpecError(f"no enum {name}")
        return self.enums[name]

    def definitions(self) -> None:
        for raw in self.raw.get("definitions", []):
            name, doc = raw["name"], raw.get("doc", "").strip()
            match raw["type"]:
                case "const":
                    self.consts[name] = Const(
                        name, raw.get("name-prefix", ""), self.number(raw["value"]), doc
                    )
                case "enum" | "flags":
                    self.enums[name] = self._enum(raw, doc)
                case "struct":
                    self.structs[name] = self._struct(raw, doc)
                case other:
                    raise SpecError(f"definition {name} has the unknown type {other}")

    def _enum(self, raw: dict[str, Any], doc: str) -> Enum:
        flags = raw["type"] == "flags"
        position = self.number(raw.get("value-start", 0))
        entries = []
        for item in raw["entries"]:
            given: dict[str, Any] = {"name": item} if isinstance(item, str) else item
            position = given.get("value", position)
            value = 1 << position if flags else position
            entries.append(Entry(given["name"], value, given.get("doc", "").strip()))
            position += 1
        if len({entry.value for entry in entries}) != len(entries):
            raise SpecError(f"enum {raw['name']} has a value twice")
        return Enum(
            name=raw["name"],
            c_enum=raw["enum-name"],
            prefix=raw["name-prefix"],
            flags=flags,
            render_max=raw.get("render-max", False),
            entries=tuple(entries),
            doc=doc,
        )

    def _struct(self, raw: dict[str, Any], doc: str) -> Struct:
        offset = 0
        members = []
        for item in raw["members"]:
            kind = item["type"]
            size = SCALAR_SIZES.get(kind) or self.number(item["len"])
            alignment = SCALAR_SIZES.get(kind, 1)
            if offset % alignment:
                raise SpecError(f"{raw['name']}.{item['name']} at {offset}: pad it explicitly")
            members.append(
                Member(
                    name=item["name"],
                    kind=kind,
                    size=size,
                    offset=offset,
                    length=item.get("len"),
                    big_endian=item.get("byte-order") == "big-endian",
                    enum=self.enum(item.get("enum")),
                    hint=item.get("display-hint"),
                    doc=item.get("doc", "").strip(),
                )
            )
            offset += size
        if offset % 8:
            raise SpecError(f"{raw['name']} has {offset} bytes: pad it to a multiple of eight")
        return Struct(raw["name"], tuple(members), offset, doc)

    def attribute_set(self, raw: dict[str, Any]) -> AttributeSet:
        attributes = []
        value = 1
        for item in raw["attributes"]:
            value = item.get("value", value)
            attributes.append(self._attribute(item, value))
            value += 1
        numbers = [attribute.value for attribute in attributes]
        if len(set(numbers)) != len(numbers) or not 0 < max(numbers) <= MAX_TEMPLATE_ATTRIBUTE:
            raise SpecError(f"attribute set {raw['name']} has a number twice or out of range")
        return AttributeSet(
            raw["name"],
            raw["name-prefix"],
            raw["enum-name"],
            tuple(attributes),
            raw.get("doc", "").strip(),
        )

    def _attribute(self, raw: dict[str, Any], value: int) -> Attribute:
        struct = None
        if "struct" in raw:
            if raw["struct"] not in self.structs:
                raise SpecError(f"attribute {raw['name']}: no struct {raw['struct']}")
            struct = self.structs[raw["struct"]]
        checks = dict(raw.get("checks", {}))
        flags = self.enum(checks.pop("flags-mask", None))
        resolved = {key: self.number(limit) for key, limit in checks.items()}
        return Attribute(
            name=raw["name"],
            kind=raw["type"],
            value=value,
            multi=raw.get("multi-attr", False),
            enum=self.enum(raw.get("enum")),
            struct=struct,
            nested=raw.get("nested-attributes"),
            sub_kind=raw.get("sub-type"),
            checks=Checks(
                minimum=resolved.get("min"),
                maximum=resolved.get("max"),
                min_len=resolved.get("min-len"),
                max_len=resolved.get("max-len"),
                exact_len=resolved.get("exact-len"),
                flags_mask=flags.name if flags else None,
            ),
            doc=raw.get("doc", "").strip(),
        )

    def operations(self) -> tuple[Operation, ...]:
        operations = []
        value = 1
        for raw in self.raw.get("operations", {}).get("list", []):
            value = raw.get("value", value)
            operations.append(self._operation(raw, value))
            value += 1
        numbers = [op.value for op in operations]
        if len(set(numbers)) != len(numbers) or any(number > MAX_COMMAND for number in numbers):
            raise SpecError("an operation number is given twice or above 255")
        return tuple(operations)

    @staticmethod
    def _operation(raw: dict[str, Any], value: int) -> Operation:
        def attributes(mode: str, direction: str) -> tuple[str, ...] | None:
            if mode not in raw:
                return None
            return tuple(raw[mode].get(direction, {}).get("attributes", ()))

        return Operation(
            name=raw["name"],
            value=value,
            event="event" in raw,
            doc=raw["doc"].strip(),
            attribute_set=raw["attribute-set"],
            flags=tuple(raw.get("flags", ())),
            dont_validate=tuple(raw.get("dont-validate", ())),
            mcgrp=raw.get("mcgrp"),
            do_request=attributes("do", "request"),
            do_reply=attributes("do", "reply"),
            dump_request=attributes("dump", "request"),
            dump_reply=attributes("dump", "reply"),
            event_attributes=tuple(raw.get("event", {}).get("attributes", ())),
        )

    def family(self, rules: Rules) -> Family:
        self.definitions()
        operations = self.raw.get("operations", {})
        return Family(
            name=self.raw["name"],
            doc=self.raw["doc"].strip(),
            version=self.raw["version"],
            c_family_name=self.raw["c-family-name"],
            c_version_name=self.raw["c-version-name"],
            consts=tuple(self.consts.values()),
            enums=tuple(self.enums.values()),
            structs=tuple(self.structs.values()),
            sets=tuple(self.attribute_set(raw) for raw in self.raw.get("attribute-sets", [])),
            operations=self.operations(),
            command_prefix=operations.get("name-prefix", ""),
            event_prefix=operations.get("async-prefix", ""),
            command_enum=operations.get("enum-name", ""),
            event_enum=operations.get("async-enum", ""),
            groups=tuple(
                (group["name"], group["c-define-name"], tuple(group.get("flags", ())))
                for group in self.raw.get("mcast-groups", {}).get("list", [])
            ),
            rules=rules,
        )


def _check(family: Family) -> None:
    """Cross-references that the reader did not need while it read."""
    for attribute in family.main.attributes:
        if attribute.nested is not None:
            nested = family.set(attribute.nested)
            if any(inner.kind == "nest" for inner in nested.attributes):
                raise SpecError(f"{nested.name}: nests are one level deep")
    for operation in family.operations:
        lists = (
            operation.do_request,
            operation.do_reply,
            operation.dump_request,
            operation.dump_reply,
            operation.event_attributes,
        )
        for name in (name for names in lists for name in names or ()):
            family.set(operation.attribute_set)[name]
        if operation.mcgrp and operation.mcgrp not in {name for name, _, _ in family.groups}:
            raise SpecError(f"{operation.name}: no multicast group {operation.mcgrp}")


def _check_rules(family: Family) -> None:
    """What rules.yaml names is there, and it names what it must."""
    commands = {operation.name for operation in family.commands}
    if commands != set(family.rules.mandatory):
        different = commands ^ set(family.rules.mandatory)
        raise SpecError(f"mandatory attributes in rules.yaml: {sorted(different)} differ")
    for needed in family.rules.mandatory.values():
        for nest, name in needed:
            (family.set(family.main[nest].nested or "") if nest else family.main)[name]
    for set_name, attributes in family.rules.write_only.items():
        for name in attributes:
            family.set(set_name)[name]


def _rules(raw: dict[str, Any]) -> Rules:
    def place(path: str) -> tuple[str, str]:
        nest, _, name = path.rpartition(".")
        return nest, name

    return Rules(
        mandatory={
            command: tuple(place(path) for path in paths)
            for command, paths in raw["mandatory"].items()
        },
        write_only={name: tuple(names) for name, names in raw["write-only"].items()},
        secret_members={name: tuple(names) for name, names in raw["secret-members"].items()},
        private={name: tuple(names) for name, names in raw["private"].items()},
        errors=tuple((item["errno"], item["when"].strip()) for item in raw["errors"]),
        rules=tuple(
            Rule(
                item["name"],
                item["text"].strip(),
                tuple(item.get("here", ())),
                tuple(item.get("kernel", ())),
            )
            for item in raw["rules"]
        ),
        sections=tuple((item["title"], item["text"].rstrip()) for item in raw["sections"]),
    )


def load(specification: Path, rules: Path) -> Family:
    """Read and check the specification; raises :class:`SpecError` on a contradiction."""
    extra = _rules(yaml.safe_load(rules.read_text()))
    family = _Reader(yaml.safe_load(specification.read_text())).family(extra)
    _check(family)
    _check_rules(family)
    return family
