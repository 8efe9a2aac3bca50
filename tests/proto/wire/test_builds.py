# SPDX-License-Identifier: BSD-3-Clause
"""The core is the same on 32-bit and big-endian machines, and clean under sanitizers."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nexus_sim.core import ROOT, build_lock, make

# Flavour of engine/proto.mk: programs that it needs to build, and what runs the result.
FLAVOURS = {
    "m64": (["gcc"], []),
    "asan": (["clang"], []),
    "m32": (["gcc"], []),
    "m32san": (["gcc"], []),
    "ppc64": (["powerpc64-linux-gnu-gcc"], ["qemu-ppc64"]),
}


def built(flavour: str, name: str) -> Path:
    """Return a file made in `flavour`; skip, and say so, where the tools for that are missing."""
    compilers, runner = FLAVOURS[flavour]
    missing = [tool for tool in (*compilers, *runner) if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: run tools/setup")
    if flavour.startswith("m32") and not can_link_32_bits():
        pytest.skip("gcc has no 32-bit libraries (gcc-multilib): run tools/setup")
    path = ROOT / "build" / "proto" / flavour / name
    with build_lock():
        make(str(path.relative_to(ROOT)))
    return path


def can_link_32_bits() -> bool:
    found = subprocess.run(
        ["gcc", "-m32", "-print-file-name=libubsan.so"], check=True, capture_output=True, text=True
    )
    return Path(found.stdout.strip()).is_absolute()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_golden_vectors(flavour: str) -> None:
    program = built(flavour, "vectors")
    done = subprocess.run(
        [*FLAVOURS[flavour][1], program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {
        name: int(count) for name, count in re.findall(r"(?m)^(\w+): (\d+) vectors$", done.stdout)
    }
    assert len(counts) == 8
    assert all(count > 20 for count in counts.values())


@pytest.mark.parametrize("flavour", ["m32", "m64"])
def test_no_helpers_for_64_bit_division(flavour: str) -> None:
    """Neither the kernel nor a module has the compiler's __udivdi3 and its kin."""
    archive = built(flavour, "libnqdproto.a")
    symbols = subprocess.run(
        ["nm", "--undefined-only", archive], check=True, capture_output=True, text=True
    ).stdout
    assert "nqd_" in symbols
    helpers = set(re.findall(r"\bU (__\w*(?:div|mod)[dt]i\d?\w*)", symbols))
    assert not helpers


def test_needs_nothing_but_memory_functions() -> None:
    """No allocation, no clock, no I/O: what the core calls is itself, and memory functions."""
    archive = built("m64", "libnqdproto.a")
    listing = subprocess.run(["nm", archive], check=True, capture_output=True, text=True).stdout
    defined = set(re.findall(r"(?m) [TtRrDdBb] (\w+)$", listing))
    wanted = set(re.findall(r"(?m) U (\w+)$", listing)) - defined
    # WARN_ON_ONCE of the shim says what is wrong and aborts; GOT is position-independent code.
    of_the_shim = {"fprintf", "fwrite", "stderr", "abort", "_GLOBAL_OFFSET_TABLE_"}
    assert wanted - of_the_shim <= {"memcpy", "memset", "memcmp", "memmove"}


def test_no_writable_global_state() -> None:
    """Constant tables of addresses are in .data.rel.ro, since this build can be relocated."""
    archive = built("m64", "libnqdproto.a")
    listing = subprocess.run(
        ["objdump", "-t", archive], check=True, capture_output=True, text=True
    ).stdout
    objects = re.findall(r"(?m)^[0-9a-f]+ [lg].{5}O (\S+)\s+[0-9a-f]+\s+(\S+)$", listing)
    assert objects, "there are constant tables"
    assert not [name for section, name in objects if section in {".data", ".bss", "*COM*"}]
