# SPDX-License-Identifier: BSD-3-Clause
"""Who is let in, who is relayed and why; each condition alone is enough to be relayed."""

import dataclasses
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.reality import decision
from nexusnet.reality.authenticator import HelloOpener, Sight, derive_keys
from nexusnet.reality.client_hello import ClientHello, message_length, parse_client_hello
from nexusnet.reality.credentials import ServerCredentials
from nexusnet.reality.decision import (
    Accept,
    Decider,
    Decision,
    InitialFacts,
    Reason,
    Relay,
    ServerProfile,
)
from nexusnet.reality.long_header import LongHeaderPacket, parse_long_header
from nexusnet.reality.replay import ReplayCache
from nexusnet.secret import SecretBytes
from tests.reality.hellos import Hello, genuine, with_random
from tests.reality.initials import crypto_frame, initial, new_dcid

SERVER = X25519PrivateKey.generate()
ALICE, BOB = bytes.fromhex("a11ce00000000001"), bytes.fromhex("b0b0000000000002")
WALL = 1_800_000_000
FACTS = InitialFacts(version=1, datagram_size=1250)


def decider(capacity: int = 100, psk: SecretBytes | None = None) -> Decider:
    return Decider(
        ServerCredentials(SERVER, {ALICE: "alice", BOB: "bob"}, psk),
        ServerProfile(frozenset({"site.test"})),
        ReplayCache(120.0, capacity),
    )


def hello(
    shape: Hello | None = None, *, short_id: bytes = ALICE, skew: int = 0, key: bytes | None = None
) -> bytes:
    public = (
        SERVER.public_key()
        if key is None
        else X25519PrivateKey.from_private_bytes(key).public_key()
    )
    return genuine(public, unix_time=WALL + skew, short_id=short_id, hello=shape)[0]


def sealed_with(plaintext: bytes, shape: Hello | None = None) -> bytes:
    """Return any hello with an authenticator that says anything, with a valid tag."""
    share = X25519PrivateKey.generate()
    public = share.public_key().public_bytes_raw()
    plain = dataclasses.replace(shape or Hello(), share=public).encode()
    keys = derive_keys(share.exchange(SERVER.public_key()), None, plain)
    random = AESGCM(bytes(keys.key.reveal())).encrypt(keys.nonce, plaintext, plain)
    return with_random(plain, random)


def plaintext(version: int = 1, flags: int = 0, reserved: int = 0, skew: int = 0) -> bytes:
    return (
        bytes([version, flags])
        + reserved.to_bytes(2, "big")
        + (WALL + skew).to_bytes(4, "big")
        + ALICE
    )


def decide(
    one: Decider, message: bytes, facts: InitialFacts = FACTS, now: float = 0.0, wall: float = WALL
) -> Decision:
    return one.decide(message, facts, now=now, wall=wall)


def look(one: Decider, message: bytes, now: float = 0.0, wall: float = WALL) -> Reason | Sight:
    """Have a datagram looked at that holds all of a message."""
    datagram = initial(crypto_frame(0, message), new_dcid())
    packet = parse_long_header(datagram)
    assert packet is not None
    return one.glance(datagram, packet, now=now, wall=wall)


def test_genuine_clients_are_accepted() -> None:
    server = decider()
    message, sealed = genuine(SERVER.public_key(), unix_time=WALL + 7, short_id=BOB)
    verdict = decide(server, message)
    assert isinstance(verdict, Accept)
    assert (verdict.name, verdict.short_id, verdict.clock_difference) == ("bob", BOB, 7)
    assert verdict.server_key == sealed.server_key
    assert len(server.replay) == 1
    for share in (Hello(), Hello(hybrid_share=bytes(1216)), Hello(server_name="SITE.test")):
        assert isinstance(decide(server, hello(share)), Accept)


@pytest.mark.parametrize("skew", [-120, 120])
def test_the_clock_may_differ_by_the_window(skew: int) -> None:
    assert isinstance(decide(decider(), hello(skew=skew)), Accept)


RELAYED: dict[Reason, list[tuple[bytes, InitialFacts]]] = {
    Reason.MALFORMED: [(sealed_with(plaintext(), Hello(extra=[(0x0A0A, b"")] * 2)), FACTS)],
    Reason.NOT_QUIC_V1: [(hello(), InitialFacts(0x6B3343CF, 1250))],
    Reason.INITIAL_TOO_SMALL: [(hello(), InitialFacts(1, 1199))],
    Reason.SESSION_ID: [(hello(Hello(session_id=bytes(32))), FACTS)],
    Reason.PSK: [(hello(Hello(psk=b"")), FACTS)],
    Reason.SERVER_NAME: [
        (hello(Hello(server_name="other.test")), FACTS),
        (hello(Hello(server_name=None)), FACTS),
        (hello(Hello(server_name="site.test.")), FACTS),
    ],
    Reason.PROFILE: [
        (hello(Hello(suites=[0x1304])), FACTS),
        (hello(Hello(alpn=[b"h2"])), FACTS),
        (hello(Hello(versions=[0x0303])), FACTS),
        (hello(Hello(signatures=[0x0804])), FACTS),
        (hello(Hello(parameters=None)), FACTS),
    ],
    Reason.NO_SHARE: [
        (Hello(share=bytes(32)).encode(), FACTS),
        (Hello().encode(), FACTS),
        # Nobody looks at what else is wrong with the hello of a stranger.
        (Hello(server_name="other.test", alpn=[b"h2"]).encode(), InitialFacts(2, 1199)),
        (hello()[:-1], FACTS),
        (b"", FACTS),
    ],
    Reason.BAD_TAG: [
        (hello(key=bytes([7]) * 32), FACTS),
        (with_random(hello(), bytes(32)), FACTS),
        (with_random(hello(Hello(psk=b"", session_id=bytes(32))), bytes(32)), FACTS),
    ],
    Reason.AUTHENTICATOR_VERSION: [
        (sealed_with(plaintext(version=2)), FACTS),
        (sealed_with(plaintext(flags=1)), FACTS),
        (sealed_with(plaintext(reserved=1)), FACTS),
    ],
    Reason.SHORT_ID: [(hello(short_id=bytes(8)), FACTS)],
    Reason.CLOCK: [(hello(skew=121), FACTS), (hello(skew=-121), FACTS)],
}


def cases() -> Iterator[tuple[Reason, bytes, InitialFacts]]:
    for reason, hellos in RELAYED.items():
        for message, facts in hellos:
            yield reason, message, facts


@pytest.mark.parametrize(("reason", "message", "facts"), list(cases()))
def test_everyone_else_is_relayed(reason: Reason, message: bytes, facts: InitialFacts) -> None:
    server = decider()
    assert decide(server, message, facts) == Relay(reason)
    assert len(server.replay) == 0
    if message:
        # The first look names strangers; what is wrong with a user's hello takes the second one.
        ours = list(Reason).index(reason) >= list(Reason).index(Reason.MALFORMED)
        whole = message_length(message) == len(message)
        assert look(server, message) is (Sight.UNCLEAR if ours or not whole else reason)


def test_replays_are_relayed() -> None:
    server = decider()
    message = hello()
    assert isinstance(decide(server, message), Accept)
    assert decide(server, message) == Relay(Reason.SEEN)
    assert decide(server, message, now=239.0) == Relay(Reason.SEEN)
    # Purged by now, and the server's clock was set back to the hello's time.
    assert decide(server, message, now=1000.0) == Relay(Reason.STALE)


def test_only_accepted_hellos_fill_the_cache() -> None:
    server = decider(capacity=1)
    for _, message, facts in cases():
        decide(server, message, facts)
    assert isinstance(decide(server, hello()), Accept)
    assert decide(server, hello()) == Relay(Reason.REPLAY_CACHE_FULL)


def test_removed_users_and_changed_profiles_count_at_once() -> None:
    server = decider()
    server.credentials = dataclasses.replace(server.credentials, users={BOB: "bob"})
    assert decide(server, hello()) == Relay(Reason.SHORT_ID)
    assert isinstance(decide(server, hello(short_id=BOB)), Accept)
    server.profile = ServerProfile(frozenset({"site.test"}), groups=(0x11EC,))
    assert decide(server, hello(short_id=BOB)) == Relay(Reason.PROFILE)
    both = Hello(share=bytes(32), hybrid_share=bytes(1216))
    assert isinstance(decide(server, hello(both, short_id=BOB)), Accept)


@given(st.binary(max_size=200))
def test_garbage_is_relayed(message: bytes) -> None:
    assert decide(decider(), message) == Relay(Reason.NO_SHARE)


class Work:
    """Notes the costly steps of a decision, in their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[tuple[str, int]] = []
        real_open, real_inspect = HelloOpener.open, HelloOpener.inspect
        real_refusal = ReplayCache.refusal

        def opened(opener: HelloOpener, message: bytes) -> object:
            self.steps.append(("open", len(message)))
            return real_open(opener, message)

        def inspect(opener: HelloOpener, datagram: bytes, packet: LongHeaderPacket) -> object:
            self.steps.append(("inspect", len(datagram)))
            return real_inspect(opener, datagram, packet)

        def refusal(cache: ReplayCache, random: bytes, unix_time: int, now: float) -> object:
            self.steps.append(("replay", len(random)))
            return real_refusal(cache, random, unix_time, now)

        def parse(message: bytes) -> ClientHello:
            self.steps.append(("parse", len(message)))
            return parse_client_hello(message)

        monkeypatch.setattr(HelloOpener, "open", opened)
        monkeypatch.setattr(HelloOpener, "inspect", inspect)
        monkeypatch.setattr(ReplayCache, "refusal", refusal)
        monkeypatch.setattr(decision, "parse_client_hello", parse)


def test_the_work_is_the_same_whatever_the_authenticator_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of all hellos of one length, but for our users' first ones.

    That the engine does the same for each as well is for tests/engine/test_inspect.py to show.
    """
    good = hello()
    server = decider()
    assert isinstance(decide(server, good), Accept)
    ours = {
        "genuine": hello(),
        "another name": hello(Hello(server_name="tiss.test")),
        "no ALPN that fits": hello(Hello(alpn=[b"h2"])),
    }
    strangers = {
        "replayed": good,
        "another key": hello(key=bytes([7]) * 32),
        "no authenticator": with_random(hello(), bytes(32)),
        "unknown short ID": hello(short_id=bytes(8)),
        "stale clock": hello(skew=-1000),
        "unknown version": sealed_with(plaintext(version=2)),
        "small order": Hello(share=bytes(32)).encode(),
        "no share": Hello(share=bytes(32)).encode().replace(b"\0\x33", b"\0\x34"),
        "another name": with_random(hello(Hello(server_name="tiss.test")), bytes(32)),
    }
    assert len({len(message) for message in (ours | strangers).values()}) == 1
    work = Work(monkeypatch)
    at_once = [("inspect", 1250), ("replay", 32)]
    in_full = [("open", len(good)), ("replay", 32)]
    for message in strangers.values():
        reason = look(server, message)
        assert isinstance(reason, Reason)
        assert decide(server, message) == Relay(reason)
        assert work.steps == at_once + in_full
        work.steps.clear()
    for message in ours.values():
        assert look(server, message) is Sight.UNCLEAR
        decide(server, message)
        assert work.steps == [*at_once, *in_full, ("parse", len(good))]
        work.steps.clear()
