# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's generated policies and checks, in user space, fed by the Python encoder."""

from __future__ import annotations

import ctypes
import errno
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexusnet.netlink import generated as nl
from nexusnet.netlink.codec import encode
from nexusnet.netlink.messages import place
from nexusnet.netlink.wire import Attribute, AttributeSet, Kind
from nexusnet.secret import SecretBytes
from tests.spec.requests import complete, requests
from tests.spec.strategies import SETS

ROOT = Path(__file__).resolve().parents[2]
SHIM = Path(__file__).parent / "shim"
COMMANDS = list(nl.Command)
GENL_UNS_ADMIN_PERM = 0x10
GENL_MCAST_CAP_NET_ADMIN = 1
NLA_F_NESTED = 0x8000


class ExtAck(ctypes.Structure):
    _fields_ = (
        ("message", ctypes.c_char_p),
        ("attribute", ctypes.c_void_p),
        ("miss_nest", ctypes.c_void_p),
        ("miss_type", ctypes.c_uint32),
    )


class Kernel:
    """nqd_nl_check() and nqd_nl_wipe()."""

    def __init__(self, library: Path) -> None:
        self.library = ctypes.CDLL(str(library))

    @staticmethod
    def _message(request: bytes) -> ctypes.Array[ctypes.c_char]:
        header = (16 + len(request)).to_bytes(4, sys.byteorder) + bytes(12)
        return ctypes.create_string_buffer(header + request, 16 + len(request))

    def check(self, request: bytes) -> tuple[int, ExtAck]:
        extack = ExtAck()
        return self.library.nqd_nl_check(self._message(request), ctypes.byref(extack)), extack

    def wipe(self, request: bytes) -> bytes:
        message = self._message(request)
        self.library.nqd_nl_wipe(message)
        return message.raw[16:]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    folder = tmp_path_factory.mktemp("check")
    header = (ROOT / "kernel/netlink_gen.h").read_text()
    handlers = re.findall(r"(?m)^(int nqd_nl_\w+_(?:doit|dumpit)\(.*\));$", header)
    assert len(handlers) == len(COMMANDS) + len(nl.DUMPS)
    bodies = (f"{handler} {{ (void)skb; return 0; }}" for handler in handlers)
    stubs = folder / "stubs.c"
    start = "int nqd_nl_dump_start(struct netlink_callback *cb) { return 0; }"
    stubs.write_text("\n".join(['#include "netlink_gen.h"', start, *bodies, ""]))
    library = folder / "check.so"
    flags = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
    flags += ["-Wno-sign-compare", "-Wno-missing-field-initializers", "-Wno-override-init"]
    includes = [f"-I{SHIM}", f"-I{ROOT / 'kernel'}"]
    sources = map(str, (ROOT / "kernel/netlink_gen.c", SHIM / "validate.c", stubs))
    subprocess.run(
        ["gcc", *flags, *includes, "-fPIC", "-shared", "-o", str(library), *sources],
        check=True,
    )
    return Kernel(library)


@pytest.mark.parametrize("command", COMMANDS)
@settings(max_examples=15)
@given(data=st.data())
def test_policies_match_the_specification(
    kernel: Kernel, command: nl.Command, data: st.DataObject
) -> None:
    """Whatever the Python encoder lets pass, the kernel's tables accept."""
    request = data.draw(requests(command)).encode()
    code, extack = kernel.check(bytes(request))
    assert code == 0, extack.message


def attribute_bytes(number: int, payload: bytes) -> bytes:
    head = (4 + len(payload)).to_bytes(2, sys.byteorder) + number.to_bytes(2, sys.byteorder)
    return head + payload + bytes(-len(payload) % 4)


def bad_payloads(attribute: Attribute) -> list[bytes]:
    """Payloads that the specification does not allow."""
    if attribute.struct is not None:
        return [bytes(attribute.struct.SIZE - 1), bytes(attribute.struct.SIZE + 4)]
    if attribute.kind is Kind.INT:
        bad = [bytes(attribute.size - 1), bytes(attribute.size + 4)]
        known = [int(value) for value in attribute.enum] if attribute.enum else []
        low = min(known, default=attribute.minimum or 0)
        high = max(known, default=attribute.maximum)
        if attribute.mask is not None:
            bad.append((attribute.mask + 1).to_bytes(attribute.size, sys.byteorder))
        if low > 0:
            bad.append((low - 1).to_bytes(attribute.size, sys.byteorder))
        if high is not None:
            bad.append((high + 1).to_bytes(attribute.size, sys.byteorder))
        return bad
    if attribute.max_len is not None and attribute.max_len <= 65000 - 8:
        more = attribute.max_len + (2 if attribute.kind is Kind.STRING else 1)
        tail = b"\0" if attribute.kind is Kind.STRING else b""
        return [b"x" * (more - len(tail)) + tail]
    return []


def of_request(kind: type[AttributeSet]) -> tuple[nl.Command, Attribute] | None:
    for command in COMMANDS:
        for attribute in nl.MainAttributes.ATTRIBUTES:
            if attribute.nest is kind and attribute.name in nl.REQUEST[command]:
                return command, attribute
    return None


@pytest.mark.parametrize("kind", SETS, ids=lambda kind: kind.NAME)
def test_policies_refuse_what_the_specification_does(
    kernel: Kernel, kind: type[AttributeSet]
) -> None:
    """Wrong lengths, values out of range and unknown flags, for every attribute of a request."""
    found = of_request(kind)
    if found is None:
        assert kind.NAME in {"main", "caps", "stats"}
        return
    command, outer = found
    rest = bytes(complete(command).encode())
    count = 0
    for attribute in kind.ATTRIBUTES:
        for payload in bad_payloads(attribute):
            nest = attribute_bytes(
                outer.number | NLA_F_NESTED, attribute_bytes(attribute.number, payload)
            )
            code, extack = kernel.check(rest + nest)
            assert code in (-errno.ERANGE, -errno.EINVAL), (attribute.name, payload)
            assert extack.message == b"Attribute failed policy validation"
            count += 1
    assert count


def test_c_check_version(kernel: Kernel) -> None:
    for command in COMMANDS:
        request = bytes(complete(command).encode())
        version = attribute_bytes(place("", "abi_version"), (1).to_bytes(4, sys.byteorder))
        other = attribute_bytes(place("", "abi_version"), (2).to_bytes(4, sys.byteorder))
        assert request[4:12] == version
        code, extack = kernel.check(request[:4] + other + request[12:])
        if command is nl.Command.GET_CAPS:
            assert code == 0
        else:
            assert code == -errno.EPROTONOSUPPORT
            assert extack.attribute
        code, extack = kernel.check(request[:4] + request[12:])
        assert (code, extack.miss_type) == (-errno.EINVAL, place("", "abi_version"))


def with_required(command: nl.Command, *values: int) -> bytes:
    payload = b"".join(value.to_bytes(4, sys.byteorder) for value in values)
    return bytes(complete(command).encode()) + attribute_bytes(place("", "required"), payload)


def test_c_check_required(kernel: Kernel) -> None:
    command = nl.Command.ADD_SESSION
    session = place("", "session")
    known = [place("session", one.name) for one in nl.SessionAttributes.ATTRIBUTES]
    assert kernel.check(with_required(command, *known, session))[0] == 0
    unknown = (
        session << 16 | 999,
        session << 16,
        0,
        999,
        place("", "route"),
        place("route", "prefix"),
        999 << 16 | 1,
        place("", "abi_version") << 16 | 1,
        session << 16 | 1,
    )
    for value in unknown:
        code, extack = kernel.check(with_required(command, known[0], value))
        assert code == -errno.EOPNOTSUPP, hex(value)
        assert b"not known" in extack.message
    odd = bytes(complete(command).encode()) + attribute_bytes(place("", "required"), b"\1\0\0")
    assert kernel.check(odd)[0] == -errno.EINVAL


@pytest.mark.parametrize("command", COMMANDS)
def test_c_check_mandatory(kernel: Kernel, command: nl.Command) -> None:
    """Each mandatory attribute in turn renumbered to an unknown one."""
    whole = complete(command).encode()
    assert kernel.check(bytes(whole))[0] == 0
    for nest, name in nl.MANDATORY[command]:
        request = bytearray(whole)
        wanted = place(nest, name)
        outer, inner = wanted >> 16, wanted & 0xFFFF
        start, end = 4, len(request)
        for number in (outer, inner) if outer else (inner,):
            at = start
            while int.from_bytes(request[at + 2 : at + 4], sys.byteorder) & 0x3FFF != number:
                at += (int.from_bytes(request[at : at + 2], sys.byteorder) + 3) & ~3
                assert at < end
            start, end = at + 4, at + int.from_bytes(request[at : at + 2], sys.byteorder)
        request[start - 2 : start] = (0x3FFF).to_bytes(2, sys.byteorder)
        code, extack = kernel.check(bytes(request))
        assert code == -errno.EINVAL
        assert extack.message == b"a mandatory attribute is missing"
        assert extack.miss_type == inner
        assert bool(extack.miss_nest) == bool(outer)


def test_unknown_attributes_pass_the_kernel_check(kernel: Kernel) -> None:
    for command in COMMANDS:
        extra = attribute_bytes(999, b"anything")
        assert kernel.check(bytes(complete(command).encode()) + extra)[0] == 0


def test_trailing_bytes_and_missing_nested_flag(kernel: Kernel) -> None:
    request = bytes(complete(nl.Command.KEY_UPDATE).encode())
    assert kernel.check(request + b"\1\2")[0] == -errno.EINVAL
    session = (place("", "session") | NLA_F_NESTED).to_bytes(2, sys.byteorder)
    plain = place("", "session").to_bytes(2, sys.byteorder)
    assert request.count(session) == 1
    assert kernel.check(request.replace(session, plain))[0] == -errno.EINVAL


def test_unknown_command(kernel: Kernel) -> None:
    assert kernel.check(bytes([200, 1, 0, 0]))[0] == -errno.EOPNOTSUPP


def test_every_command_needs_net_admin(kernel: Kernel) -> None:
    for command in COMMANDS:
        assert kernel.library.test_op_flags(int(command)) == GENL_UNS_ADMIN_PERM
    assert kernel.library.test_group_flags(0) == GENL_MCAST_CAP_NET_ADMIN


def test_secrets_are_wiped_from_a_request(kernel: Kernel) -> None:
    mark = b"\xa5" * 16

    def full(kind: type[AttributeSet]) -> Any:
        given = {}
        for attribute in kind.ATTRIBUTES:
            if attribute.struct is None or not attribute.write_only:
                continue
            members = {
                member.name: SecretBytes(mark[: member.size]) if member.kind is Kind.SECRET else 16
                for member in attribute.struct.MEMBERS
                if member.name
            }
            value = attribute.struct(**members)
            given[attribute.name] = (value,) if attribute.multi else value
        return kind(**given)

    main = nl.MainAttributes(
        abi_version=1, session=full(nl.SessionAttributes), keys=full(nl.KeysAttributes)
    )
    request = bytes([nl.Command.SET_KEYS, 1, 0, 0]) + bytes(encode(main))
    assert request.count(mark) == 11
    wiped = kernel.wipe(request)
    assert b"\xa5" not in wiped
    assert len(wiped) == len(request)
    # Cut short anywhere, it still stays within its bounds.
    for end in range(4, len(request), 3):
        assert len(kernel.wipe(request[:end])) == end
