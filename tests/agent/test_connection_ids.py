# SPDX-License-Identifier: BSD-3-Clause
import random
from pathlib import Path

import pytest

from nexusnet.agent.connection_ids import ConnectionIds
from nexusnet.netlink.generated import Event, EventAttributes, FramesAttributes
from nexusnet.quic.errors import QuicError, TransportErrorCode
from nexusnet.quic.frames import (
    Frame,
    NewConnectionIdFrame,
    NewTokenFrame,
    RetireConnectionIdFrame,
    StreamFrame,
    encode_frames,
    parse_frames,
)
from nexusnet.secret import SecretBytes
from nexusnet.session import ConnectionId, ResetToken
from tests.agent.test_tunnel import both_up, true_soon, two_ends, within

TOKEN = b"t" * 16


def ids(limit: int = 2, *, length: int = 8) -> ConnectionIds:
    return ConnectionIds(
        [ConnectionId(0, b"l" * length)],
        [ConnectionId(0, b"p" * length)],
        [ResetToken(0, SecretBytes(TOKEN))],
        limit,
        issue=lambda size: (random.Random(3).randbytes(size), TOKEN),
    )


def new(number: int, retire_prior_to: int = 0, value: bytes | None = None) -> NewConnectionIdFrame:
    return NewConnectionIdFrame(
        number, retire_prior_to, value or bytes([number]) * 8, bytes([number]) * 16
    )


def frames(*sent: Frame) -> bytes:
    return encode_frames(sent)


def test_a_new_one_is_kept_and_the_first_stays_in_use() -> None:
    change = ids().receive(frames(new(1)))
    assert change.peer_cids is not None
    assert [cid.sequence for cid in change.peer_cids] == [0, 1]
    assert change.reset_tokens is not None
    assert [bytes(one.token.reveal()) for one in change.reset_tokens] == [TOKEN, b"\x01" * 16]
    assert change.local_cids is None
    assert not change.answers


def test_what_comes_twice_changes_nothing() -> None:
    known = ids()
    known.receive(frames(new(1)))
    assert known.receive(frames(new(1))).empty


def test_old_ones_are_retired_when_asked() -> None:
    known = ids()
    change = known.receive(frames(new(1, retire_prior_to=1)))
    assert change.peer_cids == (ConnectionId(1, b"\x01" * 8),)
    assert change.answers == (RetireConnectionIdFrame(0),)
    # One that was overtaken by that is retired at once.
    late = known.receive(frames(new(0, value=b"p" * 8)))
    assert late.peer_cids is None
    assert late.answers == (RetireConnectionIdFrame(0),)


def test_the_peer_can_go_through_many() -> None:
    known = ids()
    for number in range(1, 50):
        change = known.receive(frames(new(number, retire_prior_to=number)))
        assert change.peer_cids is not None
        assert [cid.sequence for cid in change.peer_cids] == [number]
        assert change.answers == (RetireConnectionIdFrame(number - 1),)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([new(1), new(2)], TransportErrorCode.CONNECTION_ID_LIMIT_ERROR),
        ([new(1), new(1, value=b"x" * 8)], TransportErrorCode.PROTOCOL_VIOLATION),
        ([new(1), new(2, 1, value=b"\x01" * 8)], TransportErrorCode.PROTOCOL_VIOLATION),
        ([RetireConnectionIdFrame(1)], TransportErrorCode.PROTOCOL_VIOLATION),
        ([StreamFrame(0, 0, b"x")], TransportErrorCode.STREAM_LIMIT_ERROR),
    ],
)
def test_rules(sent: list[Frame], code: TransportErrorCode) -> None:
    with pytest.raises(QuicError) as caught:
        ids().receive(frames(*sent))
    assert caught.value.code is code


def test_without_connection_ids_there_are_no_new_ones() -> None:
    with pytest.raises(QuicError):
        ids(length=0).receive(frames(new(1)))


def test_a_retired_one_of_ours_is_replaced() -> None:
    known = ids()
    change = known.receive(frames(RetireConnectionIdFrame(0)))
    assert change.local_cids is not None
    (fresh,) = change.local_cids
    assert (fresh.sequence, len(fresh.value)) == (1, 8)
    (answer,) = change.answers
    assert isinstance(answer, NewConnectionIdFrame)
    assert (answer.sequence_number, answer.connection_id) == (1, fresh.value)
    # Repeated, it means nothing any more.
    again = known.receive(frames(RetireConnectionIdFrame(0)))
    assert not again.answers


def test_a_token_is_of_no_use_here() -> None:
    assert ids().receive(frames(NewTokenFrame(b"token"))).empty


def test_the_peers_tokens_survive_the_handshakes_own() -> None:
    token = SecretBytes(TOKEN)
    known = ConnectionIds([ConnectionId(0, b"l" * 8)], [ConnectionId(0, b"p" * 8)],
                          [ResetToken(0, token)], 2)  # fmt: skip
    token.wipe()
    change = known.receive(frames(new(1)))
    assert change.reset_tokens is not None
    assert bytes(change.reset_tokens[0].token.reveal()) == TOKEN


def test_the_data_plane_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, client = two_ends(tmp_path)
        await both_up(server, client)

        def hand_up(event_id: int, *sent: Frame) -> None:
            client.plane.tell(
                Event.FRAMES_RECEIVED,
                client.tunnel.ref,
                EventAttributes(id=event_id),
                frames=FramesAttributes(payload=frames(*sent)),
            )

        hand_up(1000, new(1, retire_prior_to=1), RetireConnectionIdFrame(0))
        entry = client.plane.known[client.tunnel.ref]
        await true_soon(lambda: entry.acknowledged == 1000)
        assert [cid.sequence for cid in entry.session.peer_cids] == [1]
        assert [cid.sequence for cid in entry.session.local_cids] == [1]
        answers = parse_frames(client.plane.sent_frames[0])
        assert {type(frame) for frame in answers} == {NewConnectionIdFrame, RetireConnectionIdFrame}
        hand_up(1001, StreamFrame(0, 0, b"x"))
        assert "no stream was allowed" in await client.end()
        ((_, close),) = client.plane.ended
        assert (close.application, close.error_code) == (False, 4)
        await server.stop()

    within(scenario())
