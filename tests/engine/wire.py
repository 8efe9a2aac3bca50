# SPDX-License-Identifier: BSD-3-Clause
"""The packets of a tunnel of bench/tunnel_end.py on their cable, and what tshark makes of them."""

import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import QuicProtocolVersion

from bench import tunnel_end
from nexusnet.netlink.generated import CipherSuite, Role
from tests.support import quic_capture, tshark
from tests.support.namespaces import Namespace

CLIENT_ADDRESS = bytes([10, 99, 0, 1])


@contextmanager
def capturing(namespace: Namespace, path: Path) -> Iterator[None]:
    process = subprocess.Popen(
        namespace.command(
            "tcpdump", "-i", namespace.link, "-U", "-w", str(path), "--immediate-mode",
            # 32 MiB of slots for a datagram each: the default holds eight, and the rest is lost.
            "-s", "2000", "-B", "32768", "udp", "port", "443",
        ),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "listening on" in line:
                break
        yield
        time.sleep(0.5)
    finally:
        process.terminate()
        process.wait(10)
        if process.stderr is not None:
            process.stderr.close()


def captured(path: Path) -> list[bytes]:
    """IP packets of an Ethernet capture."""
    data = path.read_bytes()
    packets, at = [], 24
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at + 8)
        packets.append(data[at + 16 + 14 : at + 16 + size])
        at += 16 + size
    return packets


def prelude(capture: quic_capture.Capture, like: bytes) -> None:
    """What tshark needs to see first of a connection: its Initial packets and its secrets."""
    client_cid = tunnel_end.connection_id(Role.CLIENT)
    server_cid = tunnel_end.connection_id(Role.SERVER)
    random = sha256(b"tunnel").digest()
    for to_server in (True, False):
        crypto = CryptoPair()
        crypto.setup_initial(random[:8], is_client=to_server, version=QuicProtocolVersion.VERSION_1)
        if to_server:
            hello = quic_capture._client_hello(random, client_cid)
            packet = quic_capture._initial(crypto, random[:8], client_cid, hello)
        else:
            hello = quic_capture._server_hello(sha256(random).digest(), "aes-128-gcm")
            packet = quic_capture._initial(crypto, client_cid, server_cid, hello)
        ports = (50443, 443) if to_server else (443, 50443)
        udp = struct.pack("!HHHH", *ports, 8 + len(packet), 0) + packet
        addresses = like[12:20] if to_server else like[16:20] + like[12:16]
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0x4000, 64, 17, 0) + addresses
        total = sum(struct.unpack("!10H", head))
        check = 0xFFFF - ((total & 0xFFFF) + (total >> 16))
        capture.packets.append(head[:10] + struct.pack("!H", check) + head[12:] + udp)
    for role in (Role.CLIENT, Role.SERVER):
        secret = tunnel_end.secret(CipherSuite.AES_128_GCM_SHA256, role)
        capture.key_log.append(f"{role.name}_TRAFFIC_SECRET_0 {random.hex()} {secret.hex()}")


def dissected(path: Path, folder: Path) -> list[tshark.Dissection]:
    """What tshark makes of each packet of a capture; all are short headers that it decrypts."""
    packets = captured(path)
    capture = quic_capture.Capture()
    prelude(capture, next(packet for packet in packets if packet[12:16] == CLIENT_ADDRESS))
    capture.packets += packets
    decoded = tshark.dissect(*capture.write(folder), "ip.src", "udp.length")
    assert len(decoded) == len(packets) + 2
    tunnelled = [packet for number, packet in decoded.items() if number > 2]
    for packet in tunnelled:
        assert packet.all("quic.short")
        assert not packet.all("_ws.malformed")
        assert not packet.warnings()
        assert not packet.all("quic.decryption_failed")
        assert packet.all("quic.frame_type")
    return tunnelled
