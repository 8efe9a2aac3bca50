# SPDX-License-Identifier: BSD-3-Clause
import random

import pytest

from nexusnet.l3ptp.channel import GIVE_UP_AFTER
from nexusnet.l3ptp.context import CONTROL_PAYLOAD_MAX, Context, decode_context
from nexusnet.l3ptp.errors import InvalidMessageError, NotActiveError, QueueFullError
from nexusnet.l3ptp.fields import varint
from nexusnet.l3ptp.link import (
    KEEPALIVE_INTERVAL,
    CloseCause,
    Link,
    LinkClosed,
    LinkEvent,
    LinkOpen,
    LinkState,
    MessageReceived,
    MessageRefused,
)
from nexusnet.l3ptp.messages import (
    Capabilities,
    Close,
    CloseCode,
    Mtu,
    Ready,
    decode_message,
    encode_message,
)


def events(link: Link) -> list[LinkEvent]:
    found = []
    while (event := link.next_event()) is not None:
        found.append(event)
    return found


def open_ends(*links: Link) -> list[bool]:
    return [link.may_send_packets for link in links]


def carry(source: Link, target: Link, now: float) -> int:
    payloads = source.transmit(now)
    for payload in payloads:
        datagram = decode_context(payload)
        assert datagram.context is Context.CONTROL
        assert len(datagram.payload) <= CONTROL_PAYLOAD_MAX
        target.receive(datagram.payload, now)
    return len(payloads)


def exchange(a: Link, b: Link, now: float) -> None:
    while carry(a, b, now) + carry(b, a, now):
        pass


def test_nothing_is_sent_and_nothing_may_be_before_activation() -> None:
    link = Link()
    link.receive(encode_message(Ready(), 0), 0.0)
    assert link.transmit(0.0) == []
    assert link.deadline() is None
    assert open_ends(link) == [False]
    with pytest.raises(NotActiveError):
        link.send(Mtu(1400))
    link.activate(1.0)
    assert open_ends(link) == [True]
    assert events(link) == [LinkOpen()]


def test_packets_wait_for_the_peers_ready() -> None:
    a, b = Link(), Link()
    a.activate(0.0)
    exchange(a, b, 0.0)
    # The other end has our READY, but is not active itself: it says nothing, we may not send.
    assert open_ends(a, b) == [False, False]
    b.activate(0.1)
    assert open_ends(a, b) == [False, True]
    exchange(b, a, 0.1)
    assert open_ends(a, b) == [True, True]
    assert events(a) == [LinkOpen()]
    assert events(b) == [LinkOpen()]


def test_ready_is_the_first_message_and_is_repeated_until_it_arrives() -> None:
    link = Link(initial_rtt=0.01)
    link.activate(0.0)
    link.send(Mtu(1400))
    first, second = (decode_message(decode_context(p).payload) for p in link.transmit(0.0))
    assert (first.message_id, first.message) == (0, Ready())
    assert (second.message_id, second.message) == (1, Mtu(1400))
    due = link.deadline()
    assert due is not None
    again = [decode_message(decode_context(p).payload).message for p in link.transmit(due)]
    assert again == [Ready(), Mtu(1400)]


@pytest.mark.parametrize("seed", range(20))
def test_both_open_in_any_weather(seed: int) -> None:
    chance = random.Random(seed)
    links = (Link(initial_rtt=0.02), Link(initial_rtt=0.02))
    links[0].activate(0.0)
    active_at = chance.uniform(0.0, 3.0)
    sent: list[tuple[int, bytes]] = []
    now = 0.0
    while not all(link.may_send_packets for link in links):
        now += 0.01
        assert now < 60
        if now >= active_at:
            links[1].activate(now)
        for end, link in enumerate(links):
            # Only what has been repeated to its end may be late; each end opens for itself.
            sent += [
                (1 - end, p) for p in link.transmit(now) for _ in range(chance.choice((0, 1, 2)))
            ]
        chance.shuffle(sent)
        for _ in range(chance.randrange(len(sent) + 1)):
            end, payload = sent.pop()
            links[end].receive(decode_context(payload).payload, now)
        assert not links[1].may_send_packets or now >= active_at
        assert not links[0].may_send_packets or now >= active_at


def test_messages_pass_in_both_directions() -> None:
    a, b = Link(), Link()
    a.activate(0.0)
    b.activate(0.0)
    a.send(Mtu(1400))
    b.send(Capabilities(frozenset({1, 99})))
    exchange(a, b, 0.0)
    assert events(b) == [LinkOpen(), MessageReceived(Mtu(1400))]
    assert events(a) == [LinkOpen(), MessageReceived(Capabilities(frozenset({1, 99})))]


def test_keepalives_find_a_dead_peer() -> None:
    a, b = Link(), Link()
    a.activate(0.0)
    b.activate(0.0)
    exchange(a, b, 0.0)
    now = 0.0
    for _ in range(3):
        now += KEEPALIVE_INTERVAL
        assert a.deadline() == now
        exchange(a, b, now)
        assert a.may_send_packets
    events(a)
    # From here on nothing comes back.
    start = now
    while (due := a.deadline()) is not None:
        a.transmit(due)
    assert events(a) == [LinkClosed(CloseCause.UNRESPONSIVE)]
    assert a.state is LinkState.CLOSED
    assert a.transmit(start + 2 * GIVE_UP_AFTER) == []


def test_no_keepalive_where_none_is_wanted() -> None:
    a, b = Link(keepalive=None), Link(keepalive=None)
    a.activate(0.0)
    b.activate(0.0)
    exchange(a, b, 0.0)
    assert a.deadline() is None


def test_hanging_up() -> None:
    a, b = Link(), Link()
    a.activate(0.0)
    b.activate(0.0)
    exchange(a, b, 0.0)
    events(a)
    events(b)
    a.close(CloseCode.SHUTDOWN, "maintenance")
    assert not a.may_send_packets
    exchange(a, b, 1.0)
    assert events(a) == [LinkClosed(CloseCause.LOCAL, CloseCode.SHUTDOWN, "maintenance")]
    assert events(b) == [LinkClosed(CloseCause.PEER, CloseCode.SHUTDOWN, "maintenance")]
    assert not b.may_send_packets
    # Acknowledged: nothing is repeated.
    assert a.channel.idle
    assert a.deadline() is None
    for link in (a, b):
        with pytest.raises(NotActiveError):
            link.send(Mtu(1400))


def test_closing_works_with_a_full_queue_and_a_second_time() -> None:
    link = Link()
    link.activate(0.0)
    while True:
        try:
            link.send(Mtu(1400))
        except QueueFullError:
            break
    with pytest.raises(InvalidMessageError):
        link.close(CloseCode.SHUTDOWN, "x" * 300)
    link.close(CloseCode.SHUTDOWN)
    link.close(CloseCode.SHUTDOWN)
    assert events(link) == [LinkClosed(CloseCause.LOCAL, CloseCode.SHUTDOWN, "")]


def test_a_peer_of_other_versions_is_not_let_in() -> None:
    link = Link()
    link.activate(0.0)
    link.receive(encode_message(Ready((2, 3)), 0), 0.0)
    assert events(link) == [LinkClosed(CloseCause.INCOMPATIBLE)]
    assert not link.may_send_packets
    both = Link()
    both.activate(0.0)
    both.receive(encode_message(Ready((1, 2)), 0), 0.0)
    assert both.may_send_packets


def test_the_sender_learns_what_was_refused() -> None:
    link = Link()
    link.activate(0.0)
    peer = Link()
    peer.activate(0.0)
    exchange(link, peer, 0.0)
    events(link)
    # As if our next message were of a later version, which the peer does not know.
    assert link.send(Mtu(1400)) == 1
    assert len(link.transmit(0.1)) == 1
    peer.receive(b"\x01" + varint(0x55) + varint(1), 0.1)
    carry(peer, link, 0.1)
    assert events(link) == [MessageRefused(1, None)]


def test_nothing_after_the_peers_close_has_an_effect() -> None:
    link = Link()
    link.activate(0.0)
    link.receive(encode_message(Ready(), 0), 0.0)
    link.receive(encode_message(Close(77, ""), 1), 0.0)
    link.receive(encode_message(Mtu(1400), 2), 0.0)
    assert events(link) == [LinkOpen(), LinkClosed(CloseCause.PEER, 77, "")]
