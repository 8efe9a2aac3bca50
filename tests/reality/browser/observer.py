# SPDX-License-Identifier: BSD-3-Clause
"""What a passive observer makes of a client's first flight: Initial keys are public.

Reads datagrams with the project's own reference model of packet protection, so that nothing of
what built them is believed.
"""

import hashlib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from nexusnet.quic.header_protection import header_protection
from nexusnet.quic.keys import (
    CipherSuite,
    derive_header_key,
    derive_packet_keys,
    hkdf_expand_label,
)
from nexusnet.quic.reader import Reader
from nexusnet.reality.client_hello import ClientHello, parse_client_hello

INITIAL_SALT: Final = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
"""RFC 9001 section 5.2."""

GREASE_PARAMETER: Final = "GREASE"
VERSION_INFORMATION: Final = 0x11
ECH: Final = 0xFE0D


@dataclass(frozen=True)
class Initial:
    """One Initial packet."""

    datagram_size: int
    packet_size: int
    version: int
    dcid: bytes
    scid: bytes
    token: bytes
    number: int
    number_length: int
    frames: list[str]
    crypto: dict[int, bytes]

    @property
    def trailing(self) -> int:
        """Bytes of the datagram behind this packet."""
        return self.datagram_size - self.packet_size


@dataclass(frozen=True)
class FirstFlight:
    """All of a client's Initials until its ClientHello was complete."""

    initials: list[Initial] = field(default_factory=list)

    @classmethod
    def of(cls, datagrams: Iterable[bytes]) -> "FirstFlight":
        return cls([read_initial(datagram) for datagram in datagrams])

    @property
    def message(self) -> bytes:
        """The ClientHello; fails where a piece is missing or told twice."""
        pieces = sorted(piece for packet in self.initials for piece in packet.crypto.items())
        message = b""
        for offset, data in pieces:
            assert offset == len(message), "a hole or an overlap in the CRYPTO stream"
            message += data
        return message

    @property
    def hello(self) -> ClientHello:
        return parse_client_hello(self.message)


def _initial_secret(dcid: bytes, label: str) -> bytes:
    extract = HMAC(INITIAL_SALT, hashes.SHA256())
    extract.update(dcid)
    return hkdf_expand_label(hashes.SHA256(), extract.finalize(), label, 32)


def read_initial(
    datagram: bytes, keys_of: bytes | None = None, label: str = "client in"
) -> Initial:
    """Open the Initial at the front of a datagram.

    Args:
        datagram: UDP payload.
        keys_of: DCID that the keys come from; the packet's own where None.
        label: whose packet it is.
    """
    reader = Reader(datagram)
    first = reader.uint8()
    assert first & 0xF0 == 0xC0, "no Initial of QUIC v1"
    version = int.from_bytes(reader.take(4))
    dcid = reader.take(reader.uint8())
    scid = reader.take(reader.uint8())
    token = reader.take(reader.varint())
    length = reader.varint()
    start = len(datagram) - reader.remaining
    suite = CipherSuite.AES_128_GCM
    secret = _initial_secret(dcid if keys_of is None else keys_of, label)
    packet = bytearray(datagram[: start + length])
    mask = header_protection(suite, derive_header_key(suite, secret)).mask(
        bytes(packet[start + 4 : start + 20])
    )
    packet[0] ^= mask[0] & 0x0F
    number_length = (packet[0] & 3) + 1
    for place in range(number_length):
        packet[start + place] ^= mask[1 + place]
    header = bytes(packet[: start + number_length])
    number = int.from_bytes(header[start:])
    keys = derive_packet_keys(suite, secret)
    nonce = (int.from_bytes(keys.iv) ^ number).to_bytes(12)
    payload = AESGCM(keys.key).decrypt(nonce, bytes(packet[len(header) :]), header)
    assert header[0] & 0x0C == 0, "reserved bits"
    frames, crypto = _frames(payload)
    return Initial(
        len(datagram),
        len(packet),
        version,
        dcid,
        scid,
        token,
        number,
        number_length,
        frames,
        crypto,
    )


def _frames(payload: bytes) -> tuple[list[str], dict[int, bytes]]:
    frames: list[str] = []
    crypto: dict[int, bytes] = {}
    reader = Reader(payload)
    while reader.remaining:
        kind = reader.varint()
        if kind == 0:
            frames.append(f"PAD{1 + reader.skip_zeros()}")
        elif kind == 1:
            frames.append("PING")
        elif kind == 6:
            offset = reader.varint()
            data = reader.take(reader.varint())
            assert offset not in crypto
            crypto[offset] = data
            frames.append(f"CRYPTO[{offset}+{len(data)}]")
        elif kind == 2:
            fields = [reader.varint() for _ in range(4)]
            for _ in range(fields[2]):
                reader.varint(), reader.varint()
            frames.append(f"ACK[{fields[0]}]")
        elif kind == 0x1C:
            frames.append(f"CLOSE[{reader.varint():#x}]")
            reader.varint()
            frames[-1] += f"+{len(reader.take(reader.varint()))}"
        else:
            raise AssertionError(f"frame {kind:#x}")
    return frames, crypto


def long_headers(datagram: bytes) -> tuple[list[int], int]:
    """Return the types of the packets with long headers, and the bytes behind them."""
    types: list[int] = []
    reader = Reader(datagram)
    while reader.remaining:
        first = reader.uint8()
        if not first & 0x80:
            return types, reader.remaining + 1
        types.append(first >> 4 & 3)
        reader.take(4)
        reader.take(reader.uint8())
        reader.take(reader.uint8())
        if types[-1] == 0:
            reader.take(reader.varint())
        reader.take(reader.varint())
    return types, 0


def from_capture(path: Path, count: int) -> list[bytes]:
    """Return the UDP payloads of the first `count` packets of a capture."""
    command = ["tshark", "-n", "-r", str(path), "-c", str(count), "-T", "fields"]
    done = subprocess.run(
        [*command, "-e", "udp.payload"], capture_output=True, text=True, timeout=120, check=True
    )
    return [bytes.fromhex(line.replace(":", "")) for line in done.stdout.split()]


def ja4(hello: ClientHello) -> str:
    """Return the JA4 fingerprint of a ClientHello over QUIC."""
    assert all(number & 0x0F0F != 0x0A0A for number in hello.cipher_suites), "GREASE"
    kinds = [extension.type for extension in hello.extensions]
    name = "d" if hello.server_name is not None else "i"
    version = {0x0304: "13", 0x0303: "12"}[max(hello.supported_versions)]
    alpn = hello.alpn[0].decode()
    head = f"q{version}{name}{len(hello.cipher_suites):02}{len(kinds):02}{alpn[0]}{alpn[-1]}"
    suites = ",".join(sorted(f"{suite:04x}" for suite in hello.cipher_suites))
    rest = ",".join(sorted(f"{kind:04x}" for kind in kinds if kind not in {0, 16}))
    algorithms = ",".join(f"{algorithm:04x}" for algorithm in hello.signature_algorithms)
    return "_".join((head, _short(suites), _short(f"{rest}_{algorithms}")))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def transport_parameters(hello: ClientHello) -> list[tuple[int, bytes]]:
    """Return identifiers and values in the order of the wire."""
    assert hello.transport_parameters is not None
    reader = Reader(hello.transport_parameters)
    found = []
    while reader.remaining:
        identifier = reader.varint()
        found.append((identifier, reader.take(reader.varint())))
    return found


def is_grease_parameter(identifier: int) -> bool:
    """Return whether a transport parameter is reserved (RFC 9000 section 18.1)."""
    return identifier % 31 == 27


def is_grease_version(version: int) -> bool:
    """Return whether a version is reserved (RFC 9000 section 15)."""
    return version & 0x0F0F0F0F == 0x0A0A0A0A
