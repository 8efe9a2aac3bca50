# SPDX-License-Identifier: BSD-3-Clause
"""Inside a kernel with netem: the tunnel on paths with weather; a JSON line for each result.

Arguments: seconds a measurement, `engine` or the file of the module that carries the packets, then
names of weathers (all by default).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.ends import End, end
from bench.many_end import inner_address
from bench.paths import Path, path
from bench.traffic import Pings, TrafficError, ping, pinging, tcp
from nexusnet.netlink.generated import Role
from tests.inside import module

if TYPE_CHECKING:
    from collections.abc import Callable

# Round trip of every path, milliseconds; weathers with words of their own say it again.
RTT_MS: Final = 20
BDP_RTT_MS: Final = 40
BDP_MBIT: Final = 10
# 1500-byte packets that a bandwidth-delay product holds, in bytes on the wire.
BDP_BYTES: Final = BDP_MBIT * 1_000_000 // 8 * BDP_RTT_MS // 1000
OUTAGE_SECONDS: Final = 1.0
PING_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Weather:
    """What the path does to packets, both ways: netem's words, or a limit with a queue in bytes."""

    name: str
    netem: tuple[str, ...] = ("delay", f"{RTT_MS / 2:g}ms")
    # Little enough that User-Mode Linux on a busy machine is not what limits; 2 BDP of queue.
    mbit: float = 10
    queue: int = 50_000
    outage: bool = False


DELAY: Final = ("delay", f"{RTT_MS / 2:g}ms")
WEATHERS: Final = (
    Weather("clear"),
    Weather("loss 0.1 %", (*DELAY, "loss", "0.1%")),
    Weather("loss 1 %", (*DELAY, "loss", "1%")),
    Weather("loss 5 %", (*DELAY, "loss", "5%")),
    Weather("reordering 1 %, to the front", (*DELAY, "reorder", "1%", "50%")),
    Weather("jitter 2 ms, reorders", (*DELAY, "2ms", "distribution", "normal")),
    Weather("duplicates 1 %", (*DELAY, "duplicate", "1%")),
    Weather("outage of 1 s", outage=True),
    Weather("10 Mbit/s, queue of 1 BDP", mbit=10, queue=25_000),
    Weather("2 Mbit/s, queue of 2 BDP", mbit=2, queue=10_000),
)
LOADED: Final = "loaded RTT"
# Slow enough for machines that have little time: asked for by name.
ROUGH: Final = Weather(
    "2 Mbit/s, 1 % loss, 2 ms jitter",
    (*DELAY, "2ms", "distribution", "normal", "loss", "1%"),
    mbit=2,
    queue=10_000,
)


def set_weather(on: Path, weather: Weather) -> None:
    """Delay, loss and the like on the outer ports, the limit between the routers."""
    for port in (on.forward[1], on.back[1]):
        port.netem(*weather.netem)
    for port in (on.forward[0], on.back[0]):
        port.limit(weather.mbit, weather.queue)


def stand(stack: ExitStack, on: Path, *options: str) -> tuple[End, End]:
    """A tunnel from the first client to the server."""
    client, server = on.clients[0], on.server
    return (
        stack.enter_context(end(client, Role.CLIENT, [f"0={server.ipv4}"], *options, index=0)),
        stack.enter_context(end(server, Role.SERVER, [f"0={client.ipv4}"], *options, index=0)),
    )


def loaded(
    on: Path, address: str, weather: Weather, seconds: float
) -> tuple[float, float, float, Pings]:
    """TCP with ping beside it: bits a second, idle RTT, idle loss, ping's figures under load."""
    client = on.clients[0]
    idle = ping(client, address, seconds / 2, PING_SECONDS)
    outage = threading.Timer(seconds / 3, break_for_a_while, (on, weather))
    if weather.outage:
        outage.start()
    try:
        with pinging(client, address, PING_SECONDS) as busy:
            rate = tcp(client, on.server, address, seconds).rate
    finally:
        outage.cancel()
        if weather.outage:
            outage.join()
    return rate, idle.median, idle.loss, busy[0]


def break_for_a_while(on: Path, weather: Weather) -> None:
    """Nothing passes for OUTAGE_SECONDS."""
    for port in (on.forward[1], on.back[1]):
        port.netem("loss", "100%")
    time.sleep(OUTAGE_SECONDS)
    for port in (on.forward[1], on.back[1]):
        port.netem(*weather.netem)


def endure(
    weather: Weather, seconds: float, congestion: str, plane: tuple[str, ...] = ()
) -> dict[str, Any]:
    """One weather: the same traffic without the tunnel and through it."""
    with ExitStack() as stack:
        on = stack.enter_context(path())
        set_weather(on, weather)
        bare = loaded(on, on.server.ipv4, weather, seconds)
        ends = stand(stack, on, "--congestion", congestion, *plane)
        inside = loaded(on, inner_address(Role.SERVER, 0), weather, seconds)
        after = ping(on.clients[0], inner_address(Role.SERVER, 0), 1.0, PING_SECONDS)
        stats = [one.stats() for one in ends]
        return {
            "bare_bits_per_second": bare[0], "bits_per_second": inside[0],
            "bare_idle_rtt_ms": bare[1], "idle_rtt_ms": inside[1],
            "bare_ping_loss": bare[2], "ping_loss": inside[2],
            "bare_loaded": asdict(bare[3]), "loaded": asdict(inside[3]), "after": asdict(after),
            "packets_lost": [one["session"]["recovery"]["packets_lost"] for one in stats],
            "drops": [one["device"]["drop"] for one in stats],
            "events": sorted({event for one in stats for event in one["events"]}),
        }  # fmt: skip


def main(argv: list[str]) -> None:
    """Measure and print."""
    seconds, carrier = float(argv[0]), argv[1]
    plane: tuple[str, ...] = ()
    if carrier != "engine":
        module.load(carrier)
        plane = ("--kernel",)
    bottleneck = Weather(LOADED, ("delay", f"{BDP_RTT_MS / 2:g}ms"), mbit=BDP_MBIT, queue=BDP_BYTES)
    work: dict[str, tuple[Callable[..., dict[str, Any]], tuple[Any, ...]]] = {}
    for weather in WEATHERS:
        work[weather.name] = (endure, (weather, seconds, "cubic_like", plane))
    for congestion in ("cubic_like", "bbr_like"):
        arguments = (bottleneck, seconds * 2, congestion, plane)
        work[f"{LOADED}, {congestion}"] = (endure, arguments)
    names = argv[2:] or list(work)
    work[ROUGH.name] = (endure, (ROUGH, seconds, "cubic_like", plane))
    for name in names:
        function, arguments = work[name]
        try:
            made = function(*arguments)
        except TrafficError as error:
            made = {"error": str(error)}
        print(json.dumps({"name": name} | made), flush=True)
    if plane:
        module.unload()


if __name__ == "__main__":
    main(sys.argv[1:])
