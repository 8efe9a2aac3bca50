# SPDX-License-Identifier: BSD-3-Clause
"""The specification itself: the kernel's schema, the generator, names that it must have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from nexusnet.netlink import generated as nl
from nqd_spec import __main__ as generator
from nqd_spec.model import SpecError, load

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec"
YAML = SPEC / "nexus_quic_dco.yaml"

COMMANDS = [
    "GET_CAPS",
    "CREATE_DEVICE",
    "DELETE_DEVICE",
    "ADD_SESSION",
    "UPDATE_SESSION",
    "DELETE_SESSION",
    "ADD_ROUTE",
    "DELETE_ROUTE",
    "SET_KEYS",
    "KEY_UPDATE",
    "GET_STATS",
    "FLUSH_STATS",
    "SET_DEBUG",
]
EVENTS = [
    "SESSION_UP",
    "SESSION_DOWN",
    "KEY_UPDATE_NEEDED",
    "KEY_UPDATE_DONE",
    "PATH_MTU_CHANGED",
    "ROUTE_EPOCH_MISMATCH",
    "REPLAY_OR_DUPLICATE_DROP",
    "CONGESTION_STATE",
    "FATAL_ERROR",
]


def schema_file() -> Path | None:
    """The kernel's own schema: it is not ours to copy, so it is looked for in kernel sources."""
    if given := os.environ.get("NEXUS_YNL_SCHEMA"):
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    root = Path(os.environ.get("NEXUS_CACHE") or f"{cache}/nexusnet").expanduser()
    name = "Documentation/netlink/genetlink-legacy.yaml"
    found = [
        *root.glob(f"source/*/linux/{name}"),
        *Path("/usr/src").glob(f"linux-source-*/{name}"),
    ]
    return max(found, default=None)


def test_the_specification_fits_the_kernels_schema() -> None:
    path = schema_file()
    if path is None:
        pytest.skip("no kernel source here: `nexus-lab prepare` or NEXUS_YNL_SCHEMA=… brings one")
    schema = yaml.safe_load(path.read_text())
    validator = jsonschema.Draft7Validator(schema)
    validator.validate(yaml.safe_load(YAML.read_text()))
    broken = yaml.safe_load(YAML.read_text())
    broken["operations"]["list"][0]["colour"] = "blue"
    assert not validator.is_valid(broken)


def test_every_name_that_users_rely_on_is_there() -> None:
    header = (ROOT / "kernel/uapi/nexus_quic_dco.h").read_text()
    for name in COMMANDS:
        assert re.search(rf"\bNQD_CMD_{name} = \d+,", header)
        assert name in nl.Command.__members__
    for name in EVENTS:
        assert re.search(rf"\bNQD_EVENT_{name} = \d+,", header)
        assert name in nl.Event.__members__
    numbers = [*map(int, nl.Command), *map(int, nl.Event)]
    assert len(numbers) == len(set(numbers))


def test_every_rule_names_tests_that_exist() -> None:
    family = load(*generator.SOURCES)
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"(?m)^def (test_\w+)\(", path.read_text())
    }
    # Inside of a kernel they are checks, and have no `test_` before their name.
    checks = {
        name
        for path in (ROOT / "tests/kernel").glob("guest_*.py")
        for name in re.findall(r"(?m)^@check\ndef (\w+)\(", path.read_text())
    }
    for rule in family.rules.rules:
        assert rule.here or rule.kernel
        assert set(rule.here) <= defined, rule.name
    kernel = [name for rule in family.rules.rules for name in rule.kernel]
    assert len(kernel) == len(set(kernel))
    assert {name for name in kernel if f"test_{name}" not in defined} <= checks
    page = (ROOT / "docs/abi.md").read_text()
    assert all(f"`{name}`" in page for name in kernel)


def run_generator(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nqd_spec", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SPEC)},
    )


def test_generated_files_are_what_the_generator_makes() -> None:
    done = run_generator("--check")
    assert done.returncode == 0, done.stderr


def test_a_stale_file_is_named_with_the_fix(tmp_path: Path) -> None:
    assert run_generator("--root", str(tmp_path)).returncode == 0
    assert run_generator("--root", str(tmp_path), "--check").returncode == 0
    header = tmp_path / "kernel/uapi/nexus_quic_dco.h"
    header.write_text(header.read_text() + "/* by hand */\n")
    (tmp_path / "docs/abi.md").unlink()
    done = run_generator("--root", str(tmp_path), "--check")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "kernel/uapi/nexus_quic_dco.h",
        "docs/abi.md",
    ]
    assert all("make generate" in line for line in lines)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("{ name: pad, type: u16 }", "{ name: pad, type: u8 }", "pad it"),
        ("{ name: pad2, type: u32 }\n", "{ name: pad2, type: u64 }\n", "pad it"),
        ("struct: nqd-prefix", "struct: nqd-nothing", "no struct nqd-nothing"),
        ("enum: role }", "enum: nothing }", "no enum nothing"),
        ("nested-attributes: caps", "nested-attributes: nothing", "no attribute set nothing"),
        ("max-len: reason-max-len", "max-len: nothing", "neither a number nor a constant"),
        ("value: 64\n", "value: 1\n", "given twice"),
        ("value: 64\n", "value: 256\n", "above 255"),
    ],
)
def test_a_contradiction_is_refused(tmp_path: Path, old: str, new: str, what: str) -> None:
    text = YAML.read_text()
    assert old in text
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace(old, new, 1))
    with pytest.raises(SpecError, match=what):
        load(broken, SPEC / "rules.yaml")
