# SPDX-License-Identifier: BSD-3-Clause
"""One connection from its first packet to the export of its session, without I/O.

    HANDSHAKE -> PROBING -> READY -> EXPORTED, or FAILED from each of the first three
    HANDSHAKE -> DIVERTED -> FAILED, with a peer that is no tunnel end but has to be treated well

Datagrams go in with `receive`, come out of `transmit`; `deadline` says when `handle_deadline` wants
to be called; `next_event` tells what happened. Times are seconds of any monotonic clock. After the
export the engine holds no key any more: what still arrives is kept, sealed, for the data plane.
"""

import enum
import errno
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from aioquic.quic.events import DatagramFrameReceived, HandshakeCompleted
from aioquic.quic.packet import QuicErrorCode, QuicFrameType

from nexusnet.handshake.connection import TunnelConnection
from nexusnet.handshake.datagram import Address, Received, Transmit
from nexusnet.handshake.diagnosis import diagnose, version_error
from nexusnet.handshake.errors import (
    ClosedByUsError,
    CredentialsError,
    DatagramsUnsupportedError,
    EngineFaultError,
    HandshakeError,
    HandshakeTimeoutError,
    NotReadyError,
    UnreachableError,
)
from nexusnet.handshake.events import Confirmed, DatagramReceived, EngineEvent, Failed, Ready
from nexusnet.handshake.export import ExportedConnection, export_connection
from nexusnet.handshake.path_mtu import PathMtuSearch
from nexusnet.handshake.profile import (
    BASE_DATAGRAM_SIZE,
    MIN_TUNNEL_DATAGRAM,
    EngineConfig,
)
from nexusnet.handshake.verify import TrustedAuthorities

if TYPE_CHECKING:
    from nexusnet.handshake.diversion import Diversion

logger = logging.getLogger(__name__)

MAX_HELD: Final = 64
"""Datagrams kept for the data plane between export and activation, as many as it keeps itself."""

MAX_EARLY_DATAGRAMS: Final = 64
"""DATAGRAM frames kept that the peer sent before our export."""

LONG_HEADER: Final = 0x80
"""Header Form bit (RFC 9000 section 17.2)."""

REFUSALS: Final = 2
"""ICMP errors, with nothing else heard, after which the peer counts as not there."""


class Phase(enum.Enum):
    """How far a connection is."""

    HANDSHAKE = "handshake"
    PROBING = "probing"
    READY = "ready"
    EXPORTED = "exported"
    DIVERTED = "diverted"
    FAILED = "failed"


UNDER_WAY: Final = frozenset({Phase.HANDSHAKE, Phase.PROBING, Phase.READY, Phase.DIVERTED})
"""Phases that time may end."""


class HandshakeEngine:
    """Drives one connection of either role.

    Attributes:
        phase: how far it is.
        local: our address of this path.
        remote: the peer's address.
        error: why it failed; None while it did not.
        held_dropped: datagrams after the export that no longer fitted.
    """

    def __init__(
        self,
        config: EngineConfig,
        connection: TunnelConnection,
        *,
        is_client: bool,
        local: Address,
        remote: Address,
        now: float,
    ) -> None:
        """Take over a connection; use `client` or an `Acceptor` instead.

        Args:
            config: what the connection was made with.
            connection: fresh, nothing sent or received.
            is_client: our role.
            local: our address.
            remote: the peer's address.
            now: seconds.
        """
        self.phase = Phase.HANDSHAKE
        self.local = local
        self.remote = remote
        self.error: HandshakeError | None = None
        self.held_dropped = 0
        self._config = config
        self._connection: TunnelConnection | None = connection
        self._is_client = is_client
        self._started = now
        self._give_up_at = now + config.timeout
        self._events: deque[EngineEvent] = deque()
        self._held: deque[Received] = deque()
        self._search: PathMtuSearch | None = None
        self._diversion: Diversion | None = None
        self._early = 0
        self._refusals = 0
        self._completed = False
        self._alpn: str | None = None
        self._connection_id = connection.host_cid

    @classmethod
    def client(
        cls, config: EngineConfig, *, local: Address, remote: Address, now: float
    ) -> "HandshakeEngine":
        """Start a client's handshake; call `transmit` next.

        Args:
            config: what we offer and whom we accept.
            local: our address.
            remote: the server's address.
            now: seconds.

        Raises:
            CredentialsError: certificates of authorities are trusted, but for no name.
            IncompatibleAioquicError: the installed aioquic is not the one written for.
        """
        if config.server_name is None and isinstance(config.verifier, TrustedAuthorities):
            # Any certificate of any site would do.
            raise CredentialsError("a server name is needed to check a certificate of an authority")
        make = config.client_connection
        connection = TunnelConnection(config, is_client=True) if make is None else make(config)
        engine = cls(config, connection, is_client=True, local=local, remote=remote, now=now)
        connection.connect(remote, now)
        return engine

    @property
    def connection_id(self) -> bytes:
        """Our connection ID, by which the peer addresses this connection; may be empty."""
        return self._connection_id

    @property
    def is_client(self) -> bool:
        """Our role."""
        return self._is_client

    @property
    def finished(self) -> bool:
        """Whether it failed and has said so to the peer: nothing more will come of it."""
        return self.phase is Phase.FAILED and self._connection is None

    # Input

    def receive(self, datagram: Received, now: float) -> None:
        """Take a datagram that was sent to this connection.

        Args:
            datagram: from the socket.
            now: seconds.
        """
        if self.phase is Phase.EXPORTED:
            self._hold(datagram)
            return
        connection = self._connection
        if connection is None:
            return
        before = connection.packets_received
        try:
            connection.receive(datagram.data, datagram.remote, datagram.ecn, now)
        except Exception as error:  # noqa: BLE001 - whatever a peer can do to aioquic ends its connection, not ours
            self._fault(error)
            return
        if connection.packets_received > before:
            # A wildcard socket: the peer's packets say which of our addresses it uses. And its own
            # may have changed, behind a NAT.
            self.local = datagram.local
            self.remote = connection.get_peer_address() or self.remote
        self._advance()

    def report_send_error(self, transmit: Transmit, code: int, now: float) -> None:
        """Tell that the socket refused a datagram.

        Args:
            transmit: what was to be sent.
            code: `errno` of the failure.
            now: seconds.
        """
        if code == errno.EMSGSIZE and self._search is not None and self._connection is not None:
            self._search.refused(len(transmit.data))
            self._advance()
        else:
            self.report_icmp(code, now)

    def report_icmp(self, code: int, now: float) -> None:
        """Tell of an ICMP error about the peer; only a hint, as anyone can forge one.

        Args:
            code: `errno` that the socket made of it.
            now: seconds.
        """
        del now
        connection = self._connection
        if connection is None or connection.packets_received or not self._is_client:
            return
        self._refusals += 1
        if self._refusals >= REFUSALS:
            host, port = self.remote
            name = errno.errorcode.get(code, code)
            self._fail(
                UnreachableError(
                    f"{host} port {port} is not reachable ({name}): {_what_to_check(code, host)}"
                )
            )

    def close(self) -> None:
        """End the connection politely; `transmit` gives the CONNECTION_CLOSE.

        Without effect after the export: the connection is the data plane's then.
        """
        if self._connection is not None:
            self._fail(ClosedByUsError("closed by this end"))

    # Output

    def transmit(self, now: float) -> list[Transmit]:
        """Return the datagrams to send now.

        Args:
            now: seconds.
        """
        connection = self._connection
        if connection is None:
            return []
        try:
            datagrams = connection.datagrams_to_send(now)
            if self.phase is Phase.PROBING and self._search is not None:
                for size in self._search.probes_due(now, connection.probe_timeout):
                    datagrams += connection.probe(size, now, self._search.acknowledged)
        except Exception as error:  # noqa: BLE001 - as in receive
            self._fault(error)
            return []
        self._advance()
        return [Transmit(data, self.local, remote) for data, remote in datagrams]

    def deadline(self) -> float | None:
        """Return when `handle_deadline` is due, in seconds; None for never."""
        connection = self._connection
        if connection is None:
            return None
        times = [self._give_up_at, connection.get_timer()]
        if self.phase is Phase.PROBING and self._search is not None:
            times.append(self._search.deadline)
        if self.phase is Phase.FAILED:
            times = [connection.get_timer()]
        return min((time for time in times if time is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        """Do what time asks for; `transmit` afterwards.

        Args:
            now: seconds.
        """
        connection = self._connection
        if connection is None:
            return
        timer = connection.get_timer()
        if timer is not None and now >= timer:
            was_alive = connection.termination is None
            try:
                connection.handle_timer(now)
            except Exception as error:  # noqa: BLE001 - as in receive
                self._fault(error)
                return
            if was_alive and connection.termination is not None:
                # Time ends a connection only where nothing was heard for the idle timeout.
                self._fail(self._timeout_error(connection, now))
            elif self._is_client and self._completed and not connection.confirmed:
                # HANDSHAKE_DONE may have gone to an address that a NAT took from us, and the
                # server drops Handshake packets by now. It moves with a 1-RTT packet only, one
                # that does not just probe (RFC 9000 section 9.3).
                connection.send_ping(0)
        self._advance()
        if now >= self._give_up_at and self.phase in UNDER_WAY:
            self._fail(self._timeout_error(connection, now))

    def next_event(self) -> EngineEvent | None:
        """Return what happened next, or None."""
        return self._events.popleft() if self._events else None

    # The end of the handshake

    @property
    def busy(self) -> str | None:
        """Why `export` would refuse right now; None where it would not."""
        if self.phase is not Phase.READY or self._connection is None:
            return f"the connection is in phase {self.phase.value}"
        return self._connection.pending_work()

    def export(self) -> ExportedConnection:
        """Take the session out; the engine holds no key afterwards and sends nothing any more.

        What arrives from now on is kept for `take_held`.

        Raises:
            NotReadyError: something is under way, see `busy`; nothing has changed.
        """
        reason = self.busy
        connection = self._connection
        if reason is not None or connection is None or self._search is None:
            raise NotReadyError(f"cannot export yet: {reason}")
        exported = export_connection(
            connection,
            local=self.local,
            datagram_size=self._search.validated,
            alpn=self._alpn,
        )
        self.phase = Phase.EXPORTED
        self._drop_connection()
        return exported

    def take_held(self) -> tuple[Received, ...]:
        """Return the datagrams that arrived since the export, oldest first, and forget them."""
        held = tuple(self._held)
        self._held.clear()
        return held

    def _hold(self, datagram: Received) -> None:
        # The handshake is confirmed, so long headers have nothing more to say.
        if not datagram.data or datagram.data[0] & LONG_HEADER:
            return
        if len(self._held) >= MAX_HELD:
            self.held_dropped += 1
            return
        self._held.append(datagram)

    def _timeout_error(self, connection: TunnelConnection, now: float) -> HandshakeError:
        if self.phase is Phase.DIVERTED and connection.tls.failure is not None:
            return connection.tls.failure
        host, port = self.remote
        waited = now - self._started
        if not connection.packets_received:
            return UnreachableError(
                f"no answer from {host} port {port} within {waited:.1f} s: check the"
                " address, that the server runs, and that firewalls let this UDP port through"
            )
        return HandshakeTimeoutError(
            f"no session with {host} port {port} within {waited:.1f} s"
            f" (phase {self.phase.value}: {connection.pending_work()}): packets may be getting lost"
        )

    def _advance(self) -> None:
        connection = self._connection
        if connection is None:
            return
        self._take_events(connection)
        if self.phase is Phase.FAILED:
            if connection.over:
                self._drop_connection()
            return
        if self._diversion is not None and self._diversion.outcome is not None:
            self._fail(self._diversion.outcome)
            return
        if connection.termination is not None:
            self._fail_terminated(connection)
            return
        if self.phase is Phase.HANDSHAKE and connection.confirmed:
            self._confirm(connection)
        if (
            self.phase is Phase.PROBING
            and self._search is not None
            and self._search.done
            and connection.pending_work() is None
        ):
            self.phase = Phase.READY
            self._events.append(Ready(self._search.validated))

    def _take_events(self, connection: TunnelConnection) -> None:
        while (event := connection.next_event()) is not None:
            if isinstance(event, HandshakeCompleted):
                self._completed = True
                self._alpn = event.alpn_protocol
                self._diversion = connection.divert()
                if self._diversion is not None:
                    self.phase = Phase.DIVERTED
            elif self._diversion is not None:
                self._diversion.handle_event(event)
            elif isinstance(event, DatagramFrameReceived) and self._early < MAX_EARLY_DATAGRAMS:
                self._early += 1
                self._events.append(DatagramReceived(event.data))

    def _confirm(self, connection: TunnelConnection) -> None:
        parameters = connection.peer_parameters
        offered = parameters.max_datagram_frame_size if parameters else None
        if parameters is None or (offered or 0) < MIN_TUNNEL_DATAGRAM:
            self._fail(
                DatagramsUnsupportedError(
                    f"the peer takes DATAGRAM frames of {offered or 0} bytes,"
                    f" {MIN_TUNNEL_DATAGRAM} are needed: it is no tunnel end"
                )
            )
            return
        self._search = PathMtuSearch(
            self._config.probe_sizes,
            base=BASE_DATAGRAM_SIZE,
            limit=connection.peer_max_udp_payload_size,
        )
        self.phase = Phase.PROBING
        self._events.append(Confirmed(self._alpn, connection.tls.identity))

    def _fail_terminated(self, connection: TunnelConnection) -> None:
        termination = connection.termination
        if termination is None:
            return
        failure = connection.tls.failure
        if connection.offered_versions and not connection.packets_received:
            error: HandshakeError = version_error(connection.offered_versions)
        elif failure is not None:
            error = failure
        else:
            error = diagnose(termination, by_peer=connection.closed_by_peer, alpn=self._config.alpn)
        self._fail(error)

    def _fail(self, error: HandshakeError) -> None:
        if self.phase is Phase.FAILED:
            return
        self.phase = Phase.FAILED
        self.error = error
        self._events.append(Failed(error))
        connection = self._connection
        if connection is not None and connection.termination is None:
            # aioquic sends a CONNECTION_CLOSE and ends; nothing is sent before a first Initial.
            connection.close(
                error_code=QuicErrorCode.NO_ERROR,
                frame_type=QuicFrameType.PADDING,
                reason_phrase="handshake given up",
            )

    def _fault(self, error: Exception) -> None:
        # The error's text may quote packets, but never key material: aioquic puts none in any.
        logger.warning("handshake engine fault with %s: %s", self.remote[0], type(error).__name__)
        self._fail(
            EngineFaultError(
                f"the handshake engine failed on this peer's input ({type(error).__name__});"
                " please report it"
            )
        )
        self._drop_connection()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.wipe()
            self._connection = None
            self._diversion = None


def _what_to_check(code: int, host: str) -> str:
    """Return what to do about an ICMP error, or about what the kernel knows without one."""
    match code:
        case errno.ECONNREFUSED:
            return "is the server running there, and is the address right?"
        case errno.EACCES | errno.EPERM:
            return "a firewall forbids it, on this machine or on the way"
        case _:
            return f"no route leads there: see `ip route get {host}`, and check the address"
