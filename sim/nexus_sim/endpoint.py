# SPDX-License-Identifier: BSD-3-Clause
"""One end of a simulated connection: a home for `struct nqd_conn`, without crypto.

It makes the calls that the kernel module and the user-space engine make, in their order; a packet
opens if sender and receiver agree on its number and on the key generation. Rules that must hold
whatever the network does are checked after every packet sent.
"""

import random
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nexus_sim.core import Core
from nexus_sim.network import MS, Link, Packet, S, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER: Final = (1 << 64) - 1
PN_NONE: Final = (1 << 64) - 1
_BUFFER: Final = 9_216
_ID: Final = struct.Struct("!Q")
_PN_MASK: Final = (0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF)
_MAX_RING: Final = 1 << 20


class InvariantError(AssertionError):
    """Something that must always hold did not."""


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """How one end is installed; see `struct nqd_conn_config`.

    Attributes:
        congestion: name of the profile: "cubic_like", "bbr_like" or "fixed_rate_test".
        fixed_rate: bytes a second, for fixed_rate_test.
        payload: bytes of each DATAGRAM payload of the application, at least 8; 0: as large as fits.
        source_rate: bytes a second that the application sends; None: as fast as it may; 0: nothing.
        source_from: when it begins, ns since the start.
        mtu: validated UDP payload.
        mtu_ceiling: largest to probe for; 0: `mtu`.
        ecn: mark packets.
        idle_timeout: ns.
        keepalive: ns, 0: none.
        seal_limit: packets per TX key, 0: the suite's.
        key_delay: time that user space takes to bring next keys, ns.
        control_slots: reliable control frames that may be under way.
        ring_entries: of the first sent ring.
        rtt_initial: ns; 0: the default of RFC 9002.
        max_ack_delay: ns.
        timer_slack: timers fire late by up to so much, ns, as on real machines. Without it two
            flows can fall into step with the queue and one of them take all its losses.
        seed: of that delay.
    """

    congestion: str = "cubic_like"
    fixed_rate: int = 0
    payload: int = 0
    source_rate: int | None = None
    source_from: int = 0
    mtu: int = 1_200
    mtu_ceiling: int = 0
    ecn: bool = False
    idle_timeout: int = 30 * S
    keepalive: int = 0
    seal_limit: int = 0
    key_delay: int = 0
    control_slots: int = 16
    ring_entries: int = 256
    rtt_initial: int = 0
    max_ack_delay: int = 25 * MS
    timer_slack: int = 0
    seed: int = 0


@dataclass(slots=True)
class Counters:
    """What an end saw, counted outside of the core.

    Attributes:
        datagrams_sent: DATAGRAM payloads given a packet.
        datagrams_received: delivered to the application.
        bytes_received: their bytes.
        drops: packets dropped, by reason.
        wrong_keys: packets with the right number opened with other keys than they were sealed with.
        handed_up: frames for user space, in order.
        control_acked: ids of control blobs, in the order of their acknowledgement.
        ring_entries: size of the sent ring.
        events: every event that occurred, ORed.
    """

    datagrams_sent: int = 0
    datagrams_received: int = 0
    bytes_received: int = 0
    drops: dict[int, int] = field(default_factory=dict)
    wrong_keys: int = 0
    handed_up: list[bytes] = field(default_factory=list)
    control_acked: list[int] = field(default_factory=list)
    ring_entries: int = 0
    events: int = 0


class Endpoint:
    """One end; `connect()` joins it to its peer.

    Args:
        core: the protocol core.
        simulator: time.
        config: how it is installed.
        client: it is the client.

    Attributes:
        conn: the `struct nqd_conn`.
        counters: what happened.
        on_datagram: called with (now, payload) for each DATAGRAM; None: nobody looks.
    """

    def __init__(
        self,
        core: Core,
        simulator: Simulator,
        config: EndpointConfig,
        *,
        client: bool,
    ) -> None:
        self.config = config
        self.counters = Counters()
        self.on_datagram: Callable[[int, bytes], None] | None = None
        self.link: Link | None = None
        self.peer: Endpoint | None = None
        self.delivered_ids: set[int] = set()
        self._core = core
        self._ffi = core.ffi
        self._lib = core.lib
        self._simulator = simulator
        self._client = client
        self.conn = core.ffi.new("struct nqd_conn *")
        self._plan = core.ffi.new("struct nqd_conn_plan *")
        self._rx = core.ffi.new("struct nqd_conn_rx *")
        self._result = core.ffi.new("struct nqd_conn_rx_result *")
        self._buffer = core.ffi.new("u8[]", _BUFFER)
        self._view = core.ffi.buffer(self._buffer)
        self._keep: dict[str, Any] = {}
        self._timer_at = NEVER
        self._paced_until = 0
        self._credit_at = 0
        self._stopped = False
        self._random = random.Random(config.seed)  # noqa: S311 - repeatable, not secret
        self._next_id = 0
        self._control_bytes: dict[int, Any] = {}
        self._install()

    def _install(self) -> None:
        ffi, lib, config = self._ffi, self._lib, self.config
        install = ffi.new("struct nqd_conn_config *")
        install.client = self._client
        install.peer_cid_len = 8
        install.ack_delay_exponent = 3
        install.peer_ack_delay_exponent = 3
        install.max_ack_delay = config.max_ack_delay
        install.max_datagram_frame_size = 65_535
        install.peer_max_datagram_frame_size = 65_535
        install.mtu = config.mtu
        install.mtu_ceiling = config.mtu_ceiling or config.mtu
        install.idle_timeout = config.idle_timeout
        install.peer_idle_timeout = config.idle_timeout
        install.keepalive = config.keepalive
        install.keys.suite = lib.NQD_CIPHER_SUITE_AES_128_GCM_SHA256
        install.keys.seal_limit = config.seal_limit
        install.keys.rx_next = True
        install.keys.tx_next = True
        recovery = install.recovery
        recovery.congestion = getattr(lib, f"NQD_CONGESTION_{config.congestion.upper()}")
        recovery.lab_mode = config.congestion == "fixed_rate_test"
        recovery.fixed_rate = config.fixed_rate
        self._keep["ring"] = ffi.new("struct nqd_sent_packet[]", config.ring_entries)
        recovery.ring = self._keep["ring"]
        recovery.ring_entries = config.ring_entries
        recovery.largest_acked = PN_NONE
        recovery.max_ack_delay = config.max_ack_delay
        recovery.rtt_initial = config.rtt_initial
        recovery.ecn = config.ecn
        self._keep["slots"] = ffi.new("struct nqd_control_slot[]", max(config.control_slots, 1))
        install.control_slots = self._keep["slots"]
        install.control_capacity = config.control_slots
        why = ffi.new("const char **")
        error = lib.nqd_conn_init(self.conn, install, self._simulator.now, why)
        if error:
            raise ValueError(ffi.string(why[0]).decode() if why[0] else f"error {error}")
        lib.nqd_conn_activate(self.conn, self._simulator.now)
        self.counters.ring_entries = config.ring_entries
        self._credit_at = self._simulator.now + config.source_from

    def start(self) -> None:
        """Begin: send what may be sent and arm the timer."""
        self._settle()
        begin = self._simulator.now + self.config.source_from
        self._simulator.at(begin, self._settle)

    # What the user of the connection may do.

    def stop(self) -> None:
        """Let the application send nothing more."""
        self._stopped = True

    def queue_control(self, identity: int, frames: bytes) -> int:
        """Queue control frames; return the core's verdict, 0 for accepted."""
        memory = self._ffi.from_buffer(frames)
        result: int = self._lib.nqd_conn_queue_control(self.conn, identity, memory, len(frames))
        if result == 0:
            self._control_bytes[identity] = memory
        self._settle()
        return result

    def close(self, code: int, *, application: bool = False) -> int:
        """Close; return the core's verdict."""
        result: int = self._lib.nqd_conn_close(self.conn, self._simulator.now, code, application)
        self._settle()
        return result

    def update_keys(self) -> int:
        """Start a key update; return the core's verdict."""
        result: int = self._lib.nqd_conn_update_keys(self.conn, self._simulator.now)
        self._settle()
        return result

    def validate_path(self, entropy: bytes) -> int:
        """Challenge the active path with 24 unpredictable bytes."""
        data = self._ffi.new("u8[3][8]", [entropy[0:8], entropy[8:16], entropy[16:24]])
        result: int = self._lib.nqd_conn_validate_path(
            self.conn, self._simulator.now, self._lib.NQD_PATH_ACTIVE, data
        )
        self._settle()
        return result

    # What the network and the timer do.

    def receive(self, packet: Packet) -> None:
        """Take a packet from the network."""
        lib, conn, rx, result = self._lib, self.conn, self._rx, self._result
        now = self._simulator.now
        rx.first_byte = packet.first_byte
        rx.size = packet.size
        rx.ecn = packet.ecn
        rx.path = packet.path
        reason = lib.nqd_conn_rx_begin(conn, rx, packet.truncated_pn)
        if reason == 0:
            payload = packet.payload
            if rx.pn != packet.pn or rx.generation != packet.generation:
                if rx.pn == packet.pn:
                    self.counters.wrong_keys += 1
                reason = lib.nqd_conn_rx_failed(conn, now)
            else:
                reason = lib.nqd_conn_rx_opened(conn, now, rx, payload, len(payload), 4_096, result)
                if reason == 0:
                    self._accept(now, payload)
        if reason:
            drops = self.counters.drops
            drops[reason] = drops.get(reason, 0) + 1
        self._settle()

    def _accept(self, now: int, payload: bytes) -> None:
        result = self._result
        if result.datagrams:
            span = result.datagram
            data = payload[span.offset : span.offset + span.len]
            counters = self.counters
            counters.datagrams_received += 1
            counters.bytes_received += len(data)
            identity = _ID.unpack_from(data)[0]
            if identity in self.delivered_ids:
                raise InvariantError(f"datagram {identity} was delivered twice")
            self.delivered_ids.add(identity)
            if self.on_datagram is not None:
                self.on_datagram(now, data)
        if result.handup_frames:
            self._hand_up(payload)

    def _hand_up(self, payload: bytes) -> None:
        ffi, lib = self._ffi, self._lib
        iterator = ffi.new("struct nqd_frame_iter *")
        frame = ffi.new("struct nqd_frame *")
        lib.nqd_frame_iter_init(iterator, payload, len(payload))
        while lib.nqd_frame_next(iterator, frame) > 0:
            if lib.nqd_frame_class(frame.type) == lib.NQD_FRAME_HAND_UP:
                begin = frame.bytes.offset
                self.counters.handed_up.append(payload[begin : begin + frame.bytes.len])

    def _on_timer(self, armed: int) -> None:
        if armed != self._timer_at:
            return
        self._timer_at = NEVER
        self._lib.nqd_conn_on_timer(self.conn, self._simulator.now)
        self._settle()

    def _settle(self) -> None:
        """Do what every home does after a call: events, pending packets, payload, timer."""
        lib, conn = self._lib, self.conn
        now = self._simulator.now
        if conn.events:
            self._take_events()
        if lib.nqd_conn_tx_wanted(conn, now):
            self._send_pending(now)
        wake = self._send_payload(now)
        if conn.events:
            self._take_events()
        deadline = min(lib.nqd_conn_deadline(conn), wake)
        if deadline < self._timer_at:
            deadline = max(deadline, now)
            if self.config.timer_slack:
                deadline += int(self._random.random() * self.config.timer_slack)
            self._timer_at = deadline
            self._simulator.at(deadline, self._on_timer, deadline)

    def _send_pending(self, now: int) -> None:
        lib, conn, plan = self._lib, self.conn, self._plan
        while True:
            verdict = lib.nqd_conn_tx_pending(conn, now, self._buffer, _BUFFER, plan)
            if verdict != lib.NQD_CONN_SEND:
                if verdict == lib.NQD_CONN_RING and self._grow():
                    continue
                return
            self._transmit(self._view[0 : plan.frames_len])
            recovery = conn.recovery
            if recovery.sent.bytes_in_flight > recovery.cc.cwnd:
                self._check_probe(plan.pn)

    def _check_probe(self, pn: int) -> None:
        """RFC 9002 section 7.5: only probes go past the window; an ACK alone is not in flight."""
        lib = self._lib
        entry = lib.nqd_sent_find(self.conn_sent(), pn)
        past = lib.NQD_SENT_PROBE | lib.NQD_SENT_PATH
        if entry.flags & lib.NQD_SENT_IN_FLIGHT and not entry.flags & past:
            raise InvariantError(f"packet {pn} went past the congestion window")

    def _source_size(self, now: int) -> int:
        """Return the bytes of the next payload, 0 if the application has none now."""
        config = self.config
        rate = config.source_rate
        since = now - self._credit_at
        if rate == 0 or since < 0 or self._stopped:
            return 0
        size: int = config.payload or self.conn.max_payload
        if rate is not None:
            if since * rate < size * S:
                return 0
            # A second of credit at most: an application does not save up what it could not send.
            self._credit_at = max(self._credit_at, now - S)
        return size

    def _send_payload(self, now: int) -> int:
        """Send what the application has; return when to try again."""
        lib, conn, plan, config = self._lib, self.conn, self._plan, self.config
        rate = config.source_rate
        if rate == 0 or conn.state.state != lib.NQD_SESSION_STATE_ACTIVE:
            return NEVER
        while True:
            size = self._source_size(now)
            if not size:
                lib.nqd_conn_app_limited(conn)
                return self._next_credit()
            verdict = lib.nqd_conn_tx_datagram(conn, now, size, self._buffer, _BUFFER, plan)
            if verdict == lib.NQD_CONN_SEND:
                data = _ID.pack(self._next_id) + bytes(size - 8)
                self._next_id += 1
                self.counters.datagrams_sent += 1
                if rate is not None:
                    self._credit_at += size * S // rate
                self._transmit(self._view[0 : plan.frames_len] + data)
                if conn.recovery.sent.bytes_in_flight > conn.recovery.cc.cwnd:
                    raise InvariantError("a DATAGRAM went past the congestion window")
            elif verdict == lib.NQD_CONN_PACED:
                departure: int = plan.departure
                return departure
            elif verdict == lib.NQD_CONN_RING and self._grow():
                continue
            else:
                return NEVER

    def _next_credit(self) -> int:
        config = self.config
        if not config.source_rate or self._stopped:
            return NEVER
        size = config.payload or self.conn.max_payload
        return int(self._credit_at + -(-size * S // config.source_rate))

    def _transmit(self, payload: bytes) -> None:
        plan = self._plan
        if self.link is None or self.peer is None:
            raise InvariantError("the endpoint is not connected")
        pn = plan.pn
        packet = Packet(
            pn,
            plan.first_byte,
            pn & _PN_MASK[plan.pn_len - 1],
            plan.generation,
            payload,
            plan.size,
            plan.ecn,
            plan.path,
        )
        self.link.transmit(packet, self.peer.receive)

    def _grow(self) -> bool:
        entries = self._lib.nqd_sent_want_grow(self.conn_sent())
        if not entries or entries > _MAX_RING:
            return False
        ring = self._ffi.new("struct nqd_sent_packet[]", entries)
        self._lib.nqd_sent_grow(self.conn_sent(), ring, entries)
        self._keep["ring"] = ring
        self.counters.ring_entries = entries
        return True

    def conn_sent(self) -> Any:
        """Return the `struct nqd_sent *` of the connection."""
        return self._ffi.addressof(self.conn, "recovery", "sent")

    def _take_events(self) -> None:
        lib, conn = self._lib, self.conn
        events = lib.nqd_conn_events(conn)
        self.counters.events |= events
        if events & lib.NQD_CONN_EVENT_KEYS_WANTED:
            if self.config.key_delay:
                self._simulator.at(
                    self._simulator.now + self.config.key_delay, self._install_next_keys
                )
            else:
                self._install_next_keys()
        if events & lib.NQD_CONN_EVENT_CONTROL_ACKED:
            identity = self._ffi.new("u64 *")
            control = self._ffi.addressof(conn, "control")
            while lib.nqd_control_pop(control, identity):
                self.counters.control_acked.append(identity[0])
                del self._control_bytes[identity[0]]

    def _install_next_keys(self) -> None:
        lib, conn, now = self._lib, self.conn, self._simulator.now
        if not conn.keys.rx_next:
            lib.nqd_conn_next_keys_installed(
                conn, now, lib.NQD_KEYS_RX, conn.keys.rx_generation + 1
            )
        if not conn.keys.tx_next:
            lib.nqd_conn_next_keys_installed(
                conn, now, lib.NQD_KEYS_TX, conn.keys.tx_generation + 1
            )


def connect(left: Endpoint, right: Endpoint, forward: Link, backward: Link) -> None:
    """Join two ends: `left` sends over `forward`, `right` over `backward`."""
    left.peer, left.link = right, forward
    right.peer, right.link = left, backward
