# SPDX-License-Identifier: BSD-3-Clause
"""Whether the kernel has the generic netlink family, and under which numbers."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from pyroute2.netlink import genlmsg
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic import AsyncGenericNetlinkSocket

from nexusnet.dco import Absence, KernelCapabilities, Probe
from nexusnet.netlink import convert
from nexusnet.netlink.connection import Connection
from nexusnet.netlink.extack import NetlinkRefusedError
from nexusnet.netlink.generated import FAMILY_NAME, GROUP_STATE
from nexusnet.netlink.wire import NetlinkFormatError


@dataclass(frozen=True, slots=True)
class Family:
    """Numbers that the kernel gave the family: its own, and that of the state events' group."""

    number: int
    group: int


class _Resolver(AsyncGenericNetlinkSocket):  # type: ignore[misc]  # pyroute2 has no types
    # That the module is not there is no error: it is what is asked.
    module_err_level = "debug"


async def find_family(name: str = FAMILY_NAME) -> Family | None:
    """Ask the kernel for the family, which has it load the module; None where there is none.

    Raises:
        OSError: no netlink socket can be had.
    """
    async with _Resolver() as resolver:
        try:
            await resolver.bind(name, genlmsg)
        except NetlinkError as error:
            if error.code == errno.ENOENT:
                return None
            raise OSError(error.code, str(error)) from error
        return Family(int(resolver.prid), int(resolver.mcast_groups.get(GROUP_STATE, 0)))


async def capabilities_of(connection: Connection) -> KernelCapabilities:
    """GET_CAPS.

    Raises:
        NetlinkFormatError, OSError: no answer, or none that makes sense.
    """
    (answer,) = await connection.ask(convert.get_caps())
    caps = answer.attributes.caps
    if caps is None:
        raise NetlinkFormatError("the answer to GET_CAPS says nothing")
    return convert.capabilities(caps)


async def probe() -> Probe:
    """What the kernel can do, or why that could not be learned."""
    try:
        family = await find_family()
        if family is None:
            return Absence.NOT_LOADED
        connection = Connection(family.number)
        await connection.open()
        try:
            return await capabilities_of(connection)
        finally:
            connection.close()
    except NetlinkRefusedError as error:
        return Absence.NOT_PERMITTED if error.errno == errno.EPERM else Absence.MALFORMED
    except (NetlinkFormatError, ValueError):
        return Absence.MALFORMED
    except OSError as error:
        return Absence.NOT_PERMITTED if error.errno == errno.EPERM else Absence.NO_ANSWER
