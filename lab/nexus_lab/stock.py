# SPDX-License-Identifier: BSD-3-Clause
"""Debian's stock kernels: found, downloaded and unpacked into the cache, never installed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus_lab.cache import Entry, content_key
from nexus_lab.choice import Choice, known, remembered
from nexus_lab.errors import LabError
from nexus_lab.kernels import KERNELS, Kernel
from nexus_lab.packages import Archive, Package, newest
from nexus_lab.process import output_of
from nexus_lab.progress import say, step

KIND = "stock"
# The cloud flavour: small, and all that a virtual machine needs.
_FLAVOUR = "cloud-amd64"
_OWN_PACKAGES = re.compile(r"linux-(image|binary|modules|headers|kbuild|base-\d)[\w.+-]*")


@dataclass(frozen=True, slots=True)
class StockKernel:
    """An unpacked stock kernel."""

    release: str
    """What uname -r says, as in 6.1.0-56-cloud-amd64."""
    version: str
    """The package's version, as in 6.1.192-2."""
    image: Path
    modules: Path
    """The folder for the guest's /lib/modules."""
    headers: Path
    """The folder to build modules against."""
    compiler: str
    """What the headers want to be used with, as in gcc-12."""
    note: str


def _series_images(archive: Archive, series: str) -> list[Package]:
    pattern = rf"linux-image-{re.escape(series)}\.[\w.+-]*{_FLAVOUR}"
    found = (archive.show(name) for name in archive.names(pattern))
    return [package for package in found if package]


def series_available(releases: tuple[str, ...]) -> list[str]:
    """Return the series that these releases have a stock kernel of, such as ["6.1", "6.12"]."""
    series: set[str] = set()
    for release in releases:
        try:
            names = Archive(release).names(rf"linux-image-\d+\.\d+\.[\w.+-]*{_FLAVOUR}")
        except LabError:
            continue  # said when it was looked into
        for name in names:
            series.add(".".join(name.removeprefix("linux-image-").split(".")[:2]))
    return sorted(series, key=lambda text: [int(part) for part in text.split(".")])


def _look_for(kernel: Kernel) -> Choice | None:
    """Return the newest patch level of a series in the first release that has it."""
    for release in kernel.releases:
        try:
            archive = Archive(release)
            archive.update()
            images = _series_images(archive, kernel.series)
        except LabError as error:
            say(f"{kernel.name}: {release} is out of reach: {error}")
            continue
        # A kernel without its headers cannot take a module of ours.
        usable = [
            image
            for image in images
            if archive.show(image.name.replace("linux-image-", "linux-headers-"))
        ]
        if usable:
            best = newest(usable)
            return Choice(release, best.name, best.version)
    return None


def _name(kernel: Kernel) -> str:
    return f"stock-{kernel.name}"


def remembered_choice(kernel: Kernel) -> Choice | None:
    """Return what was chosen for a kernel before; asks no network."""
    return known(_name(kernel))


def choose(kernel: Kernel, *, refresh: bool = False) -> Choice:
    """Return the package for a kernel; where its series is gone, the next best, with a note."""

    def look() -> Choice:
        if found := _look_for(kernel):
            return found
        there = ", ".join(series_available(kernel.releases)) or "none"
        gone = f"no stock {kernel.series} kernel in {', '.join(kernel.releases)} (there: {there})"
        for name in kernel.next_best:
            if found := _look_for(KERNELS[name]):
                note = f"{gone}; {name} stands in for it"
                return Choice(found.release, found.package, found.version, note)
        raise LabError(f"{gone}, and none of {', '.join(kernel.next_best)} either")

    return remembered(_name(kernel), look, refresh=refresh)


def _closure(archive: Archive, names: list[str]) -> list[Package]:
    """Return packages with all that they depend on among the kernel's own packages."""
    found: dict[str, Package] = {}
    while names:
        name = names.pop()
        if name in found or not _OWN_PACKAGES.fullmatch(name):
            continue
        if package := archive.show(name):
            found[name] = package
            names.extend(package.depends)
    return list(found.values())


def _mend_paths(root: Path) -> None:
    """Make header packages usable where they lie: their Makefiles name /usr/src outright."""
    for makefile in root.glob("usr/src/linux-headers-*/Makefile"):
        text = makefile.read_text()
        makefile.write_text(re.sub(r"(?<=[\s=])/usr/(src|lib)/", rf"{root}/usr/\1/", text))


def _first(root: Path, *patterns: str) -> Path:
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            return path
    raise LabError(f"the kernel package has no {' or '.join(patterns)}")


def _compiler(headers: Path) -> str:
    """Return the compiler that Debian's headers ask for, as in gcc-12."""
    for text in (headers / name for name in (".kernelvariables", "Makefile")):
        if text.exists() and (match := re.search(r"\bgcc-(\d+)\b", text.read_text())):
            return match[0]
    config = (headers / ".config").read_text()
    if match := re.search(r"(?m)^CONFIG_GCC_VERSION=(\d+)\d{4}$", config):
        return f"gcc-{match[1]}"
    raise LabError(f"{headers} does not say which compiler it wants")


def stock_entry(choice: Choice) -> Entry:
    """Return the cache entry of a stock kernel."""
    return Entry(KIND, f"{choice.package}_{content_key(choice.version, choice.release)}")


def fetch(kernel: Kernel, *, refresh: bool = False) -> StockKernel:
    """Return a stock kernel, downloaded and unpacked when the cache does not have it."""
    choice = choose(kernel, refresh=refresh)
    release = choice.package.removeprefix("linux-image-")

    def fill(folder: Path) -> Mapping[str, Any]:
        archive = Archive(choice.release)
        wanted = _closure(archive, [choice.package, f"linux-headers-{release}"])
        root = folder / "root"
        with archive.downloaded(wanted) as debs, step(f"unpacking {release}"):
            for deb in debs:
                output_of(["dpkg-deb", "-x", str(deb), str(root)])
        _mend_paths(root)
        modules = _first(root, f"usr/lib/modules/{release}/kernel", f"lib/modules/{release}/kernel")
        output_of(["depmod", "-b", str(modules.parents[3]), release])
        image = _first(root, "boot/vmlinuz-*", f"usr/lib/modules/{release}/vmlinuz")
        return {
            "packages": {package.name: package.version for package in wanted},
            "image": str(image.relative_to(folder)),
            "modules": str(modules.parents[1].relative_to(folder)),
            "compiler": _compiler(root / "usr" / "src" / f"linux-headers-{release}"),
        }

    entry = stock_entry(choice)
    facts = entry.make(fill)
    return StockKernel(
        release=release,
        version=choice.version,
        image=entry.folder / facts["image"],
        modules=entry.folder / facts["modules"],
        headers=entry.folder / "root" / "usr" / "src" / f"linux-headers-{release}",
        compiler=facts["compiler"],
        note=choice.note,
    )
