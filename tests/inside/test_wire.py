# SPDX-License-Identifier: BSD-3-Clause
"""Kernel and engine look alike on the wire: tshark decodes both, and finds the same things."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.engine.tunnel import iperf, tunnel
from tests.engine.wire import capturing, dissected

if TYPE_CHECKING:
    from pathlib import Path

DATAGRAM, ACK, PING, PADDING = {"48", "49"}, {"2", "3"}, "1", "0"


@dataclass(frozen=True, slots=True)
class Looks:
    """What an observer with the keys sees of one end's packets.

    Attributes:
        kinds: sets of frame types that occur together in a packet, without what is rare.
        largest: UDP payload in bytes.
        connection_ids: that the packets go to.
        spin: values of the spin bit.
        acks: share of the packets that carry an ACK and nothing ack-eliciting.
    """

    kinds: frozenset[frozenset[str]]
    largest: int
    connection_ids: frozenset[str]
    spin: frozenset[str]
    acks: float


def looks(path: Path, folder: Path, source: str) -> Looks:
    """Of the packets that came from an address."""
    packets = [one for one in dissected(path, folder) if one.one("ip.src") == source]
    kinds = Counter(frozenset(packet.all("quic.frame_type")) - {PADDING} for packet in packets)
    acks = sum(count for kind, count in kinds.items() if kind <= ACK)
    return Looks(
        kinds=frozenset(kind for kind, count in kinds.items() if count * 100 > len(packets)),
        largest=max(int(packet.one("udp.length")) for packet in packets) - 8,
        connection_ids=frozenset(packet.one("quic.dcid") for packet in packets),
        spin=frozenset(packet.one("quic.spin_bit") for packet in packets),
        acks=acks / len(packets),
    )


def test_kernel_and_engine_look_alike(tmp_path: Path) -> None:
    seen: dict[bool, list[Looks]] = {}
    for kernel in (False, True):
        folder = tmp_path / str(kernel)
        folder.mkdir()
        with tunnel(nic=True, kernel=(kernel, kernel)) as (a, b):
            # A capture would show what receive offload has put together.
            for end in (a, b):
                end.namespace.run("ethtool", "-K", end.namespace.link, "gro", "off")
            with capturing(a.namespace, folder / "tunnel.pcap"):
                for source, target in ((a, b.ipv4), (b, a.ipv6)):
                    source.namespace.run("ping", "-n", "-c", "5", "-i", "0.1", "-W", "5", target)
                iperf(a, b, "--bytes", "3M")
            sources = (a.namespace.ipv4, b.namespace.ipv4)
        seen[kernel] = [looks(folder / "tunnel.pcap", folder, source) for source in sources]
    for engine, module in zip(seen[False], seen[True], strict=True):
        assert module.largest <= 1452
        if engine.largest > 1000:  # the way that the data went, not that of TCP's acknowledgements
            # Packet numbers have two to four bytes, by what is in flight at the moment.
            assert abs(module.largest - engine.largest) <= 2
        assert module.connection_ids == engine.connection_ids
        assert module.spin == engine.spin
        assert module.kinds == engine.kinds
        # One acknowledges two packets or so, as the other does.
        assert abs(module.acks - engine.acks) < 0.25, (module, engine)
