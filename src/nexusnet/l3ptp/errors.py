# SPDX-License-Identifier: BSD-3-Clause
"""The typed errors of L3PTP."""


class L3ptpError(Exception):
    """A rule of L3PTP was broken, by the peer or by the caller."""


class MalformedError(L3ptpError):
    """The peer sent bytes that are no L3PTP datagram or message."""


class UnknownContextError(L3ptpError):
    """The datagram belongs to a context that is not defined.

    Attributes:
        context_id: as received.
    """

    def __init__(self, context_id: int) -> None:
        super().__init__(f"context {context_id} is not defined")
        self.context_id = context_id


class UnsupportedVersionError(L3ptpError):
    """The peer's control message is of a version that this end does not read.

    Attributes:
        version: as received.
    """

    def __init__(self, version: int) -> None:
        super().__init__(
            f"control messages of version {version} are not understood: update this end"
        )
        self.version = version


class UnknownCriticalError(L3ptpError):
    """A message or field that must not be ignored is not known here.

    Attributes:
        message_id: of the message.
        message_type: type number of the message.
        field: number of the unknown field; None where the message itself is unknown.
    """

    def __init__(self, message_id: int, message_type: int, field: int | None) -> None:
        what = f"type {message_type:#x}" + ("" if field is None else f", field {field:#x}")
        super().__init__(f"control message of {what} is not understood and must not be ignored")
        self.message_id = message_id
        self.message_type = message_type
        self.field = field


class InvalidMessageError(L3ptpError):
    """This end asked for a message that has no encoding: a value out of range, or too long."""


class QueueFullError(L3ptpError):
    """Too many control messages wait for the peer; nothing was queued."""


class NotActiveError(L3ptpError):
    """Control messages may be sent only while the link is active."""
