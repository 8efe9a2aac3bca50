# SPDX-License-Identifier: BSD-3-Clause
"""Handshakes in mode `tls`: who is trusted, and how connections reach the data plane."""

import asyncio
import contextlib
import datetime as dt
import errno
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final, TextIO

from nexusnet.agent.config import Config, PeerSettings, split_endpoint
from nexusnet.agent.errors import StartError, explain_os_error
from nexusnet.agent.handover import ExportedConnection, Handover
from nexusnet.agent.logs import facts
from nexusnet.dataplane.protocol import DataPlane, DataPlaneError, UdpEndpoint
from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.datagram import Received
from nexusnet.handshake.endpoint import AcceptedConnection, ClientConnection, Server
from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.handshake.errors import CertificateExpiredError, ClockError, HandshakeError
from nexusnet.handshake.profile import EngineConfig, TransportProfile, utc_now
from nexusnet.handshake.udp import UdpSocket
from nexusnet.handshake.verify import (
    PeerVerifier,
    PinnedFingerprints,
    TrustedAuthorities,
    check_validity,
)
from nexusnet.session import Endpoint

logger = logging.getLogger(__name__)

SO_MARK: Final = getattr(socket, "SO_MARK", 36)


def load_credentials(config: Config, now: dt.datetime) -> Credentials:
    """Load this end's certificate and key.

    Raises:
        CredentialsError: they cannot be read or do not belong together.
        StartError: the certificate is not valid at `now`.
    """
    settings = config.handshake
    credentials = Credentials.load(settings.certificate_file, settings.key_file)
    try:
        check_validity(credentials.certificate, now)
    except (ClockError, CertificateExpiredError) as error:
        fix = (
            "set this machine's clock"
            if isinstance(error, ClockError)
            else "make a new one with `nexus genkey`, and tell the peers its fingerprint"
        )
        # The text speaks of a peer's certificate: it is the same check.
        begin, end = (
            f"{moment:%Y-%m-%d %H:%M}"
            for moment in (
                credentials.certificate.not_valid_before_utc,
                credentials.certificate.not_valid_after_utc,
            )
        )
        raise StartError(
            f"{settings.certificate_file}: this end's certificate is valid from {begin} to {end}"
            f" UTC, but this machine's clock says {now:%Y-%m-%d %H:%M} UTC: {fix}"
        ) from error
    return credentials


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


def engine_config(
    config: Config,
    verifier: PeerVerifier,
    credentials: Credentials,
    *,
    server_name: str | None = None,
    key_log: TextIO | None = None,
) -> EngineConfig:
    """Return what a handshake engine is told."""
    return EngineConfig(
        verifier=verifier,
        credentials=credentials,
        server_name=server_name,
        profile=TransportProfile(idle_timeout=config.transport.idle_timeout_seconds),
        timeout=config.handshake.timeout_seconds,
        key_log=key_log,
    )


def set_mark(sock: socket.socket, mark: int | None) -> None:
    """Mark the outer packets of a socket."""
    if mark is not None:
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)


def address_text(endpoint: Endpoint) -> tuple[str, int]:
    """Return an endpoint as the handshake engines write it."""
    scope = f"%{endpoint.scope_id}" if endpoint.scope_id else ""
    return f"{endpoint.address}{scope}", endpoint.port


def take_strays(endpoint: UdpEndpoint, local: tuple[str, int]) -> list[Received]:
    """Return the datagrams that the data plane could not give to a session."""
    return [
        Received(
            stray.payload,
            local if stray.local is None else address_text(stray.local),
            address_text(stray.remote),
            Ecn(stray.ecn),
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


class _ClientHandover:
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

    def release(self) -> None:
        """Nothing is shared."""

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()
        if self._endpoint is not None:
            close_when_idle(self._endpoint)


class TlsDialer:
    """Connects to servers.

    Raises:
        CredentialsError, StartError: as `load_credentials`.
    """

    def __init__(
        self,
        config: Config,
        plane: DataPlane,
        *,
        mark: int | None = None,
        key_log: TextIO | None = None,
        wall_clock: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self._config = config
        self._plane = plane
        self._mark = mark
        self._key_log = key_log
        self._credentials = load_credentials(config, wall_clock())
        self._addresses: dict[str, list[tuple[str, int]]] = {}
        self._turn: dict[str, int] = {}

    async def dial(self, peer: PeerSettings) -> Handover:
        """Shake hands with a server, see `Dialer`."""
        if peer.endpoint is None:
            raise StartError(f"peer {peer.name!r} has no endpoint")
        host, port = split_endpoint(peer.endpoint)
        addresses = await self._resolve(host, port)
        # One address an attempt: the backoff between attempts then covers all of them.
        turn = self._turn.get(peer.name, 0)
        self._turn[peer.name] = turn + 1
        remote = addresses[turn % len(addresses)]
        udp = UdpSocket.for_remote(remote)
        try:
            set_mark(udp.sock, self._mark)
            config = engine_config(
                self._config,
                self._verifier(peer),
                self._credentials,
                server_name=peer.server_name or host,
                key_log=self._key_log,
            )
        except BaseException:
            udp.close()
            raise
        connection = await ClientConnection.open(config, remote, udp=udp)
        return _ClientHandover(connection, self._plane, config.profile.connection_id_length)

    async def _resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except socket.gaierror as error:
            known = self._addresses.get(host)
            if known:
                # The name server may only be reachable through the tunnel that is down.
                return known
            raise OSError(
                errno.EADDRNOTAVAIL,
                f"the name {host!r} cannot be looked up ({error.strerror}): check the endpoint and"
                " this machine's name server",
            ) from error
        addresses = list(dict.fromkeys((entry[4][0], int(entry[4][1])) for entry in found))
        self._addresses[host] = [(str(ip), number) for ip, number in addresses]
        return self._addresses[host]

    def _verifier(self, peer: PeerSettings) -> PeerVerifier:
        if peer.authority_file is not None:
            try:
                return TrustedAuthorities(peer.authority_file.read_bytes())
            except OSError as error:
                raise StartError(
                    f"authority_file: {peer.authority_file}: {explain_os_error(error)}"
                ) from error
        return PinnedFingerprints(dict.fromkeys(peer.pins, peer.name))


class _ServerHandover:
    """A client's connection at the server; the socket is everybody's."""

    def __init__(self, listener: "TlsListener", connection: AcceptedConnection) -> None:
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

    def release(self) -> None:
        """Its packets are the data plane's; a stray one is a stranger's."""
        self._connection.release()

    def close(self) -> None:
        """Forget the connection."""
        self._connection.release()


class TlsListener:
    """Waits for clients on one socket, which is the data plane's from the start."""

    def __init__(
        self,
        config: Config,
        plane: DataPlane,
        *,
        mark: int | None = None,
        key_log: TextIO | None = None,
        wall_clock: Callable[[], dt.datetime] = utc_now,
        on_failure: Callable[[str, HandshakeError], None] | None = None,
    ) -> None:
        """Open the socket; needs a running event loop.

        Args:
            config: of a server.
            plane: the data plane.
            mark: of the outer packets.
            key_log: where TLS secrets go, in a lab.
            wall_clock: time of day, for certificates.
            on_failure: told of a failed handshake: the client's address and why.

        Raises:
            StartError: the port is taken or not ours to take, or the certificate is not valid.
            CredentialsError: certificate or key cannot be used.
        """
        if config.listen is None:
            raise StartError("[listen] is missing")
        credentials = load_credentials(config, wall_clock())
        pins = {pin: peer.name for peer in config.peer for pin in peer.pins}
        engine = engine_config(config, PinnedFingerprints(pins), credentials, key_log=key_log)
        self._on_failure = on_failure
        self._server = _listen(
            engine, (str(config.listen.address), config.listen.port), self._failed
        )
        udp = self._server.detach()
        try:
            set_mark(udp.sock, mark)
            self._endpoint = plane.open_endpoint(udp.sock, engine.profile.connection_id_length)
        except BaseException:
            self._server.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._endpoint.fileno(), self.pass_on_strays)

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
        return {reason.value: count for reason, count in self._server.acceptor.drops.items()}

    async def accept(self) -> Handover:
        """Return the next connection."""
        return _ServerHandover(self, await self._server.accept())

    def pass_on_strays(self) -> None:
        """Give the handshakes what the data plane has no session for."""
        for received in take_strays(self._endpoint, self._server.local):
            self._server.receive(received)

    def _failed(self, engine: HandshakeEngine, error: HandshakeError) -> None:
        if self._on_failure is not None:
            self._on_failure(f"{engine.remote[0]} port {engine.remote[1]}", error)

    def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._endpoint.fileno())
        with contextlib.suppress(DataPlaneError):
            self._endpoint.close()
        self._server.close()


def _listen(
    config: EngineConfig,
    address: tuple[str, int],
    on_failure: Callable[[HandshakeEngine, HandshakeError], None],
) -> Server:
    host, port = address
    try:
        return Server.listen(config, address, on_failure=on_failure)
    except OSError as error:
        fixes = {
            errno.EADDRINUSE: f"another program has it (`ss -lunp 'sport = :{port}'` names it):"
            " stop that, or set another listen.port",
            errno.EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE:"
            " run as root, or set another listen.port",
            errno.EADDRNOTAVAIL: f"this machine has no address {host}: set another listen.address",
        }
        fix = fixes.get(error.errno or 0, explain_os_error(error))
        raise StartError(f"cannot listen on UDP {host} port {port}: {fix}") from error
