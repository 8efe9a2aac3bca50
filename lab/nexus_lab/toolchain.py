# SPDX-License-Identifier: BSD-3-Clause
"""A compiler that fits a kernel's headers: the host's, or a Debian release in the cache."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus_lab.cache import Entry, cache_root, content_key
from nexus_lab.errors import LabError
from nexus_lab.packages import KEYRING, mirrors
from nexus_lab.process import can_unshare, jailed, run_logged

KIND = "toolchain"
# The release whose compiler and libraries go with the headers that want it.
_RELEASES = {"gcc-12": "bookworm", "gcc-14": "trixie"}
# make and what Debian's kbuild programs and BTF need: libelf, libssl, pahole.
_PACKAGES = {
    "bookworm": ("make", "dwarves", "libelf1", "libssl3"),
    "trixie": ("make", "pahole", "libelf1t64", "libssl3t64"),
}
_IN_ROOT = """
set -e
root=$1; shift
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --rbind "$1" "$root$1"
    shift
done
shift
mount -t proc proc "$root/proc"
exec chroot "$root" "$@"
"""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Where to run make for a kernel's modules."""

    compiler: str
    root: Path | None
    """The folder to change root to; None is the host itself."""

    def command(self, argv: Sequence[str], folders: Sequence[Path]) -> list[str]:
        """Wrap a command so that it runs with this compiler and sees these folders."""
        if self.root is None:
            return list(argv)
        visible = [str(folder) for folder in folders]
        return ["sh", "-c", _IN_ROOT, "sh", str(self.root), *visible, "--", *argv]


def _host_fits(compiler: str) -> bool:
    """Say whether the host has that compiler, and libraries as new as its release's."""
    if not shutil.which(compiler):
        return False
    wanted = {"bookworm": 12, "trixie": 13}[_RELEASES[compiler]]
    facts = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text().splitlines()
        if "=" in line
    )
    version = facts.get("VERSION_ID", "").strip('"')
    # Testing and unstable have no number yet: newer than any named here.
    return facts.get("ID") == "debian" and (not version.isdigit() or int(version) >= wanted)


def toolchain_entry(compiler: str) -> Entry | None:
    """Return the cache entry of a compiler's release, None where the host's own serves."""
    if compiler not in _RELEASES or _host_fits(compiler):
        return None
    release = _RELEASES[compiler]
    return Entry(KIND, f"{release}_{content_key(compiler, *_PACKAGES[release])}")


def toolchain(compiler: str) -> Toolchain:
    """Return what builds with `compiler`, made first when neither host nor cache has it."""
    if compiler not in _RELEASES and not shutil.which(compiler):
        raise LabError(f"the kernel wants {compiler}, which is neither here nor known to the lab")
    entry = toolchain_entry(compiler)
    if entry is None:
        return Toolchain(compiler, None)
    release = _RELEASES[compiler]

    def fill(folder: Path) -> Mapping[str, Any]:
        if not shutil.which("debootstrap"):
            raise LabError("debootstrap is missing: run tools/setup as root")
        packages = ",".join((compiler, *_PACKAGES[release]))
        run_logged(
            [
                *("debootstrap", "--variant=minbase", f"--include={packages}"),
                *(f"--keyring={KEYRING}", "--force-check-gpg"),
                *(release, str(folder / "root"), mirrors()[0]),
            ],
            f"{compiler}: a {release} folder",
            folder / "debootstrap.log",
        )
        archives = folder / "root/var/cache/apt/archives"
        subprocess.run(["sh", "-c", f"rm -f {archives}/*.deb"], check=True)
        return {"release": release}

    entry.make(fill)
    return Toolchain(compiler, entry.folder / "root")


def run_make(
    tools: Toolchain, argv: Sequence[str], folders: Sequence[Path]
) -> subprocess.CompletedProcess[str]:
    """Run make with a toolchain; the cache and `folders` are visible under their own paths."""
    if tools.root and not can_unshare():
        raise LabError(
            f"{tools.compiler} lies in a folder of its own: that takes the right to mount"
        )
    return subprocess.run(
        jailed(tools.command(argv, [cache_root(), *folders])),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
