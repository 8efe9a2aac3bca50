# SPDX-License-Identifier: BSD-3-Clause
"""``python -m nqd_spec``: write the generated files, or check that they are what they should be."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from nqd_spec import c_policy, c_uapi, markdown, python_decl
from nqd_spec.model import Family, load

SPEC = Path(__file__).resolve().parent.parent
ROOT = SPEC.parent
SOURCES = (SPEC / "nexus_quic_dco.yaml", SPEC / "rules.yaml")
RUNTIME = SPEC / "nqd_spec" / "netlink_check.c.in"
COMMAND = "make generate"
BANNER = [
    "Generated from spec/nexus_quic_dco.yaml and spec/rules.yaml, do not edit.",
    f"Change them, then run `{COMMAND}`.",
]


def _formatted(text: str) -> str:
    """The text as the house's formatter and import sorter would leave it."""
    command = ["ruff", "format", "--quiet", "--stdin-filename", "generated.py", "-"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        command, input=text, text=True, check=True, capture_output=True, cwd=ROOT, env=environment
    ).stdout


def render(family: Family) -> dict[str, str]:
    """Every generated file: path below the root of the tree -> text."""
    return {
        "kernel/uapi/nexus_quic_dco.h": c_uapi.uapi_header(family, BANNER),
        "kernel/uapi/nexus_quic_dco_layout.h": c_uapi.layout_header(family, BANNER),
        "kernel/netlink_gen.h": c_policy.header(family, BANNER),
        "kernel/netlink_gen.c": c_policy.source(family, BANNER, RUNTIME.read_text()),
        "docs/abi.md": markdown.document(family, BANNER),
        "src/nexusnet/netlink/generated.py": _formatted(python_decl.declarations(family, BANNER)),
    }


def _stale(files: dict[str, str], root: Path) -> list[str]:
    return [
        name
        for name, text in files.items()
        if not (root / name).is_file() or (root / name).read_text() != text
    ]


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="nqd_spec", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on stale files")
    parser.add_argument("--root", type=Path, default=ROOT, help="tree to write to or to check")
    options = parser.parse_args(arguments)
    files = render(load(*SOURCES))
    stale = _stale(files, options.root)
    if options.check:
        for name in stale:
            print(f"{name} is not what the specification says: run `{COMMAND}`", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        path = options.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[name])
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
