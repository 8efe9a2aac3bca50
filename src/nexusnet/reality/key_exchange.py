# SPDX-License-Identifier: BSD-3-Clause
"""Key exchange with the two groups that browsers send shares of: X25519 and X25519MLKEM768.

X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem section 4) puts an ML-KEM-768 key encapsulation
(FIPS 203) beside X25519, ML-KEM first:

    client share   encapsulation key, 1184 bytes | X25519 public key, 32 bytes
    server share   ciphertext, 1088 bytes        | X25519 public key, 32 bytes
    secret         ML-KEM shared secret, 32      | X25519 shared secret, 32

The client makes a share of either group with a `ClientShare`, the server answers with `answer`.
"""

import enum
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

X25519_LENGTH: Final = 32
"""Bytes of an X25519 public key, and of its shared secret."""

ENCAPSULATION_KEY_LENGTH: Final = 1184
"""Bytes of an ML-KEM-768 encapsulation key (FIPS 203 section 8)."""

CIPHERTEXT_LENGTH: Final = 1088
"""Bytes of an ML-KEM-768 ciphertext (FIPS 203 section 8)."""


class KeyShareError(ValueError):
    """The peer's key share has another length, or leads to no secret.

    RFC 8446 section 4.2.8 and draft-ietf-tls-ecdhe-mlkem section 4: illegal_parameter.
    """


class Group(enum.IntEnum):
    """Groups with key shares, by their number in supported_groups."""

    X25519 = 0x001D
    X25519MLKEM768 = 0x11EC


CLIENT_SHARE_LENGTH: Final = {
    Group.X25519: X25519_LENGTH,
    Group.X25519MLKEM768: ENCAPSULATION_KEY_LENGTH + X25519_LENGTH,
}
"""Bytes of a client's share."""

SERVER_SHARE_LENGTH: Final = {
    Group.X25519: X25519_LENGTH,
    Group.X25519MLKEM768: CIPHERTEXT_LENGTH + X25519_LENGTH,
}
"""Bytes of a server's share."""


class ClientShare(Protocol):
    """A client's part of a key exchange, good for one handshake."""

    @property
    def group(self) -> int:
        """What `public` is for, by its number in supported_groups."""

    @property
    def public(self) -> bytes:
        """What goes into the ClientHello."""

    def exchange(self, server_share: bytes) -> bytes:
        """Return the shared secret.

        Args:
            server_share: from the ServerHello.

        Raises:
            KeyShareError: it is no share of this group.
        """


@dataclass(frozen=True, slots=True, repr=False)
class X25519Share:
    """A client's X25519 key (RFC 7748 section 5).

    Attributes:
        x25519: the private key.
    """

    x25519: X25519PrivateKey

    @classmethod
    def generate(cls) -> "X25519Share":
        """Make a fresh one."""
        return cls(X25519PrivateKey.generate())

    @property
    def group(self) -> Group:
        """X25519."""
        return Group.X25519

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self.x25519.public_key().public_bytes_raw()

    def exchange(self, server_share: bytes) -> bytes:
        """Return the shared secret, 32 bytes.

        Raises:
            KeyShareError: no X25519 public key, or one of small order.
        """
        _check_length(server_share, SERVER_SHARE_LENGTH[self.group])
        return _x25519(self.x25519, server_share)


@dataclass(frozen=True, slots=True, repr=False)
class HybridShare:
    """A client's ML-KEM-768 and X25519 keys.

    Attributes:
        mlkem: the private ML-KEM key.
        x25519: the private X25519 key, whose public key is the last 32 bytes of `public`.
    """

    mlkem: MLKEM768PrivateKey
    x25519: X25519PrivateKey

    @classmethod
    def generate(cls) -> "HybridShare":
        """Make a fresh one."""
        return cls(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())

    @property
    def group(self) -> Group:
        """X25519MLKEM768."""
        return Group.X25519MLKEM768

    @property
    def public(self) -> bytes:
        """Encapsulation key and X25519 public key, 1216 bytes."""
        return (
            self.mlkem.public_key().public_bytes_raw() + self.x25519.public_key().public_bytes_raw()
        )

    def exchange(self, server_share: bytes) -> bytes:
        """Return the shared secret, 64 bytes.

        Raises:
            KeyShareError: another length, or an X25519 key of small order. A ciphertext that was
                tampered with leads to another secret instead (FIPS 203 section 6.3), and so to a
                handshake that does not authenticate.
        """
        _check_length(server_share, SERVER_SHARE_LENGTH[self.group])
        ciphertext, public = server_share[:CIPHERTEXT_LENGTH], server_share[CIPHERTEXT_LENGTH:]
        return self.mlkem.decapsulate(ciphertext) + _x25519(self.x25519, public)


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's part of a key exchange.

    Attributes:
        share: what goes into the ServerHello, `SERVER_SHARE_LENGTH` bytes.
        secret: the shared secret, 32 bytes an algorithm.
    """

    share: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"Answer(share=<{len(self.share)} bytes>, secret=<redacted>)"


def answer(group: Group, client_share: bytes) -> Answer:
    """Answer a client's share with a fresh key.

    Args:
        group: of the share.
        client_share: from the ClientHello.

    Raises:
        KeyShareError: it is no share of this group.
    """
    _check_length(client_share, CLIENT_SHARE_LENGTH[group])
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    if group is Group.X25519:
        return Answer(public, _x25519(private, client_share))
    key, peer = client_share[:ENCAPSULATION_KEY_LENGTH], client_share[ENCAPSULATION_KEY_LENGTH:]
    try:
        # FIPS 203 section 7.2: the modulus check is made here.
        secret, ciphertext = MLKEM768PublicKey.from_public_bytes(key).encapsulate()
    except ValueError as error:
        raise KeyShareError("not an ML-KEM-768 encapsulation key") from error
    return Answer(ciphertext + public, secret + _x25519(private, peer))


def _check_length(share: bytes, length: int) -> None:
    if len(share) != length:
        raise KeyShareError(f"a key share of {len(share)} bytes, {length} are right")


def _x25519(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        # RFC 7748 section 6.1, RFC 8446 section 7.4.2: an all-zero result is refused.
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise KeyShareError("an X25519 public key of small order") from error
