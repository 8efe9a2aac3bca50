# SPDX-License-Identifier: BSD-3-Clause
"""ClientHellos with an authenticator, on top of those that are made by hand."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from nexusnet.reality.authenticator import Sealed, seal
from nexusnet.secret import SecretBytes
from vectors.client_hello import Hello, message, numbers, vector, with_random

__all__ = ["Hello", "genuine", "message", "numbers", "vector", "with_random"]


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
