# SPDX-License-Identifier: BSD-3-Clause
"""Connection IDs of a server that recognises its own without remembering them.

A part of each is a keyed tag over the rest: after a restart or a delete a datagram of a tunnel is
still told from a stranger's, and never sent on to a third party. Whoever has not the key sees
uniform bytes. Where the camouflage target's connection IDs have a length and bytes that never
change, ours have the same.
"""

import hashlib
import hmac
import operator
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nexusnet.reality.long_header import CONNECTION_ID_MAX
from nexusnet.secret import SecretBytes

KEY_LENGTH: Final = 32
RESET_TOKEN_LENGTH: Final = 16

TAG_LENGTHS: Final = {4: 1, 5: 2, 6: 2, 7: 3, 8: 3, 9: 3}
"""Bytes of the tag by the number of free bytes; more of these leave room for `LONGEST_TAG`.

With 8 free bytes one in 16 million strangers is taken for ours. Some servers' connection IDs have 4
bytes: one in 256 then, but no client's first one is that short (RFC 9000 section 7.2), and those
of relayed connections are known.
"""

LONGEST_TAG: Final = 4
FEWEST_FREE: Final = min(TAG_LENGTHS)


class ShapeError(ValueError):
    """Connection IDs like the target's leave no room for a tag."""


@dataclass(frozen=True, slots=True)
class ConnectionIdShape:
    """What a server's connection IDs have in common.

    Attributes:
        length: bytes, 4..20.
        fixed: positions (rising) whose byte never changes, with that byte.
    """

    length: int = 8
    fixed: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        positions = [position for position, _ in self.fixed]
        if (
            not 0 < self.length <= CONNECTION_ID_MAX
            or positions != sorted(set(positions))
            or not all(0 <= position < self.length for position in positions)
            or not all(0 <= value < 256 for _, value in self.fixed)
        ):
            raise ShapeError(f"no shape of connection IDs: length {self.length}, {self.fixed}")
        if self.length - len(self.fixed) < FEWEST_FREE:
            raise ShapeError(
                f"connection IDs of {self.length} bytes, {len(self.fixed)} of them fixed, have no"
                f" room for the {FEWEST_FREE} bytes by which ours are recognised"
            )

    @classmethod
    def observed(cls, samples: Iterable[bytes]) -> Self:
        """Return the shape of connection IDs that a server gave.

        Bytes count as fixed where they are the same in 4 samples or more: with fewer, chance
        would find some.

        Raises:
            ShapeError: lengths differ, or there is no room for a tag.
        """
        seen = list(samples)
        lengths = {len(one) for one in seen}
        if len(lengths) != 1:
            raise ShapeError(f"connection IDs of {len(lengths)} different lengths")
        length = lengths.pop()
        fixed: tuple[tuple[int, int], ...] = ()
        if len(set(seen)) >= 4:
            fixed = tuple(
                (at, seen[0][at]) for at in range(length) if len({one[at] for one in seen}) == 1
            )
        return cls(length, fixed)


@dataclass(slots=True)
class TaggedConnectionIds:
    """Issues and recognises connection IDs, and derives their stateless reset tokens.

    Attributes:
        key: `KEY_LENGTH` bytes; who has it can tell tunnels from everything else.
        shape: what they look like.
        random_bytes: where nonces come from.
    """

    key: SecretBytes = field(repr=False)
    shape: ConnectionIdShape = field(default_factory=ConnectionIdShape)
    random_bytes: Callable[[int], bytes] = os.urandom
    _free: tuple[int, ...] = field(init=False, repr=False)
    _tag_length: int = field(init=False, repr=False)
    _tagger: hashlib.blake2s = field(init=False, repr=False)
    _pick: Callable[[bytes], tuple[int, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_LENGTH:
            raise ValueError(f"a key of connection IDs has {KEY_LENGTH} bytes, not {len(self.key)}")
        taken = {position for position, _ in self.shape.fixed}
        self._free = tuple(at for at in range(self.shape.length) if at not in taken)
        # There are several, see `FEWEST_FREE`: a tuple is what it returns.
        self._pick = operator.itemgetter(*self._free)
        self._tag_length = TAG_LENGTHS.get(len(self._free), LONGEST_TAG)
        self._tagger = self._keyed(b"nexustag", self._tag_length)

    @classmethod
    def derive(cls, static_key: bytes, shape: ConnectionIdShape | None = None) -> Self:
        """Derive the key from a secret of the server that outlives restarts.

        Args:
            static_key: such as the server's static private key.
            shape: what the connection IDs look like.
        """
        hkdf = HKDF(hashes.SHA256(), KEY_LENGTH, salt=None, info=b"nexusnet connection ids v1")
        return cls(SecretBytes(hkdf.derive(static_key)), shape or ConnectionIdShape())

    def _keyed(self, person: bytes, size: int) -> hashlib.blake2s:
        return hashlib.blake2s(key=self.key.reveal(), person=person, digest_size=size)

    def _tag(self, nonce: bytes) -> bytes:
        # All datagrams of strangers come through here: the key is not set up for each.
        tagger = self._tagger.copy()
        tagger.update(nonce)
        return tagger.digest()

    def issue(self) -> bytes:
        """Return a new connection ID; 2^24 or more exist, so the caller looks whether it is new."""
        cid = bytearray(self.shape.length)
        for position, value in self.shape.fixed:
            cid[position] = value
        nonce = self.random_bytes(len(self._free) - self._tag_length)
        free = nonce + self._tag(nonce)
        for position, value in zip(self._free, free, strict=True):
            cid[position] = value
        return bytes(cid)

    def is_ours(self, cid: bytes) -> bool:
        """Whether `cid` was issued with this key, by this process or one before it."""
        if len(cid) != self.shape.length:
            return False
        if self.shape.fixed and any(cid[position] != value for position, value in self.shape.fixed):
            return False
        free = bytes(self._pick(cid))
        nonce, tag = free[: -self._tag_length], free[-self._tag_length :]
        return hmac.compare_digest(tag, self._tag(nonce))

    def reset_token(self, cid: bytes) -> bytes:
        """Return the stateless reset token (16 bytes) of a connection ID (RFC 9000 s. 10.3.2)."""
        token = self._keyed(b"nexusrst", RESET_TOKEN_LENGTH)
        token.update(cid)
        return token.digest()
