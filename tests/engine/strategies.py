# SPDX-License-Identifier: BSD-3-Clause
"""Hypothesis strategies for flows."""

from hypothesis import strategies as st

from tests.engine.packets import ACK, ECE, TCP, UDP, Flow

WORDS = st.integers(0, 2**32 - 1)


@st.composite
def flows(draw: st.DrawFn, flags: st.SearchStrategy[int] | None = None) -> Flow:
    version = draw(st.sampled_from([4, 6]))
    size = 4 if version == 4 else 16
    return Flow(
        version=version,
        protocol=draw(st.sampled_from([TCP, UDP])),
        source=draw(st.binary(min_size=size, max_size=size)),
        destination=draw(st.binary(min_size=size, max_size=size)),
        ports=(draw(st.integers(0, 65535)), draw(st.integers(0, 65535))),
        seq=draw(WORDS),
        acknowledged=draw(WORDS),
        flags=draw(flags if flags is not None else st.sampled_from([ACK, ACK | ECE])),
        window=draw(st.integers(0, 65535)),
        options=draw(st.binary(min_size=40, max_size=40))[: 4 * draw(st.integers(0, 10))],
        tos=draw(st.integers(0, 255)),
        ttl=draw(st.integers(1, 255)),
        flow_label=draw(st.integers(0, 2**20 - 1)),
        ident=draw(st.integers(0, 65535)),
        dont_fragment=draw(st.booleans()),
    )
