# SPDX-License-Identifier: BSD-3-Clause
"""Relayed to a genuine site: whatever it does, the visit ends as a browser's: `relayed`."""

from dataclasses import replace
from typing import Any

import pytest
from aioquic import tls
from aioquic.h3.connection import Setting
from aioquic.quic.events import ConnectionTerminated
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.handshake.engine import HandshakeEngine, Phase
from nexusnet.handshake.errors import HandshakeError, PeerViolationError, RelayedError
from nexusnet.handshake.profile import EngineConfig
from nexusnet.reality.browser.visit import MAX_PAGE
from nexusnet.reality.client import as_reality_client
from nexusnet.reality.client_hello import ExtensionType
from nexusnet.reality.credentials import ClientCredentials
from nexusnet.reality.key_exchange import Group
from tests.handshake.wire import CLIENT, SERVER, Fate, Weather, Wire
from tests.reality.browser.comparison import CAPTURE, CAPTURED_NAME, differences
from tests.reality.browser.observer import (
    FirstFlight,
    from_capture,
    long_headers,
    read_initial,
)
from tests.reality.browser.scenes import browser_config, site, visitor
from tests.reality.browser.site import ALPS, SETTINGS, Habits, Site

H3_NO_ERROR = 0x100
SUITES = list(tls.CipherSuite)[:3]


def stranger(**changes: Any) -> EngineConfig:
    """A client whose key no server knows."""
    credentials = ClientCredentials(X25519PrivateKey.generate().public_key(), bytes(8))
    return replace(as_reality_client(visitor(), credentials, "gateway"), **changes)


class Visiting:
    """A client and a site on a wire."""

    def __init__(
        self,
        habits: Habits | None = None,
        config: EngineConfig | None = None,
        wire: Wire | None = None,
    ) -> None:
        self.wire = wire or Wire()
        self.site = Site(site(), habits)
        self.wire.attach(SERVER, self.site)
        self.client = HandshakeEngine.client(
            config or stranger(), local=CLIENT, remote=SERVER, now=self.wire.now
        )
        self.wire.attach(CLIENT, self.client)

    def over(self) -> "Visiting":
        self.wire.run(lambda: self.client.phase is Phase.FAILED)
        self.wire.settle(1.0)
        return self

    @property
    def error(self) -> HandshakeError:
        assert self.client.error is not None
        return self.client.error

    @property
    def ended_by(self) -> ConnectionTerminated:
        (event,) = self.site.of_type(ConnectionTerminated)
        assert isinstance(event, ConnectionTerminated)
        return event

    def check_relayed(self) -> None:
        assert isinstance(self.error, RelayedError), self.error
        (request,) = self.site.requests
        assert request[b":method"] == b"GET"
        assert request[b":authority"] == CAPTURED_NAME.encode()
        assert request[b":path"] == b"/"
        assert b"Chrome/156" in request[b"user-agent"]
        assert self.site.visitor_settings is not None
        assert Setting.QPACK_MAX_TABLE_CAPACITY in self.site.visitor_settings
        assert self.ended_by.error_code == H3_NO_ERROR
        assert self.ended_by.frame_type is None, "an application's close"
        assert self.client.finished


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("group", list(Group), ids=lambda group: group.name)
def test_a_page_is_loaded(suite: tls.CipherSuite, group: Group) -> None:
    visiting = Visiting(Habits(suite=suite, group=group)).over()
    visiting.check_relayed()
    (hello,) = visiting.site.quic.tls.hellos
    assert differences(FirstFlight.of(visiting.site.received[:2])) == []
    assert hello.server_name == CAPTURED_NAME


def test_the_second_flight_is_one_datagram() -> None:
    """ACK and PADDING in an Initial, Finished, and a first 1-RTT packet; as in the capture."""
    captured = from_capture(CAPTURE, 5)
    visiting = Visiting().over()
    for first, second in (
        (captured[0], captured[4]),
        (visiting.site.received[0], visiting.site.received[2]),
    ):
        initial = read_initial(second, first[6:14])
        assert (initial.number, initial.number_length) == (3, 1)
        assert [frame[:3] for frame in initial.frames] == ["ACK", "PAD"]
        types, behind = long_headers(second)
        assert types == [0, 2], "Initial and Handshake"
        assert behind > 50
        assert len(second) == 1250


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_a_compressed_certificate(suite: tls.CipherSuite) -> None:
    Visiting(Habits(suite=suite, compress=True)).over().check_relayed()


@pytest.mark.parametrize("settings", [b"", SETTINGS])
def test_application_settings_are_answered(settings: bytes) -> None:
    visiting = Visiting(Habits(settings=settings)).over()
    visiting.check_relayed()
    assert visiting.site.quic.tls.client_settings == [(ALPS, b"")]


def test_without_application_settings_there_is_no_answer() -> None:
    visiting = Visiting().over()
    assert visiting.site.quic.tls.client_settings is None


def test_a_certificate_request_gets_an_empty_certificate() -> None:
    Visiting(Habits(asks_certificate=True)).over().check_relayed()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("group", [tls.Group.SECP256R1, tls.Group.SECP384R1])
@pytest.mark.parametrize("cookie", [None, b"a cookie"])
def test_a_hello_retry_request(suite: tls.CipherSuite, group: int, cookie: bytes | None) -> None:
    habits = Habits(suite=suite, ask_again_for=group, cookie=cookie)
    visiting = Visiting(habits).over()
    visiting.check_relayed()
    first, second = visiting.site.quic.tls.hellos
    # RFC 8446 section 4.1.2: the share, and a cookie; nothing else changes, the order neither.
    assert first.random == second.random
    assert [share.group for share in second.key_shares] == [group]
    kept = [one for one in second.extensions if one.type != ExtensionType.KEY_SHARE]
    cookies = [one for one in kept if one.type == tls.ExtensionType.COOKIE]
    if cookie is None:
        assert cookies == []
    else:
        assert [one.data for one in cookies] == [len(cookie).to_bytes(2) + cookie]
    assert [one for one in kept if one not in cookies] == [
        one for one in first.extensions if one.type != ExtensionType.KEY_SHARE
    ]
    assert [one.type for one in second.extensions if one not in cookies] == [
        one.type for one in first.extensions
    ]


def test_a_retry_gets_the_same_hello_again() -> None:
    visiting = Visiting(Habits(retry=True)).over()
    visiting.check_relayed()
    before = FirstFlight.of(visiting.site.received[:2])
    again = FirstFlight.of(visiting.site.received[2:4])
    assert before.message == again.message
    assert [packet.token for packet in again.initials] == [b"token of a site " * 6] * 2
    # RFC 9000 section 17.2.5.3: the packet number is not reset, and the DCID is the server's.
    assert [packet.number for packet in again.initials] == [3, 4]
    assert {packet.dcid for packet in again.initials} != {before.initials[0].dcid}
    assert [packet.datagram_size for packet in again.initials] == [1250, 1250]


def test_all_of_it_at_once() -> None:
    habits = Habits(
        suite=tls.CipherSuite.AES_256_GCM_SHA384,
        ask_again_for=tls.Group.SECP384R1,
        cookie=b"c" * 100,
        compress=True,
        settings=SETTINGS,
        asks_certificate=True,
        retry=True,
    )
    Visiting(habits).over().check_relayed()


@pytest.mark.parametrize("seed", range(8))
def test_in_bad_weather(seed: int) -> None:
    weather = Weather(loss=0.15, duplicate=0.1, reorder=0.3)
    habits = Habits(compress=True, settings=SETTINGS, group=Group.X25519MLKEM768)
    visiting = Visiting(habits, stranger(timeout=60.0), Wire(seed=seed, weather=weather))
    visiting.wire.run(lambda: visiting.client.phase is Phase.FAILED, limit=90.0)
    assert isinstance(visiting.error, RelayedError), visiting.error
    assert visiting.site.requests


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_initial_is_sent_again_as_a_browser_would(lost: int) -> None:
    wire = Wire(fates={lost: Fate.LOST})
    visiting = Visiting(wire=wire).over()
    visiting.check_relayed()
    mine = [transmit.data for transmit in wire.log if transmit.local == CLIENT]
    first = [read_initial(data) for data in mine[:2]]
    again = [read_initial(data, first[0].dcid) for data in mine[2:] if data[0] & 0xF0 == 0xC0]
    repeated = [packet for packet in again if packet.crypto]
    assert repeated
    stream = {
        offset + place: byte
        for packet in first
        for offset, data in packet.crypto.items()
        for place, byte in enumerate(data)
    }
    for packet in repeated:
        assert packet.datagram_size == 1250
        assert packet.trailing == 0
        assert packet.number > 2
        assert len(packet.frames) >= 8, "in pieces again"
        for offset, data in packet.crypto.items():
            assert all(stream[offset + place] == byte for place, byte in enumerate(data))


# Bounds


def test_an_endless_page_is_left() -> None:
    visiting = Visiting(Habits(page=bytes(50_000_000))).over()
    visiting.check_relayed()
    arrived = sum(len(t.data) for t in visiting.wire.log if t.local == SERVER)
    assert MAX_PAGE < arrived < 3 * MAX_PAGE


def test_a_site_that_never_answers_is_left() -> None:
    visiting = Visiting(Habits(answers=False)).over()
    assert isinstance(visiting.error, RelayedError)
    assert len(visiting.site.requests) == 1


def test_a_site_that_closes_is_relayed_all_the_same() -> None:
    visiting = Visiting(Habits(answers=False))
    visiting.wire.run(lambda: bool(visiting.site.requests))
    visiting.site.quic.close(error_code=H3_NO_ERROR)
    visiting.wire.flush(SERVER)
    visiting.over()
    assert isinstance(visiting.error, RelayedError)


def test_a_site_that_resets_the_stream_is_left() -> None:
    visiting = Visiting(Habits(answers=False))
    visiting.wire.run(lambda: bool(visiting.site.requests))
    visiting.site.quic.reset_stream(0, 0x10B)
    visiting.wire.flush(SERVER)
    visiting.over()
    visiting.check_relayed()


def test_nonsense_on_the_control_stream_ends_the_visit() -> None:
    visiting = Visiting(Habits(answers=False))
    visiting.wire.run(lambda: bool(visiting.site.requests))
    visiting.site.quic.send_stream_data(3, b"\x00\x02\xff\xff", end_stream=True)
    visiting.wire.flush(SERVER)
    visiting.over()
    assert isinstance(visiting.error, RelayedError)


# What a server may not do


@pytest.mark.parametrize(
    ("habits", "alert"),
    [
        (Habits(compress=True, length_lie=1), tls.AlertDescription.bad_certificate),
        (Habits(compress=True, length_lie=-1), tls.AlertDescription.bad_certificate),
        (Habits(compress=True, length_lie=100_000), tls.AlertDescription.bad_certificate),
        (Habits(compress=True, compression=1), tls.AlertDescription.illegal_parameter),
        (
            Habits(ask_again_for=tls.Group.SECP256R1, times=2),
            tls.AlertDescription.unexpected_message,
        ),
        (Habits(ask_again_for=Group.X25519), tls.AlertDescription.illegal_parameter),
        (Habits(ask_again_for=tls.Group.SECP521R1), tls.AlertDescription.illegal_parameter),
        (Habits(spoil=lambda share: share[:-1]), tls.AlertDescription.illegal_parameter),
        (Habits(spoil=lambda share: bytes(len(share))), tls.AlertDescription.illegal_parameter),
        (
            Habits(more_extensions=[(0x1234, b"")]),
            tls.AlertDescription.unsupported_extension,
        ),
        (
            Habits(server_hello_extensions=[(0x1234, b"")]),
            tls.AlertDescription.unsupported_extension,
        ),
    ],
    ids=lambda value: value.name if isinstance(value, tls.AlertDescription) else None,
)
def test_what_is_not_legal_is_refused(habits: Habits, alert: tls.AlertDescription) -> None:
    visiting = Visiting(habits).over()
    assert isinstance(visiting.error, PeerViolationError), visiting.error
    assert visiting.error.error_code == 0x100 + alert
    assert visiting.site.requests == []


def test_without_an_opinion_about_the_server_there_is_no_visit() -> None:
    # A browser's handshake in `tls` mode: the verifier's word is the last, a site is no tunnel.
    visiting = Visiting(config=browser_config()).over()
    assert not isinstance(visiting.error, RelayedError)
    assert visiting.site.requests == []


def test_a_close_in_an_initial_says_nothing_and_is_filled_up() -> None:
    visiting = Visiting(Habits(spoil=lambda share: bytes(len(share)))).over()
    last = [one.data for one in visiting.wire.log if one.local == CLIENT][-1]
    dcid = visiting.site.received[0][6:14]
    packet = read_initial(last, dcid)
    code = 0x100 + tls.AlertDescription.illegal_parameter
    assert packet.frames[0] == f"CLOSE[{code:#x}]+0"
    assert packet.datagram_size == packet.packet_size == 1250
