# SPDX-License-Identifier: BSD-3-Clause
"""Messages of a server that aioquic does not know: read within bounds, or refused with an alert."""

import tracemalloc

import brotli
import pytest
from aioquic import tls
from aioquic._buffer import Buffer, BufferReadError
from hypothesis import given
from hypothesis import strategies as st

from nexusnet.reality.browser.certificate import (
    MAX_CERTIFICATE,
    decompress,
    pull_compressed_certificate,
)
from nexusnet.reality.browser.ec_share import CURVES, EcShare
from nexusnet.reality.browser.hello_retry import RETRY_RANDOM, HelloRetryRequest, asks_again
from nexusnet.reality.key_exchange import KeyShareError

REFUSALS = (tls.Alert, BufferReadError)


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size) + data


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(3, body)


def compressed(body: bytes, length: int | None = None, algorithm: int = 2) -> bytes:
    packed: bytes = brotli.compress(body)
    stated = len(body) if length is None else length
    return message(25, algorithm.to_bytes(2) + stated.to_bytes(3) + vector(3, packed))


def certificate(*ders: bytes) -> bytes:
    return b"\0" + vector(3, b"".join(vector(3, der) + vector(2, b"") for der in ders))


@given(st.lists(st.binary(min_size=1, max_size=2000), max_size=4))
def test_a_compressed_certificate_is_the_certificate(ders: list[bytes]) -> None:
    found = pull_compressed_certificate(Buffer(data=compressed(certificate(*ders))))
    assert [der for der, _ in found.certificates] == ders


def test_64_kib_are_the_limit() -> None:
    der = bytes(MAX_CERTIFICATE - 9)
    body = certificate(der)
    assert len(body) == MAX_CERTIFICATE
    assert pull_compressed_certificate(Buffer(data=compressed(body))).certificates[0][0] == der
    with pytest.raises(tls.AlertBadCertificate, match="too long"):
        pull_compressed_certificate(Buffer(data=compressed(certificate(bytes(MAX_CERTIFICATE)))))


@pytest.mark.parametrize("stated", [0, 100, MAX_CERTIFICATE])
def test_a_bomb_does_not_go_off(stated: int) -> None:
    bomb = brotli.compress(bytes(16 * 2**20), quality=5)
    assert len(bomb) < 1000
    tracemalloc.start()
    with pytest.raises(tls.AlertBadCertificate, match="another length"):
        decompress(bomb, stated)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize(
    "spoilt",
    [b"", b"\0\1\2\3", brotli.compress(b"x" * 100)[:-1], brotli.compress(b"x" * 100) + b"more"],
)
def test_what_is_no_brotli_is_refused(spoilt: bytes) -> None:
    with pytest.raises(tls.AlertBadCertificate):
        decompress(spoilt, 100)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for kind, pull in ((25, pull_compressed_certificate), (2, HelloRetryRequest.pull)):
        try:
            pull(Buffer(data=message(kind, body)))
        except REFUSALS:
            continue


# HelloRetryRequest


def request(
    extensions: list[tuple[int, bytes]],
    *,
    version: bytes = b"\x03\x03",
    session_id: bytes = b"",
    compression: int = 0,
) -> bytes:
    block = b"".join(kind.to_bytes(2) + vector(2, data) for kind, data in extensions)
    body = version + RETRY_RANDOM + vector(1, session_id) + b"\x13\x02" + bytes([compression])
    return message(2, body + vector(2, block))


TLS_1_3 = (43, b"\x03\x04")
P_256 = (51, b"\0\x17")
COOKIE = (44, b"\0\3abc")


def test_it_is_recognised_by_its_random() -> None:
    assert asks_again(request([TLS_1_3, P_256]))
    assert not asks_again(request([TLS_1_3, P_256]).replace(RETRY_RANDOM, bytes(32)))


@pytest.mark.parametrize("order", [[TLS_1_3, P_256, COOKIE], [COOKIE, P_256, TLS_1_3]])
def test_it_is_read(order: list[tuple[int, bytes]]) -> None:
    found = HelloRetryRequest.pull(Buffer(data=request(order)))
    assert found == HelloRetryRequest(0x1302, 0x17, b"\0\3abc")
    found = HelloRetryRequest.pull(Buffer(data=request([TLS_1_3])))
    assert found == HelloRetryRequest(0x1302, None, None)


@pytest.mark.parametrize(
    "spoilt",
    [
        request([P_256]),
        request([(43, b"\x03\x03"), P_256]),
        request([TLS_1_3, TLS_1_3]),
        request([TLS_1_3, P_256, (10, b"")]),
        request([TLS_1_3, (51, b"\0\x17\0\0")]),
        request([TLS_1_3], session_id=b"x"),
        request([TLS_1_3], compression=1),
        request([TLS_1_3], version=b"\x03\x04"),
        request([TLS_1_3, P_256])[:-1],
    ],
)
def test_what_is_not_legal_is_refused(spoilt: bytes) -> None:
    with pytest.raises(REFUSALS):
        HelloRetryRequest.pull(Buffer(data=spoilt))


@pytest.mark.parametrize("group", list(CURVES))
def test_shares_on_curves(group: int) -> None:
    ours, theirs = EcShare.generate(group), EcShare.generate(group)
    assert ours.exchange(theirs.public) == theirs.exchange(ours.public)
    assert ours.public[0] == 4
    for spoilt in (
        theirs.public[:-1],
        theirs.public + b"\0",
        b"\2" + theirs.public[1:],
        theirs.public[:-1] + bytes([theirs.public[-1] ^ 1]),
        b"",
    ):
        with pytest.raises(KeyShareError):
            ours.exchange(spoilt)
