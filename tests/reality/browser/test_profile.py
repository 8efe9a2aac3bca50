# SPDX-License-Identifier: BSD-3-Clause
"""The first flight against the browser's, from packets; and a comparison that can fail."""

import asyncio
import contextlib
import itertools
import json
import math
import socket
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicProtocolVersion

from nexusnet.handshake.endpoint import ClientConnection
from nexusnet.handshake.errors import HandshakeError
from nexusnet.handshake.profile import EngineConfig
from nexusnet.handshake.verify import AnyPeer
from nexusnet.reality.browser.initials import Crypto, Padding, Ping, divide, scramble
from tests.handshake.wire import SERVER
from tests.reality.browser.comparison import (
    CAPTURE,
    FRAME_COUNTS,
    PROFILE,
    differences,
)
from tests.reality.browser.observer import (
    FirstFlight,
    from_capture,
    is_grease_parameter,
    ja4,
    transport_parameters,
)
from tests.reality.browser.scenes import browser_config, first_datagrams, first_flight
from tests.support.quic_capture import Capture
from tests.support.tshark import dissect

JA4 = "q13d0312h3_55b375c5d22e_178839b6cec1"
HELLOS = 200


@pytest.fixture(scope="module")
def captured() -> FirstFlight:
    return FirstFlight.of(from_capture(CAPTURE, 2))


@pytest.fixture(scope="module")
def flights() -> list[FirstFlight]:
    return [first_flight(browser_config(seed)) for seed in range(HELLOS)]


def test_the_captured_browser_is_the_browser(captured: FirstFlight) -> None:
    assert differences(captured) == []
    assert ja4(captured.hello) == JA4
    # The notes beside the capture are of this very hello.
    assert [packet.frames for packet in captured.initials] == [
        packet["frames"] for packet in PROFILE["initials"]
    ]
    assert len(captured.message) == PROFILE["hello_bytes"]


def test_ours_is_the_browser(flights: list[FirstFlight]) -> None:
    assert [differences(flight) for flight in flights] == [[]] * HELLOS
    assert {ja4(flight.hello) for flight in flights} == {JA4}


def test_so_it_is_with_the_systems_randomness() -> None:
    one, other = (first_flight(browser_config()) for _ in range(2))
    assert differences(one) == differences(other) == []
    assert one.message != other.message
    assert one.initials[0].dcid != other.initials[0].dcid


def test_plain_aioquic_is_not() -> None:
    quic = QuicConnection(
        configuration=QuicConfiguration(
            is_client=True,
            alpn_protocols=["h3"],
            server_name="www.example.com",
            max_datagram_frame_size=65536,
            supported_versions=[QuicProtocolVersion.VERSION_1],
        )
    )
    quic.connect(SERVER, 0.0)
    flight = FirstFlight.of(data for data, _ in quic.datagrams_to_send(0.0))
    whats = {difference.what for difference in differences(flight)}
    assert whats >= {
        "JA4",
        "datagrams",
        "datagram size",
        "SCID length",
        "packet number",
        "suites",
        "groups",
        "key shares",
        "algorithms",
        "extensions",
        "transport parameters",
        "bytes of the hello",
    }


def test_the_tunnels_own_tls_mode_is_not() -> None:
    config = EngineConfig(AnyPeer(), server_name="www.example.com")
    assert "JA4" in {difference.what for difference in differences(first_flight(config))}


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("suites", "suites"),
        ("groups", "groups"),
        ("sigalgs", "algorithms"),
        ("key_shares", "key shares"),
        ("extensions", "extensions"),
        ("transport_parameters", "transport parameters"),
        ("ja4", "JA4"),
        ("session_id", "session ID"),
        ("initials", "datagrams"),
    ],
)
def test_each_point_of_the_comparison_can_fail(
    place: str, what: str, monkeypatch: pytest.MonkeyPatch, captured: FirstFlight
) -> None:
    other = json.loads(json.dumps(PROFILE))
    other[place] = {
        list: lambda value: value[:-1],
        str: lambda value: value[::-1],
        int: lambda value: value + 1,
    }[type(other[place])](other[place])
    monkeypatch.setattr("tests.reality.browser.comparison.PROFILE", other)
    assert what in {difference.what for difference in differences(captured)}


def uniform(counts: Counter[int], cells: int, draws: int) -> bool:
    """Whether counts could come from a uniform distribution: 6 sigma, so 1 in 10^8 a cell."""
    mean = draws / cells
    bound = 6 * math.sqrt(mean * (1 - 1 / cells)) + 1
    return all(abs(counts[cell] - mean) <= bound for cell in range(cells))


def test_extension_order_is_shuffled(flights: list[FirstFlight]) -> None:
    orders = [[one.type for one in flight.hello.extensions] for flight in flights]
    assert len({tuple(order) for order in orders}) == HELLOS
    for kind in orders[0]:
        places = Counter(order.index(kind) for order in orders)
        assert uniform(places, len(orders[0]), HELLOS), f"{kind:#06x}: {places}"


def test_transport_parameter_order_is_shuffled(flights: list[FirstFlight]) -> None:
    orders = [
        [
            -1 if is_grease_parameter(identifier) else identifier
            for identifier, _ in transport_parameters(flight.hello)
        ]
        for flight in flights
    ]
    assert len({tuple(order) for order in orders}) == HELLOS
    for identifier in orders[0]:
        places = Counter(order.index(identifier) for order in orders)
        assert uniform(places, len(orders[0]), HELLOS), f"{identifier:#x}: {places}"


def test_what_varies_varies(flights: list[FirstFlight]) -> None:
    extensions = [{one.type: one.data for one in flight.hello.extensions} for flight in flights]
    assert {len(one[0xFE0D]) for one in extensions} == {186, 218, 250, 282}
    grease = [
        next(item for item in transport_parameters(flight.hello) if is_grease_parameter(item[0]))
        for flight in flights
    ]
    assert len({identifier for identifier, _ in grease}) == HELLOS
    assert {len(value) for _, value in grease} == set(range(16))
    versions = Counter(dict(transport_parameters(flight.hello))[0x11][4:8] for flight in flights)
    assert uniform(Counter({0: versions[b"\0\0\0\1"], 1: HELLOS - versions[b"\0\0\0\1"]}), 2, 200)
    assert len({flight.hello.random for flight in flights}) == HELLOS
    assert len({share.data for f in flights for share in f.hello.key_shares}) == 2 * HELLOS
    assert len({flight.initials[0].dcid for flight in flights}) == HELLOS


def test_sizes_and_frame_counts(flights: list[FirstFlight]) -> None:
    sizes = [len(flight.message) for flight in flights]
    assert max(sizes) - min(sizes) >= 96, "ECH GREASE alone varies by as much"
    counts = Counter(len(packet.frames) for flight in flights for packet in flight.initials)
    assert set(counts) <= set(FRAME_COUNTS)
    # Of 400 packets, none of the 17 counts has more than a quarter.
    assert max(counts.values()) < 100
    pieces = Counter(len(packet.crypto) for flight in flights for packet in flight.initials)
    assert set(pieces) <= set(range(1, 13))
    assert sum(pieces[n] for n in range(3, 13)) > 300


def test_a_socket_sends_what_the_engine_says(tmp_path: Path) -> None:
    """The datagrams as a peer gets them, and tshark's view of them."""
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with contextlib.closing(peer):
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(10)

        async def connect() -> list[bytes]:
            loop = asyncio.get_running_loop()
            opening = asyncio.create_task(
                ClientConnection.open(replace(browser_config(), timeout=20.0), peer.getsockname())
            )
            datagrams = [await loop.run_in_executor(None, peer.recv, 2048) for _ in range(2)]
            opening.cancel()
            with contextlib.suppress(asyncio.CancelledError, HandshakeError):
                await opening
            return datagrams

        datagrams = asyncio.run(connect())
    flight = FirstFlight.of(datagrams)
    assert differences(flight) == []

    capture = Capture()
    for datagram in datagrams:
        capture._datagram(50000, datagram, to_server=True)
    path, key_log = capture.write(tmp_path)
    packets = dissect(path, key_log, "quic.length", "quic.packet_number_length")
    numbers = [packet.one("quic.packet_number") for packet in packets.values()]
    assert numbers == ["1", "2"]
    assert all(packet.all("_ws.malformed") == [] for packet in packets.values())
    for packet, own in zip(packets.values(), flight.initials, strict=True):
        assert packet.all("quic.frame_type") == [
            {"P": "0" if frame.startswith("PAD") else "1", "C": "6"}[frame[0]]
            for frame in own.frames
        ]
    command = ["tshark", "-n", "-r", str(path), "-d", "udp.port==443,quic", "-T", "fields"]
    command += ["-e", "tls.handshake.extensions_server_name", "-e", "tls.handshake.ciphersuite"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["www.example.com", "0x1301,0x1302,0x1303"]


# Pieces


@pytest.mark.parametrize("length", [2, 60, 1100, 1166, 1300, 1984, 2300, 3000, 8000])
@pytest.mark.parametrize("space", [700, 1100, 1215])
def test_every_byte_is_sent_once(length: int, space: int) -> None:

    rng = Random(length * space)
    for _ in range(20):
        sent = []
        for pieces in divide([Crypto(0, length)], space, rng):
            frames = scramble(pieces, space, rng)
            sizes = [1 if isinstance(frame, Ping) else frame.size for frame in frames]
            assert sum(sizes) == space
            assert not any(
                isinstance(a, Padding) and isinstance(b, Padding)
                for a, b in itertools.pairwise(frames)
            )
            sent += [frame for frame in frames if isinstance(frame, Crypto)]
        offset = 0
        for frame in sorted(sent, key=lambda frame: frame.start):
            assert frame.start == offset
            offset = frame.stop
        assert offset == length


def test_what_does_not_fit_is_refused() -> None:

    with pytest.raises(ValueError, match="fits"):
        scramble([Crypto(0, 1300)], 1200, Random(1))


def test_the_longest_names_and_tokens_fit() -> None:
    name = ".".join(["a" * 61] * 4)
    flight = first_flight(browser_config(1, name))
    assert [packet.datagram_size for packet in flight.initials] == [1250, 1250]
    assert flight.hello.server_name == name
    assert len(first_datagrams(browser_config(2))) == 2
