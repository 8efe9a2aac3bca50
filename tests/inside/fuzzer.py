# SPDX-License-Identifier: BSD-3-Clause
"""Random and mutated netlink messages, made from the generated declarations."""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_REPLACE,
    NLM_F_REQUEST,
)
from nexusnet.netlink.wire import Kind

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from nexusnet.netlink.wire import Attribute, AttributeSet, Member, Struct

NESTED: Final = 0x8000
EDGES: Final = (0, 1, 2, 3, 7, 8, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63,
                (1 << 62) - 1, (1 << 64) - 1)  # fmt: skip
FLAGS: Final = NLM_F_REQUEST | NLM_F_ACK


def attribute_bytes(number: int, payload: bytes) -> bytes:
    """One attribute, padded."""
    head = struct.pack("=HH", 4 + len(payload), number)
    return head + payload + bytes(-len(payload) % 4)


@dataclass
class Fuzzer:
    """Makes messages.

    Attributes:
        random: source of all choices.
        known: numbers that name objects which are there, by attribute.
    """

    random: random.Random
    known: dict[str, tuple[int, ...]]

    def message(self) -> tuple[bytes, int]:
        """Bytes after the netlink header, and the header's flags."""
        command = self.random.choice(list(nl.Command))
        number = self.random.randrange(256) if self.random.random() < 0.01 else int(command)
        flags = FLAGS
        if self.random.random() < 0.1:
            flags |= NLM_F_DUMP
        if self.random.random() < 0.1:
            flags |= NLM_F_REPLACE
        body = bytes([number, 1, 0, 0]) + self._attributes(command)
        if self.random.random() < 0.3:
            body = self._mutated(body)
        return body, flags

    def _attributes(self, command: nl.Command) -> bytes:
        """Mostly those that the command needs, and some more."""
        wanted = {name for nest, name in nl.MANDATORY[command] if not nest}
        wanted |= {nest for nest, _ in nl.MANDATORY[command] if nest}
        parts = []
        for attribute in nl.MainAttributes.ATTRIBUTES:
            chance = 0.97 if attribute.name in wanted else 0.03
            if self.random.random() >= chance:
                continue
            needed = {name for nest, name in nl.MANDATORY[command] if nest == attribute.name}
            parts += [self._one(attribute, needed) for _ in range(self._times(attribute))]
        if self.random.random() < 0.1:
            self.random.shuffle(parts)
        return b"".join(parts)

    def _times(self, attribute: Attribute) -> int:
        if not attribute.multi:
            return 1
        return self.random.choice((1, 1, 1, 2, 3, 8, 9, 40))

    def _nest(self, kind: type[AttributeSet], needed: Iterable[str]) -> bytes:
        parts = []
        for attribute in kind.ATTRIBUTES:
            if self.random.random() < (0.98 if attribute.name in needed else 0.1):
                parts += [self._one(attribute, ()) for _ in range(self._times(attribute))]
        return b"".join(parts)

    def _one(self, attribute: Attribute, needed: Iterable[str]) -> bytes:
        if attribute.nest is not None:
            inner = self._nest(attribute.nest, needed)[: 0xFFF0 & ~3]
            return attribute_bytes(attribute.number | NESTED, inner)
        return attribute_bytes(attribute.number, self._payload(attribute))

    def _payload(self, attribute: Attribute) -> bytes:
        if attribute.name == "abi_version":
            return struct.pack("=I", 1 if self.random.random() < 0.99 else 2)
        if attribute.struct is not None:
            return self._struct(attribute.struct)
        if attribute.kind is Kind.INT:
            value = self._integer(attribute) & ((1 << (8 * attribute.size)) - 1)
            return value.to_bytes(attribute.size, sys.byteorder)
        if attribute.kind is Kind.STRING:
            text = self.random.choice((b"q0", b"", b"lo", b"a/b", b"x" * 40, b"nexusq%d"))
            return text + b"\0"
        if attribute.kind is Kind.U32_LIST:
            return b"".join(
                struct.pack("=I", self.random.choice((3 << 16 | 1, 6 << 16 | 2, 6 << 16 | 99)))
                for _ in range(self.random.randrange(4))
            )
        return self.random.randbytes(self.random.choice((0, 1, 20, 300, 1152, 1153)))

    def _integer(self, attribute: Attribute) -> int:
        chosen = self.random.random()
        if attribute.name in self.known and chosen < 0.9:
            return self.random.choice(self.known[attribute.name])
        if attribute.enum is not None and chosen < 0.8:
            return int(self.random.choice(list(attribute.enum)))
        if attribute.minimum is not None and chosen < 0.6:
            high = attribute.maximum or attribute.minimum + 100
            return self.random.randint(attribute.minimum, high)
        return self.random.choice(EDGES) if chosen < 0.9 else self.random.getrandbits(64)

    def _struct(self, kind: type[Struct]) -> bytes:
        made = b"".join(self._member(member) for member in kind.MEMBERS)
        if self.random.random() < 0.02:
            made = made[: self.random.randrange(len(made))]
        return made

    def _member(self, member: Member) -> bytes:
        if member.name is None:
            return bytes(member.size) if self.random.random() < 0.99 else b"\1" * member.size
        if member.kind is Kind.INT:
            if member.name == "family":
                value = self.random.choice((2, 2, 10, 10, 0, 77))
            elif member.name in {"len", "prefix_len"}:
                value = self.random.choice((0, 8, 20, 24, 32, 48, 64, 128, 200))
            else:
                value = self.random.choice(EDGES)
            value &= (1 << (8 * member.size)) - 1
            return value.to_bytes(member.size, "big" if member.big_endian else sys.byteorder)
        if self.random.random() < 0.7:
            return bytes(member.size)
        return self.random.randbytes(member.size)

    def _mutated(self, body: bytes) -> bytes:
        changed = bytearray(body)
        for _ in range(self.random.choice((1, 1, 2, 5))):
            at = self.random.randrange(len(changed))
            match self.random.randrange(4):
                case 0:
                    changed[at] ^= 1 << self.random.randrange(8)
                case 1:
                    changed[at] = self.random.randrange(256)
                case 2:
                    del changed[max(4, at) :]
                case _:
                    changed += self.random.randbytes(self.random.randrange(1, 40))
        return bytes(changed)
