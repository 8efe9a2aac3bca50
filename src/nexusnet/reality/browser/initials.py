# SPDX-License-Identifier: BSD-3-Clause
"""How Chromium fills its Initials: CRYPTO in pieces, shuffled among PING and PADDING.

A ClientHello of two packets is divided so that the first carries both of its ends and the second
what is between. In each packet the pieces are cut further at random, PINGs are added, what is left
is spread as PADDING, and all of it shuffled. Pure functions: ranges in, frames out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from aioquic.buffer import size_uint_var

FIRST_CUT: Final = (55, 85)
"""Where the middle of a hello of two packets begins, in bytes."""

MIDDLE_SURPLUS: Final = 2
"""Bytes by which the middle is longer than half of the hello, rounded up."""

CUTS: Final = (2, 10)
"""How many cuts are tried, at least and at most."""

PINGS: Final = (2, 10)
"""How many PINGs are added, at least and at most, where there is room."""

FRAMES: Final = range(8, 25)
"""Frames of a packet as the wire shows them, where adjoining PADDING is one."""

DRAWS: Final = 64
"""How often a draw is repeated until it has as many frames as `FRAMES` says."""

PACKET_RESERVE: Final = 48
"""Bytes of a packet that are left for PING, PADDING and the headers of the first few pieces."""


@dataclass(frozen=True, slots=True)
class Crypto:
    """A piece of the CRYPTO stream: bytes from `start` up to but without `stop`."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Bytes of data."""
        return self.stop - self.start

    @property
    def size(self) -> int:
        """Bytes of the frame (RFC 9000 section 19.6)."""
        return 1 + size_uint_var(self.start) + size_uint_var(self.length) + self.length


@dataclass(frozen=True, slots=True)
class Ping:
    """A PING frame."""


@dataclass(frozen=True, slots=True)
class Padding:
    """PADDING frames side by side."""

    size: int


Frame = Crypto | Ping | Padding


def divide(pending: Sequence[Crypto], space: int, rng: Random) -> list[list[Crypto]]:
    """Distribute what waits to be sent over packets.

    Args:
        pending: pieces of the stream, rising.
        space: bytes of frames that a packet holds.
        rng: where the first cut comes from.
    """
    room = max(1, space - PACKET_RESERVE)
    total = sum(piece.size for piece in pending)
    packets = -(-total // room)
    if packets <= 1:
        return [list(pending)]
    if packets == 2 and len(pending) == 1 and total > 4 * FIRST_CUT[1]:
        (whole,) = pending
        first = whole.start + rng.randint(*FIRST_CUT)
        last = first + -(-whole.length // 2) + MIDDLE_SURPLUS
        return [[Crypto(whole.start, first), Crypto(last, whole.stop)], [Crypto(first, last)]]
    # Only with a hello, or a token of a Retry, of uncommon length: one after the other.
    return _one_after_the_other(pending, room)


def _one_after_the_other(pending: Iterable[Crypto], room: int) -> list[list[Crypto]]:
    packets: list[list[Crypto]] = [[]]
    left = room
    for whole in pending:
        piece = whole
        while piece.size > left:
            taken = left - (piece.size - piece.length)
            if taken > 0:
                packets[-1].append(Crypto(piece.start, piece.start + taken))
                piece = Crypto(piece.start + taken, piece.stop)
            packets.append([])
            left = room
        packets[-1].append(piece)
        left -= piece.size
    return packets


def scramble(pieces: Sequence[Crypto], space: int, rng: Random) -> list[Frame]:
    """Return the frames of a packet, in the order of the wire; they fill it exactly.

    Args:
        pieces: what the packet carries.
        space: bytes of frames that it holds, enough for the pieces.
        rng: where everything comes from.

    Raises:
        ValueError: the pieces do not fit.
    """
    if sum(piece.size for piece in pieces) > space:
        raise ValueError("more CRYPTO data than fits into a packet")
    frames: list[Frame] = []
    for _ in range(DRAWS):
        frames = _draw(pieces, space, rng)
        if len(frames) in FRAMES:
            break
    return frames


def _draw(pieces: Sequence[Crypto], space: int, rng: Random) -> list[Frame]:
    cut = _cut(pieces, space, rng)
    spare = space - sum(piece.size for piece in cut)
    pings = min(rng.randint(*PINGS), spare)
    spare -= pings
    frames: list[Frame] = []
    contents: list[Frame] = [*cut, *[Ping()] * pings]
    for frame in contents:
        padding = rng.randint(0, spare)
        frames += [Padding(padding), frame] if padding else [frame]
        spare -= padding
    if spare:
        frames.append(Padding(spare))
    rng.shuffle(frames)
    return _merge(frames)


def _cut(pieces: Sequence[Crypto], space: int, rng: Random) -> list[Crypto]:
    cut = list(pieces)
    for _ in range(rng.randint(*CUTS)):
        place = rng.randrange(len(cut))
        whole = cut[place]
        if whole.length < 2:
            continue
        middle = whole.start + rng.randint(1, whole.length - 1)
        halves = [Crypto(whole.start, middle), Crypto(middle, whole.stop)]
        if sum(piece.size for piece in (*cut, *halves)) - whole.size > space:
            break
        cut[place] = halves[0]
        cut.append(halves[1])
    return cut


def _merge(frames: Iterable[Frame]) -> list[Frame]:
    merged: list[Frame] = []
    for frame in frames:
        before = merged[-1] if merged else None
        if isinstance(frame, Padding) and isinstance(before, Padding):
            merged[-1] = Padding(before.size + frame.size)
        else:
            merged.append(frame)
    return merged
