# SPDX-License-Identifier: BSD-3-Clause
"""A peer that knows nothing of this project: aioquic, client and server, against the engine.

Its own view counts: what its recovery measured, what its events and its log say.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from aioquic.quic.events import ConnectionIdRetired
from aioquic.tls import Epoch

from nexusnet.netlink.generated import DownReason, DropReason, Event
from nexusnet.quic.frames import (
    Frame,
    NewConnectionIdFrame,
    RetireConnectionIdFrame,
    encode_frames,
    parse_frames,
)
from nexusnet.session import Close, ConnectionId, SessionUpdate
from tests.tunnel.meeting import Meeting, as_client, as_server
from tests.tunnel.rig import CID_LENGTH, Rig, until, within
from tests.tunnel.standard_peer import EchoPeer

pytestmark = pytest.mark.netns

Role = Callable[[Rig], AbstractAsyncContextManager[Meeting]]

NEW_CID = bytes(range(0xD0, 0xD0 + CID_LENGTH))
RESET_TOKEN = bytes(range(0x60, 0x70))


@pytest.fixture(params=[as_client, as_server], ids=["engine is client", "engine is server"])
def role(request: pytest.FixtureRequest) -> Role:
    chosen: Role = request.param
    return chosen


async def pinged(peer: EchoPeer) -> None:
    """The peer's PING is answered with an ACK."""
    await asyncio.wait_for(peer.ping(), 10)


def frames_told(rig: Rig, meeting: Meeting) -> list[Frame]:
    """The frames that the engine has handed up."""
    told: list[Frame] = []
    for message in rig.events(meeting.installed, Event.FRAMES_RECEIVED):
        assert message.attributes.frames is not None
        assert message.attributes.frames.payload is not None
        told += parse_frames(message.attributes.frames.payload)
    return told


def test_datagrams_and_its_measurements(rig: Rig, role: Role) -> None:
    async def scenario() -> None:
        async with role(rig) as meeting:
            peer, installed = meeting.peer, meeting.installed
            space = peer._quic._spaces[Epoch.ONE_RTT]
            measured = len(peer.logged("recovery:metrics_updated"))
            acked = space.largest_acked_packet
            for number in range(100):
                rig.send_inner(installed, b"echo %d" % number)
                await asyncio.sleep(0.002)
            await until(lambda: len(rig.delivered_from(installed)) == 100, "100 echoes")
            assert set(rig.delivered_from(installed)) == {b"echo %d" % n for n in range(100)}
            await pinged(peer)
            # Its RTT moved with our ACKs, and nothing is left in flight. What it took for lost does
            # not count: where its timers fire late, on a busy machine, its probe timeout logs one.
            assert len(peer.logged("recovery:metrics_updated")) > measured + 10
            assert space.largest_acked_packet > acked + 50
            await until(lambda: space.ack_eliciting_in_flight == 0, "an empty flight")
            assert 0 < peer._quic._loss._rtt_smoothed < 1
            # A control message comes back by the other way.
            rig.plane.send_datagram(installed.ref, b"\x01control")
            await until(
                lambda: bool(rig.events(installed, Event.DATAGRAM_RECEIVED)), "a control message"
            )
            stats = rig.stats(installed)
            assert stats.drop == ()
            assert stats.recovery is not None
            assert stats.recovery.packets_lost == 0
            assert stats.rtt is not None
            assert stats.rtt.smoothed_ns < 1_000_000_000

    within(scenario())


def test_it_lives_under_loss(rig: Rig, role: Role) -> None:
    total = 400

    async def scenario() -> None:
        async with role(rig) as meeting:
            peer, installed, proxy = meeting.peer, meeting.installed, meeting.proxy
            proxy.loss = 0.05
            for number in range(total):
                rig.send_inner(installed, b"echo %d" % number)
                await asyncio.sleep(0.002)
                if number == 100:
                    peer.request_key_update()
                    await pinged(peer)
                elif number == 300:
                    rig.plane.key_update(installed.ref)
            for _ in range(5):
                await pinged(peer)
            assert min(proxy.dropped.values()) > 3
            # DATAGRAMs are not repeated: what the path lost is missing, all else came.
            lost = sum(proxy.dropped.values())

            def arrived() -> int:
                return len(rig.delivered_from(installed))

            await until(lambda: arrived() >= total - lost, "the echoes that were not lost")
            assert len(set(rig.delivered_from(installed))) == arrived() <= total
            # Both ends' recovery noticed, and neither gave up.
            assert len(peer.logged("recovery:packet_lost")) > 0
            recovery = rig.stats(installed).recovery
            assert recovery is not None
            assert 0 < recovery.packets_lost <= lost
            assert recovery.persistent_congestion == 0
            assert generation(rig, meeting) == 2
            # A frame that must arrive does.
            retired = ConnectionId(0, installed.exported.peer_cids[0].value)
            kept = tuple(one for one in installed.exported.peer_cids if one != retired)
            rig.plane.update_session(SessionUpdate(ref=installed.ref, generation=3, peer_cids=kept))
            await rig.echoed(installed, b"by the new connection ID")
            frames = encode_frames([RetireConnectionIdFrame(retired.sequence)])
            rig.plane.send_frames(installed.ref, 1, frames)
            await until(lambda: bool(rig.events(installed, Event.FRAMES_ACKED)), "FRAMES_ACKED")
            proxy.loss = 0.0
            await rig.echoed(installed, b"after the storm")
            assert peer.closed() is None

    within(scenario())


def test_it_takes_our_new_connection_id_and_retires_the_old(rig: Rig, role: Role) -> None:
    async def scenario() -> None:
        async with role(rig) as meeting:
            peer, installed = meeting.peer, meeting.installed
            first = installed.exported.local_cids[0]
            second = ConnectionId(first.sequence + 1, NEW_CID)
            rig.plane.update_session(
                SessionUpdate(ref=installed.ref, generation=3, local_cids=(first, second))
            )
            frame = NewConnectionIdFrame(second.sequence, 0, NEW_CID, RESET_TOKEN)
            rig.plane.send_frames(installed.ref, 5, encode_frames([frame]))
            await until(lambda: bool(rig.events(installed, Event.FRAMES_ACKED)), "FRAMES_ACKED")
            peer.change_connection_id()
            assert peer._quic._peer_cid.cid == NEW_CID
            await pinged(peer)
            await until(
                lambda: RetireConnectionIdFrame(first.sequence) in frames_told(rig, meeting),
                "RETIRE_CONNECTION_ID",
            )
            rig.plane.update_session(
                SessionUpdate(ref=installed.ref, generation=4, local_cids=(second,))
            )
            await rig.echoed(installed, b"by the second ID")
            last = meeting.proxy.log[-30:]
            assert any(data[1 : 1 + CID_LENGTH] == NEW_CID for _, data in last)

    within(scenario())


def test_it_gives_a_new_connection_id_for_one_that_we_retire(rig: Rig, role: Role) -> None:
    async def scenario() -> None:
        async with role(rig) as meeting:
            peer, installed = meeting.peer, meeting.installed
            first, *others = sorted(installed.exported.peer_cids, key=lambda one: one.sequence)
            assert others
            rig.plane.update_session(
                SessionUpdate(ref=installed.ref, generation=3, peer_cids=tuple(others))
            )
            await rig.echoed(installed, b"by another ID")
            frame = RetireConnectionIdFrame(first.sequence)
            rig.plane.send_frames(installed.ref, 6, encode_frames([frame]))
            await until(
                lambda: any(isinstance(one, ConnectionIdRetired) for one in peer.events),
                "the peer's word that it is retired",
            )
            await until(
                lambda: any(
                    isinstance(one, NewConnectionIdFrame) for one in frames_told(rig, meeting)
                ),
                "NEW_CONNECTION_ID",
            )
            await rig.echoed(installed, b"afterwards")

    within(scenario())


def test_key_updates_of_both_sides(rig: Rig, role: Role) -> None:
    async def scenario() -> None:
        async with role(rig) as meeting:
            peer, installed = meeting.peer, meeting.installed
            for number in range(1, 5):
                if number % 2:
                    peer.request_key_update()
                    await pinged(peer)
                else:
                    rig.plane.key_update(installed.ref)
                await until(lambda number=number: generation(rig, meeting) == number, "the update")  # type: ignore[misc]
                await rig.echoed(installed, b"generation %d" % number)
                # RFC 9001 section 6.5: the next one waits for three PTO.
                await asyncio.sleep(0.3)
            key = rig.stats(installed).key
            assert key is not None
            assert (key.updates_local, key.updates_peer) == (2, 2)
            assert key.open_failures == 0
            assert peer._quic._cryptos[Epoch.ONE_RTT].key_phase == 0

    within(scenario())


def generation(rig: Rig, meeting: Meeting) -> int:
    (status,) = rig.plane.sessions(rig.device.id)
    assert status.ref == meeting.installed.ref
    return status.key_generation


def test_it_closes(rig: Rig, role: Role) -> None:
    async def scenario() -> None:
        async with role(rig) as meeting:
            meeting.peer.close(error_code=0x77, reason_phrase="enough")
            await until(
                lambda: bool(rig.events(meeting.installed, Event.SESSION_DOWN)), "SESSION_DOWN"
            )
            (down,) = rig.events(meeting.installed, Event.SESSION_DOWN)
            assert down.attributes.event is not None
            assert down.attributes.event.down_reason is DownReason.PEER_CLOSED
            assert down.attributes.close is not None
            assert down.attributes.close.error_code == 0x77

    within(scenario())


def test_we_close(rig: Rig, role: Role) -> None:
    async def scenario() -> None:
        async with role(rig) as meeting:
            rig.plane.delete_session(
                meeting.installed.ref, 9, Close(error_code=0x55, reason=b"done")
            )
            await until(lambda: meeting.peer.closed() is not None, "ConnectionTerminated")
            closed = meeting.peer.closed()
            assert closed is not None
            assert closed.error_code == 0x55

    within(scenario())


def test_it_forgets_us(rig: Rig) -> None:
    """A stateless reset with the token that it gave in its handshake (RFC 9000 section 10.3)."""

    async def scenario() -> None:
        async with as_client(rig) as meeting:
            peer, installed = meeting.peer, meeting.installed
            await rig.echoed(installed, b"before")
            connection, transport = peer._quic, peer._transport
            assert transport is not None
            start = bytes([0x55]) + connection._peer_cid.cid + bytes(20)
            token = connection._host_cids[0].stateless_reset_token
            path = connection._network_paths[0].addr
            transport.sendto(start + bytes(len(token)), path)
            await until(lambda: rig.drops(installed) == {DropReason.AEAD: 1}, "a failed opening")
            assert not rig.events(installed, Event.SESSION_DOWN)
            transport.sendto(start + token, path)
            await until(lambda: bool(rig.events(installed, Event.SESSION_DOWN)), "SESSION_DOWN")
            (down,) = rig.events(installed, Event.SESSION_DOWN)
            assert down.attributes.event is not None
            assert down.attributes.event.down_reason is DownReason.STATELESS_RESET

    within(scenario())
