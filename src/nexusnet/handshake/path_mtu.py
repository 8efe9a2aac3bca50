# SPDX-License-Identifier: BSD-3-Clause
"""Search of the largest UDP payload that the path carries, before the session is exported.

All sizes are tried at once (PING and PADDING, RFC 9000 section 14.4), so a clean path costs one
round trip; what is not acknowledged is tried again, up to `MAX_PROBES` times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_PROBES: Final = 3
"""Attempts for a size before it counts as too big (RFC 8899 section 5.1.2)."""


@dataclass(slots=True)
class _Candidate:
    size: int
    attempts: int = 0
    settled: bool = False


class PathMtuSearch:
    """Decides what to probe next; knows nothing of packets or clocks.

    Attributes:
        validated: largest UDP payload in bytes known to arrive.
    """

    def __init__(self, sizes: Sequence[int], *, base: int, limit: int) -> None:
        """Start a search.

        Args:
            sizes: UDP payloads in bytes to try.
            base: size in bytes that the handshake itself has shown to arrive.
            limit: the peer's max_udp_payload_size: bytes that it takes at most.
        """
        self.validated = base
        self._candidates = [_Candidate(size) for size in sorted(set(sizes)) if base < size <= limit]
        self._deadline: float | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to find out."""
        return all(candidate.settled for candidate in self._candidates)

    @property
    def deadline(self) -> float | None:
        """When `probes_due` wants to be asked again, in seconds; None once done."""
        return None if self.done else self._deadline

    def probes_due(self, now: float, interval: float) -> list[int]:
        """Return the sizes to send now, in bytes, smallest first.

        Args:
            now: seconds.
            interval: seconds to wait for an acknowledgement, a probe timeout.
        """
        if self.done or (self._deadline is not None and now < self._deadline):
            return []
        for candidate in self._candidates:
            candidate.settled = candidate.settled or candidate.attempts >= MAX_PROBES
        due = [candidate for candidate in self._candidates if not candidate.settled]
        for candidate in due:
            candidate.attempts += 1
        self._deadline = now + interval
        return [candidate.size for candidate in due]

    def acknowledged(self, size: int) -> None:
        """A probe of `size` bytes arrived, so all smaller ones would."""
        self.validated = max(self.validated, size)
        for candidate in self._candidates:
            candidate.settled = candidate.settled or candidate.size <= size

    def refused(self, size: int) -> None:
        """The local interface does not send `size` bytes, nor anything bigger."""
        for candidate in self._candidates:
            candidate.settled = candidate.settled or candidate.size >= size
