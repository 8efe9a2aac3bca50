# SPDX-License-Identifier: BSD-3-Clause
"""Keys and short IDs as text, and that nothing shows them."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.handshake.errors import CredentialsError
from nexusnet.reality.credentials import (
    ClientCredentials,
    ServerCredentials,
    format_key,
    format_private_key,
    format_public_key,
    format_short_id,
    new_preshared_key,
    new_private_key,
    new_short_id,
    parse_preshared_key,
    parse_private_key,
    parse_public_key,
    parse_short_id,
)


def test_text_forms_are_read_back() -> None:
    key = new_private_key()
    text = format_private_key(key)
    assert len(text) == 44
    assert parse_private_key(f" {text}\n").private_bytes_raw() == key.private_bytes_raw()
    public = format_public_key(key.public_key())
    assert parse_public_key(public).public_bytes_raw() == key.public_key().public_bytes_raw()
    psk = new_preshared_key()
    assert parse_preshared_key(format_key(psk.reveal())) == psk
    short_id = new_short_id()
    assert parse_short_id(format_short_id(short_id)) == short_id


@pytest.mark.parametrize("text", ["", "x", "A" * 43, "A" * 44, "A" * 42 + "==", "!" * 43 + "="])
def test_other_texts_are_refused_without_being_quoted(text: str) -> None:
    for parse in (parse_private_key, parse_public_key, parse_preshared_key):
        with pytest.raises(CredentialsError) as caught:
            parse(text)
        assert len(text) < 2 or text not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "00", "0" * 15, "0" * 17, "g" * 16, "00 " * 8, "0x" + "0" * 14]
)
def test_other_short_ids_are_refused(text: str) -> None:
    with pytest.raises(CredentialsError):
        parse_short_id(text)


def test_public_keys_of_small_order_are_refused() -> None:
    for point in (bytes(32), bytes([1]) + bytes(31)):
        with pytest.raises(CredentialsError, match="small order"):
            parse_public_key(format_key(point))


def test_nothing_is_shown_and_the_psk_is_wiped() -> None:
    key, short_id, psk = X25519PrivateKey.generate(), new_short_id(), new_preshared_key()
    server = ServerCredentials(key, {short_id: "alice"}, psk)
    client = ClientCredentials(key.public_key(), short_id, psk)
    for text in (repr(server), repr(client)):
        assert short_id.hex() not in text
        assert repr(short_id) not in text
        assert format_key(psk.reveal()) not in text
    with pytest.raises(CredentialsError):
        ClientCredentials(key.public_key(), b"short", None)
    client.wipe()
    assert bytes(psk.reveal()) == bytes(32)
    server.wipe()
