# SPDX-License-Identifier: BSD-3-Clause
"""`nexus up`, `down`, `reload`, `status`, `show`: what running agents do."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nexusnet.agent.errors import AgentError
from nexusnet.cli.client import TIMEOUT, ask, find_sockets, only_socket
from nexusnet.cli.output import JsonOption, console, emit_json, emit_json_line, say

NetworkOption = Annotated[
    str | None, typer.Option("--network", "-n", help="Name of the network.", show_default=False)
]
SocketOption = Annotated[
    Path | None, typer.Option("--socket", help="Control socket of the agent.", show_default=False)
]
PeersArgument = Annotated[
    list[str] | None, typer.Argument(help="Peers; all without.", show_default=False)
]
WatchOption = Annotated[bool, typer.Option("--watch", "-w", help="Again, every second.")]

STATE_STYLE = {"up": "green", "down": "dim", "connecting": "yellow", "waiting": "red"}


ANSWERED_BY = {
    "genuine": "our server",
    "relayed": Text("the camouflage site: the server did not take this end for a client", "red"),
    "bad_certificate": Text("an impostor: neither our server nor the camouflage site", "red"),
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, down, reload, status, show):
        app.command()(command)


def up(
    peers: PeersArgument = None,
    *,
    network: NetworkOption = None,
    socket: SocketOption = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait until they are up.")] = 15.0,
    as_json: JsonOption = False,
) -> None:
    """Let peers of a running agent have their tunnels; a client's agent waits until they are up."""
    path = only_socket(network, socket)
    result = ask(path, "up", timeout=wait + TIMEOUT, peers=peers, wait_seconds=wait)
    _report(result, as_json=as_json)
    missing = [peer for peer in result["peers"] if peer["state"] not in {"up", "listening"}]
    if missing and wait > 0:
        why = "; ".join(f"{one['name']}: {one['last_error'] or one['state']}" for one in missing)
        if not as_json:
            raise AgentError(f"not up after {wait:g} s: {why}")
        raise typer.Exit(1)


def down(
    peers: PeersArgument = None,
    *,
    network: NetworkOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the tunnels of peers of a running agent, until `up`."""
    result = ask(only_socket(network, socket), "down", peers=peers)
    _report(result, as_json=as_json)


def reload(
    *,
    network: NetworkOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a running agent read its file again: peers come, go and change; so does SIGHUP."""
    result = ask(only_socket(network, socket), "reload", timeout=TIMEOUT)
    if as_json:
        emit_json(result)
        return
    for what in ("added", "changed", "removed"):
        for name in result[what]:
            say(f"{name}: {what}")
    if result["at_next_start"]:
        say(f"at the next start: {', '.join(result['at_next_start'])}")


def _report(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(result)
        return
    for peer in result["peers"]:
        say(f"{peer['name']}: {peer['state']}")


def status(
    *,
    network: NetworkOption = None,
    socket: SocketOption = None,
    watch: WatchOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show all networks and peers, a line each."""

    def fetch() -> dict[str, Any]:
        paths = find_sockets(network, socket)
        return {"schema": 1, "agents": [ask(path, "status") for path in paths]}

    _present(fetch, lambda value: _overview(value["agents"]), watch=watch, as_json=as_json)


def show(
    peers: PeersArgument = None,
    *,
    network: NetworkOption = None,
    socket: SocketOption = None,
    watch: WatchOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show everything about a network, or about some of its peers."""

    def fetch() -> dict[str, Any]:
        value: dict[str, Any] = ask(only_socket(network, socket), "status")
        if peers:
            known = {peer["name"]: peer for peer in value["peers"]}
            unknown = [name for name in peers if name not in known]
            if unknown:
                raise AgentError(
                    f"there is no peer {', '.join(unknown)}; known are {', '.join(known)}"
                )
            value["peers"] = [known[name] for name in peers]
        return value

    _present(fetch, _details, watch=watch, as_json=as_json)


def _present(
    fetch: Callable[[], dict[str, Any]],
    render: Callable[[dict[str, Any]], RenderableType],
    *,
    watch: bool,
    as_json: bool,
) -> None:
    if not watch:
        value = fetch()
        if as_json:
            emit_json(value)
        else:
            console.print(render(value))
        return
    with contextlib.suppress(KeyboardInterrupt):
        if as_json:
            while True:
                emit_json_line(fetch())
                time.sleep(1)
        with Live(render(fetch()), console=console, auto_refresh=False, screen=False) as live:
            while True:
                time.sleep(1)
                live.update(render(fetch()), refresh=True)


def _overview(agents: list[dict[str, Any]]) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for column in ("network", "role", "data plane", "peer", "state", "remote"):
        table.add_column(column)
    for column in ("rtt", "received", "sent"):
        table.add_column(column, justify="right")
    table.add_column("note", overflow="fold")
    for agent in agents:
        place = (agent["network"], agent["role"])
        if not agent["peers"]:
            plane = agent["data_plane"]["kind"]
            table.add_row(*place, plane, "none", "", "", "", "", "", "")
        for peer in agent["peers"]:
            tunnel = peer["tunnel"] or {}
            inner = tunnel.get("counters", {}).get("inner", {})
            style = STATE_STYLE.get(peer["state"], "")
            table.add_row(
                *place,
                tunnel.get("data_plane", agent["data_plane"]["kind"]),
                peer["name"],
                Text(peer["state"], style=style),
                _remote(tunnel.get("remote")) or peer["endpoint"] or "",
                _milliseconds(tunnel.get("rtt_seconds")),
                _bytes(inner.get("received_bytes")),
                _bytes(inner.get("sent_bytes")),
                "" if peer["state"] == "up" else peer["last_error"] or "",
            )
    why = [
        Text(f"{agent['network']}: {agent['data_plane']['kind']}, {agent['data_plane']['reason']}")
        for agent in agents
    ]
    return Group(table, *why)


def _details(agent: dict[str, Any]) -> RenderableType:
    interface, plane = agent["interface"], agent["data_plane"]
    head = Table(box=None, show_header=False, pad_edge=False)
    head.add_column(style="bold")
    head.add_column(overflow="fold")
    listen = agent["listen"]
    rows = [
        ("network", f"{agent['network']} ({agent['role']}), process {agent['pid']}"),
        ("up for", _duration(agent["uptime_seconds"])),
        ("data plane", f"{plane['kind']}: {plane['reason']}"),
        ("handshake", agent["handshake_mode"]),
        ("listens at", f"{listen['address']} port {listen['port']}" if listen else None),
        ("interface", f"{interface['name']}, MTU {interface['mtu']}"),
        ("addresses", ", ".join(interface["addresses"])),
        ("routes", ", ".join(interface["routes"])),
        ("IPv6", f"off: {interface['ipv6_off']}" if interface["ipv6_off"] else None),
        ("drops", _counts(interface["drops"])),
        ("strangers", _counts(agent["strangers"])),
    ]
    for name, value in rows:
        if value:
            head.add_row(name, value)
    return Group(head, *(_peer_details(peer) for peer in agent["peers"]))


def _peer_details(peer: dict[str, Any]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    style = STATE_STYLE.get(peer["state"], "")
    table.add_row("")
    table.add_row("peer", Text.assemble(peer["name"], " ", (peer["state"], style)))
    tunnel = peer["tunnel"] or {}
    counters = tunnel.get("counters", {})
    inner, recovery = counters.get("inner"), counters.get("recovery")
    retry = peer["retry_in_seconds"]
    rows = [
        ("data plane", tunnel.get("data_plane")),
        ("answered by", ANSWERED_BY.get(peer["outcome"])),
        ("last error", peer["last_error"]),
        ("next attempt", f"in {retry:.1f} s" if retry is not None else None),
        ("connected", f"{peer['connects']} times"),
        ("endpoint", peer["endpoint"]),
        ("remote", _remote(tunnel.get("remote"))),
        ("up for", _duration(tunnel.get("up_seconds"))),
        ("cipher", tunnel.get("cipher")),
        ("congestion", _congestion(tunnel)),
        ("rtt", _milliseconds(tunnel.get("rtt_seconds"))),
        ("sizes", _sizes(tunnel)),
        ("addresses", ", ".join(tunnel.get("addresses", []))),
        ("routes", ", ".join(tunnel.get("routes", []))),
        ("received", _traffic(inner, "received")),
        ("sent", _traffic(inner, "sent")),
        ("QUIC", _named(counters.get("quic"))),
        ("frames", _named(counters.get("frames"))),
        ("recovery", _named(recovery)),
        ("batches", _named(counters.get("offload"))),
        ("keys", _keys(tunnel, counters.get("keys"))),
        ("drops", _counts(counters.get("drops", {}))),
    ]
    for name, value in rows:
        if value:
            table.add_row(name, value)
    return table


def _named(counts: dict[str, int] | None) -> str | None:
    """Counters with their names, those that are not zero."""
    if counts is None:
        return None
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items() if count)


def _keys(tunnel: dict[str, Any], counts: dict[str, int] | None) -> str | None:
    if not tunnel:
        return None
    changed = f"changed {tunnel['key_updates']} times"
    if counts is None:
        return changed
    used = f"{counts['sealed']} of {counts['seal_limit']} packets sealed with these"
    return f"{changed}, {used}, {counts['failed_opens']} could not be opened"


def _congestion(tunnel: dict[str, Any]) -> str | None:
    name: str | None = tunnel.get("congestion")
    return f"{name} (LAB MODE)" if name and tunnel.get("lab_mode") else name


def _sizes(tunnel: dict[str, Any]) -> str | None:
    if not tunnel:
        return None
    return f"datagrams of {tunnel['datagram_size']} bytes, inner packets of {tunnel['mtu']}"


def _remote(remote: dict[str, Any] | None) -> str | None:
    return f"{remote['address']} port {remote['port']}" if remote else None


def _traffic(inner: dict[str, Any] | None, way: str) -> str | None:
    if not inner:
        return None
    return f"{_bytes(inner[f'{way}_bytes'])} in {inner[f'{way}_packets']} packets"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.2f} ms"


def _bytes(count: int | None) -> str:
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d"] * bool(days) + [f"{hours} h"] * bool(hours)
    return " ".join([*parts, *[f"{minutes} min"] * bool(minutes), f"{rest} s"])
