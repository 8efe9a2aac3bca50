# SPDX-License-Identifier: BSD-3-Clause
"""Both groups: secrets agree, shares have the lengths of the wire, malformed shares are refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from nexusnet.reality.key_exchange import (
    CLIENT_SHARE_LENGTH,
    ENCAPSULATION_KEY_LENGTH,
    SERVER_SHARE_LENGTH,
    ClientShare,
    Group,
    HybridShare,
    KeyShareError,
    X25519Share,
    answer,
)

SHARES = [X25519Share, HybridShare]
SMALL_ORDER = bytes(32)


@pytest.mark.parametrize("kind", SHARES)
def test_both_ends_agree(kind: type[X25519Share | HybridShare]) -> None:
    client = kind.generate()
    share: ClientShare = client
    assert share.public == client.public
    server = answer(client.group, client.public)
    assert len(client.public) == CLIENT_SHARE_LENGTH[client.group]
    assert len(server.share) == SERVER_SHARE_LENGTH[client.group]
    assert client.exchange(server.share) == server.secret
    assert client.public[-32:] == client.x25519.public_key().public_bytes_raw()
    assert answer(client.group, client.public).secret != server.secret, "keys must be fresh"


def test_hybrid_is_mlkem_then_x25519() -> None:
    # Taken apart by hand, with the library's primitives alone.
    mlkem, x25519 = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
    encapsulation_key = mlkem.public_key().public_bytes_raw()
    public = encapsulation_key + x25519.public_key().public_bytes_raw()
    assert HybridShare(mlkem, x25519).public == public
    server = answer(Group.X25519MLKEM768, public)
    kem = mlkem.decapsulate(server.share[:1088])
    ecdh = x25519.exchange(X25519PublicKey.from_public_bytes(server.share[1088:]))
    assert server.secret == kem + ecdh


@pytest.mark.parametrize("group", list(Group))
@pytest.mark.parametrize("change", [-1, 1])
def test_wrong_lengths_are_refused(group: Group, change: int) -> None:
    with pytest.raises(KeyShareError):
        answer(group, bytes(CLIENT_SHARE_LENGTH[group] + change))
    share = X25519Share.generate() if group is Group.X25519 else HybridShare.generate()
    with pytest.raises(KeyShareError):
        share.exchange(bytes(SERVER_SHARE_LENGTH[group] + change))


def test_small_order_is_refused() -> None:
    client = HybridShare.generate()
    server = answer(client.group, client.public)
    with pytest.raises(KeyShareError):
        answer(Group.X25519, SMALL_ORDER)
    with pytest.raises(KeyShareError):
        answer(client.group, client.public[:-32] + SMALL_ORDER)
    with pytest.raises(KeyShareError):
        client.exchange(server.share[:-32] + SMALL_ORDER)
    with pytest.raises(KeyShareError):
        X25519Share.generate().exchange(SMALL_ORDER)


def test_encapsulation_key_is_checked() -> None:
    # FIPS 203 section 7.2: coefficients are below the modulus; all ones are not.
    client = HybridShare.generate()
    with pytest.raises(KeyShareError):
        answer(client.group, b"\xff" * ENCAPSULATION_KEY_LENGTH + client.public[-32:])


def test_tampered_ciphertext_changes_the_secret() -> None:
    client = HybridShare.generate()
    server = answer(client.group, client.public)
    tampered = bytes([server.share[0] ^ 1]) + server.share[1:]
    assert client.exchange(tampered) != server.secret


def test_nothing_secret_is_shown() -> None:
    client = HybridShare.generate()
    server = answer(client.group, client.public)
    assert server.secret.hex() not in repr(server)
    assert "redacted" in repr(server)
