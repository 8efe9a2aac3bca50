# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of the model runs; how fast is not tested."""

import json
import subprocess
import sys

from tests.support.golden import ROOT


def bench(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_prints_json() -> None:
    done = bench("quic-model", "--json", "--quick")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["quic-model"]
    assert [result["suite"] for result in results] == [
        "aes-128-gcm",
        "aes-256-gcm",
        "chacha20-poly1305",
    ]
    for result in results:
        assert result["payload_bytes"] == 1200
        assert result["seals_per_second"] > 0
        assert result["opens_per_second"] > 0


def test_prints_a_table() -> None:
    done = bench("quic-model", "--quick")
    assert done.returncode == 0, done.stderr
    assert "1200 bytes" in done.stdout
    assert "chacha20-poly1305" in done.stdout


def test_refuses_an_unknown_name() -> None:
    refused = bench("nonsense")
    assert refused.returncode == 2
    assert "quic-model" in refused.stderr
