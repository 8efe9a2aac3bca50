# SPDX-License-Identifier: BSD-3-Clause
"""Golden vectors, read from their files as any other program would read them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KINDS = (
    "varint",
    "packet_number",
    "key_update",
    "short_header",
    "short_header_invalid",
    "datagram_frame",
    "ack_ranges",
    "frames",
)

Golden = dict[str, Any]


@cache
def load(kind: str) -> tuple[Golden, ...]:
    document = json.loads((ROOT / "vectors" / f"{kind}.json").read_text())
    assert document["schema"] == "nexus-quic-vectors/1"
    assert document["kind"] == kind
    return tuple(document["vectors"])


def valid(kind: str) -> list[Golden]:
    return [vector for vector in load(kind) if "error" not in vector]


def invalid(kind: str) -> list[Golden]:
    return [vector for vector in load(kind) if "error" in vector]


def binary(vector: Golden, field: str) -> bytes:
    return bytes.fromhex(vector[field])


@cache
def _generations() -> dict[str, tuple[int, str, str]]:
    """Return the generation, the first secret and the suite of every secret in key_update.json."""
    return {
        generation["secret"]: (index, chain["generations"][0]["secret"], chain["suite"])
        for chain in valid("key_update")
        for index, generation in enumerate(chain["generations"])
    }


def first_secret(vector: Golden) -> tuple[int, bytes]:
    """Return the key generation of a packet vector, and generation 0 of its chain."""
    generation, first, suite = _generations()[vector["secret"]]
    assert suite == vector["suite"]
    return generation, bytes.fromhex(first)
