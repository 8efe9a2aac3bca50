# SPDX-License-Identifier: BSD-3-Clause
"""Which data plane carries a network: the configured mode, what the kernel can, what is needed.

A pure function: :func:`decide` neither loads modules nor asks the kernel. Mode ``required`` fails
closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from nexusnet.netlink.generated import ABI_VERSION, CipherSuite, Congestion, Feature

NO_FEATURES: Final = Feature(0)


class DcoMode(Enum):
    """The setting ``dco_mode``."""

    DISABLED = "disabled"
    PREFERRED = "preferred"
    REQUIRED = "required"


class Plane(Enum):
    """Outcome: who carries the packets. REFUSED means that the network must not start."""

    KERNEL = "kernel"
    USERSPACE = "userspace"
    REFUSED = "refused"


class Absence(Enum):
    """Why the kernel's capabilities could not be learned."""

    NOT_LOADED = "the module nexus_quic_dco is not loaded: run `modprobe nexus_quic_dco`"
    NOT_INSTALLED = (
        "the module nexus_quic_dco is not installed for this kernel: run `make load` in a checkout"
    )
    CANNOT_LOAD = (
        "this system may not load kernel modules (it is a container, or that is switched off): "
        "load nexus_quic_dco on its host"
    )
    NOT_PERMITTED = (
        "the kernel refused to answer: give the agent CAP_NET_ADMIN in its network namespace"
    )
    NO_ANSWER = (
        "the module nexus_quic_dco did not answer in time: "
        "look at the kernel log, then reload the module"
    )
    MALFORMED = (
        "the module nexus_quic_dco gave an answer that makes no sense: "
        "install the module that belongs to this agent"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCapabilities:
    """What GET_CAPS said."""

    abi_min: int
    abi_max: int
    module_version: str
    ciphers: frozenset[CipherSuite]
    congestion: frozenset[Congestion]
    features: Feature = NO_FEATURES
    max_sessions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a network needs of a data plane: of cipher suites all that a handshake may choose."""

    ciphers: frozenset[CipherSuite]
    congestion: Congestion = Congestion.CUBIC_LIKE
    features: Feature = NO_FEATURES
    sessions: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """The plane, and the reason in a sentence that names the fix where there is one."""

    plane: Plane
    reason: str


Probe: TypeAlias = KernelCapabilities | Absence


def _abi(kernel: KernelCapabilities) -> str | None:
    if kernel.abi_min <= ABI_VERSION <= kernel.abi_max:
        return None
    older = kernel.abi_max < ABI_VERSION
    fix = "upgrade the module" if older else "upgrade the agent"
    spoken = f"{kernel.abi_min} to {kernel.abi_max}"
    version = kernel.module_version
    return (
        f"module {version} speaks ABI {spoken}, this agent speaks {ABI_VERSION}: "
        f"{fix} so that both are of one release"
    )


def _ciphers(kernel: KernelCapabilities, needs: Needs) -> str | None:
    missing = sorted(needs.ciphers - kernel.ciphers)
    if not missing:
        return None
    names = ", ".join(suite.name for suite in missing)
    return (
        f"the kernel has no {names}: load its crypto driver, or take it off the configured ciphers"
    )


def _congestion(kernel: KernelCapabilities, needs: Needs) -> str | None:
    if needs.congestion in kernel.congestion:
        return None
    offered = ", ".join(profile.name.lower() for profile in sorted(kernel.congestion)) or "none"
    return (
        f"the kernel has no congestion profile {needs.congestion.name.lower()}: "
        f"set one of those it has ({offered})"
    )


def _features(kernel: KernelCapabilities, needs: Needs) -> str | None:
    missing = needs.features & ~kernel.features
    if not missing:
        return None
    names = ", ".join(str(feature.name).lower() for feature in Feature if feature & missing)
    return (
        f"module {kernel.module_version} lacks {names}: "
        "upgrade the module, or turn off what needs it"
    )


def _sessions(kernel: KernelCapabilities, needs: Needs) -> str | None:
    if kernel.max_sessions is None or needs.sessions <= kernel.max_sessions:
        return None
    return (
        f"{needs.sessions} peers are configured, a kernel device carries {kernel.max_sessions}: "
        "split the network"
    )


def shortcoming(probe: Probe, needs: Needs) -> str | None:
    """Why the kernel cannot carry a network, with the fix; None where it can."""
    if isinstance(probe, Absence):
        return probe.value
    # The version first: nothing else that a module of another ABI says can be relied upon.
    return (
        _abi(probe)
        or _ciphers(probe, needs)
        or _congestion(probe, needs)
        or _features(probe, needs)
        or _sessions(probe, needs)
    )


def decide(mode: DcoMode, probe: Probe, needs: Needs) -> Decision:
    """The data plane of a network.

    Args:
        mode: the configured mode.
        probe: what the kernel said, or why it said nothing.
        needs: what the network needs.

    Returns:
        USERSPACE in mode ``disabled``; KERNEL where the kernel can; else USERSPACE in mode
        ``preferred`` and REFUSED in mode ``required``.
    """
    if mode is DcoMode.DISABLED:
        return Decision(Plane.USERSPACE, "dco_mode is disabled")
    lacking = shortcoming(probe, needs)
    if lacking is None:
        return Decision(Plane.KERNEL, f"dco_mode is {mode.value} and the kernel has what is needed")
    if mode is DcoMode.PREFERRED:
        return Decision(Plane.USERSPACE, f"dco_mode is preferred, but {lacking}")
    return Decision(
        Plane.REFUSED, f"dco_mode is required, but {lacking}; or set dco_mode = preferred"
    )
