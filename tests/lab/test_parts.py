# SPDX-License-Identifier: BSD-3-Clause
"""The lab's parts that need no kernel: cache, archive, module sources, jail."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nexus_lab import LabError, initramfs, runtime
from nexus_lab.cache import STAMP, Entry, cache_root, content_key
from nexus_lab.kernels import KERNELS, kernel_named
from nexus_lab.machine import DATA
from nexus_lab.module import mirror
from nexus_lab.process import can_unshare, jailed
from nexus_lab.uml import configuration, last_words, not_taken


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEXUS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_was_only_half_made_does_not_count(cache: Path) -> None:
    entry = Entry("thing", "1")

    def fail(folder: Path) -> dict[str, str]:
        (folder / "half").touch()
        raise LabError("the download broke off")

    with pytest.raises(LabError):
        entry.make(fail)
    assert entry.facts() is None

    def succeed(folder: Path) -> dict[str, str]:
        assert not list(folder.iterdir())
        return {"fact": "x"}

    assert entry.make(succeed)["fact"] == "x"
    assert entry.make(fail)["fact"] == "x"
    (entry.folder / STAMP).unlink()
    assert entry.facts() is None


MAKE_ONCE = """
import sys, time
from pathlib import Path
from nexus_lab.cache import Entry
def fill(folder):
    with open(sys.argv[1], "a") as made:
        made.write("made\\n")
    time.sleep(1)
    return {}
Entry("thing", "1").make(fill)
"""


def test_two_runs_at_once_make_a_thing_once(cache: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    runs = [
        subprocess.Popen([sys.executable, "-c", MAKE_ONCE, str(made)], env={**os.environ})
        for _ in range(2)
    ]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert made.read_text() == "made\n"


def test_keys_depend_on_each_part_and_its_limits() -> None:
    keys = [content_key("ab", "c"), content_key("a", "bc"), content_key("abc"), content_key()]
    assert len(set(keys)) == len(keys)


def test_the_cache_lies_where_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEXUS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_root() == Path("/x/nexusnet")
    monkeypatch.setenv("NEXUS_CACHE", "/y")
    assert cache_root() == Path("/y")
    monkeypatch.setenv("NEXUS_CACHE", "/y y")
    with pytest.raises(LabError, match="NEXUS_CACHE"):
        cache_root()


def test_an_initramfs_is_a_cpio_archive(tmp_path: Path) -> None:
    made = initramfs.archive(
        [("bin", 0o040755, b""), ("bin/tool", 0o100755, b"#!"), ("odd", 0o100644, b"abcde")]
    )
    listing = subprocess.run(
        ["cpio", "-itv", "--quiet"], input=made, capture_output=True, check=True
    ).stdout.decode()
    assert [line.split()[-1] for line in listing.splitlines()] == ["bin", "bin/tool", "odd"]
    subprocess.run(["cpio", "-id", "--quiet"], input=made, cwd=tmp_path, check=True)
    assert (tmp_path / "odd").read_bytes() == b"abcde"
    assert os.access(tmp_path / "bin/tool", os.X_OK)


def test_modules_load_after_what_they_use(tmp_path: Path) -> None:
    (tmp_path / "modules.dep").write_text(
        "kernel/a.ko.xz:\nkernel/b.ko.xz: kernel/a.ko.xz\n"
        "kernel/c-d.ko.xz: kernel/b.ko.xz kernel/a.ko.xz\nkernel/unused.ko.xz:\n"
    )
    order = initramfs.module_order(tmp_path, ["c_d", "built_in"])
    assert [path.name for path in order] == ["a.ko.xz", "b.ko.xz", "c-d.ko.xz"]


def test_a_build_folder_follows_the_sources_and_leaves_them_alone(tmp_path: Path) -> None:
    source, build = tmp_path / "module", tmp_path / "build"
    (source / "sub").mkdir(parents=True)
    for name in ("Kbuild", "a.c", "sub/b.h", "a.o", "a.mod.c", ".a.o.cmd"):
        (source / name).write_text(name)
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*")}
    mirror(source, build)
    (build / "a.o").write_text("made here")
    copied = (build / "a.c").stat().st_ino
    (source / "sub/b.h").unlink()
    (source / "c.c").write_text("new")
    mirror(source, build)
    assert sorted(p.name for p in build.rglob("*") if p.is_file() and p.name[0] != ".") == [
        "Kbuild",
        "a.c",
        "a.o",
        "c.c",
    ]
    assert (build / "a.o").read_text() == "made here"
    assert (build / "a.c").stat().st_ino == copied
    for path in (source / "Kbuild", source / "a.c", source / "a.o"):
        assert before[path] == path.stat().st_mtime_ns


def test_options_that_a_kernel_did_not_take_are_named() -> None:
    wanted = "# a comment\nCONFIG_A=y\nCONFIG_B=m\n"
    assert not_taken(wanted, "CONFIG_A=y\n# CONFIG_B is not set\n") == ["CONFIG_B=m"]
    assert not not_taken(wanted, "CONFIG_B=m\nCONFIG_A=y\n")


def test_options_that_a_kernel_took_against_our_wish_are_named() -> None:
    wanted = "CONFIG_A=y\n# CONFIG_B is not set\n# CONFIG_C is not set\n"
    assert not_taken(wanted, "CONFIG_A=y\nCONFIG_B=m\n") == ["# CONFIG_B is not set"]
    assert not not_taken(wanted, "CONFIG_A=y\n# CONFIG_B is not set\n")


def test_a_flavour_may_take_back_a_common_option() -> None:
    common = "# Words.\nCONFIG_A=y\nCONFIG_B=y\nCONFIG_C=m\n"
    flavour = "# More words.\n# CONFIG_B is not set\nCONFIG_C=y\n"
    assert last_words(common + flavour) == "# Words.\nCONFIG_A=y\n" + flavour
    # What nobody takes back stays as it is, and with it the key of what was built.
    assert last_words(common) == common


def test_a_checked_kernel_has_all_that_the_fast_one_has() -> None:
    options = {
        name: set(re.findall(r"^CONFIG_\w+=.*$", configuration(KERNELS[name], ()), re.MULTILINE))
        for name in ("uml", "uml-debug")
    }
    common = set((DATA / "uml/common.config").read_text().splitlines())
    assert options["uml"] & common < options["uml-debug"]


def test_unknown_kernels_are_refused_with_the_known_ones() -> None:
    with pytest.raises(LabError, match="uml-debug"):
        kernel_named("2.4")
    for kernel in KERNELS.values():
        assert kernel_named(kernel.name) is kernel


def test_next_best_kernels_exist() -> None:
    for kernel in KERNELS.values():
        if kernel.home.value == "qemu":
            assert set(kernel.next_best) <= set(KERNELS)


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_jail_ends_with_the_one_who_made_it(tmp_path: Path) -> None:
    if not can_unshare():
        pytest.skip("namespaces are not allowed here")
    # The grandchild is in a session of its own and ignores what it can.
    inner = "trap '' TERM INT HUP; setsid sleep 1000 & wait"
    keeper = (
        "import json, subprocess, sys; from nexus_lab.process import jailed;"
        "p = subprocess.Popen(jailed(json.loads(sys.argv[1]))); print(p.pid, flush=True); p.wait()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", keeper, json.dumps(["sh", "-c", inner])], stdout=subprocess.PIPE
    )
    assert owner.stdout
    jail = int(owner.stdout.readline())
    deadline = time.monotonic() + 30
    inside: list[int] = []
    while len(inside) < 3 and time.monotonic() < deadline:
        inside = descendants(jail)
        time.sleep(0.05)
    assert len(inside) >= 3
    owner.kill()
    owner.wait()
    owner.stdout.close()
    while any(alive(pid) for pid in [jail, *inside]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in [jail, *inside] if alive(pid)]


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def test_jailed_commands_keep_arguments_and_exit_status() -> None:
    tricky = ["", " ", "a b", "'", '"', "$HOME", "\\", "*", "-n", "--", "ünï"]
    shown = subprocess.run(
        jailed([sys.executable, "-c", "import sys; print(sys.argv[1:])", *tricky]),
        check=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout.strip() == str(tricky)
    assert subprocess.run(jailed(["sh", "-c", "exit 7"]), check=False).returncode == 7
    killed = subprocess.run(jailed(["sh", "-c", "kill -KILL $$"]), check=False).returncode
    assert killed in {128 + signal.SIGKILL, -signal.SIGKILL}


def test_folders_of_dead_runs_are_swept_and_those_of_live_ones_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with runtime.run_folder() as mine:
        dead = tmp_path / "nexus-lab-dead"
        dead.mkdir()
        (dead / "alive").touch()
        runtime.sweep()
        assert mine.exists()
        assert not dead.exists()
    assert not list(tmp_path.iterdir())
