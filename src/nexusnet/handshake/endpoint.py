# SPDX-License-Identifier: BSD-3-Clause
"""The asyncio edge: a client's connection, a server's socket. All protocol is in the engines.

Order of a handover: `export` (from then on datagrams are only kept), HOLD in the data plane,
`drain` (empties the socket), ACTIVATE with both.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol, Self

from nexusnet.handshake.acceptor import Acceptor, Limits
from nexusnet.handshake.datagram import Address, Received, Transmit
from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.handshake.errors import HandshakeError, NotReadyError
from nexusnet.handshake.events import DatagramReceived, EngineEvent, Failed, Ready
from nexusnet.handshake.export import ExportedConnection
from nexusnet.handshake.flood import REST, Flood
from nexusnet.handshake.profile import EngineConfig
from nexusnet.handshake.udp import UdpSocket, normal_address

logger = logging.getLogger(__name__)

BATCH: Final = 16
"""Datagrams read before anything is sent, so that a flood cannot starve the answers."""


class Driver(Protocol):
    """What a pump moves datagrams for: an engine or an acceptor."""

    def receive(self, datagram: Received, now: float) -> None:
        """Take a datagram."""

    def transmit(self, now: float) -> list[Transmit]:
        """Return the datagrams to send now."""

    def deadline(self) -> float | None:
        """Return when `handle_deadline` is due."""

    def handle_deadline(self, now: float) -> None:
        """Do what time asks for."""

    def report_send_error(self, transmit: Transmit, code: int, now: float) -> None:
        """Hear that a datagram was not sent."""

    def report_icmp(self, code: int, now: float) -> None:
        """Hear of an ICMP error."""


class Pump:
    """Moves datagrams between a socket and a driver, in the running event loop."""

    def __init__(self, udp: UdpSocket, driver: Driver, on_progress: Callable[[], None]) -> None:
        """Make a pump; `start` sets it going.

        Args:
            udp: the socket.
            driver: whom it is for.
            on_progress: called after the driver was given something to do.
        """
        self._udp = udp
        self._driver = driver
        self._on_progress = on_progress
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._reading = False

    def start(self) -> None:
        """Read the socket and serve the driver."""
        self._running = self._reading = True
        self._loop.add_reader(self._udp.sock, self._readable)
        self.kick()

    def stop_reading(self) -> None:
        """Leave reading to someone else; sending goes on."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._udp.sock)

    def stop(self) -> None:
        """Leave the socket alone."""
        self.stop_reading()
        self._running = False
        self._cancel_timer()

    def kick(self) -> None:
        """Send what the driver has to send, and set its timer."""
        if not self._running:
            return
        now = self._loop.time()
        if self._timer is not None and self._timer.when() <= now:
            # Overdue. Who kicks all the time, as in a flood, would put it off for ever.
            self._cancel_timer()
            self._driver.handle_deadline(now)
        for transmit in self._driver.transmit(now):
            code = self._udp.send(transmit)
            if code:
                self._driver.report_send_error(transmit, code, now)
        self._set_timer(self._driver.deadline())
        self._on_progress()

    def _set_timer(self, deadline: float | None) -> None:
        if self._timer is not None and (deadline is None or self._timer.when() > deadline):
            self._cancel_timer()
        # One that goes off too early does no harm and is set anew then. In a flood the deadline
        # moves with every datagram.
        if self._timer is None and deadline is not None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        self._driver.handle_deadline(self._loop.time())
        self.kick()

    def _readable(self) -> None:
        self.read_batch()
        self.kick()

    def read_batch(self) -> bool:
        """Give the driver up to `BATCH` waiting datagrams; return whether more may wait."""
        for _ in range(BATCH):
            item = self._udp.receive()
            if item is None:
                return False
            now = self._loop.time()
            if isinstance(item, Received):
                self._driver.receive(item, now)
            else:
                self._driver.report_icmp(item, now)
        return True


class _Progress:
    """Wakes whoever waits for something to have happened."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        self._event.clear()
        await self._event.wait()


async def _export_when_ready(engine: HandshakeEngine, progress: _Progress) -> ExportedConnection:
    while True:
        if engine.error is not None:
            raise engine.error
        try:
            return engine.export()
        except NotReadyError:
            # The peer sent something that wants an answer since; the engine's deadline bounds this.
            await progress.wait()


class ClientConnection:
    """A client's connection up to its handover.

    Attributes:
        engine: its engine.
        udp: its socket.
        early_datagrams: DATAGRAM payloads that the server sent before the export.
    """

    def __init__(self, engine: HandshakeEngine, udp: UdpSocket) -> None:
        """Use `open` instead."""
        self.engine = engine
        self.udp = udp
        self.early_datagrams: list[bytes] = []
        self._progress = _Progress()
        self._pump = Pump(udp, engine, self._progress.notify)

    @classmethod
    async def open(
        cls, config: EngineConfig, remote: Address, *, udp: UdpSocket | None = None
    ) -> Self:
        """Shake hands with a server; return once the session can be exported.

        Args:
            config: what we offer and whom we accept.
            remote: the server's IP address and port.
            udp: a socket of our own choice; a fresh one where None. Closed on failure.

        Raises:
            HandshakeError: no session; the class says why.
            OSError: no socket can be opened.
            ValueError: `remote` is no IP address.
        """
        remote = normal_address(remote)
        if udp is None:
            udp = UdpSocket.for_remote(remote)
        now = asyncio.get_running_loop().time()
        connection = cls(
            HandshakeEngine.client(config, local=udp.local, remote=remote, now=now), udp
        )
        try:
            udp.report_icmp(enable=True)
            connection._pump.start()
            await connection._wait_ready()
            udp.report_icmp(enable=False)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _wait_ready(self) -> None:
        while True:
            while (event := self.engine.next_event()) is not None:
                if isinstance(event, Ready):
                    return
                if isinstance(event, Failed):
                    raise event.error
                if isinstance(event, DatagramReceived):
                    self.early_datagrams.append(event.data)
            await self._progress.wait()

    async def export(self) -> ExportedConnection:
        """Take the session out; the engine holds no key afterwards.

        Raises:
            HandshakeError: the connection ended meanwhile.
        """
        session = await _export_when_ready(self.engine, self._progress)
        while (event := self.engine.next_event()) is not None:
            if isinstance(event, DatagramReceived):
                self.early_datagrams.append(event.data)
        return session

    def drain(self) -> tuple[Received, ...]:
        """Return all datagrams that arrived since the export, those still in the socket too."""
        while self._pump.read_batch():
            pass
        return self.engine.take_held()

    def detach(self) -> UdpSocket:
        """Stop reading the socket and give it away."""
        self._pump.stop()
        return self.udp

    def close(self) -> None:
        """End the connection, politely where it was not exported, and close the socket."""
        with contextlib.suppress(OSError):
            self.engine.close()
            self._pump.kick()
        self._pump.stop()
        self.udp.close()


class AcceptedConnection:
    """A client's connection at the server, up to its handover.

    Attributes:
        engine: its engine.
        early_datagrams: DATAGRAM payloads that the client sent before the export.
    """

    def __init__(self, server: "Server", engine: HandshakeEngine) -> None:
        """Use `Server.accept` instead."""
        self.engine = engine
        self.early_datagrams: list[bytes] = []
        self._server = server

    async def export(self) -> ExportedConnection:
        """Take the session out; the engine holds no key afterwards.

        Raises:
            HandshakeError: the connection ended meanwhile.
        """
        return await self._server.export(self)

    def drain(self) -> tuple[Received, ...]:
        """Return its datagrams that arrived since the export, those still in the socket too."""
        self._server.read_all()
        return self.engine.take_held()

    def issue(self) -> tuple[bytes, bytes]:
        """Return a new connection ID of ours for this session, and its stateless reset token."""
        return self._server.acceptor.issue()

    def release(self) -> None:
        """Forget the connection; the data plane knows its packets from here on."""
        self._server.release(self)


class Server:
    """Shakes hands with all clients of one socket.

    Attributes:
        udp: the socket.
        acceptor: the engines behind it, with counters.
    """

    def __init__(
        self,
        acceptor: Acceptor,
        udp: UdpSocket,
        on_failure: Callable[[HandshakeEngine, HandshakeError], None],
        driver: Driver | None = None,
    ) -> None:
        """Use `listen` instead.

        Args:
            acceptor: the engines.
            udp: the socket.
            on_failure: told of each handshake that failed.
            driver: what datagrams go through on their way to the acceptor and from it; None for
                nothing.
        """
        self.udp = udp
        self.acceptor = acceptor
        self._on_failure = on_failure
        self._accepted: asyncio.Queue[AcceptedConnection] = asyncio.Queue()
        self._connections: dict[HandshakeEngine, AcceptedConnection] = {}
        self._progress: dict[HandshakeEngine, _Progress] = {}
        self._driver = driver or acceptor
        self._flood = Flood()
        self._pump = Pump(udp, self._driver, self._collect)

    @classmethod
    def listen(
        cls,
        config: EngineConfig,
        local: Address,
        *,
        limits: Limits | None = None,
        on_failure: Callable[[HandshakeEngine, HandshakeError], None] | None = None,
    ) -> Self:
        """Open the socket and begin; needs a running event loop.

        Args:
            config: what we offer and whom we accept.
            local: address and port to listen on; `::` takes IPv4 as well.
            limits: what is spent on strangers.
            on_failure: told of each handshake that failed; logged where None.

        Raises:
            CredentialsError: the configuration has no certificate.
            OSError: the port is taken, or not ours to take.
        """
        server = cls(Acceptor(config, limits), UdpSocket.bind(local), on_failure or log_failure)
        server.start()
        return server

    def start(self) -> None:
        """Begin to read the socket."""
        self._pump.start()

    def kick(self) -> None:
        """Send what there is to send, and set the timer."""
        self._pump.kick()

    @property
    def local(self) -> Address:
        """Where it listens, with the port that the kernel chose."""
        return self.udp.local

    async def accept(self) -> AcceptedConnection:
        """Return the next connection whose session can be exported."""
        return await self._accepted.get()

    async def export(self, connection: AcceptedConnection) -> ExportedConnection:
        """Take the session of a connection out, see `AcceptedConnection.export`.

        Raises:
            HandshakeError: the connection ended meanwhile.
        """
        progress = self._progress.setdefault(connection.engine, _Progress())
        try:
            session = await _export_when_ready(connection.engine, progress)
        finally:
            self._progress.pop(connection.engine, None)
        self.acceptor.settled(connection.engine)
        self._collect()
        return session

    def read_all(self) -> None:
        """Read what waits in the socket."""
        while self._pump.read_batch():
            pass
        self._pump.kick()

    def release(self, connection: AcceptedConnection) -> None:
        """Forget a connection, see `AcceptedConnection.release`."""
        self._connections.pop(connection.engine, None)
        self.acceptor.release(connection.engine)

    def receive(self, datagrams: Sequence[Received]) -> None:
        """Take datagrams that the data plane read from the socket and did not know."""
        loop = asyncio.get_running_loop()
        strangers = self.acceptor.strangers
        for start in range(0, len(datagrams), BATCH):
            # They came together; what is due for each is due for all, with one wake-up.
            now = loop.time()
            for datagram in datagrams[start : start + BATCH]:
                self._driver.receive(datagram, now)
            self._pump.kick()
        self._flood.count(self.acceptor.strangers - strangers, loop.time())

    def rest(self) -> float:
        """Return for how many seconds whoever calls `receive` may let datagrams wait now."""
        return REST if self._flood.lasts(asyncio.get_running_loop().time()) else 0.0

    def detach(self) -> UdpSocket:
        """Stop reading the socket; what is handed to `receive` is still answered through it."""
        self._pump.stop_reading()
        return self.udp

    def close(self) -> None:
        """End the handshakes under way, and close the socket."""
        for engine in self.acceptor.engines:
            self.acceptor.close_engine(engine)
        self._pump.kick()
        self._pump.stop()
        self.udp.close()

    def _collect(self) -> None:
        while (item := self.acceptor.next_event()) is not None:
            self._handle(*item)
        for progress in self._progress.values():
            progress.notify()

    def _handle(self, engine: HandshakeEngine, event: EngineEvent) -> None:
        connection = self._connections.get(engine)
        if connection is None:
            connection = self._connections[engine] = AcceptedConnection(self, engine)
        if isinstance(event, Ready):
            self._accepted.put_nowait(connection)
        elif isinstance(event, DatagramReceived):
            connection.early_datagrams.append(event.data)
        elif isinstance(event, Failed):
            self._connections.pop(engine, None)
            self._on_failure(engine, event.error)


def log_failure(engine: HandshakeEngine, error: HandshakeError) -> None:
    """Log a failed handshake."""
    logger.info("handshake with %s port %d failed: %s", *engine.remote, error)
