# SPDX-License-Identifier: BSD-3-Clause
"""The authenticator: sealed and opened, and bound to every bit of the hello."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.reality.authenticator import (
    Authenticator,
    Claims,
    HelloOpener,
    Refusal,
    derive_keys,
    seal,
)
from nexusnet.reality.client_hello import HelloError
from nexusnet.secret import SecretBytes
from tests.reality.hellos import Hello, genuine, with_random

SERVER = X25519PrivateKey.generate()
SHORT_ID = bytes.fromhex("0011223344556677")
PSK = SecretBytes(bytes(range(32)))


def opened(
    message: bytes, private_key: X25519PrivateKey = SERVER, psk: SecretBytes | None = None
) -> Authenticator | Refusal:
    return HelloOpener(private_key, psk).open(message)


@given(
    unix_time=st.integers(0, 2**32 - 1),
    short_id=st.binary(min_size=8, max_size=8),
    psk=st.none() | st.binary(min_size=32, max_size=32).map(SecretBytes),
    hybrid=st.booleans(),
)
def test_what_is_sealed_is_opened(
    unix_time: int, short_id: bytes, psk: SecretBytes | None, *, hybrid: bool
) -> None:
    hello = Hello(hybrid_share=bytes(1216)) if hybrid else Hello()
    message, sealed = genuine(
        SERVER.public_key(), unix_time=unix_time, short_id=short_id, psk=psk, hello=hello
    )
    found = opened(message, psk=psk)
    assert isinstance(found, Authenticator)
    assert found.claims == Claims(1, 0, unix_time, short_id)
    assert found.server_key == sealed.server_key


@given(data=st.data())
def test_any_changed_bit_makes_the_tag_invalid(data: st.DataObject) -> None:
    message, _ = genuine(SERVER.public_key(), unix_time=1, short_id=SHORT_ID)
    changed = bytearray(message)
    bit = data.draw(st.integers(0, 8 * len(message) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    # One bit makes no difference in a share: X25519 ignores the highest one, the AAD does not.
    assert isinstance(opened(bytes(changed)), Refusal)


def test_other_keys_open_nothing() -> None:
    message, _ = genuine(SERVER.public_key(), unix_time=1, short_id=SHORT_ID)
    assert opened(message, X25519PrivateKey.generate()) is Refusal.BAD_TAG
    assert opened(message, psk=PSK) is Refusal.BAD_TAG
    with_psk, _ = genuine(SERVER.public_key(), unix_time=1, short_id=SHORT_ID, psk=PSK)
    assert opened(with_psk) is Refusal.BAD_TAG
    assert isinstance(opened(with_psk, psk=PSK), Authenticator)
    # Zeros are what stands for no pre-shared key.
    assert isinstance(opened(message, psk=SecretBytes(bytes(32))), Authenticator)


def test_hellos_without_a_usable_share() -> None:
    assert opened(Hello().encode()) is Refusal.NO_SHARE
    assert opened(Hello(share=bytes(31)).encode()) is Refusal.NO_SHARE
    # Points of small order give zeros (RFC 7748 section 6.1).
    for share in (bytes(32), bytes([1]) + bytes(31)):
        assert opened(Hello(share=share).encode()) is Refusal.NO_SHARE


def test_a_shared_secret_of_zeros_is_not_accepted_from_who_knows_it() -> None:
    """A share of small order makes SS known to everyone; the authenticator would be easy."""
    hello = Hello(share=bytes(32)).encode()
    keys = derive_keys(bytes(32), None, hello)
    plaintext = b"\x01\0\0\0" + (1).to_bytes(4, "big") + SHORT_ID
    random = AESGCM(bytes(keys.key.reveal())).encrypt(keys.nonce, plaintext, hello)
    assert opened(with_random(hello, random)) is Refusal.NO_SHARE


def test_random_looks_like_random() -> None:
    seen = {
        genuine(SERVER.public_key(), unix_time=1, short_id=SHORT_ID)[0][6:38] for _ in range(64)
    }
    assert len(seen) == 64
    ones = sum(int.from_bytes(random, "big").bit_count() for random in seen)
    # 16384 fair coins: eight standard deviations.
    assert abs(ones - 8192) < 512


def test_what_cannot_be_sealed() -> None:
    share = X25519PrivateKey.generate()
    hello = Hello(share=share.public_key().public_bytes_raw())

    def attempt(message: bytes, *, unix_time: int = 1, short_id: bytes = SHORT_ID) -> None:
        seal(
            message,
            share_private=share,
            server_public=SERVER.public_key(),
            psk=None,
            unix_time=unix_time,
            short_id=short_id,
        )

    attempt(hello.encode())
    with pytest.raises(ValueError, match="random already"):
        attempt(hello.encode(bytes(31) + b"\1"))
    with pytest.raises(ValueError, match="another key"):
        attempt(Hello(share=bytes(32)).encode())
    for unix_time, short_id in ((-1, SHORT_ID), (2**32, SHORT_ID), (1, SHORT_ID[1:])):
        with pytest.raises(ValueError, match="out of range"):
            attempt(hello.encode(), unix_time=unix_time, short_id=short_id)
    with pytest.raises(HelloError):
        attempt(hello.encode()[:-1])


def test_nothing_shows_a_secret() -> None:
    message, sealed = genuine(SERVER.public_key(), unix_time=1, short_id=SHORT_ID)
    found = opened(message)
    text = f"{found!r} {sealed!r}"
    assert isinstance(found, Authenticator)
    assert SHORT_ID.hex() not in text
    assert repr(SHORT_ID)[2:-1] not in text
    assert bytes(sealed.server_key.reveal()).hex() not in text
