# SPDX-License-Identifier: BSD-3-Clause
"""Named networks and what is sent over them, and the measurements taken on the way."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from nexus_sim.core import Core
from nexus_sim.cubic_model import deviation
from nexus_sim.endpoint import Endpoint, EndpointConfig, connect
from nexus_sim.network import EPOCH, MS, US, Link, LinkConfig, S, Simulator

MBIT: Final = 125_000
"""One Mbit/s in bytes a second."""

_SLACK: Final = 100 * US
"""Timer slack of the ends in all scenarios, ns: Linux' default is 50 us, softirqs come on top."""

_SLOW_START: Final = 6 * S
"""How long the end of slow start is looked for, every 2 ms."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One connection: the client sends, the server usually only acknowledges."""

    client: EndpointConfig = field(default_factory=EndpointConfig)
    server: EndpointConfig = field(default_factory=lambda: EndpointConfig(source_rate=0))


@dataclass(frozen=True, slots=True)
class Compare:
    """The window of the one flow is compared with the model of RFC 9438 in `cubic_model`.

    Attributes:
        ssthresh: slow start threshold to begin with, packets.
        drops: packets that the path drops, at moments that the seed decides.
    """

    ssthresh: int
    drops: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A network and its flows.

    Attributes:
        name: as on the command line.
        shows: one line: what to look for.
        duration: ns.
        flows: they share both links.
        forward: from the clients to the servers: the bottleneck.
        backward: the way of the acknowledgements.
        actions: (ns since the start, what to do with (clients, servers)).
        compare: with the model of CUBIC; the path does no more than delay then.
    """

    name: str
    shows: str
    duration: int
    flows: tuple[Flow, ...]
    forward: LinkConfig
    backward: LinkConfig
    actions: tuple[tuple[int, Callable[[list[Endpoint], list[Endpoint]], None]], ...] = ()
    compare: Compare | None = None


@dataclass(slots=True)
class Series:
    """Samples of one flow over time, one entry each sampling interval.

    Attributes:
        time: s since the start.
        cwnd: congestion window, bytes.
        in_flight: bytes in flight.
        rtt: smoothed RTT, ms.
        rate: bytes delivered a second, over the last interval.
    """

    time: list[float] = field(default_factory=list)
    cwnd: list[int] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    rtt: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FlowResult:
    """What became of one flow.

    Attributes:
        goodput: DATAGRAM payload bytes delivered a second, over the whole run.
        late_goodput: the same over the second half.
        share: `late_goodput` as a part of the bottleneck's rate, 0 without one.
        packets_sent: packets of the client.
        packets_lost: declared lost.
        spurious: acknowledged after that.
        reductions: of the congestion window.
        ptos: times that the probe timeout fired.
        rtt_median: of the samples of the smoothed RTT, ms.
        slow_start_exit: when the window stopped to double, s; None if it did not. With HyStart++
            that is when conservative slow start begins (RFC 9406 section 4.2).
        exit_queue: bytes in the queue then, as a part of its size.
        exit_drops: packets that the queue had dropped by then.
        acks: ACK frames that the server sent.
        model_deviation: largest distance of the window from the model's, as a part of that; None
            where they are not compared.
        series: samples.
    """

    goodput: float
    late_goodput: float
    share: float
    packets_sent: int
    packets_lost: int
    spurious: int
    reductions: int
    ptos: int
    rtt_median: float
    slow_start_exit: float | None
    exit_queue: float
    exit_drops: int
    acks: int
    model_deviation: float | None
    series: Series


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of a scenario showed.

    Attributes:
        scenario: which one.
        seed: of its random numbers.
        flows: in the order of the scenario.
        queue: samples of the bottleneck's queue, bytes.
        queue_mean: their mean.
        queue_max: longest queue, bytes.
        queue_drops: packets dropped by it.
        marked: packets marked CE.
        events: events simulated.
    """

    scenario: str
    seed: int
    flows: tuple[FlowResult, ...]
    queue: list[int]
    queue_mean: float
    queue_max: int
    queue_drops: int
    marked: int
    events: int


class _Probe:
    """Samples one flow and notices the end of its slow start."""

    def __init__(self, client: Endpoint, server: Endpoint, link: Link, queue: int) -> None:
        self.series = Series()
        self.half_bytes = 0
        self.exit: float | None = None
        self.exit_queue = 0.0
        self.exit_drops = 0
        self._client = client
        self._server = server
        self._link = link
        self._queue = queue
        self._last_bytes = 0

    def sample(self, now: int, interval: int) -> None:
        recovery = self._client.conn.recovery
        series = self.series
        received = self._server.counters.bytes_received
        series.time.append((now - EPOCH) / S)
        series.cwnd.append(recovery.cc.cwnd)
        series.in_flight.append(recovery.sent.bytes_in_flight)
        series.rtt.append(recovery.rtt.smoothed / MS)
        series.rate.append((received - self._last_bytes) * S / interval)
        self._last_bytes = received

    def watch_slow_start(self, now: int) -> None:
        """Note the moment at which slow start ends, and the queue then."""
        cc = self._client.conn.recovery.cc
        if self.exit is not None or cc.kind != 0:
            return
        if cc.cubic.hystart.phase != 0 or cc.cwnd >= cc.ssthresh:
            self.exit = (now - EPOCH) / S
            self.exit_queue = self._link.queued() / self._queue
            self.exit_drops = self._link.dropped_queue


def _spread(config: EndpointConfig, source: random.Random) -> EndpointConfig:
    """Begin at a moment that the seed decides, within 20 ms, and have timers fire as it says."""
    begin = config.source_from + source.randrange(20 * MS)
    return replace(config, source_from=begin, timer_slack=_SLACK, seed=source.getrandbits(32))


@dataclass(frozen=True, slots=True)
class _Network:
    simulator: Simulator
    forward: Link
    clients: list[Endpoint]
    servers: list[Endpoint]
    probes: list[_Probe]


def _build(core: Core, scenario: Scenario, source: random.Random) -> _Network:
    simulator = Simulator()
    forward = Link(simulator, scenario.forward, source.getrandbits(32))
    backward = Link(simulator, scenario.backward, source.getrandbits(32))
    clients: list[Endpoint] = []
    servers: list[Endpoint] = []
    probes: list[_Probe] = []
    for flow in scenario.flows:
        client = Endpoint(core, simulator, _spread(flow.client, source), client=True)
        server = Endpoint(core, simulator, _spread(flow.server, source), client=False)
        connect(client, server, forward, backward)
        clients.append(client)
        servers.append(server)
        probes.append(_Probe(client, server, forward, scenario.forward.queue))
    return _Network(simulator, forward, clients, servers, probes)


def run(core: Core, scenario: Scenario, seed: int, *, interval: int = 20 * MS) -> Result:
    """Run a scenario once.

    Args:
        core: the protocol core.
        scenario: what to run.
        seed: of every random number in it.
        interval: between samples, ns.
    """
    source = random.Random(seed)  # noqa: S311 - repeatable, not secret
    scenario = _begin_comparison(scenario, source)
    network = _build(core, scenario, source)
    simulator, forward = network.simulator, network.forward
    clients, servers, probes = network.clients, network.servers, network.probes
    queue: list[int] = []

    def sample() -> None:
        now = simulator.now
        queue.append(forward.queued())
        for probe in probes:
            probe.sample(now, interval)
        simulator.at(now + interval, sample)

    def watch() -> None:
        for probe in probes:
            probe.watch_slow_start(simulator.now)
        if simulator.now < EPOCH + _SLOW_START:
            simulator.at(simulator.now + 2 * MS, watch)

    def halfway() -> None:
        for probe, server in zip(probes, servers, strict=True):
            probe.half_bytes = server.counters.bytes_received

    for endpoint in (*clients, *servers):
        endpoint.start()
    simulator.at(EPOCH + interval, sample)
    simulator.at(EPOCH, watch)
    simulator.at(EPOCH + scenario.duration // 2, halfway)
    for when, action in scenario.actions:
        simulator.at(EPOCH + when, action, clients, servers)
    simulator.run(EPOCH + scenario.duration)
    flows = tuple(
        _flow_result(client, server, probe, scenario)
        for client, server, probe in zip(clients, servers, probes, strict=True)
    )
    return Result(
        scenario=scenario.name,
        seed=seed,
        flows=flows,
        queue=queue,
        queue_mean=sum(queue) / max(len(queue), 1),
        queue_max=forward.queue_max,
        queue_drops=forward.dropped_queue,
        marked=forward.marked,
        events=simulator.events,
    )


def _flow_result(
    client: Endpoint, server: Endpoint, probe: _Probe, scenario: Scenario
) -> FlowResult:
    conn = client.conn
    received = server.counters.bytes_received
    late = (received - probe.half_bytes) * S / (scenario.duration - scenario.duration // 2)
    rtts = sorted(probe.series.rtt)
    return FlowResult(
        goodput=received * S / scenario.duration,
        late_goodput=late,
        share=late / scenario.forward.rate if scenario.forward.rate else 0.0,
        packets_sent=conn.recovery.sent.sent,
        packets_lost=conn.recovery.sent.lost,
        spurious=conn.recovery.sent.spurious,
        reductions=conn.recovery.cc.reductions,
        ptos=conn.recovery.loss.ptos,
        rtt_median=rtts[len(rtts) // 2] if rtts else 0.0,
        slow_start_exit=probe.exit,
        exit_queue=probe.exit_queue,
        exit_drops=probe.exit_drops,
        acks=server.conn.stats.tx_acks,
        model_deviation=_model_deviation(client, probe, scenario) if scenario.compare else None,
        series=probe.series,
    )


def _model_deviation(client: Endpoint, probe: _Probe, scenario: Scenario) -> float:
    compare, series = scenario.compare, probe.series
    assert compare is not None  # noqa: S101 - who calls has looked
    begin = client.config.source_from / S
    segment = client.conn.recovery.cc.mss
    return deviation(
        [(at - begin, cwnd / segment) for at, cwnd in zip(series.time, series.cwnd, strict=True)],
        (scenario.forward.delay + scenario.backward.delay) / S,
        [drop / S - begin for drop in scenario.forward.drops],
        scenario.duration / S - begin,
        float(compare.ssthresh),
    )


def _begin_comparison(scenario: Scenario, source: random.Random) -> Scenario:
    """Draw when packets are dropped, and set the slow start threshold."""
    compare = scenario.compare
    if compare is None:
        return scenario
    moments = range(S, scenario.duration - S)
    drops = tuple(sorted(source.sample(moments, compare.drops)))

    def threshold(clients: list[Endpoint], servers: list[Endpoint]) -> None:  # noqa: ARG001
        for client in clients:
            cc = client.conn.recovery.cc
            cc.ssthresh = compare.ssthresh * cc.mss

    return replace(
        scenario,
        forward=replace(scenario.forward, drops=drops),
        actions=((0, threshold), *scenario.actions),
    )


def _queue(rate: int, rtt: int, bdp: float) -> int:
    """Return a queue of `bdp` bandwidth-delay products, in bytes."""
    return int(rate * MBIT * rtt * MS / S * bdp)


def _path(rate: int, rtt: int, bdp: float = 1.0) -> tuple[LinkConfig, LinkConfig]:
    """Return both directions of a path: `rate` in Mbit/s, `rtt` in ms."""
    delay = rtt * MS // 2
    forward = LinkConfig(rate=rate * MBIT, delay=delay, queue=_queue(rate, rtt, bdp))
    return forward, LinkConfig(delay=delay)


def _flow(congestion: str) -> Flow:
    return Flow(client=EndpointConfig(congestion=congestion))


def _late(congestion: str, begin: int) -> Flow:
    return Flow(client=EndpointConfig(congestion=congestion, source_from=begin))


def _both_ways(congestion: str) -> Flow:
    config = EndpointConfig(congestion=congestion)
    return Flow(client=config, server=config)


def _scenario(
    name: str,
    shows: str,
    seconds: int,
    flows: tuple[Flow, ...],
    path: tuple[LinkConfig, LinkConfig],
) -> Scenario:
    return Scenario(name, shows, seconds * S, flows, *path)


def _with(
    path: tuple[LinkConfig, LinkConfig], forward: LinkConfig
) -> tuple[LinkConfig, LinkConfig]:
    return forward, path[1]


def _library() -> list[Scenario]:
    cable = _path(50, 40)
    lossy = _with(cable, replace(cable[0], loss=0.01))
    deep = _path(50, 40, 4.0)
    out: list[Scenario] = []
    for profile in ("cubic_like", "bbr_like"):
        short = profile.split("_")[0]
        one, two = (_flow(profile),), (_flow(profile), _flow(profile))
        late = (_flow(profile), _late(profile, 2 * S))
        out += [
            _scenario(f"{short}-clean", "one flow fills 50 Mbit/s, 40 ms", 30, one, cable),
            _scenario(f"{short}-loss", "1 % random loss on 50 Mbit/s, 40 ms", 30, one, lossy),
            _scenario(f"{short}-narrow", "10 Mbit/s, 30 ms: few packets", 20, one, _path(10, 30)),
            _scenario(f"{short}-deep", "a queue of four round trips", 30, one, deep),
            _scenario(f"{short}-share", "two flows share a bottleneck", 60, two, cable),
            _scenario(f"{short}-late", "the second flow comes 2 s late", 120, late, cable),
            _scenario(
                f"{short}-start",
                "slow start into 200 Mbit/s, 60 ms, four round trips of queue",
                6,
                one,
                _path(200, 60, 4.0),
            ),
            _scenario(
                f"{short}-long", "100 Mbit/s, 200 ms, as over an ocean", 40, one, _path(100, 200)
            ),
            _scenario(
                f"{short}-outage",
                "3 s without any packet, then recovery",
                20,
                one,
                _with(cable, replace(cable[0], outages=((6 * S, 9 * S),))),
            ),
            _scenario(
                f"{short}-jitter",
                "reordering: 2 % of packets 8 ms late, jitter 4 ms",
                20,
                one,
                _with(cable, replace(cable[0], jitter=4 * MS, reorder=0.02, reorder_delay=8 * MS)),
            ),
            _scenario(
                f"{short}-duplex",
                "both ends send",
                20,
                (_both_ways(profile),),
                (cable[0], cable[0]),
            ),
        ]
    out += [
        Scenario(
            f"cubic-model-{rtt}",
            f"the window against a model of RFC 9438: {rtt} ms, {drops} packets dropped",
            seconds * S,
            (
                # Both ends know the round trip, as they do after a handshake.
                Flow(
                    client=EndpointConfig(rtt_initial=rtt * MS),
                    server=EndpointConfig(rtt_initial=rtt * MS, source_rate=0),
                ),
            ),
            LinkConfig(delay=rtt * MS // 2),
            LinkConfig(delay=rtt * MS // 2),
            compare=Compare(ssthresh, drops),
        )
        for rtt, ssthresh, drops, seconds in ((10, 40, 4, 10), (40, 160, 5, 30), (100, 160, 2, 30))
    ]
    ecn = Flow(
        client=EndpointConfig(ecn=True),
        server=EndpointConfig(source_rate=0, ecn=True),
    )
    marking = replace(cable[0], ecn_threshold=cable[0].queue // 4)
    call = Flow(
        client=EndpointConfig(source_rate=64_000 // 8 * 10, payload=200),
        server=EndpointConfig(source_rate=64_000 // 8 * 10, payload=200),
    )
    mixed = (_flow("cubic_like"), _late("bbr_like", 2 * S))
    out += [
        _scenario("mixed-share", "cubic and bbr share a bottleneck", 60, mixed, cable),
        _scenario("cubic-ecn", "CE marks instead of losses", 30, (ecn,), _with(cable, marking)),
        _scenario("call", "80 kbyte/s each way: application-limited", 20, (call,), cable),
        _scenario(
            "dsl",
            "6 Mbit/s with half a second of queue",
            40,
            (_flow("cubic_like"),),
            _path(6, 30, 16.0),
        ),
        _scenario(
            "wifi",
            "jitter, 0.5 % loss, duplicates",
            20,
            (_flow("cubic_like"),),
            _with(cable, replace(cable[0], jitter=10 * MS, loss=0.005, duplicate=0.01)),
        ),
        _scenario(
            "pmtu",
            "search from 1200 to the 1400 that the path carries, of 1452",
            10,
            (Flow(client=EndpointConfig(mtu_ceiling=1452)),),
            _with(cable, replace(cable[0], mtu=1400)),
        ),
    ]
    return out


SCENARIOS: Final = {scenario.name: scenario for scenario in _library()}
"""The library, by name."""
