# SPDX-License-Identifier: BSD-3-Clause
"""Packet protection by aioquic: a peer that shares no code with the reference model."""

from aioquic.quic.crypto import CryptoContext, apply_key_phase, next_key_phase
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite

SUITES = {
    "aes-128-gcm": CipherSuite.AES_128_GCM_SHA256,
    "aes-256-gcm": CipherSuite.AES_256_GCM_SHA384,
    "chacha20-poly1305": CipherSuite.CHACHA20_POLY1305_SHA256,
}


def context(suite: str, first_secret: bytes, generation: int = 0) -> CryptoContext:
    """Return aioquic's keys after `generation` key updates of its own."""
    crypto = CryptoContext()
    crypto.setup(
        cipher_suite=SUITES[suite], secret=first_secret, version=QuicProtocolVersion.VERSION_1
    )
    for _ in range(generation):
        apply_key_phase(crypto, next_key_phase(crypto), trigger="test")
    return crypto


def seal(
    crypto: CryptoContext, dcid: bytes, pn: int, pn_len: int, payload: bytes, *, spin: bool = False
) -> bytes:
    """Return a 1-RTT packet."""
    first = 0x40 | spin << 5 | crypto.key_phase << 2 | pn_len - 1
    truncated = (pn & (1 << 8 * pn_len) - 1).to_bytes(pn_len, "big")
    return crypto.encrypt_packet(bytes([first]) + dcid + truncated, payload, pn)
