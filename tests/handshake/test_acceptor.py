# SPDX-License-Identifier: BSD-3-Clause
import random
from collections import Counter

import pytest
from aioquic._buffer import Buffer
from aioquic.quic.packet import QuicPacketType, pull_quic_header

from nexusnet.handshake.acceptor import (
    Acceptor,
    AddressValidation,
    Drop,
    Limits,
)
from nexusnet.handshake.connection import TunnelConnection
from nexusnet.handshake.datagram import Address, Received
from nexusnet.handshake.engine import HandshakeEngine, Phase
from nexusnet.handshake.errors import CredentialsError, UnreachableError
from nexusnet.handshake.events import Ready
from nexusnet.handshake.profile import TransportProfile
from tests.handshake.setting import Setting, scene
from tests.handshake.wire import CLIENT, SERVER, Weather


def addresses(count: int) -> list[Address]:
    return [(f"198.51.100.{1 + number // 50}", 50000 + number) for number in range(count)]


def first_datagram(setting: Setting, address: Address = CLIENT) -> Received:
    client = HandshakeEngine.client(setting.client, local=address, remote=SERVER, now=0.0)
    (transmit,) = client.transmit(0.0)
    return Received(transmit.data, SERVER, address)


def test_fifty_clients_at_once(setting: Setting) -> None:
    stage = scene(setting, weather=Weather(loss=0.05, reorder=0.1))
    clients = [stage.add_client(address=address) for address in addresses(50)]
    stage.run_all(clients)
    assert [client.error for client in clients] == [None] * 50
    ready = [engine for engine, event in stage.server_events if isinstance(event, Ready)]
    assert len(set(ready)) == 50
    # Each client's secrets are those of its own end.
    for client in clients:
        server = stage.server_end(client)
        stage.run(lambda c=client, s=server: c.busy is None and s.busy is None)  # type: ignore[misc]  # bound early
        assert client.export().keys.tx == server.export().keys.rx
        stage.acceptor.settled(server)
    assert stage.acceptor.pending == 0
    assert len(stage.acceptor.engines) == 50


def test_released_connections_are_strangers(setting: Setting) -> None:
    stage = scene(setting)
    client = stage.add_client()
    stage.run_all([client])
    server = stage.server_end(client)
    server.export()
    stage.acceptor.settled(server)
    sealed = Received(b"\x40" + server.connection_id + bytes(40), SERVER, CLIENT)
    stage.acceptor.receive(sealed, stage.wire.now)
    assert server.take_held() == (sealed,)
    # Its long headers are swallowed, a replayed first datagram too: no second handshake.
    replayed = next(one for one in stage.wire.log if one.local == CLIENT)
    stage.acceptor.receive(Received(replayed.data, SERVER, CLIENT), stage.wire.now)
    assert stage.acceptor.engines == (server,)
    assert stage.acceptor.transmit(stage.wire.now) == []
    assert not stage.acceptor.drops
    stage.acceptor.release(server)
    stage.acceptor.receive(sealed, stage.wire.now)
    assert stage.acceptor.drops == {Drop.UNKNOWN_CONNECTION: 1}
    assert not stage.acceptor.engines


def test_drops_are_counted_by_reason_and_not_answered(setting: Setting) -> None:
    acceptor = Acceptor(setting.server)
    chance = random.Random(3)

    def long(version: int, size: int, kind: int = 0) -> bytes:
        head = bytes([0xC0 | kind << 4]) + version.to_bytes(4, "big")
        # Connection IDs of 8 and 0 bytes; an Initial has an empty token; then the length.
        head += b"\x08" + chance.randbytes(8) + b"\x00" + (b"" if kind else b"\x00")
        rest = size - len(head) - 2
        return head + (0x4000 | rest).to_bytes(2, "big") + chance.randbytes(rest)

    for data in (
        b"",
        b"\x40" + bytes(30),
        b"\xc0",
        long(1, 1000),
        long(1, 1250),
        long(1, 1250, kind=2),
        long(0xFFFFFFFF, 300),
    ):
        acceptor.receive(Received(data, SERVER, CLIENT), 0.0)
    assert acceptor.drops == {
        Drop.MALFORMED: 2,
        Drop.UNKNOWN_CONNECTION: 2,
        Drop.INITIAL_TOO_SMALL: 1,
        Drop.INITIAL_INVALID: 1,
        Drop.UNSUPPORTED_VERSION: 1,
    }
    assert acceptor.transmit(0.0) == []
    assert not acceptor.engines
    assert acceptor.deadline() is None


@pytest.mark.parametrize("wanted", [True, False])
def test_version_negotiation(setting: Setting, wanted: bool) -> None:  # noqa: FBT001 - a parameter
    acceptor = Acceptor(setting.server, Limits(version_negotiation=wanted))
    hello = b"\xc0\xfa\xce\xb0\x0c\x04aaaa\x04bbbb" + bytes(1200)
    acceptor.receive(Received(hello, SERVER, CLIENT), 0.0)
    answers = acceptor.transmit(0.0)
    if not wanted:
        assert answers == []
        return
    (answer,) = answers
    header = pull_quic_header(Buffer(data=answer.data))
    assert header.packet_type is QuicPacketType.VERSION_NEGOTIATION
    assert (header.destination_cid, header.source_cid) == (b"bbbb", b"aaaa")
    assert header.supported_versions == [1]
    assert len(answer.data) < 100
    # Never in answer to one.
    acceptor.receive(Received(answer.data + bytes(1200), SERVER, CLIENT), 0.0)
    assert acceptor.transmit(0.0) == []


def test_a_first_connection_id_that_is_too_short(setting: Setting) -> None:
    short = TunnelConnection(setting.client, is_client=True)
    short._peer_cid.cid = b"7 bytes"
    short.connect(SERVER, 0.0)
    acceptor = Acceptor(setting.server)
    for data, _ in short.datagrams_to_send(0.0):
        acceptor.receive(Received(data, SERVER, CLIENT), 0.0)
    assert acceptor.drops == {Drop.INITIAL_INVALID: 1}
    assert acceptor.pending == 0


def test_limits_on_strangers(setting: Setting) -> None:
    limits = Limits(pending=5, pending_per_address=3, validation=AddressValidation.NEVER)
    acceptor = Acceptor(setting.server, limits)
    for port in range(5):
        acceptor.receive(first_datagram(setting, ("203.0.113.1", 1000 + port)), 0.0)
    assert acceptor.pending == 3
    assert acceptor.drops == {Drop.TOO_MANY_FROM_ADDRESS: 2}
    for host in range(2, 6):
        acceptor.receive(first_datagram(setting, (f"203.0.113.{host}", 1000)), 0.0)
    assert acceptor.pending == 5
    assert acceptor.drops[Drop.TOO_MANY_PENDING] == 2
    # They do not stay: after the timeout there is room again, and no memory is held.
    now = 0.0
    acceptor.transmit(now)
    while (deadline := acceptor.deadline()) is not None:
        now = max(now, deadline) + 1e-6
        acceptor.handle_deadline(now)
        acceptor.transmit(now)
    assert now < 15
    assert acceptor.pending == 0
    assert acceptor.engines == ()
    errors = Counter(type(getattr(event, "error", None)) for _, event in drain(acceptor))
    assert sum(errors.values()) == 5
    assert UnreachableError not in errors
    acceptor.receive(first_datagram(setting), now)
    assert acceptor.pending == 1


@pytest.mark.parametrize("release", [False, True])
def test_only_handshakes_under_way_count(setting: Setting, release: bool) -> None:  # noqa: FBT001 - a parameter
    limits = Limits(pending=2, pending_per_address=1, validation=AddressValidation.NEVER)
    stage = scene(setting, limits=limits)
    for port in range(5):
        client = stage.add_client(address=(CLIENT[0], 50000 + port))
        stage.run_all([client])
        assert client.error is None
        server = stage.server_end(client)
        if release:
            # Given up by the agent before the export.
            stage.acceptor.release(server)
        else:
            server.export()
            stage.acceptor.settled(server)
    assert not stage.acceptor.drops
    assert stage.acceptor.pending == 0


def drain(acceptor: Acceptor) -> list[tuple[HandshakeEngine, object]]:
    found: list[tuple[HandshakeEngine, object]] = []
    while (item := acceptor.next_event()) is not None:
        found.append(item)
    return found


def test_an_ipv6_network_counts_as_one_address(setting: Setting) -> None:
    limits = Limits(pending_per_address=2, validation=AddressValidation.NEVER)
    acceptor = Acceptor(setting.server, limits)
    for host in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"):
        acceptor.receive(first_datagram(setting, (host, 1000)), 0.0)
    assert acceptor.pending == 3
    assert acceptor.drops == {Drop.TOO_MANY_FROM_ADDRESS: 1}


def test_nothing_is_amplified(setting: Setting) -> None:
    # RFC 9000 section 8.1: three times what was received, until the address is validated.
    acceptor = Acceptor(setting.server)
    datagram = first_datagram(setting)
    acceptor.receive(datagram, 0.0)
    now, sent = 0.0, 0
    while True:
        sent += sum(len(one.data) for one in acceptor.transmit(now))
        deadline = acceptor.deadline()
        if deadline is None:
            break
        now = max(now, deadline) + 1e-6
        acceptor.handle_deadline(now)
    assert 0 < sent <= 3 * len(datagram.data)


@pytest.mark.parametrize("validation", list(AddressValidation))
def test_retry(setting: Setting, validation: AddressValidation) -> None:
    limits = Limits(validation=validation, retry_above=2)
    stage = scene(setting, limits=limits)
    clients = [stage.add_client(address=address) for address in addresses(6)]
    stage.run_all(clients)
    assert [client.error for client in clients] == [None] * 6
    retries = [
        one
        for one in stage.wire.log
        if one.local == SERVER
        and one.data[0] >= 0x80
        and pull_quic_header(Buffer(data=one.data)).packet_type is QuicPacketType.RETRY
    ]
    expected = {
        AddressValidation.NEVER: 0,
        AddressValidation.UNDER_LOAD: 4,
        AddressValidation.ALWAYS: 6,
    }
    assert len(retries) == expected[validation]


def test_tokens_are_bound_to_the_address_and_to_time(setting: Setting) -> None:
    limits = Limits(validation=AddressValidation.ALWAYS)
    stage = scene(setting, limits=limits)
    client = stage.add_client()
    stage.run(lambda: stage.acceptor.pending == 1)
    with_token = next(
        one
        for one in stage.wire.log
        if one.local == CLIENT and pull_quic_header(Buffer(data=one.data)).token
    )
    del client
    acceptor = stage.acceptor
    thief = Received(with_token.data, SERVER, ("203.0.113.66", 50000))
    acceptor.receive(thief, stage.wire.now)
    assert acceptor.drops == {Drop.TOKEN_INVALID: 1}
    assert acceptor.pending == 1
    acceptor.release(acceptor.engines[0])
    acceptor.receive(Received(with_token.data, SERVER, CLIENT), stage.wire.now + 60)
    assert acceptor.drops == {Drop.TOKEN_INVALID: 2}
    assert acceptor.pending == 0


def test_connection_ids_and_reset_tokens_can_be_ours(setting: Setting) -> None:
    stage = scene(setting)
    numbers = iter(range(1, 10))
    stage.acceptor = Acceptor(
        setting.server,
        new_connection_id=lambda: b"nexus" + next(numbers).to_bytes(3, "big"),
        new_reset_token=lambda cid: (cid * 2)[:16],
    )
    stage.wire.attach(SERVER, stage.acceptor)
    client = stage.add_client()
    stage.run_all([client])
    exported = client.export()
    assert exported.peer_cids[0].value == b"nexus\0\0\1"
    assert bytes(exported.reset_tokens[0].token.reveal()) == b"nexus\0\0\1" * 2


def test_a_flood_costs_bounded_memory(setting: Setting) -> None:
    chance = random.Random(11)
    stage = scene(setting)
    client = stage.add_client()
    for number in range(3000):
        size = chance.randrange(1, 1400)
        data = chance.randbytes(size)
        stage.acceptor.receive(
            Received(data, SERVER, (f"203.0.113.{number % 250}", number + 1)), stage.wire.now
        )
    assert stage.acceptor.pending == 0
    assert sum(stage.acceptor.drops.values()) == 3000
    stage.run_all([client])
    assert client.phase is Phase.READY


def test_what_a_server_needs(setting: Setting) -> None:
    with pytest.raises(CredentialsError, match="certificate"):
        Acceptor(setting.with_server(credentials=None).server)
    empty = setting.with_server(profile=TransportProfile(connection_id_length=0))
    with pytest.raises(CredentialsError, match="connection IDs"):
        Acceptor(empty.server)
