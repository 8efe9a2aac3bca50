# SPDX-License-Identifier: BSD-3-Clause
"""The server's socket in reality mode: genuine clients, and the relay beside them."""

import asyncio
import functools
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

from nexusnet.handshake.acceptor import Acceptor, Limits
from nexusnet.handshake.datagram import Address
from nexusnet.handshake.endpoint import Server, log_failure
from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.handshake.errors import HandshakeError
from nexusnet.handshake.events import EngineEvent, Failed
from nexusnet.handshake.flood import REST
from nexusnet.handshake.profile import EngineConfig
from nexusnet.handshake.udp import UdpSocket
from nexusnet.reality.connection_ids import TaggedConnectionIds
from nexusnet.reality.decision import Accept
from nexusnet.reality.demultiplexer import Demultiplexer, HelloDecider
from nexusnet.reality.flows import Flow, RelayLimits
from nexusnet.reality.relay import RelaySockets, is_same_port
from nexusnet.reality.server_connection import RealityServerConnection
from nexusnet.reality.template import Template

logger = logging.getLogger(__name__)


class RealityServer(Server):
    """Shakes hands with genuine clients, and relays everyone else.

    Attributes:
        demultiplexer: who gets which datagram, with counters.
        template: what our answers look like; `follow` replaces it.
        unshaped: flights that were not cut like the template's.
    """

    demultiplexer: Demultiplexer
    template: Template
    unshaped: int
    _relay: RelaySockets

    @classmethod
    def serve(
        cls,
        config: EngineConfig,
        local: Address,
        *,
        target: Address,
        template: Template,
        decider: HelloDecider,
        connection_ids: TaggedConnectionIds,
        limits: Limits | None = None,
        relay_limits: RelayLimits | None = None,
        mark: int | None = None,
        wall_clock: Callable[[], float] = time.time,
        on_failure: Callable[[HandshakeEngine, HandshakeError], None] | None = None,
    ) -> Self:
        """Open the socket and begin; needs a running event loop.

        Args:
            config: what we offer: `tls_context` is `RealityServerTls` or a subclass, and
                `connection_id_length` that of the template.
            local: address and port to listen on; `::` takes IPv4 as well.
            target: IP address and port of the camouflage target.
            template: how it answers, from `target.probe_target`.
            decider: tells genuine clients from all others.
            connection_ids: issues ours, in the template's shape.
            limits: what is spent on handshakes.
            relay_limits: what is spent on strangers.
            mark: of packets to the target.
            wall_clock: time of day in seconds since 1970.
            on_failure: told of each handshake that failed; logged where None.

        Raises:
            CredentialsError: the configuration has no certificate.
            OSError: the port is taken, or not ours to take.
            ValueError: `target` is no IP address or our own port, or connection IDs have two
                lengths.
        """
        lengths = {
            config.profile.connection_id_length,
            connection_ids.shape.length,
            template.cid.length,
        }
        if len(lengths) != 1:
            raise ValueError(f"connection IDs of different lengths: {sorted(lengths)}")
        if is_same_port(local, target):
            raise ValueError("the camouflage target is this server's own port")
        relay_limits = relay_limits or RelayLimits()
        # A target far away is given more time: our answer is not to come before its.
        patience = max(relay_limits.answer, 2 * template.delay)
        acceptor = Acceptor(
            config,
            limits,
            new_connection_id=connection_ids.issue,
            new_reset_token=connection_ids.reset_token,
        )
        loop = asyncio.get_running_loop()

        def hear(number: int, cids: Sequence[bytes], held: int, octets: int) -> None:
            server.demultiplexer.hear(number, cids, held, octets, loop.time())

        def flush() -> None:
            server.kick()

        def begin(flow: Flow, accepted: Accept, now: float) -> HandshakeEngine | None:
            return server.begin(flow, accepted, now)

        def rest() -> float:
            return server.rest()

        udp = UdpSocket.bind(local)
        try:
            relay = RelaySockets(target, udp.sock, hear, flush, mark=mark, rest=rest)
        except BaseException:
            udp.close()
            raise
        demultiplexer = Demultiplexer(
            acceptor,
            decider,
            connection_ids,
            relay,
            wall_clock=wall_clock,
            begin=begin,
            limits=replace(relay_limits, answer=patience),
        )
        server = cls(acceptor, udp, on_failure or log_failure, demultiplexer)
        server.demultiplexer = demultiplexer
        server.template = template
        server.unshaped = 0
        server._relay = relay
        server.start()
        return server

    def rest(self) -> float:
        """Return for how long datagrams may wait, see `Server.rest`: for a moment in a flood."""
        now = asyncio.get_running_loop().time()
        return REST if self.demultiplexer.is_besieged(now) else 0.0

    def follow(self, template: Template) -> None:
        """Answer like a newer template from now on.

        Raises:
            ValueError: its connection IDs have another length: the data plane was told ours at the
                start.
        """
        if template.cid.length != self.template.cid.length:
            raise ValueError(
                f"the target's connection IDs have {template.cid.length} bytes now, ours"
                f" {self.template.cid.length}: restart to follow it"
            )
        self.template = template

    def begin(self, flow: Flow, accepted: Accept, now: float) -> HandshakeEngine | None:
        """Begin the handshake of an accepted flow, see `Demultiplexer`."""
        template = self.template
        flight = secrets.choice(template.flights)
        make = functools.partial(
            RealityServerConnection,
            accepted=accepted,
            shape=template.shape(flight),
            flight=flight,
            on_unshaped=self._unshaped,
        )
        return self.acceptor.begin(flow.held, flow.dcid or b"", now, make=make)

    def _unshaped(self) -> None:
        self.unshaped += 1
        log = logger.warning if self.unshaped == 1 else logger.debug
        log("an answer could not be cut like the camouflage target's")

    def ended(self, engine: HandshakeEngine) -> None:
        """Tell that the session of a released connection is over."""
        self.demultiplexer.ended(engine, asyncio.get_running_loop().time())
        self.kick()

    def close(self) -> None:
        """End the handshakes under way and the relay, and close the socket."""
        self.demultiplexer.close()
        self._relay.close_all()
        super().close()

    def _handle(self, engine: HandshakeEngine, event: EngineEvent) -> None:
        if isinstance(event, Failed):
            self.demultiplexer.ended(engine, asyncio.get_running_loop().time())
        super()._handle(engine, event)
