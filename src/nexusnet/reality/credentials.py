# SPDX-License-Identifier: BSD-3-Clause
"""X25519 keys, short IDs and the optional pre-shared key, with their text forms.

Keys and the pre-shared key are written as WireGuard's are: 32 bytes in base64, 44 characters. A
short ID is 8 bytes, written as 16 hex digits; it is a user's secret as well: whoever has it and the
server's public key gets in.
"""

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from nexusnet.handshake.errors import CredentialsError
from nexusnet.secret import SecretBytes

KEY_LENGTH: Final = 32
SHORT_ID_LENGTH: Final = 8


def _parse(text: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_LENGTH:
        # The text itself may be a secret, so it is not quoted.
        raise CredentialsError(f"{what} is 44 characters of base64 (32 bytes), ending in =")
    return raw


def format_key(key: bytes | memoryview) -> str:
    """Return 32 bytes as they stand in files."""
    return base64.b64encode(key).decode()


def new_private_key() -> X25519PrivateKey:
    """Return a fresh server key."""
    return X25519PrivateKey.generate()


def parse_private_key(text: str) -> X25519PrivateKey:
    """Read a server's private key.

    Raises:
        CredentialsError: the text is none.
    """
    return X25519PrivateKey.from_private_bytes(_parse(text, "a private key"))


def parse_public_key(text: str) -> X25519PublicKey:
    """Read a server's public key.

    Raises:
        CredentialsError: the text is none, or a point of small order, with which every key
            exchange gives zeros.
    """
    key = X25519PublicKey.from_public_bytes(_parse(text, "a public key"))
    try:
        X25519PrivateKey.generate().exchange(key)
    except ValueError as error:
        raise CredentialsError("this public key is of no use: it is of small order") from error
    return key


def format_private_key(key: X25519PrivateKey) -> str:
    """Return a private key as it stands in its file."""
    return format_key(key.private_bytes_raw())


def format_public_key(key: X25519PublicKey) -> str:
    """Return a public key as it stands in a client's configuration."""
    return format_key(key.public_bytes_raw())


def new_preshared_key() -> SecretBytes:
    """Return a fresh pre-shared key."""
    return SecretBytes(secrets.token_bytes(KEY_LENGTH))


def parse_preshared_key(text: str) -> SecretBytes:
    """Read a pre-shared key.

    Raises:
        CredentialsError: the text is none.
    """
    return SecretBytes(_parse(text, "a pre-shared key"))


def new_short_id() -> bytes:
    """Return a fresh short ID, 8 random bytes."""
    return secrets.token_bytes(SHORT_ID_LENGTH)


def format_short_id(short_id: bytes) -> str:
    """Return a short ID as it stands in files: 16 hex digits."""
    return short_id.hex()


def parse_short_id(text: str) -> bytes:
    """Read a short ID.

    Raises:
        CredentialsError: the text is none.
    """
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != SHORT_ID_LENGTH or len(text) != 2 * SHORT_ID_LENGTH:
        raise CredentialsError("a short ID is 16 hexadecimal digits")
    return raw


@dataclass(frozen=True, slots=True)
class ServerCredentials:
    """What a server recognises its clients by.

    Attributes:
        private_key: of the server.
        users: name by short ID (8 bytes).
        psk: server-wide secret of 32 bytes; None where unset.
    """

    private_key: X25519PrivateKey = field(repr=False)
    users: Mapping[bytes, str] = field(repr=False)
    psk: SecretBytes | None = None

    def wipe(self) -> None:
        """Zero the pre-shared key; OpenSSL clears the private key when it is released."""
        if self.psk is not None:
            self.psk.wipe()


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a client proves itself with, and knows its server by.

    Attributes:
        server_key: the server's public key.
        short_id: 8 bytes.
        psk: server-wide secret of 32 bytes; None where unset.
    """

    server_key: X25519PublicKey = field(repr=False)
    short_id: bytes = field(repr=False)
    psk: SecretBytes | None = None

    def __post_init__(self) -> None:
        if len(self.short_id) != SHORT_ID_LENGTH:
            raise CredentialsError(f"a short ID has {SHORT_ID_LENGTH} bytes")

    def wipe(self) -> None:
        """Zero the pre-shared key."""
        if self.psk is not None:
            self.psk.wipe()
