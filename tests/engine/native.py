# SPDX-License-Identifier: BSD-3-Clause
"""The engine's C files as a shared object for tests, opened through cffi.

Built from source once for each content, in the flavour that NEXUS_ENGINE_FLAVOUR names:
`plain`, `ubsan` (the default) or `asan` (needs the sanitizer's library preloaded, see
test_sanitizers.py). The declarations come from the headers themselves, through the preprocessor.
"""

import functools
import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cffi

ROOT = Path(__file__).resolve().parent.parent.parent
INCLUDES = ["-Iengine/shim", "-Iengine", "-Ikernel", "-Ikernel/proto"]
WARNINGS = [
    "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-Wstrict-prototypes",
    "-Wmissing-prototypes", "-Wvla", "-Wundef", "-Wno-address-of-packed-member",
]  # fmt: skip
FLAVOURS = {
    "plain": [],
    "ubsan": ["-fsanitize=undefined", "-fno-sanitize-recover=all"],
    "asan": [
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        "-fno-omit-frame-pointer",
    ],
}
# What cffi cannot know: kernel types and the C library's structs that appear in the headers.
PRELUDE = """
typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef unsigned long long u64;
typedef int8_t s8; typedef int16_t s16; typedef int32_t s32; typedef long long s64;
typedef u8 __u8; typedef u16 __u16; typedef u32 __u32; typedef u64 __u64;
typedef s8 __s8; typedef s16 __s16; typedef s32 __s32; typedef s64 __s64;
struct iovec { void *iov_base; size_t iov_len; };
"""
HEADERS = [
    "vnet.h", "ip.h", "segment.h", "coalesce.h", "crypto.h", "route.h", "queue.h", "icmp.h",
    "udp.h", "lookup.h", "screen.h", "tun.h", "hmac.h", "initial.h", "hello.h", "authenticator.h",
    "inspect.h",
]  # fmt: skip
SOURCES = [
    "ip.c", "segment.c", "coalesce.c", "crypto.c", "route.c", "queue.c", "icmp.c", "udp.c",
    "lookup.c", "screen.c", "tun.c", "hmac.c", "initial.c", "hello.c", "authenticator.c",
    "inspect.c",
]  # fmt: skip


def declarations(headers: list[str]) -> str:
    """What the named headers of engine/ declare, as cffi reads it."""
    text = "".join(f'#include "{name}"\n' for name in headers)
    expanded = subprocess.run(
        ["gcc", "-E", "-D_GNU_SOURCE", *INCLUDES, "-"],
        cwd=ROOT, input=text, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    kept: list[str] = []
    ours = False
    for line in expanded.splitlines():
        marker = re.match(r'# \d+ "(?P<file>[^"]*)"', line)
        if marker:
            name = marker["file"]
            ours = name.startswith("engine/") and "shim" not in name
        elif ours:
            kept.append(line)
    # Inline functions are no part of what the shared object offers.
    offered = re.sub(r"^static inline .*?^}$", "", "\n".join(kept), flags=re.MULTILINE | re.DOTALL)
    return PRELUDE + offered


def _compile(name: str, *options: str | Path) -> Path:
    """The shared object of this name, made from the sources as they are."""
    flavour = os.environ.get("NEXUS_ENGINE_FLAVOUR", "ubsan")
    inputs = sorted(
        [*ROOT.glob("engine/**/*.[ch]"), *ROOT.glob("kernel/**/*.[ch]"), Path(__file__)]
    )
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()[:16]
    target = ROOT / "build" / "engine-tests" / f"{name}{flavour}-{digest}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_suffix(f".{os.getpid()}")
        subprocess.run(
            ["gcc", "-std=gnu11", "-O1", "-g", "-fPIC", "-shared", "-fno-strict-aliasing",
             "-D_GNU_SOURCE", *WARNINGS, *FLAVOURS[flavour], *INCLUDES, *options, "-o", scratch,
             *(f"engine/{source}" for source in SOURCES), "-lcrypto"],
            cwd=ROOT, check=True,
        )  # fmt: skip
        scratch.rename(target)
    return target


@functools.cache
def load() -> tuple[Any, Any]:
    """Compile what changed and open it: (ffi, lib), whose C types no type checker knows."""
    ffi = cffi.FFI()
    ffi.cdef(declarations(HEADERS))
    return ffi, ffi.dlopen(str(_compile("")))


def load_counting(calls: Sequence[str]) -> tuple[Any, Any]:
    """The same, but with a variable `count_...` for each of these functions of libcrypto's EVP."""
    counters = "".join(f"extern unsigned long count_{call};\n" for call in calls)
    wrappers = "".join(
        f"#define {call}(...) (count_{call}++, {call}(__VA_ARGS__))\n" for call in calls
    )
    with tempfile.NamedTemporaryFile("w", suffix=".h") as header:
        # Defined in each object: with -fcommon the linker makes one of all.
        defined = counters.replace("extern ", "")
        header.write(f"#include <openssl/evp.h>\n{defined}{wrappers}")
        header.flush()
        made = _compile("counting-", "-fcommon", "-include", header.name)
    ffi = cffi.FFI()
    ffi.cdef(declarations(HEADERS) + counters)
    return ffi, ffi.dlopen(str(made))


def octets(data: bytes) -> Any:
    """A C array of exactly these bytes (`ffi.new` would append a zero)."""
    ffi, _ = load()
    array = ffi.new("u8[]", len(data))
    ffi.buffer(array)[:] = data
    return array
