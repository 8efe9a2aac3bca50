# SPDX-License-Identifier: BSD-3-Clause
"""Drops from the cache what nothing uses any more."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from nexus_lab import source, stock, toolchain, uml
from nexus_lab.cache import cache_root, entries, locked
from nexus_lab.kernels import KERNELS, Home


def _in_use() -> set[Path]:
    """Return the folders that the kernels as they are now stand on."""
    used: set[Path] = set()
    for kernel in KERNELS.values():
        if kernel.home is Home.UML:
            tree = source.cached(kernel)
            if tree:
                used |= {tree.folder.parent, uml.entry_for(kernel, tree).folder}
            continue
        choice = stock.remembered_choice(kernel)
        if choice:
            entry = stock.stock_entry(choice)
            used.add(entry.folder)
            tools = toolchain.toolchain_entry((entry.facts() or {}).get("compiler", ""))
            if tools:
                used.add(tools.folder)
    return used


def drop(*, everything: bool = False) -> Iterator[Path]:
    """Remove superseded entries, or all there is; yields what was removed."""
    used = set() if everything else _in_use()
    for kind in (source.KIND, uml.KIND, stock.KIND, toolchain.KIND):
        for entry in entries(kind):
            if entry.folder in used:
                continue
            with locked(f"{entry.kind}-{entry.key}"):
                shutil.rmtree(entry.folder, ignore_errors=True)
            yield entry.folder
    if everything:
        for name in ("apt", "choices"):
            shutil.rmtree(cache_root() / name, ignore_errors=True)
            yield cache_root() / name
