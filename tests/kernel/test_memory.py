# SPDX-License-Identifier: BSD-3-Clause
"""Keys are nowhere in a kernel's memory once their session is deleted.

User-Mode Linux keeps its memory in a file that the host can read, all of it: page cache, stacks,
freed objects.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nexus_lab import Lab
from nexusnet.quic.keys import CipherSuite, derive_packet_keys, next_secret
from tests.kernel.conftest import ROOT, Modules
from tests.kernel.memory_guest import V1, V2, attribute_headers, byte_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
KERNEL = "uml-debug"
PIECE, OVERLAP = 1 << 22, 64


def secret(prefix: str, name: str, length: int) -> bytes:
    return bytes(byte_of(prefix + name, index) for index in range(length))


def patterns() -> dict[str, bytes]:
    """All that must vanish: what was installed, and what the kernel derived of it."""
    found = {f"v1 {name}": secret("v1 ", name, length) for name, length in V1.items()}
    found |= {f"v2 {name}": secret("v2 ", name, length) for name, length in V2.items()}
    found |= {f"request's {name}": head + found[name] for name, head in attribute_headers().items()}
    for way in ("tx", "rx"):
        traffic = found[f"v2 {way}"]
        for generation in range(3):
            keys = derive_packet_keys(CipherSuite.AES_128_GCM, traffic)
            found[f"v2 {way} key of generation {generation}"] = keys.key
            found[f"v2 {way} IV of generation {generation}"] = keys.iv
            found[f"v2 {way} secret of generation {generation}"] = traffic
            traffic = next_secret(CipherSuite.AES_128_GCM, traffic)
    return found


def parent(pid: int) -> int:
    text = Path(f"/proc/{pid}/stat").read_text()
    return int(text.rpartition(")")[2].split()[1])


def is_ours(pid: int) -> bool:
    """Whether a process descends from this one."""
    while pid > 1:
        if pid == os.getpid():
            return True
        pid = parent(pid)
    return False


def memory_file() -> Path:
    """The file of the kernel that this test has started."""
    found: dict[int, Path] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if not is_ours(int(process.name)):
                continue
            for link in (process / "fd").iterdir():
                target = str(link.readlink())
                # Made without a name, in the folder that the lab gives its kernel (lab's uml.py).
                if "/private/#" in target and target.endswith("(deleted)"):
                    found[link.stat().st_ino] = link
        except OSError:  # it has ended
            continue
    (path,) = found.values()
    return path


def pieces(descriptor: int) -> Iterator[bytes]:
    """What is in a file, without its holes; neighbours overlap by more than a pattern."""
    at = 0
    while True:
        try:
            at = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError:  # there is no more
            return
        end = os.lseek(descriptor, at, os.SEEK_HOLE)
        while at < end:
            yield os.pread(descriptor, min(PIECE + OVERLAP, end - at), at)
            at += PIECE
        at = end


def present(wanted: dict[str, bytes]) -> dict[str, int]:
    """How often each pattern is in the kernel's memory, those that are."""
    counts: dict[str, int] = {}
    with memory_file().open("rb") as file:
        for piece in pieces(file.fileno()):
            for name, pattern in wanted.items():
                # What begins in the overlap is counted by the next piece.
                here = piece.count(pattern, 0, PIECE + len(pattern) - 1)
                if here:
                    counts[name] = counts.get(name, 0) + here
    return counts


Seen = dict[str, dict[str, int]]


@pytest.fixture(scope="module")
def seen(modules: Callable[[str], Modules], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What was in memory while the sessions lived, and after they were deleted."""
    seen: Seen = {}
    tmp_path = tmp_path_factory.mktemp("memory")
    wanted = patterns()
    failures: list[str] = []

    def look(piece: bytes) -> None:
        for stage in piece.decode().split():
            try:
                seen[stage] = present(wanted)
            except Exception as error:  # noqa: BLE001  # this is the lab's thread
                failures.append(repr(error))
            (tmp_path / f"{stage}.seen").touch()

    module, _ = modules(KERNEL)
    command = [sys.executable, "-m", "tests.kernel.memory_guest", str(module)]
    result = Lab().run(KERNEL, command, cwd=ROOT, out=tmp_path, timeout=600, on_stdout=look)
    assert result.passed, (result.problems, result.stderr.decode())
    assert not failures
    return seen


def test_secrets_wiped_from_request(seen: Seen) -> None:
    """What came by netlink is nowhere as it came, in its attribute."""
    # In use: the search would find what is there.
    assert seen["installed"]["v1 tx_key"] == 1, seen
    assert seen["installed"]["v2 tx key of generation 0"] == 1, seen
    # Twice: what a cipher got last may still be on a stack too.
    assert max(seen["installed"].values()) <= 2, seen
    # Keys have been derived of these: nobody needs them any more.
    for way in ("tx", "rx"):
        assert f"v2 {way}" not in seen["installed"], seen
    assert not [name for name in seen["installed"] if name.startswith("request's")], seen


def test_secrets_wiped_after_delete(seen: Seen) -> None:
    assert seen["deleted"] == {}, seen
