# SPDX-License-Identifier: BSD-3-Clause
"""Compares a first flight with the profile of a real browser, point by point."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nexusnet.reality.client_hello import ClientHello
from tests.reality.browser.observer import (
    ECH,
    VERSION_INFORMATION,
    FirstFlight,
    Initial,
    is_grease_parameter,
    is_grease_version,
    ja4,
    transport_parameters,
)

DATA: Final = Path(__file__).parents[1] / "data"
CAPTURE: Final = DATA / "chromium-156-quic.pcap"
PROFILE: Final[dict[str, Any]] = json.loads(CAPTURE.with_suffix(".json").read_text())

CAPTURED_NAME: Final = "www.example.com"
"""What the captured browser asked for; sizes are those for a name of this length."""

HELLO_SIZES: Final = range(1870, 1991)
"""Bytes of the hello. Only two parts vary: the payload of ECH GREASE (by 96 bytes) and the GREASE
parameter (by 15, and by its identifier's size); the captured one, 1,984, is near the upper end."""

FRAME_COUNTS: Final = range(8, 25)
NUMBER_LENGTHS: Final = (1, 2)
"""Bytes of the two packet numbers, read from the capture: the profile's notes do not mention it."""

ECH_LENGTHS: Final = frozenset({186, 218, 250, 282})
SERVER_NAME: Final = 0
TRANSPORT_PARAMETERS: Final = 0x39


@dataclass(frozen=True)
class Difference:
    """Something that an observer can tell apart."""

    what: str
    browser: object
    ours: object

    def __str__(self) -> str:
        return f"{self.what}: browser {self.browser}, here {self.ours}"


def differences(flight: FirstFlight) -> list[Difference]:
    """Return everything in which a first flight differs from the browser's."""
    hello = flight.hello
    found = [*_packets(flight.initials), *_hello(hello), *_parameters(hello)]
    if len(flight.message) not in HELLO_SIZES:
        found.append(Difference("bytes of the hello", HELLO_SIZES, len(flight.message)))
    return found


def _differ(what: str, browser: object, ours: object) -> Iterator[Difference]:
    if browser != ours:
        yield Difference(what, browser, ours)


def _packets(initials: list[Initial]) -> Iterator[Difference]:
    model = PROFILE["initials"]
    yield from _differ("datagrams", len(model), len(initials))
    for theirs, length, ours in zip(model, NUMBER_LENGTHS, initials, strict=False):
        yield from _differ("datagram size", theirs["size"], ours.datagram_size)
        yield from _differ("bytes behind the Initial", 0, ours.trailing)
        yield from _differ("version", theirs["version"], ours.version)
        yield from _differ("DCID length", theirs["dcid"], len(ours.dcid))
        yield from _differ("SCID length", theirs["scid"], len(ours.scid))
        yield from _differ("token", theirs["token"], len(ours.token))
        yield from _differ("packet number", theirs["pn"], ours.number)
        yield from _differ("packet number length", length, ours.number_length)
        kinds = {frame.rstrip("0123456789[]+") for frame in ours.frames}
        yield from _differ("frames", {"PAD", "PING", "CRYPTO"}, kinds)
        if len(ours.frames) not in FRAME_COUNTS:
            yield Difference("number of frames", FRAME_COUNTS, len(ours.frames))
        offsets = list(ours.crypto)
        # Two pieces may be in order by chance; more than that are not likely to be.
        if len(offsets) > 7 and offsets == sorted(offsets):
            yield Difference("order of CRYPTO", "shuffled", offsets)


def _hello(hello: ClientHello) -> Iterator[Difference]:
    yield from _differ("JA4", PROFILE["ja4"], ja4(hello))
    yield from _differ("session ID", PROFILE["session_id"], len(hello.session_id))
    yield from _differ("suites", PROFILE["suites"], _hex(hello.cipher_suites))
    yield from _differ("groups", PROFILE["groups"], _hex(hello.groups))
    yield from _differ("algorithms", PROFILE["sigalgs"], _hex(hello.signature_algorithms))
    shares = [[f"{share.group:04x}", len(share.data)] for share in hello.key_shares]
    yield from _differ("key shares", PROFILE["key_shares"], shares)
    theirs = {int(text[:4], 16): int(text[5:-1]) for text in PROFILE["extensions"]}
    ours = {extension.type: extension.data for extension in hello.extensions}
    yield from _differ("extensions", sorted(theirs), sorted(ours))
    for kind, length in theirs.items():
        data = ours.get(kind)
        if data is None or kind == TRANSPORT_PARAMETERS:
            continue
        if kind == SERVER_NAME:
            yield from _differ("server name's frame", 5, len(data) - len(hello.server_name or ""))
        elif kind == ECH:
            yield from _ech(data)
        else:
            yield from _differ(f"length of extension {kind:#06x}", length, len(data))
    x25519 = {share.group: share.data[-32:] for share in hello.key_shares}
    if len(set(x25519.values())) != len(x25519):
        yield Difference("X25519 keys", "one a share", "one for both")


def _ech(data: bytes) -> Iterator[Difference]:
    # Outer, HKDF-SHA256 and AES-128-GCM, any config ID, a key of 32 bytes, a payload.
    yield from _differ("ECH header", "0000010001", data[:5].hex())
    yield from _differ("ECH key length", 32, int.from_bytes(data[6:8]))
    yield from _differ("ECH payload length", len(data) - 42, int.from_bytes(data[40:42]))
    if len(data) not in ECH_LENGTHS:
        yield Difference("length of ECH", sorted(ECH_LENGTHS), len(data))


def _parameters(hello: ClientHello) -> Iterator[Difference]:
    theirs = {
        int(identifier, 16): bytes.fromhex(value)
        for identifier, _, value in PROFILE["transport_parameters"]
    }
    ours = dict(transport_parameters(hello))
    for what, values in (("browser", theirs), ("ours", ours)):
        grease = [identifier for identifier in values if is_grease_parameter(identifier)]
        yield from _differ(f"GREASE parameters of {what}", 1, len(grease))
        for identifier in grease:
            if len(values.pop(identifier)) > 15:
                yield Difference("GREASE parameter", "at most 15 bytes", "more")
        yield from _versions(values.pop(VERSION_INFORMATION, b""))
    yield from _differ("transport parameters", sorted(theirs.items()), sorted(ours.items()))


def _versions(value: bytes) -> Iterator[Difference]:
    versions = [int.from_bytes(value[at : at + 4]) for at in range(0, len(value), 4)]
    plain = ["GREASE" if is_grease_version(version) else version for version in versions]
    yield from _differ("chosen version", [1], plain[:1])
    yield from _differ("available versions", ["1", "GREASE"], sorted(map(str, plain[1:])))


def _hex(numbers: tuple[int, ...]) -> list[str]:
    return [f"{number:04x}" for number in numbers]
