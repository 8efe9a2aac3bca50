# SPDX-License-Identifier: BSD-3-Clause
"""A tunnel over a bottleneck, as its wire shows it: tshark's view, and the congestion allowance."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench.tunnel_end import PORTS
from nexusnet.netlink.generated import Role
from tests.engine.native import ROOT
from tests.engine.tunnel import INNER, RunningEnd, _end, iperf
from tests.engine.wire import captured, capturing, prelude
from tests.support import quic_capture, tshark
from tests.support.namespaces import Namespace, cable
from tests.tunnel.allowance import Allowance, Ranges

PRELUDE = 2
MSS = 1452
RATE, DELAY, QUEUE = 10_000_000, 0.01, 15_000
"""The path: bits a second, seconds one way, bytes that may wait: few, so it often overflows."""
ACK_DELAY_UNIT = 8e-6
ACK, ACK_ECN, DATAGRAM, DATAGRAM_LENGTH, PING = 0x02, 0x03, 0x30, 0x31, 0x01

FIELDS = (
    "udp.length",
    "udp.srcport",
    "quic.ack.largest_acknowledged",
    "quic.ack.ack_delay",
    "quic.ack.first_ack_range",
    "quic.ack.gap",
    "quic.ack.ack_range",
)


@contextmanager
def bottleneck(namespace: Namespace, inside: tuple[str, str]) -> Iterator[None]:
    """The program of proxy.py between the cable and two addresses of the loopback interface."""
    client, server = PORTS[Role.CLIENT], PORTS[Role.SERVER]
    command = [
        sys.executable, "-m", "tests.tunnel.proxy",
        f"{namespace.ipv4}:{server}", f"{inside[0]}:{client}", f"{inside[1]}:{server}",
        str(RATE), str(DELAY), str(QUEUE),
    ]  # fmt: skip
    process = subprocess.Popen(
        namespace.command(*command),
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        yield
    finally:
        process.kill()
        process.wait(10)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def narrow_tunnel() -> Iterator[tuple[RunningEnd, RunningEnd]]:
    """Two engines in two namespaces; the first one's cable leads to the bottleneck."""
    near, far = "127.0.0.1", "127.0.0.2"
    with ExitStack() as stack:
        a, b = stack.enter_context(cable())
        # The capture is to show datagrams, not what offloads make of them.
        a.run("ethtool", "-K", a.link, "tx-udp-segmentation", "off", "gro", "off")
        stack.enter_context(bottleneck(b, (near, far)))
        inside, outside = replace(b, ipv4=far), replace(b, ipv4=near)
        ends = (
            stack.enter_context(_end(a, b, 0, 4, [])),
            stack.enter_context(_end(inside, outside, 1, 4, [])),
        )
        for end in ends:
            assert end.line() == "ready"
        for index, end in enumerate(ends):
            run, peer = end.namespace.run, INNER[1 - index][0]
            run("ip", "link", "set", end.device, "up")
            run("ip", "addr", "add", end.ipv4, "peer", f"{peer}/32", "dev", end.device)
        yield ends


def times(path: Path) -> list[float]:
    """When the packets of a capture were seen, in seconds."""
    data, at, found = path.read_bytes(), 24, []
    while at < len(data):
        seconds, micros, size = struct.unpack_from("<III", data, at)
        found.append(seconds + micros / 1e6)
        at += 16 + size
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet of the tunnel, decrypted by tshark."""

    time: float
    from_client: bool
    size: int
    pn: int
    types: frozenset[int]
    acked: Ranges
    ack_delay: float


def seen(time: float, packet: tshark.Dissection) -> Seen:
    numbers = {name: [int(value) for value in packet.all(name)] for name in FIELDS}
    ranges: Ranges = []
    delay = 0.0
    if largest := numbers["quic.ack.largest_acknowledged"]:
        (last,) = largest
        first = last - numbers["quic.ack.first_ack_range"][0]
        ranges.append((first, last))
        pairs = zip(numbers["quic.ack.gap"], numbers["quic.ack.ack_range"], strict=True)
        for gap, length in pairs:
            last = first - gap - 2  # RFC 9000 section 19.3.1
            first = last - length
            ranges.append((first, last))
        delay = numbers["quic.ack.ack_delay"][0] * ACK_DELAY_UNIT
    return Seen(
        time=time,
        from_client=numbers["udp.srcport"] == [PORTS[Role.CLIENT]],
        size=numbers["udp.length"][0] - 8,
        pn=int(packet.one("quic.packet_number")),
        types=frozenset(int(kind, 0) for kind in packet.all("quic.frame_type")),
        acked=ranges,
        ack_delay=delay,
    )


def replay(packets: list[Seen]) -> Allowance:
    """The client's sending, held to the allowance."""
    model = Allowance(MSS)
    numbers: set[int] = set()
    for packet in packets:
        if not packet.from_client:
            if packet.acked:
                acked = {pn for first, last in packet.acked for pn in range(first, last + 1)}
                assert {pn for pn in acked if pn >= 10} <= numbers, "the capture has a hole"
                model.acked(packet.time, packet.acked, packet.ack_delay)
            continue
        assert packet.pn not in numbers, "a packet number was used twice"
        numbers.add(packet.pn)
        if packet.types - {ACK, ACK_ECN, 0}:
            carries = bool(packet.types & {DATAGRAM, DATAGRAM_LENGTH})
            model.sent(packet.time, packet.pn, packet.size, carries=carries)
    return model


@pytest.mark.netns
def test_the_engine_keeps_to_the_congestion_allowance(tmp_path: Path) -> None:
    file = tmp_path / "tunnel.pcap"
    with narrow_tunnel() as (a, b):
        with capturing(a.namespace, file):
            load = ["--udp", "--bandwidth", "16M", "--length", "1300", "--time", "4"]
            iperf(a, b, *load)
        recovery = a.stats()["recovery"]
        a.stop()
        b.stop()
    packets, moments = captured(file), times(file)
    capture = quic_capture.Capture()
    prelude(capture, next(one for one in packets if one[12:16] == bytes([10, 99, 0, 1])))
    capture.packets += packets
    decoded = tshark.dissect(*capture.write(tmp_path), *FIELDS)
    assert len(decoded) == len(packets) + PRELUDE

    wire = []
    for number, packet in decoded.items():
        assert not packet.all("_ws.malformed")
        assert not packet.warnings()
        assert not packet.all("quic.decryption_failed")
        if number > PRELUDE:
            assert packet.all("quic.short")
            assert packet.all("quic.frame_type")
            wire.append(seen(moments[number - PRELUDE - 1], packet))
    model = replay(wire)
    assert model.excesses == []
    # The path was too narrow, and the sender made use of what it was allowed.
    assert model.reductions >= 2
    assert recovery["congestion_events"] >= 2
    assert model.fullest > 0.5


# The model itself.


def grown(packets: int) -> tuple[Allowance, int, float]:
    """A sender that grew its window to `packets`, all of them in flight; next number and time."""
    model, pn, now = Allowance(MSS), 0, 0.0
    window = 10
    while True:
        first = pn
        for _ in range(window):
            model.sent(now, pn, MSS, carries=True)
            pn += 1
        if window >= packets:
            return model, pn, now
        now += 0.02
        model.acked(now, [(first, pn - 1)])
        window = min(packets, 2 * window)


def test_the_model_lets_slow_start_double() -> None:
    model, _, _ = grown(640)
    assert model.excesses == []


def test_the_model_finds_a_window_that_is_too_large() -> None:
    model = Allowance(MSS)
    for pn in range(21):
        model.sent(0.0, pn, MSS, carries=True)
    assert [one.pn for one in model.excesses] == [20]


def test_the_model_finds_a_window_that_does_not_shrink() -> None:
    model, pn, now = grown(100)
    for _ in range(20):
        # The oldest is lost, the others arrive, the sender fills up what it had.
        now += 0.02
        model.acked(now, [(pn - 99, pn - 1)])
        for _ in range(100):
            model.sent(now, pn, MSS, carries=True)
            pn += 1
    assert model.reductions > 3
    assert model.excesses


def test_the_model_finds_growth_faster_than_cubic() -> None:
    model, pn, now = grown(100)
    window, first = 70, pn - 99
    for _ in range(10):
        now += 0.02
        model.acked(now, [(first, pn - 1)])
        first = pn
        for _ in range(window):
            model.sent(now, pn, MSS, carries=True)
            pn += 1
        window += 10
    assert model.reductions == 1
    assert model.excesses


def test_probes_and_pure_acks_are_let_through() -> None:
    model, pn, now = grown(20)
    model.sent(now + 1, pn, MSS, carries=False)
    assert model.excesses == []
