# SPDX-License-Identifier: BSD-3-Clause
"""Looks for key material in this process's memory: `python -m tests.handshake.memory_scan`.

Two ends shake hands, export and wipe; what is left of their secrets before and after is printed as
JSON, in copies found. Needles are kept masked, so that the search does not find itself. Linux only.
"""

import datetime as dt
import gc
import json
import os
from pathlib import Path

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.handshake.profile import EngineConfig
from nexusnet.handshake.verify import PinnedFingerprints
from nexusnet.handshake.wipe import wipe_bytes
from nexusnet.netlink.generated import CipherSuite
from nexusnet.quic.keys import derive_packet_keys
from tests.handshake.continuation import SUITES
from tests.handshake.setting import MIDNIGHT, Scene, Setting

MASK = bytes(value ^ 0x5A for value in range(256))
BLOCK = 1 << 24


def count(masked: dict[str, bytes]) -> dict[str, int]:
    """Return how often each needle stands in readable memory, without the mask."""
    found = dict.fromkeys(masked, 0)
    memory = os.open("/proc/self/mem", os.O_RDONLY)
    for line in Path("/proc/self/maps").read_text().splitlines():
        bounds, rights, *rest = line.split()
        # The kernel's own pages ([vvar] and such) cannot be read.
        if "r" not in rights or (len(rest) > 3 and rest[3].startswith("[v")):
            continue
        start, end = (int(bound, 16) for bound in bounds.split("-"))
        for offset in range(start, end, BLOCK):
            try:
                block = os.pread(memory, min(BLOCK, end - offset), offset).translate(MASK)
            except OSError:
                break
            for name, needle in masked.items():
                found[name] += block.count(needle)
    os.close(memory)
    return found


def main() -> None:
    """Shake hands, look, export, wipe, look again."""
    made = MIDNIGHT - dt.timedelta(days=1)
    server = Credentials.self_signed("vpn.example", not_before=made)
    client = Credentials.self_signed("client.example", not_before=made)
    stage = Scene(
        Setting(
            EngineConfig(
                PinnedFingerprints({client.fingerprint: "alice"}),
                server,
                wall_clock=lambda: MIDNIGHT,
            ),
            EngineConfig(
                PinnedFingerprints({server.fingerprint: "gateway"}),
                client,
                "vpn.example",
                wall_clock=lambda: MIDNIGHT,
            ),
        )
    )
    end = stage.add_client()
    stage.run_all([end])
    other = stage.server_end(end)
    stage.run(lambda: end.busy is None and other.busy is None)
    needles = collect(end)
    before = count(needles)
    for engine in (end, other):
        engine.export().wipe()
    gc.collect()
    print(json.dumps({"before": before, "after": count(needles)}))  # noqa: T201 - its purpose


def collect(engine: HandshakeEngine) -> dict[str, bytes]:
    """Return an engine's secrets, masked, and leave no copy of them."""
    connection = engine._connection
    assert connection is not None
    pair, schedule = connection._one_rtt, connection.tls.key_schedule
    assert pair.send.cipher_suite is not None
    assert pair.send.secret is not None
    assert pair.recv.secret is not None
    assert schedule is not None
    keys = derive_packet_keys(SUITES[CipherSuite(int(pair.send.cipher_suite))], pair.send.secret)
    needles = {
        "tx_secret": pair.send.secret.translate(MASK),
        "rx_secret": pair.recv.secret.translate(MASK),
        "tx_key": keys.key.translate(MASK),
        "master_secret": schedule.secret.translate(MASK),
    }
    wipe_bytes(keys.key)
    return needles


if __name__ == "__main__":
    main()
