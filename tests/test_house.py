# SPDX-License-Identifier: BSD-3-Clause
"""Rules that hold for the whole tree: licences, file sizes, no machine's paths."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE_SUFFIXES = {".py", ".c", ".h", ".S", ".sh", ".yaml", ".toml"}
MAX_LINES = 700
# One file is the point of it: every number and layout of the netlink ABI.
SPECIFICATION = "spec/nexus_quic_dco.yaml"


def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def source_files() -> list[Path]:
    return [path for path in tracked_files() if path.suffix in SOURCE_SUFFIXES]


def is_generated(path: Path) -> bool:
    return "generated" in path.read_text(errors="replace")[:400].lower()


def expected_licence(path: Path) -> str:
    relative = path.relative_to(ROOT).as_posix()
    if relative.startswith("kernel/proto/"):
        return "GPL-2.0 OR BSD-3-Clause"
    if relative.startswith("kernel/"):
        return "GPL-2.0"
    return "BSD-3-Clause"


@pytest.mark.parametrize("path", source_files(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_source_names_its_licence(path: Path) -> None:
    head = path.read_text()[:500]
    match = re.search(r"(?m)SPDX-License-Identifier:\s*(?P<id>[^*\n]+?)\s*(\*/|-->)?\s*$", head)
    assert match, f"{path} has no SPDX line"
    # UAPI headers are linked into programs of any licence.
    allowed = {expected_licence(path), expected_licence(path) + " WITH Linux-syscall-note"}
    if path.suffix in {".h", ".yaml"}:
        allowed.add("((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)")
    assert match["id"] in allowed


def test_files_hold_one_concept() -> None:
    too_long = {
        path.relative_to(ROOT).as_posix(): count
        for path in source_files()
        if not is_generated(path)
        and path.relative_to(ROOT).as_posix() != SPECIFICATION
        and (count := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not too_long, f"longer than {MAX_LINES} lines: split them"


def test_no_path_or_host_of_a_machine() -> None:
    machine = re.compile(
        r"(?<![\w.$}])/(work|home|farm)/\w|snapshot\.debian\.org|deb\.debian\.org|pypi\.org"
    )
    found = [
        path.relative_to(ROOT).as_posix()
        for path in tracked_files()
        if path.suffix not in {".pcap", ".png"}
        and path != Path(__file__)
        and machine.search(path.read_text(errors="replace"))
    ]
    assert not found
