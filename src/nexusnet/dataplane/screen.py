# SPDX-License-Identifier: BSD-3-Clause
"""The engine's screen in front of an endpoint: strangers of no use to a handshake end there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nexusnet._engine import ffi, lib
from nexusnet.dataplane import messages
from nexusnet.dataplane.protocol import DataPlaneError

if TYPE_CHECKING:
    from nexusnet.dataplane.userspace import UserspaceDataPlane

REASONS: Final = {
    lib.NQE_SCREEN_MALFORMED: "malformed",
    lib.NQE_SCREEN_UNKNOWN_CONNECTION: "unknown_connection",
    lib.NQE_SCREEN_UNSUPPORTED_VERSION: "unsupported_version",
    lib.NQE_SCREEN_INITIAL_TOO_SMALL: "initial_too_small",
}


class UserspaceScreen:
    """See `Screen`. Once the data plane is closed it does nothing: handshakes may outlive that."""

    def __init__(self, plane: UserspaceDataPlane, socket: int) -> None:
        """Begin to screen what belongs to no session of one of the engine's sockets."""
        self._plane = plane
        self._socket = socket
        self._done(lib.nqe_socket_screen(plane.engine, socket))

    @staticmethod
    def _done(result: int) -> None:
        if result:
            raise DataPlaneError(-result, f"screen: {messages.why(-result)}")

    def expect(self, cid: bytes) -> None:
        """Hand on what is addressed to a connection ID."""
        if not self._plane.closed:
            self._done(lib.nqe_socket_expect(self._plane.engine, self._socket, cid, len(cid)))

    def forget(self, cid: bytes) -> None:
        """Expect a connection ID no longer."""
        if not self._plane.closed:
            lib.nqe_socket_forget(self._plane.engine, self._socket, cid, len(cid))

    def drops(self) -> dict[str, int]:
        """Datagrams that were not handed on, by reason."""
        if self._plane.closed:
            return {}
        stats = ffi.new("struct nqe_socket_stats *")
        self._done(lib.nqe_socket_stats(self._plane.engine, self._socket, stats))
        counts = {name: int(stats.screened[verdict]) for verdict, name in REASONS.items()}
        return {name: count for name, count in counts.items() if count}
