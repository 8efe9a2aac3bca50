# SPDX-License-Identifier: BSD-3-Clause
"""One end of a tunnel without a handshake: a session installed by hand from fixed secrets.

For tests and measurements only: anybody can compute the keys. Run in a network namespace, it makes
the device, installs the session and then answers one command a line on standard input: `stats`
(JSON on standard output), `update` (key update), `quit`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import socket
import sys
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from nexusnet.dataplane.userspace import Offloads, UserspaceDataPlane
from nexusnet.keys import HeaderKeys, KeyState, SecretSet
from nexusnet.netlink.generated import (
    CipherSuite,
    Congestion,
    DropReason,
    EcnPolicy,
    Role,
    SessionFlag,
)
from nexusnet.quic.keys import CipherSuite as ModelSuite
from nexusnet.quic.keys import derive_header_key
from nexusnet.secret import SecretBytes
from nexusnet.session import (
    Activation,
    Close,
    ConnectionId,
    Device,
    Endpoint,
    OuterPolicy,
    ReceivedRanges,
    Route,
    RttState,
    Session,
    SessionRef,
    TransportParameters,
    UdpTuple,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

PORTS: Final = {Role.CLIENT: 50443, Role.SERVER: 443}
CID_LENGTH: Final = 8
ALL_OFFLOADS: Final = Offloads()
MODEL_SUITES: Final = {
    CipherSuite.AES_128_GCM_SHA256: ModelSuite.AES_128_GCM,
    CipherSuite.AES_256_GCM_SHA384: ModelSuite.AES_256_GCM,
    CipherSuite.CHACHA20_POLY1305_SHA256: ModelSuite.CHACHA20_POLY1305,
}
SUITES: Final = {suite.name.lower(): suite for suite in CipherSuite}


def secret(suite: CipherSuite, role: Role) -> bytes:
    """The traffic secret of the packets that one role sends."""
    return bytes([0x10 + int(role)]) * MODEL_SUITES[suite].secret_length


def connection_id(role: Role) -> bytes:
    """The connection ID that one role has chosen."""
    return bytes([0xC0 + int(role)]) * CID_LENGTH


def other(role: Role) -> Role:
    """The peer's role."""
    return Role.SERVER if role is Role.CLIENT else Role.CLIENT


def secrets(suite: CipherSuite, role: Role) -> SecretSet:
    """Both directions' secrets, as `role` installs them."""
    model = MODEL_SUITES[suite]
    sent, received = secret(suite, role), secret(suite, other(role))
    return SecretSet(
        suite=suite,
        state=KeyState(),
        header=HeaderKeys(
            tx=SecretBytes(derive_header_key(model, sent)),
            rx=SecretBytes(derive_header_key(model, received)),
        ),
        tx=SecretBytes(sent),
        rx=SecretBytes(received),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What one end is made of."""

    role: Role
    device: str
    local: str
    remote: str
    routes: tuple[str, ...]
    sources: tuple[str, ...]
    suite: CipherSuite = CipherSuite.AES_128_GCM_SHA256
    congestion: Congestion = Congestion.CUBIC_LIKE
    datagram_size: int = 1452
    offloads: Offloads = ALL_OFFLOADS
    search: bool = False
    ecn: bool = True


def session(end: End, device_id: int, fd: int) -> Session:
    """The end's session."""
    parameters = TransportParameters(max_datagram_frame_size=65535, max_idle_timeout_ms=30000)
    return Session(
        ref=SessionRef(device_id, 1),
        generation=1,
        role=end.role,
        socket_fd=fd,
        udp_tuple=UdpTuple(
            Endpoint(ip_address(end.local), PORTS[end.role]),
            Endpoint(ip_address(end.remote), PORTS[other(end.role)]),
        ),
        local_cids=(ConnectionId(0, connection_id(end.role)),),
        peer_cids=(ConnectionId(0, connection_id(other(end.role))),),
        cipher_suite=end.suite,
        local_parameters=parameters,
        peer_parameters=parameters,
        datagram_size=end.datagram_size,
        network_id=1,
        route_epoch=1,
        allowed_sources=tuple(ip_network(source) for source in end.sources),
        idle_timeout_ms=30000,
        flags=SessionFlag.SEND_DATA | (SessionFlag.PMTU_SEARCH if end.search else SessionFlag(0)),
        congestion=end.congestion,
        outer=OuterPolicy(ecn_policy=EcnPolicy.ENABLED if end.ecn else EcnPolicy.DISABLED),
    )


def activation(ref: SessionRef, suite: CipherSuite, role: Role) -> Activation:
    """A connection whose handshake took ten packets each way."""
    return Activation(
        ref=ref,
        generation=2,
        keys=secrets(suite, role),
        next_pn=10,
        largest_acked=9,
        received=ReceivedRanges((), 10),
        rtt=RttState(latest=1_000_000, smoothed=1_000_000, variation=500_000, min=1_000_000),
    )


class Tunnel:
    """A running end."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.plane = UserspaceDataPlane(end.offloads)
        family = socket.AF_INET if ip_address(end.local).version == 4 else socket.AF_INET6
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((end.local, PORTS[end.role]))
        self.endpoint = self.plane.open_endpoint(self.socket, CID_LENGTH)
        # Bytes around an inner packet: header, packet number, frame type, context ID, tag.
        mtu = end.datagram_size - (1 + CID_LENGTH + 4 + 1 + 1 + 16)
        device = Device(generation=1, network_id=1, name=end.device, route_epoch=1, mtu=mtu)
        self.device = self.plane.create_device(device)
        self.ref = SessionRef(self.device.id, 1)
        self.plane.add_session(session(end, self.device.id, self.socket.fileno()))
        self.plane.activate(activation(self.ref, end.suite, end.role))
        for prefix in end.routes:
            route = Route(session=self.ref, prefix=ip_network(prefix), generation=1, epoch=1)
            self.plane.add_route(route)

    def stats(self) -> dict[str, object]:
        """Counters of session and device."""
        session_stats = self.plane.session_stats(self.ref)
        made = dataclasses.asdict(session_stats)
        made["drop"] = {one.reason.name.lower(): one.packets for one in session_stats.drop}
        device = self.plane.device_stats(self.ref.device_id)
        made["device"] = dataclasses.asdict(device) | {
            "drop": {DropReason(one.reason).name.lower(): one.packets for one in device.drop}
        }
        made["events"] = [message.code.name for message in self.plane.events()]
        return made

    def close(self) -> None:
        """Say goodbye and take everything down."""
        self.plane.delete_session(self.ref, 9, Close())
        self.plane.close()
        self.socket.close()


def arguments(argv: Sequence[str]) -> End:
    """The end that the command line describes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["client", "server"])
    parser.add_argument("--device", required=True)
    parser.add_argument("--local", required=True, help="address of the UDP socket")
    parser.add_argument("--remote", required=True, help="the peer's")
    parser.add_argument("--route", action="append", default=[], help="prefix behind the peer")
    parser.add_argument("--source", action="append", default=[], help="prefix the peer may use")
    parser.add_argument("--suite", choices=SUITES, default="aes_128_gcm_sha256")
    parser.add_argument("--congestion", choices=["cubic_like", "bbr_like"], default="cubic_like")
    parser.add_argument("--datagram-size", type=int, default=1452)
    parser.add_argument("--search", action="store_true", help="search for the path MTU")
    parser.add_argument("--plain", action="store_true", help="without any of the kernel's batching")
    options = parser.parse_args(argv)
    fields = [one.name for one in dataclasses.fields(Offloads)]
    return End(
        role=Role[options.role.upper()],
        device=options.device,
        local=options.local,
        remote=options.remote,
        routes=tuple(options.route),
        sources=tuple(options.source),
        suite=SUITES[options.suite],
        congestion=Congestion[options.congestion.upper()],
        datagram_size=options.datagram_size,
        offloads=Offloads(**dict.fromkeys(fields, not options.plain)),
        search=options.search,
    )


def main(argv: Sequence[str]) -> None:
    """Run one end until standard input ends."""
    tunnel = Tunnel(arguments(argv))
    print("ready", flush=True)
    for line in sys.stdin:
        command = line.strip()
        if command == "stats":
            print(json.dumps(tunnel.stats()), flush=True)
        elif command == "update":
            tunnel.plane.key_update(tunnel.ref)
        elif command == "quit":
            break
    tunnel.close()


if __name__ == "__main__":
    main(sys.argv[1:])
