# SPDX-License-Identifier: BSD-3-Clause
"""ClientHellos made by hand, after RFC 8446 section 4.1.2; shares no code with what reads them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from nexusnet.reality.authenticator import Sealed, seal
from nexusnet.secret import SecretBytes

RANDOM_AT = 6


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def numbers(values: Sequence[int]) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def message(body: bytes, kind: int = 1) -> bytes:
    return bytes([kind]) + vector(3, body)


@dataclass
class Hello:
    """A hello like a browser's; any part can be changed, extensions be put in its place."""

    server_name: str | None = "site.test"
    share: bytes | None = None
    hybrid_share: bytes | None = None
    suites: Sequence[int] = (0x1301, 0x1302, 0x1303)
    session_id: bytes = b""
    alpn: Sequence[bytes] = (b"h3",)
    versions: Sequence[int] = (0x0304,)
    signatures: Sequence[int] = (0x0403, 0x0804, 0x0401)
    parameters: bytes | None = b"\x01\x04\x80\x00\x75\x30"
    extra: Sequence[tuple[int, bytes]] = field(default_factory=tuple)
    psk: bytes | None = None

    def extensions(self) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        if self.parameters is not None:
            found.append((0x39, self.parameters))
        if self.server_name is not None:
            found.append((0, vector(2, b"\0" + vector(2, self.server_name.encode()))))
        found.append((0x10, vector(2, b"".join(vector(1, name) for name in self.alpn))))
        shares = b""
        if self.hybrid_share is not None:
            shares += numbers([0x11EC]) + vector(2, self.hybrid_share)
        if self.share is not None:
            shares += numbers([0x001D]) + vector(2, self.share)
        found.append((0x33, vector(2, shares)))
        found.append((0x0A, vector(2, numbers([0x11EC, 0x001D, 0x0017, 0x0018]))))
        found.append((0x0D, vector(2, numbers(self.signatures))))
        found.append((0x2B, vector(1, numbers(self.versions))))
        found += self.extra
        if self.psk is not None:
            found.append((0x29, self.psk))
        return found

    def encode(self, random: bytes = bytes(32)) -> bytes:
        block = b"".join(
            kind.to_bytes(2, "big") + vector(2, data) for kind, data in self.extensions()
        )
        return message(
            b"\x03\x03"
            + random
            + vector(1, self.session_id)
            + vector(2, numbers(self.suites))
            + vector(1, b"\0")
            + vector(2, block)
        )


def with_random(hello: bytes, random: bytes) -> bytes:
    return hello[:RANDOM_AT] + random + hello[RANDOM_AT + 32 :]


def genuine(
    server_public: X25519PublicKey,
    *,
    unix_time: int,
    short_id: bytes,
    psk: SecretBytes | None = None,
    hello: Hello | None = None,
) -> tuple[bytes, Sealed]:
    """Return a whole hello with its authenticator, and what `seal` returned."""
    share = X25519PrivateKey.generate()
    hello = hello or Hello()
    if hello.hybrid_share is None or hello.share is not None:
        hello.share = share.public_key().public_bytes_raw()
    else:
        hello.hybrid_share = hello.hybrid_share[:1184] + share.public_key().public_bytes_raw()
    plain = hello.encode()
    sealed = seal(
        plain,
        share_private=share,
        server_public=server_public,
        psk=psk,
        unix_time=unix_time,
        short_id=short_id,
    )
    return with_random(plain, sealed.random), sealed
