# SPDX-License-Identifier: BSD-3-Clause
"""How connections of either mode come from their sockets to the data plane.

A mode says what its handshakes are told; sockets, names, and the handover are the same for all.
"""

import asyncio
import contextlib
import errno
import logging
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TextIO

from nexusnet.agent.config import Config, PeerSettings, split_endpoint
from nexusnet.agent.connection_ids import issue_random
from nexusnet.agent.errors import StartError, explain_os_error
from nexusnet.agent.handover import ExportedConnection, Handover
from nexusnet.agent.logs import facts
from nexusnet.dataplane.protocol import (
    DataPlane,
    DataPlaneError,
    Screen,
    ScreeningEndpoint,
    UdpEndpoint,
)
from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.datagram import Received
from nexusnet.handshake.endpoint import AcceptedConnection, ClientConnection, Server
from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.handshake.errors import HandshakeError
from nexusnet.handshake.profile import EngineConfig
from nexusnet.handshake.reader import Reader
from nexusnet.handshake.udp import UdpSocket

logger = logging.getLogger(__name__)

SO_MARK: Final = getattr(socket, "SO_MARK", 36)


def open_key_log(config: Config) -> TextIO | None:
    """Open the file for TLS secrets, where the lab asked for one."""
    file = config.lab.key_log_file
    if file is None:
        return None
    logger.warning(
        "TLS secrets are written to a file: this tunnel is not secret", extra=facts(file=file)
    )
    try:
        return file.open("a", buffering=1)
    except OSError as error:
        raise StartError(f"lab.key_log_file: {file}: {explain_os_error(error)}") from error


def set_mark(sock: socket.socket, mark: int | None) -> None:
    """Mark the outer packets of a socket."""
    if mark is not None:
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)


ECN: Final = tuple(Ecn)
"""By codepoint; calling an enumeration takes its time, and there may be thousands a second."""


def take_strays(endpoint: UdpEndpoint, local: tuple[str, int]) -> list[Received]:
    """Return the datagrams that the data plane could not give to a session."""
    return [
        Received(
            stray.payload,
            local if stray.local is None else stray.local.text,
            stray.remote.text,
            ECN[stray.ecn],
        )
        for stray in endpoint.receive()
    ]


def close_when_idle(endpoint: UdpEndpoint, patience: int = 100) -> None:
    """Close an endpoint once its sessions have said goodbye, which takes a few round trips."""
    try:
        endpoint.close()
    except DataPlaneError as error:
        # At the agent's end the data plane is closed with all that is in it.
        if error.errno == errno.EBUSY and patience > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(0.1, close_when_idle, endpoint, patience - 1)


async def resolve(host: str, port: int, what: str) -> list[tuple[str, int]]:
    """Look a name up.

    Args:
        host: name or address.
        port: goes with it.
        what: key of the configuration, for the message.

    Returns:
        Addresses with the port, each once, in the resolver's order.

    Raises:
        OSError: it is not known.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except socket.gaierror as error:
        raise OSError(
            errno.EADDRNOTAVAIL,
            f"the name {host!r} cannot be looked up ({error.strerror}): check the {what} and this"
            " machine's name server",
        ) from error
    return list(dict.fromkeys((str(entry[4][0]), int(entry[4][1])) for entry in found))


class ClientHandover:
    """A client's connection; the socket is its own."""

    def __init__(self, connection: ClientConnection, plane: DataPlane, cid_length: int) -> None:
        self._connection = connection
        self._plane = plane
        self._cid_length = cid_length
        self._endpoint: UdpEndpoint | None = None

    @property
    def sock(self) -> socket.socket:
        """Its UDP socket."""
        return self._connection.udp.sock

    async def export(self) -> ExportedConnection:
        """Take the session out, see `Handover`."""
        exported = await self._connection.export()
        udp = self._connection.detach()
        self._endpoint = self._plane.open_endpoint(udp.sock, self._cid_length)
        return exported

    def drain(self) -> list[Received]:
        """Return what arrived since the export."""
        held = list(self._connection.drain())
        if self._endpoint is not None:
            held += take_strays(self._endpoint, self._connection.udp.local)
        return held

    def early_datagrams(self) -> list[bytes]:
        """Return DATAGRAM payloads that came before our export."""
        return self._connection.early_datagrams

    def issue(self, length: int) -> tuple[bytes, bytes]:
        """Return a new connection ID and its token, see `Handover`."""
        return issue_random(length)

    def release(self) -> None:
        """Nothing is shared."""

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()
        if self._endpoint is not None:
            close_when_idle(self._endpoint)


class SocketDialer:
    """Connects to servers; a mode says how."""

    def __init__(
        self,
        config: Config,
        plane: DataPlane,
        *,
        mark: int | None = None,
        key_log: TextIO | None = None,
    ) -> None:
        """Prepare.

        Args:
            config: of a client.
            plane: the data plane.
            mark: of the outer packets.
            key_log: where TLS secrets go, in a lab.
        """
        self._config = config
        self._plane = plane
        self._mark = mark
        self._key_log = key_log
        self._addresses: dict[str, list[tuple[str, int]]] = {}
        self._turn: dict[str, int] = {}

    def _engine_config(self, peer: PeerSettings) -> EngineConfig:
        """Return what a handshake with a peer is told.

        Raises:
            StartError: a file cannot be used.
        """
        raise NotImplementedError

    def reload(self, config: Config) -> None:
        """Take over what the peers of a new configuration are known by.

        Raises:
            StartError, CredentialsError: a file cannot be used; nothing has changed.
        """

    async def dial(self, peer: PeerSettings) -> Handover:
        """Shake hands with a server, see `Dialer`."""
        if peer.endpoint is None:
            raise StartError(f"peer {peer.name!r} has no endpoint")
        addresses = await self._resolve(*split_endpoint(peer.endpoint))
        # One address an attempt: the backoff between attempts then covers all of them.
        turn = self._turn.get(peer.name, 0)
        self._turn[peer.name] = turn + 1
        remote = addresses[turn % len(addresses)]
        udp = UdpSocket.for_remote(remote)
        try:
            set_mark(udp.sock, self._mark)
            config = self._engine_config(peer)
        except BaseException:
            udp.close()
            raise
        connection = await ClientConnection.open(config, remote, udp=udp)
        return ClientHandover(connection, self._plane, config.profile.connection_id_length)

    async def _resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        try:
            self._addresses[host] = await resolve(host, port, "endpoint")
        except OSError:
            # The name server may only be reachable through the tunnel that is down.
            if host not in self._addresses:
                raise
        return self._addresses[host]


class ServerHandover:
    """A client's connection at the server; the socket is everybody's."""

    def __init__(self, listener: "SocketListener", connection: AcceptedConnection) -> None:
        self._listener = listener
        self._connection = connection

    @property
    def sock(self) -> socket.socket:
        """The server's UDP socket."""
        return self._listener.sock

    async def export(self) -> ExportedConnection:
        """Take the session out, see `Handover`."""
        return await self._connection.export()

    def drain(self) -> Sequence[Received]:
        """Return what arrived since the export."""
        self._listener.pass_on_strays()
        return self._connection.engine.take_held()

    def early_datagrams(self) -> list[bytes]:
        """Return DATAGRAM payloads that came before our export."""
        return self._connection.early_datagrams

    def issue(self, length: int) -> tuple[bytes, bytes]:
        """Return a new connection ID and its token, see `Handover`."""
        del length
        return self._connection.issue()

    def release(self) -> None:
        """Its packets are the data plane's; a stray one is a stranger's."""
        self._connection.release()

    def close(self) -> None:
        """Forget the connection."""
        self._connection.release()
        self._listener.over(self._connection)


class SocketListener:
    """Waits for clients on one socket, which is the data plane's from the start."""

    def __init__(
        self, server: Server, plane: DataPlane, cid_length: int, mark: int | None = None
    ) -> None:
        """Give the socket to the data plane; needs a running event loop.

        Args:
            server: shakes hands; closed where this fails.
            plane: the data plane.
            cid_length: bytes of the connection IDs that the server issues.
            mark: of the outer packets.

        Raises:
            DataPlaneError: the data plane refused the socket.
        """
        self._server = server
        self._screen: Screen | None = None
        udp = server.detach()
        try:
            set_mark(udp.sock, mark)
            self._endpoint = plane.open_endpoint(udp.sock, cid_length)
        except BaseException:
            server.close()
            raise
        self._reader = Reader(self._endpoint.fileno(), self.pass_on_strays, server.rest)

    @property
    def sock(self) -> socket.socket:
        """The UDP socket."""
        return self._server.udp.sock

    @property
    def local(self) -> tuple[str, int]:
        """Address and port."""
        return self._server.local

    @property
    def drops(self) -> dict[str, int]:
        """Datagrams that belonged to nobody, by reason."""
        counted = Counter(
            {reason.value: count for reason, count in self._server.acceptor.drops.items()}
        )
        if self._screen is not None:
            counted.update(self._screen.drops())
        return dict(counted)

    def screen_strangers(self) -> None:
        """Have the data plane drop what no handshake needs, where it can; it is still counted."""
        if isinstance(self._endpoint, ScreeningEndpoint):
            self._screen = self._endpoint.screen()
            self._server.acceptor.tell(self._screen)

    async def accept(self) -> Handover:
        """Return the next connection."""
        return ServerHandover(self, await self._server.accept())

    def pass_on_strays(self) -> None:
        """Give the handshakes what the data plane has no session for."""
        self._server.receive(take_strays(self._endpoint, self._server.local))

    def over(self, connection: AcceptedConnection) -> None:
        """Hear that a connection's session is over."""

    def reload(self, config: Config) -> None:
        """Take over whom the peers of a new configuration are known by.

        Raises:
            StartError, CredentialsError: a file cannot be used; nothing has changed.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Stop listening."""
        self._reader.close()
        with contextlib.suppress(DataPlaneError):
            self._endpoint.close()
        self._server.close()


def listen_address(config: Config) -> tuple[str, int]:
    """Return where a server listens.

    Raises:
        StartError: it does not say so.
    """
    if config.listen is None:
        raise StartError("[listen] is missing")
    return str(config.listen.address), config.listen.port


def reporting(
    on_failure: Callable[[str, HandshakeError], None] | None,
) -> Callable[[HandshakeEngine, HandshakeError], None]:
    """Return what tells the client's address and why, for each handshake that failed."""

    def failed(engine: HandshakeEngine, error: HandshakeError) -> None:
        if on_failure is not None:
            on_failure(f"{engine.remote[0]} port {engine.remote[1]}", error)

    return failed


def explain_listen_error(address: tuple[str, int], error: OSError) -> StartError:
    """Return what to tell about a port that cannot be had."""
    host, port = address
    fixes = {
        errno.EADDRINUSE: f"another program has it (`ss -lunp 'sport = :{port}'` names it):"
        " stop that, or set another listen.port",
        errno.EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE:"
        " run as root, or set another listen.port",
        errno.EADDRNOTAVAIL: f"this machine has no address {host}: set another listen.address",
    }
    fix = fixes.get(error.errno or 0, explain_os_error(error))
    return StartError(f"cannot listen on UDP {host} port {port}: {fix}")
