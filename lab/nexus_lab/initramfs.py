# SPDX-License-Identifier: BSD-3-Clause
"""A minimal initramfs for stock kernels: busybox, an init script, the root's modules."""

import gzip
import lzma
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from nexus_lab.errors import LabError
from nexus_lab.machine import DATA

# What a guest must have before it sees the host's root; what a kernel has built in is left out.
NEEDED = ("virtio_pci", "virtio_console", "virtio_rng", "virtiofs", "overlay")

_REGULAR, _FOLDER = 0o100000, 0o040000


def _member(name: str, mode: int, data: bytes, number: int) -> bytes:
    """Return one member of a cpio archive, "newc" format (buffer-format.rst of the kernel)."""
    path = name.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, two device numbers, two more, name size, checksum
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def archive(files: Iterable[tuple[str, int, bytes]]) -> bytes:
    """Return a cpio archive of (path, mode with type bits, content), in that order."""
    members = [_member(name, mode, data, i) for i, (name, mode, data) in enumerate(files, 1)]
    return b"".join(members) + _member("TRAILER!!!", 0, b"", 0)


def _content(module: Path) -> bytes:
    """Return a module as insmod of busybox takes it, unpacked."""
    match module.suffix:
        case ".xz":
            return lzma.decompress(module.read_bytes())
        case ".gz":
            return gzip.decompress(module.read_bytes())
        case ".zst":
            return subprocess.run(
                ["zstd", "-dcq", str(module)], check=True, capture_output=True
            ).stdout
        case _:
            return module.read_bytes()


def module_order(modules: Path, wanted: Iterable[str]) -> list[Path]:
    """Return the files of modules and all they depend on, what is used before its users.

    Args:
        modules: a lib/modules/RELEASE folder with a modules.dep.
        wanted: module names; those not there are taken to be built in.
    """
    depends: dict[str, list[str]] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        file, _, rest = line.partition(":")
        depends[file] = rest.split()
    by_name = {Path(file).name.split(".ko")[0].replace("-", "_"): file for file in depends}
    ordered: dict[str, None] = {}

    def add(file: str) -> None:
        for dependency in reversed(depends[file]):
            if dependency not in ordered:
                add(dependency)
        ordered[file] = None

    for name in wanted:
        if name in by_name:
            add(by_name[name])
    return [modules / file for file in ordered]


def build(modules: Path) -> bytes:
    """Return the initramfs for the kernel whose lib/modules/RELEASE folder is given."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise LabError("busybox is missing: run tools/setup as root (package busybox-static)")
    files = [
        ("bin", _FOLDER | 0o755, b""),
        ("modules", _FOLDER | 0o755, b""),
        ("bin/busybox", _REGULAR | 0o755, Path(busybox).read_bytes()),
        ("init", _REGULAR | 0o755, (DATA / "qemu" / "init").read_bytes()),
    ]
    for position, module in enumerate(module_order(modules, NEEDED)):
        name = module.name.split(".ko")[0]
        files.append((f"modules/{position:02}-{name}.ko", _REGULAR | 0o644, _content(module)))
    return archive(files)
