# SPDX-License-Identifier: BSD-3-Clause
"""ack_ranges.json: from received packet numbers to the ACK frame, and back."""

from collections.abc import Sequence

from nexusnet.quic.errors import QuicError
from nexusnet.quic.frames import FrameType, parse_frames
from nexusnet.quic.packet_number import PACKET_NUMBER_MAX
from nexusnet.quic.received import MAX_RANGES, Ecn, ReceivedPackets
from nexusnet.quic.varint import encode_varint
from vectors.expect import expect_error
from vectors.model import AckRangesVector, Vector
from vectors.seeded import seeded_bytes, seeded_int, seeded_shuffle


def _track(
    name: str,
    received: Sequence[int],
    *,
    ecn: Sequence[Ecn] | None = None,
    ack_delay: int = 0,
    max_ranges: int = MAX_RANGES,
    floor: int = 0,
) -> AckRangesVector:
    tracker = ReceivedPackets(max_ranges, floor)
    verdicts = []
    for index, pn in enumerate(received):
        try:
            tracker.receive(pn, ecn[index] if ecn else Ecn.NOT_ECT)
        except QuicError as error:
            verdicts.append(error.name)
        else:
            verdicts.append("new")
    frame = tracker.ack_frame(ack_delay)
    if frame is None:
        raise AssertionError(f"{name} acknowledges nothing")
    encoded = frame.encode()
    if parse_frames(encoded) != (frame,):
        raise AssertionError(f"{name} does not parse to what was encoded")
    counts = frame.ecn
    return AckRangesVector(
        name=name,
        max_ranges=max_ranges,
        floor=floor,
        received=tuple(received),
        ecn=tuple(ecn) if ecn else None,
        verdicts=tuple(verdicts),
        floor_after=tracker.floor,
        ranges=tuple((part.smallest, part.largest) for part in frame.ranges),
        ack_delay=ack_delay,
        ecn_counts=(counts.ect0, counts.ect1, counts.ce) if counts else None,
        frame=encoded,
    )


def _orders() -> list[Vector]:
    last = PACKET_NUMBER_MAX
    return [
        _track("only_0", [0]),
        _track("only_the_last", [last]),
        _track("0_and_the_last", [0, last]),
        _track("the_last_two", [last, last - 1], ack_delay=last),
        _track("in_order", range(20), ack_delay=1000),
        _track("reversed", range(19, -1, -1)),
        _track("one_gap", [0, 1, 2, 4, 5]),
        _track("gap_of_one_and_of_two", [0, 2, 5]),
        _track("gap_filled", [0, 1, 3, 4, 2]),
        _track("gap_filled_from_below", [0, 4, 1, 2, 3]),
        _track("gap_filled_from_above", [0, 4, 3, 2, 1]),
        _track("every_second", range(0, 40, 2)),
        _track("every_second_then_the_rest", [*range(0, 20, 2), *range(1, 20, 2)]),
        _track("duplicates", [5, 5, 3, 5, 3, 4, 4, 3, 5]),
        _track("duplicate_of_a_middle_one", [1, 2, 3, 4, 5, 3]),
        _track("varint_edges", [63, 64, 16_383, 16_384, 1_073_741_823, 1_073_741_824]),
        _track("long_range", range(1000, 1200)),
        _track("gap_at_varint_edges", [0, 65, 66, 67, 16_452, 16_453, 32_838], ack_delay=16_384),
    ]


def _random() -> list[Vector]:
    vectors: list[Vector] = []
    for number in range(12):
        label = f"ack random {number}"
        base = seeded_int(label, 0, (1 << seeded_int(label + " bits", 4, 60)))
        draws = seeded_bytes(label + " loss", 120)
        # A window with losses, packets twice, and everything out of order.
        sent = [base + index for index, draw in enumerate(draws) if draw > 16 * (number % 4)]
        again = [pn for pn, draw in zip(sent, draws, strict=False) if draw > 240]
        arrived = seeded_shuffle(label, sent + again)
        marks = [Ecn(draw % 4) for draw in seeded_bytes(label + " ecn", len(arrived))]
        vectors.append(
            _track(
                f"random_{number}",
                arrived,
                ecn=marks if number % 3 == 0 else None,
                ack_delay=seeded_int(label + " delay", 0, 100_000),
                max_ranges=(MAX_RANGES, 8, 64)[number % 3],
            )
        )
    return vectors


def _bounds() -> list[Vector]:
    return [
        _track("33_ranges_the_oldest_forgotten", range(0, 66, 2)),
        _track("forgotten_ones_are_too_old", [*range(0, 10, 2), 0, 1, 2, 3], max_ranges=3),
        _track("one_range_only", [5, 6, 9, 8, 7, 10], max_ranges=1),
        _track("full_and_below_all", [10, 20, 30, 4, 9, 8], max_ranges=3),
        _track("full_and_joined_below", [10, 20, 30, 19, 29], max_ranges=3),
        _track("full_and_joining_two", [10, 12, 14, 11, 16], max_ranges=3),
        _track("floor", [99, 100, 101, 98, 0], floor=100),
        _track("floor_in_a_gap", [150, 100, 99], floor=100, max_ranges=2),
        _track("floor_at_the_last", [PACKET_NUMBER_MAX, 0], floor=PACKET_NUMBER_MAX),
    ]


def _ecn() -> list[Vector]:
    return [
        _track("ecn_each", [0, 1, 2, 3], ecn=[Ecn.ECT0, Ecn.ECT1, Ecn.CE, Ecn.NOT_ECT]),
        _track("ecn_none_seen", [0, 1], ecn=[Ecn.NOT_ECT, Ecn.NOT_ECT]),
        _track("ecn_duplicates_do_not_count", [0, 0, 1], ecn=[Ecn.ECT0, Ecn.CE, Ecn.ECT0]),
        _track("ecn_too_old_do_not_count", [7, 3], ecn=[Ecn.ECT0, Ecn.CE], floor=5),
        _track("ecn_two_byte_counts", range(70), ecn=[Ecn.ECT0] * 70, ack_delay=63),
    ]


def _invalid() -> list[Vector]:
    def frame(*fields: int, ecn: bool = False) -> bytes:
        kind = FrameType.ACK_ECN if ecn else FrameType.ACK
        return b"".join(map(encode_varint, (kind, *fields)))

    last = PACKET_NUMBER_MAX
    whole = _track("whole", [0, 1, 5, 9, 10], ecn=[Ecn.CE] * 5).frame
    cases = {
        # Largest, delay, range count, first range, then gap and length of each further range.
        "first_range_below_0": frame(0, 0, 0, 1),
        "first_range_far_below_0": frame(10, 0, 0, last),
        "gap_below_0": frame(10, 0, 1, 9, 0, 0),
        "gap_to_minus_1": frame(5, 0, 1, 4, 0, 0),
        "gap_far_below_0": frame(last, 0, 1, 0, last, 0),
        "length_below_0": frame(10, 0, 1, 0, 7, 2),
        "second_gap_below_0": frame(20, 0, 2, 3, 2, 4, 9, 0),
        "range_count_2_62_minus_1": frame(last, 0, last, 0, 0, 0),
        "range_count_one_too_many": frame(50, 0, 2, 0, 0, 0),
        "ecn_counts_missing": frame(3, 0, 0, 3, ecn=True),
        "ecn_counts_one_missing": frame(3, 0, 0, 3, 1, 1, ecn=True),
        "type_in_two_bytes": b"\x40" + frame(3, 0, 0, 3),
    }
    cases |= {f"cut_to_{length}_bytes": whole[:length] for length in range(1, len(whole))}
    return [
        AckRangesVector(name=name, frame=data, error=expect_error(parse_frames, data))
        for name, data in cases.items()
    ]


def ack_ranges_vectors() -> list[Vector]:
    """Return orders, gaps, duplicates, both ends of the number space, bounds, ECN, and errors."""
    return [*_orders(), *_bounds(), *_ecn(), *_random(), *_invalid()]
