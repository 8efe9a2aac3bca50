# SPDX-License-Identifier: BSD-3-Clause
"""First configuration files: a server and its clients that work together as they are."""

import contextlib
import datetime as dt
import ipaddress
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nexusnet.agent.config import NAME, Network, split_endpoint
from nexusnet.agent.errors import AgentError, explain_os_error
from nexusnet.handshake.credentials import Credentials, format_fingerprint

BACKDATED: Final = dt.timedelta(hours=1)
"""By which certificates start earlier: a peer's clock may lag a little."""

DEFAULT_SUBNET: Final = ipaddress.IPv4Network("10.77.0.0/24")

SERVER: Final = """\
# A NexusNet server. `nexus config keys` lists every key; `nexus config check` checks this file.
[network]
name = "{network}"
role = "server"
interface = "{interface}"
addresses = [{addresses}]
# advertise = ["192.168.1.0/24"]   # networks behind this server that its clients may reach
dco_mode = "preferred"

[listen]
address = "::"
port = {port}

[handshake]
mode = "tls"
certificate_file = "server.crt"
key_file = "server.key"
"""

SERVER_PEER: Final = """
[[peer]]
name = "{name}"
fingerprints = ["{fingerprint}"]
addresses = [{addresses}]
"""

CLIENT: Final = """\
# A NexusNet client. `nexus config keys` lists every key; `nexus config check` checks this file.
[network]
name = "{network}"
role = "client"
interface = "{interface}"
dco_mode = "preferred"

[handshake]
mode = "tls"
certificate_file = "{name}.crt"
key_file = "{name}.key"

[[peer]]
name = "server"
endpoint = "{endpoint}"
fingerprints = ["{fingerprint}"]
# What the server may announce. All traffic through the tunnel: routes = ["0.0.0.0/0", "::/0"]
accept_routes = [{accepted}]
"""


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What `make_scaffold` writes.

    Attributes:
        files: contents by name.
    """

    files: dict[str, bytes] = field(repr=False)


def unique_local_subnet() -> ipaddress.IPv6Network:
    """Return a random unique local prefix of 64 bits (RFC 4193 section 3.2)."""
    return ipaddress.IPv6Network((b"\xfd" + secrets.token_bytes(5) + bytes(10), 64))


def _quoted(values: Sequence[object]) -> str:
    return ", ".join(f'"{value}"' for value in values)


def make_identity(name: str, now: dt.datetime) -> Credentials:
    """Return a fresh key with its certificate."""
    return Credentials.self_signed(name, not_before=now - BACKDATED)


def make_scaffold(
    *,
    endpoint: str,
    clients: Sequence[str],
    now: dt.datetime,
    network: str = "nexus",
    interface: str = "nexus0",
    subnets: Sequence[Network] = (),
) -> Scaffold:
    """Return the files of a server and its clients.

    Args:
        endpoint: HOST:PORT at which the clients reach the server.
        clients: their names.
        now: time of day, with its zone.
        network: name of the network.
        interface: name of the virtual device.
        subnets: inner subnets; 10.77.0.0/24 and a random IPv6 one where empty.

    Raises:
        AgentError: the endpoint, a name or the subnets cannot be used.
    """
    try:
        host, port = split_endpoint(endpoint)
    except ValueError as error:
        raise AgentError(str(error)) from error
    for name in clients:
        if not NAME.fullmatch(name) or name == "server":
            raise AgentError(f"{name!r} cannot be the name of a client: use letters, digits, ._-")
    if len(set(clients)) != len(clients):
        raise AgentError("two clients have the same name")
    subnets = tuple(subnets) or (DEFAULT_SUBNET, unique_local_subnet())
    for subnet in subnets:
        if subnet.num_addresses < len(clients) + 3:
            raise AgentError(f"{subnet} is too small for {len(clients)} clients and a server")
    server = make_identity(host, now)
    files: dict[str, bytes] = {}
    text = SERVER.format(
        network=network,
        interface=interface,
        port=port,
        addresses=_quoted([f"{subnet[1]}/{subnet.prefixlen}" for subnet in subnets]),
    )
    files["server.crt"], files["server.key"] = server.to_pem()
    for number, name in enumerate(clients, start=2):
        identity = make_identity(name, now)
        files[f"{name}.crt"], files[f"{name}.key"] = identity.to_pem()
        files[f"{name}.toml"] = CLIENT.format(
            name=name,
            network=network,
            interface=interface,
            endpoint=endpoint,
            fingerprint=format_fingerprint(server.fingerprint),
            accepted=_quoted(subnets),
        ).encode()
        text += SERVER_PEER.format(
            name=name,
            fingerprint=format_fingerprint(identity.fingerprint),
            addresses=_quoted([subnet[number] for subnet in subnets]),
        )
    files["server.toml"] = text.encode()
    return Scaffold(files)


def write_files(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """Write new files, all or none; private keys readable by their owner only.

    Args:
        folder: made where it does not exist.
        files: contents by name.

    Returns:
        Their paths.

    Raises:
        AgentError: one exists already, or the folder cannot be written to.
    """
    taken = [str(folder / name) for name in files if (folder / name).exists()]
    if taken:
        raise AgentError(
            f"{', '.join(taken)} exists: choose another folder, or move it out of the way first"
        )
    with _undone_on_failure() as written:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                path = folder / name
                mode = 0o600 if path.suffix == ".key" else 0o644
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
                written.append(path)
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(content)
        except OSError as error:
            raise AgentError(f"{error.filename or folder}: {explain_os_error(error)}") from error
    return written


@contextlib.contextmanager
def _undone_on_failure() -> Iterator[list[Path]]:
    written: list[Path] = []
    try:
        yield written
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
