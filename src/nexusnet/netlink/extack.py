# SPDX-License-Identifier: BSD-3-Clause
"""What a refused request is told: error number, message, and the attribute that is to blame."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Final

from nexusnet.netlink.codec import HEADER, NESTED, TYPE_MASK, walk
from nexusnet.netlink.generated import MainAttributes
from nexusnet.netlink.wire import NetlinkFormatError

if TYPE_CHECKING:
    from nexusnet.netlink.wire import Attribute, AttributeSet
    from nexusnet.secret import Buffer

NETLINK_HEADER: Final = 16
GENERIC_HEADER: Final = 4

# Attributes of an extended acknowledgement (linux/netlink.h).
NLMSGERR_ATTR_MSG: Final = 1
NLMSGERR_ATTR_OFFS: Final = 2
NLMSGERR_ATTR_MISS_TYPE: Final = 5
NLMSGERR_ATTR_MISS_NEST: Final = 6


class NetlinkRefusedError(OSError):
    """The kernel refused a request.

    Attributes:
        errno: the error number, positive.
        message: what the kernel says, in words; None where it says nothing.
        attribute: the attribute that is to blame, as in "session.local_cid"; None where no one is.
    """

    def __init__(self, number: int, message: str | None, attribute: str | None) -> None:
        self.message = message
        self.attribute = attribute
        super().__init__(number, self.words(os.strerror(number)))

    def words(self, otherwise: str) -> str:
        """What the kernel says, with the attribute's name where its words do not have it."""
        text = self.message or otherwise
        if self.attribute is None or self.attribute.replace("_", "-") in text:
            return text
        return f"{text} [{self.attribute}]"

    @property
    def name(self) -> str:
        """The error's symbol, as in "ESTALE"."""
        return errno.errorcode.get(self.errno or 0, str(self.errno))


def _named(kind: type[AttributeSet], number: int) -> Attribute | None:
    return next((one for one in kind.ATTRIBUTES if one.number == number), None)


def attribute_at(request: Buffer, offset: int) -> str | None:
    """Name of the attribute at an offset of a request, both counted from its netlink header."""
    view = memoryview(request).cast("B")
    kind: type[AttributeSet] = MainAttributes
    place, end, path = NETLINK_HEADER + GENERIC_HEADER, len(view), ""
    while place + HEADER <= end:
        length = int.from_bytes(view[place : place + 2], sys.byteorder)
        number = int.from_bytes(view[place + 2 : place + HEADER], sys.byteorder)
        if length < HEADER:
            return None
        attribute = _named(kind, number & TYPE_MASK)
        if offset == place:
            return f"{path}{attribute.name}" if attribute else None
        if place < offset < place + length:
            if attribute is None or attribute.nest is None or not number & NESTED:
                return None
            kind, end, path = attribute.nest, place + length, f"{path}{attribute.name}."
            place += HEADER
        else:
            place += (length + 3) & ~3
    return None


def _missing(request: Buffer, number: int, nest_offset: int | None) -> str | None:
    if nest_offset is None:
        attribute = _named(MainAttributes, number)
        return attribute.name if attribute else None
    nest = attribute_at(request, nest_offset)
    holder = next((one.nest for one in MainAttributes.ATTRIBUTES if one.name == nest), None)
    inner = _named(holder, number) if holder is not None else None
    return f"{nest}.{inner.name}" if inner is not None else None


def refusal(code: int, extended: Buffer, request: Buffer) -> NetlinkRefusedError:
    """The error that a negative acknowledgement stands for.

    Args:
        code: error number as received, negative.
        extended: attributes of the extended acknowledgement.
        request: the request that it answers, from its netlink header on.
    """
    try:
        told = {number: bytes(payload) for number, _, payload in walk(extended)}
    except NetlinkFormatError:
        told = {}
    text = told.get(NLMSGERR_ATTR_MSG, b"").rstrip(b"\0").decode(errors="replace") or None
    numbers = {key: int.from_bytes(value, sys.byteorder) for key, value in told.items()}
    name = None
    if NLMSGERR_ATTR_MISS_TYPE in numbers:
        nest = numbers.get(NLMSGERR_ATTR_MISS_NEST)
        name = _missing(request, numbers[NLMSGERR_ATTR_MISS_TYPE], nest)
    elif NLMSGERR_ATTR_OFFS in numbers:
        name = attribute_at(request, numbers[NLMSGERR_ATTR_OFFS])
    return NetlinkRefusedError(-code, text, name)
