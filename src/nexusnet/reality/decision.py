# SPDX-License-Identifier: BSD-3-Clause
"""Who is a genuine client: decided about a whole ClientHello, before a byte is sent back.

The authenticator comes first. Whoever has none that is valid, fresh and of a user costs the same
work, whatever else the hello is like: each check is made, and only then the first that failed is
named. What the hello offers is looked at of our users alone, to tell why one cannot be served.
"""

import enum
from dataclasses import dataclass, field
from typing import Final

from nexusnet.reality.authenticator import (
    KNOWN_FLAGS,
    NO_CLAIMS,
    VERSION,
    Authenticator,
    Claims,
    HelloOpener,
    Refusal,
    Sight,
)
from nexusnet.reality.client_hello import (
    RANDOM_LENGTH,
    RANDOM_OFFSET,
    X25519,
    X25519MLKEM768,
    ClientHello,
    HelloError,
    parse_client_hello,
)
from nexusnet.reality.credentials import ServerCredentials
from nexusnet.reality.long_header import LongHeaderPacket
from nexusnet.reality.replay import Replay, ReplayCache
from nexusnet.secret import SecretBytes

QUIC_V1: Final = 1
MIN_INITIAL: Final = 1200
"""Bytes of a UDP datagram with a client's Initial (RFC 9000 section 14.1)."""

DEFAULT_WINDOW: Final = 120.0
"""Seconds by which a client's clock may differ from ours."""

TLS_1_3: Final = 0x0304
ECDSA_P256_SHA256: Final = 0x0403
NO_COMPRESSION: Final = 0


class Reason(enum.Enum):
    """Why a flow is relayed; the first one that holds, in this order."""

    NO_SHARE = "no_share"
    BAD_TAG = "bad_tag"
    AUTHENTICATOR_VERSION = "authenticator_version"
    SHORT_ID = "short_id"
    CLOCK = "clock"
    SEEN = "seen"
    STALE = "stale"
    REPLAY_CACHE_FULL = "replay_cache_full"
    # Of our users alone.
    MALFORMED = "malformed"
    NOT_QUIC_V1 = "not_quic_v1"
    INITIAL_TOO_SMALL = "initial_too_small"
    SESSION_ID = "session_id"
    PSK = "psk"
    SERVER_NAME = "server_name"
    PROFILE = "profile"


@dataclass(frozen=True, slots=True)
class InitialFacts:
    """What is known of the Initials that carried the ClientHello.

    Attributes:
        version: of QUIC.
        datagram_size: bytes of the smallest UDP datagram with a part of the hello.
    """

    version: int
    datagram_size: int


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What a hello must offer, so that an accepted client cannot fail at our answer.

    With a target whose answers are copied, `suites` and `groups` have one item each.

    Attributes:
        server_names: that clients may ask for, lower case.
        suites: cipher suites that we answer with, best first; one must be offered.
        groups: likewise of key exchange; there must be a share of one, as no HelloRetryRequest is
            ever sent.
        alpn: application protocol that must be offered.
    """

    server_names: frozenset[str]
    suites: tuple[int, ...] = (0x1301, 0x1302, 0x1303)
    groups: tuple[int, ...] = (X25519MLKEM768, X25519)
    alpn: bytes = b"h3"

    def fits(self, hello: ClientHello) -> bool:
        """Return whether a hello offers all that we need."""
        shares = {share.group for share in hello.key_shares}
        return (
            not set(self.suites).isdisjoint(hello.cipher_suites)
            and not shares.isdisjoint(self.groups)
            and self.alpn in hello.alpn
            and TLS_1_3 in hello.supported_versions
            and ECDSA_P256_SHA256 in hello.signature_algorithms
            and NO_COMPRESSION in hello.compression_methods
            and hello.transport_parameters is not None
        )


@dataclass(frozen=True, slots=True)
class Accept:
    """A genuine client: answer it ourselves.

    Attributes:
        name: of the user.
        short_id: 8 bytes.
        message: the ClientHello that was decided about. Whatever else a handshake of this flow
            should get to see, from overlapping CRYPTO frames, authenticates nobody.
        server_key: K_srv, 32 bytes, for the certificate.
        clock_difference: seconds by which the client's clock is ahead of ours.
    """

    name: str
    short_id: bytes = field(repr=False)
    message: bytes = field(repr=False)
    server_key: SecretBytes
    clock_difference: int


@dataclass(frozen=True, slots=True)
class Relay:
    """Everyone else: the camouflage target answers.

    Attributes:
        reason: for our own counters; nobody outside learns it.
    """

    reason: Reason


Decision = Accept | Relay

REFUSED: Final = {Refusal.NO_SHARE: Reason.NO_SHARE, Refusal.BAD_TAG: Reason.BAD_TAG}

Check = tuple[Reason, bool]
"""A reason, and whether it holds."""


class Decider:
    """Decides about ClientHellos.

    Attributes:
        profile: what a hello must offer; may be replaced at any time, and counts from the next
            hello on.
        replay: authenticators used so far.
        window: seconds by which a client's clock may differ from ours.
    """

    def __init__(
        self,
        credentials: ServerCredentials,
        profile: ServerProfile,
        replay: ReplayCache,
        window: float = DEFAULT_WINDOW,
    ) -> None:
        self.credentials = credentials
        self.profile = profile
        self.replay = replay
        self.window = window

    @property
    def credentials(self) -> ServerCredentials:
        """Whom we know; may be replaced at any time, and counts from the next hello on."""
        return self._credentials

    @credentials.setter
    def credentials(self, credentials: ServerCredentials) -> None:
        self._credentials = credentials
        self._opener = HelloOpener(credentials.private_key, credentials.psk)

    def glance(
        self, datagram: bytes, packet: LongHeaderPacket, *, now: float, wall: float
    ) -> Reason | Sight:
        """Take a first look at a client's first datagram: nearly all are strangers'.

        Args:
            datagram: the datagram.
            packet: the Initial that it begins with.
            now: seconds of a monotonic clock.
            wall: the time of day, in seconds since 1970.

        Returns:
            Why it is relayed, or that it does not open; UNCLEAR where it takes `decide` to tell.
        """
        seen = self._opener.inspect(datagram, packet)
        if isinstance(seen, Sight):
            return seen
        objection = self._objection(seen.claims, seen.random, now, wall)
        if seen.refusal is not None:
            return REFUSED[seen.refusal]
        return objection or Sight.UNCLEAR

    def decide(self, message: bytes, facts: InitialFacts, *, now: float, wall: float) -> Decision:
        """Decide about a whole ClientHello.

        An accepted hello is in the replay cache from here on: the owner of its state file writes
        the journal before anything is sent.

        Args:
            message: the handshake message, as it was put together; nothing is known of it.
            facts: of the packets that carried it.
            now: seconds of a monotonic clock.
            wall: the time of day, in seconds since 1970.
        """
        opened = self._opener.open(message)
        claims = opened.claims if isinstance(opened, Authenticator) else NO_CLAIMS
        random = message[RANDOM_OFFSET : RANDOM_OFFSET + RANDOM_LENGTH]
        objection = self._objection(claims, random, now, wall)
        if isinstance(opened, Refusal):
            return Relay(REFUSED[opened])
        reason = objection or self._mismatch(message, facts)
        if reason is not None:
            opened.server_key.wipe()
            return Relay(reason)
        self.replay.insert(random, claims.unix_time, now, wall)
        name = self.credentials.users[claims.short_id]
        ahead = claims.unix_time - int(wall)
        return Accept(name, claims.short_id, message, opened.server_key, ahead)

    def _objection(self, claims: Claims, random: bytes, now: float, wall: float) -> Reason | None:
        """Why claims get nobody in; all is looked at before any of it counts."""
        replay = self.replay.refusal(random, claims.unix_time, now)
        unknown = claims.version != VERSION or bool(claims.flags & ~KNOWN_FLAGS)
        return _first(
            (Reason.AUTHENTICATOR_VERSION, unknown),
            (Reason.SHORT_ID, claims.short_id not in self.credentials.users),
            (Reason.CLOCK, abs(claims.unix_time - int(wall)) > self.window),
            (Reason.SEEN, replay is Replay.SEEN),
            (Reason.STALE, replay is Replay.STALE),
            (Reason.REPLAY_CACHE_FULL, replay is Replay.FULL),
        )

    def _mismatch(self, message: bytes, facts: InitialFacts) -> Reason | None:
        """Why a user of ours cannot be served."""
        try:
            hello = parse_client_hello(message)
        except HelloError:
            return Reason.MALFORMED
        profile = self.profile
        return _first(
            (Reason.NOT_QUIC_V1, facts.version != QUIC_V1),
            (Reason.INITIAL_TOO_SMALL, facts.datagram_size < MIN_INITIAL),
            (Reason.SESSION_ID, bool(hello.session_id)),
            (Reason.PSK, hello.has_psk),
            (Reason.SERVER_NAME, (hello.server_name or "").lower() not in profile.server_names),
            (Reason.PROFILE, not profile.fits(hello)),
        )


def _first(*checks: Check) -> Reason | None:
    """Return the first reason that holds."""
    for reason, holds in checks:
        if holds:
            return reason
    return None
