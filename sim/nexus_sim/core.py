# SPDX-License-Identifier: BSD-3-Clause
"""Loads the protocol core of `kernel/proto/` as a Python module.

    core = load()
    received = core.ffi.new("struct nqd_received *")
    core.lib.nqd_received_init(received, 0)
    core.lib.NQD_PN_NONE        # object-like macros and enumerators are attributes too

`core.ffi` and `core.lib` are cffi's. All declarations come from the headers themselves, by way of
the preprocessor, and the C compiler fills in the layouts: no struct is declared twice. Everything
is built on first use into `build/core/`, under a name made from the content of the sources, and
kept.
"""

import enum
import fcntl
import functools
import hashlib
import importlib.util
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cffi
from cffi.recompiler import make_c_source

ROOT: Final = Path(__file__).resolve().parents[2]
_BUILD: Final = ROOT / "build" / "core"
_MODULE: Final = "_nqd_core"

# What the headers of the kernel and of the shim under engine/shim/ define, in the terms of cffi.
_PRELUDE: Final = "".join(
    f"typedef {c_type} {prefix}{name};\n"
    for prefix in ("", "__")
    for name, c_type in {
        **{f"u{bits}": f"uint{bits}_t" for bits in (8, 16, 32)},
        **{f"s{bits}": f"int{bits}_t" for bits in (8, 16, 32)},
        "u64": "unsigned long long",
        "s64": "long long",
    }.items()
) + "".join(f"typedef uint{bits}_t __be{bits};\n" for bits in (16, 32, 64))


class Flavour(enum.Enum):
    """How the core is compiled; the values name flavours of `engine/proto.mk`."""

    CHECKED = "ubsan"
    """Undefined behaviour and broken invariants abort the process."""
    FAST = "m64"
    """As the data plane is compiled: for long simulations."""


@dataclass(frozen=True, slots=True)
class Core:
    """The protocol core, callable.

    Attributes:
        ffi: allocates and converts C objects (`cffi.FFI`).
        lib: functions, enumerators and macros of the core.
    """

    ffi: Any
    lib: Any


class CoreBuildError(Exception):
    """The core could not be compiled; the message holds what the compiler said."""


@functools.cache
def load(flavour: Flavour = Flavour.CHECKED) -> Core:
    """Return the core, compiled first where it has changed.

    Raises:
        CoreBuildError: a tool failed or is missing; `tools/setup` installs them.
    """
    with build_lock():
        path = _build(flavour)
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    if spec is None or spec.loader is None:
        raise CoreBuildError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Core(ffi=module.ffi, lib=module.lib)


@contextmanager
def build_lock() -> Iterator[None]:
    """Let one process build at a time: tests run in parallel."""
    _BUILD.mkdir(parents=True, exist_ok=True)
    with (_BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make(target: str) -> None:
    """Let `engine/proto.mk` bring `target` up to date; the caller holds `build_lock()`.

    Raises:
        CoreBuildError: it failed; the message holds what the compiler said.
    """
    _run(["make", "-s", "-f", "engine/proto.mk", target])


def _headers() -> list[Path]:
    return sorted((ROOT / "kernel" / "proto").glob("*.h"))


def _content_hash(flavour: Flavour) -> str:
    inputs = [Path(__file__), ROOT / "engine" / "proto.mk", *_headers()]
    for folder, pattern in (
        ("kernel/proto", "*.c"),
        ("kernel/uapi", "*.h"),
        ("engine/shim", "**/*.h"),
    ):
        inputs += sorted((ROOT / folder).glob(pattern))
    digest = hashlib.sha256(f"{flavour.value} {_suffix()}".encode())
    for path in inputs:
        content = path.read_bytes()
        digest.update(f"\n{path.relative_to(ROOT)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _suffix() -> str:
    return str(sysconfig.get_config_var("EXT_SUFFIX"))


def _build(flavour: Flavour) -> Path:
    target = _BUILD / f"{_content_hash(flavour)}{_suffix()}"
    if target.exists():
        return target
    make(f"build/proto/{flavour.value}/libnqdproto.a")
    ffi = cffi.FFI()
    ffi.cdef(_declarations())
    includes = "".join(f'#include "{header.name}"\n' for header in _headers())
    wrapper = _BUILD / f"{flavour.value}.c"
    make_c_source(ffi, _MODULE, includes, str(wrapper))
    temporary = _BUILD / f"{flavour.value}.tmp.so"
    library = ROOT / "build" / "proto" / flavour.value / "libnqdproto.a"
    flags = ["-std=gnu11", "-O1", "-fPIC", "-shared", *_include_flags()]
    flags.append(f"-I{sysconfig.get_path('include')}")
    if flavour is Flavour.CHECKED:
        flags.append("-fsanitize=undefined")
    # Everything in the archive, whether the wrappers call it or not.
    archive = ["-Wl,--whole-archive", str(library), "-Wl,--no-whole-archive"]
    _run(["gcc", *flags, "-o", str(temporary), str(wrapper), *archive])
    temporary.replace(target)
    return target


def _include_flags() -> list[str]:
    folders = ("engine/shim", "kernel", "kernel/proto")
    return [f"-I{ROOT / folder}" for folder in folders]


def _run(command: list[str], stdin: str | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise CoreBuildError(f"{command[0]} is missing: run tools/setup") from error
    if done.returncode:
        raise CoreBuildError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def _declarations() -> str:
    """Return what the headers declare, in the subset of C that cffi parses."""
    includes = "".join(f'#include "{header.name}"\n' for header in _headers())
    command = ["gcc", "-std=gnu11", "-D__attribute__(x)=", *_include_flags(), "-xc", "-"]
    text = _only_own_headers(_run([*command, "-E"], includes))
    text = re.sub(r"_Static_assert\s*\([^;]*;", "", text)
    text = _without_bodies(text)
    macros = _integer_macros(_run([*command, "-E", "-dD"], includes))
    # "..." leaves the layout, and any padding, to the C compiler.
    text = re.sub(r"(?m)^(struct \w+ \{\n.*?)^\};", r"\1...;\n};", text, flags=re.DOTALL)
    return _PRELUDE + text + "".join(f"#define {name} ...\n" for name in macros)


def _own_lines(preprocessed: str) -> Iterator[str]:
    """Yield the lines that come from the project's headers, without the shim's."""
    own = False
    for line in preprocessed.splitlines(keepends=True):
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            own = bool(re.search(r"/kernel/", marker[1]))
        elif own:
            yield line


def _only_own_headers(preprocessed: str) -> str:
    return "".join(_own_lines(preprocessed))


def _integer_macros(preprocessed: str) -> list[str]:
    """Return the names of the object-like macros that have an integer as value."""
    lines = "".join(_own_lines(preprocessed))
    return sorted(set(re.findall(r"(?m)^#define (NQD_\w+) (?![\"{])\S", lines)))


def _without_bodies(text: str) -> str:
    """Turn definitions of inline functions into declarations."""
    out = []
    position = 0
    for match in re.finditer(r"\bstatic (?:inline )+", text):
        if match.start() < position:
            continue
        out.append(text[position : match.start()])
        body = text.index("{", match.end())
        out.append(text[match.end() : body].rstrip() + ";\n")
        depth = 1
        position = body + 1
        while depth:
            brace = re.compile(r"[{}]").search(text, position)
            if brace is None:
                raise CoreBuildError("a function in a header has no end")
            depth += 1 if brace[0] == "{" else -1
            position = brace.end()
    out.append(text[position:])
    return "".join(out)
