# SPDX-License-Identifier: BSD-3-Clause
"""The life of peers: attempts, waits, containment; on data planes in memory."""

import asyncio
import dataclasses
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from nexusnet.agent.config import Config, PeerSettings
from nexusnet.agent.errors import TunnelError
from nexusnet.agent.network import NetworkState
from nexusnet.agent.peers import ClientRunner, Peer, PeerState, ServerRunner
from nexusnet.agent.plane import PlaneHost
from nexusnet.agent.tunnel import TunnelSetting
from nexusnet.handshake.errors import UnreachableError
from nexusnet.handshake.verify import PeerIdentity
from nexusnet.l3ptp.messages import Ready, Routes, encode_message
from nexusnet.netlink.generated import DownReason, Role
from nexusnet.session import Device
from tests.agent.fakes import (
    FakeDialer,
    FakeHandover,
    FakeHost,
    FakePlane,
    choice,
    config,
    exported,
)
from tests.agent.test_config import CLIENT, OTHER_PIN, SERVER, second_peer
from tests.agent.test_tunnel import true_soon, within

FAST = "[transport]\nreconnect_min_seconds = 0.05\nreconnect_max_seconds = 0.2\n[[peer]]"
TWO_SERVERS = (
    CLIENT.replace("[[peer]]", FAST)
    + f"""
[[peer]]
name = "other"
endpoint = "other.example.org:1"
fingerprints = ["{OTHER_PIN}"]
"""
)

# What a peer says that is ready and has nothing behind it.
HELLO = [
    b"\x01" + encode_message(Ready(), 0),
    b"\x01" + encode_message(Routes(1, ()), 1),
]


def willing(name: str = "server", role: Role = Role.CLIENT) -> FakeHandover:
    """A handshake that leads to a tunnel."""
    handover = FakeHandover(exported(name, role))
    handover.early = HELLO
    return handover


class Setting:
    """An agent's inside, without agent."""

    def __init__(self, config: Config) -> None:
        self.plane = FakePlane()
        self.planes = PlaneHost(choice(self.plane))
        self.planes.start()
        device = self.plane.create_device(
            Device(generation=1, network_id=1, name="t0", route_epoch=1)
        )
        self.setting = TunnelSetting(config=config, planes=self.planes, device=device, network_id=1)
        self.host = FakeHost()
        self.network = NetworkState(self.host)
        idle = PeerState.LISTENING if config.is_server else PeerState.WAITING
        self.peers = {peer.name: Peer(peer, idle) for peer in config.peer}

    def client(
        self, script: Callable[[PeerSettings, int], FakeHandover | Exception]
    ) -> tuple[ClientRunner, FakeDialer]:
        dialer = FakeDialer(script)
        return ClientRunner(self.setting, self.network, dialer, random.Random(7)), dialer


async def reach(peer: Peer, state: PeerState) -> None:
    async with asyncio.timeout(10):
        while peer.state is not state:
            await peer.wait_changed()


def test_attempts_go_on_until_one_succeeds(tmp_path: Path) -> None:
    async def scenario() -> None:
        setting = Setting(config(TWO_SERVERS, tmp_path))
        runner, dialer = setting.client(
            lambda _, number: willing() if number == 4 else UnreachableError(f"attempt {number}")
        )
        peer = setting.peers["server"]
        task = asyncio.create_task(runner.keep(peer))
        await reach(peer, PeerState.CONNECTING)
        await reach(peer, PeerState.WAITING)
        assert peer.last_error == "attempt 1"
        assert peer.retry_at is not None
        await reach(peer, PeerState.UP)
        assert dialer.attempts["server"] == 4
        assert (peer.attempts, peer.connects) == (0, 1)
        assert not peer.last_error
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not setting.plane.known

    within(scenario())


def test_a_lost_tunnel_is_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        setting = Setting(config(TWO_SERVERS, tmp_path))
        runner, dialer = setting.client(lambda *_: willing())
        peer = setting.peers["server"]
        task = asyncio.create_task(runner.keep(peer))
        for number in range(1, 4):
            await reach(peer, PeerState.UP)
            assert dialer.attempts["server"] == peer.connects == number
            assert peer.tunnel is not None
            setting.plane.go_down(peer.tunnel.ref, DownReason.IDLE_TIMEOUT)
            await reach(peer, PeerState.WAITING)
            assert "idle timeout" in str(peer.last_error)
        task.cancel()
        await asyncio.wait([task])

    within(scenario())


class BugError(Exception):
    pass


def test_a_fault_with_one_peer_stays_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        setting = Setting(config(TWO_SERVERS, tmp_path))

        def script(peer: PeerSettings, number: int) -> FakeHandover | Exception:
            return BugError(f"bug {number}") if peer.name == "other" else willing()

        runner, dialer = setting.client(script)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(runner.keep(peer)) for peer in setting.peers.values()]
            await reach(setting.peers["server"], PeerState.UP)
            await true_soon(lambda: dialer.attempts.get("other", 0) >= 5)
            assert setting.peers["server"].connects == 1
            assert "a fault of the agent" in str(setting.peers["other"].last_error)
            for task in tasks:
                task.cancel()

    within(scenario())
    assert "fault in a tunnel; the others go on" in caplog.text


def test_down_and_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        setting = Setting(config(TWO_SERVERS, tmp_path))
        runner, dialer = setting.client(lambda *_: willing())
        peer = setting.peers["server"]
        keeper = asyncio.create_task(runner.keep(peer))
        host = asyncio.create_task(runner.keep_host())
        await reach(peer, PeerState.UP)
        await asyncio.sleep(0.05)
        assert setting.host.states
        peer.disable()
        await reach(peer, PeerState.DOWN)
        assert not setting.plane.known
        await asyncio.sleep(0.5)
        assert dialer.attempts["server"] == 1
        peer.enable()
        await reach(peer, PeerState.UP)
        for task in (keeper, host):
            task.cancel()
        await asyncio.wait([keeper, host])

    within(scenario())


def test_up_does_not_wait_for_the_backoff(tmp_path: Path) -> None:
    async def scenario() -> None:
        slow = "[transport]\nreconnect_min_seconds = 600\nreconnect_max_seconds = 600\n[[peer]]"
        setting = Setting(config(CLIENT.replace("[[peer]]", slow), tmp_path))
        runner, _ = setting.client(
            lambda _, number: willing() if number > 1 else UnreachableError("no")
        )
        peer = setting.peers["server"]
        task = asyncio.create_task(runner.keep(peer))
        await true_soon(lambda: peer.retry_at)
        peer.enable()
        await reach(peer, PeerState.UP)
        task.cancel()
        await asyncio.wait([task])

    within(scenario())


def test_a_peer_that_is_switched_off_in_the_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        off = TWO_SERVERS.replace('name = "server"', 'name = "server"\nenabled = false')
        setting = Setting(config(off, tmp_path))
        runner, dialer = setting.client(lambda *_: willing())
        peer = setting.peers["server"]
        assert peer.state is PeerState.DOWN
        task = asyncio.create_task(runner.keep(peer))
        await asyncio.sleep(0.3)
        assert not dialer.attempts
        task.cancel()
        await asyncio.wait([task])

    within(scenario())


class FakeListener:
    """Clients arrive when a test puts them into the queue."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[FakeHandover] = asyncio.Queue()
        self.local = ("::", 443)
        self.drops: dict[str, int] = {}

    async def accept(self) -> FakeHandover:
        return await self.queue.get()

    def close(self) -> None:
        pass


class Served:
    """A server under test."""

    def __init__(self, tmp_path: Path) -> None:
        text = second_peer(addresses='["10.77.0.3"]')
        self.setting = Setting(config(text, tmp_path))
        self.peers = self.setting.peers
        self.listener = FakeListener()
        runner = ServerRunner(self.setting.setting, self.setting.network, self.listener, self.peers)
        self.task = asyncio.create_task(runner.serve())

    def arrive(self, name: str) -> FakeHandover:
        handover = willing(name, Role.SERVER)
        self.listener.queue.put_nowait(handover)
        return handover

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        assert not self.setting.plane.known


def test_clients_are_told_apart(tmp_path: Path) -> None:
    async def scenario() -> None:
        served = Served(tmp_path)
        served.arrive("laptop")
        served.arrive("phone")
        for peer in served.peers.values():
            await reach(peer, PeerState.UP)
        assert served.peers["phone"].tunnel is not None
        assert [str(one) for one in served.peers["phone"].tunnel.routes] == ["10.77.0.3/32"]
        await served.stop()

    within(scenario())


def test_a_client_that_comes_again_replaces_its_tunnel(tmp_path: Path) -> None:
    async def scenario() -> None:
        served = Served(tmp_path)
        first = served.arrive("laptop")
        peer = served.peers["laptop"]
        await reach(peer, PeerState.UP)
        old = peer.tunnel
        # Three at once: the last one stays.
        handovers = [served.arrive("laptop") for _ in range(3)]
        await true_soon(lambda: sum(handover.closed for handover in handovers) == 2)
        await reach(peer, PeerState.UP)
        assert first.closed
        assert peer.tunnel is not old
        assert len(served.setting.plane.known) == 1
        assert peer.state is PeerState.UP
        await served.stop()

    within(scenario())


def test_a_client_that_is_known_no_more_gets_nothing(tmp_path: Path) -> None:
    """It shook hands, and its fingerprint was taken away before it had a tunnel."""

    async def scenario() -> None:
        served = Served(tmp_path)
        peer = served.peers["laptop"]
        peer.settings = dataclasses.replace(peer.settings, fingerprints=(OTHER_PIN,))
        handover = served.arrive("laptop")
        await true_soon(lambda: handover.closed)
        assert not served.setting.plane.known
        assert peer.state is PeerState.LISTENING
        await served.stop()

    within(scenario())


@pytest.mark.parametrize(
    ("identity", "known"),
    [
        (None, False),
        (PeerIdentity("laptop", None), False),
        (PeerIdentity("laptop", bytes([0xAB]) * 32), True),
        (PeerIdentity("laptop", bytes(32)), False),
        (PeerIdentity("laptop", None, bytes.fromhex("0123456789abcdef")), True),
        (PeerIdentity("laptop", None, bytes(8)), False),
        # A short ID that is gone is not made up for by a certificate.
        (PeerIdentity("laptop", bytes([0xAB]) * 32, bytes(8)), False),
    ],
)
def test_what_a_peer_is_known_by(identity: PeerIdentity | None, known: bool) -> None:  # noqa: FBT001 - of the table
    settings = PeerSettings(
        name="laptop",
        short_ids=("0123456789ABCDEF",),
        fingerprints=("sha256:" + "ab" * 32,),
    )
    assert Peer(settings, PeerState.LISTENING).knows(identity) is known


def test_a_client_that_is_switched_off_gets_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        served = Served(tmp_path)
        served.peers["laptop"].disable()
        assert served.peers["laptop"].state is PeerState.DOWN
        handover = served.arrive("laptop")
        await true_soon(lambda: handover.closed)
        assert not served.setting.plane.known
        served.peers["laptop"].enable()
        served.arrive("laptop")
        await reach(served.peers["laptop"], PeerState.UP)
        await served.stop()

    within(scenario())


@pytest.mark.parametrize(
    "error", [UnreachableError("gone"), OSError("x"), TunnelError("t"), BugError("b")]
)
def test_a_client_that_fails_is_nobody_elses_concern(tmp_path: Path, error: Exception) -> None:
    async def scenario() -> None:
        served = Served(tmp_path)
        served.arrive("laptop")
        await reach(served.peers["laptop"], PeerState.UP)
        broken = FakeHandover(exported("phone"))

        async def fail() -> None:
            raise error

        broken.export = fail  # type: ignore[method-assign, assignment]  # breaks on purpose
        served.listener.queue.put_nowait(broken)
        await true_soon(lambda: broken.closed)
        served.arrive("phone")
        await reach(served.peers["phone"], PeerState.UP)
        assert served.peers["laptop"].connects == 1
        await served.stop()

    within(scenario())


def test_the_server_config_is_what_these_tests_think(tmp_path: Path) -> None:
    assert config(SERVER, tmp_path).is_server
