# SPDX-License-Identifier: BSD-3-Clause
"""A `struct nqd_conn` in the hands of a test: packets are put in and taken out one by one."""

from dataclasses import dataclass, field
from typing import Any

from nexus_sim.core import Core

S = 10**9
MS = 10**6
NONE = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that the connection planned."""

    pn: int
    frames: bytes
    size: int
    first_byte: int
    pn_len: int
    count: int
    generation: int
    path: int


@dataclass(slots=True)
class Connection:
    """One connection, ACTIVE unless told otherwise; `now` is the test's to move."""

    core: Core
    client: bool = True
    active: bool = True
    overrides: dict[str, Any] = field(default_factory=dict)
    now: int = S
    next_pn: int = 0
    error: int = 0
    why: str = ""
    conn: Any = None
    keep: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        ffi, lib = self.core.ffi, self.core.lib
        config = ffi.new("struct nqd_conn_config *")
        ring = ffi.new("struct nqd_sent_packet[]", 256)
        slots = ffi.new("struct nqd_control_slot[]", 4)
        self.keep += [ring, slots]
        config.client = self.client
        config.peer_cid_len = 8
        config.ack_delay_exponent = config.peer_ack_delay_exponent = 3
        config.max_ack_delay = config.recovery.max_ack_delay = 25 * MS
        config.max_datagram_frame_size = config.peer_max_datagram_frame_size = 1400
        config.mtu = config.mtu_ceiling = 1200
        config.idle_timeout = config.peer_idle_timeout = 30 * S
        config.keys.suite = lib.NQD_CIPHER_SUITE_AES_128_GCM_SHA256
        config.keys.rx_next = config.keys.tx_next = True
        config.recovery.ring, config.recovery.ring_entries = ring, 256
        config.recovery.largest_acked = NONE
        config.control_slots, config.control_capacity = slots, 4
        for name, value in self.overrides.items():
            target = config
            *path, last = name.split(".")
            for step in path:
                target = getattr(target, step)
            setattr(target, last, value)
        self.conn = ffi.new("struct nqd_conn *")
        why = ffi.new("const char **")
        self.error = lib.nqd_conn_init(self.conn, config, self.now, why)
        self.why = ffi.string(why[0]).decode() if why[0] else ""
        if not self.error and self.active:
            assert lib.nqd_conn_activate(self.conn, self.now) == 0
            self.events()

    def events(self) -> int:
        return int(self.core.lib.nqd_conn_events(self.conn))

    def receive(
        self,
        payload: bytes,
        *,
        pn: int | None = None,
        first_byte: int = 0x43,
        room: int = 4096,
        ecn: int = 0,
        path: int = 0,
    ) -> int:
        """Put in a packet; return the drop reason; `result` holds what it was for the home."""
        lib, ffi = self.core.lib, self.core.ffi
        if pn is None:
            pn = self.next_pn
            self.next_pn += 1
        rx = ffi.new("struct nqd_conn_rx *")
        rx.first_byte, rx.size, rx.ecn = first_byte, len(payload) + 29, ecn
        rx.path = path
        reason = lib.nqd_conn_rx_begin(self.conn, rx, pn & 0xFFFFFFFF)
        if reason:
            return int(reason)
        assert rx.pn == pn
        result = ffi.new("struct nqd_conn_rx_result *")
        reason = lib.nqd_conn_rx_opened(
            self.conn, self.now, rx, payload, len(payload), room, result
        )
        self.keep = [*self.keep[:2], result]
        return int(reason)

    @property
    def result(self) -> Any:
        return self.keep[-1]

    def _sent(self, plan: Any, buffer: Any) -> Sent:
        frames = bytes(self.core.ffi.buffer(buffer, plan.frames_len))
        return Sent(
            plan.pn,
            frames,
            plan.size,
            plan.first_byte,
            plan.pn_len,
            plan.count,
            plan.generation,
            plan.path,
        )

    def send(self, length: int, *, batch: int = 0, room: int = 2048) -> Sent | int:
        """Send one DATAGRAM, or a batch; return the packet, or the verdict if none left."""
        lib, ffi = self.core.lib, self.core.ffi
        plan, buffer = ffi.new("struct nqd_conn_plan *"), ffi.new("u8[]", 2048)
        if batch:
            verdict = lib.nqd_conn_tx_batch(self.conn, self.now, length, batch, buffer, room, plan)
        else:
            verdict = lib.nqd_conn_tx_datagram(self.conn, self.now, length, buffer, room, plan)
        return self._sent(plan, buffer) if verdict == lib.NQD_CONN_SEND else int(verdict)

    def pending(self) -> list[Sent]:
        """Take all packets that must leave now."""
        lib, ffi = self.core.lib, self.core.ffi
        out = []
        plan, buffer = ffi.new("struct nqd_conn_plan *"), ffi.new("u8[]", 2048)
        while lib.nqd_conn_tx_pending(self.conn, self.now, buffer, 2048, plan) == lib.NQD_CONN_SEND:
            out.append(self._sent(plan, buffer))
            assert len(out) < 100
        return out

    def run_until(self, until: int) -> list[Sent]:
        """Let time pass, with every timer on the way; return what was sent."""
        out = self.pending()
        while (deadline := self.core.lib.nqd_conn_deadline(self.conn)) <= until:
            self.now = max(self.now, deadline)
            self.core.lib.nqd_conn_on_timer(self.conn, self.now)
            out += self.pending()
            assert len(out) < 1000
        self.now = until
        return out
