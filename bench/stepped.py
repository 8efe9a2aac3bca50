# SPDX-License-Identifier: BSD-3-Clause
"""Two engines in one thread, driven round by round: their cost does not depend on who else runs.

A benchmark that waits for engines in processes of their own measures the scheduler too: how often
they are woken decides how many packets they find. Here the caller says how many packets wait when
an engine has its turn, and counts the CPU time of the turns alone.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bench.ends import address_all
from bench.many_end import ManyEnd
from bench.send_many import PAYLOAD, sender
from nexusnet._engine import ffi, lib
from nexusnet.dataplane.userspace import UserspaceDataPlane
from nexusnet.netlink.generated import Congestion, Role
from tests.support.namespaces import cable

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from nexusnet.session import Session

# Rounds after the last packet, and the pause before each: what waits for pacer or timer leaves.
SETTLE_ROUNDS: Final = 8
SETTLE_SECONDS: Final = 0.0005
# Until every congestion window has room for a burst.
WARM_UP_BURST: Final = 32
WARM_UP_VISITS: Final = 6


class SteppedPlane(UserspaceDataPlane):
    """An engine without a thread."""

    def _run(self) -> None:
        return

    def add_session(self, session: Session) -> None:
        """Without timers that count while others have their turn."""
        super().add_session(replace(session, idle_timeout_ms=0, keepalive_ms=0))

    def step(self) -> None:
        """One round of the loop, without waiting."""
        lib.nqe_engine_run(self.engine, 0)

    def sent(self) -> int:
        """Datagrams that left through all endpoints."""
        stats = ffi.new("struct nqe_socket_stats *")
        total = 0
        for endpoint in self._endpoints.values():
            lib.nqe_socket_stats(self.engine, endpoint.number, stats)
            total += int(stats.tx_datagrams)
        return total


class Pair:
    """A client's and a server's engine with a number of sessions between them."""

    def __init__(
        self, client: ManyEnd, server: ManyEnd, planes: Sequence[SteppedPlane], sessions: int
    ) -> None:
        self.client, self.server, self.planes = client, server, planes
        self.sessions = sessions
        self.sockets: list[socket.socket] = []
        self.spent = 0  # CPU time of all rounds, ns
        self.next = 0  # session

    def step(self) -> None:
        """A round of each."""
        start = time.thread_time_ns()
        for plane in self.planes:
            plane.step()
        self.spent += time.thread_time_ns() - start

    def settle(self) -> None:
        """Let all that is on its way arrive, acknowledgements too."""
        for _ in range(SETTLE_ROUNDS):
            time.sleep(SETTLE_SECONDS)
            self.step()

    def send(self, active: int, burst: int, visits: int) -> None:
        """Bursts into the first `active` sessions in turn."""
        payload = bytes(PAYLOAD * burst)
        for _ in range(visits):
            with suppress(ConnectionRefusedError):  # nobody listens; ICMP says so
                self.sockets[self.next % active].send(payload)
            self.next += 1

    def warm_up(self) -> None:
        """Let every session's window grow."""
        for _ in range(WARM_UP_VISITS):
            for _ in range(self.sessions):
                self.send(self.sessions, WARM_UP_BURST, 1)
                self.step()
            self.settle()

    def delivered(self) -> int:
        """Packets that the server gave to its device."""
        stats = self.server.plane.device_stats(self.server.device.id).l3
        return stats.rx_packets if stats else 0

    def answers(self) -> int:
        """Datagrams that the server sent: acknowledgements."""
        return self.planes[Role.SERVER].sent()


@contextmanager
def pair(sessions: int) -> Iterator[Pair]:
    """Both ends, up, with sockets that send into every session."""
    with ExitStack() as stack:
        ends: list[ManyEnd] = []
        planes: list[SteppedPlane] = []
        spaces = stack.enter_context(cable())
        for role, here, there in zip(Role, spaces, spaces[::-1], strict=True):
            with here.inside():
                plane = SteppedPlane()
                device = f"tun{role.name.lower()}"
                end = ManyEnd(role, device, here.ipv4, Congestion.CUBIC_LIKE, plane)
            stack.callback(end.close)
            for index in range(sessions):
                end.add(index, there.ipv4)
            address_all(here, role, device)
            ends.append(end)
            planes.append(plane)
        made = Pair(ends[Role.CLIENT], ends[Role.SERVER], planes, sessions)
        with spaces[0].inside():
            for index in range(sessions):
                made.sockets.append(stack.enter_context(sender(Role.CLIENT, index)))
        yield made
