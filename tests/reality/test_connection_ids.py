# SPDX-License-Identifier: BSD-3-Clause
"""Connection IDs that a server recognises without remembering them."""

import os
import random
from collections import Counter

import pytest

from nexusnet.reality.connection_ids import ConnectionIdShape, ShapeError, TaggedConnectionIds
from nexusnet.secret import SecretBytes

KEY = bytes(range(32))
SHAPES = [
    ConnectionIdShape(),
    ConnectionIdShape(7),
    ConnectionIdShape(10),
    ConnectionIdShape(20),
    ConnectionIdShape(8, ((0, 0xC5),)),
    ConnectionIdShape(18, ((0, 1), (5, 0), (17, 0xFF))),
]


def source(shape: ConnectionIdShape, key: bytes = KEY) -> TaggedConnectionIds:
    # Always the same ones: tags are short, and chance would hit one some day.
    return TaggedConnectionIds(SecretBytes(key), shape, random.Random(1).randbytes)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_new_process_knows_what_the_old_one_issued(shape: ConnectionIdShape) -> None:
    earlier = source(shape)
    issued = [earlier.issue() for _ in range(200)]
    later = source(shape)
    assert all(later.is_ours(cid) for cid in issued)
    assert len(set(issued)) == len(issued)
    for cid in issued:
        assert len(cid) == shape.length
        assert all(cid[position] == value for position, value in shape.fixed)
        # Each byte counts.
        for at in range(shape.length):
            assert not later.is_ours(cid[:at] + bytes([cid[at] ^ 1]) + cid[at + 1 :])
        assert not later.is_ours(cid[:-1])
        assert not later.is_ours(cid + b"\0")
        assert len(later.reset_token(cid)) == 16
        assert later.reset_token(cid) == source(shape).reset_token(cid)
    other = source(shape, bytes(32))
    assert not any(other.is_ours(cid) for cid in issued)
    assert len({later.reset_token(cid) for cid in issued}) == len(issued)
    assert later.reset_token(issued[0]) != other.reset_token(issued[0])


def test_strangers_are_hardly_ever_taken_for_ours() -> None:
    ids = source(ConnectionIdShape())
    rng = random.Random(1)
    assert not any(ids.is_ours(rng.randbytes(8)) for _ in range(20_000))


def test_short_connection_ids_have_short_tags() -> None:
    ids = source(ConnectionIdShape(4))
    issued = [ids.issue() for _ in range(200)]
    assert all(source(ConnectionIdShape(4)).is_ours(cid) for cid in issued)
    rng = random.Random(2)
    taken = sum(ids.is_ours(rng.randbytes(4)) for _ in range(20_000))
    assert 20 < taken < 200  # 78 expected: one in 256


def test_bytes_look_uniform() -> None:
    ids = source(ConnectionIdShape(8))
    issued = [ids.issue() for _ in range(8192)]
    for at in range(8):
        counts = Counter(cid[at] for cid in issued)
        expected = len(issued) / 256
        chi_square = sum((counts[value] - expected) ** 2 / expected for value in range(256))
        # 255 degrees of freedom: 400 is passed once in 10^8.
        assert chi_square < 400, at


def test_the_shape_of_what_was_seen() -> None:
    seen = [b"\xaa" + os.urandom(9) + b"\x01" for _ in range(40)]
    assert ConnectionIdShape.observed(seen) == ConnectionIdShape(11, ((0, 0xAA), (10, 1)))
    # Three are too few to tell.
    assert ConnectionIdShape.observed(seen[:3]) == ConnectionIdShape(11)
    # The same one over and over tells nothing either.
    assert ConnectionIdShape.observed(seen[:1] * 10) == ConnectionIdShape(11)
    with pytest.raises(ShapeError, match="different lengths"):
        ConnectionIdShape.observed([b"12345678", b"123456789"])
    with pytest.raises(ShapeError, match="different lengths"):
        ConnectionIdShape.observed([])
    with pytest.raises(ShapeError, match="no room"):
        ConnectionIdShape.observed([b"123"])
    with pytest.raises(ShapeError):
        ConnectionIdShape.observed([b""])


@pytest.mark.parametrize(
    ("length", "fixed"),
    [
        (8, tuple((at, 1) for at in range(5))),
        (3, ()),
        (21, ()),
        (8, ((8, 0),)),
        (20, ((1, 0), (0, 0))),
        (9, ((0, 256),)),
    ],
)
def test_shapes_that_cannot_be(length: int, fixed: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ShapeError):
        ConnectionIdShape(length, fixed)


def test_derived_from_the_static_key() -> None:
    ids = TaggedConnectionIds.derive(b"static key")
    again = TaggedConnectionIds.derive(b"static key")
    other = TaggedConnectionIds.derive(b"another key")
    cid = ids.issue()
    assert again.is_ours(cid)
    assert not other.is_ours(cid)
    assert "static" not in repr(ids)
    with pytest.raises(ValueError, match="32 bytes"):
        TaggedConnectionIds(SecretBytes(b"short"))
