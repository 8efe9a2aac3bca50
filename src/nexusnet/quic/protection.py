# SPDX-License-Identifier: BSD-3-Clause
"""Sealing and opening of 1-RTT packets (RFC 9001 section 5, RFC 9000 section 17.3.1)."""

from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from nexusnet.quic.errors import DropReason, QuicError, internal_error, protocol_violation
from nexusnet.quic.header_protection import (
    SAMPLE_LENGTH,
    SAMPLE_OFFSET,
    HeaderProtection,
    header_protection,
)
from nexusnet.quic.keys import (
    CipherSuite,
    PacketKeys,
    derive_header_key,
    derive_packet_keys,
    next_secret,
)
from nexusnet.quic.packet_number import (
    NONE_YET,
    decode_packet_number,
    encode_packet_number,
)

TAG_LENGTH: Final = 16
"""Bytes that each AEAD adds (RFC 9001 section 5.3)."""

CONNECTION_ID_MAX: Final = 20
"""Longest connection ID of QUIC v1, in bytes (RFC 9000 section 17.2)."""

HEADER_FORM: Final = 0x80
FIXED_BIT: Final = 0x40
SPIN_BIT: Final = 0x20
RESERVED_BITS: Final = 0x18
KEY_PHASE_BIT: Final = 0x04
PN_LENGTH_BITS: Final = 0x03
PROTECTED_BITS: Final = 0x1F
"""Bits of the first byte that header protection covers in a short header."""


@dataclass(frozen=True, slots=True)
class ShortHeaderPacket:
    """A 1-RTT packet after removal of its protection.

    Attributes:
        dcid: Destination Connection ID, 0..20 bytes.
        pn: packet number, 0..2^62-1.
        pn_len: bytes it has on the wire, 1..4.
        key_phase: Key Phase bit, 0 or 1.
        spin: latency spin bit.
        payload: frames, at least one byte.
    """

    dcid: bytes
    pn: int
    pn_len: int
    key_phase: int
    spin: bool
    payload: bytes = field(repr=False)


def minimum_payload(pn_len: int) -> int:
    """Return the least payload in bytes for a packet number of `pn_len` bytes.

    RFC 9001 section 5.4.2: packet number and payload together have at least 4 bytes, so that the
    sample (which skips 4) can be taken. RFC 9000 section 12.4: there is at least one frame.
    """
    return max(1, SAMPLE_OFFSET - pn_len)


class ShortHeaderProtection:
    """Protection of one direction's 1-RTT packets with one generation of keys.

    Not safe for use by two threads at once: the header protection context keeps state for a call.
    """

    __slots__ = ("_aead", "_header", "_iv", "generation", "header_key", "keys", "suite")

    def __init__(
        self,
        suite: CipherSuite,
        secret: bytes,
        *,
        header_key: bytes | None = None,
        generation: int = 0,
    ) -> None:
        """Derive the keys of `secret`.

        Args:
            suite: negotiated cipher suite.
            secret: traffic secret of this generation.
            header_key: header protection key; needed where `secret` is not the first one.
            generation: number of key updates so far; its parity is the Key Phase.

        Raises:
            QuicError: INTERNAL_ERROR for a secret or key of the wrong length.
        """
        if header_key is None:
            header_key = derive_header_key(suite, secret)
        self.suite: Final = suite
        self.generation: Final = generation
        self.header_key: Final = header_key
        self._setup(derive_packet_keys(suite, secret), header_protection(suite, header_key))

    def _setup(self, keys: PacketKeys, header: HeaderProtection) -> None:
        self.keys = keys
        self._header = header
        self._iv = int.from_bytes(keys.iv, "big")
        aead = ChaCha20Poly1305 if self.suite is CipherSuite.CHACHA20_POLY1305 else AESGCM
        self._aead: AESGCM | ChaCha20Poly1305 = aead(keys.key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.suite.value}, generation={self.generation})"

    @property
    def key_phase(self) -> int:
        """Key Phase bit of this generation, 0 or 1 (RFC 9001 section 6)."""
        return self.generation & 1

    def next_generation(self) -> Self:
        """Return the protection after a key update; header protection stays (RFC 9001 s. 6.1)."""
        return type(self)(
            self.suite,
            next_secret(self.suite, self.keys.secret),
            header_key=self.header_key,
            generation=self.generation + 1,
        )

    def _nonce(self, pn: int) -> bytes:
        # RFC 9001 section 5.3: the packet number, padded on the left, XOR the IV.
        return (self._iv ^ pn).to_bytes(12, "big")

    def seal(
        self, dcid: bytes, pn: int, pn_len: int, payload: bytes, *, spin: bool = False
    ) -> bytes:
        """Return a protected packet.

        Args:
            dcid: Destination Connection ID, 0..20 bytes.
            pn: packet number, 0..2^62-1; never one that these keys have seen.
            pn_len: bytes of it to send, 1..4.
            payload: frames, `minimum_payload(pn_len)` bytes or more.
            spin: latency spin bit.

        Raises:
            QuicError: INTERNAL_ERROR for arguments out of range.
        """
        if len(payload) < minimum_payload(pn_len):
            raise internal_error(f"{len(payload)} B of payload with {pn_len} B of packet number")
        first = FIXED_BIT | (SPIN_BIT if spin else 0) | self.key_phase << 2 | (pn_len - 1)
        return self.seal_raw(first, dcid, pn, pn_len, payload)

    def seal_raw(self, first: int, dcid: bytes, pn: int, pn_len: int, payload: bytes) -> bytes:
        """Return a protected packet with any first byte: what a broken peer could send.

        Args:
            first: first byte before protection, 0..255; its low bits should be `pn_len` - 1.
            dcid: Destination Connection ID, 0..20 bytes.
            pn: packet number, 0..2^62-1.
            pn_len: bytes of it to send, 1..4.
            payload: anything, but `pn_len` and its length add up to 4 or more.

        Raises:
            QuicError: INTERNAL_ERROR for arguments out of range.
        """
        if len(dcid) > CONNECTION_ID_MAX or not 0 <= first <= 0xFF:
            raise internal_error("connection ID or first byte out of range")
        if pn_len + len(payload) < SAMPLE_OFFSET:
            raise internal_error("too short for a header protection sample")
        truncated = encode_packet_number(pn, pn_len)
        header = bytes((first,)) + dcid + truncated
        sealed = self._aead.encrypt(self._nonce(pn), payload, header)
        sample_at = SAMPLE_OFFSET - pn_len
        mask = self._header.mask(sealed[sample_at : sample_at + SAMPLE_LENGTH])
        masked = int.from_bytes(truncated, "big") ^ int.from_bytes(mask[1 : 1 + pn_len], "big")
        return b"".join(
            (
                bytes((first ^ (mask[0] & PROTECTED_BITS),)),
                dcid,
                masked.to_bytes(pn_len, "big"),
                sealed,
            )
        )

    def open(self, packet: bytes, dcid: bytes, largest_pn: int = NONE_YET) -> ShortHeaderPacket:
        """Remove the protection of a whole UDP payload; the caller checks for duplicates after it.

        Args:
            packet: the UDP payload; a 1-RTT packet always extends to its end.
            dcid: connection ID that is expected, 0..20 bytes.
            largest_pn: largest packet number that was received and authenticated before, or -1.

        Raises:
            QuicError: with a `DropReason` where the packet has to be discarded: nothing about it
                is authenticated. PROTOCOL_VIOLATION where it is authentic but reserved bits are
                set or there is no frame.
        """
        if not packet:
            raise QuicError(DropReason.TRUNCATED, "no bytes")
        if packet[0] & HEADER_FORM:
            raise QuicError(DropReason.LONG_HEADER, "not a 1-RTT packet")
        if not packet[0] & FIXED_BIT:
            raise QuicError(DropReason.FIXED_BIT_CLEAR, "not a QUIC v1 packet")
        pn_at = 1 + len(dcid)
        sample_at = pn_at + SAMPLE_OFFSET
        # RFC 9001 section 5.4.2: too short for a whole sample means discard.
        if len(packet) < sample_at + SAMPLE_LENGTH:
            raise QuicError(DropReason.TRUNCATED, f"{len(packet)} bytes")
        if packet[1:pn_at] != dcid:
            raise QuicError(DropReason.UNKNOWN_CONNECTION_ID, "not the expected connection ID")

        mask = self._header.mask(packet[sample_at : sample_at + SAMPLE_LENGTH])
        first = packet[0] ^ (mask[0] & PROTECTED_BITS)
        pn_len = (first & PN_LENGTH_BITS) + 1
        payload_at = pn_at + pn_len
        truncated = int.from_bytes(packet[pn_at:payload_at], "big") ^ int.from_bytes(
            mask[1 : 1 + pn_len], "big"
        )
        key_phase = (first & KEY_PHASE_BIT) >> 2
        if key_phase != self.key_phase:
            raise QuicError(DropReason.WRONG_KEY_PHASE, f"key phase {key_phase} has no keys here")
        pn = decode_packet_number(truncated, pn_len, largest_pn)
        header = bytes((first,)) + dcid + truncated.to_bytes(pn_len, "big")
        try:
            payload = self._aead.decrypt(self._nonce(pn), packet[payload_at:], header)
        except InvalidTag as error:
            raise QuicError(DropReason.BAD_TAG, "authentication failed") from error

        # RFC 9000 section 17.3.1: reserved bits mean something only once packet and header
        # protection are both removed; before that, a forger could close the connection.
        if first & RESERVED_BITS:
            raise protocol_violation("reserved bits set in a short header")
        # RFC 9000 section 12.4: a packet without frames.
        if not payload:
            raise protocol_violation("no frames in a packet")
        return ShortHeaderPacket(
            dcid=dcid,
            pn=pn,
            pn_len=pn_len,
            key_phase=key_phase,
            spin=bool(first & SPIN_BIT),
            payload=payload,
        )
