# SPDX-License-Identifier: BSD-3-Clause
"""The frames that a data plane hands up: connection IDs come and go, nothing else may.

Without I/O: frames in, changes and frames out. RFC 9000 sections 5.1, 19.15, 19.16.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from nexusnet.quic.errors import QuicError, TransportErrorCode, protocol_violation
from nexusnet.quic.frames import (
    Frame,
    NewConnectionIdFrame,
    NewTokenFrame,
    RetireConnectionIdFrame,
    StreamFrame,
    parse_frames,
)
from nexusnet.secret import SecretBytes
from nexusnet.session import ConnectionId, ResetToken

RESET_TOKEN_LENGTH: Final = 16


def issue_random(length: int) -> tuple[bytes, bytes]:
    """Return a random connection ID and a random stateless reset token."""
    return os.urandom(length), os.urandom(RESET_TOKEN_LENGTH)


@dataclass(frozen=True, slots=True)
class Change:
    """What to do about frames.

    Attributes:
        local_cids: by which the peer may address us from now on; None: as before.
        peer_cids: by which we may address the peer, the first one is used; None: as before.
        reset_tokens: of the peer; go with `peer_cids`.
        answers: frames to send.
    """

    local_cids: tuple[ConnectionId, ...] | None = None
    peer_cids: tuple[ConnectionId, ...] | None = None
    reset_tokens: tuple[ResetToken, ...] | None = None
    answers: tuple[Frame, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return self == Change()


class ConnectionIds:
    """The connection IDs of both ends of one session."""

    def __init__(
        self,
        local: Iterable[ConnectionId],
        peer: Iterable[ConnectionId],
        reset_tokens: Iterable[ResetToken],
        limit: int,
        *,
        issue: Callable[[int], tuple[bytes, bytes]] = issue_random,
    ) -> None:
        """Begin with those of the handshake.

        Args:
            local: by which the peer may address us.
            peer: by which we may address the peer.
            reset_tokens: of the peer; copied, as their owner wipes them.
            limit: connection IDs of the peer that we said we keep.
            issue: makes a new connection ID of a length, and its stateless reset token.
        """
        self._local = {cid.sequence: cid for cid in local}
        self._peer = {cid.sequence: cid for cid in peer}
        self._tokens = {
            one.sequence: ResetToken(one.sequence, SecretBytes(one.token.reveal()))
            for one in reset_tokens
        }
        self._limit = limit
        self._issue = issue
        self._next_local = max(self._local, default=-1) + 1
        self._retired_to = 0

    def wipe(self) -> None:
        """Zero the reset tokens."""
        for one in self._tokens.values():
            one.token.wipe()

    def receive(self, payload: bytes) -> Change:
        """Take the frames of a packet.

        Args:
            payload: whole frames, as the data plane handed them up.

        Raises:
            QuicError: the peer broke a rule; the connection is to be closed with the code.
        """
        local: dict[int, ConnectionId] | None = None
        peer_before = dict(self._peer)
        answers: list[Frame] = []
        for frame in parse_frames(payload):
            if isinstance(frame, NewConnectionIdFrame):
                answers += self._new(frame)
            elif isinstance(frame, RetireConnectionIdFrame):
                answers += self._retire(frame)
                local = self._local
            elif isinstance(frame, StreamFrame):
                # We allowed none (RFC 9000 section 4.6).
                raise QuicError(TransportErrorCode.STREAM_LIMIT_ERROR, "no stream was allowed")
            elif isinstance(frame, NewTokenFrame):
                continue  # a tunnel's client connects without one
        changed = self._peer != peer_before
        return Change(
            local_cids=None if local is None else tuple(local.values()),
            peer_cids=tuple(self._peer.values()) if changed else None,
            reset_tokens=tuple(self._tokens.values()) if changed and self._tokens else None,
            answers=tuple(answers),
        )

    def _new(self, frame: NewConnectionIdFrame) -> list[Frame]:
        number = frame.sequence_number
        if any(not cid.value for cid in self._peer.values()):
            # RFC 9000 section 19.15.
            raise protocol_violation("a new connection ID where none are in use")
        known = self._peer.get(number)
        if known is not None and known.value != frame.connection_id:
            raise protocol_violation("another connection ID of a known sequence number")
        if any(
            cid.value == frame.connection_id and cid.sequence != number
            for cid in self._peer.values()
        ):
            raise protocol_violation("a known connection ID under another sequence number")
        if known is None and number < self._retired_to:
            # RFC 9000 section 19.15: retired before it arrived.
            return [RetireConnectionIdFrame(number)]
        self._peer[number] = ConnectionId(number, frame.connection_id)
        token = SecretBytes(frame.stateless_reset_token)
        self._tokens[number] = ResetToken(number, token)
        self._retired_to = max(self._retired_to, frame.retire_prior_to)
        retired = [sequence for sequence in self._peer if sequence < self._retired_to]
        for sequence in retired:
            del self._peer[sequence]
            self._tokens.pop(sequence, None)
        if len(self._peer) > self._limit:
            # RFC 9000 section 5.1.1.
            raise QuicError(
                TransportErrorCode.CONNECTION_ID_LIMIT_ERROR,
                f"{len(self._peer)} connection IDs, {self._limit} are kept",
            )
        return [RetireConnectionIdFrame(sequence) for sequence in retired]

    def _retire(self, frame: RetireConnectionIdFrame) -> list[Frame]:
        number = frame.sequence_number
        if number >= self._next_local:
            # RFC 9000 section 19.16.
            raise protocol_violation("a connection ID was retired that was never given")
        retired = self._local.pop(number, None)
        if retired is None:
            return []
        if not retired.value:
            raise protocol_violation("a connection ID of no length was retired")
        if self._local:
            return []
        # The peer needs one to go on.
        value, token = self._issue(len(retired.value))
        fresh = ConnectionId(self._next_local, value)
        self._next_local += 1
        self._local[fresh.sequence] = fresh
        return [NewConnectionIdFrame(fresh.sequence, 0, fresh.value, token)]
