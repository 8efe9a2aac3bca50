# SPDX-License-Identifier: BSD-3-Clause
"""What is known about each peer, and the life of its tunnels.

A client's peer is dialled again and again, with backoff; a server's peer is whoever proves to be
it. Whatever goes wrong with one peer stays with it.
"""

import asyncio
import contextlib
import enum
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from nexusnet.agent.backoff import Backoff
from nexusnet.agent.config import PeerSettings
from nexusnet.agent.errors import AgentError, TunnelError, explain_os_error
from nexusnet.agent.handover import Dialer, ExportedConnection, Handover, Listener
from nexusnet.agent.logs import bound, facts
from nexusnet.agent.network import NetworkState, Wish
from nexusnet.agent.tunnel import HostChange, Tunnel, TunnelSetting
from nexusnet.handshake.errors import BadCertificateError, HandshakeError, RelayedError
from nexusnet.handshake.verify import PeerIdentity
from nexusnet.l3ptp.messages import CloseCode
from nexusnet.reality.credentials import format_short_id

logger = logging.getLogger(__name__)

LOCAL_ADDRESSES: Final = ""
"""Owner of the configured addresses among the wishes; no peer has this name."""


class PeerState(enum.Enum):
    """What a peer's tunnel is doing."""

    DOWN = "down"
    LISTENING = "listening"
    CONNECTING = "connecting"
    UP = "up"
    WAITING = "waiting"


class Outcome(enum.Enum):
    """Who answered a client in mode reality, the last time that somebody did."""

    GENUINE = "genuine"
    RELAYED = "relayed"
    BAD_CERTIFICATE = "bad_certificate"


SUSPICIOUS: Final = frozenset({Outcome.RELAYED, Outcome.BAD_CERTIFICATE})

EXPECTED: Final = (AgentError, HandshakeError, OSError)
"""What ends a tunnel without being a fault of the agent."""


def explain(error: BaseException) -> str:
    """Return an error in one line."""
    if isinstance(error, OSError):
        return explain_os_error(error)
    return str(error) or type(error).__name__


class Peer:
    """A configured peer.

    Attributes:
        settings: from the configuration.
        state: what its tunnel is doing.
        tunnel: the present one; None without.
        last_error: why the latest attempt or tunnel ended; None before.
        outcome: who answered in mode reality; None before, and in other modes.
        attempts: to connect, since the last success.
        connects: tunnels that came up.
        retry_at: when it is dialled again, in seconds of the event loop's clock; None otherwise.
    """

    def __init__(self, settings: PeerSettings, idle_state: PeerState) -> None:
        """Begin in the state that a peer without a tunnel has.

        Args:
            settings: from the configuration.
            idle_state: LISTENING or WAITING while enabled.
        """
        self.settings = settings
        self.tunnel: Tunnel | None = None
        self.last_error: str | None = None
        self.outcome: Outcome | None = None
        self.attempts = 0
        self.connects = 0
        self.retry_at: float | None = None
        self.task: asyncio.Task[None] | None = None
        self._idle_state = idle_state
        self.state = idle_state
        self._enabled = asyncio.Event()
        self._changed = asyncio.Event()
        self._poked = asyncio.Event()
        if settings.enabled:
            self._enabled.set()
        else:
            self.state = PeerState.DOWN

    @property
    def enabled(self) -> bool:
        """Whether it should have a tunnel."""
        return self._enabled.is_set()

    async def wait_enabled(self) -> None:
        """Return once it should have a tunnel."""
        await self._enabled.wait()

    def enable(self) -> None:
        """Let it have a tunnel, now: a wait between two attempts ends."""
        if not self.enabled:
            self._enabled.set()
            self.set_state(self._idle_state)
        self._poked.set()

    def disable(self) -> None:
        """End its tunnel, and let it have none."""
        self._enabled.clear()
        self._poked.set()
        if self.task is not None:
            self.task.cancel()
        else:
            self.set_state(PeerState.DOWN)

    def set_state(self, state: PeerState) -> None:
        """Change the state; who waits for a change wakes up."""
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_changed(self) -> None:
        """Return at the next change of the state."""
        await self._changed.wait()

    async def wait_poked(self, seconds: float) -> None:
        """Return after a while, or as soon as somebody asks for something."""
        self._poked.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._poked.wait()

    async def run(self, work: Coroutine[Any, Any, None]) -> BaseException | None:
        """Run the peer's task to its end; return why it ended, None where it was to end.

        Raises:
            asyncio.CancelledError: whoever called this is to end; the task has ended, too.
        """
        task = self.task = asyncio.create_task(work)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            if self.task is task:
                self.task = None
        return None if task.cancelled() else task.exception()

    @property
    def is_free(self) -> bool:
        """Whether no task is under way."""
        return self.task is None

    def knows(self, identity: PeerIdentity | None) -> bool:
        """Whether it is still known by what an end proved itself with, at a server."""
        if identity is None:
            return False
        if identity.short_id is not None:
            return format_short_id(identity.short_id) in map(str.lower, self.settings.short_ids)
        return identity.fingerprint in self.settings.pins

    async def end(self, code: CloseCode | None = None) -> None:
        """End the peer's task, whoever runs it.

        Args:
            code: what the other end is told; None for what it is told as a rule.
        """
        if self.tunnel is not None and code is not None:
            self.tunnel.say_why(code)
        while self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task])


class PeerRunner:
    """Runs tunnels of peers, and makes of them what the host should look like.

    Attributes:
        on_up: told whenever a tunnel came up.
    """

    def __init__(self, setting: TunnelSetting, network: NetworkState) -> None:
        """Prepare.

        Args:
            setting: what all tunnels share.
            network: the host's configuration.
        """
        self.setting = setting
        self.on_up: Callable[[], None] = lambda: None
        self._network = network
        self._host_dirty = asyncio.Event()

    async def keep_host(self) -> None:
        """Bring the host to what the tunnels want, whenever that changes; runs until cancelled."""
        while True:
            await self._host_dirty.wait()
            self._host_dirty.clear()
            try:
                await self._network.apply()
            except EXPECTED as error:
                logger.error("the host's network was not configured: %s", explain(error))  # noqa: TRY400 - a traceback tells nothing more

    async def run_tunnel(
        self, peer: Peer, handover: Handover, exported: ExportedConnection
    ) -> None:
        """Run one tunnel to its end; always raises.

        Raises:
            AgentError, HandshakeError, OSError: it ended; the text says why.
            asyncio.CancelledError: it was to end.
        """
        tunnel = peer.tunnel = self._tunnel(peer, handover, exported)
        try:
            await tunnel.run()
        finally:
            if peer.tunnel is tunnel:
                peer.tunnel = None

    def _tunnel(self, peer: Peer, handover: Handover, exported: ExportedConnection) -> Tunnel:
        """Return a tunnel whose wishes reach the host."""

        def on_change(change: HostChange) -> None:
            self._network.want(
                peer.settings.name,
                Wish(
                    addresses=change.addresses,
                    routes=change.routes,
                    mtu=change.mtu,
                    detours=(exported.udp_tuple.peer.address,),
                ),
            )
            self._host_dirty.set()

        def on_up() -> None:
            peer.connects += 1
            peer.attempts = 0
            peer.last_error = None
            config = self.setting.config
            if config.is_reality and not config.is_server:
                peer.outcome = Outcome.GENUINE
            peer.set_state(PeerState.UP)
            logger.info(
                "tunnel is up",
                extra=facts(
                    remote=f"{tunnel.path.peer.address} port {tunnel.path.peer.port}",
                    datagram_size=tunnel.datagram_size,
                    mtu=tunnel.mtu,
                    cipher=tunnel.cipher,
                ),
            )
            self.on_up()

        tunnel = Tunnel(
            self.setting, peer.settings, handover, exported, on_change=on_change, on_up=on_up
        )
        return tunnel

    def forget(self, peer: Peer) -> None:
        """Take away what a peer's tunnel wanted of the host.

        Not between two tunnels: what is led into the device must not leave in the clear meanwhile.
        """
        self._network.want(peer.settings.name, None)
        self._host_dirty.set()

    def failed(self, peer: Peer, error: BaseException) -> None:
        """Record why a tunnel ended."""
        was_up = peer.state is PeerState.UP
        peer.last_error = explain(error)
        if isinstance(error, RelayedError):
            peer.outcome = Outcome.RELAYED
        elif isinstance(error, BadCertificateError):
            peer.outcome = Outcome.BAD_CERTIFICATE
        if isinstance(error, EXPECTED):
            level = logging.WARNING if was_up or peer.outcome in SUSPICIOUS else logging.INFO
            logger.log(level, "tunnel is down: %s" if was_up else "no tunnel: %s", peer.last_error)
        else:
            peer.last_error = f"a fault of the agent: {error!r}; the log has more"
            logger.error("fault in a tunnel; the others go on", exc_info=error)


class ClientRunner(PeerRunner):
    """Keeps a client's peers connected."""

    def __init__(
        self, setting: TunnelSetting, network: NetworkState, dialer: Dialer, rng: random.Random
    ) -> None:
        """Prepare.

        Args:
            setting: what all tunnels share.
            network: the host's configuration.
            dialer: connects.
            rng: source of the jitter.
        """
        super().__init__(setting, network)
        self._dialer = dialer
        self._rng = rng

    async def keep(self, peer: Peer) -> None:
        """Keep one peer connected while it is enabled; runs until cancelled."""
        transport = self.setting.config.transport
        backoff = Backoff(
            transport.reconnect_min_seconds, transport.reconnect_max_seconds, self._rng
        )
        with bound(peer=peer.settings.name):
            while True:
                await peer.wait_enabled()
                connects = peer.connects
                error = await peer.run(self._once(peer))
                if error is not None:
                    self.failed(peer, error)
                if not peer.enabled:
                    self.forget(peer)
                    peer.set_state(PeerState.DOWN)
                    continue
                if peer.connects != connects:
                    backoff.reset()
                wait = backoff.next()
                peer.retry_at = asyncio.get_running_loop().time() + wait
                peer.set_state(PeerState.WAITING)
                await peer.wait_poked(wait)
                peer.retry_at = None

    async def _once(self, peer: Peer) -> None:
        peer.attempts += 1
        peer.set_state(PeerState.CONNECTING)
        handover = await self._dialer.dial(peer.settings)
        await self.run_tunnel(peer, handover, await take_out(handover))


class ServerRunner(PeerRunner):
    """Gives each client that proves to be a configured peer its tunnel."""

    def __init__(
        self,
        setting: TunnelSetting,
        network: NetworkState,
        listener: Listener,
        peers: dict[str, Peer],
    ) -> None:
        """Prepare.

        Args:
            setting: what all tunnels share.
            network: the host's configuration.
            listener: accepts connections.
            peers: by name.
        """
        super().__init__(setting, network)
        self._listener = listener
        self._peers = peers

    async def serve(self) -> None:
        """Accept clients; runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                handover = await self._listener.accept()
                group.create_task(self._contained(handover))

    async def _contained(self, handover: Handover) -> None:
        try:
            await self._welcome(handover)
        except EXPECTED as error:
            logger.info("a client got no tunnel: %s", explain(error))
        except Exception:
            logger.exception("fault while a client connected; the others go on")

    async def _welcome(self, handover: Handover) -> None:
        exported = await take_out(handover)
        name = exported.identity.name if exported.identity else None
        peer = self._peers.get(name) if name else None
        if peer is None or not peer.knows(exported.identity):
            handover.close()
            raise TunnelError(f"peer {name!r} is not configured, or not any more")
        if not peer.enabled:
            self._tunnel(peer, handover, exported).refuse(CloseCode.POLICY)
            raise TunnelError(f"peer {name!r} is switched off (`nexus up` lets it in)")
        with bound(peer=peer.settings.name):
            # The client has lost its former tunnel, or it would not be here.
            await peer.end()
            peer.set_state(PeerState.CONNECTING)
            try:
                error = await peer.run(self.run_tunnel(peer, handover, exported))
            finally:
                # A task that is cancelled before its first step does not clean up.
                handover.close()
            if peer.is_free:
                self._ended(peer, error)

    def _ended(self, peer: Peer, error: BaseException | None) -> None:
        if error is not None:
            self.failed(peer, error)
        if peer.enabled:
            peer.set_state(PeerState.LISTENING)
        else:
            self.forget(peer)
            peer.set_state(PeerState.DOWN)


async def take_out(handover: Handover) -> ExportedConnection:
    """Export a connection; it is closed where that fails."""
    try:
        return await handover.export()
    except BaseException:
        handover.close()
        raise


async def forever(work: Callable[[], Awaitable[None]], what: str) -> None:
    """Run something that must not stop: a fault is logged, and it starts again."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("fault in %s; it starts again", what)
            await asyncio.sleep(1)
