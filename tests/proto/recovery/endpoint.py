# SPDX-License-Identifier: BSD-3-Clause
"""A sender: the recovery half of the protocol core, driven by packet numbers and times."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from nexus_sim.core import Core

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
NEVER: Final = 2**64 - 1
MSS: Final = 1200


@dataclass(frozen=True, slots=True)
class Counts:
    """What one ACK frame or timeout changed, as the core reports it."""

    acked: int
    acked_bytes: int
    spurious: int
    lost: int
    lost_bytes: int
    lost_datagrams: int
    probes: int
    persistent: bool
    reduced: bool
    sampled: bool
    ack_reported: int


@dataclass(slots=True)
class Told:
    """What the core told about packets that somebody waits for."""

    acked: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)


class ProtocolViolationError(Exception):
    """The core refused an ACK frame."""


def ranges_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return (smallest, largest) of each run of the numbers, newest first."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(set(numbers), reverse=True):
        if ranges and ranges[-1][0] == number + 1:
            ranges[-1] = (number, ranges[-1][1])
        else:
            ranges.append((number, number))
    return ranges


class Endpoint:
    """`struct nqd_recovery` with memory of its own; times are ns, sizes bytes."""

    def __init__(
        self,
        core: Core,
        *,
        now: int = 0,
        ring: int = 256,
        may_grow: bool = True,
        **config: int,
    ) -> None:
        """Start with nothing in flight.

        Args:
            core: the compiled core.
            now: the time.
            ring: entries to start with.
            may_grow: give the core a larger ring when it wants one.
            config: fields of `struct nqd_recovery_config` that differ from a plain connection.
        """
        self.core = core
        self.lib = core.lib
        self.ffi = core.ffi
        self.may_grow = may_grow
        self.ring = self.ffi.new("struct nqd_sent_packet[]", ring)
        self.r: Any = self.ffi.new("struct nqd_recovery *")
        cfg = self.ffi.new("struct nqd_recovery_config *")
        cfg.max_datagram_size = MSS
        cfg.ring = self.ring
        cfg.ring_entries = ring
        cfg.largest_acked = NEVER
        cfg.max_ack_delay = 25 * MS
        for name, value in config.items():
            setattr(cfg, name, value)
        error = self.lib.nqd_recovery_init(self.r, cfg, now)
        if error:
            raise OSError(-error, "nqd_recovery_init")
        self.eliciting = (
            self.lib.NQD_SENT_ACK_ELICITING
            | self.lib.NQD_SENT_IN_FLIGHT
            | self.lib.NQD_SENT_DATAGRAM
        )
        self.told = Told()
        self._acked = self.ffi.callback("void(void *, u64, const struct nqd_sent_packet *)")(
            lambda _ctx, pn, _p: self.told.acked.append(int(pn))
        )
        self._lost = self.ffi.callback("void(void *, u64, const struct nqd_sent_packet *)")(
            lambda _ctx, pn, _p: self.told.lost.append(int(pn))
        )
        self.sink = self.ffi.new("struct nqd_sent_sink *")
        self.sink.acked = self._acked
        self.sink.lost = self._lost
        self._result = self.ffi.new("struct nqd_recovery_result *")
        self._buffer = self.ffi.new("u8[]", 4096)
        self._when = self.ffi.new("u64 *")

    def may_send(self, now: int, size: int = MSS) -> tuple[int, int]:
        """Return the verdict and, if it is PACED, the time."""
        self._when[0] = now
        return self.lib.nqd_recovery_can_send(self.r, now, size, self._when), self._when[0]

    def send(
        self, now: int, size: int = MSS, flags: int | None = None, reported: int = NEVER
    ) -> int:
        """Send a packet, DATAGRAM in flight unless `flags` says otherwise; return its number."""
        wanted = self.lib.nqd_sent_want_grow(self.sent_ref) if self.may_grow else 0
        if wanted:
            larger = self.ffi.new("struct nqd_sent_packet[]", wanted)
            old = self.lib.nqd_sent_grow(self.sent_ref, larger, wanted)
            assert old == self.ring
            self.ring = larger
        bits = self.eliciting if flags is None else flags
        return int(self.lib.nqd_recovery_sent(self.r, now, size, bits, reported))

    def ack(
        self,
        now: int,
        numbers: Iterable[int],
        delay: int = 0,
        ecn: tuple[int, int, int] | None = None,
    ) -> Counts:
        """Process an ACK frame for these numbers; `delay` is ns, `ecn` is ECT(0), ECT(1), CE."""
        return self.ack_ranges(now, ranges_of(numbers), delay, ecn)

    def ack_ranges(
        self,
        now: int,
        ranges: list[tuple[int, int]],
        delay: int = 0,
        ecn: tuple[int, int, int] | None = None,
    ) -> Counts:
        """The same for ranges (smallest, largest), newest first."""
        ffi, lib = self.ffi, self.lib
        counts = ffi.NULL
        if ecn is not None:
            counts = ffi.new("struct nqd_ecn_counts *")
            counts.ect0, counts.ect1, counts.ce = ecn
        spans = ffi.new("struct nqd_pn_range[]", ranges)
        length = lib.nqd_frame_put_ack(
            self._buffer, len(self._buffer), spans, len(ranges), 0, counts
        )
        assert length > 0
        walk = ffi.new("struct nqd_frame_iter *")
        frame = ffi.new("struct nqd_frame *")
        lib.nqd_frame_iter_init(walk, self._buffer, length)
        assert lib.nqd_frame_next(walk, frame) == 1
        inner = ffi.new("struct nqd_ack_iter *")
        lib.nqd_frame_ack_init(inner, frame, self._buffer)
        ack = ffi.new("struct nqd_recovery_ack *")
        ack.largest = frame.ack.largest
        ack.delay = delay
        ack.has_ecn = ecn is not None
        ack.ecn = frame.ack.ecn
        ack.ranges = inner
        error = lib.nqd_recovery_on_ack(self.r, ack, now, self.sink, self._result)
        if error:
            raise ProtocolViolationError(error)
        return self._counts()

    def timeout(self, now: int) -> Counts:
        """Let the timer fire."""
        self.lib.nqd_recovery_on_timeout(self.r, now, self.sink, self._result)
        return self._counts()

    def _counts(self) -> Counts:
        res = self._result
        return Counts(
            acked=res.acked.packets,
            acked_bytes=res.acked.bytes,
            spurious=res.acked.spurious,
            lost=res.lost.packets,
            lost_bytes=res.lost.bytes,
            lost_datagrams=res.lost.datagrams,
            probes=res.probes,
            persistent=res.lost.persistent,
            reduced=res.reduced,
            sampled=res.rtt_sampled,
            ack_reported=res.acked.ack_reported,
        )

    @property
    def sent_ref(self) -> Any:
        """`struct nqd_sent *`."""
        return self.ffi.addressof(self.r, "sent")

    @property
    def deadline(self) -> int:
        """When the timer is due, or NEVER."""
        return int(self.lib.nqd_recovery_deadline(self.r))

    @property
    def in_flight(self) -> int:
        """Bytes in flight."""
        return int(self.r.sent.bytes_in_flight)

    @property
    def cwnd(self) -> int:
        """Congestion window, bytes."""
        return int(self.r.cc.cwnd)

    def state(self, pn: int) -> int | None:
        """Return the state in the entry of a packet, None if the ring does not hold it."""
        entry = self.lib.nqd_sent_find(self.sent_ref, pn)
        return entry.flags & self.lib.NQD_SENT_STATE_MASK if entry else None
