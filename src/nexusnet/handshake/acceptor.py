# SPDX-License-Identifier: BSD-3-Clause
"""A server's handshakes on one socket, without I/O: who gets which datagram, and who may begin.

Order of the decision for a datagram: (1) a connection ID that we issued, (2) the client's first
connection ID together with its address, while that connection is known, (3) an Initial packet that
begins something new. All else is counted and dropped.
"""

import enum
import heapq
import itertools
import os
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from aioquic._buffer import Buffer, BufferReadError
from aioquic.quic.packet import (
    QuicHeader,
    QuicPacketType,
    QuicProtocolVersion,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.quic.retry import QuicRetryTokenHandler

from nexusnet.handshake.aioquic_names import ensure_aioquic
from nexusnet.handshake.connection import FIRST_DCID_LENGTH, TunnelConnection
from nexusnet.handshake.datagram import Address, Received, Transmit, network_of
from nexusnet.handshake.engine import LONG_HEADER, HandshakeEngine, Phase
from nexusnet.handshake.errors import CredentialsError
from nexusnet.handshake.events import EngineEvent
from nexusnet.handshake.profile import BASE_DATAGRAM_SIZE, EngineConfig

ConnectionFactory = Callable[..., TunnelConnection]
"""Makes a connection from what `TunnelConnection` is made from."""

UNFINISHED: Final = frozenset({Phase.HANDSHAKE, Phase.PROBING, Phase.READY})


class AddressValidation(enum.Enum):
    """When a client has to show first that it receives at its address (RFC 9000 section 8.1.2)."""

    NEVER = "never"
    UNDER_LOAD = "under-load"
    ALWAYS = "always"


class Drop(enum.Enum):
    """Why a datagram went nowhere."""

    MALFORMED = "malformed"
    UNKNOWN_CONNECTION = "unknown_connection"
    UNSUPPORTED_VERSION = "unsupported_version"
    INITIAL_TOO_SMALL = "initial_too_small"
    INITIAL_INVALID = "initial_invalid"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - not a password
    TOO_MANY_PENDING = "too_many_pending"
    TOO_MANY_FROM_ADDRESS = "too_many_from_address"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a server spends on clients that have not authenticated.

    Attributes:
        pending: handshakes under way.
        pending_per_address: of these, from one IPv4 address or IPv6 /64.
        retry_above: handshakes under way above which a Retry comes first (UNDER_LOAD).
        validation: when a Retry is sent.
        version_negotiation: whether clients of another QUIC version get an answer.
    """

    pending: int = 1024
    pending_per_address: int = 128
    retry_above: int = 64
    validation: AddressValidation = AddressValidation.UNDER_LOAD
    version_negotiation: bool = True


class Expectations(Protocol):
    """Whoever sorts datagrams out before they come here, and so has to know which are awaited."""

    def expect(self, cid: bytes) -> None:
        """Hear of a connection ID that a handshake goes by from now on."""

    def forget(self, cid: bytes) -> None:
        """Hear that its connection was released."""


def random_connection_id(length: int) -> Callable[[], bytes]:
    """Return a source of random connection IDs of `length` bytes."""
    return lambda: os.urandom(length)


class Acceptor:
    """Shakes hands with many clients at once.

    Attributes:
        drops: datagrams that went nowhere, by reason.
        strangers: datagrams of no connection that was known, whatever became of them.
    """

    def __init__(
        self,
        config: EngineConfig,
        limits: Limits | None = None,
        *,
        new_connection_id: Callable[[], bytes] | None = None,
        new_reset_token: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """Make an acceptor.

        Args:
            config: what the server offers and whom it accepts; credentials are needed.
            limits: what it spends on strangers; defaults where None.
            new_connection_id: gives connection IDs of the length in the profile; random where None.
            new_reset_token: gives the stateless reset token (16 bytes) of a connection ID; random
                where None.

        Raises:
            CredentialsError: the configuration has no certificate.
            IncompatibleAioquicError: the installed aioquic is not the one written for.
        """
        ensure_aioquic()
        if config.credentials is None and config.tls_context.needs_credentials:
            raise CredentialsError("a server needs a certificate and its private key")
        if not config.profile.connection_id_length:
            raise CredentialsError("a server needs connection IDs to tell its clients apart")
        self.drops: Counter[Drop] = Counter()
        self.strangers = 0
        self._expectations: Expectations | None = None
        self._config = config
        self._limits = limits or Limits()
        length = config.profile.connection_id_length
        self._new_connection_id = new_connection_id or random_connection_id(length)
        self._new_reset_token = new_reset_token or (lambda _: os.urandom(16))
        self._tokens = QuicRetryTokenHandler()
        self._by_connection_id: dict[bytes, HandshakeEngine] = {}
        self._by_initial: dict[tuple[bytes, Address], HandshakeEngine] = {}
        self._initials: dict[HandshakeEngine, list[tuple[bytes, Address]]] = {}
        self._pending: dict[HandshakeEngine, bytes] = {}
        self._pending_of: Counter[bytes] = Counter()
        self._touched: dict[HandshakeEngine, None] = {}
        self._silent: set[HandshakeEngine] = set()
        self._deadlines: dict[HandshakeEngine, float] = {}
        self._heap: list[tuple[float, int, HandshakeEngine]] = []
        self._order = itertools.count()
        self._answers: deque[Transmit] = deque()
        self._events: deque[tuple[HandshakeEngine, EngineEvent]] = deque()

    @property
    def engines(self) -> tuple[HandshakeEngine, ...]:
        """All connections that are known, exported ones too until they are released."""
        return tuple(self._initials)

    @property
    def pending(self) -> int:
        """Handshakes under way."""
        return len(self._pending)

    def tell(self, expectations: Expectations) -> None:
        """Tell someone which connection IDs are known: those of now, and whatever changes.

        Args:
            expectations: hears of a new one before anything is sent to its client.
        """
        for cid in self._by_connection_id:
            expectations.expect(cid)
        self._expectations = expectations

    def receive(self, datagram: Received, now: float) -> None:
        """Take a datagram from the socket; `transmit` afterwards.

        Args:
            datagram: whatever it is.
            now: seconds.
        """
        data = datagram.data
        if not data:
            self.strangers += 1
            self.drops[Drop.MALFORMED] += 1
            return
        if data[0] & LONG_HEADER:
            self._receive_long(datagram, now)
            return
        length = self._config.profile.connection_id_length
        engine = self._by_connection_id.get(data[1 : 1 + length])
        if engine is None:
            self.strangers += 1
            self.drops[Drop.UNKNOWN_CONNECTION] += 1
            return
        self.feed(engine, datagram, now)

    def _receive_long(self, datagram: Received, now: float) -> None:
        invariants = _Invariants.read(datagram.data)
        if invariants is None:
            self.strangers += 1
            self.drops[Drop.MALFORMED] += 1
            return
        engine = self._by_connection_id.get(invariants.destination_cid)
        if engine is None:
            engine = self._by_initial.get((invariants.destination_cid, datagram.remote))
        if engine is not None:
            self.feed(engine, datagram, now)
            return
        self.strangers += 1
        if invariants.version != QuicProtocolVersion.VERSION_1:
            self._refuse_version(invariants, datagram)
        else:
            self._receive_unknown(datagram, now)

    def _receive_unknown(self, datagram: Received, now: float) -> None:
        try:
            header = pull_quic_header(Buffer(data=datagram.data))
        except ValueError:
            self.drops[Drop.MALFORMED] += 1
            return
        if header.packet_type is not QuicPacketType.INITIAL:
            self.drops[Drop.UNKNOWN_CONNECTION] += 1
        elif len(datagram.data) < BASE_DATAGRAM_SIZE:
            # RFC 9000 section 14.1: never answer a small Initial.
            self.drops[Drop.INITIAL_TOO_SMALL] += 1
        else:
            self._receive_first(header, datagram, now)

    def _refuse_version(self, invariants: "_Invariants", datagram: Received) -> None:
        self.drops[Drop.UNSUPPORTED_VERSION] += 1
        # RFC 9000 section 6.1: only for datagrams that could begin a connection, and never in
        # answer to a Version Negotiation packet.
        if (
            self._limits.version_negotiation
            and invariants.version != QuicProtocolVersion.NEGOTIATION
            and len(datagram.data) >= BASE_DATAGRAM_SIZE
        ):
            answer = encode_quic_version_negotiation(
                source_cid=invariants.destination_cid,
                destination_cid=invariants.source_cid,
                supported_versions=[QuicProtocolVersion.VERSION_1],
            )
            self._answers.append(Transmit(answer, datagram.local, datagram.remote))

    def _receive_first(self, header: QuicHeader, datagram: Received, now: float) -> None:
        reason = self.full(datagram.remote)
        if reason is not None:
            self.drops[reason] += 1
            return
        original_cid, retry_cid = header.destination_cid, None
        if header.token:
            try:
                original_cid = self._tokens.validate_token(
                    address=_without_scope(datagram.remote),
                    destination_cid=header.destination_cid,
                    token=header.token,
                    now=now,
                )
            except ValueError:
                # Not one of ours, or too old. RFC 9000 section 8.1.3: as if there were none, but a
                # Retry for a Retry would confuse the client, so it starts over by itself.
                self.drops[Drop.TOKEN_INVALID] += 1
                return
            retry_cid = header.destination_cid
        elif len(header.destination_cid) < FIRST_DCID_LENGTH:
            # RFC 9000 section 7.2. With a token it is of our own making, and of our length.
            self.drops[Drop.INITIAL_INVALID] += 1
            return
        elif self._must_retry():
            self._retry(header, datagram, now)
            return
        engine = self.begin(
            [datagram],
            header.destination_cid,
            now,
            original_cid=original_cid,
            retry_cid=retry_cid,
        )
        if engine is None:
            # Nothing in it could be opened with the keys that any client would use.
            self.drops[Drop.INITIAL_INVALID] += 1

    def _must_retry(self) -> bool:
        if self._limits.validation is AddressValidation.UNDER_LOAD:
            return len(self._pending) >= self._limits.retry_above
        return self._limits.validation is AddressValidation.ALWAYS

    def _retry(self, header: QuicHeader, datagram: Received, now: float) -> None:
        source_cid = self._new_connection_id()
        token = self._tokens.create_token(
            address=_without_scope(datagram.remote),
            original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=source_cid,
            now=now,
        )
        answer = encode_quic_retry(
            version=QuicProtocolVersion.VERSION_1,
            source_cid=source_cid,
            destination_cid=header.source_cid,
            original_destination_cid=header.destination_cid,
            retry_token=token,
        )
        self._answers.append(Transmit(answer, datagram.local, datagram.remote))

    def begin(
        self,
        datagrams: Sequence[Received],
        first_cid: bytes,
        now: float,
        *,
        original_cid: bytes | None = None,
        retry_cid: bytes | None = None,
        make: ConnectionFactory = TunnelConnection,
    ) -> HandshakeEngine | None:
        """Begin a handshake; `transmit` afterwards.

        Args:
            datagrams: what the client has sent so far, one or more.
            first_cid: connection ID that they are addressed to.
            now: seconds.
            original_cid: connection ID that the client made up, where a Retry has replaced it.
            retry_cid: connection ID of that Retry.
            make: makes the connection.

        Returns:
            The engine; None where no packet could be opened.
        """
        connection_id, reset_token = self.issue()
        connection = make(
            self._config,
            is_client=False,
            connection_id=connection_id,
            stateless_reset_token=reset_token,
            original_destination_connection_id=first_cid if original_cid is None else original_cid,
            retry_source_connection_id=retry_cid,
        )
        local, remote = datagrams[0].local, datagrams[0].remote
        engine = HandshakeEngine(
            self._config, connection, is_client=False, local=local, remote=remote, now=now
        )
        for datagram in datagrams:
            engine.receive(datagram, now)
        if not connection.packets_received:
            return None
        network = network_of(remote)
        self._pending[engine] = network
        self._pending_of[network] += 1
        self._by_connection_id[connection_id] = engine
        if self._expectations is not None:
            self._expectations.expect(connection_id)
        # A client that did not see our answer sends its first packets again, to its own choice of
        # connection ID.
        self._initials[engine] = [(first_cid, remote)]
        self._by_initial[first_cid, remote] = engine
        self._after(engine)
        return engine

    def issue(self) -> tuple[bytes, bytes]:
        """Return a connection ID that nobody has, and its stateless reset token."""
        connection_id = self._new_connection_id()
        while connection_id in self._by_connection_id:
            connection_id = self._new_connection_id()
        return connection_id, self._new_reset_token(connection_id)

    def full(self, remote: Address) -> Drop | None:
        """Return why no handshake with a client at `remote` may begin now; None where one may."""
        if len(self._pending) >= self._limits.pending:
            return Drop.TOO_MANY_PENDING
        if self._pending_of[network_of(remote)] >= self._limits.pending_per_address:
            return Drop.TOO_MANY_FROM_ADDRESS
        return None

    def by_connection_id(self, cid: bytes) -> HandshakeEngine | None:
        """Return the connection that we gave a connection ID to."""
        return self._by_connection_id.get(cid)

    def knows(self, engine: HandshakeEngine) -> bool:
        """Whether a connection has neither ended nor been released."""
        return engine in self._initials

    def feed(self, engine: HandshakeEngine, datagram: Received, now: float) -> None:
        """Give a connection a datagram that is meant for it; `transmit` afterwards.

        Args:
            engine: one that `knows` confirms.
            datagram: of its client.
            now: seconds.
        """
        engine.receive(datagram, now)
        self._after(engine)

    def keep_silent(self, engine: HandshakeEngine) -> None:
        """Send nothing for a connection until `speak`."""
        self._silent.add(engine)

    def speak(self, engine: HandshakeEngine) -> None:
        """Let a connection send again; `transmit` afterwards."""
        if engine in self._silent:
            self._silent.discard(engine)
            self._after(engine)

    def _after(self, engine: HandshakeEngine) -> None:
        """Collect what an engine has to say after it was given something to do."""
        while (event := engine.next_event()) is not None:
            self._events.append((engine, event))
        if engine.phase not in UNFINISHED:
            self._no_longer_pending(engine)
        if engine.phase is Phase.EXPORTED:
            self._deadlines.pop(engine, None)
            return
        self._touched[engine] = None

    def transmit(self, now: float) -> list[Transmit]:
        """Return the datagrams to send now.

        Args:
            now: seconds.
        """
        out = list(self._answers)
        self._answers.clear()
        touched, self._touched = self._touched, {}
        for engine in touched:
            if engine in self._silent:
                # Its timers stand still too: they count from what it sends.
                self._deadlines.pop(engine, None)
                continue
            out += engine.transmit(now)
            self._after(engine)
            self._touched.pop(engine, None)
            self._schedule(engine)
            if engine.finished:
                self.release(engine)
        return out

    def _schedule(self, engine: HandshakeEngine) -> None:
        deadline = engine.deadline()
        if deadline is None:
            self._deadlines.pop(engine, None)
        elif self._deadlines.get(engine) != deadline:
            self._deadlines[engine] = deadline
            heapq.heappush(self._heap, (deadline, next(self._order), engine))

    def deadline(self) -> float | None:
        """Return when `handle_deadline` is due, in seconds; None for never."""
        while self._heap and self._deadlines.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def handle_deadline(self, now: float) -> None:
        """Do what time asks for; `transmit` afterwards.

        Args:
            now: seconds.
        """
        while (deadline := self.deadline()) is not None and deadline <= now:
            engine = heapq.heappop(self._heap)[2]
            del self._deadlines[engine]
            engine.handle_deadline(now)
            self._after(engine)

    def next_event(self) -> tuple[HandshakeEngine, EngineEvent] | None:
        """Return what happened next and to whom, or None."""
        return self._events.popleft() if self._events else None

    def report_send_error(self, transmit: Transmit, code: int, now: float) -> None:
        """Tell that the socket refused a datagram.

        Args:
            transmit: what was to be sent.
            code: `errno` of the failure.
            now: seconds.
        """
        for engine in tuple(self._pending):
            if engine.remote == transmit.remote:
                engine.report_send_error(transmit, code, now)
                self._after(engine)

    def report_icmp(self, code: int, now: float) -> None:
        """Ignore an ICMP error: a server does not give up a client for it."""

    def close_engine(self, engine: HandshakeEngine) -> None:
        """End one connection that was not exported; `transmit` afterwards."""
        engine.close()
        self._after(engine)

    def settled(self, engine: HandshakeEngine) -> None:
        """Tell that an engine was exported, so it counts as pending no longer."""
        self._after(engine)

    def release(self, engine: HandshakeEngine) -> None:
        """Forget a connection: its datagrams are strangers' from now on."""
        known = self._by_connection_id.pop(engine.connection_id, None)
        if known is not None and self._expectations is not None:
            self._expectations.forget(engine.connection_id)
        for key in self._initials.pop(engine, ()):
            self._by_initial.pop(key, None)
        self._touched.pop(engine, None)
        self._silent.discard(engine)
        self._deadlines.pop(engine, None)
        self._no_longer_pending(engine)

    def _no_longer_pending(self, engine: HandshakeEngine) -> None:
        network = self._pending.pop(engine, None)
        if network is None:
            return
        self._pending_of[network] -= 1
        if not self._pending_of[network]:
            del self._pending_of[network]


@dataclass(frozen=True, slots=True)
class _Invariants:
    """What all versions of QUIC have in common in a long header (RFC 8999 section 5.1)."""

    version: int
    destination_cid: bytes
    source_cid: bytes

    @classmethod
    def read(cls, data: bytes) -> "_Invariants | None":
        """Return them, or None where the datagram is too short."""
        buf = Buffer(data=data)
        try:
            buf.pull_uint8()
            version = buf.pull_uint32()
            destination_cid = buf.pull_bytes(buf.pull_uint8())
            return cls(version, destination_cid, buf.pull_bytes(buf.pull_uint8()))
        except BufferReadError:
            return None


def _without_scope(address: Address) -> Address:
    return address[0].partition("%")[0], address[1]
