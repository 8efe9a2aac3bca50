# SPDX-License-Identifier: BSD-3-Clause
"""A browser's client becomes a tunnel: export without a connection ID of its own, and going on."""

import datetime as dt
import itertools
from dataclasses import replace
from typing import Any

import pytest
from aioquic.quic.events import ConnectionTerminated, DatagramFrameReceived
from aioquic.tls import CipherSuite

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.engine import HandshakeEngine, Phase
from nexusnet.handshake.profile import EngineConfig, TransportProfile, utc_now
from nexusnet.handshake.verify import AnyPeer
from nexusnet.quic.frames import DatagramFrame
from nexusnet.reality.browser.dressing import as_browser
from nexusnet.session import ConnectionId
from tests.handshake.meeting import ALL_SUITES, Meeting
from tests.handshake.setting import PlainServer, Scene, Setting
from tests.handshake.wire import CLIENT, SERVER, Fate, Weather, Wire
from tests.reality.browser.observer import long_headers
from tests.reality.browser.scenes import tunnel_server
from tests.tunnel.rig import Rig, within
from tests.tunnel.standard_peer import echo_server


def lenient(**options: Any) -> EngineConfig:
    """A client that takes any server."""
    return replace(as_browser(EngineConfig(AnyPeer(), server_name="www.example.com")), **options)


class BrowserMeeting(Meeting):
    """Our browser-like client meets a plain aioquic server."""

    def __init__(self, *, wire: Wire | None = None, **options: Any) -> None:
        setting = Setting(tunnel_server(), lenient(timeout=50.0))
        self.wire = wire or Wire()
        self.address, self.peer_address = CLIENT, SERVER
        self.peer = PlainServer(setting, alpn_protocols=["h3"], **options)
        self.wire.attach(SERVER, self.peer)
        self.engine = HandshakeEngine.client(
            setting.client, local=CLIENT, remote=SERVER, now=self.wire.now
        )
        self.wire.attach(CLIENT, self.engine)


def talk(meeting: Meeting) -> None:
    """Hand over to the reference model; data passes both ways, nothing stays in flight."""
    continuation = meeting.go_on()
    exported = continuation.exported
    assert exported.local_cids == (ConnectionId(0, b""),)
    assert exported.idle_timeout_ms == 30_000
    assert exported.alpn == "h3"
    meeting.wire.weather = Weather()
    meeting.wire.settle(20)
    wanted = [b"%d" % number for number in range(10)]
    for data in wanted:
        continuation.send([DatagramFrame(data)])
        meeting.peer.quic.send_datagram_frame(data)
    meeting.flush()
    assert [one.data for one in meeting.peer.of_type(DatagramFrameReceived)] == wanted
    assert continuation.datagrams == wanted
    assert meeting.peer_space.ack_eliciting_in_flight == 0
    assert not meeting.peer.of_type(ConnectionTerminated)


@pytest.mark.parametrize("suite", ALL_SUITES, ids=lambda suite: suite.name)
def test_the_connection_goes_on(suite: CipherSuite) -> None:
    talk(BrowserMeeting(cipher_suites=[suite]).ready())


@pytest.mark.parametrize("seed", range(10))
def test_in_any_weather(seed: int) -> None:
    weather = Weather(loss=0.2, duplicate=0.2, reorder=0.4, mtu=1250 + 50 * (seed % 5))
    talk(BrowserMeeting(wire=Wire(seed, weather)).ready())


@pytest.mark.parametrize("fate", list(Fate))
def test_each_datagram_in_turn_has_bad_luck(fate: Fate) -> None:
    meeting = BrowserMeeting().ready()
    for unlucky in range(len(meeting.wire.log)):
        talk(BrowserMeeting(wire=Wire(fates={unlucky: fate})).ready())


def test_many_clients_of_one_server() -> None:
    scene = Scene(Setting(tunnel_server(), lenient()))
    clients = [scene.add_client(address=("198.51.100.7", port)) for port in range(1000, 1020)]
    scene.run_all(clients)
    assert {client.phase for client in clients} == {Phase.READY}
    sessions = [client.export() for client in clients]
    assert len({bytes(one.keys.tx.reveal()) for one in sessions}) == len(clients)
    assert {one.local_cids for one in sessions} == {(ConnectionId(0, b""),)}


def test_what_the_genuine_first_flight_leaves_behind() -> None:
    # Until READY: Initials, one datagram with Initial and Handshake filled up inside the Initial
    # (no bytes behind the last packet), then short headers alone.
    meeting = BrowserMeeting().ready()
    mine = [one.data for one in meeting.wire.log if one.local == CLIENT]
    assert [len(data) for data in mine[:3]] == [1250] * 3
    assert all(data[0] & 0x80 for data in mine[:3])
    assert long_headers(mine[2])[0] == [0, 2], "Initial and Handshake"
    short = list(itertools.dropwhile(lambda data: data[0] & 0x80, mine))
    assert all(not data[0] & 0x80 for data in short)


def test_a_peer_that_takes_less_gets_less() -> None:
    server = replace(tunnel_server(), profile=TransportProfile(max_udp_payload_size=1220))
    scene = Scene(Setting(server, lenient()))
    client = scene.add_client()
    scene.run_all([client])
    assert client.phase is Phase.READY, client.error
    mine = [len(one.data) for one in scene.wire.log if one.local == CLIENT]
    assert mine[:3] == [1250, 1250, 1220]
    assert max(mine[3:]) <= 1220


@pytest.mark.netns
def test_with_the_user_space_engine(rig: Rig) -> None:
    """Sockets, a device, packets: sessions without connection IDs, found by their address."""
    credentials = Credentials.self_signed(
        "www.example.com", not_before=utc_now() - dt.timedelta(days=1)
    )
    rig.config = lenient()

    async def scenario() -> None:
        async with echo_server(credentials, alpn="h3") as (address, peers):
            first = await rig.client_session(await rig.connect(address))
            second = await rig.client_session(await rig.connect(address))
            assert first.exported.local_cids == (ConnectionId(0, b""),)
            for number in range(20):
                await rig.echoed(first, b"first %d" % number)
                await rig.echoed(second, b"second %d" % number)
            assert all(peer.closed() is None for peer in peers)

    within(scenario())
