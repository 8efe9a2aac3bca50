# SPDX-License-Identifier: BSD-3-Clause
"""A capture file with 1-RTT packets that tshark can decrypt.

tshark only decrypts short headers of connections whose Initial packets it saw, with secrets that it
finds in a key log by ClientHello.random. So each connection starts with a synthetic prelude: an
Initial with a ClientHello, and one with the ServerHello that names the cipher suite.
"""

import struct
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from aioquic import tls
from aioquic._buffer import Buffer
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import QuicProtocolVersion

from tests.support import aioquic_peer

CLIENT_ADDRESS = bytes([192, 0, 2, 1])
SERVER_ADDRESS = bytes([198, 51, 100, 1])
SERVER_PORT = 443
FIRST_CLIENT_PORT = 10_000
LINKTYPE_RAW = 101
INITIAL_SIZE = 1200
X25519_PUBLIC_KEY = bytes([9]) + bytes(31)


def _initial(crypto: CryptoPair, dcid: bytes, scid: bytes, message: bytes) -> bytes:
    """Return an Initial packet of INITIAL_SIZE bytes with `message` in a CRYPTO frame."""
    head = bytes([0xC1]) + QuicProtocolVersion.VERSION_1.to_bytes(4, "big")
    head += bytes([len(dcid)]) + dcid + bytes([len(scid)]) + scid
    head += b"\0"  # no token
    # Length (two bytes), packet number (two bytes) and tag complete the packet.
    payload_size = INITIAL_SIZE - len(head) - 4 - 16
    frame = b"\x06\x00" + struct.pack("!H", 0x4000 | len(message)) + message
    length = struct.pack("!H", 0x4000 | (2 + payload_size + 16))
    return crypto.encrypt_packet(head + length + b"\0\0", frame.ljust(payload_size, b"\0"), 0)


def _client_hello(random: bytes, scid: bytes) -> bytes:
    buffer = Buffer(capacity=INITIAL_SIZE)
    # initial_source_connection_id (0x0f) and max_datagram_frame_size (0x20) = 65535
    parameters = bytes([0x0F, len(scid)]) + scid + bytes.fromhex("20048000ffff")
    tls.push_client_hello(
        buffer,
        tls.ClientHello(
            random=random,
            legacy_session_id=b"",
            cipher_suites=[int(suite) for suite in aioquic_peer.SUITES.values()],
            legacy_compression_methods=[0],
            alpn_protocols=["test"],
            key_share=[(int(tls.Group.X25519), X25519_PUBLIC_KEY)],
            signature_algorithms=[int(tls.SignatureAlgorithm.ED25519)],
            supported_groups=[int(tls.Group.X25519)],
            supported_versions=[int(tls.TLS_VERSION_1_3)],
            other_extensions=[(int(tls.ExtensionType.QUIC_TRANSPORT_PARAMETERS), parameters)],
        ),
    )
    return buffer.data


def _server_hello(random: bytes, suite: str) -> bytes:
    buffer = Buffer(capacity=INITIAL_SIZE)
    tls.push_server_hello(
        buffer,
        tls.ServerHello(
            random=random,
            legacy_session_id=b"",
            cipher_suite=int(aioquic_peer.SUITES[suite]),
            compression_method=0,
            key_share=(int(tls.Group.X25519), X25519_PUBLIC_KEY),
            supported_version=int(tls.TLS_VERSION_1_3),
        ),
    )
    return buffer.data


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection by the client's port; `to_server` says which way its short headers go."""

    port: int
    to_server: bool


@dataclass(slots=True)
class Capture:
    """Packets of any number of connections, and the key log for them."""

    packets: list[bytes] = field(default_factory=list)
    key_log: list[str] = field(default_factory=list)
    connections: int = 0

    def connect(self, suite: str, first_secret: bytes, dcid: bytes) -> Connection:
        """Write the prelude of a connection where `first_secret` protects packets to `dcid`.

        An empty `dcid` is the client's: browsers use none. All others are the server's.
        """
        connection = Connection(FIRST_CLIENT_PORT + self.connections, to_server=bool(dcid))
        self.connections += 1
        random = sha256(b"random %d" % connection.port).digest()
        original_dcid = random[:8]
        server_scid = dcid or random[8:16]
        client = CryptoPair()
        client.setup_initial(original_dcid, is_client=True, version=QuicProtocolVersion.VERSION_1)
        server = CryptoPair()
        server.setup_initial(original_dcid, is_client=False, version=QuicProtocolVersion.VERSION_1)
        hello = _client_hello(random, b"")
        self._datagram(connection.port, _initial(client, original_dcid, b"", hello), to_server=True)
        hello = _server_hello(sha256(random).digest(), suite)
        self._datagram(connection.port, _initial(server, b"", server_scid, hello), to_server=False)
        sender, other = ("CLIENT", "SERVER") if connection.to_server else ("SERVER", "CLIENT")
        self.key_log += [
            f"{sender}_TRAFFIC_SECRET_0 {random.hex()} {first_secret.hex()}",
            f"{other}_TRAFFIC_SECRET_0 {random.hex()} {bytes(len(first_secret)).hex()}",
        ]
        return connection

    def add(self, connection: Connection, packet: bytes) -> int:
        """Append a short header packet; return its number in the capture, from 1."""
        return self._datagram(connection.port, packet, to_server=connection.to_server)

    def _datagram(self, port: int, payload: bytes, *, to_server: bool) -> int:
        source, destination = (CLIENT_ADDRESS, port), (SERVER_ADDRESS, SERVER_PORT)
        if not to_server:
            source, destination = destination, source
        # No UDP checksum, which IPv4 allows.
        udp = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0)
        length = 20 + len(udp) + len(payload)
        header = struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0x4000, 64, 17, 0)
        header += source[0] + destination[0]
        total = sum(struct.unpack("!10H", header))
        checksum = 0xFFFF - ((total & 0xFFFF) + (total >> 16))
        header = header[:10] + struct.pack("!H", checksum) + header[12:]
        self.packets.append(header + udp + payload)
        return len(self.packets)

    def write(self, directory: Path) -> tuple[Path, Path]:
        """Write the capture and its key log; return their paths."""
        capture, keys = directory / "vectors.pcap", directory / "keys.log"
        with capture.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, LINKTYPE_RAW))
            for number, packet in enumerate(self.packets):
                size = len(packet)
                seconds, microseconds = divmod(number * 1000, 1_000_000)
                file.write(struct.pack("<IIII", seconds, microseconds, size, size) + packet)
        keys.write_text("\n".join(self.key_log) + "\n")
        return capture, keys
