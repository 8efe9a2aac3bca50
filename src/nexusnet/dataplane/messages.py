# SPDX-License-Identifier: BSD-3-Clause
"""The engine's events and counters in the words of the netlink ABI."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from nexusnet._engine import ffi, lib
from nexusnet.netlink.generated import (
    ABI_VERSION,
    PN_MAX,
    CloseAttributes,
    Congestion,
    CongestionPhase,
    DownReason,
    DropCount,
    DropReason,
    Event,
    EventAttributes,
    FramesAttributes,
    FrameStats,
    KeyStats,
    KeyUpdateCause,
    L3Stats,
    MainAttributes,
    OffloadStats,
    QuicStats,
    RecoveryStats,
    RttState,
    SessionAttributes,
    SessionState,
    StatsAttributes,
)
from nexusnet.netlink.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexusnet.session import SessionRef

AEAD_LIMIT_REACHED = 0x0F  # RFC 9000 section 20.1

# What a state flag of the engine says of a session's end.
DOWN = {
    lib.NQD_CONN_EVENT_PEER_CLOSED: DownReason.PEER_CLOSED,
    lib.NQE_EVENT_FLAG_RESET: DownReason.STATELESS_RESET,
    lib.NQD_CONN_EVENT_IDLE: DownReason.IDLE_TIMEOUT,
    lib.NQD_CONN_EVENT_ERROR: DownReason.PROTOCOL_ERROR,
    lib.NQD_CONN_EVENT_DRAINED: DownReason.DELETED,
}
KEY_CAUSES = {
    lib.NQD_CONN_EVENT_KEYS_WANTED: KeyUpdateCause.NEXT_KEYS_MISSING,
    lib.NQD_CONN_EVENT_KEYS_UPDATE_NEEDED: KeyUpdateCause.CONFIDENTIALITY_LIMIT,
    lib.NQD_CONN_EVENT_KEYS_EXHAUSTED: KeyUpdateCause.CONFIDENTIALITY_LIMIT,
}


def drops(counters: Any) -> tuple[DropCount, ...]:
    """Counters by reason, those that are not zero."""
    return tuple(
        DropCount(reason=reason, packets=counters[int(reason)])
        for reason in DropReason
        if counters[int(reason)]
    )


def quic_varint(data: bytes) -> tuple[int, int]:
    """Value and length of the integer that `data` begins with (RFC 9000 section 16)."""
    length = 1 << (data[0] >> 6)
    return int.from_bytes(data[:length], "big") & ((1 << (8 * length - 2)) - 1), length


class Translator:
    """Makes ABI messages of the engine's events of one session."""

    def __init__(self, ref: SessionRef, generation: int) -> None:
        self.session = SessionAttributes(device_id=ref.device_id, id=ref.id, generation=generation)

    def message(
        self,
        code: Event,
        event: EventAttributes,
        *,
        frames: FramesAttributes | None = None,
        close: CloseAttributes | None = None,
    ) -> Message:
        """One message about the session."""
        return Message(
            code,
            MainAttributes(
                abi_version=ABI_VERSION,
                session=self.session,
                event=event,
                frames=frames,
                close=close,
            ),
        )

    def payload(self, event: Any) -> Message:
        """FRAMES_RECEIVED, DATAGRAM_RECEIVED, FRAMES_ACKED or FRAMES_LOST."""
        facts = EventAttributes(id=event.sequence)
        if event.type == lib.NQE_EVENT_FRAMES_ACKED:
            token = FramesAttributes(token=event.value[0])
            return self.message(Event.FRAMES_ACKED, facts, frames=token)
        if event.type == lib.NQE_EVENT_FRAMES_LOST:
            lost = FramesAttributes(
                token=event.value[0], packet_number=event.value[1], losses=event.value[2]
            )
            return self.message(Event.FRAMES_LOST, facts, frames=lost)
        data = bytes(ffi.buffer(event.data, event.len))
        if event.type == lib.NQE_EVENT_FRAMES:
            received = FramesAttributes(payload=data)
            return self.message(Event.FRAMES_RECEIVED, facts, frames=received)
        context, length = quic_varint(data)
        datagram = FramesAttributes(context_id=context, payload=data[length:])
        return self.message(Event.DATAGRAM_RECEIVED, facts, frames=datagram)

    def down(self, event: Any, *, told: bool) -> Message | None:
        """SESSION_DOWN, unless the session's end was told before."""
        for flag, reason in DOWN.items():
            if not event.flags & flag or told:
                continue
            code = event.value[3]
            if reason is DownReason.PROTOCOL_ERROR and code == AEAD_LIMIT_REACHED:
                reason = DownReason.AEAD_LIMIT  # noqa: PLW2901 - a finer word for the same end
            close = CloseAttributes(error_code=code) if code <= PN_MAX else None
            return self.message(
                Event.SESSION_DOWN, EventAttributes(down_reason=reason), close=close
            )
        return None

    def _keys(self, event: Any) -> Iterator[Message]:
        flags = event.flags
        if flags & lib.NQE_EVENT_FLAG_ACTIVE:
            yield self.message(Event.SESSION_UP, EventAttributes())
        for flag, cause in KEY_CAUSES.items():
            if flags & flag:
                facts = EventAttributes(key_update_cause=cause, key_generation=event.value[1])
                yield self.message(Event.KEY_UPDATE_NEEDED, facts)
        if flags & (lib.NQD_CONN_EVENT_KEYS_RX | lib.NQD_CONN_EVENT_KEYS_UPDATE_DONE):
            ours = flags & lib.NQD_CONN_EVENT_KEYS_UPDATE_DONE
            cause = KeyUpdateCause.LOCAL if ours else KeyUpdateCause.PEER
            facts = EventAttributes(key_update_cause=cause, key_generation=event.value[0])
            yield self.message(Event.KEY_UPDATE_DONE, facts)

    def state(
        self, event: Any, *, down_told: bool, stats: Any, epochs: tuple[int, int]
    ) -> Iterator[Message]:
        """What state flags say; `epochs`: the device's, the session's."""
        flags = event.flags
        yield from self._keys(event)
        if flags & lib.NQD_CONN_EVENT_MTU:
            size = stats.mtu if stats is not None else None
            facts = EventAttributes(mtu=event.value[2], datagram_size=size)
            yield self.message(Event.PATH_MTU_CHANGED, facts)
        if flags & lib.NQE_EVENT_FLAG_EPOCH:
            facts = EventAttributes(expected_epoch=epochs[0], found_epoch=epochs[1])
            yield self.message(Event.ROUTE_EPOCH_MISMATCH, facts)
        if flags & lib.NQE_EVENT_FLAG_TUPLE:
            yield self.message(Event.PEER_TUPLE_CHANGED, EventAttributes())
        if flags & lib.NQE_EVENT_FLAG_REPLAY and stats is not None:
            seen = (DropReason.DUPLICATE, DropReason.TOO_OLD)
            counts = tuple(one for one in drops(stats.drops) if one.reason in seen)
            yield self.message(Event.REPLAY_OR_DUPLICATE_DROP, EventAttributes(drop=counts))
        if flags & lib.NQD_CONN_EVENT_CONGESTION and stats is not None:
            facts = EventAttributes(
                congestion_phase=CongestionPhase.RECOVERY, recovery=recovery_stats(stats)
            )
            yield self.message(Event.CONGESTION_STATE, facts)
        down = self.down(event, told=down_told)
        if down is not None:
            yield down


def recovery_stats(stats: Any) -> RecoveryStats:
    """Loss recovery and congestion control, of struct nqe_session_stats."""
    return RecoveryStats(
        congestion_window=stats.cwnd,
        slow_start_threshold=stats.ssthresh,
        bytes_in_flight=stats.bytes_in_flight,
        pacing_rate=stats.pacing_rate,
        packets_lost=stats.lost,
        bytes_lost=stats.lost_bytes,
        spurious_losses=stats.conn.spurious,
        congestion_events=stats.reductions,
        persistent_congestion=stats.persistent,
        pto_count=stats.conn.probes,
    )


def session_stats(stats: Any) -> StatsAttributes:
    """Counters of a session, of struct nqe_session_stats."""
    conn = stats.conn
    common = StatsAttributes(
        l3=L3Stats(
            rx_packets=stats.rx_packets,
            rx_bytes=stats.rx_bytes,
            tx_packets=stats.tx_packets,
            tx_bytes=stats.tx_bytes,
        ),
        drop=drops(stats.drops),
        congestion=Congestion(stats.congestion),
        lab_mode=int(Congestion(stats.congestion) is Congestion.FIXED_RATE_TEST),
        held_datagrams=stats.held,
        unacked_events=stats.unacknowledged,
    )
    if stats.state == SessionState.HOLD:
        return StatsAttributes(
            l3=common.l3, drop=common.drop, held_datagrams=stats.held, unacked_events=0
        )
    return StatsAttributes(
        l3=common.l3,
        quic=QuicStats(
            rx_packets=conn.rx_packets,
            rx_bytes=conn.rx_bytes,
            tx_packets=conn.tx_packets,
            tx_bytes=conn.tx_bytes,
            tx_ack_only_packets=conn.tx_ack_only,
            tx_probe_packets=conn.probes,
            pacing_delays=conn.tx_paced,
            pacing_delay_ns=stats.paced_ns,
        ),
        frame=FrameStats(
            rx_datagram=conn.rx_datagrams,
            tx_datagram=conn.tx_datagrams,
            rx_ack=conn.rx_acks,
            tx_ack=conn.tx_acks,
            rx_other=conn.rx_other,
            tx_other=conn.tx_other,
            lost_datagram=stats.lost_datagrams,
        ),
        key=key_stats(stats),
        offload=OffloadStats(
            gso_packets=stats.gso_batches,
            gso_segments=stats.gso_datagrams,
            # Packets of several sessions may meet in one: the device counts them.
            gro_packets=0,
            gro_segments=0,
        ),
        recovery=recovery_stats(stats),
        rtt=RttState(
            latest_ns=stats.latest_rtt,
            smoothed_ns=stats.smoothed_rtt,
            variation_ns=stats.rtt_variation,
            min_ns=stats.min_rtt,
        ),
        congestion=common.congestion,
        lab_mode=common.lab_mode,
        drop=common.drop,
        held_datagrams=common.held_datagrams,
        unacked_events=common.unacked_events,
    )


def key_stats(stats: Any) -> KeyStats:
    """Packet protection, of struct nqe_session_stats."""
    return KeyStats(
        updates_local=stats.updates_local,
        updates_peer=stats.key_updates - stats.updates_local,
        update_failures=stats.updates_missed,
        seal_failures=stats.drops[int(DropReason.AEAD_SEAL)],
        open_failures=stats.drops[int(DropReason.AEAD)],
        header_failures=stats.drops[int(DropReason.HEADER_PROTECTION)],
        tx_sealed=stats.sealed,
        tx_limit=stats.seal_limit,
        rx_failed=stats.open_failures,
        rx_limit=stats.open_failure_limit,
    )


def why(number: int) -> str:
    """What an error of the engine means to its caller."""
    return {
        errno.EBUSY: "in use",
        errno.EEXIST: "taken",
        errno.EINVAL: "malformed",
        errno.EMSGSIZE: "too large",
        errno.ENODEV: "no such device",
        errno.ENOENT: "no such object",
        errno.ENOSPC: "queue full",
        errno.ENOTCONN: "the session is not active",
    }.get(number, "refused by the engine")
