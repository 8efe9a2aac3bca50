# SPDX-License-Identifier: BSD-3-Clause
"""key_update.json: chains of secrets, and the keys of each generation."""

from typing import Final, NamedTuple

from nexusnet.quic.keys import CipherSuite, derive_packet_keys
from nexusnet.quic.protection import ShortHeaderProtection
from vectors.expect import expect_error
from vectors.model import Generation, KeyUpdateVector, Vector
from vectors.seeded import seeded_bytes

GENERATIONS: Final = 6


class Example(NamedTuple):
    """What an RFC derives of a secret, in hexadecimal; `ku` is the next secret, where given."""

    name: str
    source: str
    suite: CipherSuite
    secret: str
    key: str
    iv: str
    hp: str
    ku: str | None = None


CLIENT_INITIAL: Final = Example(
    "client_initial",
    "RFC 9001 A.1",
    CipherSuite.AES_128_GCM,
    secret="c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea",
    key="1f369613dd76d5467730efcbe3b1a22d",
    iv="fa044b2f42a3fd3b46fb255c",
    hp="9f50449e04a0e810283a1e9933adedd2",
)
SERVER_INITIAL: Final = Example(
    "server_initial",
    "RFC 9001 A.1",
    CipherSuite.AES_128_GCM,
    secret="3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b",
    key="cf3a5331653c364c88f0f379b6067e37",
    iv="0ac1493ca1905853b0bba03e",
    hp="c206b8d9b9f0f37644430b490eeaa314",
)
CHACHA20_SHORT_HEADER: Final = Example(
    "chacha20_short_header",
    "RFC 9001 A.5",
    CipherSuite.CHACHA20_POLY1305,
    secret="9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b",
    key="c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8",
    iv="e0459b3474bdd0e44a41c144",
    hp="25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4",
    ku="1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9",
)


def first_secret(suite: CipherSuite, dcid_length: int) -> bytes:
    """Return generation 0 of the chain that packets with such a connection ID use."""
    return seeded_bytes(f"secret {suite.value} dcid {dcid_length}", suite.secret_length)


def _chain(
    name: str, suite: CipherSuite, secret: bytes, count: int, source: str = "generated"
) -> KeyUpdateVector:
    protection = ShortHeaderProtection(suite, secret)
    generations = []
    for _ in range(count):
        generations.append(
            Generation(
                key_phase=protection.key_phase,
                secret=protection.keys.secret,
                key=protection.keys.key,
                iv=protection.keys.iv,
            )
        )
        protection = protection.next_generation()
    return KeyUpdateVector(
        name=name,
        source=source,
        suite=suite.value,
        hp=protection.header_key,
        generations=tuple(generations),
    )


def _agree(example: Example) -> None:
    protection = ShortHeaderProtection(example.suite, bytes.fromhex(example.secret))
    derived = (protection.keys.key, protection.keys.iv, protection.header_key)
    following = protection.next_generation().keys.secret
    if [item.hex() for item in derived] != [example.key, example.iv, example.hp] or (
        example.ku and following.hex() != example.ku
    ):
        raise AssertionError(f"the model disagrees with {example.source} about {example.name}")


def key_update_vectors(dcid_lengths: tuple[int, ...]) -> list[Vector]:
    """Return the RFC's examples, a chain for each suite and connection ID length, wrong lengths."""
    vectors: list[Vector] = []
    for example in (CLIENT_INITIAL, SERVER_INITIAL, CHACHA20_SHORT_HEADER):
        _agree(example)
        secret = bytes.fromhex(example.secret)
        count = 2 if example.ku else 1
        vectors.append(_chain(example.name, example.suite, secret, count, example.source))
    vectors += [
        _chain(f"{suite.value}_dcid{length}", suite, first_secret(suite, length), GENERATIONS)
        for suite in CipherSuite
        for length in dcid_lengths
    ]
    for suite in CipherSuite:
        for length in (0, suite.secret_length - 1, suite.secret_length + 1):
            wrong = seeded_bytes(f"wrong length {suite.value}", length)
            vectors.append(
                KeyUpdateVector(
                    name=f"{suite.value}_secret_of_{length}_bytes",
                    suite=suite.value,
                    secret=wrong,
                    error=expect_error(derive_packet_keys, suite, wrong),
                )
            )
    return vectors
