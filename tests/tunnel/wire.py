# SPDX-License-Identifier: BSD-3-Clause
"""1-RTT packets of a capture, opened by aioquic's crypto."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aioquic._buffer import Buffer
from aioquic.quic.crypto import CryptoContext
from aioquic.quic.packet import QuicPacketType, QuicProtocolVersion, pull_quic_header
from aioquic.tls import CipherSuite


@dataclass(frozen=True, slots=True)
class Opened:
    """A packet: its number and its frames' bytes."""

    pn: int
    payload: bytes


def short_header(datagram: bytes, cid_length: int) -> bytes | None:
    """The 1-RTT packet of a datagram, which may follow long headers (RFC 9000 section 12.2)."""
    at = 0
    # Zeros that fill a datagram of Initial packets are no packet.
    while at < len(datagram) and datagram[at]:
        header = pull_quic_header(Buffer(data=datagram[at:]), host_cid_length=cid_length)
        if header.packet_type is QuicPacketType.ONE_RTT:
            return datagram[at:]
        at += header.packet_length
    return None


def opened(
    suite: int, secret: bytes, cid_length: int, datagrams: Iterable[bytes]
) -> Iterator[Opened]:
    """Every 1-RTT packet of the first key generation. One that does not open is an error."""
    crypto = CryptoContext()
    crypto.setup(
        cipher_suite=CipherSuite(suite), secret=secret, version=QuicProtocolVersion.VERSION_1
    )
    expected = 0
    for datagram in datagrams:
        packet = short_header(datagram, cid_length)
        if packet is None:
            continue
        _, payload, pn, update = crypto.decrypt_packet(packet, 1 + cid_length, expected)
        expected = max(expected, pn + 1)
        if update:
            raise AssertionError("a key update where none was asked for")
        yield Opened(pn, payload)
