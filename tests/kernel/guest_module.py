# SPDX-License-Identifier: BSD-3-Clause
"""The module as a whole: failing allocations, vectors, loading and unloading."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import (
    NLM_F_REQUEST,
)
from tests.kernel.client import Netlink
from tests.kernel.guest_base import (
    CYCLES,
    INVALID_VECTORS,
    MODULE,
    VECTORS,
    answered,
    check,
    create,
    delete,
    devices,
    failing,
    faults_can_be_injected,
    inside,
    links,
    namespace,
    of_device,
    run,
    until,
)


@check
def failslab_device() -> None:
    if not faults_can_be_injected():
        return
    with Netlink() as netlink:
        before, tries = [], 0
        request = of_device(nl.Command.CREATE_DEVICE, network_id=7, generation=1, ifname="q0")
        body = bytes(request.encode())
        for succeeded in failing(partial(netlink.send, body, NLM_F_REQUEST)):
            tries += 1
            # Whatever failed, the answer says whether the device is there.
            answers = answered(netlink) if succeeded else []
            after = devices(netlink)
            assert len(after) in {0, 1}
            assert bool(after) == bool(answers), (tries, after, answers)
            for device in after:
                delete(netlink, device.id)
            before.append(bool(after))
        assert tries > 10, "allocations were made to fail"
        assert before.count(False) > 5
        assert before[-1], "with no failure the device is made"


@check
def golden_vectors() -> None:
    # With KUnit the lab counts what fails; without it the module does not load then.
    run("insmod", sys.argv[2])
    run("rmmod", Path(sys.argv[2]).stem)
    found = re.findall(r"(\w+): (\d+) vectors", run("dmesg"))
    tried = {name: int(count) for name, count in found}
    assert tried.pop("routes") == 4000
    assert tried.pop("bad_prefixes") == 8
    assert tried.pop("key_lengths") == len(nl.CipherSuite)
    assert tried.pop("short_header_opens") == tried.pop("short_header_seals") == VECTORS
    assert tried.pop("short_header_invalid") == INVALID_VECTORS
    assert tried.pop("short_header_bit_flips") > VECTORS // 4
    assert tried.pop("crypto_jobs") > VECTORS
    assert tried.pop("queue") == 3
    assert not tried


@check
def module_cycles() -> None:
    path = sys.argv[1]
    for cycle in range(CYCLES):
        run("ip", "link", "add", f"q{cycle}", "up", "type", "nexusq")
        with namespace("a"):
            run("ip", "-n", "a", "link", "add", "q0", "up", "type", "nexusq")
            with Netlink() as netlink:
                create(netlink)
            run("rmmod", MODULE)
            assert not links("-n", "a")
        assert links() == []
        run("insmod", path)


@check
def namespace_cycles() -> None:
    for _ in range(CYCLES):
        with namespace("a"):
            with inside("a"):
                owner = Netlink()
            with owner:
                create(owner)
                run("ip", "-n", "a", "link", "add", "q7", "up", "type", "nexusq")
                run("ip", "-n", "a", "link", "set", "q7", "netns", "1")
    until(lambda: links() == [], "devices of namespaces that are gone")
