# SPDX-License-Identifier: BSD-3-Clause
"""Who is let in, who is relayed and why; each condition alone is enough to be relayed."""

import dataclasses
from collections.abc import Iterator
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from nexusnet._engine import lib as engine
from nexusnet.reality import authenticator
from nexusnet.reality.authenticator import derive_keys
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
from nexusnet.reality.replay import ReplayCache
from nexusnet.secret import SecretBytes
from tests.reality.hellos import Hello, genuine, with_random

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


def sealed_with(plaintext: bytes) -> bytes:
    """Return a hello whose authenticator says anything, with a valid tag."""
    share = X25519PrivateKey.generate()
    plain = Hello(share=share.public_key().public_bytes_raw()).encode()
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
    Reason.MALFORMED: [(hello()[:-1], FACTS), (b"", FACTS)],
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
        (Hello().encode(), FACTS),
    ],
    Reason.NO_SHARE: [(Hello(share=bytes(32)).encode(), FACTS)],
    Reason.BAD_TAG: [
        (hello(key=bytes([7]) * 32), FACTS),
        (with_random(hello(), bytes(32)), FACTS),
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
    assert decide(decider(), message) == Relay(Reason.MALFORMED)


class Work:
    """Counts the costly steps of a decision, in their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[tuple[str, int]] = []
        real_refusal, real_exchange = ReplayCache.refusal, X25519PublicKey.from_public_bytes

        def exchange(share: bytes) -> X25519PublicKey:
            self.steps.append(("exchange", len(share)))
            return real_exchange(share)

        def opened(shared: bytes, psk: bytes, message: bytes, size: int, *out: object) -> int:
            self.steps.append(("open", size))
            return int(engine.nqe_authenticator_open(shared, psk, message, size, *out))

        def refusal(cache: ReplayCache, random: bytes, unix_time: int, now: float) -> object:
            self.steps.append(("replay", len(random)))
            return real_refusal(cache, random, unix_time, now)

        lib = mock.Mock(wraps=engine, NQE_AUTHENTICATOR_KEY=32, NQE_AUTHENTICATOR_PLAINTEXT=16)
        lib.nqe_authenticator_open = opened
        keys = mock.Mock(from_public_bytes=exchange)
        monkeypatch.setattr(authenticator, "X25519PublicKey", keys)
        monkeypatch.setattr(authenticator, "lib", lib)
        monkeypatch.setattr(ReplayCache, "refusal", refusal)


def test_the_work_is_the_same_whatever_the_authenticator_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Key exchange, derivation, AEAD and look-ups happen for all hellos of one length."""
    good = hello()
    messages = {
        "genuine": good,
        "replayed": good,
        "another key": hello(key=bytes([7]) * 32),
        "no authenticator": with_random(hello(), bytes(32)),
        "unknown short ID": hello(short_id=bytes(8)),
        "stale clock": hello(skew=-1000),
        "unknown version": sealed_with(plaintext(version=2)),
        "small order": Hello(share=bytes(32)).encode(),
        "another name": hello(Hello(server_name="tiss.test")),
        "no ALPN that fits": hello(Hello(alpn=[b"h2"])),
    }
    assert len({len(message) for message in messages.values()}) == 1
    server = decider()
    work = Work(monkeypatch)
    seen = {}
    for name, message in messages.items():
        work.steps.clear()
        decide(server, message)
        seen[name] = list(work.steps)
    assert [step for step, _ in seen["genuine"]] == ["exchange", "open", "replay"]
    # OpenSSL refuses a share of small order at the end of the exchange: one more is made up.
    assert seen.pop("small order") == [seen["genuine"][0], *seen["genuine"]]
    assert len({tuple(steps) for steps in seen.values()}) == 1, seen
