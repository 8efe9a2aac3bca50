# SPDX-License-Identifier: BSD-3-Clause
"""Talks to running agents over their control sockets."""

import json
import socket
from pathlib import Path
from typing import Any, Final

from nexusnet.agent.control import RUNTIME_FOLDER, VERSION
from nexusnet.agent.errors import AgentError, explain_os_error

TIMEOUT: Final = 10.0
"""Seconds for an answer that nothing has to be waited for."""

START_HINT: Final = "start one: `nexus agent --config FILE`, or `systemctl start nexus@NAME`"


class NoAgentError(AgentError):
    """No agent answers."""


def find_sockets(network: str | None, socket_file: Path | None) -> list[Path]:
    """Return the control sockets that are meant.

    Args:
        network: name of the network; all where None.
        socket_file: the socket itself.

    Raises:
        NoAgentError: there is none.
    """
    if socket_file is not None:
        return [socket_file]
    if network is not None:
        return [RUNTIME_FOLDER / f"{network}.sock"]
    found = sorted(RUNTIME_FOLDER.glob("*.sock"))
    if not found:
        raise NoAgentError(
            f"no agent runs here (no socket in {RUNTIME_FOLDER}): {START_HINT},"
            " or name its socket with --socket"
        )
    return found


def only_socket(network: str | None, socket_file: Path | None) -> Path:
    """Return the one control socket that is meant.

    Raises:
        NoAgentError: there is none.
        AgentError: there are several.
    """
    found = find_sockets(network, socket_file)
    if len(found) > 1:
        names = ", ".join(path.stem for path in found)
        raise AgentError(f"several agents run here: say --network and one of {names}")
    return found[0]


def ask(path: Path, command: str, *, timeout: float = TIMEOUT, **arguments: Any) -> Any:
    """Send a request and return the result.

    Args:
        path: of the control socket.
        command: what is asked for.
        timeout: seconds until an answer has to be there.
        arguments: of the command.

    Raises:
        NoAgentError: nobody answers.
        AgentError: the agent refused.
    """
    request = json.dumps({"version": VERSION, "command": command, **arguments}) + "\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout)
            sock.connect(str(path))
            sock.sendall(request.encode())
            with sock.makefile("rb") as stream:
                line = stream.readline()
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoAgentError(f"no agent answers at {path}: {START_HINT}") from error
    except PermissionError as error:
        raise AgentError(f"{path}: permission denied: run as the agent's user, or root") from error
    except TimeoutError as error:
        raise AgentError(
            f"the agent at {path} did not answer within {timeout:g} s: look at its log"
        ) from error
    except OSError as error:
        raise AgentError(f"{path}: {explain_os_error(error)}") from error
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise AgentError(f"the agent at {path} gave no answer: look at its log") from error
    if not answer.get("ok"):
        raise AgentError(str(answer.get("error", "the agent refused without a reason")))
    return answer["result"]
