# SPDX-License-Identifier: BSD-3-Clause
"""Write the golden vectors, or check that those in the tree are what the model makes.

Run as `python -m vectors.generate` in the root of the tree.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from vectors.acks import ack_ranges_vectors
from vectors.c_header import c_header
from vectors.datagrams import datagram_vectors
from vectors.frame_vectors import frame_vectors
from vectors.key_updates import key_update_vectors
from vectors.model import Json, Vector, to_json
from vectors.numbers import packet_number_vectors, varint_vectors
from vectors.reality import reality_vectors
from vectors.short_headers import DCID_LENGTHS, short_header_vectors
from vectors.short_headers_invalid import short_header_invalid_vectors

ROOT: Final = Path(__file__).resolve().parent.parent
HEADER: Final = "kernel/tests/vectors_generated.h"
SCHEMA: Final = "nexus-quic-vectors/1"
LINE: Final = 100


def all_vectors() -> dict[str, list[Vector]]:
    """Return the vectors of each kind."""
    kinds = {
        "varint": varint_vectors(),
        "packet_number": packet_number_vectors(),
        "key_update": key_update_vectors(DCID_LENGTHS),
        "short_header": short_header_vectors(),
        "short_header_invalid": short_header_invalid_vectors(),
        "datagram_frame": datagram_vectors(),
        "ack_ranges": ack_ranges_vectors(),
        "frames": frame_vectors(),
        "qr1": reality_vectors(),
    }
    for kind, vectors in kinds.items():
        names = [vector.name for vector in vectors]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise AssertionError(f"several vectors of {kind} are called {twice[0]}")
    return kinds


def _filled(items: Iterable[str]) -> str:
    """Put `items` on lines of about `LINE` characters; a long one has a line for itself."""
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) > LINE:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + item
    return "\n  ".join(lines)


def render(kind: str, vectors: list[Vector]) -> str:
    """Return a vector file: a few lines for each vector, so that differences can be read."""

    def one(vector: Vector) -> str:
        fields = to_json(vector)
        if not isinstance(fields, dict):
            raise TypeError("a vector is an object")
        items: list[tuple[str, Json]] = list(fields.items())
        last = len(items) - 1
        return _filled(
            f"{json.dumps(name)}: {json.dumps(value)}{',' if index < last else ''}"
            for index, (name, value) in enumerate(items)
        )

    body = ",\n".join(f" {{{one(vector)}}}" for vector in vectors)
    return f'{{"schema": "{SCHEMA}", "kind": "{kind}", "vectors": [\n{body}\n]}}\n'


def outputs() -> dict[str, str]:
    """Return the text of every generated file by its path from the root of the tree."""
    kinds = all_vectors()
    files = {f"vectors/{kind}.json": render(kind, vectors) for kind, vectors in kinds.items()}
    files[HEADER] = c_header(kinds)
    return files


def main() -> int:
    """Write or check all files; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail where a file differs"
    )
    arguments = parser.parse_args()
    stale = []
    for name, text in outputs().items():
        path = ROOT / name
        if path.is_file() and path.read_text() == text:
            continue
        stale.append(name)
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"vectors: wrote {name} ({len(text) // 1024} KiB)")
    if arguments.check and stale:
        print(f"vectors: {', '.join(stale)}: not up to date; run 'make vectors'", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
