# SPDX-License-Identifier: BSD-3-Clause
"""IP packets and super-packets made from the RFCs alone, to hold the engine's C against.

Shares nothing with the engine: every segment is built from scratch with its full checksum
(RFC 1071, 791, 8200, 9293, 768), never cut out of another packet.
"""

import struct
from dataclasses import dataclass, replace

TCP, UDP = 6, 17
FIN, PSH, ACK, ECE, CWR = 0x01, 0x08, 0x10, 0x40, 0x80
NEEDS_CSUM = 1
GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, GSO_ECN = 1, 4, 5, 0x80


def ones_sum(data: bytes) -> int:
    """One's complement sum of big-endian 16-bit words, folded, not inverted."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(total)


@dataclass(frozen=True, slots=True)
class Flow:
    """Header fields of a TCP or UDP packet; `seq`, `ident` and `flags` of the first one."""

    version: int = 4
    protocol: int = TCP
    source: bytes = bytes([10, 0, 0, 1])
    destination: bytes = bytes([10, 0, 0, 2])
    ports: tuple[int, int] = (40000, 5201)
    seq: int = 0
    acknowledged: int = 77
    flags: int = ACK
    window: int = 502
    options: bytes = b""
    tos: int = 0
    ttl: int = 64
    flow_label: int = 0x12345
    ident: int = 100
    dont_fragment: bool = True

    def pseudo(self, length: int) -> bytes:
        if self.version == 4:
            return self.source + self.destination + struct.pack(">BBH", 0, self.protocol, length)
        return self.source + self.destination + struct.pack(">IHBB", length, 0, 0, self.protocol)

    def transport(self, payload: bytes, checksum: int) -> bytes:
        if self.protocol == UDP:
            return struct.pack(">HHHH", *self.ports, 8 + len(payload), checksum) + payload
        offset = 5 + len(self.options) // 4
        return (
            struct.pack(
                ">HHIIBBHHH",
                *self.ports,
                self.seq & 0xFFFFFFFF,
                self.acknowledged,
                offset << 4,
                self.flags,
                self.window,
                checksum,
                0,
            )
            + self.options
            + payload
        )

    def network(self, transport: bytes) -> bytes:
        if self.version == 6:
            first = 6 << 28 | self.tos << 20 | self.flow_label
            head = struct.pack(">IHBB", first, len(transport), self.protocol, self.ttl)
            return head + self.source + self.destination + transport
        fields = (
            0x45, self.tos, 20 + len(transport), self.ident & 0xFFFF,
            0x4000 if self.dont_fragment else 0, self.ttl, self.protocol,
        )  # fmt: skip
        head = struct.pack(">BBHHHBBH", *fields, 0) + self.source + self.destination
        check = ~ones_sum(head) & 0xFFFF
        return head[:10] + struct.pack(">H", check) + head[12:] + transport

    def packet(self, payload: bytes) -> bytes:
        """One packet with all checksums complete."""
        bare = self.transport(payload, 0)
        check = ~ones_sum(self.pseudo(len(bare)) + bare) & 0xFFFF
        if self.protocol == UDP and check == 0:
            check = 0xFFFF
        return self.network(self.transport(payload, check))

    def partial(self, payload: bytes) -> bytes:
        """The same with only the pseudo-header's sum in the transport checksum field."""
        length = len(self.transport(payload, 0))
        return self.network(self.transport(payload, ones_sum(self.pseudo(length))))

    def segments(self, payload: bytes, size: int) -> list[bytes]:
        """The packets that `payload` travels in, `size` bytes each but for the last."""
        starts = range(0, len(payload), size)
        made = []
        for index, start in enumerate(starts):
            flags = self.flags
            if start + size < len(payload):
                flags &= ~(FIN | PSH)
            if index:
                flags &= ~CWR
            flow = replace(self, seq=self.seq + start, ident=self.ident + index, flags=flags)
            made.append(flow.packet(payload[start : start + size]))
        return made

    @property
    def transport_offset(self) -> int:
        return 20 if self.version == 4 else 40

    @property
    def header_length(self) -> int:
        own = 8 if self.protocol == UDP else 20 + len(self.options)
        return self.transport_offset + own

    @property
    def checksum_offset(self) -> int:
        return 6 if self.protocol == UDP else 16

    @property
    def gso_type(self) -> int:
        if self.protocol == UDP:
            return GSO_UDP_L4
        return GSO_TCPV4 if self.version == 4 else GSO_TCPV6
