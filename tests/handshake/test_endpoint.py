# SPDX-License-Identifier: BSD-3-Clause
"""Handshakes over real sockets of the loopback interface."""

import asyncio
import datetime as dt
import errno
import select
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aioquic.asyncio.client import connect as plain_connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve as plain_serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import DatagramFrameReceived, QuicEvent

from nexusnet.handshake.connection import Ecn
from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.datagram import Address, Received, Transmit
from nexusnet.handshake.endpoint import (
    BATCH,
    AcceptedConnection,
    ClientConnection,
    Pump,
    Server,
)
from nexusnet.handshake.engine import HandshakeEngine, Phase
from nexusnet.handshake.errors import (
    FingerprintMismatchError,
    HandshakeError,
    UnreachableError,
)
from nexusnet.handshake.export import ExportedConnection
from nexusnet.handshake.profile import EngineConfig, utc_now
from nexusnet.handshake.udp import UdpSocket, normal_address, plain_ip
from nexusnet.handshake.verify import AnyPeer, PinnedFingerprints
from nexusnet.quic.frames import DatagramFrame
from tests.handshake.continuation import Continuation
from tests.handshake.setting import Setting

LOOPBACKS = ["127.0.0.1", "::1"]
PATIENCE = 30.0


def within(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine, bounded in time."""

    async def bounded() -> None:
        await asyncio.wait_for(coroutine, PATIENCE)

    asyncio.run(bounded())


@pytest.fixture
def live(setting: Setting) -> Setting:
    """The setting at today's time of day, which plain peers go by."""
    now = utc_now()
    credentials = Credentials.self_signed("localhost", not_before=now - dt.timedelta(days=1))
    client = Credentials.self_signed("client.example", not_before=now - dt.timedelta(days=1))
    return Setting(
        server=EngineConfig(PinnedFingerprints({client.fingerprint: "alice"}), credentials),
        client=EngineConfig(
            PinnedFingerprints({credentials.fingerprint: "gateway"}), client, "localhost"
        ),
    )


@pytest.fixture(params=LOOPBACKS)
def host(request: pytest.FixtureRequest) -> str:
    if request.param == "::1" and not has_ipv6():
        pytest.skip("no IPv6 here")
    return str(request.param)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


class SocketPump:
    """Moves datagrams between a socket and a continuation, by hand."""

    def __init__(self, udp: UdpSocket, continuation: Continuation) -> None:
        self.udp = udp
        self.continuation = continuation

    async def run(self, until: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        while not until():
            while isinstance(item := self.udp.receive(), Received):
                self.continuation.receive(item, loop.time())
            for transmit in self.continuation.transmit(loop.time()):
                assert self.udp.send(transmit) == 0
            await asyncio.sleep(0.005)


def test_both_ends_over_sockets(live: Setting, host: str) -> None:
    async def scenario() -> None:
        server = Server.listen(live.server, (host, 0))
        client = await ClientConnection.open(live.client, server.local)
        accepted = await server.accept()
        ours, theirs = await client.export(), await accepted.export()
        assert ours.keys.tx == theirs.keys.rx
        assert ours.datagram_size == theirs.datagram_size == 1452
        # The server knows its own address, the client learnt its own although bound to a wildcard.
        assert ours.udp_tuple.local == theirs.udp_tuple.peer
        assert ours.udp_tuple.peer == theirs.udp_tuple.local
        assert str(ours.udp_tuple.local.address) == host

        # The handover: what arrives after the export is kept, from the socket too.
        loop = asyncio.get_running_loop()
        far = Continuation(theirs, server.local, accepted.engine.remote)
        far.send([DatagramFrame(b"one")])
        far.send([DatagramFrame(b"two")])
        for transmit in far.transmit(loop.time()):
            assert server.udp.send(transmit) == 0
        await until_arrived(client.udp)
        held = client.drain()
        assert len(held) >= 2
        near = Continuation(ours, client.udp.local, server.local)
        for one in held:
            near.receive(one, loop.time())
        assert near.datagrams == [b"one", b"two"]
        accepted.release()
        client.detach()
        client.close()
        server.close()

    within(scenario())


async def until_arrived(udp: UdpSocket) -> None:
    """Wait until something can be read, without reading it: loopback is not instantaneous."""
    loop = asyncio.get_running_loop()
    end = loop.time() + 5
    while loop.time() < end:
        try:
            udp.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            await asyncio.sleep(0.001)
        else:
            return
    raise AssertionError("nothing arrived")


def test_many_clients_on_one_socket(live: Setting) -> None:
    async def scenario() -> None:
        server = Server.listen(live.server, ("127.0.0.1", 0))
        started = time.monotonic()
        clients = [
            asyncio.create_task(ClientConnection.open(live.client, server.local)) for _ in range(50)
        ]
        accepted = [await server.accept() for _ in clients]
        connections = [await client for client in clients]
        took = time.monotonic() - started
        pairs = {bytes((await one.export()).keys.rx.reveal()) for one in accepted}
        assert {bytes((await one.export()).keys.tx.reveal()) for one in connections} == pairs
        assert len(pairs) == 50
        # Generous: the requirement is 10 s on two idle cores, and this machine may be busy.
        assert took < PATIENCE
        for connection in connections:
            connection.close()
        for one in accepted:
            one.release()
        assert server.acceptor.engines == ()
        server.close()

    within(scenario())


class Collecting(QuicConnectionProtocol):
    """A plain aioquic endpoint that keeps what it receives."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.received: list[bytes] = []

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, DatagramFrameReceived):
            self.received.append(event.data)


def test_a_plain_aioquic_server(live: Setting, host: str) -> None:
    async def scenario() -> None:
        credentials = live.server.credentials
        assert credentials is not None
        configuration = QuicConfiguration(
            is_client=False,
            alpn_protocols=["l3ptp/1"],
            max_datagram_frame_size=65535,
            certificate=credentials.certificate,
            private_key=credentials.private_key,
        )
        peers: list[Collecting] = []

        def make(*args: Any, **kwargs: Any) -> Collecting:
            peers.append(Collecting(*args, **kwargs))
            return peers[-1]

        server = await plain_serve(host, 0, configuration=configuration, create_protocol=make)
        transport = server._transport
        assert transport is not None
        port = transport.get_extra_info("sockname")[1]
        client = await ClientConnection.open(live.client, (host, port))
        exported = await client.export()
        (peer,) = peers
        await exchange(client.detach(), client.drain(), exported, (host, port), peer)
        client.close()
        server.close()

    within(scenario())


def test_a_plain_aioquic_client(live: Setting, host: str) -> None:
    async def scenario() -> None:
        server = Server.listen(live.trusting().server, (host, 0))
        configuration = QuicConfiguration(
            is_client=True,
            alpn_protocols=["l3ptp/1"],
            max_datagram_frame_size=65535,
            verify_mode=0,
        )
        async with plain_connect(
            host, server.local[1], configuration=configuration, create_protocol=Collecting
        ) as peer:
            accepted = await server.accept()
            exported = await accepted.export()
            held = accepted.drain()
            udp = server.detach()
            assert isinstance(peer, Collecting)
            await exchange(udp, held, exported, accepted.engine.remote, peer)
        server.close()

    within(scenario())


async def exchange(
    udp: UdpSocket,
    held: tuple[Received, ...],
    exported: ExportedConnection,
    remote: Address,
    peer: Collecting,
) -> None:
    """DATAGRAMs, a PING and key updates of both sides with a plain peer, then its close."""
    loop = asyncio.get_running_loop()
    continuation = Continuation(exported, udp.local, remote)
    for one in held:
        continuation.receive(one, loop.time())
    pump = SocketPump(udp, continuation)
    for round_number in range(3):
        if round_number == 1:
            continuation.update_keys()
        if round_number == 2:
            peer.request_key_update()
            pinged = asyncio.create_task(peer.ping())
            await pump.run(pinged.done)
        mark = f"round {round_number}".encode()
        continuation.send([DatagramFrame(mark)])
        await pump.run(lambda: bool(peer.received) and peer.received[-1] == mark)  # noqa: B023 - awaited here
        peer._quic.send_datagram_frame(mark)
        peer.transmit()
        await pump.run(
            lambda: bool(continuation.datagrams) and continuation.datagrams[-1] == mark  # noqa: B023 - awaited here
        )
        pinged = asyncio.create_task(peer.ping())
        await pump.run(pinged.done)
    assert continuation.tx.generation == continuation.rx.generation == 2
    peer.close(error_code=5)
    await pump.run(lambda: continuation.closed is not None)


def test_a_closed_port_is_said_so_at_once(live: Setting, host: str) -> None:
    async def scenario() -> None:
        taken = UdpSocket.bind((host, 0))
        address = taken.local
        taken.close()
        started = time.monotonic()
        with pytest.raises(UnreachableError, match="ECONNREFUSED"):
            await ClientConnection.open(live.client, address)
        # Well before the timeout of 10 s: the second refusal follows the first retransmission.
        assert time.monotonic() - started < 8

    within(scenario())


def test_a_failure_closes_the_socket_and_is_reported_at_both_ends(live: Setting) -> None:
    async def scenario() -> None:
        failures: asyncio.Queue[HandshakeError] = asyncio.Queue()

        def note(engine: HandshakeEngine, error: HandshakeError) -> None:
            assert engine.phase is Phase.FAILED
            failures.put_nowait(error)

        server = Server.listen(live.server, ("127.0.0.1", 0), on_failure=note)
        stranger = live.with_client(verifier=PinnedFingerprints({})).client
        udp = UdpSocket.for_remote(server.local)
        with pytest.raises(FingerprintMismatchError):
            await ClientConnection.open(stranger, server.local, udp=udp)
        assert udp.sock.fileno() == -1
        assert "refuses our certificate" in str(await failures.get())
        # The server still serves others.
        client = await ClientConnection.open(live.client, server.local)
        await server.accept()
        client.close()
        server.close()

    within(scenario())


def test_a_cancelled_client_leaves_nothing(live: Setting) -> None:
    async def scenario() -> None:
        silent = UdpSocket.bind(("127.0.0.1", 0))
        udp = UdpSocket.for_remote(silent.local)
        task = asyncio.create_task(ClientConnection.open(live.client, silent.local, udp=udp))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert udp.sock.fileno() == -1
        silent.close()

    within(scenario())


def test_ports_that_are_taken_or_not_ours(live: Setting) -> None:
    async def scenario() -> None:
        server = Server.listen(live.server, ("127.0.0.1", 0))
        with pytest.raises(OSError, match=r"UDP 127\.0\.0\.1 port \d+: Address already"):
            Server.listen(live.server, server.local)
        with pytest.raises(OSError, match=r"192\.0\.2\.77 port 5: Cannot assign"):
            Server.listen(live.server, ("192.0.2.77", 5))
        server.close()

    within(scenario())


def test_a_dual_stack_socket_serves_ipv4(live: Setting) -> None:
    if not has_ipv6():
        pytest.skip("no IPv6 here")

    async def scenario() -> None:
        server = Server.listen(live.server, ("::", 0))
        for host in ("127.0.0.1", "127.0.0.9", "::1"):
            client = await ClientConnection.open(live.client, (host, server.local[1]))
            accepted: AcceptedConnection = await server.accept()
            exported = await accepted.export()
            # The address that the client used, not the wildcard.
            assert str(exported.udp_tuple.local.address) == host
            client.close()
            accepted.release()
        server.close()

    within(scenario())


def test_datagrams_of_the_data_plane_reach_the_server(live: Setting) -> None:
    async def scenario() -> None:
        server = Server.listen(live.server, ("127.0.0.1", 0))
        udp = server.detach()
        opening = asyncio.create_task(ClientConnection.open(live.client, server.local))
        # As a data plane would: it reads the socket and hands up what it does not know.
        while not opening.done():
            item = udp.receive()
            if isinstance(item, Received):
                server.receive([item])
            else:
                await asyncio.sleep(0.001)
        client = await opening
        client.close()
        server.close()

    within(scenario())


# The socket


def pair(host: str) -> tuple[UdpSocket, UdpSocket]:
    wildcard = "::" if ":" in host else "0.0.0.0"  # noqa: S104 - what is to be tested
    return UdpSocket.bind((wildcard, 0)), UdpSocket.bind((host, 0))


def wait_for(udp: UdpSocket) -> Received:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        item = udp.receive()
        if isinstance(item, Received):
            return item
        time.sleep(0.001)
    raise AssertionError("nothing arrived")


def test_addresses_and_ecn_of_datagrams(host: str) -> None:
    wild, bound = pair(host)
    level, option = (
        (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
        if ":" in host
        else (socket.IPPROTO_IP, socket.IP_TOS)
    )
    for codepoint in Ecn:
        bound.sock.setsockopt(level, option, int(codepoint))
        assert bound.send(Transmit(b"hello", bound.local, (host, wild.local[1]))) == 0
        received = wait_for(wild)
        assert received == Received(b"hello", (host, wild.local[1]), bound.local, codepoint)
    # The answer leaves from the address that was asked.
    assert wild.send(Transmit(b"answer", (host, wild.local[1]), bound.local)) == 0
    assert wait_for(bound).remote == (host, wild.local[1])
    wild.close()
    bound.close()


def test_a_wildcard_socket_answers_from_the_right_address() -> None:
    wild, bound = pair("127.0.0.1")
    sender = Transmit(b"hello", bound.local, ("127.0.0.77", wild.local[1]))
    assert bound.send(sender) == 0
    received = wait_for(wild)
    assert received.local == ("127.0.0.77", wild.local[1])
    assert wild.send(Transmit(b"answer", received.local, received.remote)) == 0
    assert wait_for(bound).remote == ("127.0.0.77", wild.local[1])
    wild.close()
    bound.close()


def test_datagrams_are_not_fragmented() -> None:
    # Loopback has an MTU of 65536: the largest UDP payload of IPv4 still fits, one byte more not.
    wild, bound = pair("127.0.0.1")
    target = ("127.0.0.1", wild.local[1])
    assert bound.send(Transmit(bytes(65508), bound.local, target)) == errno.EMSGSIZE
    assert bound.send(Transmit(bytes(65507), bound.local, target)) == 0
    assert len(wait_for(wild).data) == 65507
    assert bound.sock.getsockopt(socket.IPPROTO_IP, 10) == 3  # IP_MTU_DISCOVER, probe: DF is set
    wild.close()
    bound.close()


def test_what_is_no_udp_socket() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock,
        pytest.raises(OSError, match="UDP"),
    ):
        UdpSocket(sock)
    first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with first, second, pytest.raises(OSError, match="UDP"):
        UdpSocket(first)


def test_addresses_as_text() -> None:
    assert plain_ip("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain_ip("2001:DB8:0::1") == "2001:db8::1"
    assert plain_ip("fe80::1%3") == "fe80::1%3"
    assert normal_address(("fe80:0::1%lo", 5)) == (f"fe80::1%{socket.if_nametoindex('lo')}", 5)
    assert normal_address(("0:0:0:0:0:0:0:1", 5)) == ("::1", 5)
    for host in ("localhost", "1.2.3", "::1::"):
        with pytest.raises(ValueError):
            normal_address((host, 5))
    with pytest.raises(OSError):
        normal_address(("fe80::1%nosuch", 5))


def test_an_address_may_be_written_in_any_way(live: Setting) -> None:
    if not has_ipv6():
        pytest.skip("no IPv6 here")

    async def scenario() -> None:
        server = Server.listen(live.server, ("0:0:0:0:0:0:0:1", 0))
        client = await ClientConnection.open(live.client, ("0::1", server.local[1]))
        client.close()
        server.close()

    within(scenario())


def test_a_server_for_anyone_has_no_identity(live: Setting) -> None:
    async def scenario() -> None:
        config = live.with_server(verifier=AnyPeer()).server
        server = Server.listen(config, ("127.0.0.1", 0))
        client = await ClientConnection.open(live.client, server.local)
        accepted = await server.accept()
        assert (await accepted.export()).identity is None
        client.close()
        server.close()

    within(scenario())


def is_readable(udp: UdpSocket) -> bool:
    return bool(select.select([udp.sock], [], [], 0)[0])


def test_an_icmp_error_that_a_send_hears_of_first(host: str) -> None:
    """Its record would keep the socket readable, and the event loop busy."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((host, 0))
        nobody = (host, s.getsockname()[1])
    udp = UdpSocket.for_remote(nobody)
    udp.report_icmp(enable=True)
    # The first is sent, and the second hears what became of it.
    codes = [udp.send(Transmit(b"x", udp.local, nobody)) for _ in range(2)]
    assert codes == [0, errno.ECONNREFUSED]
    assert is_readable(udp)
    assert udp.receive() == errno.ECONNREFUSED
    assert not is_readable(udp)
    assert udp.receive() is None
    udp.close()


class Restless:
    """A driver whose socket always has something to read."""

    def __init__(self, udp: UdpSocket, due: float) -> None:
        self.udp = udp
        self.due: float | None = due
        self.late = 0

    def receive(self, datagram: Received, now: float) -> None:
        del datagram
        self.late += self.due is not None and now > self.due
        self.send()

    def send(self) -> None:
        self.udp.send(Transmit(b"x", self.udp.local, self.udp.local))

    def transmit(self, now: float) -> list[Transmit]:
        del now
        return []

    def deadline(self) -> float | None:
        return self.due

    def handle_deadline(self, now: float) -> None:
        assert self.due is not None
        assert now >= self.due
        self.due = None

    def report_send_error(self, transmit: Transmit, code: int, now: float) -> None:
        raise AssertionError(f"{transmit} {code} {now}")

    def report_icmp(self, code: int, now: float) -> None:
        raise AssertionError(f"{code} {now}")


def test_a_flood_puts_off_no_deadline() -> None:
    async def scenario() -> None:
        udp = UdpSocket.bind(("127.0.0.1", 0))
        driver = Restless(udp, asyncio.get_running_loop().time() + 0.05)
        pump = Pump(udp, driver, lambda: None)
        pump.start()
        driver.send()
        while driver.due is not None:
            await asyncio.sleep(0)
            assert driver.late <= BATCH
        pump.stop()
        udp.close()

    within(scenario())


def test_who_kicks_all_the_time_puts_off_no_deadline() -> None:
    """A data plane that hands strays over, and a relay, kick in every turn of the loop."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        udp = UdpSocket.bind(("127.0.0.1", 0))
        driver = Restless(udp, loop.time() + 0.05)
        pump = Pump(udp, driver, lambda: None)
        pump.start()
        ready, writer = socket.socketpair()
        writer.send(b"always readable")
        loop.add_reader(ready, pump.kick)
        end = loop.time() + 5
        while driver.due is not None:
            await asyncio.sleep(0)
            assert loop.time() < end
        loop.remove_reader(ready)
        pump.stop()
        for sock in (ready, writer, udp):
            sock.close()

    within(scenario())
