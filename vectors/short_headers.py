# SPDX-License-Identifier: BSD-3-Clause
"""short_header.json: packets that open."""

from typing import Final

from nexusnet.quic.keys import CipherSuite
from nexusnet.quic.packet_number import NONE_YET, PACKET_NUMBER_MAX
from nexusnet.quic.protection import ShortHeaderProtection, minimum_payload
from vectors.key_updates import CHACHA20_SHORT_HEADER, first_secret
from vectors.model import GENERATED, ShortHeaderVector, Vector
from vectors.payloads import legal_payload
from vectors.seeded import seeded_bytes, seeded_int

DCID_LENGTHS: Final = (0, 4, 8, 20)
PAYLOAD_SIZES: Final = (20, 129, 1200, 1452)

# RFC 9001 A.5
A5_PACKET: Final = "4cfe4189655e5cd55c41f69080575d7999c25a5bfb"
A5_PN: Final = 654_360_564

# Far enough from 2^31 that a receiver who starts at 0 can be led there with one packet.
LARGEST_PN_LIMIT: Final = 1 << 30


def protection_for(suite: CipherSuite, dcid_length: int, generation: int) -> ShortHeaderProtection:
    """Return the keys that packets with such a connection ID use."""
    protection = ShortHeaderProtection(suite, first_secret(suite, dcid_length))
    for _ in range(generation):
        protection = protection.next_generation()
    return protection


def connection_id(name: str, length: int) -> bytes:
    """Return the connection ID of the vector `name`."""
    return seeded_bytes(f"dcid {name}", length)


def describe(
    protection: ShortHeaderProtection,
    *,
    name: str,
    dcid: bytes,
    pn: int,
    pn_len: int,
    largest_pn: int,
    payload: bytes,
    packet: bytes,
    spin: bool = False,
    source: str = GENERATED,
    floor: int | None = None,
    received: tuple[tuple[int, int], ...] | None = None,
    error: str | None = None,
) -> ShortHeaderVector:
    """Return a vector whose keys are those of `protection`."""
    return ShortHeaderVector(
        name=name,
        source=source,
        suite=protection.suite.value,
        secret=protection.keys.secret,
        key=protection.keys.key,
        iv=protection.keys.iv,
        hp=protection.header_key,
        dcid=dcid,
        pn=pn,
        pn_len=pn_len,
        largest_pn=largest_pn,
        key_phase=protection.key_phase,
        spin=spin,
        payload=payload,
        packet=packet,
        floor=floor,
        received=received,
        error=error,
    )


def _sealed(
    protection: ShortHeaderProtection,
    name: str,
    *,
    dcid: bytes,
    pn: int,
    pn_len: int,
    largest_pn: int,
    payload: bytes,
    spin: bool = False,
    source: str = GENERATED,
) -> ShortHeaderVector:
    packet = protection.seal(dcid, pn, pn_len, payload, spin=spin)
    opened = protection.open(packet, dcid, largest_pn)
    if (opened.pn, opened.payload, opened.spin) != (pn, payload, spin):
        raise AssertionError(f"{name} does not open to what was sealed")
    return describe(
        protection,
        name=name,
        source=source,
        dcid=dcid,
        pn=pn,
        pn_len=pn_len,
        largest_pn=largest_pn,
        payload=payload,
        packet=packet,
        spin=spin,
    )


def _rfc_example() -> ShortHeaderVector:
    example = CHACHA20_SHORT_HEADER
    protection = ShortHeaderProtection(example.suite, bytes.fromhex(example.secret))
    vector = _sealed(
        protection,
        example.name,
        source=example.source,
        dcid=b"",
        pn=A5_PN,
        pn_len=3,
        largest_pn=A5_PN - 1,
        payload=b"\x01",
    )
    if vector.packet.hex() != A5_PACKET:
        raise AssertionError("the model disagrees with RFC 9001 A.5")
    return vector


def _numbers(label: str, pn_len: int, case: int) -> tuple[int, int]:
    """Return a packet number and the largest received before, in turn: next, ahead, reordered.

    RFC 9000 appendix A.3: what can be told apart lies above expected - half, up to expected + half.
    """
    half = 1 << 8 * pn_len - 1
    largest = seeded_int(f"{label} largest", min(half, LARGEST_PN_LIMIT // 2), LARGEST_PN_LIMIT)
    expected = largest + 1
    lowest = expected - half + 1
    match case % 5:
        case 0:
            return expected, largest
        case 1:
            return expected + half, largest
        case 2:
            return (lowest if lowest > 0 else seeded_int(f"{label} low", 1, 1 << 20)), largest
        case 3:
            return seeded_int(f"{label} ahead", expected, expected + half), largest
        case _:
            return seeded_int(f"{label} behind", max(1, lowest), largest - 1), largest


def _matrix() -> list[Vector]:
    vectors: list[Vector] = []
    for suite in CipherSuite:
        for dcid_length in DCID_LENGTHS:
            for key_phase in (0, 1):
                protection = protection_for(suite, dcid_length, key_phase)
                for pn_len in (1, 2, 3, 4):
                    for size in (minimum_payload(pn_len), *PAYLOAD_SIZES):
                        count = len(vectors)
                        name = (
                            f"{suite.value}_dcid{dcid_length}_phase{key_phase}"
                            f"_pn{pn_len}_payload{size}"
                        )
                        # 5 sizes and 5 cases of numbers: shift, so that all pairs occur.
                        pn, largest_pn = _numbers(name, pn_len, count + count // 5)
                        vectors.append(
                            _sealed(
                                protection,
                                name,
                                dcid=connection_id(name, dcid_length),
                                pn=pn,
                                pn_len=pn_len,
                                largest_pn=largest_pn,
                                payload=legal_payload(size, count + count // 5),
                                spin=bool(count % 3 == 1),
                            )
                        )
    return vectors


def _edges() -> list[Vector]:
    """Return packet numbers at the ends of their range, and a key phase that comes round again."""
    cases = (
        ("first_packet", 0, 1, NONE_YET, 0),
        ("second_packet_first_seen", 1, 4, NONE_YET, 0),
        ("first_seen_ahead", 128, 1, NONE_YET, 0),
        ("wrap_of_one_byte", 256, 1, 255, 0),
        ("wrap_of_four_bytes", 1 << 32, 4, (1 << 32) - 1, 0),
        ("beyond_32_bits", (1 << 32) + 5, 2, (1 << 32) - 7, 0),
        ("beyond_48_bits", (1 << 48) + 1, 3, (1 << 48) - 100, 1),
        ("last_packet_number", PACKET_NUMBER_MAX, 1, PACKET_NUMBER_MAX - 1, 0),
        ("last_packet_number_four_bytes", PACKET_NUMBER_MAX, 4, PACKET_NUMBER_MAX - 9, 1),
        ("second_key_update", 70_000, 2, 69_990, 2),
        ("third_key_update", 80_000, 2, 79_990, 3),
    )
    return [
        _sealed(
            protection_for(suite, 8, generation),
            f"{suite.value}_{name}",
            dcid=connection_id(f"{suite.value}_{name}", 8),
            pn=pn,
            pn_len=pn_len,
            largest_pn=largest_pn,
            payload=legal_payload(64, index),
        )
        for suite in CipherSuite
        for index, (name, pn, pn_len, largest_pn, generation) in enumerate(cases)
    ]


def short_header_vectors() -> list[Vector]:
    """Return RFC 9001 A.5, suites x connection IDs x key phases x lengths x sizes, and edges."""
    return [_rfc_example(), *_matrix(), *_edges()]
