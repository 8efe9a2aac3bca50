# SPDX-License-Identifier: BSD-3-Clause
"""Header protection masks (RFC 9001 sections 5.4.1 to 5.4.4)."""

from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from nexusnet.quic.errors import internal_error
from nexusnet.quic.keys import CipherSuite

SAMPLE_LENGTH: Final = 16
"""Bytes of ciphertext that a mask is made from."""

SAMPLE_OFFSET: Final = 4
"""The sample starts this many bytes after the start of the Packet Number field."""

MASK_LENGTH: Final = 5
"""Bytes of a mask in use: one for the first byte, up to four for the packet number."""


class HeaderProtection(Protocol):
    """Turns samples of ciphertext into masks. Not safe for use by two threads at once."""

    def mask(self, sample: bytes) -> bytes:
        """Return a mask of at least `MASK_LENGTH` bytes for a sample of `SAMPLE_LENGTH` bytes."""


class AesHeaderProtection:
    """AES-based header protection (RFC 9001 section 5.4.3): one block in ECB mode."""

    __slots__ = ("_encryptor",)

    def __init__(self, key: bytes) -> None:
        # ECB has no state between blocks, so one context serves all packets.
        mode = modes.ECB()  # noqa: S305 - one block each, as RFC 9001 section 5.4.3 prescribes
        self._encryptor = Cipher(algorithms.AES(key), mode).encryptor()

    def mask(self, sample: bytes) -> bytes:
        """Return the encrypted sample."""
        return self._encryptor.update(sample)


class ChaCha20HeaderProtection:
    """ChaCha20-based header protection (RFC 9001 section 5.4.4)."""

    __slots__ = ("_encryptor",)

    def __init__(self, key: bytes) -> None:
        self._encryptor = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()

    def mask(self, sample: bytes) -> bytes:
        """Return key stream; the sample is the block counter (4 bytes, little endian) and nonce."""
        self._encryptor.reset_nonce(sample)
        return self._encryptor.update(bytes(MASK_LENGTH))


def header_protection(suite: CipherSuite, key: bytes) -> HeaderProtection:
    """Return the header protection of `suite` with `key` ("quic hp").

    Raises:
        QuicError: INTERNAL_ERROR for a key of the wrong length.
    """
    if len(key) != suite.key_length:
        raise internal_error(f"a header protection key of {suite.value} has {suite.key_length} B")
    if suite is CipherSuite.CHACHA20_POLY1305:
        return ChaCha20HeaderProtection(key)
    return AesHeaderProtection(key)
