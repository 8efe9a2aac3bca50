# SPDX-License-Identifier: BSD-3-Clause
"""`nexus init`, `genkey`, `pubkey`: identities and first configurations."""

import datetime as dt
import ipaddress
import sys
from pathlib import Path
from typing import Annotated

import typer

from nexusnet.agent.errors import AgentError, explain_os_error
from nexusnet.cli.output import JsonOption, console, emit_json, say


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(init)
    app.command()(genkey)
    app.command()(pubkey)


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
    network: Annotated[str, typer.Option(help="Name of the network.")] = "nexus",
    interface: Annotated[str, typer.Option(help="Name of the virtual device.")] = "nexus0",
    subnet: Annotated[
        list[str] | None,
        typer.Option(help="Inner subnet; may be given again. [10.77.0.0/24 and a random IPv6 one]"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write configurations, certificates and keys of a server and its clients.

    They work together as they are. Nothing is overwritten.
    """
    from nexusnet.agent.scaffold import make_scaffold, write_files

    names = client or ["client"]
    made = make_scaffold(
        endpoint=endpoint,
        clients=names,
        now=dt.datetime.now(dt.UTC),
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
            f"   (take {name}.toml, {name}.crt and {name}.key along)\n"
            for name in names
        ),
        soft_wrap=True,
        end="",
    )


def genkey(
    base: Annotated[Path, typer.Argument(help="Written are BASE.key and BASE.crt.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="Name or address in the certificate; BASE's without it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a private key with its certificate, and print the certificate's fingerprint."""
    from nexusnet.agent.scaffold import make_identity, write_files
    from nexusnet.handshake.credentials import format_fingerprint

    credentials = make_identity(name or base.name, dt.datetime.now(dt.UTC))
    certificate, key = credentials.to_pem()
    files = {f"{base.name}.crt": certificate, f"{base.name}.key": key}
    written = write_files(base.parent, files)
    text = format_fingerprint(credentials.fingerprint)
    if as_json:
        emit_json({"files": [str(path) for path in written], "fingerprint": text})
    else:
        say(text)


def pubkey(
    certificate: Annotated[
        Path, typer.Argument(help="PEM certificate; - for standard input.")
    ] = Path("-"),
    *,
    as_json: JsonOption = False,
) -> None:
    """Print the fingerprint of a certificate, as it stands in a peer's `fingerprints`."""
    from cryptography import x509

    from nexusnet.handshake.credentials import fingerprint, format_fingerprint

    try:
        is_stdin = str(certificate) == "-"
        pem = sys.stdin.buffer.read() if is_stdin else certificate.read_bytes()
    except OSError as error:
        raise AgentError(f"{certificate}: {explain_os_error(error)}") from error
    try:
        loaded = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise AgentError(
            f"{certificate}: no PEM certificate in it (`nexus genkey BASE` makes BASE.crt)"
        ) from error
    text = format_fingerprint(fingerprint(loaded))
    if as_json:
        emit_json({"fingerprint": text})
    else:
        say(text)
