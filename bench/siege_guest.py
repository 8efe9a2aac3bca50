# SPDX-License-Identifier: BSD-3-Clause
"""Genuine clients that knock one after the other.

Usage: python -m bench.siege_guest CONFIG SECONDS
Prints for each a line of JSON: the seconds that it took to shake hands, or why it failed.
"""

import asyncio
import json
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from nexusnet.handshake.endpoint import ClientConnection
from nexusnet.handshake.errors import HandshakeError
from nexusnet.handshake.profile import EngineConfig
from nexusnet.handshake.verify import TrustedAuthorities
from nexusnet.reality.client import as_reality_client
from nexusnet.reality.credentials import ClientCredentials, parse_public_key, parse_short_id

PAUSE = 0.5


async def main(peer: dict[str, Any], seconds: float) -> None:
    """Knock until the time is up."""
    host, _, port = peer["endpoint"].rpartition(":")
    credentials = ClientCredentials(
        parse_public_key(peer["public_key"]), parse_short_id(peer["short_id"])
    )
    config = as_reality_client(
        EngineConfig(TrustedAuthorities(None), server_name=peer["server_name"]),
        credentials,
        "server",
    )
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin, cpu = time.monotonic(), time.process_time()
        said: dict[str, object] = {}
        try:
            connection = await ClientConnection.open(config, (host.strip("[]"), int(port)))
        except HandshakeError as error:
            said["error"] = f"{type(error).__name__}: {error}"
        else:
            said["seconds"] = time.monotonic() - begin
            said["cpu"] = time.process_time() - cpu
            connection.close()
        print(json.dumps(said), flush=True)
        await asyncio.sleep(PAUSE)


if __name__ == "__main__":
    asyncio.run(main(tomllib.loads(Path(sys.argv[1]).read_text())["peer"][0], float(sys.argv[2])))
