# SPDX-License-Identifier: BSD-3-Clause
"""Random and mutated inputs never raise anything but the typed error.

NEXUS_FUZZ_INPUTS sets how many (200,000 by default), NEXUS_FUZZ_SEED where they start.
"""

import os
from collections import Counter
from collections.abc import Callable
from random import Random

from nexusnet.quic.errors import QuicError
from nexusnet.quic.frames import AckFrame, encode_frames, parse_frames
from nexusnet.quic.keys import CipherSuite
from nexusnet.quic.packet_number import decode_packet_number
from nexusnet.quic.protection import ShortHeaderProtection
from nexusnet.quic.received import ReceivedPackets
from nexusnet.quic.varint import VARINT_MAX, decode_varint, encode_varint
from tests.support import golden
from tests.support.golden import binary

INPUTS = int(os.environ.get("NEXUS_FUZZ_INPUTS", "200000"))
SEED = int(os.environ.get("NEXUS_FUZZ_SEED", "1"))
EDGES = (0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFF)
LONGEST = 1500

Target = Callable[[Random, bytes], object]


def corpus() -> list[bytes]:
    """Return payloads and packets of the golden vectors, valid and not, of at most a packet."""
    samples = [
        binary(vector, field)
        for kind, field in (
            ("frames", "frame"),
            ("ack_ranges", "frame"),
            ("datagram_frame", "payload"),
            ("short_header", "packet"),
            ("short_header", "payload"),
            ("short_header_invalid", "packet"),
        )
        for vector in golden.load(kind)
    ]
    return [sample for sample in dict.fromkeys(samples) if len(sample) <= LONGEST]


def mutate(random: Random, samples: list[bytes]) -> bytes:
    """Return random bytes, or a sample with a few changes that tend to matter."""
    if random.random() < 0.1:
        return random.randbytes(random.randrange(64))
    data = bytearray(random.choice(samples))
    for _ in range(random.randrange(1, 5)):
        position = random.randrange(len(data) + 1)
        match random.randrange(7):
            case 0 if data:
                data[position % len(data)] = random.choice(EDGES)
            case 1 if data:
                data[position % len(data)] ^= 1 << random.randrange(8)
            case 2:
                del data[position:]
            case 3:
                data[position:position] = random.randbytes(random.randrange(1, 9))
            case 4:
                data[position:position] = encode_varint(random.randrange(VARINT_MAX + 1))
            case 5:
                del data[position : position + random.randrange(1, 9)]
            case _:
                data += random.choice(samples)[:64]
    return bytes(data[:LONGEST])


def fuzz_varint(_random: Random, data: bytes) -> object:
    value, end = decode_varint(data)
    assert 0 <= value <= VARINT_MAX
    assert end <= len(data)
    return value


def fuzz_frames(random: Random, data: bytes) -> object:
    limit = random.choice([None, 0, 64, 1200])
    frames = parse_frames(data, max_datagram_frame_size=limit)
    # What was accepted can be sent, and means the same.
    assert parse_frames(encode_frames(frames)) == frames
    return len(frames)


def fuzz_ack(_random: Random, data: bytes) -> object:
    acks = [frame for frame in parse_frames(b"\x02" + data) if isinstance(frame, AckFrame)]
    tracker = ReceivedPackets(max_ranges=4)
    for frame in acks:
        for item in frame.ranges:
            for pn in {item.smallest, item.largest}:
                tracker.receive(pn)
    return tracker.ack_frame()


def fuzz_packet_number(random: Random, data: bytes) -> object:
    length = random.randrange(1, 5)
    largest_pn = random.choice([-1, VARINT_MAX, random.randrange(VARINT_MAX)])
    return decode_packet_number(int.from_bytes(data[:length], "big"), length, largest_pn)


def packet_targets() -> list[Target]:
    """Return openers with the keys of vectors, so that some packets get past the AEAD."""
    by_secret = {
        (vector["secret"], len(vector["dcid"])): vector for vector in golden.valid("short_header")
    }
    targets: list[Target] = []
    for vector in by_secret.values():
        protection = ShortHeaderProtection(
            CipherSuite(vector["suite"]),
            binary(vector, "secret"),
            header_key=binary(vector, "hp"),
            generation=vector["key_phase"],
        )

        def target(
            random: Random,
            data: bytes,
            protection: ShortHeaderProtection = protection,
            length: int = len(vector["dcid"]) // 2,
        ) -> object:
            # Resealed, the mutated bytes get past the AEAD and reach what is behind it.
            if random.random() < 0.5 and len(data) > 25:
                packet = protection.seal_raw(data[0], data[1 : 1 + length], 77, 4, data[21:])
                opened = protection.open(packet, data[1 : 1 + length], 76)
            else:
                opened = protection.open(data, data[1 : 1 + length], random.randrange(1 << 31))
            return parse_frames(opened.payload)

        targets.append(target)
    return targets


def test_nothing_but_the_typed_error() -> None:
    random = Random(SEED)
    samples = corpus()
    packets = packet_targets()
    outcomes: Counter[str] = Counter()
    for number in range(INPUTS):
        data = mutate(random, samples)
        kind = number % 8
        target: Target
        if kind < 4:
            target = fuzz_frames
        elif kind < 6:
            target = packets[number // 8 % len(packets)]
        else:
            target = (fuzz_ack, fuzz_varint, fuzz_packet_number)[number // 8 % 3]
        try:
            target(random, data)
        except QuicError as error:
            assert error.reason
            assert str(error).startswith(error.name)
            outcomes[error.name] += 1
        except Exception as error:
            error.add_note(f"input {number} of seed {SEED}: {data.hex()}")
            raise
        else:
            outcomes["accepted"] += 1
    print(f"{INPUTS} inputs:", dict(outcomes.most_common()))  # noqa: T201 - shown by pytest -s
    # The inputs are of no use if they all end at the first check.
    if INPUTS >= 20_000:
        assert outcomes["accepted"] > INPUTS // 10
        for name in ("FRAME_ENCODING_ERROR", "PROTOCOL_VIOLATION", "bad_tag", "truncated"):
            assert outcomes[name] > INPUTS // 1000, name
        assert "INTERNAL_ERROR" not in outcomes
