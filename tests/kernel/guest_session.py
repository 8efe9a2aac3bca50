# SPDX-License-Identifier: BSD-3-Clause
"""Sessions: two of them make a tunnel; how they are installed, shown, changed and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexusnet.netlink import generated as nl
from tests.kernel.guest_base import check
from tests.kernel.guest_rig import SUITES, join, ping, two_ends

if TYPE_CHECKING:
    from tests.kernel.guest_rig import End


def _carried(end: End) -> tuple[int, int]:
    l3 = end.stats().l3
    assert l3 is not None
    return l3.rx_packets, l3.tx_packets


@check
def tunnel_ping() -> None:
    for suite in SUITES:
        for v1 in (False, True):
            with two_ends(suite=suite) as (first, second):
                join(first, second, v1=v1)
                ping("a", "10.9.0.2")
                ping("b", "10.9.0.1", "-s", "1300")
                ping("a", "fd09::2")
                assert _carried(first) == _carried(second) == (9, 9)
                assert not first.drops(), first.drops()
                assert not second.drops(), second.drops()
                assert first.get().state is nl.SessionState.ACTIVE
