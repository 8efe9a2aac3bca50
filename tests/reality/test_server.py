# SPDX-License-Identifier: BSD-3-Clause
"""The server's socket on loopback: a real HTTP/3 site behind it, browsers, probes, tunnels."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import resource
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.datagram import Received, Transmit
from nexusnet.handshake.endpoint import ClientConnection
from nexusnet.handshake.errors import HandshakeError, RelayedError
from nexusnet.handshake.profile import utc_now
from nexusnet.handshake.udp import UdpSocket
from nexusnet.reality.connection_ids import TaggedConnectionIds
from nexusnet.reality.decision import Reason
from nexusnet.reality.demultiplexer import Fate
from nexusnet.reality.flows import RelayLimits
from nexusnet.reality.relay import is_same_port
from nexusnet.reality.server import RealityServer
from nexusnet.reality.target import probe_target
from nexusnet.reality.template import TargetError, Template
from tests.handshake.test_endpoint import until_arrived, within
from tests.reality import qr1
from tests.reality.hellos import Hello
from tests.reality.initials import hello_datagrams, initial, new_dcid
from tests.reality.port import PAGE, SITE_NAME, STATIC_KEY
from tests.reality.serving import ask, message_of, serving
from tests.reality.taps import LOOPBACK, load_page, real_site, tapped

if TYPE_CHECKING:
    from nexusnet.handshake.credentials import Credentials
    from nexusnet.handshake.datagram import Address


def test_an_ordinary_client_loads_the_sites_page_byte_for_byte(site: Credentials) -> None:
    async def scenario() -> None:
        async with serving(site) as scene:
            pages = await asyncio.gather(*(load_page(scene.front.local, site) for _ in range(3)))
            assert pages == [PAGE] * 3
            await asyncio.sleep(0.1)
            assert sorted(scene.front.back) == sorted(scene.back.back)
            assert sorted(scene.front.forth) == sorted(scene.back.forth)
            assert scene.server.demultiplexer.reasons == {Reason.BAD_TAG: 3}

    within(scenario())


def test_one_client_sees_the_sites_datagrams_in_order(site: Credentials) -> None:
    async def scenario() -> None:
        async with serving(site) as scene:
            assert await load_page(scene.front.local, site) == PAGE
            await asyncio.sleep(0.1)
            assert scene.front.back == scene.back.back
            assert scene.front.forth == scene.back.forth

    within(scenario())


def test_a_genuine_client_gets_in_and_looks_like_the_site(site: Credentials) -> None:
    async def scenario() -> None:
        async with serving(site) as scene:
            client = await scene.connect()
            accepted = await scene.server.accept()
            assert scene.server.rest() == 0
            ours, theirs = await client.export(), await accepted.export()
            assert ours.keys.tx == theirs.keys.rx
            assert theirs.identity is not None
            assert theirs.identity.name == "alice"
            assert scene.server.unshaped == 0
            sizes = tuple(one.size for one in scene.template.flights[0])
            assert tuple(map(len, scene.front.back[: len(sizes)])) in {
                tuple(one.size for one in flight) for flight in scene.template.flights
            }
            # The site answered too, and nobody saw it.
            assert scene.back.back
            assert not set(scene.back.back) & set(scene.front.back)
            accepted.release()
            scene.server.ended(accepted.engine)
            client.close()

    within(scenario())


CLIENTS: dict[str, tuple[dict[str, Any], Reason]] = {
    "wrong key": ({"server_key": X25519PrivateKey.generate().public_key()}, Reason.BAD_TAG),
    "unknown short_id": ({"short_id": bytes(8)}, Reason.SHORT_ID),
    "slow clock": ({"skew": -130.0}, Reason.CLOCK),
    "fast clock": ({"skew": 130.0}, Reason.CLOCK),
    "another name": ({"server_name": "other.example"}, Reason.SERVER_NAME),
}


@pytest.mark.parametrize("kind", CLIENTS)
def test_who_is_not_genuine_sees_the_site(site: Credentials, kind: str) -> None:
    options, reason = CLIENTS[kind]

    async def scenario() -> None:
        async with serving(site) as scene:
            skew = dt.timedelta(seconds=options.get("skew", 0.0))
            settings = {key: value for key, value in options.items() if key != "skew"}
            config = qr1.client_config(site, clock=lambda: utc_now() + skew, **settings)
            with pytest.raises(HandshakeError) as caught:
                await ClientConnection.open(config, scene.front.local)
            if "server_name" not in options:
                # It has shaken hands with the site, and its certificate was good.
                assert isinstance(caught.value, RelayedError)
            await asyncio.sleep(0.1)
            assert scene.front.back == scene.back.back
            assert scene.front.forth == scene.back.forth
            assert scene.server.demultiplexer.reasons == {reason: 1}
            assert scene.server.acceptor.engines == ()

    within(scenario())


def test_a_replayed_hello_sees_the_site(site: Credentials) -> None:
    async def scenario() -> None:
        async with serving(site) as scene:
            client = await scene.connect()
            accepted = await scene.server.accept()
            await client.export()
            await accepted.export()
            hello = scene.front.forth[:2]
            # The same packets from another address are the site's without a second look.
            await ask(scene.front.local, hello)
            assert scene.server.demultiplexer.reasons == {}
            assert scene.server.demultiplexer.counts[Fate.RELAYED_AT_ONCE] == 1
            assert scene.back.forth[-2:] == hello
            # With another connection ID around the same hello, the replay cache knows it.
            back = len(scene.back.back)
            again = hello_datagrams(message_of(hello), new_dcid(), [1000])
            arrived = await ask(scene.front.local, again)
            assert arrived
            # The site repeats what it said to the first address, too.
            assert arrived == [one for one in scene.back.back[back:] if one in arrived]
            assert scene.server.demultiplexer.reasons == {Reason.SEEN: 1}
            accepted.release()
            client.close()

    within(scenario())


def test_a_half_hello_sees_what_the_site_does(site: Credentials) -> None:
    async def scenario() -> None:
        async with serving(site) as scene:
            half = hello_datagrams(Hello(server_name=SITE_NAME).encode(), new_dcid(), [100])[0]
            arrived = await ask(scene.front.local, [half])
            assert arrived
            assert arrived == scene.front.back == scene.back.back
            assert scene.server.demultiplexer.counts[Fate.UNDECIDED_TOO_LONG] == 1

    within(scenario())


def test_from_the_same_port_after_a_restart(site: Credentials) -> None:
    async def scenario() -> None:
        async with real_site(site) as address:
            port = 0
            for _ in range(2):
                async with serving(site, target=address) as scene:
                    for _ in range(2):
                        udp = UdpSocket.bind((LOOPBACK, port))
                        port = udp.local[1]
                        client = await scene.connect(udp=udp)
                        accepted = await scene.server.accept()
                        await accepted.export()
                        client.close()
                        accepted.release()

    within(scenario())


def test_the_port_goes_on_for_the_data_plane(site: Credentials) -> None:
    """`detach` and `receive`: what a data plane does not know comes back and is relayed."""

    async def scenario() -> None:
        async with serving(site) as scene:
            udp = scene.server.detach()

            async def plane() -> None:
                while True:
                    while isinstance(item := udp.receive(), Received):
                        scene.server.receive([item])
                    await asyncio.sleep(0.001)

            task = asyncio.get_running_loop().create_task(plane())
            assert await load_page(scene.front.local, site) == PAGE
            client = await scene.connect()
            accepted = await scene.server.accept()
            await accepted.export()
            task.cancel()
            client.close()

    within(scenario())


@pytest.mark.parametrize("codepoint", [Ecn.ECT0, Ecn.ECT1, Ecn.CE])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_ecn_is_copied_by_the_sockets(site: Credentials, host: str, codepoint: Ecn) -> None:
    async def scenario() -> None:
        target = UdpSocket.bind((host, 0))
        template = Template.of(qr1.observe_site(site, 1))
        server = RealityServer.serve(
            qr1.server_config(template),
            (host, 0),
            target=target.local,
            template=template,
            decider=qr1.decider(template),
            connection_ids=TaggedConnectionIds.derive(STATIC_KEY, template.cid),
        )
        client = UdpSocket.bind((host, 0))
        assert client.send(Transmit(b"\x40forth", client.local, server.local, codepoint)) == 0
        await until_arrived(target)
        there = target.receive()
        assert isinstance(there, Received)
        assert (there.data, there.ecn) == (b"\x40forth", codepoint)
        assert target.send(Transmit(b"\x40back", target.local, there.remote, codepoint)) == 0
        await until_arrived(client)
        back = client.receive()
        assert isinstance(back, Received)
        assert (back.data, back.ecn) == (b"\x40back", codepoint)
        # DF is set: what does not fit is lost, never fragmented.
        level, option = (socket.IPPROTO_IPV6, 23) if host == "::1" else (socket.IPPROTO_IP, 10)
        (flow,) = scene_sockets(server)
        with socket.socket(fileno=os.dup(flow)) as sock:
            assert sock.getsockopt(level, option) == 3
        server.close()
        client.close()
        target.close()

    within(scenario())


def scene_sockets(server: RealityServer) -> list[int]:
    return server._relay.descriptors()


def test_a_flood_of_bogus_hellos_is_bounded(site: Credentials) -> None:
    """Sockets, buffers and memory, with a genuine client and a browser in the middle of it."""

    async def scenario() -> None:
        limits = RelayLimits(flows=50, flows_per_network=40)
        async with serving(site, limits=limits) as scene:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
                sink.bind((LOOPBACK, 0))
                sink.setblocking(False)
                hello = Hello(server_name=SITE_NAME).encode()
                garbage = [initial(b"\x01" * 20, new_dcid()) for _ in range(50)]
                bogus = [hello_datagrams(hello, new_dcid())[0] for _ in range(400)]
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                for number, data in enumerate(bogus + garbage):
                    remote = (f"127.0.{number % 8}.1", sink.getsockname()[1])
                    scene.server.receive([Received(data, scene.server.local, remote)])
                    assert len(scene.server.demultiplexer.flows) <= 50
                    assert len(scene_sockets(scene.server)) <= 50
                    if number % 25 == 0:
                        await asyncio.sleep(0)
                # They are read in batches now, and everybody is served all the same.
                assert scene.server.rest() > 0
                client = await scene.connect()
                accepted = await scene.server.accept()
                await accepted.export()
                assert await load_page(scene.front.local, site) == PAGE
                counts = scene.server.demultiplexer.counts
                assert counts[Fate.EVICTED] >= 400
                after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                # Most of it is the site's, which runs in this process: aioquic keeps each
                # half-open connection until its idle timeout.
                assert after - before < 200_000
                client.close()
                accepted.release()

    within(scenario())


def test_targets_are_probed(site: Credentials) -> None:
    async def scenario() -> None:
        async with real_site(site) as address:
            template = await probe_target(address, SITE_NAME, probes=4)
            assert template.group == 0x001D
            assert template.flights
            assert template.cid.length == 8
        async with real_site(site, retry=True) as address:
            with pytest.raises(TargetError, match="Retry"):
                await probe_target(address, SITE_NAME)
        async with real_site(site) as address:
            other = replace(template, cid=replace(template.cid, length=9))
            decider = qr1.decider(template)
            with pytest.raises(ValueError, match="different lengths"):
                RealityServer.serve(
                    qr1.server_config(template),
                    (LOOPBACK, 0),
                    target=address,
                    template=other,
                    decider=decider,
                    connection_ids=TaggedConnectionIds.derive(STATIC_KEY, template.cid),
                )

    within(scenario())


def test_a_target_that_loses_half_of_the_hello(site: Credentials) -> None:
    async def scenario() -> None:
        async with real_site(site) as address, tapped(address) as tap:
            tap.lost = {1}
            template = await probe_target(tap.local, SITE_NAME, probes=1)
            assert template.group == 0x001D
            # Sent again, and the time counts from there.
            assert len(tap.forth) > 3
            assert template.delay < 0.150

    within(scenario())


@pytest.mark.parametrize(
    ("local", "target", "same"),
    [
        (("127.0.0.1", 443), ("127.0.0.1", 443), True),
        (("127.0.0.1", 443), ("127.0.0.2", 443), False),
        (("127.0.0.1", 443), ("127.0.0.1", 8443), False),
        (("0.0.0.0", 443), ("127.0.0.1", 443), True),  # noqa: S104
        (("::", 443), ("127.0.0.1", 443), True),
        (("::", 443), ("192.0.2.1", 443), False),
    ],
)
def test_a_target_that_is_the_server_itself(local: Address, target: Address, *, same: bool) -> None:
    assert is_same_port(local, target) is same


def test_without_descriptors_strangers_are_lost_and_the_server_lives(
    site: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with serving(site) as scene:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            lowest_free = os.dup(0)
            os.close(lowest_free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
            try:
                for port in range(1000, 1200):
                    stranger = Received(b"\x40" + bytes(40), scene.server.local, (LOOPBACK, port))
                    scene.server.receive([stranger])
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert len(scene.server.demultiplexer.flows) == 64
            told = [one for one in caplog.records if "no socket towards" in one.message]
            assert 1 <= len([one for one in told if one.levelname == "WARNING"]) <= 2
            assert await load_page(scene.front.local, site) == PAGE

    within(scenario())


def test_nobody_at_the_target() -> None:
    async def scenario() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((LOOPBACK, 0))
            with pytest.raises(TargetError, match="does not answer"):
                await probe_target(sock.getsockname(), SITE_NAME)

    within(scenario())


def test_following_a_newer_template(site: Credentials) -> None:
    async def scenario() -> None:
        async with serving(site) as scene:
            newer = replace(scene.template, key_share_first=not scene.template.key_share_first)
            scene.server.follow(newer)
            client = await scene.connect()
            await (await scene.server.accept()).export()
            client.close()
            with pytest.raises(ValueError, match="restart"):
                scene.server.follow(replace(newer, cid=replace(newer.cid, length=12)))

    within(scenario())
