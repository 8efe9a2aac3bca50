# SPDX-License-Identifier: BSD-3-Clause
"""HOLD, drain, ACTIVATE with the engine, while single datagrams are lost, doubled and late.

The peer is plain aioquic. tests/handshake/test_handover.py does the same with the reference model
in the engine's place and from the first datagram of the handshake; here counting begins where the
engine takes over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from nexusnet.netlink.generated import DropReason
from tests.tunnel.proxy import Fate, Proxy, Side
from tests.tunnel.rig import Installed, Rig, ServerSide, Stage, from_peer, until, within
from tests.tunnel.standard_peer import EchoPeer, echo_client, echo_server
from tests.tunnel.wire import opened

pytestmark = pytest.mark.netns

AT_ONCE = 8
PAUSE = 0.02
"""Seconds of each stage: more than the peer's ACK takes on loopback."""
MAX_ACK_DELAY = 0.025


class Unlucky:
    """One handover with its proxy, in which datagram `index` has bad luck."""

    def __init__(
        self, rig: Rig, proxy: Proxy, own_side: Side, peer: Callable[[], EchoPeer]
    ) -> None:
        self.rig = rig
        self.proxy = proxy
        self.own_side = own_side
        self.peer = peer
        self.sent: list[bytes] = []
        self.number = 0

    async def visit(self, stage: Stage) -> None:
        """The peer sends at every stage, twice."""
        if stage is Stage.READY:
            self.proxy.count_from_here()
            self.peer().echoes = False
        for _ in range(2):
            self.peer_sends()
        # After the last stage the rest follows at once: ACTIVATE has to stand that.
        if stage is not Stage.ACTIVE:
            await asyncio.sleep(PAUSE)

    def peer_sends(self) -> None:
        data = b"%s number %d" % (str(self.proxy.front).encode(), len(self.sent))
        self.sent.append(data)
        # The session's number, and so the inner address, is only known once it is installed.
        self.peer().send(from_peer(self.number, data))

    async def run(self, handover: Callable[[], Awaitable[Installed]]) -> int:
        """Hand over, talk, check; return how many datagrams had a chance of bad luck."""
        self.number = next(self.rig.numbers)
        installed = await handover()
        unlucky = set(self.proxy.fates.values())
        lost = Fate.LOST in unlucky
        for number in range(3):
            self.rig.send_inner(installed, b"answer %d" % number)
        least = len(self.sent) - lost

        def arrived() -> list[bytes]:
            early = [payload[29:] for payload in installed.early]
            return early + self.rig.delivered_from(installed)

        await until(lambda: len(arrived()) >= least, f"{least} packets with {self.proxy.fates}")
        await until(
            lambda: len(self.peer().received) >= 3 - lost, f"answers with {self.proxy.fates}"
        )
        counted = self.proxy.counted
        # No deadlock: afterwards it flows both ways.
        self.proxy.counting = False
        self.peer().echoes = True
        await self.rig.echoed(installed, b"at the end")
        assert len(set(arrived())) == len(arrived()), "delivered twice"

        await self.replay_everything(installed, arrived)
        self.check_numbers(installed)
        assert self.peer().closed() is None
        answers = self.peer().received
        assert len({one for one in answers if b"at the end" not in one}) == sum(
            b"at the end" not in one for one in answers
        )
        return counted

    async def replay_everything(
        self, installed: Installed, arrived: Callable[[], list[bytes]]
    ) -> None:
        """All that the peer ever sent comes again: only what was lost may be news."""
        # Nothing is under way any more: an ACK is sent after max_ack_delay at most.
        await asyncio.sleep(PAUSE + MAX_ACK_DELAY)
        before = set(arrived())
        other = Side.SERVER if self.own_side is Side.CLIENT else Side.CLIENT
        replayed = self.proxy.sent_by(other)
        for datagram in replayed:
            self.proxy.forward(other, datagram)
        # Proof that all of it has been read: the echo of what was sent after it.
        await self.rig.echoed(installed, b"after the replay")
        now = arrived()
        news = {data for data in now if not data.startswith(b"after the replay")} - before
        assert len(set(now)) == len(now), "a replay was delivered"
        assert len(news) <= (Fate.LOST in self.proxy.fates.values())
        drops = self.rig.drops(installed)
        duplicates = drops.get(DropReason.DUPLICATE, 0) + drops.get(DropReason.TOO_OLD, 0)
        # All but the handshake's long headers were short headers of this session.
        short = sum(1 for datagram in replayed if not datagram[0] & 0x80)
        assert duplicates >= short - 1 > 8

    def check_numbers(self, installed: Installed) -> None:
        """No packet number twice, from the handshake's first 1-RTT packet to the engine's last."""
        secrets = installed.secrets
        cid = installed.exported.peer_cids[0].value
        ours = self.proxy.sent_by(self.own_side)
        numbers = [one.pn for one in opened(secrets.suite, secrets.tx, len(cid), ours)]
        assert len(set(numbers)) == len(numbers), "a packet number was used twice"
        assert max(numbers) >= installed.exported.next_pn + 3
        assert numbers == sorted(numbers)


async def as_client(rig: Rig, fates: dict[int, Fate]) -> int:
    """The engine has the client's role."""
    async with AsyncExitStack() as stack:
        address, peers = await stack.enter_async_context(
            echo_server(rig.credentials, host=rig.underlay.host)
        )
        proxy = await Proxy(address, fates=fates).open()
        stack.callback(proxy.close)
        case = Unlucky(rig, proxy, Side.CLIENT, lambda: peers[0])
        client = await rig.connect(proxy.front)
        return await case.run(lambda: rig.client_session(client, case.visit, case.number))


async def as_server(rig: Rig, fates: dict[int, Fate]) -> int:
    """The engine has the server's role, on a socket of its own for each case."""
    side = ServerSide(rig)
    async with AsyncExitStack() as stack:
        stack.callback(side.close)
        proxy = await Proxy(side.address, fates=fates).open()
        stack.callback(proxy.close)
        peer = await stack.enter_async_context(echo_client(proxy.front))
        case = Unlucky(rig, proxy, Side.SERVER, lambda: peer)
        return await case.run(lambda: side.session(case.visit, case.number))


async def each_in_turn(
    rig: Rig, role: Callable[[Rig, dict[int, Fate]], Awaitable[int]], fate: Fate
) -> None:
    """A handover for every datagram of it, which that one does not survive unharmed."""
    length = await role(rig, {})
    assert length >= 12
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(index: int) -> bool:
        async with gate:
            return await role(rig, {index: fate}) > index

    unlucky = await asyncio.gather(*(one(index) for index in range(length)))
    # How many datagrams a handover has depends a little on when ACKs leave.
    assert sum(unlucky) >= length - 3


@pytest.mark.parametrize("role", [as_client, as_server])
@pytest.mark.parametrize("fate", list(Fate))
def test_each_datagram_around_the_handover_in_turn(
    rig: Rig, role: Callable[[Rig, dict[int, Fate]], Awaitable[int]], fate: Fate
) -> None:
    within(each_in_turn(rig, role, fate))
