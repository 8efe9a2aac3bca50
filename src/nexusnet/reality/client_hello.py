# SPDX-License-Identifier: BSD-3-Clause
"""A strict reading of the ClientHello (RFC 8446 section 4.1.2), as anyone may have sent it.

What is malformed here is relayed: the camouflage target answers it as it likes.
"""

import enum
import itertools
import struct
from typing import Final, NamedTuple

RANDOM_OFFSET: Final = 6
"""Where `random` begins in the handshake message: after type, length and legacy_version."""

RANDOM_LENGTH: Final = 32

MAX_LENGTH: Final = 16384
"""Bytes of a handshake message that are looked at; a browser's have about 2,000."""

HEADER_LENGTH: Final = 4
CLIENT_HELLO: Final = 1
LEGACY_VERSION: Final = 0x0303
HOST_NAME: Final = 0
TAG_LENGTH: Final = 4
"""Bytes of number and length in front of an extension or a key share."""

X25519: Final = 0x001D
X25519_LENGTH: Final = 32
X25519MLKEM768: Final = 0x11EC
X25519MLKEM768_LENGTH: Final = 1216
"""A client's share: an ML-KEM-768 encapsulation key of 1184 bytes, then an X25519 share."""


class ExtensionType(enum.IntEnum):
    """Extensions that are read (RFC 8446 section 4.2, RFC 7301, RFC 9001 section 8.2)."""

    SERVER_NAME = 0
    SUPPORTED_GROUPS = 10
    SIGNATURE_ALGORITHMS = 13
    ALPN = 16
    PRE_SHARED_KEY = 41
    SUPPORTED_VERSIONS = 43
    KEY_SHARE = 51
    QUIC_TRANSPORT_PARAMETERS = 57


NAMES: Final = {kind: kind.name.lower() for kind in ExtensionType}
"""For messages: an enumeration takes its time to tell them."""


class HelloFault(enum.Enum):
    """What is wrong with a ClientHello."""

    NOT_CLIENT_HELLO = "not_client_hello"
    TOO_LONG = "too_long"
    TRUNCATED = "truncated"
    TRAILING = "trailing"
    ILLEGAL_VALUE = "illegal_value"
    DUPLICATE = "duplicate"


class HelloError(ValueError):
    """A ClientHello cannot be read.

    Attributes:
        fault: what is wrong with it.
    """

    def __init__(self, fault: HelloFault, text: str) -> None:
        super().__init__(f"{text} ({fault.value})")
        self.fault = fault


class Extension(NamedTuple):
    """An extension as it was sent; `type` is a number of 16 bits, GREASE or not."""

    type: int
    data: bytes


class KeyShare(NamedTuple):
    """A key_share entry: the group's number, and what the client sent for it."""

    group: int
    data: bytes


class ClientHello(NamedTuple):
    """A ClientHello, read; numbers are those of the registries, lists in the client's order.

    Attributes:
        message: the whole handshake message, type and length included.
        random: 32 bytes.
        session_id: legacy_session_id, up to 32 bytes; empty over QUIC (RFC 9001 section 8.4).
        cipher_suites: at least one.
        compression_methods: one byte each, at least one.
        extensions: no type twice.
        server_name: host name as it was sent; None without the extension.
        alpn: application protocols.
        groups: supported_groups.
        signature_algorithms: for CertificateVerify.
        supported_versions: of TLS.
        key_shares: no group twice.
        has_psk: whether there is a pre_shared_key extension.
        transport_parameters: of QUIC, not read; None without them.
    """

    message: bytes
    random: bytes
    session_id: bytes
    cipher_suites: tuple[int, ...]
    compression_methods: bytes
    extensions: tuple[Extension, ...]
    server_name: str | None
    alpn: tuple[bytes, ...]
    groups: tuple[int, ...]
    signature_algorithms: tuple[int, ...]
    supported_versions: tuple[int, ...]
    key_shares: tuple[KeyShare, ...]
    has_psk: bool
    transport_parameters: bytes | None

    @property
    def x25519_share(self) -> bytes | None:
        """The X25519 public key that the authenticator is bound to, 32 bytes; None without one.

        The share of group X25519, else the X25519 half of an X25519MLKEM768 share.
        """
        shares = {share.group: share.data for share in self.key_shares}
        plain = shares.get(X25519)
        if plain is not None:
            return plain if len(plain) == X25519_LENGTH else None
        hybrid = shares.get(X25519MLKEM768)
        if hybrid is not None and len(hybrid) == X25519MLKEM768_LENGTH:
            return hybrid[-X25519_LENGTH:]
        return None


class _Reader:
    """Fields in order; runs off no end."""

    __slots__ = ("_data", "_end", "_offset", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._end = len(data)
        self._offset = 0
        self._what = what

    @property
    def left(self) -> int:
        return self._end - self._offset

    def take(self, length: int) -> bytes:
        start = self._offset
        end = start + length
        if end > self._end:
            text = f"{self._what}: {length} bytes announced, {self._end - start} left"
            raise HelloError(HelloFault.TRUNCATED, text)
        self._offset = end
        return self._data[start:end]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int, minimum: int = 0, maximum: int = 65535) -> bytes:
        """Read a vector with a length field of `size` bytes (RFC 8446 section 3.4)."""
        length = int.from_bytes(self.take(size), "big")
        if not minimum <= length <= maximum:
            text = f"{self._what}: a vector of {length} bytes, {minimum} to {maximum} are legal"
            raise HelloError(HelloFault.ILLEGAL_VALUE, text)
        return self.take(length)

    def end(self) -> None:
        if self.left:
            raise HelloError(HelloFault.TRAILING, f"{self._what}: {self.left} bytes too many")


def _tagged(data: bytes, what: str, entry: str, least: int) -> dict[int, bytes]:
    """Read entries of a 16-bit number, none twice, and a vector of at least `least` bytes."""
    entries: dict[int, bytes] = {}
    start, end = 0, len(data)
    # Most of a hello comes through here, of every stranger: no call for each field.
    while start < end:
        begin = start + TAG_LENGTH
        stop = begin + int.from_bytes(data[start + 2 : begin], "big")
        if begin > end or stop > end:
            text = f"{what}: an entry goes on for {max(begin, stop) - end} bytes behind the end"
            raise HelloError(HelloFault.TRUNCATED, text)
        number = int.from_bytes(data[start : start + 2], "big")
        if stop - begin < least:
            text = f"{what}: an entry of {stop - begin} bytes, {least} are the least"
            raise HelloError(HelloFault.ILLEGAL_VALUE, text)
        if number in entries:
            raise HelloError(HelloFault.DUPLICATE, f"{entry} {number:#06x} appears twice")
        entries[number] = data[begin:stop]
        start = stop
    return entries


def _whole(data: bytes, what: str, size: int, minimum: int) -> bytes:
    """Read the one vector that an extension consists of."""
    length = len(data) - size
    if length >= minimum and int.from_bytes(data[:size], "big") == length:
        return data[size:]
    reader = _Reader(data, what)
    inner = reader.vector(size, minimum)
    reader.end()
    return inner


def _numbers(data: bytes, what: str) -> tuple[int, ...]:
    if len(data) % 2:
        raise HelloError(HelloFault.ILLEGAL_VALUE, f"{what}: an odd number of bytes")
    return struct.unpack(f">{len(data) // 2}H", data)


def _server_name(data: bytes) -> str:
    """Read the host name (RFC 6066 section 3)."""
    reader = _Reader(_whole(data, "server_name", 2, 1), "server_name")
    kind = reader.number(1)
    name = reader.vector(2, 1)
    reader.end()
    if kind != HOST_NAME:
        raise HelloError(HelloFault.ILLEGAL_VALUE, "server_name: not a host name")
    try:
        return name.decode("ascii")
    except UnicodeDecodeError as error:
        raise HelloError(HelloFault.ILLEGAL_VALUE, "server_name: not ASCII") from error


def _alpn(data: bytes) -> tuple[bytes, ...]:
    reader = _Reader(_whole(data, "alpn", 2, 2), "alpn")
    names = []
    while reader.left:
        names.append(reader.vector(1, 1))
    return tuple(names)


def message_length(start: bytes) -> int | None:
    """Return how many bytes the ClientHello has that begins with `start`.

    Args:
        start: CRYPTO data from offset 0 on, as far as it is known.

    Returns:
        Bytes of the handshake message, or None while fewer than 4 are known.

    Raises:
        HelloError: no ClientHello begins like this, or it is longer than `MAX_LENGTH`.
    """
    if start and start[0] != CLIENT_HELLO:
        raise HelloError(HelloFault.NOT_CLIENT_HELLO, f"handshake message of type {start[0]}")
    if len(start) < HEADER_LENGTH:
        return None
    length = HEADER_LENGTH + int.from_bytes(start[1:HEADER_LENGTH], "big")
    if length > MAX_LENGTH:
        raise HelloError(HelloFault.TOO_LONG, f"a ClientHello of {length} bytes")
    return length


def parse_client_hello(message: bytes) -> ClientHello:
    """Read a ClientHello.

    Args:
        message: the handshake message, complete, nothing behind it.

    Raises:
        HelloError: it is malformed.
    """
    length = message_length(message)
    if length is None or len(message) < length:
        raise HelloError(HelloFault.TRUNCATED, f"a ClientHello of which {len(message)} bytes came")
    if len(message) > length:
        raise HelloError(HelloFault.TRAILING, f"{len(message) - length} bytes behind a ClientHello")
    reader = _Reader(message, "ClientHello")
    reader.take(HEADER_LENGTH)
    if reader.number(2) != LEGACY_VERSION:
        raise HelloError(HelloFault.ILLEGAL_VALUE, "legacy_version is not 0x0303")
    random = reader.take(RANDOM_LENGTH)
    session_id = reader.vector(1, 0, 32)
    suites = _numbers(reader.vector(2, 2), "cipher_suites")
    compression = reader.vector(1, 1)
    block = reader.vector(2)
    reader.end()
    known = _tagged(block, "extensions", "extension", 0)

    def numbers(kind: ExtensionType, size: int = 2) -> tuple[int, ...]:
        data, name = known.get(kind), NAMES[kind]
        return () if data is None else _numbers(_whole(data, name, size, 2), name)

    shares: dict[int, bytes] = {}
    if ExtensionType.KEY_SHARE in known:
        # An empty list asks for a HelloRetryRequest (RFC 8446 section 4.2.8).
        entries = _whole(known[ExtensionType.KEY_SHARE], "key_share", 2, 0)
        shares = _tagged(entries, "key_share", "key share", 1)
    psk = ExtensionType.PRE_SHARED_KEY in known
    if psk and next(reversed(known)) != ExtensionType.PRE_SHARED_KEY:
        # RFC 8446 section 4.2.11.
        raise HelloError(HelloFault.ILLEGAL_VALUE, "pre_shared_key is not the last extension")
    name = known.get(ExtensionType.SERVER_NAME)
    alpn = known.get(ExtensionType.ALPN)
    return ClientHello(
        message=message,
        random=random,
        session_id=session_id,
        cipher_suites=suites,
        compression_methods=compression,
        extensions=tuple(itertools.starmap(Extension, known.items())),
        server_name=None if name is None else _server_name(name),
        alpn=() if alpn is None else _alpn(alpn),
        groups=numbers(ExtensionType.SUPPORTED_GROUPS),
        signature_algorithms=numbers(ExtensionType.SIGNATURE_ALGORITHMS),
        supported_versions=numbers(ExtensionType.SUPPORTED_VERSIONS, 1),
        key_shares=tuple(itertools.starmap(KeyShare, shares.items())),
        has_psk=psk,
        transport_parameters=known.get(ExtensionType.QUIC_TRANSPORT_PARAMETERS),
    )
