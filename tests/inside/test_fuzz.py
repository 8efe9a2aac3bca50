# SPDX-License-Identifier: BSD-3-Clause
"""Every command with random and mutated messages, while a tunnel is in use."""

from __future__ import annotations

import errno
import random
from collections import Counter
from typing import TYPE_CHECKING

from nexusnet.netlink import generated as nl
from nexusnet.netlink.wire import NetlinkFormatError
from nexusnet.session import Device
from tests.inside.fuzzer import Fuzzer
from tests.inside.hosts import answered, flood, hosts, inside
from tests.kernel.client import Netlink, RefusedError
from tests.support.planes import VOLUME

if TYPE_CHECKING:
    from tests.inside.hosts import Host

ROUND = 1000
ROUNDS = max(1, round(50 * VOLUME / 100))
# What the ABI's page lists, and what the core of netlink says of what is no message at all.
ALLOWED = {
    errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.EINVAL, errno.ERANGE, errno.ENOENT,
    errno.EEXIST, errno.ESTALE, errno.EBUSY, errno.EAGAIN, errno.ENOKEY, errno.ENOBUFS,
    errno.EMSGSIZE, errno.EBADF, errno.ENOTSOCK, errno.EPROTOTYPE, errno.EADDRNOTAVAIL,
    errno.ENODEV, errno.ENOSPC, errno.ENOTCONN, errno.EALREADY,
}  # fmt: skip
WITHOUT_WORDS = {errno.EOPNOTSUPP}
"""A command that does not exist is refused by the core, which says nothing."""


def known(host: Host) -> dict[str, tuple[int, ...]]:
    """Numbers of what is there, and of what is not."""
    fd = host.tunnel.socket.fileno()
    return {
        "id": (1, 2, 3, 1, 2, 3, 1 << 40),
        "device_id": (1, 2, 3),
        "session_id": (1, 2, 3),
        "generation": (1, 2, 3, *range(10, 1 << 16, 977)),
        "network_id": (1, 1, 7),
        "socket_fd": (fd, fd, fd, 0, 999),
        "quic_version": (1, 1, 1, 2),
        "datagram_size": (1200, 1311, 1452),
        "route_epoch": (1, 1, 2),
        "epoch": (1, 1, 2),
    }


def fuzz(host: Host, seed: int, messages: int) -> Counter[str]:
    """Send them in the host's namespace; what became of them, by the error's symbol."""
    fuzzer = Fuzzer(random.Random(seed), known(host))
    outcome: Counter[str] = Counter()
    with inside(host.namespace.name):
        netlink = Netlink()
    with netlink:
        for _ in range(messages):
            body, flags = fuzzer.message()
            try:
                netlink.raw(body, flags)
                outcome["accepted"] += 1
            except RefusedError as error:
                outcome[judged(error, body)] += 1
            except NetlinkFormatError as error:
                raise AssertionError(f"an answer makes no sense: {error}, {body.hex()}") from error
    return outcome


def judged(error: RefusedError, body: bytes) -> str:
    """The error's symbol; it is one of the ABI's, and has words."""
    number = -error.code
    name = errno.errorcode.get(number, str(number))
    assert number in ALLOWED, (name, error.message, body.hex())
    if number not in WITHOUT_WORDS and body[0] in set(nl.Command):
        assert error.message, (name, body.hex())
    return name


def test_no_message_does_harm() -> None:
    """A tunnel is fuzzed to death again and again; its neighbours do not notice."""
    outcome: Counter[str] = Counter()
    with hosts() as bystanders, flood(*bystanders):
        for number in range(ROUNDS):
            with hosts() as (first, second), flood(second, first):
                for network in (1, 7):
                    first.tunnel.plane.create_device(Device(generation=1, network_id=network))
                outcome += fuzz(first, number, ROUND)
        answered(*bystanders)
        for one in bystanders:
            assert one.tunnel.plane.session_stats(one.tunnel.ref).drop == ()
            assert len(one.tunnel.plane.devices()) == 1
    # It got somewhere: not all was refused for one reason.
    assert outcome["accepted"] > outcome.total() // 50, outcome
    assert len(outcome) > 6, outcome
