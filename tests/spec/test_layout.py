# SPDX-License-Identifier: BSD-3-Clause
"""Sizes and offsets of the structs, in C (64 and 32 bit, C++) and in Python, and the enums."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from nexusnet.netlink import generated as nl
from nexusnet.netlink.wire import Kind, Struct
from nexusnet.secret import SecretBytes
from tests.spec.strategies import STRUCTS

ROOT = Path(__file__).resolve().parents[2]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wpadded", "-Werror"]
COMPILERS = {
    "gcc-c11": ["gcc", "-std=c11"],
    "gcc-m32": ["gcc", "-m32", "-std=c11", "-idirafter", "/usr/include/x86_64-linux-gnu"],
    "gxx": ["g++", "-x", "c++", "-std=c++11"],
    "clang": ["clang", "-std=c11"],
}

# What the kernel and every agent rely on: written down a second time, by hand, on purpose.
SIZES = {
    "nqd-udp-tuple": 48,
    "nqd-prefix": 24,
    "nqd-cid": 32,
    "nqd-reset-token": 24,
    "nqd-transport-params": 32,
    "nqd-packet-key": 48,
    "nqd-header-key": 32,
    "nqd-traffic-secret": 56,
    "nqd-key-state": 40,
    "nqd-tx-state": 16,
    "nqd-rx-state": 32,
    "nqd-pn-range": 16,
    "nqd-ecn-counts": 24,
    "nqd-rtt-state": 32,
    "nqd-cipher-cap": 128,
    "nqd-l3-stats": 32,
    "nqd-quic-stats": 64,
    "nqd-frame-stats": 64,
    "nqd-key-stats": 80,
    "nqd-offload-stats": 32,
    "nqd-recovery-stats": 80,
    "nqd-queue-stats": 32,
    "nqd-drop-count": 16,
}


def compile_c(compiler: str, source: str, *, flags: list[str]) -> subprocess.CompletedProcess[str]:
    command = COMPILERS[compiler]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    language = [] if "-x" in command else ["-x", "c"]
    return subprocess.run(
        [*command, *language, *flags, f"-I{ROOT}", "-c", "-", "-o", "/dev/null"],
        check=False,
        input=source,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("compiler", COMPILERS)
def test_layout_in_c(compiler: str) -> None:
    """Every size and offset is pinned, without a byte of implicit padding, without a warning."""
    source = '#include "kernel/uapi/nexus_quic_dco_layout.h"\n'
    done = compile_c(compiler, source, flags=WARNINGS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("compiler", ["gcc-c11", "gcc-m32"])
def test_layout_header_can_fail(compiler: str) -> None:
    """With a member's type changed the very same header no longer compiles."""
    source = (
        "#include <linux/types.h>\n#define __be16 __u64\n"
        '#include "kernel/uapi/nexus_quic_dco_layout.h"\n'
    )
    done = compile_c(compiler, source, flags=[])
    assert done.returncode != 0
    assert "static assertion failed" in done.stderr


def test_sizes_are_pinned() -> None:
    assert {kind.NAME: kind.SIZE for kind in STRUCTS} == SIZES


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.NAME)
def test_layout_in_python(kind: type[Struct], tmp_path: Path) -> None:
    """A struct filled by C lies byte for byte where Python packs it."""
    c_name = kind.NAME.replace("-", "_")
    values: dict[str, object] = {}
    lines = []
    for index, member in enumerate(kind.MEMBERS):
        if member.name is None:
            continue
        if member.kind is Kind.INT:
            number = 0x0102030405060708 + index & (1 << 8 * member.size) - 1
            values[member.name] = number
            if member.big_endian:
                number = int.from_bytes(number.to_bytes(2, "big"), "little")
            lines.append(f"value.{member.name} = {number}ULL;")
            continue
        length = member.size - 1 if member.kind is Kind.STRING else member.size
        data = bytes(65 + (index + at) % 26 for at in range(length))
        lines.append(f'memcpy(value.{member.name}, "{data.decode()}", {length});')
        values[member.name] = {
            Kind.SECRET: SecretBytes(data),
            Kind.STRING: data.decode(),
            Kind.BYTES: data,
        }[member.kind]
    source = tmp_path / "fill.c"
    source.write_text(
        '#include <stdio.h>\n#include <string.h>\n#include "kernel/uapi/nexus_quic_dco.h"\n'
        f"int main(void) {{ struct {c_name} value; memset(&value, 0, sizeof(value));\n"
        + "\n".join(lines)
        + "\nreturn fwrite(&value, sizeof(value), 1, stdout) != 1; }\n"
    )
    program = tmp_path / "fill"
    subprocess.run(["gcc", f"-I{ROOT}", str(source), "-o", str(program)], check=True)
    raw = subprocess.run([str(program)], check=True, capture_output=True).stdout
    assert raw == bytes(kind(**values).pack())
    assert kind.unpack(raw).pack() == raw


def test_enums_the_protocol_core_relies_on() -> None:
    assert [suite.value for suite in nl.CipherSuite] == [0x1301, 0x1302, 0x1303]
    assert [profile.name for profile in nl.Congestion] == [
        "CUBIC_LIKE",
        "BBR_LIKE",
        "FIXED_RATE_TEST",
    ]
    assert [state.name for state in nl.SessionState] == ["HOLD", "ACTIVE", "CLOSING", "DRAINING"]
    assert [role.name for role in nl.Role] == ["CLIENT", "SERVER"]
    assert int(nl.DropReason.NONE) == 0
