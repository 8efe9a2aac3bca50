# SPDX-License-Identifier: BSD-3-Clause
"""Capability negotiation, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nexusnet.dco import Absence, DcoMode, KernelCapabilities, Needs, Plane, Probe, decide
from nexusnet.netlink.convert import capabilities
from nexusnet.netlink.generated import (
    ABI_VERSION,
    CapsAttributes,
    CipherCap,
    CipherSuite,
    Congestion,
    Feature,
)
from nexusnet.netlink.wire import NetlinkFormatError

ALL_CIPHERS = frozenset(CipherSuite)
AES = frozenset({CipherSuite.AES_128_GCM_SHA256, CipherSuite.AES_256_GCM_SHA384})
FULL = KernelCapabilities(
    abi_min=ABI_VERSION,
    abi_max=ABI_VERSION,
    module_version="0.1.0",
    ciphers=ALL_CIPHERS,
    congestion=frozenset({Congestion.CUBIC_LIKE}),
    features=Feature.PERSIST | Feature.GSO,
    max_sessions=1000,
)
NEEDS = Needs(ciphers=ALL_CIPHERS)

# (what the kernel said, what is needed, words of the reason) wherever the kernel cannot.
LACKING: list[tuple[Probe, Needs, list[str]]] = [
    (Absence.NOT_LOADED, NEEDS, ["not loaded", "modprobe nexus_quic_dco"]),
    (Absence.NOT_INSTALLED, NEEDS, ["not installed", "make load"]),
    (Absence.CANNOT_LOAD, NEEDS, ["may not load", "on its host"]),
    (Absence.NOT_PERMITTED, NEEDS, ["CAP_NET_ADMIN"]),
    (Absence.NO_ANSWER, NEEDS, ["did not answer", "reload"]),
    (Absence.MALFORMED, NEEDS, ["makes no sense", "install"]),
    (
        replace(FULL, abi_min=0, abi_max=ABI_VERSION - 1),
        NEEDS,
        ["speaks ABI", "upgrade the module"],
    ),
    (
        replace(FULL, abi_min=ABI_VERSION + 1, abi_max=ABI_VERSION + 3),
        NEEDS,
        ["speaks ABI", "upgrade the agent"],
    ),
    # The version is named first, whatever else is missing.
    (
        replace(FULL, abi_max=0, abi_min=0, ciphers=frozenset()),
        NEEDS,
        ["speaks ABI"],
    ),
    (replace(FULL, ciphers=AES), NEEDS, ["CHACHA20_POLY1305_SHA256", "load its crypto driver"]),
    (
        FULL,
        replace(NEEDS, congestion=Congestion.BBR_LIKE),
        ["bbr_like", "set one of those it has (cubic_like)"],
    ),
    (
        FULL,
        replace(NEEDS, features=Feature.PERSIST | Feature.INSTALL_SECRETS),
        ["lacks install_secrets:", "upgrade the module"],
    ),
    (FULL, replace(NEEDS, sessions=1001), ["1001 peers", "1000", "split"]),
]
SUFFICIENT: list[tuple[Probe, Needs]] = [
    (FULL, NEEDS),
    (replace(FULL, abi_min=1, abi_max=ABI_VERSION + 5), NEEDS),
    (replace(FULL, ciphers=AES), replace(NEEDS, ciphers=AES)),
    (FULL, replace(NEEDS, features=Feature.PERSIST, sessions=1000)),
    (replace(FULL, max_sessions=None), replace(NEEDS, sessions=10**6)),
]


@pytest.mark.parametrize(("probe", "needs", "words"), LACKING)
def test_where_the_kernel_cannot(probe: Probe, needs: Needs, words: list[str]) -> None:
    preferred = decide(DcoMode.PREFERRED, probe, needs)
    assert preferred.plane is Plane.USERSPACE
    assert preferred.reason.startswith("dco_mode is preferred, but ")
    required = decide(DcoMode.REQUIRED, probe, needs)
    assert required.plane is Plane.REFUSED
    assert required.reason.startswith("dco_mode is required, but ")
    for word in words:
        assert word in preferred.reason
        assert word in required.reason
    assert decide(DcoMode.DISABLED, probe, needs).plane is Plane.USERSPACE


@pytest.mark.parametrize(("probe", "needs"), SUFFICIENT)
def test_where_the_kernel_can(probe: Probe, needs: Needs) -> None:
    assert decide(DcoMode.REQUIRED, probe, needs).plane is Plane.KERNEL
    assert decide(DcoMode.PREFERRED, probe, needs).plane is Plane.KERNEL
    decision = decide(DcoMode.DISABLED, probe, needs)
    assert (decision.plane, decision.reason) == (Plane.USERSPACE, "dco_mode is disabled")


def test_required_never_falls_back() -> None:
    for probe, needs, _ in LACKING:
        assert decide(DcoMode.REQUIRED, probe, needs).plane is not Plane.USERSPACE


def test_modes_are_spelled_as_in_the_configuration() -> None:
    assert [mode.value for mode in DcoMode] == ["disabled", "preferred", "required"]


def test_capabilities_from_the_kernel() -> None:
    suite = CipherSuite.AES_128_GCM_SHA256
    ciphers = (
        CipherCap(suite=suite, asynchronous=0, driver="generic-gcm-aesni"),
        CipherCap(suite=CipherSuite(0x1399), asynchronous=1, driver="of the future"),
    )
    caps = CapsAttributes(
        abi_min=1,
        abi_max=2,
        module_version="0.2",
        cipher=ciphers,
        congestion=(Congestion.CUBIC_LIKE, Congestion(9)),
        features=Feature.GSO | 1 << 40,
    )
    known = capabilities(caps)
    assert known.ciphers == {suite}
    assert known.congestion == {Congestion.CUBIC_LIKE}
    assert Feature.GSO in known.features
    with pytest.raises(NetlinkFormatError, match="which ABI versions"):
        capabilities(CapsAttributes(abi_min=1))
