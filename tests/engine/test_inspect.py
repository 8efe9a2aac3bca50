# SPDX-License-Identifier: BSD-3-Clause
"""The first look at an Initial: the same work for every hello, and nothing left of the secrets."""

from collections import Counter
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.engine import native
from tests.reality.hellos import Hello, genuine, with_random
from tests.reality.initials import crypto_frame, initial, new_dcid

ffi, lib = native.load()
SERVER = X25519PrivateKey.generate()
USER = b"short id"
COSTLY = ("EVP_PKEY_derive", "EVP_DigestUpdate", "EVP_MAC_final", "EVP_DecryptUpdate")
"""libcrypto's functions that take time."""


def opener(key: X25519PrivateKey = SERVER) -> Any:
    made = lib.nqe_opener_new(native.octets(key.private_bytes_raw()), native.octets(bytes(32)))
    assert made != ffi.NULL
    return ffi.gc(made, lib.nqe_opener_free)


def inspect(one: Any, datagram: bytes, dcid: bytes) -> tuple[int, bytes, bytes]:
    found = ffi.new("struct nqe_inspected *")
    pn_offset = 7 + len(dcid) + 1 + 2
    verdict = lib.nqe_inspect(
        one, dcid, len(dcid), native.octets(datagram), pn_offset, len(datagram), found
    )
    return int(verdict), bytes(ffi.buffer(found.random)), bytes(ffi.buffer(found.plaintext))


def hello_of(key: X25519PrivateKey, **changes: Any) -> bytes:
    shape = Hello(**changes)
    return genuine(key.public_key(), unix_time=1, short_id=USER, hello=shape)[0]


GENUINE = hello_of(SERVER)
HELLOS = {
    "genuine": (GENUINE, lib.NQE_INSPECT_AUTHENTIC),
    "another key": (hello_of(X25519PrivateKey.generate()), lib.NQE_INSPECT_BAD_TAG),
    "no authenticator": (with_random(GENUINE, bytes(32)), lib.NQE_INSPECT_BAD_TAG),
    "small order": (Hello(share=bytes(32)).encode(), lib.NQE_INSPECT_NO_SHARE),
    "no share": (
        GENUINE.replace(b"\0\x1d\0\x20", b"\0\x17\0\x20"),
        lib.NQE_INSPECT_NO_SHARE,
    ),
    "malformed": (GENUINE[:39] + b"\xff" + GENUINE[40:], lib.NQE_INSPECT_NO_SHARE),
}


@pytest.mark.parametrize("name", HELLOS)
def test_verdicts(name: str) -> None:
    message, expected = HELLOS[name]
    dcid = new_dcid()
    one = opener()
    datagram = initial(crypto_frame(0, message), dcid)
    verdict, random, plaintext = inspect(one, datagram, dcid)
    assert (verdict, random) == (expected, message[6:38])
    authentic = b"\1\0\0\0\0\0\0\1" + USER
    assert plaintext == (authentic if name == "genuine" else bytes(16))
    broken = datagram[:-1] + bytes([datagram[-1] ^ 1])
    closed = (lib.NQE_INSPECT_CLOSED, bytes(32), bytes(16))
    assert inspect(one, broken, dcid) == closed
    # One hello leaves nothing behind for the next one.
    assert inspect(one, datagram, dcid) == (verdict, random, plaintext)


def test_a_failed_opening_leaves_zeros() -> None:
    plaintext, proof = ffi.new("u8[16]"), ffi.new("u8[32]")
    one = opener()
    for message, _ in HELLOS.values():
        for at in (None, 10):
            data = message[:at]
            ffi.buffer(plaintext)[:], ffi.buffer(proof)[:] = b"x" * 16, b"x" * 32
            error = lib.nqe_authenticator_open(
                one, native.octets(data), len(data), plaintext, proof
            )
            good = data == GENUINE
            assert (error == 0) == good
            assert (bytes(ffi.buffer(plaintext)) != bytes(16)) == good
            assert (bytes(ffi.buffer(proof)) != bytes(32)) == good


def test_the_work_is_the_same_for_all_hellos_of_one_length() -> None:
    counting, counted = native.load_counting(COSTLY)
    work = {}
    for name, (message, expected) in HELLOS.items():
        dcid = new_dcid()
        datagram = initial(crypto_frame(0, message), dcid)
        one = counted.nqe_opener_new(SERVER.private_bytes_raw(), bytes(32))
        before = Counter({call: getattr(counted, f"count_{call}") for call in COSTLY})
        found = counting.new("struct nqe_inspected *")
        verdict = counted.nqe_inspect(one, dcid, 8, datagram, 18, len(datagram), found)
        assert verdict == expected
        after = Counter({call: getattr(counted, f"count_{call}") for call in COSTLY})
        work[name] = after - before
        counted.nqe_opener_free(one)
    assert work["genuine"]["EVP_PKEY_derive"] == 1
    assert set(work["genuine"]) == set(COSTLY)
    assert all(done == work["genuine"] for done in work.values()), work
