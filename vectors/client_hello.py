# SPDX-License-Identifier: BSD-3-Clause
"""ClientHellos made by hand, after RFC 8446 section 4.1.2; shares no code with what reads them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

RANDOM_AT: Final = 6
RANDOM_LENGTH: Final = 32


def vector(size: int, data: bytes) -> bytes:
    """Return `data` behind its length in `size` bytes."""
    return len(data).to_bytes(size, "big") + data


def numbers(values: Sequence[int]) -> bytes:
    """Return numbers of 16 bits."""
    return b"".join(value.to_bytes(2, "big") for value in values)


def message(body: bytes, kind: int = 1) -> bytes:
    """Return a handshake message, a ClientHello where no type is given."""
    return bytes([kind]) + vector(3, body)


def with_random(hello: bytes, random: bytes) -> bytes:
    """Return a ClientHello with another random."""
    return hello[:RANDOM_AT] + random + hello[RANDOM_AT + RANDOM_LENGTH :]


@dataclass
class Hello:
    """A hello like a browser's; any part can be changed, any extension added.

    Attributes:
        server_name: SNI; None for no such extension, as with all others.
        share: of X25519.
        hybrid_share: of X25519MLKEM768, comes before the other one.
        suites: cipher suites.
        session_id: legacy_session_id.
        alpn: application protocols.
        versions: supported_versions.
        signatures: signature_algorithms.
        parameters: transport parameters of QUIC.
        extra: further extensions, with their types.
        psk: content of pre_shared_key, which comes last.
    """

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
        """Return types and contents, in their order."""
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

    def encode(self, random: bytes = bytes(RANDOM_LENGTH)) -> bytes:
        """Return the handshake message."""
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
