# SPDX-License-Identifier: BSD-3-Clause
"""Legal payloads of any size: what a tunnel sends, so that other QUIC stacks can parse them."""

from typing import Final

from nexusnet.quic.frames import (
    AckFrame,
    AckRange,
    DatagramFrame,
    EcnCounts,
    Frame,
    MaxDataFrame,
    PaddingFrame,
    PathChallengeFrame,
    PingFrame,
    encode_frames,
    parse_frames,
)
from vectors.seeded import seeded_bytes

VARIANTS: Final = 4


def _to_the_end(before: list[Frame], size: int, label: str) -> bytes:
    """Fill up to `size` with a DATAGRAM that has no length."""
    head = encode_frames(before)
    data = seeded_bytes(label, size - len(head) - 1)
    return head + DatagramFrame(data, has_length=False).encode()


def legal_payload(size: int, variant: int) -> bytes:
    """Return exactly `size` bytes (1 or more) of frames; `variant` picks the mix of frames."""
    variant %= VARIANTS
    label = f"payload {size} variant {variant}"
    if size < 16:
        frames: list[Frame] = [PingFrame()]
        if size > 1:
            frames.append(PaddingFrame(size - 1))
        payload = encode_frames(frames)
    elif variant == 0:
        payload = _to_the_end([], size, label)
    elif variant == 1:
        head = DatagramFrame(seeded_bytes(label, size // 2)).encode()
        payload = head + PaddingFrame(size - len(head)).encode()
    elif variant == 2:
        ack = AckFrame((AckRange(71, 90), AckRange(3, 60)), ack_delay=25)
        payload = _to_the_end([ack, PingFrame()], size, label)
    elif size < 64:
        payload = _to_the_end([MaxDataFrame(1 << 20), PaddingFrame(2)], size, label)
    else:
        mixed: list[Frame] = [
            AckFrame((AckRange(9, 9),), ecn=EcnCounts(ect0=7, ect1=0, ce=1)),
            PathChallengeFrame(seeded_bytes(label, 8)),
            DatagramFrame(b""),
            DatagramFrame(seeded_bytes(label + " first", size // 3)),
        ]
        payload = _to_the_end(mixed, size, label)
    if len(payload) != size or encode_frames(parse_frames(payload)) != payload:
        raise AssertionError(f"no legal payload of {size} bytes")
    return payload
