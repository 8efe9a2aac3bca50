# SPDX-License-Identifier: BSD-3-Clause
"""Handshakes in mode `reality`: who is known by what, and the camouflage target."""

import asyncio
import datetime as dt
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self, TextIO

from nexusnet.agent.config import Config, PeerSettings, split_endpoint
from nexusnet.agent.connections import (
    SocketDialer,
    SocketListener,
    explain_listen_error,
    listen_address,
    reporting,
    resolve,
    set_mark,
)
from nexusnet.agent.errors import StartError, explain_os_error
from nexusnet.agent.logs import facts
from nexusnet.agent.replay_file import RecordingDecider, ReplayFile
from nexusnet.agent.tls import read_authorities
from nexusnet.dataplane.protocol import DataPlane, DataPlaneError
from nexusnet.handshake.endpoint import AcceptedConnection
from nexusnet.handshake.errors import CredentialsError, HandshakeError
from nexusnet.handshake.profile import EngineConfig, TransportProfile, utc_now
from nexusnet.handshake.udp import UdpSocket
from nexusnet.handshake.verify import NoCertificates, TrustedAuthorities
from nexusnet.reality.client import as_reality_client
from nexusnet.reality.connection_ids import TaggedConnectionIds
from nexusnet.reality.credentials import (
    ClientCredentials,
    ServerCredentials,
    parse_preshared_key,
    parse_private_key,
    parse_public_key,
    parse_short_id,
)
from nexusnet.reality.server import RealityServer
from nexusnet.reality.server_tls import RealityServerTls
from nexusnet.reality.target import probe_target
from nexusnet.reality.template import TargetError, Template
from nexusnet.secret import SecretBytes

logger = logging.getLogger(__name__)

PROBE_EVERY: Final = (3 * 3600.0, 9 * 3600.0)
"""Seconds between two probes of the target, drawn anew each time."""

ALPN: Final = "h3"


def _read_key(key: str, file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = explain_os_error(error) if isinstance(error, OSError) else "this is no text"
        raise StartError(f"{key}: {file}: {why}") from error


def load_psk(config: Config) -> SecretBytes | None:
    """Load the pre-shared key, where there is one.

    Raises:
        StartError, CredentialsError: it cannot be read.
    """
    file = config.reality.preshared_key_file
    if file is None:
        return None
    try:
        return parse_preshared_key(_read_key("reality.preshared_key_file", file))
    except CredentialsError as error:
        raise CredentialsError(f"reality.preshared_key_file: {file}: {error}") from error


def load_server_credentials(config: Config) -> ServerCredentials:
    """Load what a server knows its clients by.

    Raises:
        StartError, CredentialsError: a file cannot be read.
    """
    file = config.reality.private_key_file
    if file is None:
        raise StartError("reality.private_key_file is missing")
    try:
        key = parse_private_key(_read_key("reality.private_key_file", file))
    except CredentialsError as error:
        raise CredentialsError(f"reality.private_key_file: {file}: {error}") from error
    users = {parse_short_id(text): peer.name for peer in config.peer for text in peer.short_ids}
    return ServerCredentials(key, users, load_psk(config))


class RealityDialer(SocketDialer):
    """Connects to servers, looking like a browser.

    Raises:
        CredentialsError, StartError: as `load_psk`.
    """

    def __init__(
        self,
        config: Config,
        plane: DataPlane,
        *,
        mark: int | None = None,
        key_log: TextIO | None = None,
    ) -> None:
        super().__init__(config, plane, mark=mark, key_log=key_log)
        self._psk = load_psk(config)

    def reload(self, config: Config) -> None:
        """Take over the pre-shared key of a new configuration, see `SocketDialer`."""
        self._psk = load_psk(config)

    def _engine_config(self, peer: PeerSettings) -> EngineConfig:
        if peer.public_key is None or peer.short_id is None:
            raise StartError(f"peer {peer.name!r} has no public_key or no short_id")
        credentials = ClientCredentials(
            parse_public_key(peer.public_key), parse_short_id(peer.short_id), self._psk
        )
        file = peer.authority_file
        config = EngineConfig(
            TrustedAuthorities(None if file is None else read_authorities(file)),
            server_name=peer.name_asked_for,
            timeout=self._config.handshake.timeout_seconds,
            key_log=self._key_log,
        )
        return as_reality_client(config, credentials, peer.name)


class RealityListener(SocketListener):
    """Waits for genuine clients; everyone else gets to see the camouflage target."""

    _server: RealityServer
    _decider: RecordingDecider
    _target: "Target"
    _names: frozenset[str]

    @classmethod
    async def open(
        cls,
        config: Config,
        plane: DataPlane,
        *,
        mark: int | None = None,
        key_log: TextIO | None = None,
        wall_clock: Callable[[], dt.datetime] = utc_now,
        on_failure: Callable[[str, HandshakeError], None] | None = None,
    ) -> Self:
        """Probe the target, then open the socket.

        Args:
            config: of a server.
            plane: the data plane.
            mark: of the outer packets.
            key_log: where TLS secrets go, in a lab.
            wall_clock: time of day.
            on_failure: told of a failed handshake: the client's address and why.

        Raises:
            StartError: the port is taken or not ours to take, or the target does not do.
            CredentialsError: a key cannot be used.
        """
        if config.reality.target is None:
            raise StartError("reality.target is missing")
        local = listen_address(config)
        loop = asyncio.get_running_loop()
        credentials = load_server_credentials(config)
        target = Target(config, mark)
        address, template = await target.find()
        window, names = config.reality.clock_window_seconds, config.reality.names
        file = ReplayFile(
            config.replay_file, window, now=loop.time(), wall=wall_clock().timestamp()
        )
        decider = RecordingDecider(credentials, template.profile(names), file.cache, window)
        decider.file = file
        engine = EngineConfig(
            NoCertificates(),
            alpn=(ALPN,),
            profile=TransportProfile(
                idle_timeout=config.transport.idle_timeout_seconds,
                connection_id_length=template.cid.length,
            ),
            timeout=config.handshake.timeout_seconds,
            key_log=key_log,
            tls_context=RealityServerTls,
        )

        try:
            server = RealityServer.serve(
                engine,
                local,
                target=address,
                template=template,
                decider=decider,
                connection_ids=TaggedConnectionIds.derive(
                    credentials.private_key.private_bytes_raw(), template.cid
                ),
                mark=mark,
                wall_clock=lambda: wall_clock().timestamp(),
                on_failure=reporting(on_failure),
            )
            listener = cls(server, plane, template.cid.length, mark)
        except BaseException as error:
            file.close()
            if isinstance(error, OSError) and not isinstance(error, DataPlaneError):
                raise explain_listen_error(local, error) from error
            raise
        listener._server, listener._decider = server, decider
        listener._target, listener._names = target, names
        return listener

    @property
    def drops(self) -> dict[str, int]:
        """What became of strangers: flows by the reason why they were relayed, and the rest."""
        demultiplexer = self._server.demultiplexer
        counted = super().drops
        for kinds in (demultiplexer.counts, demultiplexer.reasons):
            counted |= {str(kind.value): count for kind, count in kinds.items()}
        return counted

    def over(self, connection: AcceptedConnection) -> None:
        """Hear that a connection's session is over."""
        self._server.ended(connection.engine)

    def reload(self, config: Config) -> None:
        """Take over keys and short IDs of a new configuration, see `SocketListener`."""
        self._decider.credentials = load_server_credentials(config)

    async def follow_target(self, rng: random.Random) -> None:
        """Probe the target now and then, and answer as it does; runs until cancelled."""
        while True:
            await asyncio.sleep(rng.uniform(*PROBE_EVERY))
            try:
                _, template = await self._target.probe()
                self._server.follow(template)
            except (TargetError, OSError, ValueError) as error:
                logger.warning("the camouflage target's answers are not copied anew: %s", error)
                continue
            self._decider.profile = template.profile(self._names)
            logger.debug("the camouflage target was probed")

    def close(self) -> None:
        """Stop listening."""
        super().close()
        self._decider.file.close()


class Target:
    """The camouflage target: its address, and what its answers look like."""

    def __init__(self, config: Config, mark: int | None) -> None:
        """Prepare.

        Args:
            config: of a server.
            mark: of the packets to the target.
        """
        self._text = config.reality.target or ""
        self._name = min(config.reality.names)
        self._mark = mark
        # What the target looked like is told, when it happens to be down at our start.
        self._memory = config.replay_file.with_suffix(".target.json")

    async def probe(self) -> tuple[tuple[str, int], Template]:
        """Return the address that answers, and how it does.

        Raises:
            TargetError: it does not do.
            OSError: its name is not known.
        """
        host, port = split_endpoint(self._text, "target")
        error: TargetError | None = None
        for address in await resolve(host, port, "reality.target"):
            try:
                template = await probe_target(address, self._name, prepare=self._prepare)
            except TargetError as refused:
                error = refused
            except OSError as failure:
                error = TargetError(f"{address[0]}: {explain_os_error(failure)}")
            else:
                self._remember(address, template)
                return address, template
        raise error or TargetError("the target's name has no address")

    async def find(self) -> tuple[tuple[str, int], Template]:
        """Return the address and the template to begin with.

        Raises:
            StartError: the target does not do, and is not known from before.
        """
        try:
            return await self.probe()
        except (TargetError, OSError) as error:
            text = explain_os_error(error) if isinstance(error, OSError) else str(error)
            known = self._recall()
            if known is None:
                raise StartError(f"reality.target: {self._text}: {text}") from error
            logger.warning(
                "the camouflage target is copied as it was before: %s",
                text,
                extra=facts(target=self._text),
            )
            return known

    def _prepare(self, udp: UdpSocket) -> None:
        set_mark(udp.sock, self._mark)

    def _key(self, address: tuple[str, int]) -> str:
        return f"{self._text} {self._name} {address[0]} {address[1]}"

    def _remember(self, address: tuple[str, int], template: Template) -> None:
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._memory.write_text(f"{self._key(address)}\n{template.to_json()}\n")
        except OSError as error:
            logger.warning(
                "cannot keep what the camouflage target looks like: %s",
                explain_os_error(error),
                extra=facts(file=self._memory),
            )

    def _recall(self) -> tuple[tuple[str, int], Template] | None:
        try:
            key, _, text = self._memory.read_text().partition("\n")
            template = Template.from_json(text)
            _, _, host, port = key.split(" ")
            address = (host, int(port))
        except (OSError, ValueError, TargetError):
            return None
        return (address, template) if key == self._key(address) else None
