# SPDX-License-Identifier: BSD-3-Clause
"""Fields of a control message: number, length, value; numbers strictly rising.

Whether a receiver may pass over what it does not know is in the number itself: odd numbers, of
messages as of fields, are critical, even ones can be ignored.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final

from nexusnet.l3ptp.errors import InvalidMessageError, MalformedError
from nexusnet.quic.errors import QuicError
from nexusnet.quic.reader import Reader
from nexusnet.quic.varint import encode_varint

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

V4_ENTRY: Final = 5
V6_ENTRY: Final = 17
"""Bytes of an address or prefix: its length in bits, then the address."""


def is_critical(number: int) -> bool:
    """Whether a message or field of this number must not be ignored."""
    return bool(number & 1)


def encode_fields(fields: Mapping[int, bytes]) -> bytes:
    """Return fields as they stand in a message, by rising number.

    Raises:
        InvalidMessageError: a number has no encoding.
    """
    parts = []
    for number in sorted(fields):
        parts += [varint(number), varint(len(fields[number])), fields[number]]
    return b"".join(parts)


def decode_fields(data: bytes) -> dict[int, bytes]:
    """Read fields up to the end of `data`.

    Raises:
        MalformedError: a field is cut off, or the numbers do not rise.
    """
    reader = Reader(data)
    fields: dict[int, bytes] = {}
    previous = -1
    try:
        while reader.remaining:
            number = reader.varint()
            if number <= previous:
                raise MalformedError(f"field {number:#x} after {previous:#x}")
            previous = number
            fields[number] = reader.take(reader.varint())
    except QuicError as error:
        raise MalformedError(f"fields: {error.reason}") from error
    return fields


def varint(value: int) -> bytes:
    """Return a varint.

    Raises:
        InvalidMessageError: `value` is outside 0..2^62-1.
    """
    try:
        return encode_varint(value)
    except QuicError as error:
        raise InvalidMessageError(error.reason) from error


def decode_numbers(data: bytes) -> tuple[int, ...]:
    """Read varints up to the end of `data`.

    Raises:
        MalformedError: the last one is cut off.
    """
    reader = Reader(data)
    numbers = []
    try:
        while reader.remaining:
            numbers.append(reader.varint())
    except QuicError as error:
        raise MalformedError(f"numbers: {error.reason}") from error
    return tuple(numbers)


def decode_number(data: bytes) -> int:
    """Read exactly one varint.

    Raises:
        MalformedError: there is none, or something follows it.
    """
    numbers = decode_numbers(data)
    if len(numbers) != 1:
        raise MalformedError(f"{len(numbers)} numbers where one belongs")
    return numbers[0]


def encode_networks(networks: Iterable[Network], version: int) -> bytes:
    """Return the prefixes of one IP version, in their order."""
    return b"".join(
        bytes((network.prefixlen,)) + network.network_address.packed
        for network in networks
        if network.version == version
    )


def encode_interfaces(interfaces: Iterable[Interface], version: int) -> bytes:
    """Return the interface addresses of one IP version, in their order."""
    return b"".join(
        bytes((interface.network.prefixlen,)) + interface.packed
        for interface in interfaces
        if interface.version == version
    )


def _entries(data: bytes, size: int) -> list[tuple[bytes, int]]:
    if len(data) % size:
        raise MalformedError("an address is cut off")
    return [(data[at + 1 : at + size], data[at]) for at in range(0, len(data), size)]


def decode_networks(v4: bytes, v6: bytes) -> tuple[Network, ...]:
    """Read prefixes, those of IPv4 first.

    Raises:
        MalformedError: one is cut off, too long, or has bits set beyond its length.
    """
    try:
        return (
            *(ipaddress.IPv4Network(entry) for entry in _entries(v4, V4_ENTRY)),
            *(ipaddress.IPv6Network(entry) for entry in _entries(v6, V6_ENTRY)),
        )
    except ValueError as error:
        raise MalformedError(f"prefix: {error}") from error


def decode_interfaces(v4: bytes, v6: bytes) -> tuple[Interface, ...]:
    """Read interface addresses, those of IPv4 first.

    Raises:
        MalformedError: one is cut off, or its prefix too long.
    """
    try:
        return (
            *(ipaddress.IPv4Interface(entry) for entry in _entries(v4, V4_ENTRY)),
            *(ipaddress.IPv6Interface(entry) for entry in _entries(v6, V6_ENTRY)),
        )
    except ValueError as error:
        raise MalformedError(f"address: {error}") from error
