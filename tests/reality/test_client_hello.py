# SPDX-License-Identifier: BSD-3-Clause
"""Reading ClientHellos: what was sent comes out, anything malformed is a typed error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.reality.client_hello import (
    MAX_LENGTH,
    HelloError,
    HelloFault,
    message_length,
    parse_client_hello,
)
from tests.reality.hellos import Hello, message, numbers, vector

RANDOM = bytes(range(32))
KNOWN = {0, 10, 13, 16, 41, 43, 51, 57}

names = st.from_regex(r"[a-z0-9.-]{1,60}", fullmatch=True)
words = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=8)
hellos = st.builds(
    Hello,
    server_name=st.none() | names,
    share=st.none() | st.binary(min_size=1, max_size=64),
    hybrid_share=st.none() | st.binary(min_size=1216, max_size=1216),
    suites=words,
    session_id=st.binary(max_size=32),
    alpn=st.lists(st.binary(min_size=1, max_size=255), min_size=1, max_size=3),
    versions=words,
    signatures=words,
    parameters=st.none() | st.binary(max_size=200),
    extra=st.lists(
        st.tuples(st.integers(0, 0xFFFF).filter(lambda kind: kind not in KNOWN), st.binary()),
        max_size=4,
        unique_by=lambda extension: extension[0],
    ),
    psk=st.none() | st.binary(max_size=40),
)


def fault(data: bytes) -> HelloFault:
    with pytest.raises(HelloError) as caught:
        parse_client_hello(data)
    return caught.value.fault


@given(hello=hellos, random=st.binary(min_size=32, max_size=32))
def test_what_was_sent_comes_out(hello: Hello, random: bytes) -> None:
    data = hello.encode(random)
    parsed = parse_client_hello(data)
    assert parsed.message == data
    assert parsed.random == random
    assert parsed.session_id == hello.session_id
    assert parsed.cipher_suites == tuple(hello.suites)
    assert parsed.compression_methods == b"\0"
    assert [(one.type, one.data) for one in parsed.extensions] == hello.extensions()
    assert parsed.server_name == hello.server_name
    assert parsed.alpn == tuple(hello.alpn)
    assert parsed.groups == (0x11EC, 0x001D, 0x0017, 0x0018)
    assert parsed.signature_algorithms == tuple(hello.signatures)
    assert parsed.supported_versions == tuple(hello.versions)
    assert parsed.has_psk == (hello.psk is not None)
    assert parsed.transport_parameters == hello.parameters
    shares = {share.group: share.data for share in parsed.key_shares}
    assert shares.get(0x001D) == hello.share
    assert shares.get(0x11EC) == hello.hybrid_share
    assert message_length(data) == len(data)


@given(hello=hellos, data=st.data())
def test_every_cut_and_every_extra_byte_is_an_error(hello: Hello, data: st.DataObject) -> None:
    whole = hello.encode()
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert fault(whole[:cut]) is HelloFault.TRUNCATED
    assert fault(whole + b"\0") is HelloFault.TRAILING
    # The same, with a length field that fits.
    assert fault(message(whole[4:] + b"\0")) is HelloFault.TRAILING


@given(st.binary(max_size=400))
def test_garbage_is_a_typed_error_or_a_hello(data: bytes) -> None:
    for candidate in (data, message(data), message(b"\x03\x03" + data)):
        try:
            parsed = parse_client_hello(candidate)
        except HelloError:
            continue
        assert parsed.message == candidate


@given(hello=hellos, data=st.data())
def test_a_changed_byte_never_raises_anything_else(hello: Hello, data: st.DataObject) -> None:
    whole = bytearray(hello.encode())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        parse_client_hello(bytes(whole))
    except HelloError as error:
        assert error.fault in HelloFault


def test_the_share_is_the_plain_one_else_the_half_of_the_hybrid_one() -> None:
    plain, hybrid = bytes([1]) * 32, bytes([2]) * 1184 + bytes([3]) * 32
    both = parse_client_hello(Hello(share=plain, hybrid_share=hybrid).encode())
    assert both.x25519_share == plain
    assert parse_client_hello(Hello(hybrid_share=hybrid).encode()).x25519_share == bytes([3]) * 32
    assert parse_client_hello(Hello().encode()).x25519_share is None
    assert parse_client_hello(Hello(share=plain[:31]).encode()).x25519_share is None
    short = Hello(hybrid_share=hybrid[1:])
    assert parse_client_hello(short.encode()).x25519_share is None
    # A plain share of the wrong length is not made up for by the other one.
    wrong = Hello(share=plain[:31], hybrid_share=hybrid)
    assert parse_client_hello(wrong.encode()).x25519_share is None


def body(*, version: bytes = b"\x03\x03", session: bytes = b"\0", suites: bytes = b"\0\2\x13\1",
         compression: bytes = b"\1\0", block: bytes = b"\0\0") -> bytes:  # fmt: skip
    return message(version + RANDOM + session + suites + compression + block)


def extension(kind: int, data: bytes) -> bytes:
    return vector(2, kind.to_bytes(2, "big") + vector(2, data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", HelloFault.TRUNCATED),
        (b"\x02\0\0\0", HelloFault.NOT_CLIENT_HELLO),
        (b"\x01" + (MAX_LENGTH + 1).to_bytes(3, "big"), HelloFault.TOO_LONG),
        (body(version=b"\x03\x04"), HelloFault.ILLEGAL_VALUE),
        (body(session=vector(1, bytes(33))), HelloFault.ILLEGAL_VALUE),
        (body(suites=b"\0\0"), HelloFault.ILLEGAL_VALUE),
        (body(suites=b"\0\3\x13\1\0"), HelloFault.ILLEGAL_VALUE),
        (body(compression=b"\0"), HelloFault.ILLEGAL_VALUE),
        (body(block=b""), HelloFault.TRUNCATED),
        (body(block=b"\0\3\0\0\0"), HelloFault.TRUNCATED),
        (body(block=vector(2, b"\x12\x34\0\0\x12\x34\0\0")), HelloFault.DUPLICATE),
        (body(block=extension(0, b"")), HelloFault.TRUNCATED),
        (body(block=extension(0, b"\0\4\1\0\1x")), HelloFault.ILLEGAL_VALUE),
        (body(block=extension(0, b"\0\4\0\0\1\xff")), HelloFault.ILLEGAL_VALUE),
        (body(block=extension(0, b"\0\4\0\0\1x\0")), HelloFault.TRAILING),
        (body(block=extension(0, b"\0\5\0\0\1x\0")), HelloFault.TRAILING),
        (body(block=extension(16, b"\0\2\0\0")), HelloFault.ILLEGAL_VALUE),
        (body(block=extension(10, b"\0\1\0")), HelloFault.ILLEGAL_VALUE),
        (body(block=extension(43, b"\3\3\4\3")), HelloFault.ILLEGAL_VALUE),
        (body(block=extension(51, b"\0\4\0\x1d\0\0")), HelloFault.ILLEGAL_VALUE),
        (body(block=extension(51, vector(2, 2 * b"\0\x1d\0\1x"))), HelloFault.DUPLICATE),
        (
            body(block=vector(2, numbers([41, 0]) + numbers([0x1234, 0]))),
            HelloFault.ILLEGAL_VALUE,
        ),
    ],
)
def test_malformed_hellos_have_their_fault(data: bytes, expected: HelloFault) -> None:
    assert fault(data) is expected


def test_a_hello_without_extensions_is_read() -> None:
    parsed = parse_client_hello(body())
    assert parsed.random == RANDOM
    assert (parsed.server_name, parsed.alpn, parsed.key_shares) == (None, (), ())


def test_an_empty_list_of_shares_is_legal() -> None:
    assert parse_client_hello(body(block=extension(51, b"\0\0"))).key_shares == ()


def test_the_length_is_known_from_four_bytes_on() -> None:
    start = Hello().encode()
    for end in range(4):
        assert message_length(start[:end]) is None
    assert message_length(start[:4]) == len(start)
    with pytest.raises(HelloError):
        message_length(b"\x0b")
