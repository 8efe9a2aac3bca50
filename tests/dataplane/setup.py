# SPDX-License-Identifier: BSD-3-Clause
"""A data plane with one device, and sessions that the reference model is the peer of."""

import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

from nexusnet.dataplane.protocol import DataPlane, UdpEndpoint
from nexusnet.keys import HeaderKeys, KeyPair, KeySet, KeyState, NextKeys, PacketKey, SecretSet
from nexusnet.netlink.generated import (
    CipherSuite,
    DropReason,
    Event,
    Role,
    SessionFlag,
    StatsAttributes,
)
from nexusnet.netlink.messages import Message
from nexusnet.quic.keys import CipherSuite as ModelSuite
from nexusnet.quic.protection import ShortHeaderProtection
from nexusnet.secret import SecretBytes
from nexusnet.session import (
    Activation,
    ConnectionId,
    Device,
    Endpoint,
    ReceivedRanges,
    ResetToken,
    Route,
    RttState,
    Session,
    SessionRef,
    TransportParameters,
    UdpTuple,
)
from tests.dataplane.peer import PATIENCE, ModelPeer

T = TypeVar("T")

SUITES = {
    CipherSuite.AES_128_GCM_SHA256: ModelSuite.AES_128_GCM,
    CipherSuite.AES_256_GCM_SHA384: ModelSuite.AES_256_GCM,
    CipherSuite.CHACHA20_POLY1305_SHA256: ModelSuite.CHACHA20_POLY1305,
}
INNER, INNER_PEER = "10.8.0.1", "10.8.0.2"
INNER6, INNER6_PEER = "fd08::1", "fd08::2"
INNER_PORT = 9999
RESET_TOKEN = bytes(range(16))
RTT = RttState(latest=1_000_000, smoothed=1_000_000, variation=500_000, min=1_000_000)
PARAMETERS = TransportParameters(max_datagram_frame_size=65535, max_idle_timeout_ms=30000)


def eventually(probe: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """What `probe` returns once `wanted` holds of it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        value = probe()
        if wanted(value):
            return value
        assert time.monotonic() < deadline, f"still {value}"
        time.sleep(0.01)


def packet_key(protection: ShortHeaderProtection) -> PacketKey:
    return PacketKey(SecretBytes(protection.keys.key), SecretBytes(protection.keys.iv))


@dataclass
class Bench:
    """A plane, its device with addresses, its endpoint, and events as they come."""

    plane: DataPlane
    cid_length: int = 8
    family: int = socket.AF_INET
    seen: list[Message] = field(default_factory=list)
    peers: list[ModelPeer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.device = self.plane.create_device(
            Device(generation=1, network_id=7, name="nexusq%d", route_epoch=1, mtu=1400)
        )
        name = self.device.name
        for command in (
            f"link set {name} up",
            f"addr add {INNER}/24 dev {name}",
            f"addr add {INNER6}/64 dev {name} nodad",
        ):
            subprocess.run(["ip", *command.split()], check=True, timeout=30)
        self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1" if self.family == socket.AF_INET else "::", 0))
        self.endpoint: UdpEndpoint = self.plane.open_endpoint(self.socket, self.cid_length)
        self.inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inner.bind((INNER, INNER_PORT))

    def close(self) -> None:
        for peer in self.peers:
            peer.close()
        self.plane.close()
        self.inner.close()
        self.socket.close()

    def peer(
        self, number: int = 1, suite: CipherSuite = CipherSuite.AES_128_GCM_SHA256
    ) -> ModelPeer:
        """A peer for session `number`."""
        length = SUITES[suite].secret_length
        mapped = "127.0.0.1"
        made = ModelPeer(
            suite=SUITES[suite],
            sends=bytes([number]) * length,
            receives=bytes([(0x80 + number) % 256]) * length,
            own_cid=bytes([number, 0xA0, 1, 2]),
            peer_cid=bytes([number] + [0xB0] * 19)[: self.cid_length],
            to=(mapped, self.socket.getsockname()[1]),
        )
        self.peers.append(made)
        return made

    def session(self, peer: ModelPeer, number: int = 1, **changes: Any) -> Session:
        suite = next(ours for ours, model in SUITES.items() if model is peer.suite)
        base = Session(
            ref=SessionRef(self.device.id, number),
            generation=1,
            role=Role.SERVER,
            socket_fd=self.socket.fileno(),
            udp_tuple=UdpTuple(
                Endpoint(ip_address("127.0.0.1"), self.socket.getsockname()[1]),
                Endpoint(ip_address("127.0.0.1"), peer.port),
            ),
            local_cids=(ConnectionId(0, peer.peer_cid),),
            peer_cids=(ConnectionId(0, peer.own_cid),),
            cipher_suite=suite,
            local_parameters=PARAMETERS,
            peer_parameters=PARAMETERS,
            datagram_size=1452,
            network_id=7,
            route_epoch=1,
            allowed_sources=(ip_network(f"{INNER_PEER}/32"), ip_network(f"{INNER6_PEER}/128")),
            reset_tokens=(ResetToken(0, SecretBytes(RESET_TOKEN)),),
            idle_timeout_ms=30000,
            flags=SessionFlag.SEND_DATA,
        )
        return replace(base, **changes)

    def keys_v1(self, peer: ModelPeer, session: Session) -> KeySet:
        return KeySet(
            suite=session.cipher_suite,
            state=KeyState(),
            header=self.header(peer),
            current=KeyPair(tx=packet_key(peer.rx[0]), rx=packet_key(peer.tx[0])),
            next=KeyPair(tx=packet_key(peer.rx[1]), rx=packet_key(peer.tx[1])),
        )

    def next_keys(self, peer: ModelPeer, session: Session, generation: int) -> NextKeys:
        pair = KeyPair(tx=packet_key(peer.rx[generation]), rx=packet_key(peer.tx[generation]))
        return NextKeys(suite=session.cipher_suite, generation=generation, keys=pair)

    def keys_v2(self, peer: ModelPeer, session: Session) -> SecretSet:
        return SecretSet(
            suite=session.cipher_suite,
            state=KeyState(),
            header=self.header(peer),
            tx=SecretBytes(peer.receives),
            rx=SecretBytes(peer.sends),
        )

    def header(self, peer: ModelPeer) -> HeaderKeys:
        return HeaderKeys(
            tx=SecretBytes(peer.header_key(sending=False)),
            rx=SecretBytes(peer.header_key(sending=True)),
        )

    def activation(
        self, peer: ModelPeer, session: Session, *, v1: bool = False, **changes: Any
    ) -> Activation:
        base = Activation(
            ref=session.ref,
            generation=session.generation + 1,
            keys=self.keys_v1(peer, session) if v1 else self.keys_v2(peer, session),
            next_pn=10,
            largest_acked=9,
            received=ReceivedRanges((), 10),
            rtt=RTT,
        )
        return replace(base, **changes)

    def route(self, session: Session, prefix: str, generation: int = 1, epoch: int = 1) -> Route:
        return Route(
            session=session.ref, prefix=ip_network(prefix), generation=generation, epoch=epoch
        )

    def connect(
        self,
        number: int = 1,
        *,
        v1: bool = False,
        suite: CipherSuite = CipherSuite.AES_128_GCM_SHA256,
        rtt: RttState = RTT,
        **changes: Any,
    ) -> tuple[ModelPeer, Session]:
        """An active session with a route to the peer's inner addresses."""
        peer = self.peer(number, suite)
        session = self.session(peer, number, **changes)
        self.plane.add_session(session)
        self.plane.activate(self.activation(peer, session, v1=v1, rtt=rtt))
        if number == 1:
            self.plane.add_route(self.route(session, f"{INNER_PEER}/32"))
        return peer, session

    def stats(self, session: Session) -> StatsAttributes:
        return self.plane.session_stats(session.ref)

    def drops(self, session: Session) -> dict[DropReason, int]:
        return {one.reason: one.packets for one in self.stats(session).drop}

    def expect_drop(self, session: Session, reason: DropReason, count: int = 1) -> None:
        eventually(lambda: self.drops(session).get(reason, 0), lambda dropped: dropped >= count)
        assert self.drops(session)[reason] == count

    def events(self, code: Event) -> list[Message]:
        self.seen += self.plane.events()
        return [message for message in self.seen if message.code is code]

    def expect_event(self, code: Event, count: int = 1) -> Message:
        return eventually(lambda: self.events(code), lambda found: len(found) >= count)[count - 1]

    def inner_receive(self, timeout: float = PATIENCE) -> bytes | None:
        """What the inner socket gets; None in time."""
        self.inner.settimeout(timeout)
        try:
            return self.inner.recv(65536)
        except TimeoutError:
            return None
