# SPDX-License-Identifier: BSD-3-Clause
"""The engine's tests once more, with AddressSanitizer in the C code.

Its library has to be loaded before anything else, so this needs an interpreter of its own. Leaks
are not looked for: the interpreter itself never frees everything.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.native import ROOT

UNITS = [
    "test_segment.py", "test_coalesce.py", "test_crypto.py", "test_tables.py", "test_queue.py",
    "test_icmp.py", "test_udp.py", "test_screen.py", "test_hello.py", "test_inspect.py",
]  # fmt: skip


def sanitizer_library() -> str:
    found = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert Path(found).is_absolute(), "gcc has no libasan.so"
    return str(Path(found).resolve())


def run_under_asan(*tests: str, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env=os.environ | environment | {
            "LD_PRELOAD": sanitizer_library(),
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        },
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    assert " passed" in done.stdout


def test_units() -> None:
    run_under_asan(*(f"tests/engine/{name}" for name in UNITS), NEXUS_ENGINE_FLAVOUR="asan")


@pytest.mark.netns
def test_the_whole_engine() -> None:
    """Builds the extension module with sanitizers, and keeps the data plane contract with it."""
    flags = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1"
    built = subprocess.run(
        [sys.executable, "engine/build_ext.py", "--into", "build/engine-asan"],
        cwd=ROOT, env=os.environ | {"NEXUS_ENGINE_CFLAGS": flags}, capture_output=True, text=True,
        timeout=500, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    module = ROOT / built.stdout.strip().splitlines()[-1]
    run_under_asan("tests/dataplane", NEXUS_ENGINE_MODULE=str(module))
