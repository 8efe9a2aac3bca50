# SPDX-License-Identifier: BSD-3-Clause
"""aioquic's packet builder, with Initials as Chromium sends them.

- Packet numbers have one byte, but for the second packet's, which has two.
- A datagram with an Initial is filled up by PADDING inside that Initial, not by bytes after the
  last packet: so the Initial is sealed last, when it is known what else the datagram carries.
"""

from dataclasses import dataclass
from typing import Final

from aioquic._buffer import Buffer
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import QuicPacketType, encode_long_header_first_byte
from aioquic.quic.packet_builder import QuicPacketBuilder, QuicSentPacket

from nexusnet.reality.browser.chromium import LONG_NUMBER, LONG_NUMBER_LENGTH, NUMBER_LENGTH

PACKET_NUMBER_LENGTH: Final = 2
"""Bytes that aioquic sends of a packet number."""

TWO_BYTES: Final = 0x4000
"""Makes a variable-length integer of two bytes (RFC 9000 section 16)."""

LONGEST_HEADER: Final = 1500


def number_length(number: int) -> int:
    """Return how many bytes of an Initial's packet number are sent."""
    return LONG_NUMBER_LENGTH if number == LONG_NUMBER else NUMBER_LENGTH


@dataclass(slots=True)
class OpenInitial:
    """An Initial that waits for the rest of its datagram.

    Attributes:
        packet: what loss recovery is told.
        crypto: its keys.
        payload: its frames, without the PADDING to come.
        reserved: bytes that it takes in the datagram so far.
    """

    packet: QuicSentPacket
    crypto: CryptoPair
    payload: bytes
    reserved: int


class BrowserPacketBuilder(QuicPacketBuilder):
    """Builds the datagrams of a client.

    Attributes:
        initial: the first Initial of the datagram under construction, if it has one.
    """

    initial: OpenInitial | None

    @staticmethod
    def adopt(builder: QuicPacketBuilder) -> None:
        """Take over a builder that aioquic has just made; it offers no way to bring one's own."""
        if not isinstance(builder, BrowserPacketBuilder):
            builder.__class__ = BrowserPacketBuilder
            builder.initial = None  # type: ignore[attr-defined]

    def start_packet(self, packet_type: QuicPacketType, crypto: CryptoPair) -> None:
        """Start a packet, see `QuicPacketBuilder`.

        Raises:
            QuicPacketBuilderStop: there is no room for one.
        """
        super().start_packet(packet_type, crypto)
        if packet_type is QuicPacketType.INITIAL and self.initial is None:
            self._header_size += number_length(self._packet_number) - PACKET_NUMBER_LENGTH
            self._buffer.seek(self._packet_start + self._header_size)

    def _end_packet(self) -> None:
        packet, crypto = self._packet, self._packet_crypto
        is_first = self._packet_type is QuicPacketType.INITIAL and self.initial is None
        if not is_first or packet is None or crypto is None:
            super()._end_packet()
            return
        buf = self._buffer
        end = buf.tell()
        begin = self._packet_start + self._header_size
        self._packet = None
        self.quic_logger_frames = None
        if end == begin:
            buf.seek(self._packet_start)
            return
        reserved = end + crypto.aead_tag_size - self._packet_start
        self.initial = OpenInitial(packet, crypto, buf.data_slice(begin, end), reserved)
        buf.seek(self._packet_start + reserved)
        # Its PADDING counts (RFC 9002 section 2).
        packet.in_flight = True
        self._packets.append(packet)
        self._packet_number += 1

    def _flush_current_datagram(self) -> None:
        initial, self.initial = self.initial, None
        if initial is not None:
            buf = self._buffer
            rest = buf.data_slice(initial.reserved, buf.tell())
            # RFC 9000 section 14.1: a client expands every datagram with an Initial.
            sealed = self._seal(initial, self._buffer_capacity - len(rest))
            buf.seek(0)
            buf.push_bytes(sealed + rest)
            initial.packet.sent_bytes = len(sealed)
            self._datagram_flight_bytes += len(sealed)
        super()._flush_current_datagram()

    def _seal(self, initial: OpenInitial, room: int) -> bytes:
        """Return the packet, filled up to `room` bytes."""
        number = initial.packet.packet_number
        length = number_length(number)
        header = Buffer(capacity=LONGEST_HEADER)
        header.push_uint8(
            encode_long_header_first_byte(self._version, QuicPacketType.INITIAL, length - 1)
        )
        header.push_uint32(self._version)
        for connection_id in (self._peer_cid, self._host_cid):
            header.push_uint8(len(connection_id))
            header.push_bytes(connection_id)
        header.push_uint_var(len(self._peer_token))
        header.push_bytes(self._peer_token)
        following = room - header.tell() - 2
        header.push_uint16(TWO_BYTES | following)
        header.push_bytes(number.to_bytes(4)[-length:])
        payload = initial.payload.ljust(following - length - initial.crypto.aead_tag_size, b"\0")
        return initial.crypto.encrypt_packet(header.data, payload, number)
