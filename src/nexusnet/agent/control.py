# SPDX-License-Identifier: BSD-3-Clause
"""The control socket: requests and answers as JSON, one a line, over a Unix socket.

    -> {"version": 1, "command": "status"}
    <- {"version": 1, "ok": true, "result": {...}}
    <- {"version": 1, "ok": false, "error": "one line that names the fix"}

Several requests may follow each other on a connection. Who may talk to an agent is who may open its
socket: its owner (mode 0600).
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from nexusnet.agent.errors import AgentError, StartError, explain_os_error

logger = logging.getLogger(__name__)

VERSION: Final = 1
RUNTIME_FOLDER: Final = Path("/run/nexus")
"""Where agents have their sockets and state files."""
LINE_LIMIT: Final = 64 * 1024
"""Bytes of a request."""

Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


def _answer(**fields: Any) -> bytes:
    return json.dumps({"version": VERSION, **fields}, ensure_ascii=False).encode() + b"\n"


class ControlServer:
    """Answers requests on a Unix socket."""

    def __init__(self, path: Path, commands: Mapping[str, Handler]) -> None:
        """Prepare; `serve` opens the socket.

        Args:
            path: of the socket.
            commands: what there is to ask for.
        """
        self._path = path
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._inode: int | None = None

    async def open(self) -> None:
        """Begin to answer.

        Raises:
            StartError: the socket cannot be made.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            # Whoever holds the network's lock owns its socket: one that is there is a leftover.
            if self._path.exists() and stat.S_ISSOCK(self._path.stat().st_mode):
                self._path.unlink()
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                mask = os.umask(0o177)
                try:
                    sock.bind(str(self._path))
                finally:
                    os.umask(mask)
            except BaseException:
                sock.close()
                raise
            self._inode = self._path.stat().st_ino
            self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=LINE_LIMIT)
        except OSError as error:
            raise StartError(
                f"control socket {self._path}: {explain_os_error(error)}: set control.socket_file"
            ) from error

    async def close(self) -> None:
        """Stop answering, and take the socket away."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                try:
                    line = await reader.readline()
                except ValueError:
                    writer.write(_answer(ok=False, error="the request is too long"))
                    break
                if not line:
                    break
                writer.write(await self._handle(line))
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            # Who asked has gone, or the agent goes.
            pass
        finally:
            writer.close()

    async def _handle(self, line: bytes) -> bytes:
        try:
            request = json.loads(line)
        except ValueError:
            return _answer(ok=False, error="the request is not JSON")
        if not isinstance(request, dict) or request.get("version") != VERSION:
            return _answer(
                ok=False,
                error=f"this agent speaks version {VERSION} of the control protocol:"
                " use the `nexus` command of the same release",
            )
        command = self._commands.get(str(request.get("command")))
        if command is None:
            known = ", ".join(sorted(self._commands))
            return _answer(ok=False, error=f"there is no such command; known are {known}")
        try:
            return _answer(ok=True, result=await command(request))
        except AgentError as error:
            return _answer(ok=False, error=str(error))
        except Exception as error:
            logger.exception("fault in a control command")
            return _answer(ok=False, error=f"a fault of the agent: {error!r}; its log has more")
