# SPDX-License-Identifier: BSD-3-Clause
"""Bytes of attribute sets: the generated dataclasses to netlink attributes and back.

The bytes are those after the generic netlink header. Encoding is strict. Decoding ignores unknown
attributes, refuses write-only ones and every malformed value; the error is
:class:`~nexusnet.netlink.wire.NetlinkFormatError` either way.
"""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from nexusnet.netlink.wire import (
    Attribute,
    AttributeSet,
    Kind,
    NetlinkFormatError,
    OpenEnum,
    decode_text,
    pack_int,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexusnet.secret import Buffer

HEADER = 4
NESTED = 0x8000  # NLA_F_NESTED
TYPE_MASK = 0x3FFF  # NLA_TYPE_MASK
MAX_PAYLOAD = 0xFFFF - HEADER
U32 = 4

_Set = TypeVar("_Set", bound=AttributeSet)


def _align(out: bytearray) -> None:
    out += bytes(-len(out) % 4)


def _header(number: int, length: int, what: str) -> bytes:
    if length > MAX_PAYLOAD:
        raise NetlinkFormatError(f"{what} has {length} bytes, an attribute holds {MAX_PAYLOAD}")
    return pack_int(HEADER + length, 2, what) + pack_int(number, 2, what)


def _check_number(attribute: Attribute, value: int, what: str) -> None:
    low, high = attribute.minimum, attribute.maximum
    if isinstance(value, OpenEnum) and not value.known:
        raise NetlinkFormatError(f"{what}: {int(value)} is not a value of {type(value).__name__}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise NetlinkFormatError(f"{what} = {value} is outside {low} to {high}")
    if attribute.mask is not None and value & ~attribute.mask:
        raise NetlinkFormatError(f"{what} = {value:#x} has bits outside {attribute.mask:#x}")


def _check_length(attribute: Attribute, length: int, what: str) -> None:
    if length < attribute.min_len:
        raise NetlinkFormatError(f"{what} has {length} bytes, at least {attribute.min_len} needed")
    if attribute.max_len is not None and length > attribute.max_len:
        raise NetlinkFormatError(f"{what} has {length} bytes, at most {attribute.max_len} allowed")


def _encode_bytes(attribute: Attribute, value: object, what: str) -> bytes:
    """Payload of the kinds that are no secret and no nest."""
    if attribute.kind is Kind.INT and isinstance(value, int):
        if attribute.enum is not None and not isinstance(value, attribute.enum):
            raise NetlinkFormatError(f"{what} must be a {attribute.enum.__name__}")
        _check_number(attribute, value, what)
        return pack_int(value, attribute.size, what, signed=attribute.signed)
    if attribute.kind is Kind.STRING and isinstance(value, str):
        data = value.encode()
        if b"\0" in data:
            raise NetlinkFormatError(f"{what} has a zero byte inside")
        _check_length(attribute, len(data), what)
        return data + b"\0"
    if attribute.kind is Kind.BYTES and isinstance(value, bytes):
        _check_length(attribute, len(value), what)
        return value
    if attribute.kind is Kind.U32_LIST and isinstance(value, tuple):
        _check_length(attribute, len(value) * U32, what)
        return b"".join(pack_int(item, U32, what) for item in value)
    raise NetlinkFormatError(f"{what} has the wrong type {type(value).__name__}")


def _append(out: bytearray, attribute: Attribute, value: object, what: str) -> None:
    """One attribute; secrets go from their buffer into ``out`` without a copy between."""
    if attribute.kind is Kind.STRUCT:
        if attribute.struct is None or not isinstance(value, attribute.struct):
            raise NetlinkFormatError(f"{what} has the wrong type {type(value).__name__}")
        out += _header(attribute.number, attribute.struct.SIZE, what)
        value.pack_into(out)
    elif attribute.kind is Kind.NEST:
        if attribute.nest is None or not isinstance(value, attribute.nest):
            raise NetlinkFormatError(f"{what} has the wrong type {type(value).__name__}")
        start = len(out)
        out += bytes(HEADER)
        _encode_into(out, value)
        out[start : start + HEADER] = _header(
            attribute.number | NESTED, len(out) - start - HEADER, what
        )
    else:
        data = _encode_bytes(attribute, value, what)
        out += _header(attribute.number, len(data), what)
        out += data
    _align(out)


def _encode_into(out: bytearray, attributes: AttributeSet) -> None:
    for attribute in attributes.ATTRIBUTES:
        value: Any = getattr(attributes, attribute.name)
        what = f"{attributes.NAME}.{attribute.name}"
        if attribute.kind is Kind.U32_LIST and value == ():
            continue
        for item in value if attribute.multi else (value,):
            if item is not None:
                _append(out, attribute, item, what)


def encode(attributes: AttributeSet) -> bytearray:
    """Netlink attributes of a set, in the order of the specification.

    The buffer is the caller's to wipe where it carries secrets.

    Raises:
        NetlinkFormatError: a value has the wrong type, is out of range or does not fit.
    """
    out = bytearray()
    try:
        _encode_into(out, attributes)
    except NetlinkFormatError:
        out[:] = bytes(len(out))
        raise
    return out


def walk(data: Buffer) -> Iterator[tuple[int, bool, memoryview]]:
    """Number, nested flag and payload of each attribute; a typed error on a wrong length."""
    view = memoryview(data).cast("B")
    while view:
        if len(view) < HEADER:
            raise NetlinkFormatError(f"{len(view)} bytes are too short for an attribute")
        length = int.from_bytes(view[:2], sys.byteorder)
        number = int.from_bytes(view[2:4], sys.byteorder)
        if not HEADER <= length <= len(view):
            raise NetlinkFormatError(f"attribute of {length} bytes where {len(view)} are left")
        yield number & TYPE_MASK, bool(number & NESTED), view[HEADER:length]
        view = view[(length + 3) & ~3 :]


def _decode_text(attribute: Attribute, payload: memoryview, what: str) -> str:
    data = bytes(payload)
    if not data.endswith(b"\0") or data.index(0) != len(data) - 1:
        raise NetlinkFormatError(f"{what} is not one zero-terminated string")
    _check_length(attribute, len(data) - 1, what)
    return decode_text(data[:-1], what)


def _decode_one(attribute: Attribute, payload: memoryview, what: str) -> object:
    if attribute.write_only:
        raise NetlinkFormatError(f"{what} is write-only, yet it was received")
    if attribute.nest is not None:
        return decode(attribute.nest, payload)
    if attribute.struct is not None:
        return attribute.struct.unpack(payload)
    if attribute.kind is Kind.STRING:
        return _decode_text(attribute, payload, what)
    if attribute.kind is Kind.BYTES:
        _check_length(attribute, len(payload), what)
        return bytes(payload)
    size = attribute.size or U32
    if len(payload) % size or (attribute.kind is Kind.INT and len(payload) != size):
        raise NetlinkFormatError(f"{what} has {len(payload)} bytes, not {size} each")
    numbers = tuple(
        int.from_bytes(payload[at : at + size], sys.byteorder, signed=attribute.signed)
        for at in range(0, len(payload), size)
    )
    if attribute.kind is Kind.U32_LIST:
        return numbers
    number = numbers[0]
    return number if attribute.enum is None else attribute.enum(number)


def decode(kind: type[_Set], data: Buffer, only: frozenset[str] | None = None) -> _Set:
    """The attribute set in ``data``; of an attribute that is there twice, the last one counts.

    Numbers out of the range that requests must keep are not refused: a newer kernel may know more.
    ``only`` names the attributes to read, all others are skipped as if unknown.

    Raises:
        NetlinkFormatError: a length does not add up, a value is malformed or write-only.
    """
    known = {attribute.number: attribute for attribute in kind.ATTRIBUTES}
    values: dict[str, Any] = {}
    for number, nested, payload in walk(data):
        attribute = known.get(number)
        if attribute is None or (only is not None and attribute.name not in only):
            continue
        what = f"{kind.NAME}.{attribute.name}"
        if nested != (attribute.kind is Kind.NEST):
            raise NetlinkFormatError(f"{what} has the nested flag wrong")
        value = _decode_one(attribute, payload, what)
        if attribute.multi:
            value = (*values.get(attribute.name, ()), value)
        values[attribute.name] = value
    return kind(**values)


def names_of(attributes: AttributeSet) -> frozenset[str]:
    """Names of the attributes that are set."""
    return frozenset(
        field.name
        for field in fields(attributes)  # type: ignore[arg-type]  # every subclass is a dataclass
        if getattr(attributes, field.name) != field.default
    )
