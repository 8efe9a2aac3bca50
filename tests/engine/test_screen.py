# SPDX-License-Identifier: BSD-3-Clause
"""The screen in front of the handshakes; tests/handshake/test_screen.py holds it against these."""

import errno
import random

import pytest

from tests.engine import native
from tests.engine.screening import CID, Screen, long

ffi, lib = native.load()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "UNKNOWN_CONNECTION"),
        (b"\x40", "UNKNOWN_CONNECTION"),
        (b"\x40expecte", "UNKNOWN_CONNECTION"),
        (b"\x40stranger" + bytes(40), "UNKNOWN_CONNECTION"),
        (b"\x40expected", None),
        # The fixed bit is the connection's business.
        (b"\x00expected" + bytes(40), None),
        (b"\xc0\x00\x00\x00\x01", "MALFORMED"),
        (b"\xc0\x00\x00\x00\x01\x08expected", "MALFORMED"),
        (b"\xc0\x00\x00\x00\x01\x08expected\x01", "MALFORMED"),
        (b"\xc0\x00\x00\x00\x01\x08expected\x00", None),
        (long(0xE0, 1, CID, 50), None),
        (long(0xE0, 7, CID, 50), None),
        (long(0xC0, 1, b"stranger", 1200), None),
        (long(0xC0, 1, b"stranger", 1199), "INITIAL_TOO_SMALL"),
        (long(0x80, 1, b"stranger", 1200), "MALFORMED"),
        (long(0xD0, 1, b"stranger", 1250), "UNKNOWN_CONNECTION"),
        (long(0xE0, 1, b"stranger", 1250), "UNKNOWN_CONNECTION"),
        (long(0xF0, 1, b"stranger", 1250), "UNKNOWN_CONNECTION"),
        (long(0xC0, 1, bytes(20), 1200, bytes(20)), None),
        (long(0xC0, 1, bytes(21), 1200), "MALFORMED"),
        (long(0xC0, 1, bytes(8), 1200, bytes(21)), "MALFORMED"),
        # Version Negotiation: for those who could begin a connection (RFC 9000 section 6.1), whose
        # connection IDs may be of any length (RFC 8999 section 5.1).
        (long(0xC0, 0xFACEB00C, bytes(255), 1200, bytes(255)), None),
        (long(0x80, 0xFACEB00C, b"stranger", 1200), None),
        (long(0xC0, 0xFACEB00C, b"stranger", 1199), "UNSUPPORTED_VERSION"),
        (long(0xC0, 0, b"stranger", 1250), "UNSUPPORTED_VERSION"),
    ],
)
def test_what_is_admitted(data: bytes, reason: str | None) -> None:
    screen = Screen()
    screen.expect(CID)
    assert screen.judge(data) == getattr(lib, f"NQE_SCREEN_{reason or 'ADMIT'}")


def test_it_admits_everything_until_it_is_started() -> None:
    state = ffi.new("struct nqe_screen *")
    assert lib.nqe_screen_judge(state, b"\x40", 1) == lib.NQE_SCREEN_ADMIT
    assert lib.nqe_screen_expect(state, CID, 8) == -errno.EINVAL
    # Without connection IDs nothing tells a handshake's short headers from others.
    assert lib.nqe_screen_start(state, 0) == -errno.EINVAL
    assert lib.nqe_screen_start(state, 21) == -errno.EINVAL


def test_connection_ids_come_and_go() -> None:
    screen, chance = Screen(), random.Random(1)
    known: set[bytes] = set()
    for _ in range(2000):
        cid = chance.getrandbits(7).to_bytes(8, "big")
        if cid in known:
            assert lib.nqe_screen_expect(screen.state, cid, 8) == -errno.EEXIST
        if chance.random() < 0.5:
            known.discard(cid)
            screen.forget(cid)
        elif cid not in known:
            known.add(cid)
            screen.expect(cid)
        probe = chance.getrandbits(7).to_bytes(8, "big")
        assert screen.admits(b"\x40" + probe) == (probe in known)
    assert lib.nqe_screen_expect(screen.state, b"short", 5) == -errno.EINVAL
    screen.forget(b"short")
