# SPDX-License-Identifier: BSD-3-Clause
"""Kernel backend: policies, commands (plain genl_ops: 6.1 has no split ones), multicast groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nqd_spec.model import (
    Attribute,
    AttributeSet,
    Checks,
    Enum,
    Family,
    Operation,
    SpecError,
    c_ident,
    c_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# include/net/netlink.h keeps the limits of NLA_POLICY_RANGE and friends in s16.
S16_MAX = 32767
NLA_KINDS = {"u8": "NLA_U8", "u16": "NLA_U16", "u32": "NLA_U32", "u64": "NLA_U64", "s32": "NLA_S32"}
FLAGS = {"uns-admin-perm": "GENL_UNS_ADMIN_PERM", "admin-perm": "GENL_ADMIN_PERM"}
# Groups have flags of their own; with those of commands anyone may join.
GROUP_FLAGS = {"uns-admin-perm": "GENL_MCAST_CAP_NET_ADMIN"}
DONT_VALIDATE = {
    "strict": "GENL_DONT_VALIDATE_STRICT",
    "dump": "GENL_DONT_VALIDATE_DUMP",
    "dump-strict": "GENL_DONT_VALIDATE_DUMP_STRICT",
}


def _bounds(kind: str, enum: Enum | None, checks: Checks) -> tuple[int, int] | None:
    low, high = checks.minimum, checks.maximum
    if enum is not None and not enum.flags:
        values = sorted(entry.value for entry in enum.entries)
        if values != list(range(values[0], values[-1] + 1)):
            raise SpecError(f"enum {enum.name} has holes: no range can check it")
        return values[0], values[-1]
    if low is None and high is None:
        return None
    top = (1 << int(kind[1:])) - 1
    return low or 0, top if high is None else high


def _range_name(attribute_set: AttributeSet, attribute: Attribute) -> str:
    return c_ident("nqd_", attribute_set.name, "_", attribute.name, "_range")


def _scalar(attribute_set: AttributeSet, attribute: Attribute, masks: dict[str, int]) -> str:
    kind = NLA_KINDS[attribute.kind]
    mask = masks.get(f"{attribute_set.name}.{attribute.name}")
    if mask is not None:
        return f"NLA_POLICY_MASK({kind}, {mask:#x})"
    bounds = _bounds(attribute.kind, attribute.enum, attribute.checks)
    if bounds is None:
        return f"{{ .type = {kind} }}"
    low, high = bounds
    if high == (1 << int(attribute.kind[1:])) - 1 and low <= S16_MAX:
        return f"NLA_POLICY_MIN({kind}, {low})"
    if high <= S16_MAX:
        return f"NLA_POLICY_RANGE({kind}, {low}, {high})"
    return f"NLA_POLICY_FULL_RANGE({kind}, &{_range_name(attribute_set, attribute)})"


def _binary(attribute: Attribute) -> str:
    if attribute.struct is not None:
        return f"NLA_POLICY_EXACT_LEN(sizeof(struct {c_ident(attribute.struct.name)}))"
    checks = attribute.checks
    if checks.exact_len is not None:
        return f"NLA_POLICY_EXACT_LEN({checks.exact_len})"
    if checks.max_len is None:
        return "{ .type = NLA_BINARY }"
    if checks.min_len and checks.max_len <= S16_MAX:
        return f"NLA_POLICY_RANGE(NLA_BINARY, {checks.min_len}, {checks.max_len})"
    # A minimum beside a maximum above s16 is left to the handler (see the header's comment).
    return f"{{ .type = NLA_BINARY, .len = {checks.max_len} }}"


def _policy(family: Family, attribute_set: AttributeSet, attribute: Attribute) -> str | None:
    masks = family.masks
    match attribute.kind:
        case "pad":
            return None
        case "nest":
            return f"NLA_POLICY_NESTED({_table(family.set(attribute.nested or ''))})"
        case "binary":
            return _binary(attribute)
        case "string":
            return f"{{ .type = NLA_NUL_STRING, .len = {attribute.checks.max_len} }}"
        case _:
            return _scalar(attribute_set, attribute, masks)


def _table(attribute_set: AttributeSet) -> str:
    return c_ident("nqd_", attribute_set.name, "_nl_policy")


def _ranges(family: Family) -> Iterator[str]:
    for attribute_set in family.sets:
        for attribute in attribute_set.attributes:
            policy = _policy(family, attribute_set, attribute)
            if policy and "FULL_RANGE" in policy:
                bounds = _bounds(attribute.kind, attribute.enum, attribute.checks)
                assert bounds is not None  # noqa: S101 - narrows the type; _policy just used it
                name = _range_name(attribute_set, attribute)
                # Not const: nla_policy of 6.1 points to a writable range.
                yield f"static struct netlink_range_validation {name} = {{"
                yield f"\t.min = {bounds[0]}U,"
                yield f"\t.max = {bounds[1]}U,"
                yield "};"
                yield ""


def _entries(family: Family, attribute_set: AttributeSet, names: set[str]) -> Iterator[str]:
    for attribute in attribute_set.attributes:
        policy = _policy(family, attribute_set, attribute)
        if policy is not None and attribute.name in names:
            line = f"\t[{c_name(attribute_set.prefix, attribute.name)}] = {policy},"
            yield line


def _nested_tables(family: Family) -> Iterator[str]:
    wanted = {name for op in family.commands for name in _request(op)}
    for attribute in family.main.attributes:
        if attribute.name not in wanted or attribute.nested is None:
            continue
        nested = family.set(attribute.nested)
        size = c_name(nested.prefix, "max")
        yield f"const struct nla_policy {_table(nested)}[{size} + 1] = {{"
        yield from _entries(family, nested, {item.name for item in nested.attributes})
        yield "};"
        yield ""


def _request(operation: Operation) -> tuple[str, ...]:
    both = (*(operation.do_request or ()), *(operation.dump_request or ()))
    return tuple(dict.fromkeys(both))


def _highest(family: Family, operation: Operation) -> str:
    last = max((family.main[name] for name in _request(operation)), key=lambda item: item.value)
    return c_name(family.main.prefix, last.name)


def _command_tables(family: Family) -> Iterator[str]:
    for operation in family.commands:
        name = c_ident("nqd_cmd_", operation.name, "_nl_policy")
        yield f"static const struct nla_policy {name}[{_highest(family, operation)} + 1] = {{"
        yield from _entries(family, family.main, set(_request(operation)))
        yield "};"
        yield ""


def _place(family: Family, nest: str, name: str) -> str:
    main = family.main
    if not nest:
        return f"NQD_NL_PLACE(0, {c_name(main.prefix, name)})"
    nested = family.set(main[nest].nested or "")
    return f"NQD_NL_PLACE({c_name(main.prefix, nest)}, {c_name(nested.prefix, name)})"


def _mandatory_tables(family: Family) -> Iterator[str]:
    for operation in family.commands:
        places = [
            _place(family, nest, name) for nest, name in family.rules.mandatory[operation.name]
        ]
        yield f"static const u32 {c_ident('nqd_cmd_', operation.name, '_mandatory')}[] = {{"
        yield from (f"\t{place}," for place in places)
        yield "};"
        yield ""
    yield "static const struct {"
    yield "\tconst u32 *places;"
    yield "\tunsigned int count;"
    yield "} nqd_nl_mandatory[] = {"
    for operation in family.commands:
        table = c_ident("nqd_cmd_", operation.name, "_mandatory")
        command = c_name(family.command_prefix, operation.name)
        yield f"\t[{command}] = {{ {table}, ARRAY_SIZE({table}) }},"
    yield "};"
    yield ""


def _ops(family: Family) -> Iterator[str]:
    yield f"const struct genl_ops nqd_nl_ops[{len(family.commands)}] = {{"
    for operation in family.commands:
        name = c_ident(operation.name)
        policy = f"nqd_cmd_{name}_nl_policy"
        yield "\t{"
        yield f"\t\t.cmd = {c_name(family.command_prefix, operation.name)},"
        validate = " | ".join(DONT_VALIDATE[item] for item in operation.dont_validate)
        yield f"\t\t.validate = {validate},"
        if operation.do_request is not None:
            yield f"\t\t.doit = nqd_nl_{name}_doit,"
        if operation.dump_request is not None:
            yield "\t\t.start = nqd_nl_dump_start,"
            yield f"\t\t.dumpit = nqd_nl_{name}_dumpit,"
        yield f"\t\t.policy = {policy},"
        yield f"\t\t.maxattr = {_highest(family, operation)},"
        yield f"\t\t.flags = {' | '.join(FLAGS[item] for item in operation.flags)},"
        yield "\t},"
    yield "};"
    yield ""
    yield f"const struct genl_multicast_group nqd_nl_mcgrps[{len(family.groups)}] = {{"
    for name, define, flags in family.groups:
        member = f".flags = {' | '.join(GROUP_FLAGS[item] for item in flags)}"
        yield f"\t[{c_name('nqd-nlgrp-', name)}] = {{ .name = {c_name(define)}, {member} }},"
    yield "};"


def _prototypes(operation: Operation) -> Iterator[str]:
    name = c_ident(operation.name)
    if operation.do_request is not None:
        yield f"int nqd_nl_{name}_doit(struct sk_buff *skb, struct genl_info *info);"
    if operation.dump_request is not None:
        yield f"int nqd_nl_{name}_dumpit(struct sk_buff *skb, struct netlink_callback *cb);"


def _banner(banner: list[str], opening: str = "/*") -> list[str]:
    return [opening, *(f" * {line}" for line in banner), " */"]


def header(family: Family, banner: list[str]) -> str:
    """Text of kernel/netlink_gen.h."""
    lines = ["/* SPDX-License-Identifier: GPL-2.0 */", *_banner(banner)]
    lines += ["#ifndef _NQD_NETLINK_GEN_H", "#define _NQD_NETLINK_GEN_H", ""]
    lines += ["#include <net/genetlink.h>", "#include <net/netlink.h>", ""]
    lines += ['#include "uapi/nexus_quic_dco.h"', ""]
    lines += ["/* How NQD_A_REQUIRED names an attribute; nest 0 is the top level. */"]
    lines += ["#define NQD_NL_PLACE(nest, type) ((u32)(nest) << 16 | (type))", ""]
    lines += [
        "/*",
        " * Validation of values: strict in all but unknown attributes, which the ABI lets a",
        " * receiver ignore. The netlink core parses liberally (GENL_DONT_VALIDATE_STRICT), then",
        " * nqd_nl_check() validates again with these flags.",
        " */",
        "#define NQD_NL_VALIDATE \\",
        "\t(NL_VALIDATE_TRAILING | NL_VALIDATE_STRICT_ATTRS | NL_VALIDATE_NESTED)",
        "",
        f"extern const struct genl_ops nqd_nl_ops[{len(family.commands)}];",
        "",
        "enum {",
        *(f"\t{c_name('nqd-nlgrp-', name)}," for name, _, _ in family.groups),
        "};",
        f"extern const struct genl_multicast_group nqd_nl_mcgrps[{len(family.groups)}];",
        "",
    ]
    for attribute in family.main.attributes:
        if attribute.nested and any(attribute.name in _request(op) for op in family.commands):
            nested = family.set(attribute.nested)
            size = f"{c_name(nested.prefix, 'max')} + 1"
            lines += [f"extern const struct nla_policy {_table(nested)}[{size}];"]
    lines += ["", *(line for op in family.commands for line in _prototypes(op)), ""]
    lines += [
        "int nqd_nl_dump_start(struct netlink_callback *cb);",
        "int nqd_nl_check(const struct nlmsghdr *nlh, struct netlink_ext_ack *extack);",
        "bool nqd_nl_is_secret(u16 nest, u16 type);",
        "void nqd_nl_wipe(struct nlmsghdr *nlh);",
        "",
        "#endif /* _NQD_NETLINK_GEN_H */",
        "",
    ]
    return "\n".join(lines)


def _secret_cases(family: Family) -> Iterator[str]:
    secret_structs = set(family.rules.secret_members)
    for attribute in family.main.attributes:
        if attribute.nested is None:
            continue
        nested = family.set(attribute.nested)
        for item in nested.attributes:
            if item.struct is not None and item.struct.name in secret_structs:
                yield f"\tcase {_place(family, attribute.name, item.name)}:"


def source(family: Family, banner: list[str], runtime: str) -> str:
    """Text of kernel/netlink_gen.c; ``runtime`` is the part that walks the tables."""
    lines = ["// SPDX-License-Identifier: GPL-2.0", *_banner(banner)]
    lines += ["#include <linux/kernel.h>", "#include <linux/string.h>", ""]
    lines += ['#include "netlink_gen.h"', ""]
    lines += [*_ranges(family), *_nested_tables(family), *_command_tables(family)]
    lines += [*_mandatory_tables(family), *_ops(family), ""]
    lines += [
        "/**",
        " * nqd_nl_is_secret - whether an attribute carries key material",
        " * @nest: top-level attribute that it is nested in, 0 for a top-level one",
        " * @type: its number",
        " */",
        "bool nqd_nl_is_secret(u16 nest, u16 type)",
        "{",
        "\tswitch (NQD_NL_PLACE(nest, type)) {",
        *_secret_cases(family),
        "\t\treturn true;",
        "\tdefault:",
        "\t\treturn false;",
        "\t}",
        "}",
        "",
    ]
    return "\n".join(lines) + "\n" + runtime
