# SPDX-License-Identifier: BSD-3-Clause
"""Real Chromium, from Debian's package, in front of our port: it gets the camouflage site.

`make test-chromium` runs it; nothing but loopback is used.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization

from nexusnet.reality.client_hello import parse_client_hello
from nexusnet.reality.decision import Reason
from nexusnet.reality.long_header import PacketType, parse_long_header
from tests.reality.port import PAGE, SITE_NAME
from tests.reality.serving import message_of, serving

if TYPE_CHECKING:
    from pathlib import Path

    from nexusnet.handshake.credentials import Credentials
    from nexusnet.handshake.datagram import Address

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="apt install chromium"),
]

PATIENCE = 120.0


def spki_digest(credentials: Credentials) -> str:
    key = credentials.certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


async def browse(remote: Address, credentials: Credentials, profile: Path) -> str:
    """Open the site's page over HTTP/3 at `remote`; return the document."""
    host, port = remote
    process = await asyncio.create_subprocess_exec(
        "chromium",
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-domain-reliability",
        "--disable-sync",
        "--disable-default-apps",
        "--disable-client-side-phishing-detection",
        "--no-pings",
        "--no-proxy-server",
        "--metrics-recording-only",
        f"--user-data-dir={profile}",
        "--enable-quic",
        f"--origin-to-force-quic-on={SITE_NAME}:{port}",
        f"--ignore-certificate-errors-spki-list={spki_digest(credentials)}",
        # Nothing but the site is looked up, and nothing else reached.
        f"--host-resolver-rules=MAP {SITE_NAME} {host}, MAP * ~NOTFOUND",
        "--dump-dom",
        f"https://{SITE_NAME}:{port}/",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        document, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.send_signal(signal.SIGKILL)
        await process.wait()
        raise
    assert process.returncode == 0
    return document.decode()


def test_chromium_loads_the_sites_page_through_our_port(
    site: Credentials,
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with serving(site) as scene:
            document = await browse(scene.front.local, site, tmp_path)
            assert PAGE.decode().strip() in document
            await asyncio.sleep(0.2)
            # Byte for byte what the site sent, and all that Chromium sent.
            assert scene.front.back == scene.back.back
            assert scene.front.forth == scene.back.forth
            first = [one for one in scene.front.forth if one[0] & 0x80][:2]
            headers = [parse_long_header(one) for one in first]
            assert all(one and one.packet_type is PacketType.INITIAL for one in headers)
            hello = parse_client_hello(message_of(first))
            assert hello.server_name == SITE_NAME
            # It was decided about, as a whole, though it came in two Initials out of order.
            assert scene.server.demultiplexer.reasons[Reason.BAD_TAG] >= 1
            assert set(scene.server.demultiplexer.reasons) == {Reason.BAD_TAG}

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE + 60))


def test_a_tunnel_and_chromium_side_by_side(
    site: Credentials,
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with serving(site) as scene:
            client = await scene.connect()
            accepted = await scene.server.accept()
            ours, theirs = await client.export(), await accepted.export()
            assert ours.keys.tx == theirs.keys.rx
            document = await browse(scene.front.local, site, tmp_path)
            assert PAGE.decode().strip() in document
            again = await scene.connect()
            await (await scene.server.accept()).export()
            client.close()
            again.close()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE + 60))
