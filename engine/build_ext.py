# SPDX-License-Identifier: BSD-3-Clause
"""Builds `nexusnet._engine`, the user-space data plane as an extension module (cffi, API mode).

setuptools finds :data:`ffibuilder` through setup.py. In a checkout, `python engine/build_ext.py`
builds it in place, and does nothing when the sources have not changed.

What the module declares is taken from the headers: nothing is written down twice.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cffi

ROOT = Path(__file__).resolve().parent.parent
MODULE = "nexusnet._engine"
HEADERS = "".join(
    f'#include "{name}.h"\n' for name in ("engine", "hmac", "initial", "inspect", "relay")
)
INCLUDES = ["engine/shim", "engine", "kernel", "kernel/proto"]
# Linked as one program: a packet passes a dozen small functions of the core, in as many files.
OPTIMISE = ["-O3", "-flto=auto"]
FLAGS = ["-std=gnu11", *OPTIMISE, "-g", "-fno-strict-aliasing", "-D_GNU_SOURCE"]
# Structs and enums of other headers that appear in these; the rest stays opaque.
SHARED = [
    "enum nqd_cipher_suite", "enum nqd_congestion", "enum nqd_session_state",
    "enum nqd_drop_reason", "enum nqe_screen_verdict",
    "struct nqd_pn_range", "struct nqd_ecn_counts", "struct nqd_keys_config",
    "struct nqd_recovery_config", "struct nqd_conn_config", "struct nqd_conn_stats",
    "enum nqe_tun_offload", "enum nqe_udp_offload", "struct nqe_address",
    "struct nqe_udp",
]  # fmt: skip
CONSTANTS = [
    "NQD_LOCAL_CIDS_MAX", "NQD_PEER_CIDS_MAX", "NQD_CID_MAX_LEN", "NQE_RESET_TOKEN",
    "NQE_TUN_NAME", "NQE_CRYPTO_MAX_KEY", "NQE_CRYPTO_IV", "NQE_CRYPTO_MAX_SECRET",
    "NQE_AUTHENTICATOR_KEY", "NQE_AUTHENTICATOR_PLAINTEXT", "NQE_HELLO_RANDOM",
    "NQE_RELAY_CIDS", "NQE_RELAY_CID_LEN", "NQE_RELAY_READY",
]  # fmt: skip
# The kernel's type names, and what is used by pointer alone.
PRELUDE = """
typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef unsigned long long u64;
typedef int8_t s8; typedef int16_t s16; typedef int32_t s32; typedef long long s64;
typedef u8 __u8; typedef u16 __u16; typedef u32 __u32; typedef u64 __u64;
struct nqd_sent_packet; struct nqd_control_slot;
u32 nqe_crypto_key_len(u32 suite);
"""


def sources() -> list[Path]:
    """C files of the engine and of the protocol core."""
    return sorted([*ROOT.glob("engine/*.c"), *ROOT.glob("kernel/proto/*.c")])


def _preprocessed() -> str:
    command = [
        *(os.environ.get("CC") or "gcc").split(), "-E", "-P", "-D_GNU_SOURCE",
        *(f"-I{ROOT / folder}" for folder in INCLUDES), "-",
    ]  # fmt: skip
    done = subprocess.run(command, check=True, input=HEADERS, capture_output=True, text=True)
    return done.stdout


def _definition(text: str, name: str) -> str:
    match = re.search(rf"^{name}\s*\{{.*?^\}};", text, re.MULTILINE | re.DOTALL)
    if match is None:
        raise SystemExit(
            f"{name} is in no header of the engine: engine/build_ext.py names it in vain"
        )
    return match[0]


def declarations() -> str:
    """The interface as cffi reads it."""
    text = _preprocessed()
    shared = [_definition(text, name) for name in SHARED]
    # What engine.h includes comes first: all of the rest, from the first thing that it declares.
    own = text[text.index("struct nqe_engine;") :]
    macros = [f"#define {name} ..." for name in (*CONSTANTS, *_event_flags())]
    return "\n".join([PRELUDE, *shared, own, *macros])


def _event_flags() -> list[str]:
    headers = [ROOT / "kernel" / "proto" / "conn.h", ROOT / "engine" / "engine.h"]
    pattern = re.compile(r"#define (NQD_CONN_EVENT_\w+|NQE_EVENT_FLAG_\w+)")
    return [name for path in headers for name in pattern.findall(path.read_text())]


def _extra_flags() -> list[str]:
    """Flags of a caller who wants sanitizers, say."""
    return os.environ.get("NEXUS_ENGINE_CFLAGS", "").split()


def _builder(base: Path | None) -> cffi.FFI:
    """The extension; `base`: the folder that paths are relative to, None for absolute ones."""

    def name(path: Path) -> str:
        return str(path) if base is None else os.path.relpath(path, base)

    builder = cffi.FFI()
    builder.cdef(declarations())
    builder.set_source(
        MODULE,
        HEADERS,
        sources=[name(path) for path in sources()],
        include_dirs=[name(ROOT / folder) for folder in INCLUDES],
        extra_compile_args=[*FLAGS, *_extra_flags()],
        extra_link_args=[*OPTIMISE, *_extra_flags()],
        libraries=["crypto"],
    )
    return builder


def _digest() -> str:
    inputs = [*sources(), *ROOT.glob("engine/**/*.h"), *ROOT.glob("kernel/**/*.h"), Path(__file__)]
    blob = b"".join(path.read_bytes() for path in sorted(inputs))
    return hashlib.sha256(
        blob + sys.version.encode() + repr((FLAGS, _extra_flags())).encode()
    ).hexdigest()


def build(folder: Path) -> Path:
    """Compile into `folder` unless what is there is up to date; returns the module's path."""
    target = folder / "_engine.abi3.so"
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    stamp = ROOT / "build" / f"engine-ext-{name}" / "stamp"
    digest = _digest()
    if target.exists() and stamp.exists() and stamp.read_text() == digest:
        return target
    stamp.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    built = Path(_builder(None).compile(tmpdir=str(stamp.parent)))
    # Renamed, not overwritten: a running process has the old one mapped.
    fresh = target.with_suffix(".new")
    shutil.copy2(built, fresh)
    fresh.rename(target)
    stamp.write_text(digest)
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("src") / "nexusnet", help="folder")
    print(build(ROOT / parser.parse_args().into).relative_to(ROOT))
else:
    ffibuilder = _builder(Path.cwd())  # setuptools insists on relative paths
