# SPDX-License-Identifier: BSD-3-Clause
"""What commands print: a table for people or JSON for machines; errors in one line."""

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
"""Standard output."""

errors = Console(stderr=True, highlight=False)
"""Standard error."""


def emit_json(value: Mapping[str, Any]) -> None:
    """Print an object, on one line where another may follow it."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def emit_json_line(value: Mapping[str, Any]) -> None:
    """Print an object on a line of its own."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Print a line as it is."""
    sys.stdout.write(text + "\n")


def complain(text: str) -> None:
    """Print an error: one line, whatever is in it."""
    line = " ".join(text.split())
    if "--json" in sys.argv[1:]:
        emit_json({"error": line})
    sys.stderr.write(f"nexus: {line}\n")
