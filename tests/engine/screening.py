# SPDX-License-Identifier: BSD-3-Clause
"""A screen, and datagrams to hold against it."""

from hypothesis import strategies as st

from tests.engine import native

ffi, lib = native.load()
CID = b"expected"


class Screen:
    """struct nqe_screen; also what an acceptor tells."""

    def __init__(self, cid_length: int = 8) -> None:
        self.state = ffi.gc(ffi.new("struct nqe_screen *"), lib.nqe_screen_free)
        assert lib.nqe_screen_start(self.state, cid_length) == 0

    def judge(self, data: bytes) -> int:
        # Exactly so many bytes: a sanitizer would see a read beyond them.
        return int(lib.nqe_screen_judge(self.state, native.octets(data), len(data)))

    def admits(self, data: bytes) -> bool:
        return self.judge(data) == int(lib.NQE_SCREEN_ADMIT)

    def expect(self, cid: bytes) -> None:
        assert lib.nqe_screen_expect(self.state, cid, len(cid)) == 0

    def forget(self, cid: bytes) -> None:
        lib.nqe_screen_forget(self.state, cid, len(cid))


def long(first: int, version: int, dcid: bytes, size: int, scid: bytes = b"") -> bytes:
    head = bytes([first]) + version.to_bytes(4, "big")
    head += bytes([len(dcid)]) + dcid + bytes([len(scid)]) + scid + b"\0"
    return (head + (0x4000 | max(0, size - len(head) - 2)).to_bytes(2, "big")).ljust(size, b"\0")


CIDS = st.one_of(st.just(CID), st.binary(max_size=22), st.binary(min_size=8, max_size=8))
DATAGRAMS = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda first, rest: bytes([first]) + CID + rest, st.integers(0, 255), st.binary()),
    st.builds(
        long,
        st.integers(0x80, 0xFF),
        st.sampled_from([0, 1, 2, 0x6B3343CF, 0xFACEB00C]),
        CIDS,
        st.sampled_from([30, 100, 1199, 1200, 1250]),
        CIDS,
    ),
)
