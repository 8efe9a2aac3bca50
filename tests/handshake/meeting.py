# SPDX-License-Identifier: BSD-3-Clause
"""One of our engines meets a plain aioquic peer, and the reference model goes on for it."""

from aioquic.quic.recovery import QuicPacketSpace
from aioquic.tls import CipherSuite, Epoch

from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.handshake.events import EngineEvent
from nexusnet.session import SessionRef
from tests.handshake.continuation import Continuation
from tests.handshake.setting import PlainPeer, PlainServer, Scene, Setting, plain_client
from tests.handshake.wire import CLIENT, SERVER, Wire

ROLES = ["client", "server"]
ALL_SUITES = [
    CipherSuite.AES_128_GCM_SHA256,
    CipherSuite.AES_256_GCM_SHA384,
    CipherSuite.CHACHA20_POLY1305_SHA256,
]
REF = SessionRef(1, 1)


class Meeting:
    """One of our engines and a plain aioquic peer, up to where ours is ready."""

    def __init__(
        self,
        setting: Setting,
        role: str,
        *,
        suite: CipherSuite = CipherSuite.AES_128_GCM_SHA256,
        wire: Wire | None = None,
    ) -> None:
        self.wire = wire or Wire()
        setting = setting.trusting().with_server(suites=(suite,)).with_client(suites=(suite,))
        self.peer: PlainPeer
        if role == "client":
            self.address, self.peer_address = CLIENT, SERVER
            self.peer = PlainServer(setting)
            self.wire.attach(SERVER, self.peer)
            self.engine = HandshakeEngine.client(
                setting.client, local=CLIENT, remote=SERVER, now=self.wire.now
            )
            self.wire.attach(CLIENT, self.engine)
        else:
            self.address, self.peer_address = SERVER, CLIENT
            self.scene = Scene(setting, self.wire)
            self.peer = plain_client(self.wire)
            self.wire.attach(CLIENT, self.peer)
            self.wire.run(lambda: bool(self.scene.acceptor.engines))
            self.engine = self.scene.server_end(self.peer)

    def ready(self) -> "Meeting":
        self.wire.run(lambda: self.engine.busy is None or self.engine.error is not None)
        if self.engine.error is not None:
            raise self.engine.error
        return self

    @property
    def peer_space(self) -> QuicPacketSpace:
        return self.peer.quic._spaces[Epoch.ONE_RTT]

    def events(self) -> list[EngineEvent]:
        """What the engine, or the acceptor for it, has told since the last call."""
        found: list[EngineEvent] = []
        while (event := self.engine.next_event()) is not None:
            found.append(event)
        if self.address == SERVER:
            while (item := self.scene.acceptor.next_event()) is not None:
                found.append(item[1])
        return found

    def go_on(self) -> Continuation:
        """Export, and continue with the model."""
        exported = self.engine.export()
        continuation = Continuation(exported, self.address, self.peer_address)
        for held in self.engine.take_held():
            continuation.receive(held, self.wire.now)
        self.wire.attach(self.address, continuation)
        return continuation

    def flush(self) -> None:
        """Send what either end wants to send, and let some time pass."""
        for address in (self.address, self.peer_address):
            self.wire.flush(address)
        self.wire.settle(0.5)
