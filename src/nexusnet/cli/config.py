# SPDX-License-Identifier: BSD-3-Clause
"""`nexus config check` and `config keys`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from nexusnet.cli.output import JsonOption, console, emit_json, say

if TYPE_CHECKING:
    from nexusnet.agent.config import Config

app = typer.Typer(help="Configuration files.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Configuration file.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Say whether an agent could start with a file; it need not run here."""
    from nexusnet.agent.config import load_config

    config = load_config(file)
    kind, text = _own_identity(config)
    if as_json:
        emit_json(
            {
                "ok": True,
                "network": config.network.name,
                "role": config.network.role.value,
                "peers": [peer.name for peer in config.peer],
                "handshake_mode": config.handshake.mode.value,
                kind: text,
            }
        )
        return
    peers = ", ".join(peer.name for peer in config.peer) or "none"
    say(f"{file}: good ({config.network.role.value} of {config.network.name!r}; peers: {peers})")
    if text is not None:
        say(f"this end's {kind.replace('_', ' ')}: {text}")


def _own_identity(config: "Config") -> tuple[str, str | None]:
    """Load this end's keys; return by what its peers know it, and what that is called."""
    from nexusnet.agent.reality import load_psk, load_server_credentials
    from nexusnet.agent.tls import load_own
    from nexusnet.handshake.credentials import format_fingerprint
    from nexusnet.reality.credentials import format_public_key

    if not config.is_reality:
        return "fingerprint", format_fingerprint(load_own(config).fingerprint)
    if not config.is_server:
        load_psk(config)
        return "public_key", None
    return "public_key", format_public_key(load_server_credentials(config).private_key.public_key())


@app.command()
def keys(*, as_json: JsonOption = False) -> None:
    """List every key that a configuration may have."""
    from nexusnet.agent.config import Config
    from nexusnet.agent.settings import describe

    listed = describe(Config)
    if as_json:
        emit_json(
            {
                "keys": [
                    {
                        "table": key.table,
                        "name": key.name,
                        "kind": key.kind,
                        "default": key.default,
                        "doc": key.doc,
                    }
                    for key in listed
                ]
            }
        )
        return
    for name in dict.fromkeys(key.table for key in listed):
        table = Table(title=Text(name), title_justify="left", show_edge=False, pad_edge=False)
        for column in ("key", "default", "value", "meaning"):
            table.add_column(column, overflow="fold")
        for key in listed:
            if key.table == name:
                table.add_row(key.name, key.default, key.kind, key.doc)
        console.print(table)
        console.print()
