# SPDX-License-Identifier: BSD-3-Clause
"""An agent: one network, from its start to the moment when nothing of it is left."""

import asyncio
import contextlib
import dataclasses
import errno
import hashlib
import logging
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

from nexusnet.agent import linux
from nexusnet.agent.adoption import Inheritance, adopt
from nexusnet.agent.config import Config, Network, PeerSettings
from nexusnet.agent.connections import SocketDialer, SocketListener, open_key_log
from nexusnet.agent.control import ControlServer
from nexusnet.agent.errors import AgentError, StartError
from nexusnet.agent.leftovers import StateFile, hold
from nexusnet.agent.logs import bound, facts
from nexusnet.agent.network import DEFAULT_MTU, Host, NetworkState, Wish
from nexusnet.agent.notify import notify
from nexusnet.agent.peers import (
    LOCAL_ADDRESSES,
    ClientRunner,
    Peer,
    PeerRunner,
    PeerState,
    ServerRunner,
)
from nexusnet.agent.plane import PlaneChoice, PlaneHost, choose_plane
from nexusnet.agent.reality import RealityDialer, RealityListener
from nexusnet.agent.reload import compare, only_trust_differs
from nexusnet.agent.status import agent_status
from nexusnet.agent.tls import TlsDialer, TlsListener
from nexusnet.agent.tunnel import TunnelSetting
from nexusnet.dataplane.protocol import DataPlaneError
from nexusnet.dco import Plane
from nexusnet.handshake.errors import HandshakeError
from nexusnet.l3ptp.messages import CloseCode
from nexusnet.netlink.generated import DeviceFlag
from nexusnet.session import Device, OuterPolicy

logger = logging.getLogger(__name__)

TUN_DEVICE: Final = Path("/dev/net/tun")
ROUTE_EPOCH: Final = 1
"""Of the network; every start makes its sessions anew."""

LOUD_FAILURES: Final = 10
"""Failed handshakes a minute that are logged as such; the rest is counted."""


def network_id(name: str) -> int:
    """Return the number by which the data plane knows a network."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


# The file is not there, or nothing is behind it.
NO_TUN: Final = frozenset({errno.ENOENT, errno.ENXIO, errno.ENODEV})


def create_device(planes: PlaneHost, device: Device) -> Device:
    """Make the virtual device.

    Raises:
        StartError: there is no TUN, no permission, or the name is taken.
    """
    try:
        return planes.plane.create_device(device)
    except DataPlaneError as error:
        name = device.name
        not_permitted = (
            f"not permitted to make the device {name}: run as root, or give the agent CAP_NET_ADMIN"
        )
        fixes = {
            errno.EPERM: not_permitted,
            errno.EEXIST: f"there is a device {name} already (`ip link show {name}`):"
            " delete it, or set another network.interface",
            errno.EBUSY: f"the device {name} is in use (`ip link show {name}`):"
            " stop what uses it, or set another network.interface",
        }
        if planes.decision.plane is Plane.USERSPACE:
            fixes[errno.EACCES] = not_permitted
            missing = (
                "this machine has no TUN (/dev/net/tun): run `modprobe tun`,"
                " or let the container have the device"
            )
            if not TUN_DEVICE.exists() or error.errno in NO_TUN:
                raise StartError(missing) from error
        raise StartError(
            fixes.get(error.errno or 0, f"cannot make the device {name}: {error.strerror}")
        ) from error


class Agent:
    """Runs one network.

    Attributes:
        config: what it was told.
        peers: by name.
    """

    def __init__(
        self,
        config: Config,
        *,
        open_plane: Callable[[Config], PlaneChoice] = choose_plane,
        shared_planes: PlaneHost | None = None,
        make_host: Callable[[str, int, StateFile], Host] = linux.LinuxHost,
        rng: random.Random | None = None,
        load: Callable[[], Config] | None = None,
    ) -> None:
        """Prepare; `run` starts it.

        Args:
            config: what it is told.
            open_plane: opens the data plane.
            shared_planes: a data plane of somebody else's that is used instead, and left open.
            make_host: gives the host's network by device, mark and state file.
            rng: source of the jitter; the system's where None.
            load: reads the configuration again; None where there is no file.
        """
        self.config = config
        self._load = load
        self.peers: dict[str, Peer] = {}
        self._open_plane = open_plane
        self._shared_planes = shared_planes
        self._make_host = make_host
        self._rng = rng or random.SystemRandom()
        self._stop = asyncio.Event()
        self._started = time.time()
        self._planes: PlaneHost | None = None
        self._device: Device | None = None
        self._network: NetworkState | None = None
        self._listener: SocketListener | None = None
        self._dialer: SocketDialer | None = None
        self._group: asyncio.TaskGroup | None = None
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._reloading = asyncio.Lock()
        self._runner: PeerRunner | None = None
        self._inheritance: Inheritance | None = None
        self._failures: list[float] = []
        self.ready = asyncio.Event()

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._stop.set()

    async def run(self) -> None:
        """Run until `stop`; leaves nothing behind, whatever happens.

        Raises:
            AgentError, HandshakeError: it cannot start; the text names the fix.
        """
        config = self.config
        with bound(network=config.network.name):
            async with contextlib.AsyncExitStack() as stack:
                await self._set_up(stack)
                await self._serve()
                notify("STOPPING=1")
                logger.info("stopping")
            logger.info("stopped")

    async def _set_up(self, stack: contextlib.AsyncExitStack) -> None:
        """Start part after part; the stack takes them down in reverse."""
        config = self.config
        peer_state = PeerState.LISTENING if config.is_server else PeerState.WAITING
        self.peers = {peer.name: Peer(peer, peer_state) for peer in config.peer}
        state = stack.enter_context(hold(config.state_file, config.network.name))
        planes = self._planes = await stack.enter_async_context(self._plane_host())
        logger.info(
            "data plane",
            extra=facts(kind=planes.decision.plane.value, reason=planes.decision.reason),
        )
        mark = config.network.fwmark or linux.default_mark(config.network.interface)
        device = self._device = await stack.enter_async_context(
            self._have_device(planes, state, mark)
        )
        host = self._make_host(device.name, mark, state)
        network = self._network = NetworkState(host, config.network.mtu_bytes)
        stack.push_async_callback(network.close)
        network.want(LOCAL_ADDRESSES, Wish(addresses=config.network.addresses))
        await network.apply()
        if config.network.clamp_mss:
            await host.clamp_mss()
        setting = TunnelSetting(
            config=config,
            planes=planes,
            device=device,
            network_id=network_id(config.network.name),
            mark=mark,
            advertised=self._advertised(),
        )
        key_log = open_key_log(config)
        if key_log is not None:
            stack.enter_context(key_log)
        if config.is_server:
            listener = self._listener = await self._listen(planes, mark, key_log)
            stack.callback(listener.close)
            self._runner = ServerRunner(setting, network, listener, self.peers)
        else:
            make = RealityDialer if config.is_reality else TlsDialer
            dialer = self._dialer = make(config, planes.plane, mark=mark, key_log=key_log)
            self._runner = ClientRunner(setting, network, dialer, self._rng)
        control = ControlServer(config.socket_file, self.commands())
        stack.push_async_callback(control.close)
        await control.open()

    async def _listen(self, planes: PlaneHost, mark: int, key_log: TextIO | None) -> SocketListener:
        if self.config.is_reality:
            return await RealityListener.open(
                self.config, planes.plane, mark=mark, key_log=key_log, on_failure=self._failed
            )
        return TlsListener(
            self.config, planes.plane, mark=mark, key_log=key_log, on_failure=self._failed
        )

    @contextlib.asynccontextmanager
    async def _plane_host(self) -> AsyncIterator[PlaneHost]:
        if self._shared_planes is not None:
            yield self._shared_planes
            return
        planes = PlaneHost(self._open_plane(self.config))
        try:
            planes.start()
            yield planes
        finally:
            planes.close()

    @contextlib.asynccontextmanager
    async def _have_device(
        self, planes: PlaneHost, state: StateFile, mark: int
    ) -> AsyncIterator[Device]:
        """Take over the device of an agent that crashed, or clean up after it and make one."""
        settings = self.config.network
        wanted = Device(
            generation=planes.next_number(),
            network_id=network_id(settings.name),
            name=settings.interface,
            route_epoch=ROUTE_EPOCH,
            mtu=settings.mtu_bytes or DEFAULT_MTU,
            flags=DeviceFlag.PERSIST if settings.persist else DeviceFlag(0),
            outer=OuterPolicy(fwmark=mark),
        )
        self._inheritance = adopt(planes, wanted) if settings.persist else None
        left = state.left_behind
        if self._inheritance is not None:
            device = self._inheritance.device
            # Its rules stay in force; what else there is goes when this agent ends.
            state.record(interface=device.name, table=left.table, nft_table=left.nft_table)
        else:
            for thing in await linux.clean(left):
                logger.warning("cleaned up after an agent that crashed", extra=facts(removed=thing))
            device = create_device(planes, wanted)
            state.record(interface=device.name)
        try:
            yield device
        finally:
            planes.plane.delete_device(device.id, planes.next_number())

    def _advertised(self) -> tuple[Network, ...]:
        """What the peers are told is behind this end."""
        network = self.config.network
        own: Iterable[Network] = (
            (address.network for address in network.addresses) if self.config.is_server else ()
        )
        return tuple(dict.fromkeys((*own, *network.advertise)))

    async def _serve(self) -> None:
        runner = self._runner
        if runner is None:
            raise StartError("nothing to run")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._end_of_group())
                group.create_task(runner.keep_host())
                runner.on_up = self._tunnel_up
                self._group = group
                if isinstance(runner, ServerRunner):
                    group.create_task(runner.serve())
                for peer in self.peers.values():
                    self._keep(peer)
                if isinstance(self._listener, RealityListener):
                    group.create_task(self._listener.follow_target(self._rng))
                self.ready.set()
                notify("READY=1", f"STATUS=network {self.config.network.name}")
                logger.info("ready", extra=facts(**self._where()))
        except* _StopError:
            pass

    def _tunnel_up(self) -> None:
        """A peer may have replaced a session that was taken over."""
        if self._inheritance is not None:
            with contextlib.suppress(DataPlaneError):
                self._inheritance.sweep()

    def _keep(self, peer: Peer) -> None:
        """Keep a client's peer connected from now on."""
        if isinstance(self._runner, ClientRunner) and self._group is not None:
            task = self._group.create_task(self._runner.keep(peer))
            self._keepers[peer.settings.name] = task

    async def _end_of_group(self) -> None:
        await self._stop.wait()
        raise _StopError

    def _where(self) -> dict[str, Any]:
        config = self.config
        listen = self._listener.local if self._listener is not None else None
        return {
            "role": config.network.role.value,
            "interface": self._device.name if self._device else None,
            "listen": f"{listen[0]} port {listen[1]}" if listen else None,
            "peers": len(self.peers),
        }

    def _failed(self, address: str, error: HandshakeError) -> None:
        """Log a handshake that failed; a flood of them is not to fill the disk."""
        now = time.monotonic()
        self._failures = [moment for moment in self._failures if moment > now - 60]
        self._failures.append(now)
        if len(self._failures) <= LOUD_FAILURES:
            logger.info("a handshake failed: %s", error, extra=facts(remote=address))

    # The control socket

    def commands(self) -> Mapping[str, Any]:
        """Return what the control socket answers to."""
        return {
            "status": self._command_status,
            "up": self._command_up,
            "down": self._command_down,
            "reload": self._command_reload,
        }

    def status(self) -> dict[str, Any]:
        """Return what is known, see `status`."""
        if self._planes is None or self._device is None or self._network is None:
            raise AgentError("the agent is still starting: try again")
        return agent_status(
            config=self.config,
            planes=self._planes,
            device=self._device,
            network=self._network,
            peers=self.peers,
            started=self._started,
            now=asyncio.get_running_loop().time(),
            listen=self._listener.local if self._listener else None,
            strangers=self._listener.drops if self._listener else {},
        ) | {"pid": os.getpid()}

    async def _command_status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        del request
        return self.status()

    def _chosen(self, request: Mapping[str, Any]) -> list[Peer]:
        names = request.get("peers") or list(self.peers)
        if not isinstance(names, list):
            raise AgentError("peers: a list of names is needed")
        unknown = [str(name) for name in names if name not in self.peers]
        if unknown:
            known = ", ".join(self.peers) or "none"
            raise AgentError(f"there is no peer {', '.join(unknown)}; known are {known}")
        return [self.peers[name] for name in names]

    async def _command_up(self, request: Mapping[str, Any]) -> dict[str, Any]:
        peers = self._chosen(request)
        for peer in peers:
            peer.enable()
        wait = request.get("wait_seconds")
        # A server's peers come when they like.
        if not self.config.is_server and isinstance(wait, int | float) and wait > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait, 3600)):
                    for peer in peers:
                        while peer.state is not PeerState.UP:
                            await peer.wait_changed()
        return self._peer_states(peers)

    async def _command_down(self, request: Mapping[str, Any]) -> dict[str, Any]:
        peers = self._chosen(request)
        for peer in peers:
            peer.disable()
        # Ending a tunnel takes no longer than a few system calls.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                for peer in peers:
                    while peer.state is not PeerState.DOWN:
                        await peer.wait_changed()
        return self._peer_states(peers)

    async def _command_reload(self, request: Mapping[str, Any]) -> dict[str, Any]:
        del request
        return await self.reload()

    def reload_soon(self) -> None:
        """Reload, and log where that fails; for signals."""

        async def attempt() -> None:
            try:
                await self.reload()
            except (AgentError, HandshakeError) as error:
                logger.error("the configuration was not read again: %s", error)  # noqa: TRY400 - a traceback tells nothing more

        if self._group is not None:
            self._group.create_task(attempt())

    async def reload(self) -> dict[str, Any]:
        """Take over the peers of the configuration as it is now, and the files with keys.

        Whoever is known by nothing any more that stands there loses its tunnel at once.

        Returns:
            What has changed, see `Reload.as_json`, and in how many `seconds`.

        Raises:
            AgentError, HandshakeError: the configuration cannot be used; nothing has changed.
        """
        if self._load is None:
            raise AgentError("this agent was started without a configuration file")
        async with self._reloading:
            begin = time.monotonic()
            fresh = self._load()
            what = compare(self.config, fresh)
            if (
                fresh.is_reality != self.config.is_reality
                or fresh.is_server != self.config.is_server
            ):
                raise AgentError("another role or handshake.mode takes effect at the next start")
            for edge in (self._listener, self._dialer):
                if edge is not None:
                    edge.reload(fresh)
            self.config = dataclasses.replace(self.config, peer=fresh.peer)
            for name in what.removed:
                await self._remove(self.peers.pop(name))
            for settings in what.changed:
                await self._change(self.peers[settings.name], settings)
            for settings in what.added:
                state = PeerState.LISTENING if fresh.is_server else PeerState.WAITING
                peer = self.peers[settings.name] = Peer(settings, state)
                self._keep(peer)
        found = what.as_json() | {"seconds": round(time.monotonic() - begin, 3)}
        logger.info("configuration read again", extra=facts(**found))
        return found

    async def _remove(self, peer: Peer) -> None:
        keeper = self._keepers.pop(peer.settings.name, None)
        await peer.end(CloseCode.POLICY)
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        if self._runner is not None:
            self._runner.forget(peer)

    async def _change(self, peer: Peer, settings: PeerSettings) -> None:
        before, peer.settings = peer.settings, settings
        if before.enabled != settings.enabled:
            (peer.enable if settings.enabled else peer.disable)()
        tunnel = peer.tunnel
        if tunnel is None:
            return
        if not only_trust_differs(before, settings):
            await peer.end(CloseCode.RECONFIGURED)
        elif self.config.is_server and not peer.knows(tunnel.identity):
            await peer.end(CloseCode.POLICY)

    @staticmethod
    def _peer_states(peers: Iterable[Peer]) -> dict[str, Any]:
        return {
            "peers": [
                {
                    "name": peer.settings.name,
                    "state": peer.state.value,
                    "last_error": peer.last_error,
                }
                for peer in peers
            ]
        }


class _StopError(Exception):
    """Ends the agent's task group."""
