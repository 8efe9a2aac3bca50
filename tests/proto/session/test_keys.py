# SPDX-License-Identifier: BSD-3-Clause
"""Key phases: RFC 9001 section 6, one rule a test."""

import errno
from typing import Any

import pytest

from nexus_sim.core import Core

PTO = 100_000_000
NOW = 10**9
NONE = (1 << 64) - 1


class Keys:
    """A key state with all its calls, seen from Python."""

    def __init__(self, core: Core, **config: Any) -> None:
        self.core = core
        self.lib = core.lib
        self.k = core.ffi.new("struct nqd_keys *")
        given = {"suite": self.lib.NQD_CIPHER_SUITE_AES_128_GCM_SHA256, "rx_next": True}
        given |= {"tx_next": True, **config}
        self.config = core.ffi.new("struct nqd_keys_config *", given)
        self.error = self.lib.nqd_keys_init(self.k, self.config)

    def select(self, phase: int, pn: int) -> int | None:
        """Return the generation, or None where no key fits."""
        generation = self.core.ffi.new("u64 *")
        reason = self.lib.nqd_keys_rx_select(self.k, phase, pn, generation)
        if reason == self.lib.NQD_DROP_NONE:
            return int(generation[0])
        assert reason == self.lib.NQD_DROP_KEY_DISCARDED
        return None

    def opened(self, generation: int, pn: int, now: int = NOW) -> int:
        """Check and account for a packet; return flags, or the error of the check."""
        error = self.lib.nqd_keys_rx_check(self.k, generation, pn)
        if error:
            return int(error)
        if self.lib.nqd_keys_rx_in_order(self.k, generation, pn):
            return 0
        return int(self.lib.nqd_keys_rx_opened(self.k, generation, pn, 1000, now, PTO))

    def update(self, next_pn: int = 1000, now: int = NOW) -> int:
        flags = self.core.ffi.new("unsigned int *")
        return int(self.lib.nqd_keys_update(self.k, next_pn, now, flags))

    def acked(self, pn: int, carrier: int, now: int = NOW) -> int:
        return int(self.lib.nqd_keys_on_ack(self.k, carrier, pn, now, PTO))

    def install_next(self) -> None:
        for direction, current in (("RX", self.k.rx_generation), ("TX", self.k.tx_generation)):
            lib = self.lib
            lib.nqd_keys_next_installed(self.k, getattr(lib, f"NQD_KEYS_{direction}"), current + 1)


@pytest.fixture
def keys(core: Core) -> Keys:
    return Keys(core)


def test_limits_follow_the_suite_and_can_only_be_lowered(core: Core) -> None:
    lib = core.lib
    assert Keys(core).k.seal_limit == 1 << 28
    assert Keys(core).k.open_failure_limit == 1 << 52
    chacha = Keys(core, suite=lib.NQD_CIPHER_SUITE_CHACHA20_POLY1305_SHA256)
    assert chacha.k.open_failure_limit == 1 << 36
    assert Keys(core, seal_limit=100).k.seal_limit == 100
    assert Keys(core, seal_limit=1 << 40).k.seal_limit == 1 << 28
    assert Keys(core, suite=7).error == -errno.EINVAL
    assert Keys(core, generation=1 << 62).error == -errno.EINVAL


def test_peer_update_promotes_both_directions(keys: Keys) -> None:
    lib = keys.lib
    assert keys.select(0, 5) == 0
    assert keys.opened(0, 5) == 0
    assert keys.select(1, 6) == 1
    flags = keys.opened(1, 6)
    wanted = lib.NQD_KEYS_RX_PROMOTED | lib.NQD_KEYS_TX_PROMOTED | lib.NQD_KEYS_NEXT_WANTED
    assert flags == wanted
    assert (keys.k.rx_generation, keys.k.tx_generation) == (1, 1)
    assert keys.lib.nqd_keys_tx_phase(keys.k) == 1
    assert keys.k.tx_first_pn == 1000


def test_reordered_packets_around_an_update_find_their_keys(keys: Keys) -> None:
    keys.opened(0, 5)
    keys.opened(1, 10)
    assert keys.select(0, 7) == 0
    assert keys.opened(0, 7) == 0
    # Lower than the first of the new phase, but of the new phase.
    assert keys.select(1, 8) == 1
    assert keys.opened(1, 8) == 0
    assert keys.k.rx_first_pn == 8


def test_old_keys_go_after_three_pto(keys: Keys) -> None:
    keys.opened(0, 5)
    keys.opened(1, 10)
    deadline = keys.lib.nqd_keys_deadline(keys.k)
    assert deadline == NOW + 3 * PTO
    assert keys.lib.nqd_keys_oldest(keys.k) == 0
    assert keys.lib.nqd_keys_on_timer(keys.k, deadline - 1) == 0
    assert keys.lib.nqd_keys_on_timer(keys.k, deadline) == keys.lib.NQD_KEYS_FORGET
    assert keys.lib.nqd_keys_oldest(keys.k) == 1
    assert keys.select(0, 7) is None
    assert keys.opened(0, 7) == -errno.ESTALE


def test_update_without_next_keys_is_refused_and_counted(core: Core) -> None:
    for missing in ("rx_next", "tx_next"):
        keys = Keys(core, **{missing: False})
        keys.opened(0, 5)
        assert keys.select(1, 6) is None
        assert keys.k.updates_missed == 1
        assert keys.k.rx_generation == 0


@pytest.mark.parametrize("order", ["new first", "old first"])
def test_older_keys_on_a_higher_number_are_an_error(keys: Keys, order: str) -> None:
    keys.opened(0, 5)
    if order == "new first":
        keys.opened(1, 10)
        assert keys.opened(0, 11) == -errno.EPROTO
    else:
        keys.opened(0, 11)
        assert keys.opened(1, 10) == -errno.EPROTO


def test_second_update_before_our_acknowledgement_is_an_error(keys: Keys) -> None:
    keys.opened(1, 10)
    keys.install_next()
    assert keys.opened(2, 20) == -errno.EPROTO
    keys.lib.nqd_keys_ack_sent(keys.k, 9)
    assert keys.opened(2, 20) == -errno.EPROTO
    keys.lib.nqd_keys_ack_sent(keys.k, 10)
    assert keys.opened(2, 20) > 0


def test_own_update_waits_for_acknowledgement_and_three_pto(keys: Keys) -> None:
    keys.opened(0, 5)
    assert keys.update() == -errno.EAGAIN
    assert keys.acked(3, 0) == 0
    assert keys.update() == 0
    assert (keys.k.tx_generation, keys.k.rx_generation) == (1, 0)
    keys.install_next()
    assert keys.update() == -errno.EAGAIN
    assert keys.opened(1, 6) & keys.lib.NQD_KEYS_UPDATE_DONE
    keys.install_next()
    assert keys.update(2000) == -errno.EAGAIN
    assert keys.acked(1000, 1) == 0
    assert keys.update(2000, NOW + 3 * PTO - 1) == -errno.EAGAIN
    assert keys.update(2000, NOW + 3 * PTO) == 0


def test_answer_to_our_update_needs_no_acknowledgement_in_between(keys: Keys) -> None:
    keys.opened(1, 10)
    keys.install_next()
    keys.acked(1000, 1)
    assert keys.update(2000, NOW + 3 * PTO) == 0
    keys.install_next()
    assert keys.opened(2, 20) & keys.lib.NQD_KEYS_UPDATE_DONE


def test_own_update_without_keys_says_so(core: Core) -> None:
    keys = Keys(core, tx_next=False)
    keys.acked(3, 0)
    assert keys.update() == -errno.ENOKEY


def test_acknowledgement_of_the_new_phase_in_the_old_is_an_error(keys: Keys) -> None:
    keys.acked(3, 0)
    keys.update(1000)
    assert keys.acked(999, 0) == 0
    assert keys.acked(1000, 0) == -errno.EPROTO
    assert keys.acked(1000, 1) == 0


def test_sealing_warns_at_half_and_stops_at_the_limit(core: Core) -> None:
    keys = Keys(core, seal_limit=10)
    flags = core.ffi.new("unsigned int *")
    assert keys.lib.nqd_keys_tx_reserve(keys.k, 4, flags) == 4
    assert flags[0] == 0
    assert keys.lib.nqd_keys_tx_reserve(keys.k, 1, flags) == 1
    assert flags[0] == keys.lib.NQD_KEYS_UPDATE_NEEDED
    flags[0] = 0
    # The last one is kept for CONNECTION_CLOSE.
    assert keys.lib.nqd_keys_tx_reserve(keys.k, 8, flags) == 4
    assert flags[0] == 0
    assert keys.lib.nqd_keys_tx_reserve(keys.k, 1, flags) == 0
    keys.acked(3, 0)
    assert keys.update() == 0
    assert keys.lib.nqd_keys_tx_reserve(keys.k, 1, flags) == 1


def test_forged_packets_end_at_the_limit(core: Core) -> None:
    keys = Keys(core, open_failure_limit=3)
    assert [keys.lib.nqd_keys_rx_failed(keys.k) for _ in range(3)] == [0, 0, -errno.EKEYEXPIRED]


def test_next_keys_are_installed_once_and_in_order(core: Core) -> None:
    keys = Keys(core, rx_next=False)
    install = keys.lib.nqd_keys_next_installed
    assert install(keys.k, keys.lib.NQD_KEYS_RX, 0) == -errno.ESTALE
    assert install(keys.k, keys.lib.NQD_KEYS_RX, 2) == -errno.EINVAL
    assert install(keys.k, keys.lib.NQD_KEYS_RX, 1) == 0
    assert install(keys.k, keys.lib.NQD_KEYS_RX, 1) == -errno.EEXIST


def test_a_third_generation_pushes_out_the_first(keys: Keys) -> None:
    keys.opened(0, 1)
    keys.opened(1, 10)
    keys.lib.nqd_keys_ack_sent(keys.k, 10)
    keys.install_next()
    assert keys.opened(2, 20) & keys.lib.NQD_KEYS_FORGET
    assert keys.lib.nqd_keys_oldest(keys.k) == 1
    assert keys.opened(0, 5) == -errno.ESTALE


# What an install brings along.


def test_installed_former_keys_open_what_is_below_the_phase(core: Core) -> None:
    keys = Keys(core, generation=1, rx_first_pn=20, rx_old=True)
    assert keys.error == 0
    assert keys.select(0, 19) == 0
    assert keys.select(0, 21) == 2
    assert keys.opened(0, 19) == 0
    assert keys.lib.nqd_keys_oldest(keys.k) == 0


def test_without_former_keys_old_packets_are_told_apart(core: Core) -> None:
    keys = Keys(core, generation=1, rx_first_pn=20)
    assert keys.select(0, 19) is None
    assert keys.k.updates_missed == 0


def test_nothing_of_the_phase_came_yet(core: Core) -> None:
    keys = Keys(core, generation=1, rx_first_pn=NONE, rx_old=True)
    assert keys.select(0, 500) == 0
    assert keys.opened(1, 501) == 0
    assert keys.k.rx_first_pn == 501
    assert keys.select(0, 502) == 2


def test_installed_failures_count_to_the_limit(core: Core) -> None:
    keys = Keys(core, open_failures=98, open_failure_limit=100)
    assert keys.lib.nqd_keys_rx_failed(keys.k) == 0
    assert keys.lib.nqd_keys_rx_failed(keys.k) == -errno.EKEYEXPIRED


@pytest.mark.parametrize("config", [{"rx_old": True}, {"rx_first_pn": 1 << 62}])
def test_an_install_that_cannot_be_is_refused(core: Core, config: dict[str, Any]) -> None:
    assert Keys(core, **config).error == -errno.EINVAL
