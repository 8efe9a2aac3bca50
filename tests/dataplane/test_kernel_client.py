# SPDX-License-Identifier: BSD-3-Clause
"""The kernel data plane against a stand-in for the kernel: requests, refusals, events."""

import errno
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from nexusnet.dataplane.kernel import KernelDataPlane
from nexusnet.dataplane.kernel_link import KernelRefusedError
from nexusnet.dataplane.protocol import DataPlaneError
from nexusnet.keys import HeaderKeys, KeyPair, KeySet, KeyState, NextKeys, PacketKey, SecretSet
from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import Message
from nexusnet.secret import SecretBytes
from nexusnet.session import (
    Activation,
    Close,
    ConnectionId,
    Device,
    Endpoint,
    ReceivedRanges,
    Route,
    RttState,
    Session,
    SessionRef,
    SessionUpdate,
    TransportParameters,
    UdpTuple,
)
from tests.dataplane.fake_kernel import FakeKernel, RefusedError
from tests.dataplane.setup import eventually

SUITE = nl.CipherSuite.AES_128_GCM_SHA256
SECRET = bytes(range(100, 132))
PARAMETERS = TransportParameters(max_datagram_frame_size=65535)


class Setting:
    """A data plane with a device, an endpoint, and the stand-in that it talks to."""

    def __init__(self) -> None:
        self.kernel = FakeKernel()
        self.plane = KernelDataPlane(self.kernel.prepared())
        self.device = self.plane.create_device(Device(generation=1, network_id=7, mtu=1400))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.endpoint = self.plane.open_endpoint(self.socket, 8)
        self.seen: list[Message] = []

    def close(self) -> None:
        self.plane.close()
        self.kernel.close()
        self.socket.close()

    def ref(self, number: int = 1) -> SessionRef:
        return SessionRef(self.device.id, number)

    def session(self, number: int = 1, **changes: Any) -> Session:
        local = Endpoint(ip_address("127.0.0.1"), self.socket.getsockname()[1])
        return replace(
            Session(
                ref=self.ref(number), generation=2, role=nl.Role.CLIENT,
                socket_fd=self.socket.fileno(),
                udp_tuple=UdpTuple(local, Endpoint(ip_address("127.0.0.1"), 9)),
                local_cids=(ConnectionId(0, bytes([number] * 8)),),
                peer_cids=(ConnectionId(0, b"peer"),), cipher_suite=SUITE,
                local_parameters=PARAMETERS, peer_parameters=PARAMETERS, datagram_size=1311,
                network_id=7, route_epoch=1,
            ),
            **changes,
        )  # fmt: skip

    def activation(self, number: int = 1, generation: int = 3, *, v1: bool = False) -> Activation:
        return Activation(
            ref=self.ref(number), generation=generation, keys=keys(v1=v1), next_pn=5,
            largest_acked=4, received=ReceivedRanges((), 3), rtt=RttState(),
        )  # fmt: skip

    def connect(self, number: int = 1, *, v1: bool = False) -> SessionRef:
        self.plane.add_session(self.session(number))
        self.plane.activate(self.activation(number, v1=v1))
        return self.ref(number)

    def events(self, code: nl.Event) -> list[Message]:
        self.seen += self.plane.events()
        return [message for message in self.seen if message.code is code]

    def expect(self, code: nl.Event, count: int = 1) -> Message:
        return eventually(lambda: self.events(code), lambda found: len(found) >= count)[count - 1]

    def overrun(self) -> None:
        """The kernel could not deliver some event."""
        link = self.plane._link
        receiver = link._events._receiver
        link._thread.loop.call_soon_threadsafe(
            receiver.error_received, OSError(errno.ENOBUFS, "no buffer space")
        )


def packet_key() -> PacketKey:
    return PacketKey(SecretBytes(bytes(range(16))), SecretBytes(bytes(range(12))))


def pair() -> KeyPair:
    return KeyPair(tx=packet_key(), rx=packet_key())


def keys(*, v1: bool) -> KeySet | SecretSet:
    header = HeaderKeys(tx=SecretBytes(bytes(16)), rx=SecretBytes(bytes(16)))
    if v1:
        return KeySet(suite=SUITE, state=KeyState(), header=header, current=pair(), next=pair())
    return SecretSet(
        suite=SUITE, state=KeyState(), header=header, tx=SecretBytes(SECRET),
        rx=SecretBytes(SECRET),
    )  # fmt: skip


@pytest.fixture
def setting() -> Iterator[Setting]:
    made = Setting()
    try:
        yield made
    finally:
        made.close()


def test_a_session_goes_to_the_kernel_and_comes_back(setting: Setting) -> None:
    plane, kernel = setting.plane, setting.kernel
    ref = setting.connect()
    sent = kernel.last(nl.Command.ADD_SESSION)["session"]
    assert sent["socket_fd"] == setting.socket.fileno()
    assert [cid.id[:8] for cid in sent["local_cid"]] == [bytes([1] * 8)]
    secret = kernel.last(nl.Command.ACTIVATE_SESSION)["keys"]["tx_secret"]
    assert bytes(secret.secret.reveal())[:32] == SECRET
    setting.expect(nl.Event.SESSION_UP)
    (status,) = plane.sessions(setting.device.id)
    assert (status.ref, status.generation, status.state) == (ref, 3, nl.SessionState.ACTIVE)
    route = Route(session=ref, prefix=ip_network("10.0.0.0/8"), generation=1, epoch=1)
    plane.add_route(route)
    assert plane.routes(setting.device.id) == [route]
    plane.delete_route(route)
    assert plane.routes(setting.device.id) == []
    assert plane.session_stats(ref).lab_mode == 0
    assert plane.device_stats(setting.device.id).lab_mode == 0
    plane.delete_session(ref, 4, Close())
    setting.expect(nl.Event.SESSION_DOWN)
    assert plane.sessions(setting.device.id) == []


def test_a_device_is_owned_by_the_socket_of_the_events(setting: Setting) -> None:
    assert setting.kernel.devices[setting.device.id].owner_port == 102
    assert setting.device.name == "nexusq1"
    setting.plane.update_device(setting.device.id, 2, route_epoch=9, mtu=None)
    assert setting.kernel.devices[setting.device.id].route_epoch == 9
    setting.plane.delete_device(setting.device.id, 0)  # older than anything
    assert setting.kernel.devices
    setting.plane.close()
    assert setting.kernel.devices == {}


def test_keys_and_requests_are_wiped(setting: Setting) -> None:
    setting.plane.add_session(setting.session())
    kept: list[bytearray] = []
    connection = setting.plane._link._requests
    prepare = connection._prepare

    def remember(request: Any) -> Any:
        made = prepare(request)
        kept.append(made.request)
        return made

    connection._prepare = remember  # type: ignore[method-assign]
    activation = setting.activation()
    setting.plane.activate(activation)
    assert SECRET in setting.kernel.bodies[-1], "it was sent"
    assert kept
    assert not any(any(request) for request in kept)
    assert isinstance(activation.keys, SecretSet)
    assert not any(activation.keys.tx.reveal())
    refused = setting.activation(2)
    with pytest.raises(DataPlaneError):
        setting.plane.activate(refused)
    assert isinstance(refused.keys, SecretSet)
    assert not any(refused.keys.tx.reveal())


def test_a_refusal_has_the_kernels_words(setting: Setting) -> None:
    setting.connect()
    with pytest.raises(KernelRefusedError) as caught:
        setting.plane.add_session(setting.session())
    assert caught.value.errno == errno.EEXIST
    assert caught.value.message == "session.id is taken"
    assert caught.value.attribute == "session.id"
    assert "session.id is taken" in str(caught.value)


@pytest.mark.parametrize(
    ("command", "number", "meant"),
    [
        (nl.Command.ADD_SESSION, errno.ENOENT, errno.ENODEV),
        (nl.Command.ACTIVATE_SESSION, errno.EBUSY, errno.EALREADY),
        (nl.Command.SEND_FRAMES, errno.ENOBUFS, errno.ENOSPC),
        (nl.Command.KEY_UPDATE, errno.EBUSY, errno.ENOTCONN),
        (nl.Command.KEY_UPDATE, errno.ENOKEY, errno.ENOKEY),
    ],
)
def test_errors_are_those_of_the_contract(
    setting: Setting, command: nl.Command, number: int, meant: int
) -> None:
    calls = {
        nl.Command.ADD_SESSION: lambda: setting.plane.add_session(setting.session(2)),
        nl.Command.ACTIVATE_SESSION: lambda: setting.plane.activate(setting.activation()),
        nl.Command.SEND_FRAMES: lambda: setting.plane.send_frames(setting.ref(), 1, b"\1"),
        nl.Command.KEY_UPDATE: lambda: setting.plane.key_update(setting.ref()),
    }
    setting.plane.add_session(setting.session())
    setting.kernel.refuse[command] = RefusedError(number, "no")
    with pytest.raises(DataPlaneError) as caught:
        calls[command]()
    assert caught.value.errno == meant


def test_what_the_abi_does_not_allow_is_refused_here(setting: Setting) -> None:
    plane = setting.plane
    before = len(setting.kernel.seen)
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with other:
        for session in (
            setting.session(socket_fd=other.fileno()),
            setting.session(local_cids=(ConnectionId(0, b"short"),)),
        ):
            with pytest.raises(DataPlaneError) as caught:
                plane.add_session(session)
            assert caught.value.errno == errno.EINVAL
    for payload, number in ((b"", errno.EINVAL), (b"\0x", errno.EINVAL), (b"\x40", errno.EINVAL),
                            (b"\1" + bytes(2000), errno.EMSGSIZE)):  # fmt: skip
        with pytest.raises(DataPlaneError) as caught:
            plane.send_datagram(setting.ref(), payload)
        assert caught.value.errno == number
    with pytest.raises(DataPlaneError) as caught:
        plane.send_frames(setting.ref(), 1, b"")
    assert caught.value.errno == errno.EINVAL
    assert len(setting.kernel.seen) == before, "nothing was sent"


def test_datagrams_carry_their_context(setting: Setting) -> None:
    setting.plane.send_datagram(setting.ref(), b"\1ready")
    frames = setting.kernel.last(nl.Command.SEND_DATAGRAM)["frames"]
    assert (frames["context_id"], frames["payload"]) == (1, b"ready")
    setting.plane.send_frames(setting.ref(), 9, b"\1")
    frames = setting.kernel.last(nl.Command.SEND_FRAMES)["frames"]
    assert (frames["token"], frames["payload"]) == (9, b"\1")


def test_an_interrupted_dump_is_made_again(setting: Setting) -> None:
    setting.connect()
    setting.kernel.interrupted = 2
    assert len(setting.plane.sessions(setting.device.id)) == 1
    assert setting.kernel.commands().count(nl.Command.GET_SESSION) == 3
    setting.kernel.interrupted = 1000
    with pytest.raises(DataPlaneError) as caught:
        setting.plane.sessions(setting.device.id)
    assert caught.value.errno == errno.EINTR


def test_a_key_update_waits_until_it_is_allowed(setting: Setting) -> None:
    ref = setting.connect()
    setting.kernel.refuse[nl.Command.KEY_UPDATE] = RefusedError(
        errno.EAGAIN, "not acknowledged yet"
    )
    setting.plane.key_update(ref)
    eventually(
        lambda: setting.kernel.commands().count(nl.Command.KEY_UPDATE), lambda count: count == 2
    )
    eventually(lambda: setting.plane._link._updates, lambda left: not left)
    # Where the peer updates first, it is done.
    setting.kernel.refuse_always[nl.Command.KEY_UPDATE] = RefusedError(errno.EAGAIN, "not yet")
    setting.plane.key_update(ref)
    eventually(lambda: setting.plane._link._updates, bool)
    setting.kernel.event(
        nl.Event.KEY_UPDATE_DONE, ref.device_id, ref.id, nl.EventAttributes(key_generation=1)
    )
    setting.expect(nl.Event.KEY_UPDATE_DONE)
    eventually(lambda: setting.plane._link._updates, lambda left: not left)


def test_generations_of_the_caller_stay_the_callers(setting: Setting) -> None:
    ref = setting.connect(v1=True)
    keys_after = NextKeys(suite=SUITE, generation=2, keys=pair())
    setting.plane.set_keys(ref, keys_after)
    assert not any(keys_after.keys.tx.key.reveal())
    assert setting.kernel.last(nl.Command.SET_KEYS)["keys"]["generation"] == 2
    assert setting.plane.sessions(setting.device.id)[0].generation == 3
    setting.plane.update_session(SessionUpdate(ref=ref, generation=4, route_epoch=1))
    assert setting.plane.sessions(setting.device.id)[0].generation == 4
    with pytest.raises(DataPlaneError) as caught:
        setting.plane.update_session(SessionUpdate(ref=ref, generation=4, route_epoch=1))
    assert caught.value.errno == errno.ESTALE


def datagram_event(setting: Setting, number: int) -> None:
    frames = nl.FramesAttributes(context_id=1, payload=b"%d" % number)
    setting.kernel.event(
        nl.Event.DATAGRAM_RECEIVED, setting.device.id, 1, nl.EventAttributes(id=number),
        frames=frames,
    )  # fmt: skip


def payloads(setting: Setting) -> list[bytes]:
    found = (message.attributes.frames for message in setting.events(nl.Event.DATAGRAM_RECEIVED))
    return [frames.payload or b"" for frames in found if frames is not None]


def test_events_wake_and_are_acknowledged(setting: Setting) -> None:
    ref = setting.connect()
    setting.expect(nl.Event.SESSION_UP)
    assert select.select([setting.plane.fileno()], [], [], 0)[0] == []
    datagram_event(setting, 1)
    assert select.select([setting.plane.fileno()], [], [], 10)[0]
    assert payloads(setting) == [b"1"]
    assert select.select([setting.plane.fileno()], [], [], 0)[0] == []
    setting.plane.acknowledge(ref, 1)
    assert setting.kernel.unacknowledged[ref.device_id, ref.id] == []
    setting.plane.acknowledge(setting.ref(99), 1)  # it is over


def test_a_missing_event_is_asked_for_again(setting: Setting) -> None:
    setting.connect()
    setting.expect(nl.Event.SESSION_UP)
    datagram_event(setting, 1)
    tell, setting.kernel.tell = setting.kernel.tell, lambda *_: None  # type: ignore[method-assign]
    datagram_event(setting, 2)
    setting.kernel.tell = tell  # type: ignore[method-assign]
    datagram_event(setting, 3)
    eventually(lambda: payloads(setting), lambda found: len(found) >= 3)
    assert payloads(setting) == [b"1", b"2", b"3"]
    # Only our own device was adopted once more, and the caller's generations still count.
    assert setting.kernel.commands().count(nl.Command.ADOPT_DEVICE) == 1
    setting.plane.update_device(setting.device.id, 2, route_epoch=None, mtu=1300)
    with pytest.raises(DataPlaneError):
        setting.plane.update_device(setting.device.id, 2, route_epoch=None, mtu=1300)


def test_an_overrun_makes_up_what_was_missed(setting: Setting) -> None:
    kernel = setting.kernel
    for number in (1, 2, 3):
        setting.connect(number, v1=number == 2)
    setting.expect(nl.Event.SESSION_UP, 3)
    del kernel.sessions[setting.device.id, 1]
    second = kernel.sessions[setting.device.id, 2]
    kernel.sessions[setting.device.id, 2] = replace(
        second, key_generation=1, datagram_size=1452, mtu=1425
    )
    third = kernel.sessions[setting.device.id, 3]
    kernel.sessions[setting.device.id, 3] = replace(third, state=nl.SessionState.DRAINING)
    setting.overrun()
    setting.expect(nl.Event.SESSION_DOWN, 2)
    downs = {
        (message.attributes.session.id, message.attributes.session.state)
        for message in setting.events(nl.Event.SESSION_DOWN)
        if message.attributes.session is not None
    }
    assert downs == {(1, None), (3, nl.SessionState.DRAINING)}
    done = setting.expect(nl.Event.KEY_UPDATE_DONE).attributes.event
    assert done is not None
    assert done.key_generation == 1
    needed = setting.expect(nl.Event.KEY_UPDATE_NEEDED).attributes.event
    assert needed is not None
    assert needed.key_update_cause is nl.KeyUpdateCause.NEXT_KEYS_MISSING
    mtu = setting.expect(nl.Event.PATH_MTU_CHANGED).attributes.event
    assert mtu is not None
    assert (mtu.datagram_size, mtu.mtu) == (1452, 1425)
    # The event that was lost comes after all: once is enough.
    facts = nl.EventAttributes(down_reason=nl.DownReason.IDLE_TIMEOUT)
    kernel.event(nl.Event.SESSION_DOWN, setting.device.id, 1, facts)
    setting.overrun()
    kernel.event(nl.Event.SESSION_DOWN, setting.device.id, 2, facts)
    setting.expect(nl.Event.SESSION_DOWN, 3)
    assert len(setting.events(nl.Event.KEY_UPDATE_DONE)) == 1
    assert len(setting.events(nl.Event.PATH_MTU_CHANGED)) == 1
    assert len(setting.events(nl.Event.SESSION_DOWN)) == 3


def test_a_session_added_during_the_comparison_lives(setting: Setting) -> None:
    setting.connect(1)
    setting.expect(nl.Event.SESSION_UP)
    hidden: dict[tuple[int, int], nl.SessionAttributes] = {}

    def add_meanwhile() -> None:
        # Told to the book as a call of the agent would, yet not in the dump.
        setting.kernel.during_dump = None
        setting.plane._link.book.added(setting.session(2))
        hidden[setting.device.id, 2] = setting.kernel.sessions[setting.device.id, 1]

    setting.kernel.during_dump = add_meanwhile
    setting.overrun()
    eventually(lambda: hidden, bool)
    eventually(lambda: setting.plane._link._resync, lambda task: task is not None and task.done())
    assert setting.events(nl.Event.SESSION_DOWN) == []


def test_nonsense_is_no_event(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    setting.connect()
    setting.expect(nl.Event.SESSION_UP)
    for body in (b"", b"\xff\1\0\0", bytes([nl.Event.SESSION_DOWN, 1, 0, 0]),
                 bytes([nl.Event.SESSION_DOWN, 1, 0, 0]) + b"\xff\xff\2\0"):  # fmt: skip
        setting.kernel.raw_event(body)
    datagram_event(setting, 1)
    setting.expect(nl.Event.DATAGRAM_RECEIVED)
    assert {message.code for message in setting.seen} == {
        nl.Event.SESSION_UP, nl.Event.DATAGRAM_RECEIVED,
    }  # fmt: skip
    assert caplog.text.count("an event of the kernel makes no sense") == 4


def test_a_new_agent_adopts_what_the_old_one_left(setting: Setting) -> None:
    setting.connect()
    setting.expect(nl.Event.SESSION_UP)
    datagram_event(setting, 1)
    datagram_event(setting, 2)
    setting.plane.acknowledge(setting.ref(), 1)
    device = setting.kernel.devices[setting.device.id]
    setting.kernel.devices[setting.device.id] = replace(device, owner_port=0)
    setting.plane._link.close()
    heir = KernelDataPlane(setting.kernel.prepared())
    try:
        assert heir.devices() == []
        (orphan,) = heir.orphans()
        (status,) = heir.adopt(orphan)
        assert status.ref == setting.ref()
        assert heir.devices() == [replace(orphan, generation=orphan.generation + 1)]
        found = eventually(heir.events, bool)
        assert [message.attributes.event.id for message in found if message.attributes.event] == [2]
        heir.acknowledge(status.ref, 2)
        heir.delete_session(status.ref, status.generation + 1, Close())
        assert heir.sessions(orphan.id) == []
    finally:
        heir.close()
    assert setting.kernel.devices == {}


def test_the_endpoint_reads_what_belongs_to_nobody(setting: Setting) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 2)
        peer.sendto(b"\xc0hello", setting.socket.getsockname())
        assert select.select([setting.endpoint.fileno()], [], [], 10)[0]
        (received,) = setting.endpoint.receive()
        assert (received.payload, received.ecn) == (b"\xc0hello", 2)
        assert received.remote.port == peer.getsockname()[1]
        assert received.local is not None
        assert str(received.local.address) == "127.0.0.1"
        assert setting.endpoint.receive() == []
        setting.endpoint.send(b"answer", received.remote)
        peer.settimeout(10)
        assert peer.recv(100) == b"answer"
    with pytest.raises(DataPlaneError) as caught:
        setting.plane.open_endpoint(setting.socket, 8)
    assert caught.value.errno == errno.EEXIST
    setting.connect()
    with pytest.raises(DataPlaneError) as caught:
        setting.endpoint.close()
    assert caught.value.errno == errno.EBUSY
    setting.plane.delete_session(setting.ref(), 9, Close())
    setting.endpoint.close()
    setting.plane.open_endpoint(setting.socket, 8)


def test_another_abi_is_refused() -> None:
    kernel = FakeKernel()
    kernel.caps = nl.CapsAttributes(abi_min=2, abi_max=3)
    try:
        with pytest.raises(DataPlaneError) as caught:
            KernelDataPlane(kernel.prepared())
        assert caught.value.errno == errno.EPROTONOSUPPORT
    finally:
        kernel.close()


def test_without_the_module_there_is_no_plane() -> None:
    with pytest.raises(DataPlaneError) as caught:
        KernelDataPlane()
    assert caught.value.errno == errno.ENOENT
    assert not any(thread.name == "nexus-netlink" for thread in threading.enumerate())
