# SPDX-License-Identifier: BSD-3-Clause
"""CompressedCertificate (RFC 8879 section 4), within bounds."""

from typing import Final

import brotli
from aioquic._buffer import Buffer
from aioquic.tls import (
    AlertBadCertificate,
    AlertIllegalParameter,
    Certificate,
    HandshakeType,
    pull_block,
    pull_certificate,
    pull_opaque,
)

from nexusnet.reality.browser.chromium import BROTLI

MAX_CERTIFICATE: Final = 65536
"""Bytes of a Certificate message after decompression."""


def pull_compressed_certificate(buf: Buffer) -> Certificate:
    """Read a CompressedCertificate message.

    Raises:
        Alert: an algorithm that was not offered, too long, or not what it says it is.
        BufferReadError: truncated, outside or inside.
    """
    buf.pull_uint8()
    with pull_block(buf, 3):
        algorithm = buf.pull_uint16()
        length = int.from_bytes(buf.pull_bytes(3))
        compressed = pull_opaque(buf, 3)
    if algorithm != BROTLI:
        raise AlertIllegalParameter("a certificate compression that was not offered")
    if length > MAX_CERTIFICATE:
        raise AlertBadCertificate("a compressed certificate that is too long")
    header = bytes([HandshakeType.CERTIFICATE]) + length.to_bytes(3)
    return pull_certificate(Buffer(data=header + decompress(compressed, length)))


def decompress(compressed: bytes, length: int) -> bytes:
    """Undo brotli (RFC 7932), never producing much more than `length` bytes.

    Args:
        compressed: the whole stream.
        length: bytes that have to come out.

    Raises:
        AlertBadCertificate: malformed, or of another length (RFC 8879 section 4).
    """
    decompressor = brotli.Decompressor()
    try:
        # One byte more shows that there would be more.
        data: bytes = decompressor.process(compressed, output_buffer_limit=length + 1)
    except brotli.error as error:
        raise AlertBadCertificate("a compressed certificate that is no brotli") from error
    if len(data) != length or not decompressor.is_finished():
        raise AlertBadCertificate("a compressed certificate of another length than it says")
    return data
