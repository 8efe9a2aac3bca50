# SPDX-License-Identifier: BSD-3-Clause
"""Datagrams that no honest peer sends, held against a ledger of what was injected.

Each single kind is in tests/dataplane/contract.py; here hundreds of them come mixed, from the
peer's address and from a stranger's, while the tunnel is in use.
"""

import random
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from nexusnet.netlink.generated import DropReason, Event
from nexusnet.quic.frames import ConnectionCloseFrame, DatagramFrame
from nexusnet.session import Session
from tests.dataplane.contract import carried
from tests.dataplane.peer import ModelPeer
from tests.dataplane.setup import Bench, eventually
from tests.support.own_namespace import own_namespace
from tests.support.planes import VOLUME, make_plane

pytestmark = pytest.mark.netns

ROUNDS = round(12 * VOLUME)
EACH = 10
"""Datagrams of a kind in a round: all of a round fit any socket's buffer."""
SHORTEST = 9
"""A short header's bytes up to the end of the connection ID: what is shorter is nobody's."""
SAMPLE_END = 9 + 4 + 16

# What random bytes behind a known connection ID can be: they decide the packet number and the key
# phase themselves, and both are looked at before the authentication.
NOT_AUTHENTIC = {
    DropReason.AEAD,
    DropReason.PACKET_NUMBER,
    DropReason.DUPLICATE,
    DropReason.TOO_OLD,
    DropReason.KEY_DISCARDED,
}


@pytest.fixture
def bench() -> Iterator[Bench]:
    with own_namespace():
        made = Bench(make_plane())
        try:
            yield made
        finally:
            made.close()


@dataclass
class Attack:
    """Injects datagrams and keeps the ledger.

    Attributes:
        exact: drops of which the reason is known.
        loose: drops for one of NOT_AUTHENTIC.
        strays: datagrams of no session, which the endpoint gets.
    """

    bench: Bench
    peer: ModelPeer
    session: Session
    stranger: socket.socket
    random: random.Random
    exact: Counter[DropReason] = field(default_factory=Counter)
    loose: int = 0
    strays: int = 0
    strays_seen: int = 0
    genuine: list[bytes] = field(default_factory=list)

    def inject(self, datagram: bytes) -> None:
        """From the peer's own address or from a stranger's."""
        if self.random.random() < 0.5:
            self.peer.send_raw(datagram)
        else:
            self.stranger.sendto(datagram, self.peer.to)

    def random_bytes(self) -> None:
        head = bytes([0x40 | self.random.randrange(64)]) + self.peer.peer_cid
        self.inject(head + self.random.randbytes(self.random.randrange(20, 1200)))
        self.loose += 1

    def forged(self) -> None:
        """A genuine packet with one bit wrong, after the header so that its number stays new."""
        packet = bytearray(self.peer.seal(carried(b"forged")))
        packet[self.random.randrange(SAMPLE_END, len(packet))] ^= 1 << self.random.randrange(8)
        self.inject(bytes(packet))
        self.exact[DropReason.AEAD] += 1

    def of_a_forged_phase(self) -> None:
        """As if the peer had updated its keys: only a packet that opens may do that."""
        packet = self.peer.seal(carried(b"forged phase"), generation=1)
        self.inject(packet[:-1] + bytes([packet[-1] ^ 1]))
        self.exact[DropReason.AEAD] += 1

    def bit_flipped(self) -> None:
        """Anywhere behind the connection ID."""
        packet = bytearray(self.peer.seal(carried(b"flipped")))
        packet[self.random.randrange(SHORTEST, len(packet))] ^= 1 << self.random.randrange(8)
        self.inject(bytes(packet))
        self.loose += 1

    def truncated(self) -> None:
        packet = self.peer.seal(carried(b"truncated"))
        self.inject(packet[: self.random.randrange(SHORTEST, SAMPLE_END)])
        self.exact[DropReason.TRUNCATED] += 1

    def cut_short(self) -> None:
        packet = self.peer.seal(carried(b"cut short"))
        self.inject(packet[: self.random.randrange(SAMPLE_END, len(packet))])
        self.exact[DropReason.AEAD] += 1

    def without_fixed_bit(self) -> None:
        packet = self.peer.seal(carried(b"fixed bit"))
        self.inject(bytes([packet[0] & ~0x40]) + packet[1:])
        self.exact[DropReason.FIXED_BIT] += 1

    def replayed(self) -> None:
        # Of what is still in the replay window.
        self.inject(self.random.choice(self.genuine[-2:]))
        self.exact[DropReason.DUPLICATE] += 1

    def spoofed(self) -> None:
        """Authentic, but the packet inside is not the peer's to send."""
        source = f"10.8.0.{self.random.randrange(3, 250)}"
        self.peer.send(carried(b"spoofed", source=source))
        self.exact[DropReason.SOURCE_PREFIX] += 1

    def of_nobody(self) -> None:
        """A connection ID that there is not; or a long header."""
        first = self.random.choice((0x40, 0xC0, 0xE0)) | self.random.randrange(16)
        self.inject(bytes([first]) + b"\x77" * 8 + self.random.randbytes(40))
        self.strays += 1

    def settle(self) -> None:
        """Wait until all of it has been counted."""
        expected = sum(self.exact.values()) + self.loose
        eventually(lambda: sum(self.dropped().values()), lambda count: count >= expected)

        def stray() -> int:
            self.strays_seen += len(self.bench.endpoint.receive())
            return self.strays_seen

        eventually(stray, lambda count: count >= self.strays)

    def dropped(self) -> dict[DropReason, int]:
        return self.bench.drops(self.session)


def test_bogus_datagrams_are_counted_by_reason_and_not_answered(bench: Bench) -> None:
    peer, session = bench.connect()
    rng = random.Random(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        attack = Attack(bench, peer, session, stranger, rng)
        kinds = [
            attack.random_bytes,
            attack.forged,
            attack.of_a_forged_phase,
            attack.bit_flipped,
            attack.truncated,
            attack.cut_short,
            attack.without_fixed_bit,
            attack.replayed,
            attack.spoofed,
            attack.of_nobody,
        ]
        for number in range(ROUNDS):
            # The tunnel is in use, both ways.
            data = b"genuine %d" % number
            attack.genuine.append(peer.send(carried(data)))
            assert bench.inner_receive() == data
            bench.inner.sendto(data, ("10.8.0.2", 4000))
            frame, _ = peer.expect(DatagramFrame)
            assert frame.data.endswith(data)
            peer.ack_everything()
            round_of_it = kinds * EACH
            rng.shuffle(round_of_it)
            for kind in round_of_it:
                kind()
            attack.settle()

        # The ledger: every datagram once, for its reason.
        dropped = Counter(attack.dropped())
        assert sum(dropped.values()) == sum(attack.exact.values()) + attack.loose
        rest = dropped - attack.exact
        assert attack.exact <= dropped
        assert set(rest) <= NOT_AUTHENTIC
        assert sum(rest.values()) == attack.loose
        assert attack.strays_seen == attack.strays == ROUNDS * EACH
        # A replay from elsewhere does not say that the peer has moved (RFC 9000 section 9.3).
        assert bench.events(Event.PEER_TUPLE_CHANGED) == []
        # A stranger heard nothing, and nothing bogus came through.
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.recv(2000)
        assert bench.inner_receive(0.1) is None
        # Nor did it make the engine say goodbye.
        eventually(lambda: peer.receive(0.1), lambda received: received is None)
        frames = [frame for received in peer.history for frame in received.frames]
        assert not any(isinstance(frame, ConnectionCloseFrame) for frame in frames)
        status = bench.plane.sessions(bench.device.id)
        assert [one.ref for one in status] == [session.ref]
        assert status[0].key_generation == 0
