# SPDX-License-Identifier: BSD-3-Clause
"""The control messages of context 1 and their encoding.

    control message = version (1 byte) | type (varint) | message ID (varint) | fields

Messages are values: frozen, compared by content. `decode_message` accepts exactly what
`encode_message` of this or a later, compatible sender gives; `fields` says how unknown parts are
treated.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from nexusnet.l3ptp.context import CONTROL_PAYLOAD_MAX
from nexusnet.l3ptp.errors import (
    InvalidMessageError,
    MalformedError,
    UnknownCriticalError,
    UnsupportedVersionError,
)
from nexusnet.l3ptp.fields import (
    Interface,
    Network,
    decode_fields,
    decode_interfaces,
    decode_networks,
    decode_number,
    decode_numbers,
    encode_fields,
    encode_interfaces,
    encode_networks,
    is_critical,
    varint,
)
from nexusnet.quic.errors import QuicError
from nexusnet.quic.reader import Reader

VERSION: Final = 1
"""Of the encoding; READY is encoded in version 1 for ever, so that its versions can be read."""

MTU_MIN: Final = 576
MTU_MAX: Final = 65535
"""Bytes of an inner IP packet."""

REASON_MAX: Final = 256
"""Bytes of a reason text in UTF-8."""

SACK_BITS: Final = 32
"""Messages beyond the next expected one that an acknowledgement can tell of."""


class MessageType(enum.IntEnum):
    """Type numbers; odd ones are critical."""

    READY = 0x01
    CAPABILITIES = 0x02
    ACK = 0x03
    KEEPALIVE = 0x04
    CLOSE = 0x05
    REFUSED = 0x06
    ADDRESSES = 0x07
    ROUTES = 0x09
    MTU = 0x0B


class Capability(enum.IntEnum):
    """What an end can do beyond version 1; numbers that are not listed are kept as they are."""

    KERNEL_DATA_PLANE = 1
    PATH_MIGRATION = 2
    ROUTE_UPDATES = 3


class CloseCode(enum.IntEnum):
    """Why an end closes the tunnel; other numbers are kept as they are."""

    SHUTDOWN = 0
    RECONFIGURED = 1
    PROTOCOL_ERROR = 2
    UNSUPPORTED = 3
    POLICY = 4
    DATA_PLANE_FAILED = 5


@dataclass(frozen=True, slots=True)
class Ready:
    """The sender's session is active: it takes IP packets from now on.

    Attributes:
        versions: of control messages that the sender reads, at least one, rising.
    """

    TYPE: ClassVar = MessageType.READY
    KNOWN: ClassVar = frozenset({0x01})
    versions: tuple[int, ...] = (VERSION,)

    def __post_init__(self) -> None:
        if not self.versions or list(self.versions) != sorted(set(self.versions)):
            raise InvalidMessageError("READY lists versions in rising order, at least one")

    def to_fields(self) -> dict[int, bytes]:
        """Return the fields."""
        return {0x01: b"".join(map(varint, self.versions))}

    @classmethod
    def from_fields(cls, fields: Mapping[int, bytes]) -> Self:
        """Read the fields."""
        return cls(decode_numbers(_required(fields, 0x01)))


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the sender can do.

    Attributes:
        supported: numbers of `Capability`, others too.
    """

    TYPE: ClassVar = MessageType.CAPABILITIES
    KNOWN: ClassVar = frozenset({0x02})
    supported: frozenset[int]

    def to_fields(self) -> dict[int, bytes]:
        """Return the fields."""
        return {0x02: b"".join(map(varint, sorted(self.supported)))}

    @classmethod
    def from_fields(cls, fields: Mapping[int, bytes]) -> Self:
        """Read the fields."""
        return cls(frozenset(decode_numbers(fields.get(0x02, b""))))


@dataclass(frozen=True, slots=True)
class Ack:
    """What arrived; never acknowledged itself.

    Attributes:
        next_expected: all message IDs below it arrived.
        beyond: bit n set: `next_expected` + 1 + n arrived too.
    """

    TYPE: ClassVar = MessageType.ACK
    KNOWN: ClassVar = frozenset({0x01, 0x03})
    next_expected: int
    beyond: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.beyond < 1 << SACK_BITS:
            raise InvalidMessageError(f"an ACK tells of {SACK_BITS} messages at most")

    def to_fields(self) -> dict[int, bytes]:
        """Return the fields."""
        fields = {0x01: varint(self.next_expected)}
        if self.beyond:
            fields[0x03] = varint(self.beyond)
        return fields

    @classmethod
    def from_fields(cls, fields: Mapping[int, bytes]) -> Self:
        """Read the fields."""
        beyond = decode_number(fields[0x03]) if 0x03 in fields else 0
        return cls(decode_number(_required(fields, 0x01)), beyond)


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Nothing but a reason to acknowledge."""

    TYPE: ClassVar = MessageType.KEEPALIVE
    KNOWN: ClassVar[frozenset[int]] = frozenset()

    def to_fields(self) -> dict[int, bytes]:
        """Return the fields: none."""
        return {}

    @classmethod
    def from_fields(cls, fields: Mapping[int, bytes]) -> Self:
        """Read the fields: none."""
        del fields
        return cls()


@dataclass(frozen=True, slots=True)
class Close:
    """The sender ends the tunnel.

    Attributes:
        code: a `CloseCode`, or a number not known here.
        reason: for people, up to `REASON_MAX` bytes in UTF-8.
    """

    TYPE: ClassVar = MessageType.CLOSE
    KNOWN: ClassVar = frozenset({0x01, 0x02})
    code: int
    reason: str = ""

    def __post_init__(self) -> None:
        try:
            length = len(self.reason.encode())
        except UnicodeEncodeError as error:
            raise InvalidMessageError("the reason is no UTF-8 text") from error
        if length > REASON_MAX:
            raise InvalidMessageError(f"a reason has {REASON_MAX} bytes at most")

    def to_fields(self) -> dict[int, bytes]:
        """Return the fields."""
        fields = {0x01: varint(self.code)}
        if self.reason:
            fields[0x02] = self.reason.encode()
        return fields

    @classmethod
    def from_fields(cls, fields: Mapping[int, bytes]) -> Self:
        """Read the fields."""
        try:
            reason = fields.get(0x02, b"").decode()
        except UnicodeDecodeError as error:
            raise MalformedError("the reason is no UTF-8 text") from error
        return cls(decode_number(_required(fields, 0x01)), reason)


@dataclass(frozen=True, slots=True)
class Refused:
    """A message was not understood and could not be ignored; it had no effect.

    Attributes:
        message_id: of that message.
        message_type: its type number.
        field: number of the field that was not understood; None: the message itself.
    """

    TYPE: ClassVar = MessageType.REFUSED
    KNOWN: ClassVar = frozenset({0x01, 0x03, 0x05})
    message_id: int
    message_type: int
    field: int | None = None

    def to_fields(self) -> dict[int, bytes]:
        """Return the fields."""
        fields = {0x01: varint(self.message_id), 0x03: varint(self.message_type)}
        if self.field is not None:
            fields[0x05] = varint(self.field)
        return fields

    @classmethod
    def from_fields(cls, fields: Mapping[int, bytes]) -> Self:
        """Read the fields."""
        return cls(
            decode_number(_required(fields, 0x01)),
            decode_number(_required(fields, 0x03)),
            decode_number(fields[0x05]) if 0x05 in fields else None,
        )


@dataclass(frozen=True, slots=True)
class Addresses:
    """The inner addresses that the receiver is to use; each message replaces the one before.

    Attributes:
        interfaces: addresses with their prefix lengths; those of IPv4 first.
    """

    TYPE: ClassVar = MessageType.ADDRESSES
    KNOWN: ClassVar = frozenset({0x03, 0x05})
    interfaces: tuple[Interface, ...]

    def __post_init__(self) -> None:
        # As the wire orders them, so that what is sent equals what arrives.
        ordered = tuple(sorted(self.interfaces, key=lambda interface: interface.version))
        object.__setattr__(self, "interfaces", ordered)

    def to_fields(self) -> dict[int, bytes]:
        """Return the fields."""
        return _by_version(
            encode_interfaces(self.interfaces, 4), encode_interfaces(self.interfaces, 6)
        )

    @classmethod
    def from_fields(cls, fields: Mapping[int, bytes]) -> Self:
        """Read the fields."""
        return cls(decode_interfaces(fields.get(0x03, b""), fields.get(0x05, b"")))


@dataclass(frozen=True, slots=True)
class Routes:
    """Prefixes behind the sender, or a part of them, see `routes`.

    Attributes:
        epoch: generation of the set; a set replaces all with a smaller one.
        networks: prefixes; those of IPv4 first.
        more: whether another part of this set follows.
    """

    TYPE: ClassVar = MessageType.ROUTES
    KNOWN: ClassVar = frozenset({0x01, 0x03, 0x05, 0x07})
    epoch: int
    networks: tuple[Network, ...]
    more: bool = False

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.networks, key=lambda network: network.version))
        object.__setattr__(self, "networks", ordered)

    def to_fields(self) -> dict[int, bytes]:
        """Return the fields."""
        fields = _by_version(encode_networks(self.networks, 4), encode_networks(self.networks, 6))
        fields[0x01] = varint(self.epoch)
        if self.more:
            fields[0x07] = b""
        return fields

    @classmethod
    def from_fields(cls, fields: Mapping[int, bytes]) -> Self:
        """Read the fields."""
        if fields.get(0x07):
            raise MalformedError("the mark of a part has no value")
        return cls(
            decode_number(_required(fields, 0x01)),
            decode_networks(fields.get(0x03, b""), fields.get(0x05, b"")),
            0x07 in fields,
        )


@dataclass(frozen=True, slots=True)
class Mtu:
    """The largest inner packet that the sender takes.

    Attributes:
        size: bytes, `MTU_MIN`..`MTU_MAX`.
    """

    TYPE: ClassVar = MessageType.MTU
    KNOWN: ClassVar = frozenset({0x01})
    size: int

    def __post_init__(self) -> None:
        if not MTU_MIN <= self.size <= MTU_MAX:
            raise InvalidMessageError(f"an MTU of {self.size} is outside {MTU_MIN}..{MTU_MAX}")

    def to_fields(self) -> dict[int, bytes]:
        """Return the fields."""
        return {0x01: varint(self.size)}

    @classmethod
    def from_fields(cls, fields: Mapping[int, bytes]) -> Self:
        """Read the fields."""
        return cls(decode_number(_required(fields, 0x01)))


Message = Ready | Capabilities | Ack | Keepalive | Close | Refused | Addresses | Routes | Mtu

_CLASSES: Final[dict[int, type[Message]]] = {
    message.TYPE: message
    for message in (Ready, Capabilities, Ack, Keepalive, Close, Refused, Addresses, Routes, Mtu)
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A control message with its ID.

    Attributes:
        message_id: rises by one a message; 0 and without meaning for ACK.
        message: None where it is of a type that is not known here and may be ignored.
    """

    message_id: int
    message: Message | None


def _required(fields: Mapping[int, bytes], number: int) -> bytes:
    if number not in fields:
        raise MalformedError(f"field {number:#x} is missing")
    return fields[number]


def _by_version(v4: bytes, v6: bytes) -> dict[int, bytes]:
    return {number: value for number, value in ((0x03, v4), (0x05, v6)) if value}


def encode_message(message: Message, message_id: int) -> bytes:
    """Return a message as it stands in context 1.

    Raises:
        InvalidMessageError: longer than `CONTROL_PAYLOAD_MAX`, or a number has no encoding.
    """
    data = b"".join(
        (
            bytes((VERSION,)),
            varint(message.TYPE),
            varint(message_id),
            encode_fields(message.to_fields()),
        )
    )
    if len(data) > CONTROL_PAYLOAD_MAX:
        raise InvalidMessageError(
            f"{message.TYPE.name} of {len(data)} bytes, {CONTROL_PAYLOAD_MAX} are possible"
        )
    return data


def decode_message(data: bytes) -> Envelope:
    """Read a message of context 1.

    Raises:
        MalformedError: it is no control message.
        UnsupportedVersionError: it is of another version.
        UnknownCriticalError: it has to be refused.
    """
    if not data:
        raise MalformedError("an empty control message")
    if data[0] != VERSION:
        raise UnsupportedVersionError(data[0])
    reader = Reader(data, 1)
    try:
        message_type = reader.varint()
        message_id = reader.varint()
    except QuicError as error:
        raise MalformedError(f"message header: {error.reason}") from error
    fields = decode_fields(reader.rest())
    found = _CLASSES.get(message_type)
    if found is None:
        if is_critical(message_type):
            raise UnknownCriticalError(message_id, message_type, None)
        return Envelope(message_id, None)
    for number in fields:
        if number not in found.KNOWN and is_critical(number):
            raise UnknownCriticalError(message_id, message_type, number)
    try:
        return Envelope(message_id, found.from_fields(fields))
    except InvalidMessageError as error:
        raise MalformedError(f"{found.__name__}: {error}") from error
