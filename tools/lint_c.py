# SPDX-License-Identifier: BSD-3-Clause
"""checkpatch, kernel-doc and sparse over the C of the kernel side: `python -m tools.lint_c`.

The first two come with a kernel source: the lab's (`nexus-lab prepare uml-debug` fetches it), or
what $KERNEL_SOURCE names. What is missing is named and skipped; a finding ends it with 1.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from nexus_lab.cache import cache_root

ROOT: Final = Path(__file__).resolve().parent.parent
LINE_LENGTH: Final = 110

# What checkpatch has wrong here, or means as a matter of taste.
IGNORED: Final = {
    "TYPO_SPELLING": "RFC 9000 spells acknowledgement both ways",
    "BIT_MACRO": "the RFCs write limits as powers of two, and so do we",
    "NEW_TYPEDEFS": "there are none; user space headers have theirs",
}
# glibc declares with attributes that sparse does not know; kernel headers have none of these.
SPARSE_NOISE: Final = re.compile(r"unknown attribute '|note: in included file")


def sources(*suffixes: str) -> list[Path]:
    """Return the tracked C files of kernel/ that people write, with these suffixes."""
    listing = subprocess.run(
        ["git", "ls-files", "kernel"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    found = [ROOT / name for name in listing.splitlines() if Path(name).suffix in suffixes]
    return [path for path in found if path.is_file() and "enerated" not in path.read_text()[:400]]


def kernel_source() -> Path | None:
    """Return a kernel source with checkpatch, the newest the lab has."""
    named = os.environ.get("KERNEL_SOURCE")
    folders = [Path(named)] if named else sorted(cache_root().glob("source/*/linux"), reverse=True)
    return next((path for path in folders if (path / "scripts/checkpatch.pl").exists()), None)


def run(command: list[str | Path]) -> list[str]:
    """Return the lines that a checker prints, on either channel."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]


def checkpatch(source: Path, files: list[Path]) -> list[str]:
    """Return what checkpatch says in its strict mode."""
    options = [f"--max-line-length={LINE_LENGTH}", f"--ignore={','.join(IGNORED)}"]
    script = source / "scripts/checkpatch.pl"
    lines = run([script, "--no-tree", "--terse", "--strict", *options, "--file", *files])
    return [line for line in lines if not line.startswith("total:")]


def kernel_doc(source: Path, files: list[Path]) -> list[str]:
    """Return what is wrong or missing in kernel-doc comments."""
    return run([source / "scripts/kernel-doc", "-none", "-Wall", *files])


def sparse(files: list[Path]) -> list[str]:
    """Return what sparse says of the protocol core, which compiles against the shim."""
    folders = [f"-I{ROOT / name}" for name in ("engine/shim", "kernel", "kernel/proto")]
    found = []
    for path in files:
        if path.parent.name == "proto":
            found += run(["sparse", "-std=gnu11", "-Wsparse-all", *folders, path])
    return [line for line in found if not SPARSE_NOISE.search(line)]


def report(name: str, findings: list[str], files: list[Path]) -> bool:
    """Print what a checker found; return whether that was nothing."""
    if not findings:
        print(f"{name}: clean ({len(files)} files)")
        return True
    print("\n".join(findings))
    print(f"{name}: {len(findings)} findings")
    return False


def main() -> int:
    """Run what can be run."""
    everything, code = sources(".c", ".h"), sources(".c")
    clean = True
    source = kernel_source()
    for name, checker in (("checkpatch", checkpatch), ("kernel-doc", kernel_doc)):
        if source is None:
            print(f"{name}: not run: no kernel source; 'nexus-lab prepare uml-debug' fetches one")
        else:
            clean &= report(name, checker(source, everything), everything)
    if shutil.which("sparse"):
        clean &= report("sparse", sparse(code), code)
    else:
        print("sparse: not run: not installed; tools/setup installs it")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
