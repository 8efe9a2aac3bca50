# SPDX-License-Identifier: BSD-3-Clause
"""Builds an out-of-tree module for a kernel, leaving its source folder as it is."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from nexus_lab.cache import fit_for_make
from nexus_lab.errors import LabError
from nexus_lab.process import TAIL
from nexus_lab.progress import step
from nexus_lab.toolchain import Toolchain, run_make

_MANIFEST = ".nexus-lab.json"
# What builds leave behind; a source folder someone built in must not leak it into ours.
_PRODUCTS = (".o", ".ko", ".mod", ".mod.c", ".cmd", ".a", ".order", ".symvers", ".mod.o", ".d")


@dataclass(frozen=True, slots=True)
class Built:
    """A module build that succeeded."""

    kernel: str
    release: str
    folder: Path
    modules: tuple[Path, ...]
    """The .ko files."""
    warnings: tuple[str, ...]
    """The compiler's, one line each."""
    output: str
    """All that make printed."""


@dataclass(frozen=True, slots=True)
class BuildTarget:
    """What a module is built against."""

    kernel: str
    release: str
    objects: Path
    """The kernel's build folder or headers."""
    make_arguments: tuple[str, ...]
    tools: Toolchain


def _sources(folder: Path) -> list[Path]:
    found = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and not path.name.endswith(_PRODUCTS):
            found.append(path.relative_to(folder))
    return found


def mirror(source: Path, build: Path) -> None:
    """Bring a build folder's copy of the sources up to date; objects of unchanged ones stay."""
    wanted = _sources(source)
    if not wanted:
        raise LabError(f"{source} has no files to build")
    manifest = build / _MANIFEST
    build.mkdir(parents=True, exist_ok=True)
    try:
        before = [Path(name) for name in json.loads(manifest.read_text())]
    except (FileNotFoundError, json.JSONDecodeError):
        before = []
    for path in set(before) - set(wanted):
        (build / path).unlink(missing_ok=True)
    manifest.write_text(json.dumps([path.as_posix() for path in wanted]))
    for path in wanted:
        origin, copy = source / path, build / path
        facts = origin.stat()
        if copy.exists():
            have = copy.stat()
            if (have.st_size, have.st_mtime_ns) == (facts.st_size, facts.st_mtime_ns):
                continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(origin, copy)


def build_module(target: BuildTarget, source: Path, build: Path) -> Built:
    """Build the module in `source` (a folder with a Kbuild or Makefile) for a kernel.

    Args:
        target: the kernel.
        source: the module's folder; nothing in it is changed.
        build: where to build, made when missing.

    Raises:
        LabError: with the end of what make printed.
    """
    source, build = source.resolve(), build.absolute()
    if not (source / "Kbuild").exists() and not (source / "Makefile").exists():
        raise LabError(f"{source} has neither a Kbuild nor a Makefile")
    if not fit_for_make(build):
        raise LabError(f"kernel modules cannot be built in {build}: name another folder (--output)")
    mirror(source, build)
    for stale in build.rglob("*.ko"):
        stale.unlink()
    jobs = os.cpu_count() or 1
    command = [
        *("make", "-C", str(target.objects), f"M={build}", f"CC={target.tools.compiler}"),
        *(f"-j{jobs}", "--no-print-directory", *target.make_arguments, "modules"),
    ]
    with step(f"{target.kernel}: building {source.name}"):
        done = run_make(target.tools, command, [build])
    (build / "build.log").write_text(done.stdout)
    modules = tuple(sorted(build.rglob("*.ko")))
    if done.returncode or not modules:
        tail = "\n".join(done.stdout.splitlines()[-TAIL:])
        raise LabError(f"{source.name} does not build for {target.kernel}:\n{tail}")
    warnings = tuple(
        line for line in done.stdout.splitlines() if ": warning: " in line or "WARNING: " in line
    )
    return Built(target.kernel, target.release, build, modules, warnings, done.stdout)
