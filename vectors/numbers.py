# SPDX-License-Identifier: BSD-3-Clause
"""varint.json and packet_number.json."""

from typing import Final

from nexusnet.quic.errors import QuicError
from nexusnet.quic.packet_number import (
    NONE_YET,
    PACKET_NUMBER_MAX,
    decode_packet_number,
    encode_packet_number,
    packet_number_length,
)
from nexusnet.quic.varint import VARINT_MAX, decode_varint, encode_varint, varint_size
from vectors.expect import expect_error
from vectors.model import GENERATED, PacketNumberVector, VarintVector, Vector
from vectors.seeded import seeded_int

RFC_VARINTS: Final = (
    ("c2197c5eff14e88c", 151_288_809_941_952_652),
    ("9d7f3e7d", 494_878_333),
    ("7bbd", 15_293),
    ("25", 37),
    ("4025", 37),
)
LIMITS: Final = (63, 16_383, 1_073_741_823, VARINT_MAX)


def _varint(name: str, encoded: bytes, value: int, source: str = GENERATED) -> VarintVector:
    if decode_varint(encoded) != (value, len(encoded)):
        raise AssertionError(f"{encoded.hex()} is not {value}")
    return VarintVector(
        name=name,
        source=source,
        value=value,
        encoded=encoded,
        canonical=len(encoded) == varint_size(value),
    )


def varint_vectors() -> list[Vector]:
    """Return the RFC's examples, both sides of each limit, longer forms than needed, and errors."""
    vectors: list[Vector] = [
        _varint(f"rfc_{encoded}", bytes.fromhex(encoded), value, "RFC 9000 A.1")
        for encoded, value in RFC_VARINTS
    ]
    around = {0, 1} | {limit + step for limit in LIMITS for step in (-1, 0, 1)}
    values = sorted(value for value in around if value <= VARINT_MAX)
    values += [seeded_int(f"varint {bits}", 0, 1 << bits) for bits in range(3, 62, 3)]
    for value in dict.fromkeys(values):
        for size in (1, 2, 4, 8):
            if size >= varint_size(value):
                name = f"value_{value}_in_{size}"
                vectors.append(_varint(name, encode_varint(value, size), value))
    for limit in LIMITS:
        whole = encode_varint(limit)
        vectors += [
            VarintVector(
                name=f"{len(whole)}_bytes_cut_to_{length}",
                encoded=whole[:length],
                error=expect_error(decode_varint, whole[:length]),
            )
            for length in range(len(whole))
        ]
    vectors += [
        VarintVector(
            name=f"value_{value}_has_no_encoding",
            value=value,
            error=expect_error(encode_varint, value),
        )
        for value in (VARINT_MAX + 1, (1 << 64) - 1)
    ]
    return vectors


def _encode(name: str, pn: int, largest_acked: int, source: str = GENERATED) -> PacketNumberVector:
    pn_len = packet_number_length(pn, largest_acked)
    return PacketNumberVector(
        name=f"encode_{name}",
        source=source,
        operation="encode",
        pn=pn,
        largest_acked=largest_acked,
        pn_len=pn_len,
        truncated=encode_packet_number(pn, pn_len),
    )


def _decode(
    name: str, truncated: bytes, largest_pn: int, source: str = GENERATED
) -> PacketNumberVector:
    number = int.from_bytes(truncated, "big")
    return PacketNumberVector(
        name=f"decode_{name}",
        source=source,
        operation="decode",
        largest_pn=largest_pn,
        pn_len=len(truncated),
        truncated=truncated,
        pn=decode_packet_number(number, len(truncated), largest_pn),
    )


def _encode_vectors() -> list[Vector]:
    source = "RFC 9000 A.2"
    vectors = [
        _encode("rfc_16_bits", 0xAC5C02, 0xABE8B3, source),
        _encode("rfc_24_bits", 0xACE8FE, 0xABE8B3, source),
    ]
    if [vector.pn_len for vector in vectors] != [2, 3]:
        raise AssertionError("the model disagrees with RFC 9000 A.2")
    # Differences up to which 1, 2, 3 and 4 bytes represent more than twice the range.
    for bits in (7, 15, 23, 31):
        for difference in ((1 << bits) - 1, 1 << bits):
            for base in (NONE_YET, 1000, (1 << 40) + 77):
                if difference < 1 << 31:
                    name = f"difference_{difference}_from_{base}"
                    vectors.append(_encode(name, base + difference, base))
    vectors.append(_encode("first", 0, NONE_YET))
    vectors.append(_encode("last", PACKET_NUMBER_MAX, PACKET_NUMBER_MAX - 1))
    invalid = [
        ("difference_2147483648", 1 << 31, 0),
        ("never_acknowledged", PACKET_NUMBER_MAX, NONE_YET),
        ("above_maximum", PACKET_NUMBER_MAX + 1, PACKET_NUMBER_MAX),
        ("already_acknowledged", 77, 77),
    ]
    return [
        *vectors,
        *(
            PacketNumberVector(
                name=f"encode_{name}",
                operation="encode",
                pn=pn,
                largest_acked=largest_acked,
                error=expect_error(packet_number_length, pn, largest_acked),
            )
            for name, pn, largest_acked in invalid
        ),
    ]


def _decode_vectors() -> list[Vector]:
    example = _decode("rfc_16_bits", bytes.fromhex("9b32"), 0xA82F30EA, "RFC 9000 A.3")
    if example.pn != 0xA82F9B32:
        raise AssertionError("the model disagrees with RFC 9000 A.3")
    vectors: list[Vector] = [example]
    for length in (1, 2, 3, 4):
        window = 1 << 8 * length
        bases = {
            "start": NONE_YET,
            "zero": 0,
            "half": window // 2 - 1,
            "window": window - 1,
            "middle": seeded_int(f"decode {length}", window, 1 << 50),
            "near_end": PACKET_NUMBER_MAX - window // 2,
            "end": PACKET_NUMBER_MAX - 1,
            "after_end": PACKET_NUMBER_MAX,
        }
        for name, largest in bases.items():
            # Both edges of the window around the expected number, which is largest + 1.
            steps = (-window // 2, -window // 2 + 1, -1, 0, 1, window // 2, window // 2 + 1)
            for step in steps:
                expected = (largest + 1 + step) % window
                vector_name = f"{length}_bytes_{name}_step_{step}"
                truncated = expected.to_bytes(length, "big")
                try:
                    vectors.append(_decode(vector_name, truncated, largest))
                except QuicError as error:
                    vectors.append(
                        PacketNumberVector(
                            name=f"decode_{vector_name}",
                            operation="decode",
                            largest_pn=largest,
                            pn_len=length,
                            truncated=truncated,
                            error=error.name,
                        )
                    )
    return vectors


def packet_number_vectors() -> list[Vector]:
    """Return the RFC's examples, the edges of each window, and numbers out of range."""
    return [*_encode_vectors(), *_decode_vectors()]
