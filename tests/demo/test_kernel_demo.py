# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's lines of the demo."""

import json
from pathlib import Path
from typing import Any

import pytest

from nexus_lab import Lab
from nexusnet.demo import kernel
from nexusnet.demo.kernel import KernelDemo, _read
from nexusnet.demo.result import Result
from tests.demo.test_demo import row

MADE: dict[str, Any] = {
    **Result(mode="tls", security="some", data_plane="kernel", rows=[row()]).to_json(),
}


def test_rows_have_speed_where_it_means_something() -> None:
    output = json.dumps(MADE).encode()
    (fast,) = _read("lab, uml", output, 0).rows()
    assert fast[1:3] == ["kernel (lab, uml)", "some"]
    assert fast[6:] == ["0.30", "1000", "100", "0.00", "50"]
    (emulated,) = _read("lab, 6.1", output, 0, has_speed=False).rows()
    assert emulated[6:] == ["-"] * 5
    assert emulated[:6] == [*fast[:1], "kernel (lab, 6.1)", *fast[2:6]]


@pytest.mark.parametrize("output", [b"", b"nonsense", b'{"error": "no such thing"}'])
def test_a_demo_that_failed_is_a_failure(output: bytes) -> None:
    failed = _read("here", output, 1, "last words")
    (failure,) = failed.failures
    assert failure.endswith(("status 1: last words", "no such thing"))
    assert failed.rows() == [["-", "kernel (here)", "FAILED"]]


def test_without_a_module_there_is_a_reason_and_no_failure() -> None:
    none = KernelDemo("none", reason="no lab")
    assert none.rows() == [["-", "kernel", "no lab"]]
    assert none.failures == []


# `make test-kernels`: it needs the kernel `uml`, which `make test` does not build.
@pytest.mark.lab_matrix
@pytest.mark.timeout(600)
def test_the_demo_in_the_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB", raising=False)
    Lab().machine("uml")
    said: list[str] = []
    made = kernel.demo_in_kernel(tmp_path, said.append, 1.0)
    assert made.failures == []
    assert len(made.rows()) == 8
    assert made.result is not None
    assert made.result["data_plane"] == "kernel"
    assert made.result["dissection"]["datagram_frames"] > 100
    assert Path(made.result["capture"]).stat().st_size > 10_000
    assert any("tunnel up" in text for text in said)
