# SPDX-License-Identifier: BSD-3-Clause
"""Who is a genuine client: decided about a whole ClientHello, before a byte is sent back.

Every well-formed hello costs the same work whatever its authenticator says: each check is made, and
only then the first that failed is named. All that differs is the entry in the replay cache, of a
client that is let in.
"""

import enum
from dataclasses import dataclass, field
from typing import Final

from nexusnet.reality.authenticator import (
    KNOWN_FLAGS,
    VERSION,
    Authenticator,
    Refusal,
    open_hello,
)
from nexusnet.reality.client_hello import (
    X25519,
    X25519MLKEM768,
    ClientHello,
    HelloError,
    parse_client_hello,
)
from nexusnet.reality.credentials import SHORT_ID_LENGTH, ServerCredentials
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
    """Why a flow is relayed, in the order in which the checks count."""

    MALFORMED = "malformed"
    NOT_QUIC_V1 = "not_quic_v1"
    INITIAL_TOO_SMALL = "initial_too_small"
    SESSION_ID = "session_id"
    PSK = "psk"
    SERVER_NAME = "server_name"
    PROFILE = "profile"
    NO_SHARE = "no_share"
    BAD_TAG = "bad_tag"
    AUTHENTICATOR_VERSION = "authenticator_version"
    SHORT_ID = "short_id"
    CLOCK = "clock"
    SEEN = "seen"
    STALE = "stale"
    REPLAY_CACHE_FULL = "replay_cache_full"


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

_NOBODY: Final = Authenticator(0, 0, 0, bytes(SHORT_ID_LENGTH), SecretBytes(b""))


class Decider:
    """Decides about ClientHellos.

    Attributes:
        credentials: whom we know; may be replaced at any time, and counts from the next hello on.
        profile: what a hello must offer; may be replaced likewise.
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

    def decide(self, message: bytes, facts: InitialFacts, *, now: float, wall: float) -> Decision:
        """Decide about a whole ClientHello.

        An accepted hello is in the replay cache from here on: the owner of its state file writes
        the journal before anything is sent.

        Args:
            message: the handshake message, complete, nothing behind it.
            facts: of the packets that carried it.
            now: seconds of a monotonic clock.
            wall: the time of day, in seconds since 1970.
        """
        try:
            hello = parse_client_hello(message)
        except HelloError:
            return Relay(Reason.MALFORMED)
        opened = open_hello(hello, self.credentials.private_key, self.credentials.psk)
        inside = opened if isinstance(opened, Authenticator) else _NOBODY
        name = self.credentials.users.get(inside.short_id)
        replay = self.replay.refusal(hello.random, inside.unix_time, now)
        difference = inside.unix_time - int(wall)
        profile = self.profile
        checks = (
            (Reason.NOT_QUIC_V1, facts.version != QUIC_V1),
            (Reason.INITIAL_TOO_SMALL, facts.datagram_size < MIN_INITIAL),
            (Reason.SESSION_ID, bool(hello.session_id)),
            (Reason.PSK, hello.has_psk),
            (Reason.SERVER_NAME, (hello.server_name or "").lower() not in profile.server_names),
            (Reason.PROFILE, not profile.fits(hello)),
            (Reason.NO_SHARE, opened is Refusal.NO_SHARE),
            (Reason.BAD_TAG, opened is Refusal.BAD_TAG),
            (
                Reason.AUTHENTICATOR_VERSION,
                inside.version != VERSION or bool(inside.flags & ~KNOWN_FLAGS),
            ),
            (Reason.SHORT_ID, name is None),
            (Reason.CLOCK, abs(difference) > self.window),
            (Reason.SEEN, replay is Replay.SEEN),
            (Reason.STALE, replay is Replay.STALE),
            (Reason.REPLAY_CACHE_FULL, replay is Replay.FULL),
        )
        reason = next((reason for reason, failed in checks if failed), None)
        if reason is not None or name is None:
            inside.server_key.wipe()
            return Relay(reason or Reason.SHORT_ID)
        self.replay.insert(hello.random, inside.unix_time, now, wall)
        return Accept(name, inside.short_id, message, inside.server_key, difference)
