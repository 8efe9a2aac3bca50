# SPDX-License-Identifier: BSD-3-Clause
"""`nexus agent`."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nexusnet.agent import logs
from nexusnet.agent.logs import LogFormat, LogLevel, LogSettings

if TYPE_CHECKING:
    from nexusnet.agent.config import Config


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("agent")(agent)


def agent(
    *,
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration file.")],
    log_level: Annotated[LogLevel | None, typer.Option(help="Instead of the file's.")] = None,
    log_format: Annotated[LogFormat | None, typer.Option(help="Instead of the file's.")] = None,
) -> None:
    """Run a network in the foreground until SIGTERM or SIGINT; SIGHUP reads the file again."""
    from nexusnet.agent.config import load_config
    from nexusnet.handshake.aioquic_names import check_aioquic

    loaded = load_config(config)
    logs.configure(
        LogSettings(
            level=log_level or loaded.log.level,
            format=log_format or loaded.log.format,
        )
    )
    check_aioquic()
    asyncio.run(_run(loaded, config))


async def _run(config: "Config", file: Path) -> None:
    from nexusnet.agent.agent import Agent
    from nexusnet.agent.config import load_config

    agent = Agent(config, load=lambda: load_config(file))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.stop)
    loop.add_signal_handler(signal.SIGHUP, agent.reload_soon)
    await agent.run()
