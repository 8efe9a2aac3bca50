# SPDX-License-Identifier: BSD-3-Clause
"""The kernels by name: the one place that says what each is and where it comes from."""

import enum
from dataclasses import dataclass

from nexus_lab.errors import LabError


class Home(enum.Enum):
    """How a kernel is run."""

    UML = "uml"
    """Built from source as a program of the host (User-Mode Linux): native speed."""
    QEMU = "qemu"
    """Debian's own binary, emulated (TCG): what users run."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel one can ask for."""

    name: str
    home: Home
    series: str
    """The Linux series, as in 6.12; the newest patch level that Debian has is taken."""
    releases: tuple[str, ...]
    """Debian releases to look in, the preferred one first."""
    next_best: tuple[str, ...]
    """Kernels (for UML: series of the source) to go on with when this one is gone."""
    purpose: str
    debug: bool = False


_UML_FALLBACK = ("7.2", "6.12")

KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel(
            "uml",
            Home.UML,
            "7.3",
            ("trixie", "sid"),
            _UML_FALLBACK,
            "daily work and throughput: native speed, accelerated crypto, no checks",
        ),
        Kernel(
            "uml-debug",
            Home.UML,
            "7.3",
            ("trixie", "sid"),
            _UML_FALLBACK,
            "faults: KUnit, KASAN, lockdep, kmemleak, UBSAN, fault injection",
            debug=True,
        ),
        Kernel(
            "6.1",
            Home.QEMU,
            "6.1",
            ("bookworm",),
            ("6.12", "7.2", "7.3"),
            "Debian 12's stock kernel",
        ),
        Kernel(
            "6.12",
            Home.QEMU,
            "6.12",
            ("trixie", "bookworm"),
            ("7.2", "6.1", "7.3"),
            "Debian 13's stock kernel",
        ),
        Kernel(
            "7.2",
            Home.QEMU,
            "7.2",
            ("trixie", "sid"),
            ("7.3", "6.12", "6.1"),
            "the backports kernel before the newest",
        ),
        Kernel(
            "7.3",
            Home.QEMU,
            "7.3",
            ("trixie", "sid"),
            ("7.2", "6.12", "6.1"),
            "the newest backports kernel",
        ),
    )
}


def kernel_named(name: str) -> Kernel:
    """Return the kernel of that name, or an error that lists them."""
    try:
        return KERNELS[name]
    except KeyError:
        raise LabError(f"no kernel named {name!r}; there are {', '.join(KERNELS)}") from None
