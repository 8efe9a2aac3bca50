# SPDX-License-Identifier: BSD-3-Clause
"""Asking the kernel for its objects, and what it answers in the contract's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from nexusnet.dataplane.protocol import SessionStatus
from nexusnet.netlink import generated as nl
from nexusnet.netlink.convert import outer_policy, unpack_prefix
from nexusnet.netlink.messages import Request
from nexusnet.netlink.wire import NetlinkFormatError
from nexusnet.session import Device, SessionRef
from nexusnet.validation import SessionError

if TYPE_CHECKING:
    from nexusnet.netlink.messages import Message

T = TypeVar("T")


def dump_devices() -> Request:
    """GET_DEVICE of all devices of the namespace."""
    return Request(nl.Command.GET_DEVICE, nl.MainAttributes(), dump=True)


def dump_of_device(command: nl.Command, device_id: int | None) -> Request:
    """GET_SESSION or GET_ROUTE of all of a device, or of the namespace where None."""
    limit = None if device_id is None else nl.DeviceAttributes(id=device_id)
    return Request(command, nl.MainAttributes(device=limit), dump=True)


def get_session_stats(ref: SessionRef) -> Request:
    """GET_STATS of a session."""
    session = nl.SessionAttributes(device_id=ref.device_id, id=ref.id)
    return Request(nl.Command.GET_STATS, nl.MainAttributes(session=session))


def get_device_stats(device_id: int) -> Request:
    """GET_STATS of a device."""
    device = nl.DeviceAttributes(id=device_id)
    return Request(nl.Command.GET_STATS, nl.MainAttributes(device=device))


def needed(value: T | None, what: str) -> T:
    """A fact that every kernel tells; :class:`NetlinkFormatError` where it is missing."""
    if value is None:
        raise NetlinkFormatError(f"the kernel's answer lacks {what}")
    return value


def device_attributes(message: Message) -> nl.DeviceAttributes:
    """The device that a message is about; :class:`NetlinkFormatError` where it names none."""
    return needed(message.attributes.device, "device")


def device(attributes: nl.DeviceAttributes) -> Device:
    """A device from a dump or reply; :class:`NetlinkFormatError` where it makes no sense."""
    try:
        return Device(
            id=needed(attributes.id, "device.id"),
            generation=needed(attributes.generation, "device.generation"),
            network_id=needed(attributes.network_id, "device.network-id"),
            name=needed(attributes.ifname, "device.ifname"),
            route_epoch=attributes.route_epoch or 0,
            mtu=attributes.mtu,
            queues=attributes.queues,
            flags=nl.DeviceFlag(attributes.flags or 0),
            outer=outer_policy(attributes),
        )
    except SessionError as error:
        raise NetlinkFormatError(f"a device of the kernel makes no sense: {error}") from None


def session_ref(attributes: nl.SessionAttributes) -> SessionRef:
    """Which session it is; :class:`NetlinkFormatError` where that is missing."""
    return SessionRef(
        needed(attributes.device_id, "session.device-id"), needed(attributes.id, "session.id")
    )


def session_status(message: Message) -> SessionStatus:
    """A session from a dump; :class:`NetlinkFormatError` where a fact is missing or wrong."""
    attributes = needed(message.attributes.session, "session")
    return SessionStatus(
        ref=session_ref(attributes),
        generation=needed(attributes.generation, "session.generation"),
        state=needed(attributes.state, "session.state"),
        datagram_size=needed(attributes.datagram_size, "session.datagram-size"),
        # In HOLD it is not known yet, unless it was configured.
        mtu=attributes.mtu or 0,
        key_generation=attributes.key_generation or 0,
        route_epoch=attributes.route_epoch or 0,
        allowed_sources=tuple(unpack_prefix(prefix) for prefix in attributes.allowed_source),
    )
