# SPDX-License-Identifier: BSD-3-Clause
"""Tunnels between two data planes in memory: the order of a handover, and every way to end."""

import asyncio
import errno
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from nexusnet.agent.config import Config
from nexusnet.agent.errors import TunnelError
from nexusnet.agent.plane import PlaneHost
from nexusnet.agent.tunnel import HostChange, Tunnel, TunnelSetting, TunnelState
from nexusnet.dataplane.protocol import DataPlaneError
from nexusnet.l3ptp.messages import CloseCode, Ready, encode_message
from nexusnet.netlink.generated import DownReason, KeyUpdateCause, Role, SessionState
from nexusnet.session import Device
from tests.agent.fakes import FakeHandover, FakePlane, choice, config, exported
from tests.agent.test_config import CLIENT, SERVER

QUICK = "[transport]\nkeepalive_seconds = 1\nidle_timeout_seconds = 3\n"


def within(work: Coroutine[Any, Any, None], seconds: float = 20) -> None:
    asyncio.run(asyncio.wait_for(work, seconds))


async def true_soon(condition: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions of any kind
            await asyncio.sleep(0.01)


@dataclass
class End:
    """One end of a tunnel, with what it was told."""

    config: Config
    plane: FakePlane
    planes: PlaneHost = field(init=False)
    device: Device = field(init=False)
    handover: FakeHandover = field(init=False)
    tunnel: Tunnel = field(init=False)
    changes: list[HostChange] = field(default_factory=list)
    up: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        self.planes = PlaneHost(choice(self.plane))
        self.planes.start()
        self.device = self.plane.create_device(
            Device(generation=1, network_id=1, name="t0", route_epoch=1)
        )
        advertised = tuple(address.network for address in self.config.network.addresses)
        setting = TunnelSetting(
            config=self.config,
            planes=self.planes,
            device=self.device,
            network_id=1,
            advertised=advertised,
        )
        role = Role.SERVER if self.config.is_server else Role.CLIENT
        connection = exported(role=role)
        self.handover = FakeHandover(connection)
        self.tunnel = Tunnel(
            setting,
            self.config.peer[0],
            self.handover,
            connection,
            on_change=self.changes.append,
            on_up=self.up.set,
        )

    def start(self) -> None:
        self.task = asyncio.create_task(self.tunnel.run())

    async def end(self) -> str:
        """Return why the tunnel ended by itself."""
        with pytest.raises(TunnelError) as caught:
            await self.task
        self.check_gone()
        return str(caught.value)

    async def stop(self) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task
        self.check_gone()

    def check_gone(self) -> None:
        assert self.tunnel.state is TunnelState.OVER
        assert not self.plane.known
        assert not self.plane.route_table
        assert self.handover.closed
        assert not any(self.handover.connection.keys.tx.reveal())


def two_ends(tmp_path: Path, *, secrets: bool = True, client: str = CLIENT) -> tuple[End, End]:
    server_end = End(config(SERVER, tmp_path), FakePlane(takes_secrets=secrets))
    client_end = End(config(client, tmp_path), FakePlane(takes_secrets=secrets))
    server_end.plane.connect(server_end.tunnel.ref, client_end.plane, client_end.tunnel.ref)
    return server_end, client_end


async def both_up(server: End, client: End) -> None:
    server.start()
    client.start()
    await asyncio.wait_for(asyncio.gather(server.up.wait(), client.up.wait()), 10)


@pytest.mark.parametrize("secrets", [True, False])
def test_a_tunnel_comes_up(tmp_path: Path, *, secrets: bool) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path, secrets=secrets)
        await both_up(server, client)
        # HOLD, then what was drained with ACTIVATE; the routes only once the peer is READY.
        calls = client.plane.calls
        assert calls.index("add_session") < calls.index("activate") < calls.index("add_route")
        assert client.handover.released
        assert [str(one) for one in client.tunnel.addresses] == ["10.77.0.2/24", "fd77::2/64"]
        # The server announces two subnets, the client accepts one.
        assert client.tunnel.routes == (ip_network("10.77.0.0/24"),)
        assert client.plane.known[client.tunnel.ref].session.allowed_sources == (
            ip_network("10.77.0.0/24"),
        )
        hosts = {ip_network("10.77.0.2/32"), ip_network("fd77::2/128")}
        assert set(server.tunnel.routes) == set(server.plane.route_table) == hosts
        assert client.changes[-1].mtu == 1421
        assert all(
            message.acknowledged for end in (server, client) for message in end.plane.known.values()
        )
        await client.stop()
        await server.stop()

    within(scenario())


def test_nothing_is_led_to_a_peer_that_is_not_ready(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path)
        server.start()
        await asyncio.sleep(0.3)
        assert not server.plane.route_table
        assert not server.up.is_set()
        client.start()
        await asyncio.wait_for(server.up.wait(), 10)
        await server.stop()
        await client.stop()

    within(scenario())


def test_a_lossy_control_channel(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path)
        rng = random.Random(11)
        server.plane.lose = client.plane.lose = lambda _: rng.random() < 0.4
        await both_up(server, client)
        await client.stop()
        await server.stop()

    within(scenario())


def test_the_peer_gets_to_know_the_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path)
        await both_up(server, client)
        await client.stop()
        ((ref, close),) = client.plane.ended
        assert ref == client.tunnel.ref
        assert (close.application, close.error_code) == (True, CloseCode.SHUTDOWN)
        server.plane.go_down(server.tunnel.ref, DownReason.PEER_CLOSED)
        assert await server.end() == "the peer closed the connection"

    within(scenario())


@pytest.mark.parametrize("reason", list(DownReason))
def test_a_session_that_is_gone_ends_the_tunnel(tmp_path: Path, reason: DownReason) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path)
        await both_up(server, client)
        client.plane.go_down(client.tunnel.ref, reason)
        assert await client.end()
        await server.stop()

    within(scenario())


def test_a_peer_that_falls_silent(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path, client=CLIENT + "\n")
        client.config = config(CLIENT.replace("[[peer]]", f"{QUICK}[[peer]]"), tmp_path)
        client.__post_init__()
        server.plane.connect(server.tunnel.ref, client.plane, client.tunnel.ref)
        await both_up(server, client)
        server.plane.lose = lambda _: True
        assert await client.end() == "the peer does not answer any more"
        await server.stop()

    within(scenario())


def test_a_peer_that_never_gets_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexusnet.agent.tunnel.READY_WITHIN", 0.5)

    async def scenario() -> None:
        _, client = two_ends(tmp_path)
        client.start()
        assert "did not become ready" in await client.end()

    within(scenario())


@pytest.mark.parametrize("payload", [b"\x01", b"\x01\x00", b"\x01\x01\xff", b"\x01\x09\x01\x00"])
def test_nonsense_ends_this_tunnel_alone(tmp_path: Path, payload: bytes) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path)
        await both_up(server, client)
        client.plane.deliver(
            client.tunnel.ref, b"\x01" + payload[1:] if payload[1:] else b"\x01\x09"
        )
        assert "control channel makes no sense" in await client.end()
        ((_, close),) = client.plane.ended
        assert close.error_code == CloseCode.PROTOCOL_ERROR
        assert not server.task.done()
        await server.stop()

    within(scenario())


def test_another_version(tmp_path: Path) -> None:
    async def scenario() -> None:
        _, client = two_ends(tmp_path)
        client.start()
        await asyncio.sleep(0.1)
        client.plane.deliver(client.tunnel.ref, b"\x01" + encode_message(Ready((9,)), 0))
        assert "another version of L3PTP" in await client.end()

    within(scenario())


def test_what_came_before_the_export_counts(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path)
        client.handover.early = [b"\x01" + encode_message(Ready(), 0), b"\x00garbage", b"\x07x"]
        await both_up(server, client)
        await client.stop()
        await server.stop()

    within(scenario())


def test_keys_are_laid_down_when_they_are_wanted(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path, secrets=False)
        await both_up(server, client)
        entry = client.plane.known[client.tunnel.ref]
        for _ in range(3):
            client.plane.want_keys(client.tunnel.ref, KeyUpdateCause.NEXT_KEYS_MISSING)
        client.plane.want_keys(client.tunnel.ref, KeyUpdateCause.CONFIDENTIALITY_LIMIT)
        await true_soon(lambda: entry.key_updates > 0)
        assert entry.next_keys == [2, 3, 4]
        await client.stop()
        await server.stop()

    within(scenario())


def test_with_secrets_the_data_plane_makes_its_own_keys(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path)
        await both_up(server, client)
        client.plane.want_keys(client.tunnel.ref, KeyUpdateCause.NEXT_KEYS_MISSING)
        await asyncio.sleep(0.1)
        assert "set_keys" not in client.plane.calls
        await client.stop()
        await server.stop()

    within(scenario())


@pytest.mark.parametrize("call", ["add_session", "activate", "add_route", "update_session"])
def test_a_refusing_data_plane(tmp_path: Path, call: str) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path)
        client.plane.refuse[call] = DataPlaneError(errno.ENOMEM, "no")
        server.start()
        client.start()
        assert "the data plane refused the tunnel: no" in await client.end()
        await server.stop()

    within(scenario())


def test_a_small_path_has_a_small_mtu(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path)
        server.plane.mtu = 1169
        await both_up(server, client)
        await true_soon(lambda: client.changes[-1].mtu == 1169)
        assert client.plane.known[client.tunnel.ref].state is SessionState.ACTIVE
        await client.stop()
        await server.stop()

    within(scenario())
