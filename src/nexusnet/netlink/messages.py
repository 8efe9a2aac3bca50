# SPDX-License-Identifier: BSD-3-Clause
"""Requests, replies and events of the family, with the rules that hold for each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from nexusnet.netlink.codec import decode, encode, names_of
from nexusnet.netlink.generated import (
    ABI_VERSION,
    DUMPS,
    EVENT,
    MANDATORY,
    REPLY,
    REQUEST,
    UNICAST,
    Command,
    Event,
    MainAttributes,
)
from nexusnet.netlink.wire import AttributeSet, NetlinkFormatError, pack_int

if TYPE_CHECKING:
    from nexusnet.secret import Buffer

GENERIC_HEADER: Final = 4  # command, version, two reserved bytes

# Netlink header flags (linux/netlink.h).
NLM_F_REQUEST: Final = 0x01
NLM_F_ACK: Final = 0x04
NLM_F_DUMP_INTR: Final = 0x10
NLM_F_DUMP: Final = 0x300
NLM_F_REPLACE: Final = 0x100


def place(nest: str, name: str) -> int:
    """How NQD_A_REQUIRED names an attribute: nest << 16 | type, nest 0 for the top level."""
    for attribute in MainAttributes.ATTRIBUTES:
        if not nest and attribute.name == name:
            return attribute.number
        if nest and attribute.name == nest and attribute.nest is not None:
            for inner in attribute.nest.ATTRIBUTES:
                if inner.name == name:
                    return attribute.number << 16 | inner.number
    raise NetlinkFormatError(f"no attribute {nest}.{name}" if nest else f"no attribute {name}")


@dataclass(frozen=True, slots=True)
class Request:
    """A command with its attributes.

    ``required`` names attributes as (nest, name): the kernel refuses the command where it does not
    know one of them. ``dump`` asks for all objects, ``replace`` lets ADD_ROUTE take the place of a
    route.
    """

    command: Command
    attributes: MainAttributes
    required: tuple[tuple[str, str], ...] = ()
    dump: bool = False
    replace: bool = False

    @property
    def flags(self) -> int:
        """Netlink header flags. A dump is answered by its entries, all else is acknowledged."""
        flags = NLM_F_REQUEST | (NLM_F_DUMP if self.dump else NLM_F_ACK)
        return flags | (NLM_F_REPLACE if self.replace else 0)

    def _check(self, attributes: MainAttributes) -> None:
        command = self.command
        if self.dump and command not in DUMPS:
            raise NetlinkFormatError(f"{command.name} has no dump")
        if self.replace and command is not Command.ADD_ROUTE:
            raise NetlinkFormatError(f"{command.name} replaces nothing")
        extra = names_of(attributes) - REQUEST[command]
        if extra:
            raise NetlinkFormatError(f"{command.name} has no attribute {', '.join(sorted(extra))}")
        for nest, name in MANDATORY[command]:
            holder: AttributeSet | None = getattr(attributes, nest) if nest else attributes
            if holder is None or name not in names_of(holder):
                where = f"{nest}.{name}" if nest else name
                raise NetlinkFormatError(f"{command.name} needs the attribute {where}")

    def encode(self) -> bytearray:
        """Generic netlink header and attributes; the caller wipes it where it carries secrets.

        Raises:
            NetlinkFormatError: a mandatory attribute is missing, one does not belong to the
                command, or a value is not what the ABI allows.
        """
        attributes = replace(
            self.attributes,
            abi_version=ABI_VERSION,
            required=tuple(place(nest, name) for nest, name in self.required),
        )
        self._check(attributes)
        out = bytearray(pack_int(self.command, 1, "command"))
        out += pack_int(ABI_VERSION, 1, "version") + bytes(2)
        out += encode(attributes)
        return out


@dataclass(frozen=True, slots=True)
class Message:
    """What the kernel sent: a reply or dump entry (of a command), or an event."""

    code: Command | Event
    attributes: MainAttributes

    @property
    def to_be_acknowledged(self) -> bool:
        """Whether the session's queue keeps it until EVENT_ACK names its id."""
        return self.code in UNICAST

    @property
    def generation(self) -> int | None:
        """Generation of the object that it is about."""
        attributes = self.attributes
        for holder in (attributes.route, attributes.session, attributes.device):
            if holder is not None:
                return holder.generation
        return None


def _code(number: int) -> Command | Event:
    if any(command == number and names for command, names in REPLY.items()):
        return Command(number)
    if number in EVENT:
        return Event(number)
    raise NetlinkFormatError(f"unknown message {number}")


def decode_message(data: Buffer) -> Message:
    """A message from the kernel, from its generic netlink header on.

    Attributes that do not belong to it are skipped.

    Raises:
        NetlinkFormatError: it is truncated or malformed, of an unknown code, without abi-version,
            or an event to be acknowledged has no id.
    """
    view = memoryview(data).cast("B")
    if len(view) < GENERIC_HEADER:
        raise NetlinkFormatError(f"{len(view)} bytes are too short for a generic netlink header")
    code = _code(view[0])
    allowed = REPLY[code] if isinstance(code, Command) else EVENT[code]
    attributes = decode(MainAttributes, view[GENERIC_HEADER:], allowed)
    if attributes.abi_version is None:
        raise NetlinkFormatError(f"{code.name} does not carry abi-version")
    message = Message(code, attributes)
    if message.to_be_acknowledged and (attributes.event is None or attributes.event.id is None):
        raise NetlinkFormatError(f"{code.name} does not carry event.id")
    return message


class DumpInterruptedError(Exception):
    """Objects changed while they were dumped (NLM_F_DUMP_INTR): ask for the dump again."""


def check_dump_part(flags: int) -> None:
    """Raise :class:`DumpInterruptedError` where a part of a dump has NLM_F_DUMP_INTR set."""
    if flags & NLM_F_DUMP_INTR:
        raise DumpInterruptedError
