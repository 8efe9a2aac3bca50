# SPDX-License-Identifier: BSD-3-Clause
"""How many 1-RTT packets a second the reference model seals and opens on one core."""

import statistics
import time
from dataclasses import dataclass
from typing import Final

from nexusnet.quic.keys import CipherSuite
from nexusnet.quic.protection import ShortHeaderProtection

PAYLOAD_BYTES: Final = 1200
DCID: Final = bytes(range(8))
PN_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Result:
    """Rates in packets a second: the median of all rounds but the first, which warms up."""

    suite: str
    payload_bytes: int
    packets: int
    rounds: int
    seals_per_second: int
    opens_per_second: int


def measure(suite: CipherSuite, packets: int, rounds: int) -> Result:
    """Seal and open `packets` packets, `rounds` times after a first time that does not count."""
    protection = ShortHeaderProtection(suite, bytes(suite.secret_length))
    payload = b"\x30" + bytes(PAYLOAD_BYTES - 1)
    sealing, opening = [], []
    for base in range(0, (rounds + 1) * packets, packets):
        start = time.perf_counter()
        sealed = [
            protection.seal(DCID, pn, PN_LENGTH, payload) for pn in range(base, base + packets)
        ]
        middle = time.perf_counter()
        for pn, packet in enumerate(sealed, base):
            protection.open(packet, DCID, pn - 1)
        end = time.perf_counter()
        sealing.append(packets / (middle - start))
        opening.append(packets / (end - middle))
    return Result(
        suite=suite.value,
        payload_bytes=PAYLOAD_BYTES,
        packets=packets,
        rounds=rounds,
        seals_per_second=round(statistics.median(sealing[1:])),
        opens_per_second=round(statistics.median(opening[1:])),
    )


def run(*, quick: bool) -> list[Result]:
    """Measure every suite; `quick` only shows that it works."""
    packets, rounds = (20, 1) if quick else (20_000, 5)
    return [measure(suite, packets, rounds) for suite in CipherSuite]


def table(results: list[Result]) -> str:
    """Return the results for a human."""
    lines = [
        f"reference model: 1-RTT packets a second, {PAYLOAD_BYTES} bytes of payload, one core",
        f"{'suite':<20}{'seal':>12}{'open':>12}",
    ]
    lines += [
        f"{result.suite:<20}{result.seals_per_second:>12,}{result.opens_per_second:>12,}"
        for result in results
    ]
    return "\n".join(lines)
