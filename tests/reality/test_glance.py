# SPDX-License-Identifier: BSD-3-Clause
"""The engine's first look at Initials says of nobody what a decision in full would not say."""

from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.datagram import Received
from nexusnet.handshake.engine import HandshakeEngine
from nexusnet.quic.errors import QuicError
from nexusnet.reality.authenticator import HelloOpener, Inspected, Refusal, Sight, derive_keys
from nexusnet.reality.client_hello import HelloError, message_length, parse_client_hello
from nexusnet.reality.credentials import ServerCredentials
from nexusnet.reality.crypto_stream import FirstMessage, Progress
from nexusnet.reality.decision import Accept, Decider, InitialFacts, Reason, Relay, ServerProfile
from nexusnet.reality.initial import open_initial
from nexusnet.reality.long_header import LongHeaderPacket, parse_long_header
from nexusnet.reality.replay import ReplayCache
from nexusnet.secret import SecretBytes
from tests.handshake.setting import Setting
from tests.handshake.wire import CLIENT, Wire
from tests.handshake.wire import SERVER as SERVER_ADDRESS
from tests.reality.hellos import Hello, genuine, with_random
from tests.reality.initials import crypto_frame, initial, new_dcid
from tests.reality.port import GENUINE_NAME, TARGET, NameDecider, Port
from tests.reality.qr1 import ALICE, client_config
from tests.support.golden import binary, load

SERVER = X25519PrivateKey.generate()
PSK = SecretBytes(bytes(range(32)))
USER = bytes.fromhex("a11ce00000000001")
WALL = 1_800_000_000
OF_USERS = list(Reason)[list(Reason).index(Reason.MALFORMED) :]
"""Reasons that take a hello of one of our users."""
LARGE = 3000
"""Bytes of a datagram with room for any hello here."""


def sealed(shape: Hello, psk: SecretBytes | None = None) -> bytes:
    return genuine(SERVER.public_key(), unix_time=WALL, short_id=USER, psk=psk, hello=shape)[0]


def shapes() -> list[Hello]:
    hybrid = bytes(1216)
    return [
        Hello(),
        Hello(hybrid_share=hybrid),
        Hello(share=bytes(32), hybrid_share=hybrid),
        Hello(server_name=None, alpn=[b"h2"], extra=[(0x0A0A, b""), (0xFE0D, bytes(186))]),
        Hello(psk=b"", session_id=bytes(32)),
    ]


GENUINE = [sealed(shape) for shape in shapes()]
STRANGERS = [
    Hello().encode(),
    Hello(share=bytes(32)).encode(),
    Hello(share=bytes(31)).encode(),
    Hello(hybrid_share=bytes(1215)).encode(),
    Hello(share=bytes(31), hybrid_share=bytes([9]) * 1216).encode(),
    Hello(share=bytes([9]) * 32).encode(),
    with_random(GENUINE[1], bytes(32)),
]


def first(datagram: bytes) -> LongHeaderPacket:
    packet = parse_long_header(datagram)
    assert packet is not None
    return packet


def by_hand(message: bytes, psk: SecretBytes | None = None) -> Refusal | None:
    """Open an authenticator without the engine; ValueError where the hello is malformed."""
    share = parse_client_hello(message).x25519_share
    if share is None:
        return Refusal.NO_SHARE
    try:
        shared = SERVER.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        return Refusal.NO_SHARE
    plain = with_random(message, bytes(32))
    keys = derive_keys(shared, psk, plain)
    try:
        AESGCM(bytes(keys.key.reveal())).decrypt(keys.nonce, message[6:38], plain)
    except InvalidTag:
        return Refusal.BAD_TAG
    return None


def message_in(datagram: bytes) -> bytes | None:
    """Return the whole hello of a first packet, put together as the demultiplexer does."""
    packet = first(datagram)
    hello = FirstMessage(1)
    try:
        payload = open_initial(packet.dcid, datagram, packet, from_client=True)
    except QuicError:
        return None
    for fragment in () if payload is None else payload.fragments:
        hello.add(fragment)
    return hello.message if hello.progress is Progress.COMPLETE else None


def check(datagram: bytes, psk: SecretBytes | None = None) -> Inspected | Sight:
    """Hold what the engine sees in a datagram against what Python sees."""
    seen = HelloOpener(SERVER, psk).inspect(datagram, first(datagram))
    message = message_in(datagram)
    if isinstance(seen, Inspected):
        if message is None:
            # Malformed frames behind a whole hello: nobody gets in by those either.
            return seen
        assert seen.random == message[6:38]
        try:
            expected = by_hand(message, psk)
        except HelloError:
            # Whatever cannot be read is not let in. What the engine sees in it is all the same.
            return seen
        assert seen.refusal is expected
    elif seen is Sight.CLOSED:
        packet = first(datagram)
        assert open_initial(packet.dcid, datagram, packet, from_client=True) is None
    return seen


@st.composite
def changed(draw: st.DrawFn, messages: list[bytes]) -> bytes:
    """A hello with some bytes changed, removed or inserted, and mostly with its right length."""
    data = bytearray(draw(st.sampled_from(messages)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(4, len(data) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                data[at] = draw(st.integers(0, 255))
            case 1:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case 2:
                del data[at : at + draw(st.integers(1, 40))]
            case _:
                data[at:at] = draw(st.binary(min_size=1, max_size=40))
        if len(data) < 5:
            break
    if draw(st.integers(0, 4)):
        data[1:4] = (len(data) - 4).to_bytes(3, "big")
    return bytes(data)


@given(
    message=changed(GENUINE + STRANGERS),
    before=st.sampled_from([b"", b"\0\0\1\0", b"\6\0\0"]),
    cut=st.booleans(),
)
def test_any_hello(message: bytes, before: bytes, *, cut: bool) -> None:
    frames = before + crypto_frame(0, message)
    if cut:
        half = len(message) // 2
        frames = before + crypto_frame(half, message[half:]) + crypto_frame(0, message[:half])
    check(initial(frames, new_dcid(), size=LARGE))


@pytest.mark.parametrize("message", GENUINE + STRANGERS)
def test_whole_hellos_are_seen(message: bytes) -> None:
    seen = check(initial(crypto_frame(0, message), new_dcid(), size=LARGE))
    assert isinstance(seen, Inspected)
    assert (seen.refusal is None) == (message in GENUINE)
    assert (seen.claims.short_id == USER) == (message in GENUINE)
    # PING and PADDING may come before it; whatever follows makes no difference.
    for frames in (b"\0\1\0" + crypto_frame(0, message), crypto_frame(0, message) + b"\x1e"):
        assert check(initial(frames, new_dcid(), size=LARGE)) == seen


def test_a_browsers_hello(site_credentials: Credentials) -> None:
    """It comes in two Initials, and in many frames; put together it would be seen as well."""
    config = client_config(site_credentials, server_key=SERVER.public_key())
    client = HandshakeEngine.client(config, local=CLIENT, remote=SERVER_ADDRESS, now=0.0)
    hello = FirstMessage(1)
    for one in client.transmit(0.0):
        packet = first(one.data)
        assert HelloOpener(SERVER, None).inspect(one.data, packet) is Sight.UNCLEAR
        payload = open_initial(packet.dcid, one.data, packet, from_client=True)
        assert payload is not None
        for fragment in payload.fragments:
            hello.add(fragment)
    seen = check(initial(crypto_frame(0, hello.message), new_dcid(), size=LARGE))
    assert isinstance(seen, Inspected)
    assert seen.refusal is None
    assert seen.claims.short_id == ALICE


def test_pre_shared_keys() -> None:
    with_one = initial(crypto_frame(0, sealed(Hello(), PSK)), new_dcid())
    without = initial(crypto_frame(0, GENUINE[0]), new_dcid())
    refusals = {
        (number, psk is None): getattr(check(datagram, psk), "refusal", Sight.UNCLEAR)
        for number, datagram in enumerate((with_one, without))
        for psk in (PSK, None)
    }
    assert refusals[0, False] is refusals[1, True] is None
    assert refusals[0, True] is refusals[1, False] is Refusal.BAD_TAG


@pytest.mark.parametrize(
    "frames",
    [
        b"",
        b"\1",
        b"\x06",
        b"\x06\0\x7f\xff",
        crypto_frame(0, b"\1\0\0"),
        crypto_frame(0, b"\1\0\0\x21" + bytes(33)),
        crypto_frame(0, b"\2" + GENUINE[0][1:]),
        crypto_frame(0, GENUINE[0] + b"\0"),
        crypto_frame(0, GENUINE[0][:-1]),
        crypto_frame(1, GENUINE[0][1:]),
        crypto_frame(0, GENUINE[0][:80]) + crypto_frame(80, GENUINE[0][80:]),
        b"\x02\0\0\0\0" + crypto_frame(0, GENUINE[0]),
        b"\x1c\0\0\0" + crypto_frame(0, GENUINE[0]),
    ],
    ids=[
        "nothing", "ping", "cut", "long", "head", "short", "type", "more", "less", "offset", "two",
        "ack", "close",
    ],
)  # fmt: skip
def test_all_else_is_unclear(frames: bytes) -> None:
    assert check(initial(frames, new_dcid(), size=LARGE)) is Sight.UNCLEAR


def test_packets_that_do_not_open() -> None:
    dcid = new_dcid()
    datagram = initial(crypto_frame(0, GENUINE[0]), dcid)
    for at in (30, 200, len(datagram) - 1):
        broken = datagram[:at] + bytes([datagram[at] ^ 1]) + datagram[at + 1 :]
        assert check(broken) is Sight.CLOSED
    # Larger ones than any browser's are left to Python.
    assert check(initial(crypto_frame(0, GENUINE[0]), dcid, size=4200)) is Sight.UNCLEAR
    # Too short for a sample.
    assert check(b"\xc0\0\0\0\1\x08" + dcid + b"\0\0\x05" + bytes(5)) is Sight.CLOSED


@given(st.binary(max_size=80))
def test_any_bytes(rest: bytes) -> None:
    datagram = b"\xc0\0\0\0\1" + rest
    packet = parse_long_header(datagram)
    if packet is not None:
        assert HelloOpener(SERVER, None).inspect(datagram, packet) is Sight.CLOSED


@pytest.mark.parametrize("vector", load("qr1"), ids=lambda vector: vector["name"])
def test_vectors(vector: dict[str, object]) -> None:
    psk = binary(vector, "psk") if "psk" in vector else None
    opener = HelloOpener(
        X25519PrivateKey.from_private_bytes(binary(vector, "server_private")),
        None if psk is None else SecretBytes(psk),
    )
    message = binary(vector, "message")
    datagram = initial(crypto_frame(0, message), new_dcid(), size=LARGE)
    seen = opener.inspect(datagram, first(datagram))
    error = vector.get("error")
    if vector["name"] in {"cut_off", "trailing_byte"}:
        assert seen is Sight.UNCLEAR
    else:
        assert isinstance(seen, Inspected)
        refusals = {"no_share": Refusal.NO_SHARE, "bad_tag": Refusal.BAD_TAG}
        assert seen.refusal is refusals.get(str(error))


# The decision as a whole


def decider() -> Decider:
    profile = ServerProfile(frozenset({"site.test"}))
    return Decider(ServerCredentials(SERVER, {USER: "alice"}), profile, ReplayCache(120.0))


@given(changed(GENUINE + STRANGERS), st.integers(-200, 200))
def test_a_reason_given_at_once_is_that_of_the_decision(message: bytes, ahead: int) -> None:
    server = decider()
    datagram = initial(crypto_frame(0, message), new_dcid(), size=LARGE)
    seen = server.glance(datagram, first(datagram), now=0.0, wall=WALL - ahead)
    decision = server.decide(message, InitialFacts(1, LARGE), now=0.0, wall=WALL - ahead)
    if isinstance(seen, Reason):
        assert decision == Relay(seen)
    elif isinstance(decision, Relay):
        assert seen is Sight.UNCLEAR
        whole = len(message) >= 38 and message_length(message) == len(message)
        assert not whole or decision.reason in OF_USERS


def test_who_is_accepted_is_not_told_at_once() -> None:
    server = decider()
    for message in GENUINE[:3]:
        datagram = initial(crypto_frame(0, message), new_dcid(), size=LARGE)
        look = {"now": 0.0, "wall": WALL}
        assert server.glance(datagram, first(datagram), **look) is Sight.UNCLEAR
        assert isinstance(server.decide(message, InitialFacts(1, LARGE), **look), Accept)
        assert server.glance(datagram, first(datagram), **look) is Reason.SEEN


def test_new_keys_count_at_once() -> None:
    server = decider()
    datagram = initial(crypto_frame(0, GENUINE[0]), new_dcid())
    look = {"now": 0.0, "wall": float(WALL)}
    server.credentials = ServerCredentials(X25519PrivateKey.generate(), {USER: "alice"})
    assert server.glance(datagram, first(datagram), **look) is Reason.BAD_TAG
    server.credentials = ServerCredentials(SERVER, {USER: "alice"})
    assert server.glance(datagram, first(datagram), **look) is Sight.UNCLEAR


def test_nothing_shows_a_key() -> None:
    server = decider()
    datagram = initial(crypto_frame(0, GENUINE[0]), new_dcid())
    opener = HelloOpener(SERVER, PSK)
    text = f"{server!r} {opener!r} {opener.inspect(datagram, first(datagram))!r} {vars(opener)!r}"
    for secret in (SERVER.private_bytes_raw(), bytes(PSK.reveal()), USER):
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text


# What the port makes of it


class Undecided(NameDecider):
    """A decider whose first look is what a test wants it to be."""

    def __init__(self, look: Callable[[bytes], Reason | Sight]) -> None:
        super().__init__()
        self.look = look

    def glance(
        self, datagram: bytes, packet: LongHeaderPacket, *, now: float, wall: float
    ) -> Reason | Sight:
        del packet, now, wall
        return self.look(datagram)


def arrive(port: Port, *datagrams: bytes) -> None:
    for data in datagrams:
        port.demultiplexer.receive(Received(data, SERVER_ADDRESS, CLIENT), port.wire.now)


def test_the_mirror_comes_before_the_first_look(genuine: Setting) -> None:
    def look(datagram: bytes) -> Reason:
        assert [(one.data, one.remote) for one in wire.log] == [(datagram, TARGET)]
        return Reason.CLOCK

    wire, decider = Wire(), Undecided(look)
    port = Port(genuine.server, wire, decider=decider)
    arrive(port, initial(crypto_frame(0, GENUINE[0]), new_dcid()))
    assert port.demultiplexer.reasons == {Reason.CLOCK: 1}
    assert decider.decided == []


def test_what_does_not_open_stays_undecided(genuine: Setting) -> None:
    """The hello may come in the next datagram, or behind the first packet."""
    dcid = new_dcid()
    hello = crypto_frame(0, Hello(GENUINE_NAME).encode())
    noise = initial(b"", dcid, keys_of=b"others", size=400)
    for datagrams in (
        [noise + initial(hello, dcid, size=850)],
        [noise.ljust(1250, b"\0"), initial(hello, dcid)],
    ):
        decider = Undecided(lambda _: Sight.CLOSED)
        port = Port(genuine.server, Wire(), decider=decider)
        arrive(port, *datagrams)
        assert len(decider.decided) == len(port.accepted) == 1
