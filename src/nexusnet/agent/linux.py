# SPDX-License-Identifier: BSD-3-Clause
"""Linux as the host: addresses, routes and rules by rtnetlink, the MSS by nf_tables."""

import contextlib
import errno
import logging
import zlib
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any, Final

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from nexusnet.agent.config import Interface, Network
from nexusnet.agent.errors import StartError
from nexusnet.agent.leftovers import Leftovers, StateFile
from nexusnet.agent.logs import facts
from nexusnet.agent.mss import clamp_mss, remove_table
from nexusnet.agent.network import IPV6_MTU_MIN, Desired

logger = logging.getLogger(__name__)

ROUTE_PROTOCOL: Final = 0x6E
"""Marks the agent's routes (`ip route show proto 110`); not assigned in linux/rtnetlink.h."""

RULE_PRIORITY: Final = 5200
"""Of two rules before the main table's (32766)."""

FIB_RULE_INVERT: Final = 2
IFA_F_NODAD: Final = 0x02
FAMILIES: Final = {4: 2, 6: 10}
SRC_VALID_MARK: Final = Path("/proc/sys/net/ipv4/conf/all/src_valid_mark")


def default_mark(interface: str) -> int:
    """Return a mark, and number of a routing table, that another device hardly has."""
    return 0x6E000000 | zlib.crc32(interface.encode()) & 0xFFFFFF


def refusal(what: str, error: NetlinkError) -> StartError:
    """Return what the kernel's refusal means."""
    fixes = {
        errno.EPERM: "run as root, or give the agent CAP_NET_ADMIN",
        errno.EEXIST: "something else on this host has it already: `ip route`, `ip address`",
        errno.EACCES: "IPv6 is off on this host: sysctl net.ipv6.conf.all.disable_ipv6=0, or take"
        " the IPv6 prefixes out of the configuration",
    }
    fix = fixes.get(error.code, "`ip route` and `ip address` show what is there")
    # EACCES stands for IPv6 being off only where IPv6 was asked for.
    return StartError(f"{what}: {error.args[1] if len(error.args) > 1 else error}: {fix}")


@contextlib.asynccontextmanager
async def _about(what: str, *ignored: int) -> AsyncIterator[None]:
    try:
        yield
    except NetlinkError as error:
        if error.code not in ignored:
            raise refusal(what, error) from error


class LinuxHost:
    """Configures one device in the namespace of this process."""

    def __init__(self, interface: str, mark: int, state: StateFile) -> None:
        """Prepare; the device exists already.

        Args:
            interface: its name.
            mark: of outer packets, and number of the table that they do not see.
            state: where is written down what outlives the agent.
        """
        self._interface = interface
        self._mark = mark
        self._state = state
        self._ruled = False

    async def _index(self, ipr: AsyncIPRoute) -> int:
        found = await ipr.link_lookup(ifname=self._interface)
        if not found:
            raise StartError(f"the device {self._interface} is gone: something deleted it")
        return int(found[0])

    async def apply(self, before: Desired, after: Desired) -> None:
        """Change the host from one state to the other."""
        async with AsyncIPRoute() as ipr:
            index = await self._index(ipr)
            if before.mtu != after.mtu:
                async with _about(f"MTU {after.mtu} of {self._interface}"):
                    await ipr.link("set", index=index, mtu=after.mtu, state="up")
            for address in before.addresses - after.addresses:
                await self._address(ipr, "del", index, address)
            fresh = after.addresses - before.addresses
            if before.mtu < IPV6_MTU_MIN <= after.mtu:
                # The kernel forgot them all when the MTU went below.
                fresh |= {one for one in after.addresses if one.version == 6}
            for address in sorted(fresh, key=str):
                await self._address(ipr, "add", index, address)
            await self._apply_routes(ipr, index, before, after)

    async def _address(
        self, ipr: AsyncIPRoute, command: str, index: int, address: Interface
    ) -> None:
        gone = (errno.EADDRNOTAVAIL, errno.ENODEV) if command == "del" else (errno.EEXIST,)
        more: dict[str, Any] = {"flags": IFA_F_NODAD} if address.version == 6 else {}
        async with _about(f"address {address} on {self._interface}", *gone):
            await ipr.addr(
                command,
                index=index,
                address=str(address.ip),
                prefixlen=address.network.prefixlen,
                family=FAMILIES[address.version],
                **more,
            )

    async def _apply_routes(
        self, ipr: AsyncIPRoute, index: int, before: Desired, after: Desired
    ) -> None:
        if after.marked_routes and not self._ruled:
            await self._add_rules(ipr)
        for table, old, new in (
            (None, before.routes, after.routes),
            (self._mark, before.marked_routes, after.marked_routes),
        ):
            for route in old - new:
                await self._route(ipr, "del", index, route, table)
            for route in sorted(new, key=str) if before.mtu != after.mtu else new - old:
                await self._route(ipr, "replace", index, route, table)
        if self._ruled and not after.marked_routes:
            await remove_rules(ipr, self._mark)
            self._ruled = False

    async def _route(
        self, ipr: AsyncIPRoute, command: str, index: int, route: Network, table: int | None
    ) -> None:
        gone = (errno.ESRCH, errno.ENODEV) if command == "del" else ()
        async with _about(f"route {route} to {self._interface}", *gone):
            await ipr.route(
                command,
                dst=str(route),
                oif=index,
                family=FAMILIES[route.version],
                proto=ROUTE_PROTOCOL,
                table=table or 254,
            )

    async def _add_rules(self, ipr: AsyncIPRoute) -> None:
        """Lead all packets but the marked ones to the table, after more specific main routes."""
        self._state.record(table=self._mark)
        self._ruled = True
        for family in FAMILIES.values():
            async with _about("policy rules", errno.EEXIST, errno.EAFNOSUPPORT):
                await ipr.rule(
                    "add",
                    family=family,
                    table=254,
                    priority=RULE_PRIORITY,
                    FRA_SUPPRESS_PREFIXLEN=0,
                )
                await ipr.rule(
                    "add",
                    family=family,
                    table=self._mark,
                    priority=RULE_PRIORITY + 1,
                    fwmark=self._mark,
                    flags=FIB_RULE_INVERT,
                )
        # Without it the reverse-path filter drops the answers to marked packets.
        with contextlib.suppress(OSError):
            SRC_VALID_MARK.write_text("1")

    async def clamp_mss(self) -> None:
        """Lower the MSS of TCP connections that are forwarded through the device."""
        table = f"nexus_{self._interface}"
        self._state.record(nft_table=table)
        try:
            await clamp_mss(table, self._interface)
        except (NetlinkError, OSError) as error:
            # Path MTU discovery does its work without it, only slower.
            logger.warning(
                "the MSS is not clamped: the kernel's nf_tables refused", extra=facts(error=error)
            )

    async def close(self) -> None:
        """Take away rules and filter table."""
        await clean(self._state.now)


async def remove_rules(ipr: AsyncIPRoute, table: int) -> None:
    """Take away the rules that lead to a table."""
    for family in FAMILIES.values():
        for priority, target in ((RULE_PRIORITY, 254), (RULE_PRIORITY + 1, table)):
            with contextlib.suppress(NetlinkError):
                await ipr.rule("del", family=family, priority=priority, table=target)


async def clean(left: Leftovers) -> list[str]:
    """Take away what an agent left; return what was there."""
    cleaned: list[str] = []
    if left.table is not None:
        async with AsyncIPRoute() as ipr:
            await remove_rules(ipr, left.table)
            with contextlib.suppress(NetlinkError):
                await ipr.flush_routes(table=left.table)
        cleaned.append(f"rules and routes of table {left.table}")
    if left.nft_table is not None and await _succeeds(remove_table(left.nft_table)):
        cleaned.append(f"nf_tables table {left.nft_table}")
    if left.interface is not None:
        async with AsyncIPRoute() as ipr:
            found = await ipr.link_lookup(ifname=left.interface)
            if found and await _succeeds(ipr.link("del", index=found[0])):
                cleaned.append(f"device {left.interface}")
    return cleaned


async def _succeeds(work: Awaitable[Any]) -> bool:
    try:
        await work
    except (NetlinkError, OSError):
        return False
    return True
