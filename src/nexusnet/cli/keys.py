# SPDX-License-Identifier: BSD-3-Clause
"""`nexus init`, `genkey`, `pubkey`, `genpsk`, `genid`: identities and first configurations."""

import datetime as dt
import ipaddress
import sys
from pathlib import Path
from typing import Annotated

import typer

from nexusnet.agent.errors import AgentError, explain_os_error
from nexusnet.agent.modes import HandshakeMode
from nexusnet.cli.output import JsonOption, console, emit_json, say

PLACEHOLDER = "www.example.org:443"

ModeOption = Annotated[
    HandshakeMode, typer.Option(help="reality hides the tunnel; tls is for labs.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(init)
    app.command()(genkey)
    app.command()(pubkey)
    app.command()(genpsk)
    app.command()(genid)


def _subnet(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; a prefix as in 10.77.0.0/24 is needed") from error


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")] = Path(),
    *,
    endpoint: Annotated[
        str, typer.Option(help="HOST:PORT at which clients reach the server.")
    ] = "vpn.example.org:443",
    client: Annotated[
        list[str] | None, typer.Option(help="Name of a client; may be given again.")
    ] = None,
    target: Annotated[
        str, typer.Option(help="HOST:PORT of the HTTP/3 site that strangers get to see.")
    ] = PLACEHOLDER,
    server_name: Annotated[
        str | None, typer.Option(help="Name of that site; the target's host without it.")
    ] = None,
    mode: ModeOption = HandshakeMode.REALITY,
    network: Annotated[str, typer.Option(help="Name of the network.")] = "nexus",
    interface: Annotated[str, typer.Option(help="Name of the virtual device.")] = "nexus0",
    subnet: Annotated[
        list[str] | None,
        typer.Option(help="Inner subnet; may be given again. [10.77.0.0/24 and a random IPv6 one]"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write configurations and keys of a server and its clients.

    They work together as they are. Nothing is overwritten.
    """
    from nexusnet.agent.scaffold import Camouflage, make_scaffold, write_files

    reality = mode is HandshakeMode.REALITY
    names = client or ["client"]
    made = make_scaffold(
        endpoint=endpoint,
        clients=names,
        now=dt.datetime.now(dt.UTC),
        camouflage=Camouflage(target, server_name) if reality else None,
        network=network,
        interface=interface,
        subnets=[_subnet(text) for text in subnet or []],
    )
    written = write_files(folder, made.files)
    if as_json:
        emit_json({"files": sorted(str(path) for path in written)})
        return
    for path in sorted(written):
        console.print(f"wrote {path}", soft_wrap=True)
    console.print(
        f"\nServer:  nexus agent --config {folder / 'server.toml'}\n"
        + "".join(
            f"Client:  nexus agent --config {folder / name}.toml"
            + (
                f"   (take {name}.toml along)\n"
                if reality
                else f"   (take {name}.toml, {name}.crt and {name}.key along)\n"
            )
            for name in names
        ),
        soft_wrap=True,
        end="",
    )
    if reality and target == PLACEHOLDER:
        console.print(
            "\nThe target is only a placeholder: choose a site near the server (docs/reality.md),"
            " and write its name to reality.target, reality.server_names, and the clients'"
            " server_name.",
            soft_wrap=True,
        )


def genkey(
    base: Annotated[Path, typer.Argument(help="Written is BASE.key (mode tls: BASE.crt as well).")],
    *,
    mode: ModeOption = HandshakeMode.REALITY,
    name: Annotated[
        str | None,
        typer.Option(help="Mode tls: name or address in the certificate; BASE's without it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a private key, and print what the peers have to know of it.

    Mode reality: a server's X25519 key; printed is its public key. Mode tls: a key with its
    certificate; printed is the certificate's fingerprint.
    """
    from nexusnet.agent.scaffold import make_identity, write_files
    from nexusnet.handshake.credentials import format_fingerprint
    from nexusnet.reality.credentials import (
        format_private_key,
        format_public_key,
        new_private_key,
    )

    if mode is HandshakeMode.REALITY:
        key = new_private_key()
        kind, text = "public_key", format_public_key(key.public_key())
        files = {f"{base.name}.key": f"{format_private_key(key)}\n".encode()}
    else:
        credentials = make_identity(name or base.name, dt.datetime.now(dt.UTC))
        certificate, pem = credentials.to_pem()
        kind, text = "fingerprint", format_fingerprint(credentials.fingerprint)
        files = {f"{base.name}.crt": certificate, f"{base.name}.key": pem}
    written = write_files(base.parent, files)
    _report(kind, text, written, as_json=as_json)


def genpsk(
    file: Annotated[Path, typer.Argument(help="Written with a fresh secret.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a pre-shared key of a server and all its clients, for `reality.preshared_key_file`."""
    from nexusnet.agent.scaffold import write_files
    from nexusnet.reality.credentials import format_key, new_preshared_key

    if file.suffix != ".psk":
        raise AgentError(f"{file}: name it {file}.psk, so that only its owner can read it")
    text = f"{format_key(new_preshared_key().reveal())}\n"
    (written,) = write_files(file.parent, {file.name: text.encode()})
    if as_json:
        emit_json({"files": [str(written)]})


def genid(*, as_json: JsonOption = False) -> None:
    """Print a fresh short ID, for a peer's `short_ids` and its own `short_id`."""
    from nexusnet.reality.credentials import format_short_id, new_short_id

    _report("short_id", format_short_id(new_short_id()), [], as_json=as_json)


def pubkey(
    file: Annotated[
        Path, typer.Argument(help="Private key or PEM certificate; - for standard input.")
    ] = Path("-"),
    *,
    as_json: JsonOption = False,
) -> None:
    """Print what a peer has to know: a key's public key, or a certificate's fingerprint."""
    from cryptography import x509

    from nexusnet.handshake.credentials import fingerprint, format_fingerprint
    from nexusnet.handshake.errors import CredentialsError
    from nexusnet.reality.credentials import format_public_key, parse_private_key

    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise AgentError(f"{file}: {explain_os_error(error)}") from error
    try:
        if b"-----BEGIN" in content:
            loaded = x509.load_pem_x509_certificate(content)
            kind, text = "fingerprint", format_fingerprint(fingerprint(loaded))
        else:
            key = parse_private_key(content.decode("ascii"))
            kind, text = "public_key", format_public_key(key.public_key())
    except (ValueError, CredentialsError) as error:
        raise AgentError(
            f"{file}: neither a private key of mode reality nor a PEM certificate"
            " (`nexus genkey BASE` makes BASE.key)"
        ) from error
    _report(kind, text, [], as_json=as_json)


def _report(kind: str, text: str, files: list[Path], *, as_json: bool) -> None:
    if not as_json:
        say(text)
    elif files:
        emit_json({"files": [str(path) for path in files], kind: text})
    else:
        emit_json({kind: text})
