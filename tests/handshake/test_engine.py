# SPDX-License-Identifier: BSD-3-Clause
import datetime as dt
import errno
import io
import logging
import random
from collections.abc import Callable

import pytest
from aioquic._buffer import Buffer
from aioquic.quic.connection import QuicConnectionError, QuicReceiveContext
from aioquic.quic.packet import (
    QuicErrorCode,
    QuicProtocolVersion,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.tls import CipherSuite, Epoch

from nexusnet.handshake.connection import MAX_HELLO, TunnelConnection
from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.datagram import Received, Transmit
from nexusnet.handshake.engine import HandshakeEngine, Phase
from nexusnet.handshake.errors import (
    AlpnMismatchError,
    CertificateExpiredError,
    CertificateMissingError,
    CertificateRefusedError,
    ClockError,
    ClosedByUsError,
    CredentialsError,
    DatagramsUnsupportedError,
    EngineFaultError,
    FingerprintMismatchError,
    HandshakeError,
    HandshakeTimeoutError,
    NoCommonParametersError,
    PeerClosedError,
    PeerViolationError,
    UnreachableError,
    UntrustedCertificateError,
    VersionMismatchError,
)
from nexusnet.handshake.events import Confirmed, Failed, Ready
from nexusnet.handshake.profile import TransportProfile, utc_now
from nexusnet.handshake.verify import PinnedFingerprints, TrustedAuthorities
from tests.handshake.setting import (
    MIDNIGHT,
    PlainServer,
    Scene,
    Setting,
    plain_client,
    scene,
)
from tests.handshake.wire import CLIENT, SERVER, Weather, Wire

GetCredentials = Callable[[str], Credentials]


def outcome(
    setting: Setting, weather: Weather | None = None
) -> tuple[Scene, HandshakeEngine, HandshakeEngine]:
    """Let a client and the server meet; return both ends when it is decided."""
    stage = scene(setting, weather=weather)
    client = stage.add_client()
    stage.run_all([client])
    stage.wire.settle(1.0)
    stage.collect()
    # A failed end is forgotten at once, but its events are not.
    (server,) = {engine for engine, _ in stage.server_events}
    return stage, client, server


def test_both_ends_get_ready(setting: Setting) -> None:
    stage, client, server = outcome(setting)
    events = stage.client_events[client]
    confirmed, ready = events
    assert isinstance(confirmed, Confirmed)
    assert confirmed.identity is not None
    assert (confirmed.alpn, confirmed.identity.name) == ("l3ptp/1", "gateway")
    assert ready == Ready(1452)
    seen = [event for engine, event in stage.server_events if engine is server]
    assert isinstance(seen[0], Confirmed)
    assert seen[0].identity is not None
    assert seen[0].identity.name == "alice"
    assert seen[1] == Ready(1452)
    # Both ends agree about everything they share.
    ours, theirs = client.export(), server.export()
    assert ours.keys.tx == theirs.keys.rx
    assert ours.keys.rx == theirs.keys.tx
    assert ours.keys.header.tx == theirs.keys.header.rx
    assert ours.local_cids == theirs.peer_cids
    assert ours.peer_cids == theirs.local_cids
    assert ours.local_parameters == theirs.peer_parameters
    assert ours.peer_parameters == theirs.local_parameters
    assert ours.udp_tuple.local == theirs.udp_tuple.peer
    # Nothing that would have to be handed over: one connection ID each, no token but the server's.
    assert len(ours.peer_cids) == len(theirs.peer_cids) == 1
    assert [len(side.reset_tokens) for side in (ours, theirs)] == [1, 0]


@pytest.mark.parametrize("seed", range(12))
def test_bad_weather(setting: Setting, seed: int) -> None:
    chance = random.Random(seed)
    weather = Weather(
        loss=chance.uniform(0, 0.25),
        duplicate=chance.uniform(0, 0.3),
        reorder=chance.uniform(0, 0.5),
        mtu=chance.choice((1200, 1311, 1400, 1500)),
    )
    patient = setting.with_client(timeout=60.0).with_server(timeout=60.0)
    stage = Scene(patient, Wire(seed, weather))
    client = stage.add_client()
    stage.run_all([client], limit=120.0)
    assert client.error is None
    # Late packets may have set something in motion again.
    ends = (client, stage.server_end(client))
    stage.run(lambda: all(end.busy is None for end in ends))
    largest = max((size for size in (1200, 1311, 1352, 1452) if size <= weather.mtu), default=1200)
    for end in ends:
        assert end.export().datagram_size <= largest


def test_a_clean_path_of_any_size_is_found(setting: Setting) -> None:
    for mtu, found in ((1500, 1452), (1400, 1352), (1311, 1311), (1300, 1200)):
        _, client, server = outcome(setting, weather=Weather(mtu=mtu))
        assert client.export().datagram_size == found
        assert server.export().datagram_size == found


def test_probes_stay_below_the_peers_limit(setting: Setting) -> None:
    small = setting.with_server(profile=TransportProfile(max_udp_payload_size=1320))
    stage, client, server = outcome(small)
    assert client.export().datagram_size == 1311
    assert server.export().datagram_size == 1452
    assert all(len(one.data) <= 1320 for one in stage.wire.log if one.local == CLIENT)


def test_what_the_interface_refuses_is_not_tried_again(setting: Setting) -> None:
    stage = scene(setting, weather=Weather(mtu=1351))
    client = stage.add_client()
    stage.run(lambda: client.phase is Phase.PROBING)
    for size in (1352, 1452):
        probe = Transmit(bytes(size), CLIENT, SERVER)
        client.report_send_error(probe, errno.EMSGSIZE, stage.wire.now)
    stage.run(lambda: client.phase is Phase.READY)
    stage.run(lambda: client.busy is None)
    assert client.export().datagram_size == 1311
    sizes = [len(one.data) for one in stage.wire.log if one.local == CLIENT]
    assert [sizes.count(size) for size in (1311, 1352, 1452)] == [1, 1, 1]


# Each failure: the typed error on the side that found it, and what the other side learns.


def failed(
    setting: Setting, here: type[HandshakeError], there: type[HandshakeError], text: str
) -> None:
    stage, client, server = outcome(setting)
    errors = {type(client.error): client.error, type(server.error): server.error}
    assert set(errors) == {here, there}
    message = str(errors[here])
    assert text in message
    for error in errors.values():
        assert "\n" not in str(error)
        assert len(str(error)) > 20
    assert Failed(client.error) in stage.client_events[client]  # type: ignore[arg-type]  # not None, see above
    # Nothing is left behind at the server.
    stage.wire.settle(5)
    assert stage.acceptor.engines == ()
    assert stage.acceptor.pending == 0
    assert client.finished


def test_expired_certificate(setting: Setting) -> None:
    late = setting.with_client(wall_clock=lambda: MIDNIGHT + dt.timedelta(days=5000))
    failed(late, CertificateExpiredError, CertificateRefusedError, "expired on 2040")


def test_clock_behind(setting: Setting) -> None:
    early = setting.with_client(wall_clock=lambda: MIDNIGHT - dt.timedelta(days=400))
    failed(early, ClockError, CertificateRefusedError, "set the clock")


def test_wrong_fingerprint_of_the_server(setting: Setting) -> None:
    other = setting.with_client(verifier=PinnedFingerprints({bytes(32): "gateway"}))
    failed(other, FingerprintMismatchError, CertificateRefusedError, "not pinned here")


def test_wrong_fingerprint_of_the_client(setting: Setting) -> None:
    other = setting.with_server(verifier=PinnedFingerprints({bytes(32): "alice"}))
    failed(other, FingerprintMismatchError, CertificateRefusedError, "not pinned here")


def test_no_client_certificate(setting: Setting) -> None:
    bare = setting.with_client(credentials=None)
    failed(bare, CertificateMissingError, CertificateRefusedError, "no certificate")


def test_no_common_alpn(setting: Setting) -> None:
    other = setting.with_client(alpn=("other/1",))
    stage, client, server = outcome(other)
    assert isinstance(client.error, AlpnMismatchError)
    assert isinstance(server.error, AlpnMismatchError)
    assert "other/1" in str(client.error)
    assert "l3ptp/1" in str(server.error)
    del stage


def test_no_common_suite(setting: Setting) -> None:
    other = setting.with_client(suites=(CipherSuite.AES_128_GCM_SHA256,)).with_server(
        suites=(CipherSuite.CHACHA20_POLY1305_SHA256,)
    )
    _, client, server = outcome(other)
    assert isinstance(client.error, NoCommonParametersError)
    assert isinstance(server.error, NoCommonParametersError)


def test_no_common_version(setting: Setting) -> None:
    wire = Wire()
    server = PlainServer(setting, supported_versions=[QuicProtocolVersion.VERSION_2])
    # A server that begins with Version Negotiation, as aioquic's own socket code would.
    wire.attach(SERVER, VersionNegotiator(server))
    client = HandshakeEngine.client(setting.client, local=CLIENT, remote=SERVER, now=wire.now)
    wire.attach(CLIENT, client)
    wire.run(lambda: client.phase is Phase.FAILED)
    assert isinstance(client.error, VersionMismatchError)
    assert "0x6b3343cf" in str(client.error)


class VersionNegotiator:
    def __init__(self, server: PlainServer) -> None:
        self.server = server
        self.out: list[Transmit] = []
        self.now = 0.0

    def receive(self, datagram: Received, now: float) -> None:
        self.now = now
        data = datagram.data
        dcid = data[6 : 6 + data[5]]
        at = 6 + data[5]
        scid = data[at + 1 : at + 1 + data[at]]
        answer = encode_quic_version_negotiation(
            source_cid=dcid,
            destination_cid=scid,
            supported_versions=self.server.configuration.supported_versions,
        )
        self.out.append(Transmit(answer, SERVER, datagram.remote))

    def transmit(self, now: float) -> list[Transmit]:
        self.now = now
        out, self.out = self.out, []
        return out

    def deadline(self) -> float | None:
        return None

    def handle_deadline(self, now: float) -> None:
        raise AssertionError(f"no deadline was set, and it is {now}")


def test_a_client_of_another_version_is_told(setting: Setting) -> None:
    stage = scene(setting)
    peer = plain_client(stage.wire, supported_versions=[QuicProtocolVersion.VERSION_2])
    stage.wire.attach(CLIENT, peer)
    stage.wire.settle(1.0)
    # aioquic ends by itself where it finds no common version.
    assert peer.quic._close_event is not None
    assert "version" in peer.quic._close_event.reason_phrase
    assert stage.acceptor.engines == ()


def test_nobody_there(setting: Setting) -> None:
    wire = Wire()
    client = HandshakeEngine.client(setting.client, local=CLIENT, remote=SERVER, now=wire.now)
    wire.attach(CLIENT, client)
    start = wire.now
    wire.run(lambda: client.phase is Phase.FAILED)
    assert isinstance(client.error, UnreachableError)
    assert "192.0.2.1 port 443" in str(client.error)
    assert "firewall" in str(client.error)
    assert wire.now - start == pytest.approx(10.0, abs=0.1)


def test_a_short_idle_timeout_says_the_same(setting: Setting) -> None:
    hasty = setting.with_client(profile=TransportProfile(idle_timeout=3))
    wire = Wire()
    client = HandshakeEngine.client(hasty.client, local=CLIENT, remote=SERVER, now=wire.now)
    wire.attach(CLIENT, client)
    start = wire.now
    wire.run(lambda: client.phase is Phase.FAILED)
    assert isinstance(client.error, UnreachableError)
    assert wire.now - start < 6


@pytest.mark.parametrize(
    ("code", "name", "fix"),
    [
        (errno.ECONNREFUSED, "ECONNREFUSED", "is the server running there"),
        (errno.ENETUNREACH, "ENETUNREACH", "no route leads there"),
        (errno.EHOSTUNREACH, "EHOSTUNREACH", "no route leads there"),
        (errno.EACCES, "EACCES", "a firewall forbids it"),
    ],
)
def test_icmp_errors_are_believed_the_second_time_only(
    setting: Setting, code: int, name: str, fix: str
) -> None:
    wire = Wire()
    client = HandshakeEngine.client(setting.client, local=CLIENT, remote=SERVER, now=wire.now)
    client.report_icmp(code, wire.now)
    assert client.phase is Phase.HANDSHAKE
    client.report_icmp(code, wire.now)
    assert isinstance(client.error, UnreachableError)
    assert name in str(client.error)
    assert fix in str(client.error)


def test_icmp_errors_do_not_end_a_handshake_that_is_answered(setting: Setting) -> None:
    stage = scene(setting)
    client = stage.add_client()
    stage.run(lambda: client.phase is Phase.PROBING)
    for _ in range(10):
        client.report_icmp(errno.ECONNREFUSED, stage.wire.now)
    stage.run_all([client])
    assert client.error is None


def test_a_peer_that_stops_answering(setting: Setting) -> None:
    stage = scene(setting)
    client = stage.add_client()
    stage.run(lambda: client.phase is Phase.PROBING)
    stage.wire.weather = Weather(loss=1.0)
    stage.run(lambda: client.phase is Phase.FAILED)
    assert isinstance(client.error, HandshakeTimeoutError)
    assert "probing" in str(client.error)
    assert "in flight" in str(client.error)


def test_a_peer_without_datagrams_is_no_tunnel_end(setting: Setting) -> None:
    wire = Wire()
    server = PlainServer(setting, max_datagram_frame_size=None)
    wire.attach(SERVER, server)
    client = HandshakeEngine.client(setting.client, local=CLIENT, remote=SERVER, now=wire.now)
    wire.attach(CLIENT, client)
    wire.run(lambda: client.phase is Phase.FAILED)
    assert isinstance(client.error, DatagramsUnsupportedError)
    # It hears of it.
    wire.settle(1.0)
    assert server.quic._close_event is not None


def test_the_peers_close_is_shown_in_words(setting: Setting) -> None:
    wire = Wire()
    server = PlainServer(setting)
    wire.attach(SERVER, server)
    client = HandshakeEngine.client(setting.client, local=CLIENT, remote=SERVER, now=wire.now)
    wire.attach(CLIENT, client)
    wire.run(lambda: client.phase is Phase.PROBING)
    server.quic.close(
        error_code=QuicErrorCode.CONNECTION_REFUSED,
        frame_type=0,
        reason_phrase="busy\n\x1b[31m" + "x" * 500,
    )
    wire.flush(SERVER)
    wire.run(lambda: client.phase is Phase.FAILED)
    assert isinstance(client.error, PeerClosedError)
    assert client.error.error_code == QuicErrorCode.CONNECTION_REFUSED
    text = str(client.error)
    assert "CONNECTION_REFUSED" in text
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) < 250


def test_closing_before_the_export(setting: Setting) -> None:
    stage = scene(setting)
    client = stage.add_client()
    stage.run_all([client])
    server = stage.server_end(client)
    client.close()
    stage.wire.flush(CLIENT)
    assert isinstance(client.error, ClosedByUsError)
    stage.wire.settle(1.0)
    assert isinstance(server.error, PeerClosedError)
    assert client.finished
    # Once exported the connection is not the engine's any more.
    _, other, _ = outcome(setting)
    other.export()
    other.close()
    assert other.phase is Phase.EXPORTED


# Input that nobody authenticated


def test_garbage_changes_nothing(setting: Setting) -> None:
    chance = random.Random(7)
    stage = scene(setting)
    client = stage.add_client()
    seen: list[bytes] = []

    def disturb() -> bool:
        seen.extend(one.data for one in stage.wire.log[len(seen) :])
        for end, local, remote in (
            (client, CLIENT, SERVER),
            (stage.acceptor, SERVER, CLIENT),
        ):
            for data in garbage(chance, seen):
                end.receive(Received(data, local, remote), stage.wire.now)
        for address in (CLIENT, SERVER):
            stage.wire.flush(address)
        return client.phase is Phase.READY or client.error is not None

    stage.run(disturb)
    assert client.error is None
    stage.run_all([client])
    assert stage.server_end(client).error is None


def garbage(chance: random.Random, seen: list[bytes]) -> list[bytes]:
    """Random, truncated, bit-flipped and replayed datagrams."""
    out = [b"", b"\x40", b"\xc0", b"\xff\x00\x00\x00\x01"]
    out.append(chance.randbytes(chance.randrange(1, 1500)))
    # Long header of version 1 with random contents.
    out.append(b"\xc3\x00\x00\x00\x01\x08" + chance.randbytes(1300))
    for data in chance.sample(seen, min(3, len(seen))):
        out.append(data)
        out.append(data[: chance.randrange(len(data))])
        flipped = bytearray(data)
        flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        out.append(bytes(flipped))
    return out


def test_an_exception_in_aioquic_ends_one_connection_only(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = scene(setting)
    first = stage.add_client()
    other = stage.add_client(address=("198.51.100.8", 50000))
    stage.run(lambda: len(stage.acceptor.engines) == 2)
    victim = stage.server_end(first)
    assert victim._connection is not None

    def explode(*_: object) -> None:
        raise KeyError("secret of somebody")

    monkeypatch.setattr(victim._connection, "receive_datagram", explode)
    stage.run(lambda: victim.error is not None)
    assert isinstance(victim.error, EngineFaultError)
    assert "secret" not in str(victim.error)
    stage.run_all([other])
    assert other.error is None
    assert stage.server_end(other).phase is Phase.READY


def test_an_ack_of_what_was_never_sent_closes(setting: Setting) -> None:
    stage = scene(setting.trusting())
    peer = plain_client(stage.wire)
    stage.wire.attach(CLIENT, peer)
    stage.run(lambda: any(end.busy is None for end in stage.acceptor.engines))
    server = stage.server_end(peer)
    space = peer.quic._loss.spaces[-1]
    space.ack_queue.add(100_000)
    space.largest_received_packet = 100_000
    space.ack_at = stage.wire.now
    peer.quic.send_ping(1)
    stage.wire.flush(CLIENT)
    stage.run(lambda: server.error is not None)
    assert isinstance(server.error, PeerViolationError)
    assert server.error.error_code == QuicErrorCode.PROTOCOL_VIOLATION


def test_no_stream_may_be_opened(setting: Setting) -> None:
    stage = scene(setting.trusting())
    peer = plain_client(stage.wire)
    stage.wire.attach(CLIENT, peer)
    stage.run(lambda: any(end.busy is None for end in stage.acceptor.engines))
    server = stage.server_end(peer)
    assert peer.quic._remote_max_streams_bidi == peer.quic._remote_max_streams_uni == 0
    # A peer that ignores the limit.
    peer.quic._remote_max_streams_bidi = 1
    peer.quic._remote_max_stream_data_bidi_remote = peer.quic._remote_max_data = 1000
    peer.quic.send_stream_data(0, b"hello")
    stage.wire.flush(CLIENT)
    stage.run(lambda: server.error is not None)
    assert isinstance(server.error, PeerViolationError)
    assert server.error.error_code == QuicErrorCode.STREAM_LIMIT_ERROR


@pytest.mark.parametrize("end", [MAX_HELLO, MAX_HELLO + 1])
def test_a_hello_without_end_is_cut_off(setting: Setting, end: int) -> None:
    stage = scene(setting)
    client = stage.add_client()
    stage.run(lambda: stage.acceptor.pending == 1)
    server = stage.server_end(client)
    connection = server._connection
    assert connection is not None
    # A CRYPTO frame with a hole before it, as of a hello that is still to come.
    frame = Buffer(capacity=64)
    frame.push_uint_var(end - 10)
    frame.push_uint_var(10)
    frame.push_bytes(bytes(10))
    context = QuicReceiveContext(
        epoch=Epoch.INITIAL,
        host_cid=server.connection_id,
        network_path=connection._network_paths[0],
        quic_logger_frames=None,
        time=stage.wire.now,
        version=1,
    )
    if end <= MAX_HELLO:
        connection._handle_crypto_frame(context, 6, Buffer(data=frame.data))
        return
    with pytest.raises(QuicConnectionError) as closed:
        connection._handle_crypto_frame(context, 6, Buffer(data=frame.data))
    assert closed.value.error_code == QuicErrorCode.CRYPTO_BUFFER_EXCEEDED


def test_transport_parameters_are_as_told(setting: Setting) -> None:
    profile = TransportProfile(
        idle_timeout=17,
        max_udp_payload_size=1400,
        max_datagram_frame_size=1300,
        ack_delay_exponent=5,
        max_ack_delay=10,
        connection_id_length=5,
    )
    stage = scene(setting.with_client(profile=profile))
    client = stage.add_client()
    stage.run_all([client])
    server = stage.server_end(client)
    assert server._connection is not None
    # aioquic itself forgets this one.
    assert server._connection._remote_ack_delay_exponent == 5
    seen = server.export().peer_parameters
    assert seen.max_idle_timeout_ms == 17_000
    assert seen.max_udp_payload_size == 1400
    assert seen.max_datagram_frame_size == 1300
    assert seen.ack_delay_exponent == 5
    assert seen.max_ack_delay_ms == 10
    connection = client._connection
    assert isinstance(connection, TunnelConnection)
    parameters = connection.peer_parameters
    assert parameters is not None
    assert parameters.disable_active_migration is True
    assert parameters.initial_max_data == parameters.initial_max_streams_bidi == 0
    assert len(client.connection_id) == 5


def test_a_client_with_an_empty_connection_id(setting: Setting) -> None:
    stage = scene(setting.with_client(profile=TransportProfile(connection_id_length=0)))
    client = stage.add_client()
    stage.run_all([client])
    assert client.error is None
    exported = client.export()
    assert exported.local_cids[0].value == b""
    # What it made up for the server until it knew better is long enough (RFC 9000 section 7.2).
    first = pull_quic_header(Buffer(data=stage.wire.log[0].data))
    assert (len(first.destination_cid), first.source_cid) == (8, b"")
    assert stage.server_end(client).export().peer_cids[0].value == b""


def test_an_authority_without_a_name_proves_nothing(setting: Setting) -> None:
    config = setting.with_client(verifier=TrustedAuthorities(), server_name=None).client
    with pytest.raises(CredentialsError, match="server name"):
        HandshakeEngine.client(config, local=CLIENT, remote=SERVER, now=0.0)


def test_a_server_of_an_authority(setting: Setting) -> None:
    now = utc_now()  # OpenSSL looks at the clock itself
    authority = Credentials.self_signed("vpn.example", not_before=now - dt.timedelta(days=1))
    trusting = setting.with_client(
        verifier=TrustedAuthorities(authority.to_pem()[0]), wall_clock=utc_now
    ).with_server(credentials=authority)
    _, client, _ = outcome(trusting)
    identity = client.export().identity
    assert identity is not None
    assert identity.name == "vpn.example"
    elsewhere = trusting.with_client(server_name="other.example")
    failed(elsewhere, UntrustedCertificateError, CertificateRefusedError, "not trusted")


def test_the_key_log_lets_an_analyser_in(setting: Setting) -> None:
    log = io.StringIO()
    _, client, _ = outcome(setting.with_client(key_log=log))
    exported = client.export()
    lines = {line.split()[0]: line.split()[2] for line in log.getvalue().splitlines()}
    assert lines["CLIENT_TRAFFIC_SECRET_0"] == bytes(exported.keys.tx.reveal()).hex()
    assert lines["SERVER_TRAFFIC_SECRET_0"] == bytes(exported.keys.rx.reveal()).hex()


def test_failures_leave_no_secret_in_the_log(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    log = io.StringIO()
    caplog.set_level(logging.DEBUG)
    other = setting.with_server(verifier=PinnedFingerprints({}), key_log=log)
    outcome(other)
    secrets = [line.split()[2] for line in log.getvalue().splitlines()]
    assert secrets
    for record in caplog.records:
        assert not any(secret in record.getMessage() for secret in secrets)
