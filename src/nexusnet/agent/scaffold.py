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
from typing import Final, Protocol

from nexusnet.agent.config import NAME, Network, is_host_name, split_endpoint
from nexusnet.agent.errors import AgentError, explain_os_error
from nexusnet.handshake.credentials import Credentials, format_fingerprint
from nexusnet.reality.credentials import (
    format_private_key,
    format_public_key,
    format_short_id,
    new_private_key,
    new_short_id,
)

BACKDATED: Final = dt.timedelta(hours=1)
"""By which certificates start earlier: a peer's clock may lag a little."""

PRIVATE_SUFFIXES: Final = frozenset({".key", ".psk", ".toml"})

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

"""

SERVER_TLS: Final = """\
[handshake]
mode = "tls"
certificate_file = "server.crt"
key_file = "server.key"
"""

SERVER_REALITY: Final = """\
[handshake]
mode = "reality"

[reality]
private_key_file = "server.key"
# Who is no client of this server gets to see this site, which has to speak HTTP/3.
target = "{target}"
server_names = ["{server_name}"]
"""

SERVER_PEER: Final = """
[[peer]]
name = "{name}"
{trust}
addresses = [{addresses}]
"""

CLIENT: Final = """\
# A NexusNet client. `nexus config keys` lists every key; `nexus config check` checks this file.
[network]
name = "{network}"
role = "client"
interface = "{interface}"
dco_mode = "preferred"

{handshake}
[[peer]]
name = "server"
endpoint = "{endpoint}"
{trust}
# What the server may announce. All traffic through the tunnel: routes = ["0.0.0.0/0", "::/0"]
accept_routes = [{accepted}]
"""

CLIENT_TLS: Final = """\
[handshake]
mode = "tls"
certificate_file = "{name}.crt"
key_file = "{name}.key"
"""

CLIENT_REALITY: Final = """\
[handshake]
mode = "reality"
"""

TRUST_TLS: Final = 'fingerprints = ["{fingerprint}"]'

TRUST_CLIENT: Final = 'short_ids = ["{short_id}"]'

TRUST_SERVER: Final = """\
public_key = "{public_key}"
short_id = "{short_id}"
server_name = "{server_name}\""""


@dataclass(frozen=True, slots=True)
class Camouflage:
    """The site that a server in mode reality is taken for.

    Attributes:
        target: HOST:PORT of a site that speaks HTTP/3.
        server_name: its DNS name; the target's host where None.
    """

    target: str
    server_name: str | None = None


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


class _Mode(Protocol):
    """What the handshake's mode puts into the files of one network."""

    def server(self, files: dict[str, bytes]) -> str:
        """Add the server's files; return its tables."""

    def client(self, name: str, files: dict[str, bytes]) -> tuple[str, str, str]:
        """Add a client's files.

        Returns:
            Its tables, by what it knows the server, and by what the server knows it.
        """


class _Tls:
    def __init__(self, host: str, now: dt.datetime) -> None:
        self._now = now
        self._identity = make_identity(host, now)

    def server(self, files: dict[str, bytes]) -> str:
        files["server.crt"], files["server.key"] = self._identity.to_pem()
        return SERVER_TLS

    def client(self, name: str, files: dict[str, bytes]) -> tuple[str, str, str]:
        identity = make_identity(name, self._now)
        files[f"{name}.crt"], files[f"{name}.key"] = identity.to_pem()
        server, client = (
            TRUST_TLS.format(fingerprint=format_fingerprint(one.fingerprint))
            for one in (self._identity, identity)
        )
        return CLIENT_TLS.format(name=name), server, client


class _Reality:
    def __init__(self, camouflage: Camouflage) -> None:
        try:
            host, _ = split_endpoint(camouflage.target, "target")
        except ValueError as error:
            raise AgentError(str(error)) from error
        self._target = camouflage.target
        self._server_name = camouflage.server_name or host
        if not is_host_name(self._server_name):
            raise AgentError(
                f"server_name: {self._server_name!r} is no DNS name: name the target's site"
            )
        self._key = new_private_key()

    def server(self, files: dict[str, bytes]) -> str:
        files["server.key"] = f"{format_private_key(self._key)}\n".encode()
        return SERVER_REALITY.format(target=self._target, server_name=self._server_name)

    def client(self, name: str, files: dict[str, bytes]) -> tuple[str, str, str]:
        del name, files
        short_id = format_short_id(new_short_id())
        server = TRUST_SERVER.format(
            public_key=format_public_key(self._key.public_key()),
            short_id=short_id,
            server_name=self._server_name,
        )
        return CLIENT_REALITY, server, TRUST_CLIENT.format(short_id=short_id)


def make_scaffold(
    *,
    endpoint: str,
    clients: Sequence[str],
    now: dt.datetime,
    camouflage: Camouflage | None = None,
    network: str = "nexus",
    interface: str = "nexus0",
    subnets: Sequence[Network] = (),
) -> Scaffold:
    """Return the files of a server and its clients.

    Args:
        endpoint: HOST:PORT at which the clients reach the server.
        clients: their names.
        now: time of day, with its zone.
        camouflage: for mode reality; mode tls where None.
        network: name of the network.
        interface: name of the virtual device.
        subnets: inner subnets; 10.77.0.0/24 and a random IPv6 one where empty.

    Raises:
        AgentError: the endpoint, a name, the subnets or the target cannot be used.
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
    mode: _Mode = _Tls(host, now) if camouflage is None else _Reality(camouflage)
    files: dict[str, bytes] = {}
    text = SERVER.format(
        network=network,
        interface=interface,
        port=port,
        addresses=_quoted([f"{subnet[1]}/{subnet.prefixlen}" for subnet in subnets]),
    )
    text += mode.server(files)
    for number, name in enumerate(clients, start=2):
        handshake, trust_in_server, trust_in_client = mode.client(name, files)
        files[f"{name}.toml"] = CLIENT.format(
            network=network,
            interface=interface,
            handshake=handshake,
            endpoint=endpoint,
            trust=trust_in_server,
            accepted=_quoted(subnets),
        ).encode()
        text += SERVER_PEER.format(
            name=name,
            trust=trust_in_client,
            addresses=_quoted([subnet[number] for subnet in subnets]),
        )
    files["server.toml"] = text.encode()
    return Scaffold(files)


def write_files(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """Write new files, all or none; keys and configurations readable by their owner only.

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
                # A configuration of mode reality holds short IDs.
                mode = 0o600 if path.suffix in PRIVATE_SUFFIXES else 0o644
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
