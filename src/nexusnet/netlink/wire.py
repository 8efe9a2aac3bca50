# SPDX-License-Identifier: BSD-3-Clause
"""Structs, attributes and enums of netlink messages: what the generated declarations are made of.

Byte order is the host's, except members marked big-endian. Whatever is wrong with a value or with
received bytes raises :class:`NetlinkFormatError`, nothing else.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import Any, ClassVar, Self

from nexusnet.secret import Buffer, SecretBytes


class NetlinkFormatError(ValueError):
    """A message, attribute or struct is not what the ABI says, on its way in or out."""


class OpenEnum(IntEnum):
    """An enum that the kernel may know more values of: they decode as UNKNOWN_<value>."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or not 0 <= value < 1 << 32:
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member

    @property
    def known(self) -> bool:
        """Whether this version of the ABI names the value."""
        return self.name in type(self).__members__


class Kind(Enum):
    """How the payload of an attribute, or a member of a struct, is to be read."""

    INT = auto()
    STRING = auto()
    BYTES = auto()
    SECRET = auto()
    STRUCT = auto()
    NEST = auto()
    U32_LIST = auto()


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct; ``name`` None is padding."""

    name: str | None
    kind: Kind
    size: int
    big_endian: bool = False
    enum: type[OpenEnum] | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a set, with what a value must satisfy."""

    name: str
    number: int
    kind: Kind
    size: int = 0
    signed: bool = False
    multi: bool = False
    write_only: bool = False
    enum: type[OpenEnum] | None = None
    struct: type[Struct] | None = None
    nest: type[AttributeSet] | None = None
    minimum: int | None = None
    maximum: int | None = None
    mask: int | None = None
    min_len: int = 0
    max_len: int | None = None


def pack_int(
    value: object, size: int, what: str, *, big: bool = False, signed: bool = False
) -> bytes:
    """An integer of ``size`` bytes."""
    if not isinstance(value, int):
        raise NetlinkFormatError(f"{what} must be an integer, not {type(value).__name__}")
    try:
        return int(value).to_bytes(size, "big" if big else sys.byteorder, signed=signed)
    except OverflowError:
        raise NetlinkFormatError(f"{what} = {value} does not fit {size} bytes") from None


def _raw(value: object, what: str, kind: Kind) -> memoryview | bytes:
    if kind is Kind.SECRET and isinstance(value, SecretBytes):
        return value.reveal()
    if kind is Kind.STRING and isinstance(value, str):
        return value.encode()
    if kind is Kind.BYTES and isinstance(value, bytes):
        return value
    raise NetlinkFormatError(f"{what} has the wrong type {type(value).__name__}")


class Struct:
    """Base of the generated fixed-size structs: frozen dataclasses, laid out by ``MEMBERS``."""

    __slots__ = ()
    NAME: ClassVar[str]
    SIZE: ClassVar[int]
    MEMBERS: ClassVar[tuple[Member, ...]]

    def pack_into(self, out: bytearray) -> None:
        """Append the struct's bytes; no copy of a secret is left elsewhere."""
        for member in self.MEMBERS:
            if member.name is None:
                out += bytes(member.size)
                continue
            what = f"{self.NAME}.{member.name}"
            value = getattr(self, member.name)
            if member.kind is Kind.INT:
                out += pack_int(value, member.size, what, big=member.big_endian)
                continue
            raw = _raw(value, what, member.kind)
            room = member.size - 1 if member.kind is Kind.STRING else member.size
            if len(raw) > room:
                raise NetlinkFormatError(f"{what} has {len(raw)} bytes, at most {room} fit")
            out += raw
            out += bytes(member.size - len(raw))

    def pack(self) -> bytearray:
        """The struct's bytes."""
        out = bytearray()
        self.pack_into(out)
        return out

    @classmethod
    def unpack(cls, data: Buffer) -> Self:
        """The struct in exactly ``SIZE`` bytes.

        Byte members come back in their full length, zeros and all. Raises
        :class:`NetlinkFormatError` on another length and on padding that is not zero.
        """
        view = memoryview(data).cast("B")
        if len(view) != cls.SIZE:
            raise NetlinkFormatError(f"{cls.NAME} has {len(view)} bytes instead of {cls.SIZE}")
        values: dict[str, Any] = {}
        at = 0
        for member in cls.MEMBERS:
            part = view[at : at + member.size]
            at += member.size
            if member.name is None:
                if any(part):
                    raise NetlinkFormatError(f"{cls.NAME} has padding that is not zero")
                continue
            values[member.name] = cls._read(member, part)
        return cls(**values)

    @classmethod
    def _read(cls, member: Member, part: memoryview) -> object:
        match member.kind:
            case Kind.INT:
                number = int.from_bytes(part, "big" if member.big_endian else sys.byteorder)
                return number if member.enum is None else member.enum(number)
            case Kind.SECRET:
                return SecretBytes(part)
            case Kind.STRING:
                text, end, _ = bytes(part).partition(b"\0")
                if not end:
                    raise NetlinkFormatError(f"{cls.NAME}.{member.name} has no terminating zero")
                return decode_text(text, f"{cls.NAME}.{member.name}")
            case _:
                return bytes(part)


def decode_text(data: bytes, what: str) -> str:
    """UTF-8 text."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NetlinkFormatError(f"{what} is not UTF-8") from None


class AttributeSet:
    """Base of the generated attribute sets: frozen dataclasses, absent attributes None or ()."""

    __slots__ = ()
    NAME: ClassVar[str]
    ATTRIBUTES: ClassVar[tuple[Attribute, ...]]
