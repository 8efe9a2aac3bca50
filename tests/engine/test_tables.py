# SPDX-License-Identifier: BSD-3-Clause
"""Prefix table and session lookup, against Python's own dictionaries and ipaddress."""

import errno
import random
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import pytest

from tests.engine import native

ffi, lib = native.load()
Network = IPv4Network | IPv6Network


class Table:
    """struct nqe_route_table; values are small numbers as pointers."""

    def __init__(self) -> None:
        self.state = ffi.gc(ffi.new("struct nqe_route_table *"), lib.nqe_route_free)

    def add(self, prefix: Network, value: int) -> int:
        arguments = prefix.version, prefix.network_address.packed, prefix.prefixlen
        return int(lib.nqe_route_add(self.state, *arguments, ffi.cast("void *", value)))

    def remove(self, prefix: Network) -> int:
        arguments = prefix.version, prefix.network_address.packed, prefix.prefixlen
        return int(lib.nqe_route_remove(self.state, *arguments))

    def lookup(self, address: IPv4Address | IPv6Address) -> int:
        found = lib.nqe_route_lookup(self.state, address.version, address.packed)
        return int(ffi.cast("uintptr_t", found))


def longest(model: dict[Network, int], address: IPv4Address | IPv6Address) -> int:
    fitting = [prefix for prefix in model if address in prefix]
    return model[max(fitting, key=lambda prefix: prefix.prefixlen)] if fitting else 0


@pytest.mark.parametrize("seed", range(5))
def test_the_longest_prefix_wins(seed: int) -> None:
    rng = random.Random(seed)
    table, model = Table(), dict[Network, int]()
    prefixes: list[Network] = []
    for _ in range(300):
        six = rng.random() < 0.5
        # Few distinct bits, so that prefixes nest and collide.
        base = rng.getrandbits(6) << (120 if six else 24) | rng.getrandbits(3)
        size = rng.choice([0, 4, 8, 24, 30, 32] + ([64, 126, 128] if six else []))
        address = IPv6Address(base) if six else IPv4Address(base)
        prefixes.append(ip_network((address, size), strict=False))
    for step in range(1500):
        prefix = rng.choice(prefixes)
        if rng.random() < 0.6:
            model[prefix] = step + 1
            assert table.add(prefix, step + 1) == 0
        else:
            assert table.remove(prefix) == (0 if model.pop(prefix, 0) else -errno.ENOENT)
        probe = rng.choice(prefixes)
        address = probe[rng.randrange(min(4, probe.num_addresses))]
        assert table.lookup(address) == longest(model, address)
    assert table.state.count == len(model)


def test_all_prefixes_of_a_value_go_at_once() -> None:
    rng = random.Random(7)
    table, model = Table(), dict[Network, int]()
    for number in range(500):
        prefix = ip_network((IPv4Address(rng.getrandbits(32)), 32))
        model[prefix] = number % 5 + 1
        assert table.add(prefix, number % 5 + 1) == 0
    lib.nqe_route_remove_value(table.state, ffi.cast("void *", 3))
    for prefix, value in model.items():
        assert table.lookup(prefix.network_address) == (0 if value == 3 else value)


@pytest.mark.parametrize(
    ("family", "ip", "length"),
    [
        (4, "10.0.0.1", 24),
        (4, "10.0.0.0", 33),
        (6, "fd00::1", 64),
        (6, "fd00::", 129),
        (5, "::", 0),
    ],
)
def test_bad_prefixes_are_refused(family: int, ip: str, length: int) -> None:
    packed = ip_address(ip).packed.ljust(16, b"\0")
    value = ffi.cast("void *", 1)
    assert lib.nqe_route_add(Table().state, family, packed, length, value) == -errno.EINVAL


def lookup_key(rng: random.Random) -> Any:
    socket = rng.randrange(1, 3)
    if rng.random() < 0.5:
        cid = rng.getrandbits(5).to_bytes(8, "big")
        return lib.nqe_lookup_cid(socket, cid, 8)
    remote = ffi.new("struct nqe_address *")
    remote.family = rng.choice([4, 6])
    remote.port = rng.randrange(4)
    remote.ip[0] = rng.randrange(3)
    return lib.nqe_lookup_address(socket, remote)


def test_lookup_agrees_with_a_dictionary() -> None:
    rng = random.Random(1)
    table = ffi.gc(ffi.new("struct nqe_lookup *"), lib.nqe_lookup_free)
    assert lib.nqe_lookup_init(table) == 0
    model: dict[bytes, int] = {}
    for step in range(1, 3000):
        key = ffi.new("struct nqe_lookup_key *", lookup_key(rng))
        name = bytes(ffi.buffer(key))
        if rng.random() < 0.5:
            result = lib.nqe_lookup_add(table, key, ffi.cast("void *", step))
            assert result == (-errno.EEXIST if name in model else 0)
            model.setdefault(name, step)
        elif rng.random() < 0.7:
            lib.nqe_lookup_remove(table, key)
            model.pop(name, None)
        probe = ffi.new("struct nqe_lookup_key *", lookup_key(rng))
        found = int(ffi.cast("uintptr_t", lib.nqe_lookup_get(table, probe)))
        assert found == model.get(bytes(ffi.buffer(probe)), 0)
    assert table.count == len(model)
