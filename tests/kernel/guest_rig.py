# SPDX-License-Identifier: BSD-3-Clause
"""Sessions with fixed secrets, installed by netlink: for the checks of guest_session.py."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

from nexusnet.keys import HeaderKeys, KeyPair, KeySet, KeyState, NextKeys, PacketKey, SecretSet
from nexusnet.netlink import convert
from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import Message, Request
from nexusnet.quic.keys import CipherSuite as ModelSuite
from nexusnet.quic.keys import derive_header_key, derive_packet_keys, next_secret
from nexusnet.secret import SecretBytes
from nexusnet.session import (
    NO_DEVICE_FLAGS,
    Activation,
    Close,
    ConnectionId,
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
from tests.kernel.client import Netlink, RefusedError
from tests.kernel.guest_base import create, delete, inside, namespace, run

if TYPE_CHECKING:
    from collections.abc import Iterator

SUITES: Final = {
    nl.CipherSuite.AES_128_GCM_SHA256: ModelSuite.AES_128_GCM,
    nl.CipherSuite.AES_256_GCM_SHA384: ModelSuite.AES_256_GCM,
    nl.CipherSuite.CHACHA20_POLY1305_SHA256: ModelSuite.CHACHA20_POLY1305,
}
PARAMETERS: Final = TransportParameters(max_datagram_frame_size=65535, max_idle_timeout_ms=30000)
RTT: Final = RttState(latest=1_000_000, smoothed=1_000_000, variation=500_000, min=1_000_000)
RESET_TOKEN: Final = bytes(range(0x60, 0x70))
SILENT: Final = Close(mode=nl.CloseMode.SILENT)


def secret(suite: nl.CipherSuite, number: int, *, of_client: bool) -> bytes:
    """A traffic secret that both ends of session `number` know."""
    length = SUITES[suite].secret_length
    return bytes((number * 7 + 31 * of_client + i * 13 + 5) & 0xFF for i in range(length))


def _generation(suite: nl.CipherSuite, first: bytes, generation: int) -> bytes:
    for _ in range(generation):
        first = next_secret(SUITES[suite], first)
    return first


@dataclass
class Keys:
    """Key material of one end of session `number`."""

    suite: nl.CipherSuite
    number: int
    client: bool

    def traffic(self, generation: int, *, tx: bool) -> bytes:
        """Traffic secret of a generation."""
        first = secret(self.suite, self.number, of_client=self.client == tx)
        return _generation(self.suite, first, generation)

    def packet(self, generation: int, *, tx: bool) -> PacketKey:
        """Packet protection key of a generation."""
        keys = derive_packet_keys(SUITES[self.suite], self.traffic(generation, tx=tx))
        return PacketKey(SecretBytes(keys.key), SecretBytes(keys.iv))

    def header(self) -> HeaderKeys:
        """Header protection keys."""
        tx, rx = (
            SecretBytes(derive_header_key(SUITES[self.suite], self.traffic(0, tx=tx)))
            for tx in (True, False)
        )
        return HeaderKeys(tx=tx, rx=rx)

    def pair(self, generation: int) -> KeyPair:
        """Both directions."""
        return KeyPair(tx=self.packet(generation, tx=True), rx=self.packet(generation, tx=False))

    def v1(self) -> KeySet:
        """Derived keys."""
        return KeySet(
            suite=self.suite,
            state=KeyState(),
            header=self.header(),
            current=self.pair(0),
            next=self.pair(1),
        )

    def v2(self) -> SecretSet:
        """Traffic secrets."""
        tx, rx = (SecretBytes(self.traffic(0, tx=tx)) for tx in (True, False))
        return SecretSet(suite=self.suite, state=KeyState(), header=self.header(), tx=tx, rx=rx)

    def next(self, generation: int) -> NextKeys:
        """What SET_KEYS lays down."""
        return NextKeys(suite=self.suite, generation=generation, keys=self.pair(generation))


@dataclass
class End:
    """One end: a device, a UDP socket, and the netlink socket that owns both."""

    netlink: Netlink
    client: bool = True
    address: str = "127.0.0.1"
    peer: str = "127.0.0.1"
    peer_port: int = 4433
    flags: nl.DeviceFlag = NO_DEVICE_FLAGS
    suite: nl.CipherSuite = nl.CipherSuite.AES_128_GCM_SHA256
    silent: Close = SILENT
    device: nl.DeviceAttributes = field(init=False)
    udp: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.device = create(self.netlink, network_id=7, route_epoch=1, mtu=1400, flags=self.flags)
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.bind((self.address, 0))

    @property
    def port(self) -> int:
        """Of the UDP socket."""
        port: int = self.udp.getsockname()[1]
        return port

    def ref(self, number: int = 1) -> SessionRef:
        """Name of a session."""
        return SessionRef(self.device.id or 0, number)

    def keys(self, number: int = 1) -> Keys:
        """Of a session."""
        return Keys(self.suite, number, self.client)

    def session(self, number: int = 1, **changes: Any) -> Session:
        """As it is installed."""
        ours, theirs = (
            bytes([number & 0xFF, number >> 8, side, 1, 2, 3, 4, 5])
            for side in (self.client, not self.client)
        )
        base = Session(
            ref=self.ref(number),
            generation=1,
            role=nl.Role.CLIENT if self.client else nl.Role.SERVER,
            socket_fd=self.udp.fileno(),
            udp_tuple=UdpTuple(
                Endpoint(ip_address(self.address), self.port),
                Endpoint(ip_address(self.peer), self.peer_port),
            ),
            local_cids=(ConnectionId(0, ours),),
            peer_cids=(ConnectionId(0, theirs),),
            cipher_suite=self.suite,
            local_parameters=PARAMETERS,
            peer_parameters=PARAMETERS,
            datagram_size=1452,
            network_id=7,
            route_epoch=1,
            allowed_sources=(ip_network("0.0.0.0/0"), ip_network("::/0")),
            reset_tokens=(ResetToken(0, SecretBytes(RESET_TOKEN)),),
            idle_timeout_ms=30000,
            flags=nl.SessionFlag.SEND_DATA,
        )
        return replace(base, **changes)

    def activation(self, number: int = 1, *, v1: bool = False, **changes: Any) -> Activation:
        """What brings it to life."""
        keys = self.keys(number)
        base = Activation(
            ref=self.ref(number),
            generation=2,
            keys=keys.v1() if v1 else keys.v2(),
            next_pn=10,
            largest_acked=9,
            received=ReceivedRanges((), 10),
            rtt=RTT,
        )
        return replace(base, **changes)

    def ask(self, request: Request) -> tuple[Message, ...]:
        """Send a request, take the answers."""
        return self.netlink.ask(request)

    def add(self, number: int = 1, **changes: Any) -> nl.SessionAttributes:
        """ADD_SESSION; what it answers."""
        (reply,) = self.ask(convert.add_session(self.session(number, **changes)))
        assert reply.attributes.session is not None
        return reply.attributes.session

    def activate(self, number: int = 1, *, v1: bool = False, **changes: Any) -> None:
        """ACTIVATE_SESSION."""
        self.ask(convert.activate_session(self.activation(number, v1=v1, **changes)))

    def connect(self, number: int = 1, *, v1: bool = False, **changes: Any) -> None:
        """An active session."""
        self.add(number, **changes)
        self.activate(number, v1=v1)

    def remove(self, number: int = 1, generation: int = 99) -> None:
        """DELETE_SESSION, silently."""
        self.ask(convert.delete_session(self.ref(number), generation, SILENT))

    def route(self, prefix: str, number: int = 1, generation: int = 1, **changes: Any) -> Route:
        """A route to a session."""
        base = Route(
            session=self.ref(number), prefix=ip_network(prefix), generation=generation, epoch=1
        )
        return replace(base, **changes)

    def lead(self, prefix: str, number: int = 1, generation: int = 1) -> None:
        """ADD_ROUTE."""
        self.ask(convert.add_route(self.route(prefix, number, generation)))

    def named(self, command: nl.Command, number: int = 1, **values: object) -> Request:
        """A request about a session."""
        session = nl.SessionAttributes(
            device_id=self.device.id,
            id=number,
            **values,  # type: ignore[arg-type]  # the caller names them
        )
        return Request(command, nl.MainAttributes(session=session))

    def get(self, number: int = 1) -> nl.SessionAttributes:
        """GET_SESSION."""
        (reply,) = self.ask(self.named(nl.Command.GET_SESSION, number))
        assert reply.attributes.session is not None
        return reply.attributes.session

    def all(self, command: nl.Command = nl.Command.GET_SESSION) -> tuple[Message, ...]:
        """A dump of all."""
        return self.ask(Request(command, nl.MainAttributes(), dump=True))

    def numbers(self) -> list[int | None]:
        """Of all sessions."""
        found = [message.attributes.session for message in self.all()]
        return [session.id for session in found if session is not None]

    def stats(self, number: int = 1) -> nl.StatsAttributes:
        """GET_STATS of a session."""
        (reply,) = self.ask(self.named(nl.Command.GET_STATS, number))
        assert reply.attributes.stats is not None
        return reply.attributes.stats

    def drops(self, number: int = 1) -> dict[nl.DropReason, int]:
        """Drops of a session by their reason."""
        return {one.reason: one.packets for one in self.stats(number).drop}

    def close(self) -> None:
        """Delete the device, close the sockets."""
        delete(self.netlink, self.device.id)
        self.udp.close()
        self.netlink.socket.close()


@contextmanager
def one_end(**values: Any) -> Iterator[End]:
    """An end in this namespace, whose peer does not exist."""
    end = End(Netlink(), **values)
    try:
        yield end
    finally:
        end.close()


@contextmanager
def two_ends(*, v6: bool = False, **values: Any) -> Iterator[tuple[End, End]]:
    """Two ends in namespaces of their own, connected by a veth; a and b, 10.9.0.1 and .2 inside."""
    outer = ("fd01::1", "fd01::2") if v6 else ("10.1.0.1", "10.1.0.2")
    with namespace("a"), namespace("b"), ExitStack() as stack:
        run("ip", "-n", "a", "link", "add", "eth0", "type", "veth", "peer", "eth0", "netns", "b")
        ends = []
        for index, name in enumerate("ab"):
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", "eth0", "up")
            own, other = outer[index], outer[1 - index]
            width = "64" if v6 else "24"
            options = ["nodad"] if v6 else []
            run("ip", "-n", name, "addr", "add", f"{own}/{width}", "dev", "eth0", *options)
            with inside(name):
                end = End(Netlink(), client=not index, address=own, peer=other, **values)
            stack.callback(end.close)
            device = str(end.device.ifname)
            run("ip", "-n", name, "link", "set", device, "up")
            run("ip", "-n", name, "addr", "add", f"10.9.0.{index + 1}/24", "dev", device)
            run("ip", "-n", name, "addr", "add", f"fd09::{index + 1}/64", "dev", device, "nodad")
            ends.append(end)
        first, second = ends
        first.peer_port, second.peer_port = second.port, first.port
        yield first, second


def join(first: End, second: End, number: int = 1, *, v1: bool = False, **changes: Any) -> None:
    """Sessions at both ends, and routes."""
    for end in (first, second):
        end.connect(number, v1=v1, **changes)
        end.lead("10.9.0.0/24", number)
        end.lead("fd09::/64", number)


def ping(name: str, address: str, *options: str) -> None:
    """Ping out of a namespace; every packet must be answered."""
    run("ip", "netns", "exec", name, "ping", "-q", "-c", "3", "-i", "0.2", "-W", "20", *options,
        address)  # fmt: skip


def fails(code: int, request: Request, end: End) -> str:
    """The request must be refused with this error; what the extended acknowledgement says."""
    try:
        end.ask(request)
    except RefusedError as error:
        assert error.code == -code, (os.strerror(-error.code), error.message)
        assert error.message, "no message in the extended acknowledgement"
        return error.message
    raise AssertionError(f"not refused: {request}")
