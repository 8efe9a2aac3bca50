# SPDX-License-Identifier: BSD-3-Clause
"""What every data plane has to do: a handover shortly after a key update (RFC 9001 section 6.5)."""

import time
from typing import Any

import pytest

from nexusnet.keys import KeyPair, KeySet, KeyState, SecretSet
from nexusnet.netlink.generated import DownReason, DropReason, Event
from nexusnet.quic.errors import TransportErrorCode
from nexusnet.quic.frames import AckFrame, ConnectionCloseFrame, DatagramFrame
from nexusnet.quic.keys import next_secret
from nexusnet.secret import SecretBytes
from nexusnet.session import PnRange, ReceivedRanges, RttState, Session
from tests.dataplane.contract import PlaneTests, carried
from tests.dataplane.peer import ModelPeer
from tests.dataplane.setup import INNER_PEER, RTT, Bench, packet_key

# Three PTO of it are longer than any test.
FAR = RttState(latest=10**10, smoothed=10**10, variation=10**9, min=10**10)
PHASE_START = 20


def updated_keys(
    bench: Bench, peer: ModelPeer, state: KeyState, *, previous: bool, v1: bool
) -> KeySet | SecretSet:
    """Keys of generation 1."""
    session = bench.session(peer)
    if v1:
        return KeySet(
            suite=session.cipher_suite,
            state=state,
            header=bench.header(peer),
            current=KeyPair(tx=packet_key(peer.rx[1]), rx=packet_key(peer.tx[1])),
            next=KeyPair(tx=packet_key(peer.rx[2]), rx=packet_key(peer.tx[2])),
            previous_rx=packet_key(peer.tx[0]) if previous else None,
        )
    return SecretSet(
        suite=session.cipher_suite,
        state=state,
        header=bench.header(peer),
        tx=SecretBytes(next_secret(peer.suite, peer.receives)),
        rx=SecretBytes(next_secret(peer.suite, peer.sends)),
        previous_rx=SecretBytes(peer.sends) if previous else None,
    )


def after_update(
    bench: Bench,
    *,
    previous: bool = True,
    v1: bool = False,
    rtt: RttState = FAR,
    state: KeyState | None = None,
    **changes: Any,
) -> tuple[ModelPeer, Session]:
    """A session of generation 1 whose last packet was the first of its phase."""
    peer = bench.peer()
    peer.next_pn = PHASE_START + 1
    session = bench.session(peer, **changes)
    bench.plane.add_session(session)
    state = state or KeyState(generation=1, tx_phase_start=5, rx_phase_start=PHASE_START)
    first = state.rx_phase_start is not None
    ranges = (PnRange(PHASE_START, PHASE_START),) if first else ()
    activation = bench.activation(
        peer,
        session,
        keys=updated_keys(bench, peer, state, previous=previous, v1=v1),
        received=ReceivedRanges(ranges, 10),
        rtt=rtt,
    )
    bench.plane.activate(activation)
    return peer, session


class HandoverContract(PlaneTests):
    """Keys of the generation before, and what was counted before."""

    @pytest.mark.parametrize("install", ["secrets", "keys"])
    def test_late_packets_of_the_former_keys_are_opened(self, bench: Bench, install: str) -> None:
        peer, _ = after_update(bench, v1=install == "keys")
        late = peer.seal(carried(b"late"), generation=0, pn=PHASE_START - 2)
        peer.send(carried(b"new"), generation=1)
        assert bench.inner_receive() == b"new"
        peer.send_raw(late)
        assert bench.inner_receive() == b"late"
        _, received = peer.expect(AckFrame)
        assert received.packet.key_phase == 1
        peer.send(carried(b"next update"), generation=2)
        assert bench.inner_receive() == b"next update"

    def test_the_first_packet_of_the_new_phase_may_still_come(self, bench: Bench) -> None:
        state = KeyState(generation=1, tx_phase_start=5)
        peer, _ = after_update(bench, state=state)
        peer.send(carried(b"old"), generation=0)
        assert bench.inner_receive() == b"old"
        peer.send(carried(b"new"), generation=1)
        assert bench.inner_receive() == b"new"

    def test_former_keys_that_were_not_given_open_nothing(self, bench: Bench) -> None:
        peer, session = after_update(bench, previous=False)
        peer.send(carried(b"late"), generation=0, pn=PHASE_START - 2)
        bench.expect_drop(session, DropReason.KEY_DISCARDED)
        peer.send(carried(b"new"), generation=1)
        assert bench.inner_receive() == b"new"

    def test_former_keys_go_after_three_pto(self, bench: Bench) -> None:
        peer, session = after_update(bench, rtt=RTT)
        time.sleep(0.5)  # three PTO are 84 ms
        peer.send(carried(b"late"), generation=0, pn=PHASE_START - 2)
        bench.expect_drop(session, DropReason.KEY_DISCARDED)
        peer.send(carried(b"new"), generation=1)
        assert bench.inner_receive() == b"new"

    def test_failures_before_the_handover_count(self, bench: Bench) -> None:
        state = KeyState(generation=1, tx_phase_start=5, rx_phase_start=PHASE_START, rx_failed=98)
        peer, session = after_update(bench, state=state, integrity_limit=100)
        forged = peer.seal(carried(b"x"), generation=1)
        forged = forged[:-1] + bytes([forged[-1] ^ 1])
        peer.send_raw(forged)
        bench.expect_drop(session, DropReason.AEAD)
        assert not bench.events(Event.SESSION_DOWN)
        peer.send_raw(forged)
        facts = bench.expect_event(Event.SESSION_DOWN).attributes.event
        assert facts is not None
        assert facts.down_reason is DownReason.AEAD_LIMIT

    def test_a_used_up_key_ends_the_session(self, bench: Bench) -> None:
        """Nothing is acknowledged, so that no update is possible (RFC 9001 section 6.6)."""
        peer, _ = bench.connect(confidentiality_limit=20)
        for number in range(30):
            bench.inner.sendto(bytes([number]), (INNER_PEER, 4000))
        first = peer.expect(DatagramFrame)[1].packet
        close, received = peer.expect(ConnectionCloseFrame)
        assert close.error_code == TransportErrorCode.AEAD_LIMIT_REACHED
        # What it is sealed with is the last that the key may seal.
        assert (received.packet.key_phase, received.packet.pn) == (0, first.pn + 19)
        facts = bench.expect_event(Event.SESSION_DOWN).attributes.event
        assert facts is not None
        assert facts.down_reason is DownReason.AEAD_LIMIT
        bench.expect_event(Event.KEY_UPDATE_NEEDED)
        bench.inner.sendto(b"late", (INNER_PEER, 4000))
        peer.expect_nothing()
