# SPDX-License-Identifier: BSD-3-Clause
"""How many 1-RTT packets a second the reference model seals and opens on one core.

Run as `python -m bench.quic_model` in the root of the tree.
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from typing import Final

from nexusnet.quic.keys import CipherSuite
from nexusnet.quic.protection import ShortHeaderProtection

DCID: Final = bytes(range(8))
PN_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Result:
    """Rates in packets a second: the median of all rounds."""

    suite: str
    payload_bytes: int
    packets: int
    rounds: int
    seals_per_second: int
    opens_per_second: int


def measure(suite: CipherSuite, payload_bytes: int, packets: int, rounds: int) -> Result:
    """Seal and open `packets` packets, `rounds` times."""
    protection = ShortHeaderProtection(suite, bytes(suite.secret_length))
    payload = b"\x30" + bytes(payload_bytes - 1)
    sealing, opening = [], []
    for round_number in range(rounds):
        base = round_number * packets
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
        payload_bytes=payload_bytes,
        packets=packets,
        rounds=rounds,
        seals_per_second=round(statistics.median(sealing)),
        opens_per_second=round(statistics.median(opening)),
    )


def main() -> int:
    """Measure every suite and print the results."""
    parser = argparse.ArgumentParser(prog="python -m bench.quic_model", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--payload", type=int, default=1200, metavar="BYTES", help="default 1200")
    parser.add_argument("--packets", type=int, default=20_000, help="in a round; default 20000")
    parser.add_argument("--rounds", type=int, default=5, help="default 5; the median counts")
    arguments = parser.parse_args()
    if arguments.payload < 1 or arguments.packets < 1 or arguments.rounds < 1:
        parser.error("sizes and counts are 1 or more")
    results = [
        measure(suite, arguments.payload, arguments.packets, arguments.rounds)
        for suite in CipherSuite
    ]
    if arguments.json:
        document = {"benchmark": "quic_model", "results": [asdict(result) for result in results]}
        print(json.dumps(document, indent=2))
        return 0
    print(f"reference model, {arguments.payload} bytes of payload, one core, packets a second")
    print(f"{'suite':<20}{'seal':>12}{'open':>12}")
    for result in results:
        print(f"{result.suite:<20}{result.seals_per_second:>12,}{result.opens_per_second:>12,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
