# SPDX-License-Identifier: BSD-3-Clause
"""short_header_invalid.json: packets that must be dropped, or that close the connection."""

from nexusnet.quic.errors import QuicError
from nexusnet.quic.keys import CipherSuite
from nexusnet.quic.packet_number import PACKET_NUMBER_MAX
from nexusnet.quic.protection import (
    FIXED_BIT,
    HEADER_FORM,
    KEY_PHASE_BIT,
    SPIN_BIT,
    TAG_LENGTH,
    ShortHeaderProtection,
)
from nexusnet.quic.received import ReceivedPackets
from vectors.model import ShortHeaderVector, Vector
from vectors.payloads import legal_payload
from vectors.short_headers import connection_id, describe, protection_for

PN = 0x1234_5678
PAYLOAD = legal_payload(64, 2)


class _Maker:
    """Makes the vectors of one suite, connection ID length and key phase."""

    def __init__(self, suite: CipherSuite, dcid_length: int, generation: int) -> None:
        self.prefix = f"{suite.value}_dcid{dcid_length}_phase{generation & 1}"
        self.dcid = connection_id(self.prefix, dcid_length)
        self.keys = protection_for(suite, dcid_length, generation)
        self.vectors: list[Vector] = []
        self.packet = self.seal()

    def seal(
        self,
        *,
        first: int = FIXED_BIT,
        pn: int = PN,
        pn_len: int = 4,
        payload: bytes = PAYLOAD,
        keys: ShortHeaderProtection | None = None,
    ) -> bytes:
        """Seal with `first` added to the right key phase and packet number length."""
        keys = keys or self.keys
        first ^= keys.key_phase << 2 | (pn_len - 1)
        return keys.seal_raw(first, self.dcid, pn, pn_len, payload)

    def flip(self, position: int, bits: int) -> bytes:
        """Return the good packet with `bits` of one byte flipped."""
        changed = bytearray(self.packet)
        changed[position] ^= bits
        return bytes(changed)

    def add(
        self,
        name: str,
        error: str,
        packet: bytes,
        *,
        pn: int = PN,
        pn_len: int = 4,
        payload: bytes = PAYLOAD,
        largest_pn: int = PN - 1,
        floor: int | None = None,
        received: tuple[tuple[int, int], ...] | None = None,
    ) -> None:
        """Add a vector after making sure that the model says `error`."""
        vector = describe(
            self.keys,
            name=f"{self.prefix}_{name}",
            dcid=self.dcid,
            pn=pn,
            pn_len=pn_len,
            largest_pn=largest_pn,
            payload=payload,
            packet=packet,
            floor=floor,
            received=received,
            error=error,
        )
        if (found := error_of(vector, self.keys)) != error:
            raise AssertionError(f"{vector.name}: {found} instead of {error}")
        self.vectors.append(vector)


def error_of(vector: ShortHeaderVector, keys: ShortHeaderProtection) -> str | None:
    """Return what the model says to the packet of `vector`: an error's name, or None."""
    history = ReceivedPackets(floor=vector.floor or 0)
    for smallest, largest in vector.received or ():
        for pn in range(smallest, largest + 1):
            history.receive(pn)
    try:
        opened = keys.open(vector.packet, vector.dcid, vector.largest_pn)
        history.check(opened.pn)
    except QuicError as error:
        return error.name
    return None


def _forged(make: _Maker) -> None:
    """Add packets that were changed on the way: nothing in them may be believed."""
    pn_at = 1 + len(make.dcid)
    make.add("tag_last_bit", "bad_tag", make.flip(-1, 0x01))
    make.add("tag_first_bit", "bad_tag", make.flip(-TAG_LENGTH, 0x80))
    make.add("ciphertext", "bad_tag", make.flip(-TAG_LENGTH - 1, 0x10))
    make.add("spin_bit_flipped", "bad_tag", make.flip(0, SPIN_BIT))
    make.add("packet_number_byte_flipped", "bad_tag", make.flip(pn_at + 3, 0x01))
    make.add("packet_number_length_flipped", "bad_tag", make.flip(0, 0x01))
    # RFC 9000 section 17.3.1: looking at them before the AEAD would let a forger close.
    make.add("reserved_bits_flipped", "bad_tag", make.flip(0, 0x18))
    make.add("key_phase_flipped", "wrong_key_phase", make.flip(0, KEY_PHASE_BIT))
    make.add("fixed_bit_flipped", "fixed_bit_clear", make.flip(0, FIXED_BIT))
    make.add("header_form_flipped", "long_header", make.flip(0, HEADER_FORM))
    if make.dcid:
        make.add("connection_id_flipped", "unknown_connection_id", make.flip(pn_at - 1, 0x01))
    make.add("one_byte_added", "bad_tag", make.packet + b"\0")
    make.add("one_byte_cut_off", "bad_tag", make.packet[:-1])


def _truncated(make: _Maker) -> None:
    pn_at = 1 + len(make.dcid)
    make.add("empty", "truncated", b"")
    make.add("first_byte_only", "truncated", make.packet[:1])
    make.add("header_only", "truncated", make.packet[: pn_at + 4])
    make.add("sample_one_byte_short", "truncated", make.packet[: pn_at + 19])
    make.add("sample_just_fits", "bad_tag", make.packet[: pn_at + 20])


def _authentic(make: _Maker) -> None:
    """Add packets that only a peer with the keys can make."""
    for bits in (0x08, 0x10, 0x18):
        packet = make.seal(first=FIXED_BIT | bits)
        make.add(f"reserved_bits_{bits:#04x}", "PROTOCOL_VIOLATION", packet)
    make.add("no_frames", "PROTOCOL_VIOLATION", make.seal(payload=b""), payload=b"")
    make.add(
        "reserved_bits_and_no_frames",
        "PROTOCOL_VIOLATION",
        make.seal(first=FIXED_BIT | 0x08, payload=b""),
        payload=b"",
    )
    make.add("fixed_bit_0", "fixed_bit_clear", make.seal(first=0))
    make.add("header_form_1", "long_header", make.seal(first=FIXED_BIT | HEADER_FORM))


def _keys(make: _Maker) -> None:
    later = make.keys.next_generation()
    make.add("next_key_phase", "wrong_key_phase", make.seal(keys=later))
    make.add(
        "right_keys_wrong_key_phase", "wrong_key_phase", make.seal(first=FIXED_BIT | KEY_PHASE_BIT)
    )
    # The Key Phase bit has come round again, the keys have not.
    make.add("two_key_updates_later", "bad_tag", make.seal(keys=later.next_generation()))
    other = ShortHeaderProtection(
        make.keys.suite,
        make.keys.keys.secret[::-1],
        header_key=make.keys.header_key,
        generation=make.keys.generation,
    )
    make.add("keys_of_another_session", "bad_tag", make.seal(keys=other))


def _packet_numbers(make: _Maker) -> None:
    for pn_len in (1, 2, 3, 4):
        half = 1 << 8 * pn_len - 1
        largest = 1 << 33
        for name, pn in (("behind", largest + 1 - half), ("ahead", largest + 2 + half)):
            make.add(
                f"packet_number_out_of_window_{name}_{pn_len}",
                "bad_tag",
                make.seal(pn=pn, pn_len=pn_len),
                pn=pn,
                pn_len=pn_len,
                largest_pn=largest,
            )
    make.add(
        "packet_number_above_maximum",
        "packet_number_out_of_range",
        make.seal(pn=5, pn_len=1),
        pn=5,
        pn_len=1,
        largest_pn=PACKET_NUMBER_MAX,
    )
    make.add("duplicate", "duplicate", make.packet, largest_pn=PN, received=((PN, PN),))
    make.add(
        "duplicate_in_range",
        "duplicate",
        make.packet,
        largest_pn=PN + 40,
        received=((PN - 3, PN + 2), (PN + 9, PN + 40)),
    )
    make.add(
        "packet_number_too_old",
        "too_old",
        make.packet,
        largest_pn=PN + 100,
        floor=PN + 1,
        received=((PN + 50, PN + 100),),
    )


def short_header_invalid_vectors() -> list[Vector]:
    """Return every way to go wrong for each suite, and what depends on the DCID length."""
    vectors: list[Vector] = []
    for suite in CipherSuite:
        for generation in (0, 1):
            make = _Maker(suite, 8, generation)
            for kind in (_forged, _truncated, _authentic, _keys, _packet_numbers):
                kind(make)
            vectors += make.vectors
        for dcid_length in (0, 4, 20):
            make = _Maker(suite, dcid_length, 0)
            _forged(make)
            _truncated(make)
            vectors += make.vectors
    return vectors
