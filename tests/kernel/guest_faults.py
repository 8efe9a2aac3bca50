# SPDX-License-Identifier: BSD-3-Clause
"""Memory runs out: in the data path at random, in commands at each place in turn."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nexusnet.netlink import convert
from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import NLM_F_REQUEST
from nexusnet.session import ConnectionId, SessionUpdate
from tests.kernel.client import RefusedError
from tests.kernel.guest_base import check, failing, faults_can_be_injected, run
from tests.kernel.guest_rig import SILENT, join, one_end, ping, two_ends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexusnet.netlink.messages import Request
    from tests.kernel.guest_rig import End

KNOBS = Path("/sys/kernel/debug/failslab")
OWNER_FRAMES = b"\x19\x01"  # RETIRE_CONNECTION_ID


@contextmanager
def _failing_at_random(percent: int) -> Iterator[None]:
    """Allocations that may not sleep, as those of the data path are, fail now and then."""
    (KNOBS / "ignore-gfp-wait").write_text("Y")
    (KNOBS / "interval").write_text("1")
    (KNOBS / "times").write_text("-1")
    (KNOBS / "probability").write_text(str(percent))
    try:
        yield
    finally:
        (KNOBS / "probability").write_text("0")
        (KNOBS / "ignore-gfp-wait").write_text("N")


def _traffic(name: str, address: str) -> None:
    """Packets, as many as there are answers; that some are lost is the point."""
    with suppress(AssertionError):
        run("ip", "netns", "exec", name, "ping", "-q", "-f", "-c", "400", "-w", "5", "-s", "1000",
            address)  # fmt: skip


@check
def failslab_data_path() -> None:
    if not faults_can_be_injected():
        return
    with two_ends() as (first, second):
        join(first, second)
        for address in ("10.9.0.2", "fd09::2"):
            with _failing_at_random(10):
                _traffic("a", address)
                for number in range(20):
                    with suppress(RefusedError):
                        first.ask(convert.send_frames(first.ref(), OWNER_FRAMES, token=number + 1))
        dropped = [end.drops().get(nl.DropReason.NO_MEMORY, 0) for end in (first, second)]
        assert any(dropped), dropped
        # The tunnel lives, and nothing is stuck.
        for end in (first, second):
            assert end.get().state is nl.SessionState.ACTIVE
        ping("a", "10.9.0.2")
        ping("b", "fd09::1", "-s", "1300")


def _each(end: End, request: Request) -> int:
    """Makes a request with each of its allocations failing in turn."""
    body, tries = bytes(request.encode()), 0
    for _ in failing(partial(end.netlink.send, body, NLM_F_REQUEST)):
        tries += 1
        # A refusal that there was no memory to tell is the socket's error, until somebody asks.
        end.netlink.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return tries


def _update(end: End, generation: int) -> SessionUpdate:
    return SessionUpdate(
        ref=end.ref(),
        generation=generation,
        local_cids=(ConnectionId(1, b"%08d" % generation),),
        allowed_sources=end.session().allowed_sources[:1],
        keepalive_ms=1000 + generation,
    )


@check
def failslab_changes_all_or_nothing() -> None:
    if not faults_can_be_injected():
        return
    with one_end() as end:
        end.connect()
        end.lead("10.9.0.0/24")
        # Made ahead: making one allocates too. Where a fault is survived the next must be newer.
        updates = [_update(end, 10 + step) for step in range(100)]
        bodies = iter([bytes(convert.update_session(update).encode()) for update in updates])
        made, before = 0, end.get()
        for attempt, _ in enumerate(
            failing(lambda: end.netlink.send(next(bodies), NLM_F_REQUEST)), start=1
        ):
            shown = end.get()
            generation = shown.generation or 0
            if generation != 9 + attempt:
                assert shown == before
                continue
            made, before = made + 1, shown
            assert shown.keepalive_ms == 1000 + generation
            assert bytes(shown.local_cid[0].id[:8]) == b"%08d" % generation
        assert attempt > 5
        assert 1 <= made < attempt, (made, attempt)
        for prefix in ("10.10.0.0/16", "fd10::/32"):
            _each(end, convert.add_route(end.route(prefix)))
        routes = end.all(nl.Command.GET_ROUTE)
        assert len(routes) == 3
        assert _each(end, convert.delete_session(end.ref(), 99, SILENT)) >= 1
        assert end.numbers() == []
        assert end.all(nl.Command.GET_ROUTE) == ()
