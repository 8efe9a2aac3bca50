# SPDX-License-Identifier: BSD-3-Clause
"""Probing the camouflage target: what its answers look like, at start and now and then.

Each probe sends a browser's hello and then keeps quiet, so that the whole first flight is seen as
far as the target may send it; then it shakes hands, and closes like one who has changed his mind.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from nexusnet.handshake.datagram import Address, Received
from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.handshake.profile import EngineConfig, utc_now
from nexusnet.handshake.udp import UdpSocket, normal_address
from nexusnet.handshake.verify import AnyPeer
from nexusnet.reality.browser.dressing import as_browser
from nexusnet.reality.initial import is_answer
from nexusnet.reality.long_header import parse_long_header
from nexusnet.reality.template import Observation, TargetError, Template, observe

PROBES: Final = 5
"""Connections that a template is made from: from 4 on, fixed bytes of connection IDs show."""

QUIET: Final = 0.150
"""Seconds for which a probe keeps quiet after the ServerHello. No server repeats anything in that
time: its probe timeout is three times the initial RTT, 333 ms (RFC 9002 section 6.2.2)."""

PATIENCE: Final = 3.0
"""Seconds in which an answer has to come."""

POLITENESS: Final = 0.050
"""Seconds that the target gets to read our CONNECTION_CLOSE before the port is closed."""

LEAST_WAIT: Final = 0.001

Prepare = Callable[[UdpSocket], None]
"""Sets up a socket, such as with a mark."""


def client_config(server_name: str) -> EngineConfig:
    """Return the configuration of a probe: a browser that takes any certificate."""
    return replace(as_browser(EngineConfig(AnyPeer(), server_name=server_name)), wall_clock=utc_now)


async def probe_once(
    target: Address, config: EngineConfig, *, prepare: Prepare | None = None
) -> Observation:
    """Connect once and describe the answer.

    Args:
        target: IP address and port.
        config: a client's.
        prepare: sets up the socket.

    Raises:
        TargetError: the answer cannot be copied, or there is none.
        OSError: no socket can be opened.
    """
    loop = asyncio.get_running_loop()
    target = normal_address(target)
    udp = UdpSocket.for_remote(target)
    try:
        if prepare is not None:
            prepare(udp)
        udp.connect(target)
        started = loop.time()
        engine = HandshakeEngine.client(config, local=udp.local, remote=target, now=started)
        hello = engine.transmit(started)
        for transmit in hello:
            udp.send(transmit)
        header = parse_long_header(hello[0].data)
        if header is None:
            raise TargetError("the probe's own hello is no QUIC packet")
        replies = await _listen(udp, engine, header.dcid)
        observation = observe(
            header.dcid, [(seconds, received.data) for seconds, received in replies]
        )
        # The rest is good manners: nothing that it brings to light would change the template.
        for _, received in replies:
            engine.receive(received, loop.time())
        for transmit in engine.transmit(loop.time()):
            udp.send(transmit)
        await asyncio.sleep(POLITENESS)
        engine.close()
        for transmit in engine.transmit(loop.time()):
            udp.send(transmit)
        await asyncio.sleep(POLITENESS)
        return observation
    finally:
        udp.close()


async def _listen(
    udp: UdpSocket, engine: HandshakeEngine, dcid: bytes
) -> list[tuple[float, Received]]:
    """Return what the target says, with the seconds since the hello was sent last.

    Until it answers, the hello is sent again as a browser does it: some servers drop the second
    half of one that comes at the same moment as the first.
    """
    loop = asyncio.get_running_loop()
    replies: list[tuple[float, Received]] = []
    asked = loop.time()
    end = asked + PATIENCE
    answered = False
    while (now := loop.time()) < end:
        due = None if answered else engine.deadline()
        if due is not None and due <= now:
            engine.handle_deadline(now)
            for transmit in engine.transmit(now):
                udp.send(transmit)
                asked = now
        await _readable(udp, min(end, due or end) - now)
        while isinstance(item := udp.receive(), Received):
            replies.append((loop.time() - asked, item))
            if not answered and is_answer(dcid, item.data):
                answered = True
                end = loop.time() + QUIET
    return replies


async def _readable(udp: UdpSocket, seconds: float) -> None:
    """Wait until something can be read, or the time is up."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(udp.sock, ready.set)
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ready.wait(), max(seconds, LEAST_WAIT))
    finally:
        loop.remove_reader(udp.sock)


async def probe_target(
    target: Address,
    server_name: str,
    *,
    probes: int = PROBES,
    config: EngineConfig | None = None,
    prepare: Prepare | None = None,
) -> Template:
    """Probe a target and return the template of its answers.

    Args:
        target: IP address and port.
        server_name: DNS name to ask for.
        probes: connections, one after the other, 4 or more for the structure of connection IDs.
        config: of the client; a browser's where None.
        prepare: sets up each socket.

    Raises:
        TargetError: the target does not do; says why and what to do.
        OSError: no socket can be opened.
    """
    seen: list[Observation] = []
    last: TargetError | None = None
    # A lost datagram costs a probe, not the start.
    for _ in range(2 * probes):
        try:
            seen.append(
                await probe_once(target, config or client_config(server_name), prepare=prepare)
            )
        except TargetError as error:
            if last is not None and str(last) == str(error) and not seen:
                raise
            last = error
        if len(seen) == probes:
            break
    if len(seen) < probes and last is not None:
        raise last
    return Template.of(seen)
