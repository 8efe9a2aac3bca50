# SPDX-License-Identifier: BSD-3-Clause
"""Versions, permission, capabilities."""

from __future__ import annotations

import errno
import os
import sys
from functools import partial
from pathlib import Path

from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    Request,
)
from tests.kernel.client import Netlink, RefusedError
from tests.kernel.guest_base import (
    MODULE,
    NOBODY,
    check,
    head,
    refused,
)


@check
def caps() -> None:
    with Netlink() as netlink:
        (reply,) = netlink.ask(Request(nl.Command.GET_CAPS, nl.MainAttributes()))
    found = reply.attributes.caps
    assert found is not None
    assert (found.abi_min, found.abi_max) == (1, 1)
    assert found.module_version == Path(f"/sys/module/{MODULE}/version").read_text().strip()
    assert {cap.suite for cap in found.cipher} == set(nl.CipherSuite)
    listed = Path("/proc/crypto").read_text()
    for cap in found.cipher:
        assert f": {cap.driver}\n" in listed, cap
    offered = nl.Feature(found.features or 0)
    assert nl.Feature.PERSIST in offered
    assert nl.Feature.INSTALL_SECRETS in offered
    assert nl.Feature.MIGRATION not in offered
    assert set(found.congestion) == set(nl.Congestion)
    assert found.max_sessions == 65536
    for cap in found.cipher:
        sys.stderr.write(f"caps: {cap.suite.name} {cap.driver} {cap.asynchronous}\n")


@check
def abi_version_missing() -> None:
    with Netlink() as netlink:
        for command in nl.Command:
            refused(errno.EINVAL, "mandatory", partial(netlink.raw, head(command, None)))


@check
def abi_version_out_of_range() -> None:
    with Netlink() as netlink:
        for command in set(nl.Command) - {nl.Command.GET_CAPS}:
            refused(errno.EPROTONOSUPPORT, "abi-version", partial(netlink.raw, head(command, 2)))


@check
def abi_version_get_caps_any() -> None:
    with Netlink() as netlink:
        for version in (1, 2, 0xFFFFFFFF):
            assert len(netlink.raw(head(nl.Command.GET_CAPS, version)).messages) == 1


@check
def unprivileged_every_command() -> None:
    with Netlink() as known:
        family = known.family
    os.seteuid(NOBODY)
    try:
        with Netlink(family) as netlink:
            for command in nl.Command:
                for flags in (NLM_F_REQUEST | NLM_F_ACK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP):
                    try:
                        netlink.raw(head(command), flags)
                    except RefusedError as error:
                        allowed = {-errno.EPERM}
                        if flags & NLM_F_DUMP and command not in nl.DUMPS:
                            allowed.add(-errno.EOPNOTSUPP)
                        assert error.code in allowed, (command, error)
                    else:
                        raise AssertionError(f"{command.name} is not refused")
    finally:
        os.seteuid(0)


@check
def unprivileged_subscription() -> None:
    with Netlink() as known:
        family, group = known.family, known.group
    os.seteuid(NOBODY)
    try:
        with Netlink(family) as netlink:
            netlink.group = group
            try:
                netlink.subscribe()
            except PermissionError:
                return
            raise AssertionError("not refused")
    finally:
        os.seteuid(0)
