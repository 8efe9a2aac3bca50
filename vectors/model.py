# SPDX-License-Identifier: BSD-3-Clause
"""The shape of each kind of vector: its JSON fields, in order, and what the C header is made from.

JSON: bytes become lower-case hex, fields that are None are left out.
"""

from dataclasses import dataclass, field, fields
from typing import Final

GENERATED: Final = "generated"

Json = bool | int | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """What all vectors have.

    Attributes:
        name: unique in its file.
        source: the RFC's section it is copied from, or "generated".
    """

    name: str
    source: str = GENERATED


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortHeaderVector(Vector):
    """short_header.json and short_header_invalid.json; see docs/vectors.md."""

    suite: str
    secret: bytes
    key: bytes
    iv: bytes
    hp: bytes
    dcid: bytes
    pn: int
    pn_len: int
    largest_pn: int
    key_phase: int
    spin: bool
    payload: bytes
    packet: bytes
    floor: int | None = None
    received: tuple[tuple[int, int], ...] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Keys between two key updates."""

    key_phase: int
    secret: bytes
    key: bytes
    iv: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUpdateVector(Vector):
    """key_update.json: a chain of secrets, or a first secret of the wrong length."""

    suite: str
    hp: bytes | None = None
    generations: tuple[Generation, ...] | None = None
    secret: bytes | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketNumberVector(Vector):
    """packet_number.json: "encode" from `pn` and `largest_acked`, "decode" back."""

    operation: str
    pn: int | None = None
    largest_acked: int | None = None
    largest_pn: int | None = None
    pn_len: int | None = None
    truncated: bytes | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VarintVector(Vector):
    """varint.json; `encoded` may be cut off, then there is an error and no value."""

    value: int | None = None
    encoded: bytes | None = None
    canonical: bool | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """A DATAGRAM frame within a payload: `offset` is that of its data."""

    type: int
    offset: int
    length: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramVector(Vector):
    """datagram_frame.json: a packet's payload and the datagrams in it."""

    payload: bytes
    max_datagram_frame_size: int | None = None
    datagrams: tuple[Datagram, ...] | None = None
    other_frames: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AckRangesVector(Vector):
    """ack_ranges.json: what arrives, what becomes of it, and the ACK frame of it."""

    max_ranges: int | None = None
    floor: int | None = None
    received: tuple[int, ...] | None = None
    ecn: tuple[int, ...] | None = None
    verdicts: tuple[str, ...] | None = None
    floor_after: int | None = None
    ranges: tuple[tuple[int, int], ...] | None = None
    ack_delay: int | None = None
    ecn_counts: tuple[int, int, int] | None = None
    frame: bytes
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameVector(Vector):
    """frames.json: one frame, its fields by their names in the model."""

    type: str | None = None
    frame: bytes
    canonical: bool | None = None
    ack_eliciting: bool | None = None
    fields: dict[str, Json] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RealityVector(Vector):
    """qr1.json: a ClientHello, what a server thinks of it, and the proof that it gets."""

    server_private: bytes
    server_public: bytes
    psk: bytes | None = None
    users: tuple[bytes, ...]
    server_name: str
    wall: int
    version: int = 1
    datagram_size: int = 1250
    share_private: bytes | None = None
    unix_time: int | None = None
    short_id: bytes | None = None
    hello: bytes | None = None
    shared_secret: bytes | None = None
    aad_hash: bytes | None = None
    prk: bytes | None = None
    key: bytes | None = None
    nonce: bytes | None = None
    server_key: bytes | None = None
    plaintext: bytes | None = None
    random: bytes | None = None
    message: bytes
    hash: str | None = None
    server_hello: bytes | None = None
    encrypted_extensions: bytes | None = None
    transcript_hash: bytes | None = None
    spki: bytes | None = None
    signature: bytes | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class VectorFile:
    """All vectors of a kind; `kind` is the file's name as well."""

    kind: str
    vectors: list[Vector] = field(default_factory=list)


def to_json(value: object) -> Json:
    """Return the JSON of a vector or of a part of one.

    Raises:
        TypeError: for a type that has none.
    """
    match value:
        case bool() | int() | str():
            return value
        case bytes():
            return value.hex()
        case tuple() | list():
            return [to_json(item) for item in value]
        case dict():
            return {str(key): to_json(item) for key, item in value.items()}
        case Vector() | Generation() | Datagram():
            return {
                name: to_json(item)
                for name, item in ((part.name, getattr(value, part.name)) for part in fields(value))
                if item is not None
            }
    raise TypeError(f"no JSON for {type(value).__name__}")
