# SPDX-License-Identifier: BSD-3-Clause
"""Chromium's ClientHello: what stands in it, in a fresh order.

The draw is made once a connection. A second hello, after a HelloRetryRequest, keeps order, random
and GREASE (RFC 8446 section 4.1.2, RFC 9849 section 6.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from aioquic._buffer import Buffer
from aioquic.tls import (
    TLS_VERSION_1_2,
    TLS_VERSION_1_3,
    CompressionMethod,
    ExtensionType,
    HandshakeType,
    PskKeyExchangeMode,
    push_alpn_protocol,
    push_block,
    push_key_share,
    push_list,
    push_opaque,
    push_server_name,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.reality.browser.chromium import (
    ALPN,
    APPLICATION_SETTINGS,
    BROTLI,
    ENCRYPTED_CLIENT_HELLO,
    GROUPS,
    SIGNATURE_ALGORITHMS,
    SUITES,
    TRUST_ANCHOR_IDS,
    TRUST_ANCHORS,
)
from nexusnet.reality.key_exchange import ClientShare

Extension = tuple[int, bytes]

RANDOM_LENGTH: Final = 32

UNSEALED: Final = bytes(RANDOM_LENGTH)
"""Stands for a random that is not known yet."""

MAX_HELLO: Final = 8192

ECH_PAYLOAD_LENGTHS: Final = (144, 176, 208, 240)
"""Bytes of a GREASE payload: an inner hello of 4 to 7 blocks of 32, and the AEAD's tag."""

HKDF_SHA256: Final = 0x0001
AES_128_GCM: Final = 0x0001
ECH_OUTER: Final = 0


@dataclass(frozen=True, slots=True)
class BrowserHello:
    """A ClientHello, ready to be written.

    Attributes:
        extensions: types and payloads, in the order of the wire.
        random: 32 bytes; `UNSEALED` until it is known.
    """

    extensions: tuple[Extension, ...]
    random: bytes = UNSEALED

    @classmethod
    def draw(
        cls,
        *,
        server_name: str,
        shares: Sequence[ClientShare],
        transport_parameters: bytes,
        rng: Random,
    ) -> "BrowserHello":
        """Make one up.

        Args:
            server_name: DNS name for SNI.
            shares: key shares, in this order.
            transport_parameters: payload of their extension.
            rng: where order and GREASE come from.
        """
        extensions = [
            (ExtensionType.SERVER_NAME, _server_name(server_name)),
            (ExtensionType.ALPN, _protocols(ALPN)),
            (APPLICATION_SETTINGS, _protocols(ALPN)),
            (ExtensionType.SUPPORTED_GROUPS, _uint16_list(2, GROUPS)),
            (ExtensionType.SIGNATURE_ALGORITHMS, _uint16_list(2, SIGNATURE_ALGORITHMS)),
            (ExtensionType.SUPPORTED_VERSIONS, _uint16_list(1, [TLS_VERSION_1_3])),
            (ExtensionType.PSK_KEY_EXCHANGE_MODES, bytes([1, PskKeyExchangeMode.PSK_DHE_KE])),
            (ExtensionType.KEY_SHARE, _key_shares(shares)),
            (ExtensionType.COMPRESS_CERTIFICATE, _uint16_list(1, [BROTLI])),
            (ExtensionType.QUIC_TRANSPORT_PARAMETERS, transport_parameters),
            (ENCRYPTED_CLIENT_HELLO, _ech_grease(rng)),
            (TRUST_ANCHORS, _trust_anchors()),
        ]
        rng.shuffle(extensions)
        return cls(tuple(extensions))

    @property
    def offered(self) -> frozenset[int]:
        """Types of its extensions: what a server may answer to."""
        return frozenset(kind for kind, _ in self.extensions)

    def with_random(self, random: bytes) -> "BrowserHello":
        """Return it with its random."""
        return replace(self, random=random)

    def again(self, share: ClientShare, cookie: bytes | None, rng: Random) -> "BrowserHello":
        """Return the hello that answers a HelloRetryRequest (RFC 8446 section 4.1.2).

        Args:
            share: the one that was asked for.
            cookie: payload of the cookie extension, to be echoed; None where there is none.
            rng: where the cookie's place comes from.
        """
        extensions = [
            (kind, _key_shares([share]) if kind == ExtensionType.KEY_SHARE else payload)
            for kind, payload in self.extensions
        ]
        if cookie is not None:
            place = rng.randrange(len(extensions) + 1)
            extensions.insert(place, (ExtensionType.COOKIE, cookie))
        return replace(self, extensions=tuple(extensions))

    def encode(self) -> bytes:
        """Return the handshake message."""
        buf = Buffer(capacity=MAX_HELLO)
        buf.push_uint8(HandshakeType.CLIENT_HELLO)
        with push_block(buf, 3):
            buf.push_uint16(TLS_VERSION_1_2)
            buf.push_bytes(self.random)
            # RFC 9001 section 8.4: no session ID.
            push_opaque(buf, 1, b"")
            push_list(buf, 2, buf.push_uint16, SUITES)
            push_list(buf, 1, buf.push_uint8, [CompressionMethod.NULL])
            with push_block(buf, 2):
                for kind, payload in self.extensions:
                    buf.push_uint16(kind)
                    push_opaque(buf, 2, payload)
        return buf.data


def _uint16_list(capacity: int, values: Sequence[int]) -> bytes:
    buf = Buffer(capacity=256)
    push_list(buf, capacity, buf.push_uint16, values)
    return buf.data


def _server_name(name: str) -> bytes:
    buf = Buffer(capacity=512)
    push_server_name(buf, name)
    return buf.data


def _protocols(name: str) -> bytes:
    buf = Buffer(capacity=256)
    with push_block(buf, 2):
        push_alpn_protocol(buf, name)
    return buf.data


def _key_shares(shares: Sequence[ClientShare]) -> bytes:
    buf = Buffer(capacity=4096)
    with push_block(buf, 2):
        for share in shares:
            push_key_share(buf, (share.group, share.public))
    return buf.data


def _ech_grease(rng: Random) -> bytes:
    # RFC 9849 section 6.2: what a client sends that knows no key of the server.
    buf = Buffer(capacity=512)
    buf.push_uint8(ECH_OUTER)
    buf.push_uint16(HKDF_SHA256)
    buf.push_uint16(AES_128_GCM)
    buf.push_uint8(rng.randrange(256))
    push_opaque(buf, 2, X25519PrivateKey.generate().public_key().public_bytes_raw())
    push_opaque(buf, 2, rng.randbytes(rng.choice(ECH_PAYLOAD_LENGTHS)))
    return buf.data


def _trust_anchors() -> bytes:
    buf = Buffer(capacity=512)
    with push_block(buf, 2):
        for identifier in TRUST_ANCHOR_IDS:
            push_opaque(buf, 1, identifier)
    return buf.data
