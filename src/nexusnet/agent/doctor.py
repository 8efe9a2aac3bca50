# SPDX-License-Identifier: BSD-3-Clause
"""What this machine can do for a tunnel, and how to mend what is missing."""

import contextlib
import ctypes
import enum
import errno
import fcntl
import os
import platform
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nexusnet.agent.errors import explain_os_error
from nexusnet.dco import Absence

MODULE: Final = "nexus_quic_dco"
SOL_UDP: Final = 17
UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104
CAP_NET_ADMIN: Final = 12
TUN_DEVICE: Final = "/dev/net/tun"
TUNSETIFF: Final = 0x400454CA
TUNSETOFFLOAD: Final = 0x400454D0
IFF_TUN_NO_PI_VNET_HDR: Final = 0x0001 | 0x1000 | 0x4000
TUN_F_CSUM_TSO: Final = 0x01 | 0x02 | 0x04
TUN_F_USO: Final = 0x20 | 0x40
EARLIEST: Final = 1767225600
"""2026-01-01: no clock that is right says less."""
STA_UNSYNC: Final = 0x0040
TIMEX_STATUS_OFFSET: Final = 40


class Verdict(enum.Enum):
    """How a finding is to be taken."""

    GOOD = "good"
    SLOWER = "slower"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: of the thing.
        verdict: MISSING: no tunnel without it; SLOWER: it works without.
        found: what was found.
        fix: how to mend it; empty where nothing is to be mended.
    """

    name: str
    verdict: Verdict
    found: str
    fix: str = ""


def _good(name: str, found: str) -> Finding:
    return Finding(name, Verdict.GOOD, found)


def check_python() -> Finding:
    """Python and its operating system."""
    found = f"Python {platform.python_version()} on {platform.system()} {platform.release()}"
    if sys.version_info < (3, 11) or platform.system() != "Linux":
        return Finding("platform", Verdict.MISSING, found, "Linux and Python 3.11 are needed")
    return _good("platform", found)


def check_handshake() -> Finding:
    """Whether aioquic is the one that the handshake engine knows."""
    from nexusnet.handshake.aioquic_names import (  # noqa: PLC0415 - a broken one must not end the examination
        check_aioquic,
        installed_version,
    )
    from nexusnet.handshake.errors import IncompatibleAioquicError  # noqa: PLC0415 - as above

    try:
        check_aioquic()
    except IncompatibleAioquicError as error:
        return Finding("handshake", Verdict.MISSING, str(error), "install the pinned aioquic")
    return _good("handshake", f"aioquic {installed_version()}")


def check_engine() -> Finding:
    """Whether the user-space engine can be loaded."""
    try:
        from nexusnet import _engine  # noqa: PLC0415 - it may be missing
    except ImportError as error:
        return Finding(
            "user-space engine",
            Verdict.MISSING,
            str(error),
            "install the package again, or `make setup` in a checkout",
        )
    return _good("user-space engine", Path(_engine.__file__ or "").name)


def effective_capabilities(status: str) -> int:
    """Return the capability bits of a /proc/PID/status."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def check_privilege() -> Finding:
    """CAP_NET_ADMIN."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    if effective_capabilities(status) >> CAP_NET_ADMIN & 1:
        return _good("permission", "CAP_NET_ADMIN")
    return Finding(
        "permission",
        Verdict.MISSING,
        "no CAP_NET_ADMIN",
        "run as root, or grant it: systemd AmbientCapabilities=CAP_NET_ADMIN",
    )


def check_tun() -> Finding:
    """Whether a TUN device can be made."""
    try:
        with _tun():
            return _good("TUN", f"{TUN_DEVICE} makes devices")
    except OSError as error:
        fixes = {
            errno.ENOENT: "`modprobe tun`; in a container, have /dev/net/tun passed in",
            errno.ENODEV: "`modprobe tun`",
            errno.EPERM: "run as root, or with CAP_NET_ADMIN",
            errno.EACCES: "run as root, or with CAP_NET_ADMIN",
        }
        fix = fixes.get(error.errno or 0, "the kernel needs CONFIG_TUN")
        return Finding("TUN", Verdict.MISSING, explain_os_error(error), fix)


@contextlib.contextmanager
def _tun() -> Iterator[int]:
    descriptor = os.open(TUN_DEVICE, os.O_RDWR)
    try:
        # The kernel chooses the number; the device goes with the descriptor.
        request = struct.pack("16sH22x", b"nexusdoc%d", IFF_TUN_NO_PI_VNET_HDR)
        fcntl.ioctl(descriptor, TUNSETIFF, request)
        yield descriptor
    finally:
        os.close(descriptor)


def check_tun_offloads() -> Finding:
    """TCP and UDP segmentation offload of TUN."""
    name = "TUN offloads"
    try:
        with _tun() as descriptor:
            fcntl.ioctl(descriptor, TUNSETOFFLOAD, TUN_F_CSUM_TSO)
            try:
                fcntl.ioctl(descriptor, TUNSETOFFLOAD, TUN_F_CSUM_TSO | TUN_F_USO)
            except OSError:
                return Finding(name, Verdict.SLOWER, "TSO, no USO", "USO comes with Linux 6.2")
    except OSError as error:
        return Finding(name, Verdict.SLOWER, explain_os_error(error), "see TUN")
    return _good(name, "TSO, USO")


def check_udp_offloads() -> Finding:
    """UDP_SEGMENT and UDP_GRO."""
    lacking = []
    for option, name in ((UDP_SEGMENT, "UDP_SEGMENT"), (UDP_GRO, "UDP_GRO")):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try:
                sock.setsockopt(SOL_UDP, option, 1)
            except OSError:
                lacking.append(name)
    if lacking:
        fix = "UDP_SEGMENT comes with Linux 4.18, UDP_GRO with 5.0"
        return Finding("UDP offloads", Verdict.SLOWER, f"no {', '.join(lacking)}", fix)
    return _good("UDP offloads", "UDP_SEGMENT, UDP_GRO")


def check_buffers() -> Finding:
    """The largest socket buffer that may be asked for."""
    limit = int(Path("/proc/sys/net/core/rmem_max").read_text(encoding="ascii"))
    wanted = 4 * 1024 * 1024
    if limit < wanted:
        return Finding(
            "socket buffers",
            Verdict.SLOWER,
            f"net.core.rmem_max is {limit}",
            f"sysctl -w net.core.rmem_max={wanted} net.core.wmem_max={wanted}",
        )
    return _good("socket buffers", f"net.core.rmem_max is {limit}")


def check_ipv6() -> Finding:
    """Whether the kernel speaks IPv6."""
    path = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
    with contextlib.suppress(OSError):
        if path.read_text(encoding="ascii").strip() == "0":
            return _good("IPv6", "on")
    return Finding("IPv6", Verdict.SLOWER, "off", "sysctl -w net.ipv6.conf.all.disable_ipv6=0")


def check_module() -> Finding:
    """The kernel module."""
    # Not at the top: where netlink cannot be had the rest of the examination still works.
    from nexusnet.agent.module import probe_kernel  # noqa: PLC0415 - as above

    name = "kernel module"
    found = probe_kernel()
    if isinstance(found, Absence):
        what, _, fix = found.value.partition(": ")
        fix += "; without it dco_mode = preferred runs in user space, required does not start"
        return Finding(name, Verdict.SLOWER, what, fix)
    if not found.congestion:
        what = f"{MODULE} {found.module_version} carries no sessions"
        return Finding(name, Verdict.SLOWER, what, "install the module that belongs to this agent")
    ciphers = ", ".join(sorted(suite.name for suite in found.ciphers))
    return _good(name, f"{MODULE} {found.module_version} with {ciphers}")


def check_headers() -> Finding:
    """What a module would be built with."""
    release = platform.release()
    path = Path(f"/lib/modules/{release}/build")
    if path.exists():
        return _good("kernel headers", str(path))
    return Finding(
        "kernel headers",
        Verdict.SLOWER,
        f"none for {release}",
        f"apt install linux-headers-{release}; only a kernel module needs them",
    )


def check_clock() -> Finding:
    """Whether the time of day can be right; certificates depend on it."""
    moment = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    if time.time() < EARLIEST:
        return Finding(
            "clock", Verdict.MISSING, f"it says {moment}", "set it: `timedatectl set-ntp true`"
        )
    if not clock_is_disciplined():
        return Finding(
            "clock",
            Verdict.SLOWER,
            f"it says {moment}; nothing keeps it right",
            "`timedatectl set-ntp true`, or have the host keep it",
        )
    return _good("clock", f"it says {moment}, and is kept right")


def clock_is_disciplined() -> bool:
    """Return whether something adjusts the kernel's clock (adjtimex(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    # struct timex with room to spare; modes = 0 only reads.
    buffer = ctypes.create_string_buffer(512)
    if libc.adjtimex(buffer) < 0:
        return False
    (status,) = struct.unpack_from("=i", buffer.raw, TIMEX_STATUS_OFFSET)
    return not status & STA_UNSYNC


def check_port(port: int) -> Finding:
    """Whether a server could listen."""
    name = f"UDP port {port}"
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind(("::", port))
    except OSError as error:
        fixes = {
            errno.EADDRINUSE: f"`ss -lunp 'sport = :{port}'` names who has it",
            errno.EACCES: "run as root, or with CAP_NET_BIND_SERVICE",
        }
        fix = fixes.get(error.errno or 0, "choose another listen.port")
        return Finding(name, Verdict.SLOWER, explain_os_error(error), f"servers: {fix}")
    return _good(name, "free")


def check_forwarding() -> Finding:
    """Whether this machine passes packets on; a server with a network behind it needs that."""
    paths = {
        "IPv4": Path("/proc/sys/net/ipv4/ip_forward"),
        "IPv6": Path("/proc/sys/net/ipv6/conf/all/forwarding"),
    }
    on = []
    for name, path in paths.items():
        with contextlib.suppress(OSError):
            if path.read_text(encoding="ascii").strip() == "1":
                on.append(name)
    if len(on) == len(paths):
        return _good("forwarding", ", ".join(on))
    return Finding(
        "forwarding",
        Verdict.SLOWER,
        f"on for {', '.join(on) or 'nothing'}",
        "for a server with a network behind it:"
        " sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
    )


def examine(port: int) -> list[Finding]:
    """Look at everything.

    Args:
        port: UDP port that a server would listen on.
    """
    checks: tuple[Callable[[], Finding], ...] = (
        check_python,
        check_privilege,
        check_tun,
        check_engine,
        check_handshake,
        check_clock,
        check_tun_offloads,
        check_udp_offloads,
        check_buffers,
        check_ipv6,
        check_module,
        check_headers,
        lambda: check_port(port),
        check_forwarding,
    )
    findings = []
    for check in checks:
        try:
            findings.append(check())
        except OSError as error:
            # A machine that lacks even what is looked at (no /proc, say).
            name = check.__name__.removeprefix("check_").replace("_", " ")
            findings.append(Finding(name, Verdict.SLOWER, explain_os_error(error)))
    return findings
