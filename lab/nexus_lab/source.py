# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's source from Debian's linux-source package, patched, unpacked once into the cache."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus_lab.cache import Entry, content_key
from nexus_lab.choice import Choice, known, remembered
from nexus_lab.errors import LabError
from nexus_lab.kernels import Kernel
from nexus_lab.machine import DATA
from nexus_lab.packages import Archive
from nexus_lab.process import output_of
from nexus_lab.progress import say, step

KIND = "source"

# Patches in the order they are tried, and what is lost without each.
PATCHES = {
    "uml-accel-crypto.patch": "no accelerated crypto: AES-GCM is some 70 times slower",
    "uml-frame-stacktrace.patch": "slow stack traces: uml-debug boots in 10 s instead of 2",
    "uml-kasan-vmalloc.patch": "uml-debug may take all of this machine's memory",
    "uml-lazy-ipi.patch": "an interrupt disable is a host system call: 4 times fewer packets",
}


@dataclass(frozen=True, slots=True)
class Source:
    """An unpacked kernel source."""

    folder: Path
    series: str
    version: str
    """The package's version, as in 7.3.4-1~bpo13+1."""
    key: str
    patches: tuple[str, ...]
    """Those that were applied."""
    losses: tuple[str, ...]
    """What is missing against the lab's wishes, in words."""


def _name(kernel: Kernel) -> str:
    return f"source-{kernel.series}"


def choose(kernel: Kernel, *, refresh: bool = False) -> Choice:
    """Return the source package for a kernel; where its series is gone, the next best."""

    def look() -> Choice:
        there: list[str] = []
        for release in kernel.releases:
            try:
                archive = Archive(release)
                there += archive.names(r"linux-source-\d+\.\d+")
            except LabError as error:
                say(f"{kernel.name}: {release} is out of reach: {error}")
                continue
            for series in (kernel.series, *kernel.next_best):
                if package := archive.show(f"linux-source-{series}"):
                    gone = f"no linux-source-{kernel.series} (there: {', '.join(there)})"
                    note = "" if series == kernel.series else f"{gone}; built from {series}"
                    return Choice(release, package.name, package.version, note)
        raise LabError(f"no usable linux-source package (there: {', '.join(there) or 'none'})")

    return remembered(_name(kernel), look, refresh=refresh)


def _apply(tree: Path) -> tuple[list[str], list[str]]:
    """Apply the patches that fit. Returns their names, and what is lost without the others."""
    applied, losses = [], []
    for name, loss in PATCHES.items():
        command = ["patch", "-p1", "--force", "--silent", "-i", str(DATA / "uml/patches" / name)]
        trial = subprocess.run(
            [*command, "--dry-run"], check=False, capture_output=True, text=True, cwd=tree
        )
        if trial.returncode:
            losses.append(f"{name} does not fit this source: {loss}")
            continue
        subprocess.run(command, check=True, capture_output=True, cwd=tree)
        applied.append(name)
    return applied, losses


def fetch(kernel: Kernel, *, refresh: bool = False) -> Source:
    """Return the source a kernel is built from, unpacked when the cache does not have it."""
    choice = choose(kernel, refresh=refresh)

    def fill(folder: Path) -> Mapping[str, Any]:
        archive = Archive(choice.release)
        package = archive.show(choice.package)
        if package is None:
            raise LabError(f"{choice.package} is gone; try `nexus-lab prepare --refresh`")
        tree = folder / "linux"
        with archive.downloaded([package]) as (deb,), step(f"unpacking {choice.package}"):
            output_of(["dpkg-deb", "-x", str(deb), str(folder / "deb")])
            (packed,) = (folder / "deb" / "usr" / "src").glob("*.tar.*")
            tree.mkdir()
            output_of(["tar", "-xf", str(packed), "-C", str(tree), "--strip-components=1"])
            output_of(["rm", "-rf", str(folder / "deb")])
        applied, losses = _apply(tree)
        return {"version": package.version, "patches": applied, "losses": losses}

    entry = _entry(choice)
    entry.make(fill)
    found = _unpacked(choice)
    if found is None:
        raise LabError(f"the cache entry {entry.folder} vanished while it was in use")
    return found


def _entry(choice: Choice) -> Entry:
    patches = [(DATA / "uml/patches" / name).read_bytes() for name in PATCHES]
    return Entry(KIND, f"{choice.package}_{content_key(choice.version, *patches)}")


def _unpacked(choice: Choice) -> Source | None:
    entry = _entry(choice)
    facts = entry.facts()
    if facts is None:
        return None
    losses = ([choice.note] if choice.note else []) + facts["losses"]
    return Source(
        folder=entry.folder / "linux",
        series=choice.package.removeprefix("linux-source-"),
        version=facts["version"],
        key=entry.key,
        patches=tuple(facts["patches"]),
        losses=tuple(losses),
    )


def cached(kernel: Kernel) -> Source | None:
    """Return the source a kernel is built from if the cache has it; asks no network."""
    choice = known(_name(kernel))
    return _unpacked(choice) if choice else None
