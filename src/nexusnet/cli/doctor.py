# SPDX-License-Identifier: BSD-3-Clause
"""`nexus doctor`."""

import sys
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from nexusnet.cli.output import JsonOption, console, emit_json

STYLES = {"good": "green", "slower": "yellow", "missing": "red"}
WORDS = {"good": "good", "slower": "could be better", "missing": "MISSING"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    *,
    port: Annotated[int, typer.Option(help="UDP port of a server.", min=1, max=65535)] = 443,
    as_json: JsonOption = False,
) -> None:
    """Say what this machine can do for a tunnel, and how to mend what is missing.

    Exit status 1: a tunnel cannot work here.
    """
    from nexusnet.agent.doctor import Verdict, examine

    findings = examine(port)
    works = all(finding.verdict is not Verdict.MISSING for finding in findings)
    if as_json:
        emit_json(
            {
                "schema": 1,
                "ok": works,
                "findings": [
                    {
                        "name": finding.name,
                        "verdict": finding.verdict.value,
                        "found": finding.found,
                        "fix": finding.fix,
                    }
                    for finding in findings
                ],
            }
        )
    else:
        table = Table(box=None, pad_edge=False)
        for column in ("", "", "found", "what to do"):
            table.add_column(column, overflow="fold")
        for finding in findings:
            verdict = finding.verdict.value
            table.add_row(
                finding.name,
                Text(WORDS[verdict], style=STYLES[verdict]),
                Text(finding.found),
                Text(finding.fix),
            )
        console.print(table)
        console.print("A tunnel can work here." if works else "A tunnel cannot work here.")
    sys.exit(0 if works else 1)
