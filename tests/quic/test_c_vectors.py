# SPDX-License-Identifier: BSD-3-Clause
"""The generated C header compiles without a warning and holds what the JSON files hold."""

import subprocess
from pathlib import Path

import pytest

from nexusnet.quic.errors import TransportErrorCode
from tests.support import golden
from tests.support.golden import ROOT, Golden

NONE = (1 << 64) - 1
SUITES = ["aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"]
DROPS = [
    "truncated",
    "long_header",
    "fixed_bit_clear",
    "unknown_connection_id",
    "wrong_key_phase",
    "packet_number_out_of_range",
    "bad_tag",
    "duplicate",
    "too_old",
]
FLAGS = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror"]
# All that the header may count on: the types of the kernel.
TYPES = """\
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
"""


def error_number(vector: Golden) -> int:
    name = vector.get("error")
    if name is None:
        return 0
    return 0x100 + DROPS.index(name) if name in DROPS else TransportErrorCode[name].value


def hexed(*values: str) -> str:
    return " ".join(f"{value}." for value in values)


def numbers(*values: int) -> str:
    return " ".join(str(int(value)) for value in values)


def pairs(values: list[list[int]]) -> str:
    return "".join(f" {low} {high}" for low, high in values) + ";"


def words(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def largest(value: int | None) -> int:
    return NONE if value is None or value < 0 else value


def expected_packet(v: Golden) -> str:
    return words(
        numbers(SUITES.index(v["suite"])),
        hexed(v["secret"], v["key"], v["iv"], v["hp"], v["dcid"]),
        numbers(v["pn"], v["pn_len"], largest(v["largest_pn"]), v["key_phase"], v["spin"]),
        hexed(v["payload"], v["packet"]),
        numbers(v.get("floor", 0)) + pairs(v.get("received", [])),
    )


def expected_packet_number(v: Golden) -> str:
    return words(
        v["operation"],
        numbers(
            v.get("pn", 0),
            largest(v["largest_acked" if v["operation"] == "encode" else "largest_pn"]),
            v.get("pn_len", 0),
            int(v.get("truncated", "0"), 16),
        ),
    )


def expected_key_update(v: Golden) -> str:
    generations = [
        hexed(item["secret"], item["key"], item["iv"]) for item in v.get("generations", [])
    ]
    if "secret" in v:
        generations = [hexed(v["secret"], "", "")]
    return words(numbers(SUITES.index(v["suite"])), hexed(v.get("hp", "")), *generations)


def expected_varint(v: Golden) -> str:
    return words(
        numbers(v.get("value", 0)), hexed(v.get("encoded", "")), numbers(v.get("canonical", 0))
    )


def expected_datagram(v: Golden) -> str:
    places = [
        numbers(item["type"], item["offset"], item["length"]) for item in v.get("datagrams", [])
    ]
    limit = v.get("max_datagram_frame_size", NONE)
    return words(hexed(v["payload"]), numbers(limit, v.get("other_frames", 0)), *places)


def expected_ack(v: Golden) -> str:
    received = v.get("received", [])
    marks = v.get("ecn", [0] * len(received))
    verdicts = [
        0 if verdict == "new" else error_number({"error": verdict})
        for verdict in v.get("verdicts", [])
    ]
    arrivals = [numbers(*item) for item in zip(received, marks, verdicts, strict=True)]
    return words(
        numbers(v.get("max_ranges", 0), v.get("floor", 0)),
        *arrivals,
        numbers(v.get("floor_after", 0)) + pairs(v.get("ranges", [])),
        numbers(v.get("ack_delay", 0), "ecn_counts" in v, *v.get("ecn_counts", [0, 0, 0])),
        hexed(v["frame"]),
    )


def expected_frame(v: Golden) -> str:
    fields = dict(v.get("fields", {}))
    acknowledged = fields.pop("ranges", [])
    integers = [value for value in fields.values() if isinstance(value, int)]
    integers += fields.get("ecn", [])
    strings = [value for value in fields.values() if isinstance(value, str)]
    return words(
        hexed(v["frame"]),
        numbers(v.get("canonical", 0), v.get("ack_eliciting", 0)),
        numbers(*(integers + [0] * 4)[:4]),
        hexed(*(strings + [""] * 2)[:2]) + pairs(acknowledged),
    )


EXPECTED = {
    "varint": expected_varint,
    "packet_number": expected_packet_number,
    "key_update": expected_key_update,
    "short_header": expected_packet,
    "short_header_invalid": expected_packet,
    "datagram_frame": expected_datagram,
    "ack_ranges": expected_ack,
    "frames": expected_frame,
}


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("include")
    (folder / "linux").mkdir()
    (folder / "linux/types.h").write_text(TYPES)
    return folder


def compile_c(include: Path, source: Path, *options: str) -> None:
    command = ["gcc", *FLAGS, f"-I{include}", f"-I{ROOT / 'kernel/tests'}", *options, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_header_holds_what_the_json_holds(include: Path, tmp_path: Path) -> None:
    program = tmp_path / "vectors_dump"
    compile_c(include, Path(__file__).parent / "vectors_dump.c", "-o", str(program))
    done = subprocess.run([program], capture_output=True, text=True, timeout=60, check=True)
    expected = [
        f"{kind} {vector['name']} {error_number(vector)} {line(vector)}"
        for kind, line in EXPECTED.items()
        for vector in golden.load(kind)
    ]
    assert sorted(done.stdout.splitlines()) == sorted(expected)


def test_unused_tables_cost_nothing(include: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "one.c", tmp_path / "one.o"
    source.write_text(
        '#include "vectors_generated.h"\n'
        "unsigned int count(void);\n"
        "unsigned int count(void) { return nqv_varints[3].encoded.len; }\n"
    )
    compile_c(include, source, "-c", "-o", str(target))
    assert target.stat().st_size < 20_000
