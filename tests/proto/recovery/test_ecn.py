# SPDX-License-Identifier: BSD-3-Clause
"""ECN: validation (RFC 9000 section 13.4.2, appendix A.4), CE (RFC 9002 section 7.1)."""

import pytest

from nexus_sim.core import Core
from tests.proto.recovery.endpoint import MS, MSS, Endpoint


class Marked(Endpoint):
    """Marks what the core says is to be marked."""

    def __init__(self, core: Core, marked_before: int = 0) -> None:
        super().__init__(core, ecn=1, initial_window=100 * MSS, ecn_marked=marked_before)

    def send_many(self, count: int, now: int = 0) -> int:
        """Send packets, return how many were marked."""
        marked = 0
        for _ in range(count):
            mark = self.lib.nqd_ecn_validate_mark(self.ffi.addressof(self.r, "ecn"))
            ect0 = mark == self.lib.NQD_ECN_ECT0
            assert ect0 or mark == self.lib.NQD_ECN_NOT_ECT
            self.send(now, MSS, self.eliciting | (self.lib.NQD_SENT_ECT0 if ect0 else 0))
            marked += ect0
        return marked

    @property
    def validation(self) -> int:
        return int(self.r.ecn.state)


def test_off_marks_nothing(core: Core) -> None:
    end = Endpoint(core)
    assert core.lib.nqd_ecn_validate_mark(end.ffi.addressof(end.r, "ecn")) == 0


def test_ten_packets_are_marked_then_feedback_is_awaited(core: Core) -> None:
    end = Marked(core)
    assert end.send_many(20) == 10
    assert end.validation == core.lib.NQD_ECN_STATE_UNKNOWN
    end.ack(20 * MS, range(20), ecn=(10, 0, 0))
    assert end.validation == core.lib.NQD_ECN_STATE_CAPABLE
    assert end.send_many(20, 20 * MS) == 20


def test_testing_ends_after_three_pto(core: Core) -> None:
    end = Marked(core)
    assert end.send_many(1) == 1
    late = 3 * core.lib.nqd_rtt_pto(end.ffi.addressof(end.r, "rtt"))
    assert end.send_many(2, late) == 1
    assert end.validation == core.lib.NQD_ECN_STATE_UNKNOWN


@pytest.mark.parametrize(
    ("reason", "ecn"),
    [
        ("no counts", None),
        ("marks bleached", (0, 0, 0)),
        ("too few counted", (9, 0, 0)),
        ("more than were sent", (11, 0, 0)),
        ("another codepoint", (10, 1, 0)),
    ],
)
def test_what_fails_validation(core: Core, reason: str, ecn: tuple[int, int, int] | None) -> None:
    end = Marked(core)
    end.send_many(10)
    end.ack(20 * MS, range(10), ecn=ecn)
    assert end.validation == core.lib.NQD_ECN_STATE_FAILED
    assert end.send_many(5, 20 * MS) == 0
    assert end.r.cc.reductions == 0


def test_counts_that_fall_fail_validation(core: Core) -> None:
    end = Marked(core)
    end.send_many(10)
    end.ack(20 * MS, range(10), ecn=(10, 0, 0))
    end.send_many(2, 20 * MS)
    end.ack(40 * MS, range(12), ecn=(5, 0, 7))
    assert end.validation == core.lib.NQD_ECN_STATE_FAILED


def test_path_that_drops_marked_packets(core: Core) -> None:
    end = Marked(core)
    end.send_many(14)
    end.ack(20 * MS, range(10, 14))
    assert end.validation == core.lib.NQD_ECN_STATE_FAILED


def test_reordered_frame_does_not_fail_validation(core: Core) -> None:
    end = Marked(core)
    end.send_many(10)
    end.ack(20 * MS, range(5, 10), ecn=(5, 0, 0))
    # Sent by the peer before the other one: its counts are older.
    end.ack(20 * MS, range(3, 5), ecn=(2, 0, 0))
    assert end.validation == core.lib.NQD_ECN_STATE_CAPABLE


def test_ce_reduces_once_a_round_trip(core: Core) -> None:
    end = Marked(core)
    end.send_many(10)
    end.ack(20 * MS, range(10), ecn=(10, 0, 0))
    end.send_many(40, 20 * MS)
    window = end.cwnd
    assert end.ack(40 * MS, range(20), ecn=(19, 0, 1)).reduced
    assert end.cwnd == pytest.approx(0.7 * window, rel=0.01)
    assert not end.ack(40 * MS, range(30), ecn=(28, 0, 2)).reduced
    assert end.r.ce_events == 2
    assert end.r.cc.reductions == 1


def test_counts_of_the_handshake_are_imported(core: Core) -> None:
    end = Marked(core, marked_before=7)
    end.r.ecn.reported.ect0 = 7
    end.send_many(5)
    end.ack(20 * MS, range(5), ecn=(12, 0, 0))
    assert end.validation == core.lib.NQD_ECN_STATE_CAPABLE


def test_a_new_test_of_the_path(core: Core) -> None:
    end = Marked(core)
    ecn = end.ffi.addressof(end.r, "ecn")
    end.send_many(20)
    end.ack(20 * MS, range(20))
    assert end.validation == core.lib.NQD_ECN_STATE_FAILED
    core.lib.nqd_ecn_validate_restart(ecn, True)
    assert end.send_many(20, 20 * MS) == 10
    end.ack(40 * MS, range(20, 40), ecn=(20, 0, 0))
    assert end.validation == core.lib.NQD_ECN_STATE_CAPABLE
    core.lib.nqd_ecn_validate_restart(ecn, False)
    assert end.send_many(5, 40 * MS) == 0
