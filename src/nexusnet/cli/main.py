# SPDX-License-Identifier: BSD-3-Clause
"""All commands of `nexus`, and how they fail: one line that names the fix, never a traceback."""

import os
import sys
from typing import Annotated, NoReturn

import typer

from nexusnet import __version__
from nexusnet.agent.errors import AgentError, explain_os_error
from nexusnet.cli import agent, config, control, demo, doctor, keys
from nexusnet.cli.output import complain
from nexusnet.handshake.errors import HandshakeError

app = typer.Typer(
    name="nexus",
    help="An L3 VPN whose packets are genuine QUIC v1.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (agent, control, keys, doctor, demo):
    module.register(app)
app.add_typer(config.app, name="config")


def _print_version(value: bool) -> None:  # noqa: FBT001 - typer calls it with the option's value
    if value:
        typer.echo(f"nexus {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    del version


def main() -> NoReturn:
    """Run the command line."""
    try:
        app()
    except (AgentError, HandshakeError) as error:
        complain(str(error))
    except BrokenPipeError:
        # Whoever read our output has enough (`nexus show | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{explain_os_error(error)}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(1)
