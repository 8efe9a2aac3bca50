# SPDX-License-Identifier: BSD-3-Clause
"""Rewrites the seeds in `fuzz/corpus/`: `python -m fuzz.seeds`.

Of the frame parser's, one comes from each golden vector that differs in its type or its verdict
from those before. Of the hello's, one comes from each hello of qr1.json, behind a CRYPTO frame's
header. The scripts of the other targets are the smallest of what earlier runs kept in
`build/fuzz/` that together reach every edge; with none there, what is checked in stays.
"""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from fuzz.__main__ import FOUND, SEEDS, program
from nexus_sim.core import ROOT
from nexusnet.quic.varint import encode_varint

MAX_FRAME_SEED = 200


def write(folder: Path, data: bytes) -> None:
    """Keep one seed, under the name that libFuzzer would give it."""
    name = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    (folder / name).write_bytes(data)


def frame_seeds() -> int:
    """Write the seeds that come from golden vectors; return how many."""
    folder = SEEDS / "frame"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seen = set()
    for name, key in (("frames", "frame"), ("ack_ranges", "frame"), ("datagram_frame", "payload")):
        for vector in json.loads((ROOT / "vectors" / f"{name}.json").read_text())["vectors"]:
            data = bytes.fromhex(vector[key])
            if not 0 < len(data) <= MAX_FRAME_SEED:
                continue
            kind = (data[0], vector.get("error"), len(data) > 8)
            if kind not in seen:
                seen.add(kind)
                write(folder, data)
    return len(seen)


def hello_seeds() -> int:
    """Write hellos that come from golden vectors; return how many."""
    folder = SEEDS / "hello"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    vectors = json.loads((ROOT / "vectors" / "qr1.json").read_text())["vectors"]
    for vector in vectors:
        data = bytes.fromhex(vector["message"])
        write(folder, b"\x06\0" + encode_varint(len(data)) + data)
    return len(vectors)


def script_seeds(target: str) -> int:
    """Keep, of all inputs at hand, a small set that reaches every edge; return how many."""
    folder = SEEDS / target
    kept = FOUND / f"{target}-seeds"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    folder.mkdir(parents=True, exist_ok=True)
    # Edges alone, not how often each was taken: a quarter of the inputs do for that.
    subprocess.run(
        [program("fuzz", target), "-merge=1", "-use_counters=0", kept, folder, FOUND / target],
        check=True,
        capture_output=True,
    )
    regressions = [path for path in folder.iterdir() if path.name.startswith("found-")]
    inputs = list(kept.iterdir())
    if not inputs:
        return len(list(folder.iterdir()))
    for path in folder.iterdir():
        if path not in regressions:
            path.unlink()
    for path in inputs:
        write(folder, path.read_bytes())
    return len(list(folder.iterdir()))


def main() -> None:
    """Rewrite all seeds."""
    print(f"frame: {frame_seeds()} seeds")
    print(f"hello: {hello_seeds()} seeds")
    for target in ("recovery", "conn"):
        print(f"{target}: {script_seeds(target)} seeds")


if __name__ == "__main__":
    main()
