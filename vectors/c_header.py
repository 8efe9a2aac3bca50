# SPDX-License-Identifier: BSD-3-Clause
"""The golden vectors as C tables, for KUnit and for tests of the C core in user space."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from nexusnet.quic.errors import DropReason, TransportErrorCode
from nexusnet.quic.keys import CipherSuite
from vectors.c_layout import LAYOUT
from vectors.model import (
    AckRangesVector,
    DatagramVector,
    FrameVector,
    Json,
    KeyUpdateVector,
    PacketNumberVector,
    ShortHeaderVector,
    VarintVector,
    Vector,
)

BYTES_A_LINE: Final = 24
FIRST_DROP: Final = 0x100

V = TypeVar("V", bound=Vector)


def _error_symbol(name: str | None) -> str:
    return "NQV_OK" if name is None else f"NQV_{name.upper()}"


def _enums() -> str:
    errors = ["\tNQV_OK = 0,"]
    errors += [
        f"\tNQV_{code.name} = {code.value:#04x},"
        for code in TransportErrorCode
        if code is not TransportErrorCode.NO_ERROR
    ]
    errors += [
        f"\tNQV_{reason.name} = {FIRST_DROP + index:#x}," for index, reason in enumerate(DropReason)
    ]
    suites = [f"\tNQV_{suite.name}," for suite in CipherSuite]
    return "\n".join(
        (
            "/* What a vector must lead to: a QUIC error code, or why the packet is dropped. */",
            "enum nqv_error {",
            *errors,
            "};",
            "",
            "enum nqv_suite {",
            *suites,
            "};",
        )
    )


class _Pool:
    """Byte strings and arrays of numbers, each written once however often it is used."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[tuple[str, object], str] = {}

    def bytes(self, value: bytes | None) -> str:
        """Return an initialiser of `struct nqv_bytes`."""
        key = ("b", value or b"")
        if key not in self._names:
            name = self._names[key] = f"nqv_b{len(self._names)}"
            chunks = [
                (value or b"")[start : start + BYTES_A_LINE]
                for start in range(0, len(value or b""), BYTES_A_LINE)
            ] or [b""]
            text = "\n".join(
                '\t"' + "".join(f"\\x{byte:02x}" for byte in chunk) + '"' for chunk in chunks
            )
            self.lines.append(f"static const u8 {name}[] =\n{text};")
        return f"NQV_BYTES({self._names[key]})"

    def array(self, c_type: str, values: Sequence[str]) -> str | None:
        """Return the name of an array of `c_type`, or None where it would be empty."""
        if not values:
            return None
        items = tuple(values)
        key = (c_type, items)
        if key not in self._names:
            name = self._names[key] = f"nqv_a{len(self._names)}"
            body = "".join(f"\t{item},\n" for item in _rows(items))
            self.lines.append(f"static const {c_type} {name}[] = {{\n{body}}};")
        return self._names[key]


def _rows(items: Iterable[str]) -> Iterable[str]:
    """Join short items to rows of at most 90 characters."""
    row = ""
    for item in items:
        if row and len(row) + len(item) > 88:
            yield row
            row = ""
        row += (", " if row else "") + item
    if row:
        yield row


def _number(value: int) -> str:
    return f"{value}ULL" if value > 0x7FFF_FFFF else str(value)


def _largest(value: int | None) -> str:
    """Write a largest packet number; none yet is ~0, so that adding one gives what is expected."""
    return "NQV_NONE_YET" if value is None or value < 0 else _number(value)


def _struct(**fields: str | int | None) -> str:
    """Return an initialiser; what is None or 0 is left to the compiler."""
    parts = [
        f".{name} = {_number(value) if isinstance(value, int) else value}"
        for name, value in fields.items()
        if value is not None and value != 0
    ]
    return "\t{\n" + "".join(f"\t\t{part},\n" for part in parts) + "\t},\n"


def _range(pair: tuple[int, int]) -> str:
    return f"{{ {_number(pair[0])}, {_number(pair[1])} }}"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _suite(name: str) -> str:
    return f"NQV_{CipherSuite(name).name}"


def _short_header(pool: _Pool, vector: ShortHeaderVector) -> str:
    received = vector.received or ()
    return _struct(
        name=_quoted(vector.name),
        suite=_suite(vector.suite),
        error=_error_symbol(vector.error),
        secret=pool.bytes(vector.secret),
        key=pool.bytes(vector.key),
        iv=pool.bytes(vector.iv),
        hp=pool.bytes(vector.hp),
        dcid=pool.bytes(vector.dcid),
        payload=pool.bytes(vector.payload),
        packet=pool.bytes(vector.packet),
        pn=vector.pn,
        largest_pn=_largest(vector.largest_pn),
        floor=vector.floor,
        received=pool.array("struct nqv_range", [_range(pair) for pair in received]),
        received_count=len(received),
        pn_len=vector.pn_len,
        key_phase=vector.key_phase,
        spin=int(vector.spin),
    )


def _key_update(pool: _Pool, vector: KeyUpdateVector) -> str:
    generations = [
        f"{{ {pool.bytes(item.secret)}, {pool.bytes(item.key)}, {pool.bytes(item.iv)} }}"
        for item in vector.generations or ()
    ]
    if vector.secret is not None:
        empty = pool.bytes(b"")
        generations = [f"{{ {pool.bytes(vector.secret)}, {empty}, {empty} }}"]
    return _struct(
        name=_quoted(vector.name),
        suite=_suite(vector.suite),
        error=_error_symbol(vector.error),
        hp=pool.bytes(vector.hp),
        generations=pool.array("struct nqv_generation", generations),
        generation_count=len(generations),
    )


def _packet_number(_pool: _Pool, vector: PacketNumberVector) -> str:
    truncated = None if vector.truncated is None else int.from_bytes(vector.truncated, "big")
    encode = vector.operation == "encode"
    return _struct(
        name=_quoted(vector.name),
        error=_error_symbol(vector.error),
        pn=vector.pn,
        largest=_largest(vector.largest_acked if encode else vector.largest_pn),
        truncated=truncated,
        pn_len=vector.pn_len,
    )


def _varint(pool: _Pool, vector: VarintVector) -> str:
    return _struct(
        name=_quoted(vector.name),
        error=_error_symbol(vector.error),
        value=vector.value,
        encoded=pool.bytes(vector.encoded),
        canonical=int(bool(vector.canonical)),
    )


def _datagram(pool: _Pool, vector: DatagramVector) -> str:
    datagrams = [
        f"{{ {item.type:#x}, {item.offset}, {item.length} }}" for item in vector.datagrams or ()
    ]
    limit = vector.max_datagram_frame_size
    return _struct(
        name=_quoted(vector.name),
        error=_error_symbol(vector.error),
        payload=pool.bytes(vector.payload),
        max_datagram_frame_size="NQV_NO_LIMIT" if limit is None else limit,
        datagrams=pool.array("struct nqv_datagram", datagrams),
        datagram_count=len(datagrams),
        other_frames=vector.other_frames,
    )


def _ack(pool: _Pool, vector: AckRangesVector) -> str:
    received = vector.received or ()
    ranges = vector.ranges or ()
    ect0, ect1, ce = vector.ecn_counts or (0, 0, 0)
    verdicts = ["0" if item == "new" else _error_symbol(item) for item in vector.verdicts or ()]
    return _struct(
        name=_quoted(vector.name),
        error=_error_symbol(vector.error),
        max_ranges=vector.max_ranges,
        floor=vector.floor,
        received=pool.array("u64", [_number(pn) for pn in received]),
        ecn=pool.array("u8", [str(int(mark)) for mark in vector.ecn or (0,) * len(received)]),
        verdicts=pool.array("u32", verdicts),
        received_count=len(received),
        floor_after=vector.floor_after,
        ranges=pool.array("struct nqv_range", [_range(pair) for pair in ranges]),
        range_count=len(ranges),
        ack_delay=vector.ack_delay,
        has_ecn=int(vector.ecn_counts is not None),
        ect0=ect0,
        ect1=ect1,
        ce=ce,
        frame=pool.bytes(vector.frame),
    )


def _numbers(value: Json) -> list[int]:
    if not isinstance(value, list):
        raise TypeError("a list of numbers was expected")
    return [item for item in value if isinstance(item, int)]


def _frame(pool: _Pool, vector: FrameVector) -> str:
    numbers: list[int] = []
    strings: list[bytes] = []
    ranges: list[str] = []
    for name, value in (vector.fields or {}).items():
        if name == "ranges" and isinstance(value, list):
            for item in value:
                smallest, largest = _numbers(item)
                ranges.append(_range((smallest, largest)))
        elif name == "ecn":
            numbers += _numbers(value)
        elif isinstance(value, int):
            numbers.append(int(value))
        elif isinstance(value, str):
            strings.append(bytes.fromhex(value))
    return _struct(
        name=_quoted(vector.name),
        error=_error_symbol(vector.error),
        frame=pool.bytes(vector.frame),
        canonical=int(bool(vector.canonical)),
        ack_eliciting=int(bool(vector.ack_eliciting)),
        numbers="{ " + ", ".join(map(_number, numbers)) + " }" if numbers else None,
        strings="{ " + ", ".join(map(pool.bytes, strings)) + " }" if strings else None,
        ranges=pool.array("struct nqv_range", ranges),
        range_count=len(ranges),
    )


def _only(kind: type[V], vectors: Iterable[Vector]) -> list[V]:
    """Return `vectors`, all of which are of `kind`."""
    typed = []
    for vector in vectors:
        if not isinstance(vector, kind):
            raise TypeError(f"{vector.name} is no {kind.__name__}")
        typed.append(vector)
    return typed


def c_header(kinds: dict[str, list[Vector]]) -> str:
    """Return the text of the header with the vectors of all kinds."""
    pool = _Pool()
    numbers = _only(PacketNumberVector, kinds["packet_number"])
    tables = {
        ("nqv_varint", "nqv_varints"): [
            _varint(pool, item) for item in _only(VarintVector, kinds["varint"])
        ],
        ("nqv_packet_number", "nqv_packet_number_encodings"): [
            _packet_number(pool, item) for item in numbers if item.operation == "encode"
        ],
        ("nqv_packet_number", "nqv_packet_number_decodings"): [
            _packet_number(pool, item) for item in numbers if item.operation == "decode"
        ],
        ("nqv_key_update", "nqv_key_updates"): [
            _key_update(pool, item) for item in _only(KeyUpdateVector, kinds["key_update"])
        ],
        ("nqv_short_header", "nqv_short_headers"): [
            _short_header(pool, item) for item in _only(ShortHeaderVector, kinds["short_header"])
        ],
        ("nqv_short_header", "nqv_short_headers_invalid"): [
            _short_header(pool, item)
            for item in _only(ShortHeaderVector, kinds["short_header_invalid"])
        ],
        ("nqv_datagram_frame", "nqv_datagram_frames"): [
            _datagram(pool, item) for item in _only(DatagramVector, kinds["datagram_frame"])
        ],
        ("nqv_ack", "nqv_acks"): [
            _ack(pool, item) for item in _only(AckRangesVector, kinds["ack_ranges"])
        ],
        ("nqv_frame", "nqv_frames"): [
            _frame(pool, item) for item in _only(FrameVector, kinds["frames"])
        ],
    }
    return LAYOUT.format(
        enums=_enums(),
        pool="\n\n".join(pool.lines),
        tables="\n".join(
            f"static const struct {struct} {name}[] = {{\n{''.join(rows)}}};\n"
            for (struct, name), rows in tables.items()
        ),
    )
