# SPDX-License-Identifier: BSD-3-Clause
"""UDP datagrams as they pass between the engines and the socket."""

import functools
import ipaddress
from dataclasses import dataclass, field

from nexusnet.handshake.connection import Ecn

Address = tuple[str, int]
"""IP address (with `%scope` where link-local) and UDP port."""


@functools.lru_cache(maxsize=4096)
def network_of(address: Address) -> bytes:
    """Return what counts as one client: an IPv4 address, or an IPv6 /64."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    return ip.packed if ip.version == 4 else ip.packed[:8]


@dataclass(frozen=True, slots=True)
class Received:
    """A datagram from the socket.

    Attributes:
        data: UDP payload.
        local: our address that it was sent to.
        remote: where it came from.
        ecn: ECN codepoint of its IP header.
    """

    data: bytes = field(repr=False)
    local: Address
    remote: Address
    ecn: Ecn = Ecn.NOT_ECT


@dataclass(frozen=True, slots=True)
class Transmit:
    """A datagram for the socket; it must not be fragmented.

    Attributes:
        data: UDP payload.
        local: our address to send from.
        remote: where to send it.
        ecn: ECN codepoint to send it with.
    """

    data: bytes = field(repr=False)
    local: Address
    remote: Address
    ecn: Ecn = Ecn.NOT_ECT
