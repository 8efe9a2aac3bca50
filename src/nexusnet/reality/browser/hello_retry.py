# SPDX-License-Identifier: BSD-3-Clause
"""HelloRetryRequest: the ServerHello that asks for another ClientHello (RFC 8446 section 4.1.4)."""

from dataclasses import dataclass
from typing import Final

from aioquic._buffer import Buffer
from aioquic.tls import (
    TLS_VERSION_1_2,
    TLS_VERSION_1_3,
    AlertDecodeError,
    AlertIllegalParameter,
    CompressionMethod,
    ExtensionType,
    pull_block,
    pull_list,
    pull_opaque,
)

RETRY_RANDOM: Final = bytes.fromhex(
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)
"""The random that marks it: SHA-256 of "HelloRetryRequest"."""

RANDOM: Final = slice(6, 38)
"""Where a hello has its random."""


def asks_again(message: bytes) -> bool:
    """Return whether a ServerHello is a HelloRetryRequest."""
    return message[RANDOM] == RETRY_RANDOM


@dataclass(frozen=True, slots=True)
class HelloRetryRequest:
    """What a server asks for.

    Attributes:
        suite: the cipher suite that it has chosen.
        group: of the key share that it wants; None where the cookie alone matters.
        cookie: payload of the cookie extension; None where there is none.
    """

    suite: int
    group: int | None
    cookie: bytes | None

    @classmethod
    def pull(cls, buf: Buffer) -> "HelloRetryRequest":
        """Read the handshake message.

        Raises:
            Alert: it is malformed, or says what it may not say.
            BufferReadError: it is truncated.
        """
        buf.pull_uint8()
        extensions: dict[int, bytes] = {}

        def pull_extension() -> None:
            kind = buf.pull_uint16()
            if kind in extensions:
                raise AlertIllegalParameter("HelloRetryRequest repeats an extension")
            extensions[kind] = pull_opaque(buf, 2)

        with pull_block(buf, 3):
            if buf.pull_uint16() != TLS_VERSION_1_2:
                raise AlertDecodeError("HelloRetryRequest version is not 1.2")
            buf.pull_bytes(32)
            session_id = pull_opaque(buf, 1)
            suite = buf.pull_uint16()
            compression = buf.pull_uint8()
            pull_list(buf, 2, pull_extension)
        version = extensions.pop(ExtensionType.SUPPORTED_VERSIONS, b"")
        if session_id or compression != CompressionMethod.NULL:
            raise AlertIllegalParameter("HelloRetryRequest echoes what was not sent")
        if version != TLS_VERSION_1_3.to_bytes(2):
            raise AlertIllegalParameter("HelloRetryRequest is not for TLS 1.3")
        share = extensions.pop(ExtensionType.KEY_SHARE, None)
        cookie = extensions.pop(ExtensionType.COOKIE, None)
        if share is not None and len(share) != 2:
            raise AlertDecodeError("HelloRetryRequest names no single group")
        if extensions:
            raise AlertIllegalParameter("HelloRetryRequest has extensions it may not have")
        return cls(suite, None if share is None else int.from_bytes(share), cookie)
