# SPDX-License-Identifier: BSD-3-Clause
"""Sets of routes: cut into messages that fit, and put together again, one epoch at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from nexusnet.l3ptp.errors import MalformedError
from nexusnet.l3ptp.fields import V4_ENTRY, V6_ENTRY, Network
from nexusnet.l3ptp.messages import Routes

PART_BYTES: Final = 1100
"""Bytes of prefixes in a message; leaves room for its header and other fields."""

ROUTES_MAX: Final = 4096
"""Prefixes of a set that a receiver accepts."""


@dataclass(frozen=True, slots=True)
class RouteSet:
    """All prefixes behind the peer.

    Attributes:
        epoch: generation of the set.
        networks: prefixes, in the order of the sender; IPv4 first within a part.
    """

    epoch: int
    networks: tuple[Network, ...]


def split_routes(epoch: int, networks: Iterable[Network]) -> Iterator[Routes]:
    """Yield the messages of a set, at least one, the last without `more`."""
    part: list[Network] = []
    room = PART_BYTES
    for network in networks:
        size = V4_ENTRY if network.version == 4 else V6_ENTRY
        if size > room:
            yield Routes(epoch, tuple(part), more=True)
            part, room = [], PART_BYTES
        part.append(network)
        room -= size
    yield Routes(epoch, tuple(part))


class RouteCollector:
    """Puts the parts of a set together; the channel delivers them in order.

    Attributes:
        current: the newest complete set; None before the first.
    """

    def __init__(self, limit: int = ROUTES_MAX) -> None:
        """Start with nothing.

        Args:
            limit: prefixes of a set that are accepted.
        """
        self.current: RouteSet | None = None
        self._limit = limit
        self._epoch: int | None = None
        self._parts: list[Network] = []
        self._refused: int | None = None

    def add(self, routes: Routes) -> RouteSet | None:
        """Take a part; return the set where it is now complete and new.

        A part of another epoch ends the set that was being collected. A set that is not newer than
        the current one changes nothing.

        Args:
            routes: as delivered.

        Raises:
            MalformedError: the set has more prefixes than are accepted; it is forgotten.
        """
        if routes.epoch == self._refused:
            # The rest of a set that was too long must not pass for a set of its own.
            if not routes.more:
                self._refused = None
            return None
        if routes.epoch != self._epoch:
            self._epoch, self._parts = routes.epoch, []
        if len(self._parts) + len(routes.networks) > self._limit:
            self._epoch, self._parts = None, []
            self._refused = routes.epoch if routes.more else None
            raise MalformedError(f"more than {self._limit} routes")
        self._parts += routes.networks
        if routes.more:
            return None
        complete = RouteSet(routes.epoch, tuple(self._parts))
        self._epoch, self._parts = None, []
        if self.current is not None and complete.epoch <= self.current.epoch:
            return None
        self.current = complete
        return complete
