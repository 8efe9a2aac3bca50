# SPDX-License-Identifier: BSD-3-Clause
"""Transport parameters as Chromium writes them: shuffled, with one GREASE among them."""

from random import Random
from typing import Final

from aioquic._buffer import Buffer
from aioquic.quic.packet import QuicTransportParameters, push_quic_transport_parameters

from nexusnet.reality.browser.chromium import GOOGLE_CONNECTION_OPTIONS

Parameter = tuple[int, bytes]

VERSION_INFORMATION: Final = 0x11
QUIC_V1: Final = 0x00000001

GREASE_MAX_LENGTH: Final = 15
"""Bytes of the GREASE parameter's value, at most."""


def serialize(parameters: QuicTransportParameters, rng: Random) -> bytes:
    """Return the extension's payload.

    Args:
        parameters: what is in force.
        rng: where order and GREASE come from.
    """
    written = Buffer(capacity=1024)
    push_quic_transport_parameters(written, parameters)
    items = [
        *parse(written.data),
        (VERSION_INFORMATION, _version_information(rng)),
        GOOGLE_CONNECTION_OPTIONS,
        _grease(rng),
    ]
    rng.shuffle(items)
    buf = Buffer(capacity=1024)
    for identifier, value in items:
        buf.push_uint_var(identifier)
        buf.push_uint_var(len(value))
        buf.push_bytes(value)
    return buf.data


def parse(data: bytes) -> list[Parameter]:
    """Return identifiers and values in the order of the wire (RFC 9000 section 18).

    Raises:
        BufferReadError: truncated.
    """
    buf = Buffer(data=data)
    items = []
    while not buf.eof():
        identifier = buf.pull_uint_var()
        items.append((identifier, buf.pull_bytes(buf.pull_uint_var())))
    return items


def _version_information(rng: Random) -> bytes:
    # RFC 9368 section 3: the chosen version, then those available; one of these is reserved for
    # GREASE (RFC 9000 section 15).
    available = [int.from_bytes(rng.randbytes(4)) & 0xF0F0F0F0 | 0x0A0A0A0A, QUIC_V1]
    rng.shuffle(available)
    return b"".join(version.to_bytes(4) for version in (QUIC_V1, *available))


def _grease(rng: Random) -> Parameter:
    # RFC 9000 section 18.1: 31 * N + 27, anywhere in 62 bits.
    identifier = 31 * rng.randrange((2**62 - 27) // 31) + 27
    return identifier, rng.randbytes(rng.randint(0, GREASE_MAX_LENGTH))
