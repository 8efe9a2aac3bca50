# SPDX-License-Identifier: BSD-3-Clause
"""What the lab takes from archives that move on: newest patch level, next best, what it keeps."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from nexus_lab import LabError, choice, packages, source, stock
from nexus_lab.choice import Choice, remembered
from nexus_lab.kernels import KERNELS
from nexus_lab.packages import Package

# release -> package -> version
Shelves = dict[str, dict[str, str]]


class FakeArchive:
    """Stands in for packages.Archive: the same questions, answered from a table."""

    shelves: ClassVar[Shelves] = {}

    def __init__(self, release: str) -> None:
        self.release = release

    def update(self) -> None:
        if self.release not in self.shelves:
            raise LabError(f"no package lists of {self.release}")

    def names(self, pattern: str) -> list[str]:
        self.update()
        return [name for name in self.shelves[self.release] if re.fullmatch(pattern, name)]

    def show(self, name: str) -> Package | None:
        version = self.shelves.get(self.release, {}).get(name)
        return Package(name, version, (), 1) if version else None


@pytest.fixture
def shelves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelves]:
    monkeypatch.setenv("NEXUS_CACHE", str(tmp_path))
    monkeypatch.setattr(stock, "Archive", FakeArchive)
    monkeypatch.setattr(source, "Archive", FakeArchive)
    FakeArchive.shelves = {}
    yield FakeArchive.shelves
    FakeArchive.shelves = {}


def kernel_packages(*releases_and_version: str) -> dict[str, str]:
    *releases, version = releases_and_version
    return {
        f"linux-{part}-{release}-cloud-amd64": version
        for release in releases
        for part in ("image", "headers")
    }


def test_the_newest_patch_level_that_has_headers_is_taken(shelves: Shelves) -> None:
    shelves["bookworm"] = {
        **kernel_packages("6.1.0-9", "6.1.27-1"),
        **kernel_packages("6.1.0-56", "6.1.192-2"),
        **kernel_packages("6.1.0-100", "6.1.99-1"),
        "linux-image-6.1.0-200-cloud-amd64": "6.1.999-1",
        "linux-image-6.1.0-56-amd64": "6.1.999-1",
    }
    chosen = stock.choose(KERNELS["6.1"])
    assert chosen == Choice("bookworm", "linux-image-6.1.0-56-cloud-amd64", "6.1.192-2")


def test_a_series_that_is_gone_has_a_stand_in_and_says_so(shelves: Shelves) -> None:
    shelves["trixie"] = kernel_packages("6.12.117+deb13", "6.12.117-1")
    chosen = stock.choose(KERNELS["7.3"])
    assert chosen.package == "linux-image-6.12.117+deb13-cloud-amd64"
    assert "no stock 7.3 kernel" in chosen.note
    assert "there: 6.12" in chosen.note
    assert "6.12 stands in" in chosen.note


def test_a_release_that_is_gone_has_a_stand_in_too(shelves: Shelves) -> None:
    shelves["trixie"] = kernel_packages("6.12.117+deb13", "6.12.117-1")
    assert "6.12 stands in" in stock.choose(KERNELS["6.1"]).note


def test_with_no_kernel_at_all_the_error_says_what_was_looked_for(shelves: Shelves) -> None:
    shelves["trixie"] = {}
    with pytest.raises(LabError, match=r"7\.3"):
        stock.choose(KERNELS["7.3"])
    with pytest.raises(LabError, match="linux-source"):
        source.choose(KERNELS["uml"])


def test_a_source_that_is_gone_has_a_stand_in(shelves: Shelves) -> None:
    shelves["trixie"] = {"linux-source-6.12": "6.12.117-1", "linux-source-7.2": "7.2.12-1"}
    chosen = source.choose(KERNELS["uml"])
    assert chosen.package == "linux-source-7.2"
    assert "no linux-source-7.3" in chosen.note
    shelves["trixie"]["linux-source-7.3"] = "7.3.4-1"
    assert source.choose(KERNELS["uml"], refresh=True).note == ""


def test_a_choice_is_remembered_and_survives_an_archive_that_is_away(
    shelves: Shelves, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = Choice("trixie", "a", "1"), Choice("trixie", "a", "2")

    def away() -> Choice:
        raise LabError("the mirror is away")

    with pytest.raises(LabError):
        remembered("x", away)
    assert remembered("x", lambda: first) == first
    assert remembered("x", lambda: second) == first
    assert remembered("x", away, refresh=True) == first
    assert "the mirror is away" in capsys.readouterr().err
    assert remembered("x", lambda: second, refresh=True) == second
    old = time.time() - choice.CHOICE_LASTS - 1
    (record,) = Path(os.environ["NEXUS_CACHE"]).glob("choices/x.json")
    os.utime(record, (old, old))
    assert remembered("x", lambda: first) == first


def test_patches_that_do_not_fit_are_left_out_and_the_loss_is_named(tmp_path: Path) -> None:
    applied, losses = source._apply(tmp_path)
    assert applied == []
    assert len(losses) == len(source.PATCHES)
    assert any("accelerated crypto" in loss for loss in losses)
    assert not list(tmp_path.rglob("*.rej"))


def test_the_mirror_is_the_host_s_or_the_one_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = (
        "bookworm http://one.example/debian/\n"
        "bookworm-security http://two.example/debian-security\n"
        "nodistro http://three.example/x\n"
    )
    monkeypatch.setattr(packages, "output_of", lambda _: hosts)
    monkeypatch.delenv("NEXUS_DEBIAN_MIRROR", raising=False)
    monkeypatch.delenv("NEXUS_DEBIAN_SECURITY_MIRROR", raising=False)
    packages.mirrors.cache_clear()
    try:
        assert packages.mirrors() == (
            "http://one.example/debian",
            "http://two.example/debian-security",
        )
        packages.mirrors.cache_clear()
        monkeypatch.setenv("NEXUS_DEBIAN_MIRROR", "http://mine.example/debian")
        assert packages.mirrors()[0] == "http://mine.example/debian"
        packages.mirrors.cache_clear()
        monkeypatch.delenv("NEXUS_DEBIAN_MIRROR")
        monkeypatch.setattr(packages, "output_of", lambda _: "nodistro http://x.example/y\n")
        with pytest.raises(LabError, match="NEXUS_DEBIAN_MIRROR"):
            packages.mirrors()
    finally:
        packages.mirrors.cache_clear()


def test_versions_are_compared_as_debian_does() -> None:
    levels = [
        Package("a", version, (), 0) for version in ("7.3.4-1~bpo13+1", "7.3.4-1", "7.3.10-1")
    ]
    assert packages.newest(levels).version == "7.3.10-1"
    assert packages.newest(levels[:2]).version == "7.3.4-1"
