# SPDX-License-Identifier: BSD-3-Clause
"""What the engine finds in strangers' hellos; tests/reality/test_glance.py has all of the look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.reality.client_hello import HelloError, parse_client_hello
from tests.engine import native
from tests.reality.initials import crypto_frame
from vectors.client_hello import Hello, message, numbers, vector

ffi, lib = native.load()
SHARE, OTHER = bytes(range(32)), bytes(range(32, 64))
HYBRID = bytes(1184) + OTHER


def found(payload: bytes) -> bytes | None:
    # Exactly so many bytes: a sanitizer would see a read beyond them.
    data, size = native.octets(payload), ffi.new("u32 *")
    hello = lib.nqe_hello_find(data, len(payload), size)
    return None if hello == ffi.NULL else bytes(ffi.buffer(hello, size[0]))


def share(hello: bytes) -> bytes | None:
    data = native.octets(hello)
    at = lib.nqe_hello_share(data, len(hello))
    return None if at == ffi.NULL else bytes(ffi.buffer(at, 32))


@pytest.mark.parametrize(
    ("hello", "expected"),
    [
        (Hello(), None),
        (Hello(share=SHARE), SHARE),
        (Hello(share=SHARE, hybrid_share=HYBRID), SHARE),
        (Hello(hybrid_share=HYBRID), OTHER),
        (Hello(hybrid_share=HYBRID[1:]), None),
        (Hello(share=SHARE[1:]), None),
        # RFC 8446 section 4.2.8: a share of X25519 has 32 bytes; another one is no substitute.
        (Hello(share=SHARE[1:], hybrid_share=HYBRID), None),
        (Hello(share=SHARE, session_id=bytes(32), extra=[(0x0A0A, b"")], psk=b"x"), SHARE),
    ],
)
def test_shares(hello: Hello, expected: bytes | None) -> None:
    data = hello.encode()
    assert share(data) == expected == parse_client_hello(data).x25519_share
    assert found(b"\0\0\1" + crypto_frame(0, data) + b"\0") == data
    # Whatever is cut off, nothing is found.
    assert not any(share(data[:end]) for end in range(len(data)))
    assert not any(found(crypto_frame(0, data)[:end]) for end in range(len(data)))
    assert share(data + b"\0") is None


def key_share(data: bytes) -> bytes:
    body = b"\3\3" + bytes(32) + b"\0" + vector(2, b"\x13\1") + vector(1, b"\0")
    return message(body + vector(2, numbers([51]) + vector(2, data)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        vector(2, b""),
        vector(2, numbers([0x1D])),
        vector(2, numbers([0x1D, 33]) + SHARE),
        vector(2, numbers([0x1D, 32]) + SHARE) + b"\0",
        vector(2, numbers([0x17, 200, 0x1D, 32]) + SHARE),
    ],
)
def test_malformed_shares(data: bytes) -> None:
    assert share(key_share(data)) is None
    assert share(key_share(vector(2, numbers([0x1D, 32]) + SHARE))) == SHARE


@given(st.binary(max_size=400), st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255))))
def test_any_bytes(noise: bytes, changes: list[tuple[int, int]]) -> None:
    found(noise)
    share(noise)
    data = bytearray(Hello(share=SHARE).encode())
    for at, value in changes:
        data[at % len(data)] = value
    try:
        expected = parse_client_hello(bytes(data)).x25519_share
    except HelloError:
        share(bytes(data))
        return
    assert share(bytes(data)) == expected
