# SPDX-License-Identifier: BSD-3-Clause
"""One data plane with many sessions installed by hand; one command a line on standard input.

As `tunnel_end.py` (anybody can compute the keys), with any number of peers: session I carries
packets between 10.32.0.0 + I, the clients' side, and 10.64.0.0 + I, the server's. Commands: `stats`
(JSON on standard output), `quit`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import socket
import sys
from ipaddress import IPv4Address, ip_network
from typing import TYPE_CHECKING, Any, Final

from bench import tunnel_end
from nexusnet.dataplane.kernel import KernelDataPlane
from nexusnet.dataplane.userspace import UserspaceDataPlane
from nexusnet.netlink.generated import Congestion, DropReason, Role
from nexusnet.session import ConnectionId, Device, Route, SessionRef

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexusnet.dataplane.protocol import DataPlane
    from nexusnet.netlink.generated import StatsAttributes

INNER: Final = {Role.CLIENT: IPv4Address("10.32.0.0"), Role.SERVER: IPv4Address("10.64.0.0")}
INNER_BITS: Final = 16
MTU: Final = 1420


def inner_address(role: Role, index: int) -> str:
    """The address of one side of a session, inside the tunnel."""
    return str(INNER[role] + index)


def connection_id(role: Role, index: int) -> ConnectionId:
    """The connection ID that one side of a session has chosen."""
    value = bytes([0xC0 + int(role)]) + index.to_bytes(tunnel_end.CID_LENGTH - 1)
    return ConnectionId(0, value)


class ManyEnd:
    """The data plane, its socket and its device."""

    def __init__(
        self,
        role: Role,
        device: str,
        local: str,
        congestion: Congestion,
        plane: DataPlane,
    ) -> None:
        self.role = role
        self.local = local
        self.congestion = congestion
        self.plane = plane
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((local, tunnel_end.PORTS[role]))
        self.endpoint = self.plane.open_endpoint(self.socket, tunnel_end.CID_LENGTH)
        made = Device(generation=1, network_id=1, name=device, route_epoch=1, mtu=MTU)
        self.device = self.plane.create_device(made)
        self.refs: list[SessionRef] = []

    def add(self, index: int, remote: str) -> None:
        """Install a session."""
        peer = tunnel_end.other(self.role)
        prefix = inner_address(peer, index)
        end = tunnel_end.End(
            role=self.role, device=self.device.name, local=self.local, remote=remote,
            routes=(prefix,), sources=(prefix,), congestion=self.congestion,
        )  # fmt: skip
        ref = SessionRef(self.device.id, index + 1)
        session = dataclasses.replace(
            tunnel_end.session(end, self.device.id, self.socket.fileno()),
            ref=ref,
            local_cids=(connection_id(self.role, index),),
            peer_cids=(connection_id(peer, index),),
        )
        self.plane.add_session(session)
        self.plane.activate(tunnel_end.activation(ref, end.suite, self.role))
        route = Route(session=ref, prefix=ip_network(prefix), generation=1, epoch=1)
        self.plane.add_route(route)
        self.refs.append(ref)

    def stats(self) -> dict[str, Any]:
        """Counters of the device (sums) and of the first session; events since the last call."""
        device = counters(self.plane.device_stats(self.device.id))
        session = counters(self.plane.session_stats(self.refs[0]))
        events = [message.code.name for message in self.plane.events()]
        return {"device": device, "session": session, "events": events}

    def close(self) -> None:
        """Take everything down."""
        self.plane.close()
        self.socket.close()


def counters(stats: StatsAttributes) -> dict[str, Any]:
    """Counters as JSON, drops by name."""
    drops = {DropReason(one.reason).name.lower(): one.packets for one in stats.drop}
    return dataclasses.asdict(stats) | {"drop": drops}


def peers(text: str) -> list[tuple[int, str]]:
    """FIRST-LAST=ADDRESS: sessions FIRST to LAST go to ADDRESS."""
    numbers, _, remote = text.partition("=")
    first, _, last = numbers.partition("-")
    return [(index, remote) for index in range(int(first), int(last or first) + 1)]


def main(argv: Sequence[str]) -> None:
    """Run one end until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["client", "server"])
    parser.add_argument("--device", required=True)
    parser.add_argument("--local", required=True, help="address of the UDP socket")
    parser.add_argument("--peers", type=peers, action="append", required=True, help=peers.__doc__)
    parser.add_argument("--congestion", choices=["cubic_like", "bbr_like"], default="cubic_like")
    parser.add_argument("--kernel", action="store_true", help="the module carries the packets")
    options = parser.parse_args(argv)
    role = Role[options.role.upper()]
    congestion = Congestion[options.congestion.upper()]
    plane = KernelDataPlane() if options.kernel else UserspaceDataPlane()
    end = ManyEnd(role, options.device, options.local, congestion, plane)
    for group in options.peers:
        for index, remote in group:
            end.add(index, remote)
    print("ready", flush=True)
    for line in sys.stdin:
        command = line.strip()
        if command == "stats":
            print(json.dumps(end.stats()), flush=True)
        elif command == "quit":
            break
    end.close()


if __name__ == "__main__":
    main(sys.argv[1:])
