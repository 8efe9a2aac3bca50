# SPDX-License-Identifier: BSD-3-Clause
"""One tunnel from its handover to its end.

    installing --both READY, routes known--> up --close, silence, error--> over

The data plane carries the packets; here are the control channel, the keys (v1), what the peer
announces, and the answers to the data plane's events.
"""

import asyncio
import contextlib
import enum
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network
from typing import Final

from nexusnet.agent.config import Config, Interface, Network, PeerSettings
from nexusnet.agent.connection_ids import ConnectionIds
from nexusnet.agent.errors import TunnelError
from nexusnet.agent.handover import ExportedConnection, Handover
from nexusnet.agent.logs import bound, facts
from nexusnet.agent.plane import CONGESTION, PlaneHost
from nexusnet.dataplane.protocol import DataPlaneError, SessionStatus
from nexusnet.handshake.derivation import KeySchedule
from nexusnet.l3ptp.context import Context, decode_context
from nexusnet.l3ptp.errors import L3ptpError, UnknownContextError
from nexusnet.l3ptp.link import (
    CloseCause,
    Link,
    LinkClosed,
    LinkEvent,
    LinkOpen,
    MessageReceived,
    MessageRefused,
)
from nexusnet.l3ptp.messages import Addresses, Capabilities, CloseCode, Mtu, Routes
from nexusnet.l3ptp.routes import RouteCollector, split_routes
from nexusnet.netlink.generated import (
    ALLOWED_SOURCES_MAX,
    HOLD_QUEUE_LEN,
    DownReason,
    Event,
    KeyUpdateCause,
    SessionFlag,
)
from nexusnet.netlink.messages import Message
from nexusnet.quic.errors import QuicError, TransportErrorCode
from nexusnet.quic.frames import encode_frames
from nexusnet.session import (
    Close,
    Device,
    OuterPolicy,
    Prefix,
    Route,
    SessionRef,
    SessionUpdate,
    UdpTuple,
)

logger = logging.getLogger(__name__)

IPV6_MTU_MIN: Final = 1280
"""Bytes that every link carries for IPv6 (RFC 8200 section 5)."""

READY_WITHIN: Final = 10.0
"""Seconds for the peer's READY and its routes."""

DOWN_REASONS: Final = {
    DownReason.PEER_CLOSED: "the peer closed the connection",
    DownReason.PROTOCOL_ERROR: "the peer broke the protocol",
    DownReason.IDLE_TIMEOUT: "nothing was heard from the peer for the idle timeout",
    DownReason.DEAD_PEER: "the peer does not answer",
    DownReason.STATELESS_RESET: "the peer does not know this connection any more",
    DownReason.AEAD_LIMIT: "the keys are used up and could not be changed",
    DownReason.SOCKET_CLOSED: "the socket was closed",
    DownReason.OWNER_GONE: "the session's owner went away",
    DownReason.DEVICE_DELETED: "the device was deleted",
    DownReason.NETNS_EXIT: "the network namespace went away",
    DownReason.INTERNAL_ERROR: "the data plane failed",
    DownReason.DELETED: "the session was deleted",
}

CLOSE_WORDS: Final[dict[int, str]] = {
    CloseCode.SHUTDOWN: "",
    CloseCode.RECONFIGURED: " to be set up anew",
    CloseCode.PROTOCOL_ERROR: ": it found a fault in the protocol of this end",
    CloseCode.UNSUPPORTED: ": it does not support what this end needs",
    CloseCode.POLICY: ": it has this end switched off (`nexus up` there lets it in)",
    CloseCode.DATA_PLANE_FAILED: ": its data plane failed",
}


class TunnelState(enum.Enum):
    """How far a tunnel is."""

    INSTALLING = "installing"
    UP = "up"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class HostChange:
    """What a tunnel asks of the host's network configuration.

    Attributes:
        addresses: that the peer gave this end.
        routes: prefixes behind the peer.
        mtu: largest inner packet in bytes.
    """

    addresses: tuple[Interface, ...]
    routes: tuple[Network, ...]
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelSetting:
    """What all tunnels of an agent share.

    Attributes:
        config: the agent's.
        planes: the data plane.
        device: of the network.
        network_id: of the network.
        mark: of the outer packets.
        advertised: prefixes that the peers are told.
    """

    config: Config
    planes: PlaneHost
    device: Device
    network_id: int
    mark: int | None = None
    advertised: tuple[Network, ...] = ()


def allowed(announced: Iterable[Network], limits: Iterable[Network]) -> tuple[Network, ...]:
    """Return the announced prefixes that lie within the accepted ones."""
    limits = tuple(limits)
    return tuple(
        prefix
        for prefix in announced
        if any(
            # A type check before subnet_of: it refuses to compare across versions.
            prefix.version == limit.version and prefix.subnet_of(limit)  # type: ignore[arg-type]
            for limit in limits
        )
    )


class Tunnel:
    """Drives one installed connection.

    Attributes:
        peer: at the other end.
        ref: the session in the data plane.
        state: how far it is.
        since: when it came up, in seconds of the event loop's clock; None before.
        path: addresses outside.
        identity: how the peer proved itself, for people.
        routes: prefixes that lead to the peer.
        addresses: that the peer gave us.
        mtu: largest inner packet in bytes that fits.
        key_updates: changes of the keys since the handover.
    """

    def __init__(
        self,
        setting: TunnelSetting,
        peer: PeerSettings,
        handover: Handover,
        exported: ExportedConnection,
        *,
        on_change: Callable[[HostChange], None],
        on_up: Callable[[], None],
    ) -> None:
        """Prepare; `run` does the work.

        Args:
            setting: what all tunnels share.
            peer: whom it leads to.
            handover: the connection's datagrams.
            exported: the connection.
            on_change: told what the host's configuration should be.
            on_up: told once packets may flow.
        """
        self.peer = peer
        self.ref = SessionRef(setting.device.id, setting.planes.next_number())
        self.state = TunnelState.INSTALLING
        self.since: float | None = None
        self.path: UdpTuple = exported.udp_tuple
        self.identity = exported.identity
        self.cipher = exported.keys.suite.name
        self.routes: tuple[Network, ...] = ()
        self.addresses: tuple[Interface, ...] = ()
        self.mtu = 0
        self.key_updates = 0
        self._setting = setting
        self._planes = setting.planes
        self._plane = setting.planes.plane
        self._handover = handover
        self._exported = exported
        self._on_change = on_change
        self._on_up = on_up
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._messages: deque[Message] = deque()
        self._schedule: KeySchedule | None = None
        self._collector = RouteCollector()
        self._announced: tuple[Network, ...] | None = None
        self._installed: dict[Prefix, Route] = {}
        self._peer_mtu: int | None = None
        self._error: str | None = None
        self._close_code = CloseCode.SHUTDOWN
        self._quic_error: int | None = None
        self._connection_ids = ConnectionIds(
            exported.local_cids,
            exported.peer_cids,
            exported.reset_tokens,
            exported.local_parameters.active_connection_id_limit,
            issue=handover.issue,
        )
        self._in_plane = False
        keepalive = setting.config.transport.keepalive_seconds
        self._link = Link(
            initial_rtt=exported.rtt.smoothed / 1e9,
            keepalive=keepalive or None,
            give_up_after=max(keepalive, 3.0) if keepalive else READY_WITHIN,
        )

    @property
    def datagram_size(self) -> int:
        """Largest UDP payload in bytes that is known to arrive."""
        status = self._status()
        return self._exported.datagram_size if status is None else status.datagram_size

    async def run(self) -> None:
        """Install the connection and look after it until it ends; always raises.

        Raises:
            TunnelError: it ended; the text says why.
            asyncio.CancelledError: it was to end; the peer has been told.
        """
        with bound(peer=self.peer.name, session=self.ref.id):
            try:
                self._install()
                async with asyncio.timeout(READY_WITHIN) as limit:
                    await self._converse(limit)
            except TimeoutError as error:
                self._close_code = CloseCode.PROTOCOL_ERROR
                raise TunnelError(
                    f"the peer did not become ready within {READY_WITHIN:g} s"
                ) from error
            except DataPlaneError as error:
                self._close_code = CloseCode.DATA_PLANE_FAILED
                raise TunnelError(f"the data plane refused the tunnel: {error.strerror}") from error
            finally:
                self._dismantle()

    def say_why(self, code: CloseCode) -> None:
        """Tell the peer at the tunnel's end why it was ended.

        Args:
            code: why.
        """
        self._close_code = code

    def refuse(self, code: CloseCode) -> None:
        """Install the connection only to end it, so that the peer hears why.

        Args:
            code: why.

        Raises:
            DataPlaneError: the data plane refused.
        """
        self._close_code = code
        try:
            self._install()
        finally:
            self._dismantle()

    # The handover

    def _install(self) -> None:
        exported, handover = self._exported, self._handover
        transport = self._setting.config.transport
        self._planes.subscribe(self.ref, self._on_event)
        sources = self._static_sources()
        self._plane.add_session(
            exported.session(
                self.ref,
                generation=self._planes.next_number(),
                socket_fd=handover.sock.fileno(),
                network_id=self._setting.network_id,
                route_epoch=self._setting.device.route_epoch,
                allowed_sources=sources,
                keepalive_ms=round(transport.keepalive_seconds * 1000),
                congestion=CONGESTION[transport.congestion],
                lab_rate=self._lab_rate(),
                # Until a route leads to the session nothing is sent on it.
                flags=SessionFlag.SEND_DATA
                | (SessionFlag.LAB_MODE if self._lab_rate() else SessionFlag(0)),
                outer=OuterPolicy(fwmark=self._setting.mark),
            )
        )
        self._in_plane = True
        held = tuple(handover.drain())[:HOLD_QUEUE_LEN]
        keys = None
        if not self._planes.takes_secrets:
            keys, self._schedule = KeySchedule.begin(exported.keys)
        activation = exported.activation(
            self.ref,
            generation=self._planes.next_number(),
            now=self._loop.time(),
            held=held,
            keys=keys,
        )
        try:
            self._plane.activate(activation)
        finally:
            exported.wipe()
        handover.release()
        self._link.activate(self._loop.time())
        self._greet()
        for payload in handover.early_datagrams():
            self._receive(payload)

    def _lab_rate(self) -> int | None:
        bits = self._setting.config.lab.fixed_rate_bits_per_second
        return None if bits is None else bits // 8

    def _static_sources(self) -> tuple[Network, ...]:
        hosts = tuple(ip_network(address) for address in self.peer.addresses)
        return tuple(dict.fromkeys((*hosts, *self.peer.routes)))

    def _greet(self) -> None:
        """Tell the peer all that it has to know; the channel keeps the order."""
        config = self._setting.config
        self._refresh_mtu()
        self._link.send(Capabilities(frozenset()))
        self._link.send(Mtu(config.network.mtu_bytes or self.mtu))
        if config.is_server:
            lengths = {one.version: one.network.prefixlen for one in config.network.addresses}
            self._link.send(
                Addresses(
                    tuple(
                        ip_interface((address, lengths[address.version]))
                        for address in self.peer.addresses
                    )
                )
            )
        for part in split_routes(1, self._setting.advertised):
            self._link.send(part)

    # Conversation

    async def _converse(self, limit: asyncio.Timeout) -> None:
        key_interval = self._setting.config.transport.key_update_seconds
        next_update = self._loop.time() + key_interval if key_interval else None
        while True:
            self._process_messages()
            self._flush()
            self._process_link_events()
            if self._error is not None:
                raise TunnelError(self._error)
            if self.state is TunnelState.UP and limit.when() is not None:
                limit.reschedule(None)
            if next_update is not None and self._loop.time() >= next_update:
                next_update = self._loop.time() + key_interval
                self._plane.key_update(self.ref)
            times = [t for t in (self._link.deadline(), next_update) if t is not None]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(times, default=None)):
                    await self._wake.wait()
            self._wake.clear()

    def _flush(self) -> None:
        for payload in self._link.transmit(self._loop.time()):
            # The control channel repeats what did not arrive; a full queue is a loss like others.
            with contextlib.suppress(DataPlaneError):
                self._plane.send_datagram(self.ref, payload)

    def _receive(self, payload: bytes) -> None:
        """Take a DATAGRAM payload that came before the export."""
        with contextlib.suppress(UnknownContextError):
            datagram = decode_context(payload)
            if datagram.context is Context.CONTROL:
                self._receive_control(datagram.payload)

    def _receive_control(self, payload: bytes) -> None:
        try:
            self._link.receive(payload, self._loop.time())
        except L3ptpError as error:
            self._fail(f"the peer's control channel makes no sense: {error}")
            self._close_code = CloseCode.PROTOCOL_ERROR

    def _fail(self, reason: str) -> None:
        self._error = self._error or reason

    def _process_link_events(self) -> None:
        while (event := self._link.next_event()) is not None:
            self._handle_link_event(event)
        # What was handled may have led to answers.
        self._flush()

    def _handle_link_event(self, event: LinkEvent) -> None:
        if isinstance(event, LinkOpen):
            self._refresh()
        elif isinstance(event, LinkClosed):
            self._fail(_closing_words(event))
        elif isinstance(event, MessageRefused):
            logger.warning("the peer refused a control message", extra=facts(field=event.field))
        elif isinstance(event, MessageReceived):
            self._handle_announcement(event)

    def _handle_announcement(self, event: MessageReceived) -> None:
        message = event.message
        if isinstance(message, Addresses) and not self._setting.config.is_server:
            self.addresses = tuple(one for one in message.interfaces if _usable(one))
        elif isinstance(message, Mtu):
            self._peer_mtu = message.size
        elif isinstance(message, Routes):
            try:
                complete = self._collector.add(message)
            except L3ptpError as error:
                self._fail(f"the peer announces {error}")
                return
            if complete is None:
                return
            self._announced = allowed(complete.networks, self.peer.accept_routes)
            ignored = [str(one) for one in complete.networks if one not in self._announced]
            if ignored:
                logger.info(
                    "routes outside of accept_routes are ignored",
                    extra=facts(routes=", ".join(ignored)),
                )
        self._refresh()

    def _refresh(self) -> None:
        """Bring data plane and host to what is known now; up once all of it is."""
        if not self._link.may_send_packets or self._announced is None:
            return
        self._refresh_mtu()
        wanted = tuple(dict.fromkeys((*self._static_sources(), *self._announced)))
        if len(wanted) > ALLOWED_SOURCES_MAX:
            self._fail(f"{len(wanted)} prefixes lead to the peer, {ALLOWED_SOURCES_MAX} can")
            return
        if wanted != self.routes:
            self._replace_routes(wanted)
        self._on_change(HostChange(self.addresses, self.routes, self.mtu))
        if self.state is TunnelState.INSTALLING:
            self.state = TunnelState.UP
            self.since = self._loop.time()
            self._on_up()

    def _replace_routes(self, wanted: tuple[Network, ...]) -> None:
        if wanted:
            self._plane.update_session(
                SessionUpdate(
                    ref=self.ref,
                    generation=self._planes.next_number(),
                    allowed_sources=wanted,
                )
            )
        for prefix in wanted:
            if prefix not in self._installed:
                route = Route(
                    session=self.ref,
                    prefix=prefix,
                    generation=self._planes.next_number(),
                    epoch=self._setting.device.route_epoch,
                )
                self._plane.add_route(route, replace=True)
                self._installed[prefix] = route
        for prefix in set(self._installed) - set(wanted):
            self._plane.delete_route(self._installed.pop(prefix))
        self.routes = wanted

    def _status(self) -> SessionStatus | None:
        for status in self._plane.sessions(self.ref.device_id) if self._in_plane else ():
            if status.ref == self.ref:
                return status
        return None

    def _refresh_mtu(self) -> None:
        status = self._status()
        sizes = [self._setting.config.network.mtu_bytes, self._peer_mtu]
        if status is not None:
            sizes.append(status.mtu)
        self.mtu = min((size for size in sizes if size), default=IPV6_MTU_MIN)

    # The data plane's events

    def _on_event(self, message: Message) -> None:
        self._messages.append(message)
        self._wake.set()

    def _process_messages(self) -> None:
        newest: int | None = None
        while self._messages:
            message = self._messages.popleft()
            self._handle_message(message)
            event = message.attributes.event
            if message.to_be_acknowledged and event is not None and event.id is not None:
                newest = event.id
        if newest is not None:
            self._plane.acknowledge(self.ref, newest)

    def _handle_message(self, message: Message) -> None:
        attributes = message.attributes
        event = attributes.event
        match message.code:
            case Event.DATAGRAM_RECEIVED:
                frames = attributes.frames
                if frames is not None and frames.context_id == Context.CONTROL and frames.payload:
                    self._receive_control(frames.payload)
            case Event.FRAMES_RECEIVED:
                if attributes.frames is not None and attributes.frames.payload:
                    self._receive_frames(attributes.frames.payload)
            case Event.SESSION_DOWN:
                self._in_plane_gone(message)
            case Event.KEY_UPDATE_NEEDED:
                self._update_keys(event.key_update_cause if event else None)
            case Event.KEY_UPDATE_DONE:
                self.key_updates += 1
                logger.debug("keys changed", extra=facts(generation=event and event.key_generation))
            case Event.PATH_MTU_CHANGED:
                self._refresh()
            case Event.FATAL_ERROR:
                said = event.message if event else None
                self._fail(f"the data plane cannot go on: {said or 'no reason given'}")
            case _:
                logger.debug("event of the data plane", extra=facts(event=message.code.name))

    def _receive_frames(self, payload: bytes) -> None:
        try:
            change = self._connection_ids.receive(payload)
        except QuicError as error:
            if isinstance(error.code, TransportErrorCode):
                self._quic_error = error.code
            self._fail(f"the peer broke the protocol: {error}")
            return
        if change.local_cids is not None or change.peer_cids is not None:
            self._plane.update_session(
                SessionUpdate(
                    ref=self.ref,
                    generation=self._planes.next_number(),
                    local_cids=change.local_cids,
                    peer_cids=change.peer_cids,
                    reset_tokens=change.reset_tokens,
                )
            )
        if change.answers:
            frames = encode_frames(change.answers)
            self._plane.send_frames(self.ref, self._planes.next_number(), frames)

    def _in_plane_gone(self, message: Message) -> None:
        event, close = message.attributes.event, message.attributes.close
        reason = event.down_reason if event else None
        text = DOWN_REASONS.get(reason, "the session ended") if reason else "the session ended"
        if reason is DownReason.PEER_CLOSED and close is not None:
            text += CLOSE_WORDS.get(close.error_code or 0, f" with error {close.error_code}")
        self._fail(text)

    def _update_keys(self, cause: KeyUpdateCause | None) -> None:
        if cause is KeyUpdateCause.NEXT_KEYS_MISSING:
            if self._schedule is not None:
                self._plane.set_keys(self.ref, self._schedule.advance())
        else:
            self._plane.key_update(self.ref)

    # The end

    def _dismantle(self) -> None:
        self.state = TunnelState.OVER
        if self._in_plane:
            with contextlib.suppress(DataPlaneError):
                for route in self._installed.values():
                    self._plane.delete_route(route)
                close = Close(error_code=int(self._close_code), application=True)
                if self._quic_error is not None:
                    close = Close(error_code=self._quic_error, application=False)
                self._plane.delete_session(self.ref, self._planes.next_number(), close)
        self._planes.unsubscribe(self.ref)
        if self._schedule is not None:
            self._schedule.wipe()
        self._exported.wipe()
        self._connection_ids.wipe()
        self._handover.close()


def _usable(interface: Interface) -> bool:
    """Whether a peer may give us this address."""
    ip = interface.ip
    return not (ip.is_multicast or ip.is_loopback or ip.is_unspecified or ip.is_link_local)


def _closing_words(event: LinkClosed) -> str:
    match event.cause:
        case CloseCause.PEER:
            known = {int(code): code.name.lower().replace("_", " ") for code in CloseCode}
            code = known.get(event.code or 0, f"code {event.code}")
            return f"the peer closed the tunnel: {event.reason or code}"
        case CloseCause.UNRESPONSIVE:
            return "the peer does not answer any more"
        case CloseCause.INCOMPATIBLE:
            return "the peer speaks another version of L3PTP: upgrade the older end"
        case _:
            return "closed by this end"
