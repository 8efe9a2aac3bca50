# SPDX-License-Identifier: BSD-3-Clause
"""The host's network configuration: what each tunnel wants, merged and kept in force.

Wishes are kept by owner; `apply` brings the host to their sum and takes away what nobody wants any
more. What the host is told goes through a `Host`: Linux, or a recording one in tests.
"""

import ipaddress
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from nexusnet.agent.config import Interface, Network
from nexusnet.agent.logs import facts

logger = logging.getLogger(__name__)

IPV6_MTU_MIN: Final = 1280
"""Linux switches IPv6 off on devices with less (RFC 8200 section 5)."""

DEFAULT_MTU: Final = 1420
"""Largest inner packet in bytes before the first tunnel says better."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What one owner wants.

    Attributes:
        addresses: of the device.
        routes: prefixes that lead to the device.
        mtu: largest inner packet in bytes of its tunnel; None for no opinion.
        detours: addresses outside that must not be led into the device: the peer's own.
    """

    addresses: tuple[Interface, ...] = ()
    routes: tuple[Network, ...] = ()
    mtu: int | None = None
    detours: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Desired:
    """What the host is to look like.

    Attributes:
        addresses: of the device.
        routes: in the main table.
        marked_routes: in a table that marked (outer) packets do not see.
        mtu: of the device.
    """

    addresses: frozenset[Interface] = frozenset()
    routes: frozenset[Network] = frozenset()
    marked_routes: frozenset[Network] = frozenset()
    mtu: int = DEFAULT_MTU


class Host(Protocol):
    """Carries out what is wanted."""

    async def apply(self, before: Desired, after: Desired) -> None:
        """Change the host from one state to the other.

        Raises:
            StartError: it refused; the text says what and why.
        """

    async def clamp_mss(self) -> None:
        """Lower the MSS of TCP connections that are forwarded through the device."""

    async def close(self) -> None:
        """Take away what would stay after the device is gone."""


def merge(wishes: Iterable[Wish], mtu_limit: int | None) -> tuple[Desired, str | None]:
    """Return the sum of wishes, and why inner IPv6 is off; None where it is on.

    Args:
        wishes: of all owners.
        mtu_limit: configured MTU in bytes; None for what the tunnels carry.
    """
    wishes = tuple(wishes)
    # Where tunnels differ the larger counts: the data plane answers what does not fit a smaller
    # one with Packet Too Big.
    mtu = max((wish.mtu for wish in wishes if wish.mtu), default=DEFAULT_MTU)
    mtu = min(mtu, mtu_limit or mtu)
    addresses = {address for wish in wishes for address in wish.addresses}
    routes = {route for wish in wishes for route in wish.routes}
    ipv6_off = None
    if mtu < IPV6_MTU_MIN and any(one.version == 6 for one in (*addresses, *routes)):
        ipv6_off = f"the tunnel carries packets of {mtu} bytes, IPv6 needs {IPV6_MTU_MIN}"
        addresses = {one for one in addresses if one.version == 4}
        routes = {one for one in routes if one.version == 4}
    # The subnets of the device's own addresses are routes that the kernel makes.
    routes -= {address.network for address in addresses}
    outside = {address for wish in wishes for address in wish.detours}
    marked = {
        route
        for route in routes
        if route.prefixlen == 0 or any(address in route for address in outside)
    }
    return Desired(
        frozenset(addresses), frozenset(routes - marked), frozenset(marked), mtu
    ), ipv6_off


class NetworkState:
    """Keeps the host as the owners want it.

    Attributes:
        current: what was applied last.
        ipv6_off: why inner IPv6 is off; None where it is on.
    """

    def __init__(self, host: Host, mtu_limit: int | None = None) -> None:
        """Nothing is wanted yet.

        Args:
            host: what carries it out.
            mtu_limit: configured MTU in bytes.
        """
        self.current = Desired(mtu=0)
        self.ipv6_off: str | None = None
        self._host = host
        self._mtu_limit = mtu_limit
        self._wishes: dict[str, Wish] = {}
        self._dirty = True

    def want(self, owner: str, wish: Wish | None) -> None:
        """Replace an owner's wish; `apply` carries it out."""
        former = self._wishes.pop(owner, None)
        if wish is not None:
            self._wishes[owner] = wish
        self._dirty = self._dirty or former != wish

    async def apply(self) -> None:
        """Bring the host to what is wanted.

        Raises:
            StartError: the host refused.
        """
        if not self._dirty:
            return
        self._dirty = False
        desired, ipv6_off = merge(self._wishes.values(), self._mtu_limit)
        if ipv6_off and ipv6_off != self.ipv6_off:
            logger.warning("inner IPv6 is off", extra=facts(reason=ipv6_off))
        self.ipv6_off = ipv6_off
        if desired != self.current:
            before, self.current = self.current, desired
            await self._host.apply(before, desired)

    async def close(self) -> None:
        """Take away what would stay after the device is gone."""
        await self._host.close()
