# SPDX-License-Identifier: BSD-3-Clause
"""Control messages for property tests."""

import ipaddress

from hypothesis import strategies as st

from nexusnet.l3ptp.fields import Interface, Network
from nexusnet.l3ptp.messages import (
    MTU_MAX,
    MTU_MIN,
    SACK_BITS,
    Ack,
    Addresses,
    Capabilities,
    Close,
    Keepalive,
    Message,
    Mtu,
    Ready,
    Refused,
    Routes,
)

varints = st.integers(0, (1 << 62) - 1)
ids = varints

v4_networks = st.builds(
    lambda address, bits: ipaddress.IPv4Network((address, bits), strict=False),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 32),
)
v6_networks = st.builds(
    lambda address, bits: ipaddress.IPv6Network((address, bits), strict=False),
    st.integers(0, (1 << 128) - 1),
    st.integers(0, 128),
)
networks: st.SearchStrategy[Network] = v4_networks | v6_networks
interfaces: st.SearchStrategy[Interface] = st.builds(
    lambda address, bits: ipaddress.IPv4Interface((address, bits)),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 32),
) | st.builds(
    lambda address, bits: ipaddress.IPv6Interface((address, bits)),
    st.integers(0, (1 << 128) - 1),
    st.integers(0, 128),
)

readies = st.builds(
    lambda versions: Ready(tuple(sorted(versions))), st.sets(varints, min_size=1, max_size=8)
)
acks = st.builds(Ack, varints, st.integers(0, (1 << SACK_BITS) - 1))
reliable: st.SearchStrategy[Message] = st.one_of(
    readies,
    st.builds(Capabilities, st.frozensets(varints, max_size=16)),
    st.builds(Keepalive),
    st.builds(Close, varints, st.text(max_size=60)),
    st.builds(Refused, varints, varints, st.none() | varints),
    st.builds(Addresses, st.lists(interfaces, max_size=8).map(tuple)),
    st.builds(Routes, varints, st.lists(networks, max_size=20).map(tuple), st.booleans()),
    st.builds(Mtu, st.integers(MTU_MIN, MTU_MAX)),
)
messages: st.SearchStrategy[Message] = acks | reliable
