# SPDX-License-Identifier: BSD-3-Clause
"""The tunnel over IPv6, and over IPv4 through an IPv6 socket, with a peer that is plain aioquic."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from nexusnet.netlink.generated import DownReason, Event
from nexusnet.session import Close
from tests.tunnel import test_handover
from tests.tunnel.meeting import as_client, as_server
from tests.tunnel.proxy import Fate
from tests.tunnel.rig import Rig, Underlay, until, within
from tests.tunnel.test_standard_peer import Role

pytestmark = pytest.mark.netns

# A client has a socket of its server's family: mapped addresses are a server's affair.
ROLES = [(Underlay.IPV6, as_client), (Underlay.IPV6, as_server), (Underlay.MAPPED, as_server)]
NAMES = ["IPv6 client", "IPv6 server", "mapped server"]
COUNT = 100


@pytest.mark.parametrize(("underlay", "role"), ROLES, ids=NAMES)
def test_a_tunnel_from_handover_to_close(rig: Rig, role: Role) -> None:
    async def scenario() -> None:
        async with role(rig) as meeting:
            peer, installed, proxy = meeting.peer, meeting.installed, meeting.proxy
            flow = installed.session.udp_tuple
            assert flow.peer.address.version == (6 if rig.underlay is Underlay.IPV6 else 4)
            with socket.socket(fileno=socket.dup(installed.session.socket_fd)) as theirs:
                assert theirs.family is socket.AF_INET6
            proxy.loss = 0.05
            for number in range(COUNT):
                rig.send_inner(installed, b"echo %d" % number)
                await asyncio.sleep(0.002)
                if number == COUNT // 3:
                    peer.request_key_update()
                elif number == 2 * COUNT // 3:
                    rig.plane.key_update(installed.ref)
            proxy.loss = 0.0
            await rig.echoed(installed, b"at the end")
            arrived = rig.delivered_from(installed)
            lost = sum(proxy.dropped.values())
            assert len([one for one in arrived if one.startswith(b"echo")]) >= COUNT - lost
            keys = rig.stats(installed).key
            assert keys is not None
            assert (keys.updates_local, keys.updates_peer) == (1, 1)
            assert rig.drops(installed) == {}
            rig.plane.delete_session(installed.ref, 9, Close(error_code=7))
            await until(lambda: peer.closed() is not None, "CONNECTION_CLOSE")
            await until(lambda: bool(rig.events(installed, Event.SESSION_DOWN)), "session-down")
            facts = rig.events(installed, Event.SESSION_DOWN)[0].attributes.event
            assert facts is not None
            assert facts.down_reason is DownReason.DELETED

    within(scenario())


@pytest.mark.parametrize(
    ("underlay", "role"),
    [
        (Underlay.IPV6, test_handover.as_client),
        (Underlay.IPV6, test_handover.as_server),
        (Underlay.MAPPED, test_handover.as_server),
    ],
    ids=NAMES,
)
@pytest.mark.parametrize("fate", list(Fate))
def test_bad_luck_around_the_handover(
    rig: Rig, role: Callable[[Rig, dict[int, Fate]], Awaitable[int]], fate: Fate
) -> None:
    within(test_handover.each_in_turn(rig, role, fate))
