# SPDX-License-Identifier: BSD-3-Clause
"""Tunnels inside the kernel, each set up between two namespaces by the same rules.

For a kernel of the lab: all have an inner MTU of 1420 and fixed keys that anybody can compute.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar, Final

from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST, genlmsg, nla
from pyroute2.netlink.generic import GenericNetlinkSocket

from tests.engine.tunnel import RunningEnd, tunnel
from tests.support.namespaces import Namespace, cable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

MTU: Final = 1420
INNER: Final = ("10.78.0.1", "10.78.0.2")
CLONE_NEWNET: Final = 0x40000000
# A datagram that holds an inner packet of MTU bytes and what is around it.
DATAGRAM_SIZE: Final = 1452
# What a guest without udev does not load by itself; without the ciphers gcm(aes) is a slow one.
MODULES: Final = (
    "aesni_intel", "ghash_clmulni_intel", "chacha_x86_64", "poly1305_x86_64", "chacha20poly1305",
 "gcm", "udp_tunnel", "ip6_udp_tunnel", "tun", "wireguard", "ovpn",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stand:
    """Two ends that reach each other."""

    ends: tuple[Namespace, Namespace]
    address: str  # of the second one
    device: str  # where its packets come in


def load_modules() -> None:
    """Load what the tunnels need, as far as this kernel has it as modules."""
    for module in MODULES:
        subprocess.run(["modprobe", "-q", module], check=False, capture_output=True, timeout=60)


def ciphers() -> dict[str, str]:
    """Which driver the kernel has chosen for each AEAD so far."""
    chosen: dict[str, tuple[int, str]] = {}
    for block in Path("/proc/crypto").read_text().split("\n\n"):
        lines = (line.partition(":") for line in block.splitlines())
        facts = {name.strip(): fact.strip() for name, _, fact in lines}
        name = facts.get("name", "")
        if name in {"gcm(aes)", "rfc7539(chacha20,poly1305)"}:
            best = (int(facts.get("priority", 0)), facts.get("driver", ""))
            chosen[name] = max(chosen.get(name, (-1, "")), best)
    return {name: driver for name, (_, driver) in sorted(chosen.items())}


def up(end: Namespace, device: str, index: int) -> None:
    """Give an end's device its address."""
    end.run("ip", "addr", "add", INNER[index], "peer", INNER[1 - index], "dev", device)
    end.run("ip", "link", "set", device, "mtu", str(MTU), "up")


@contextmanager
def plain() -> Iterator[Stand]:
    """No tunnel: what the path itself costs."""
    with cable() as ends:
        for end in ends:
            end.run("ip", "link", "set", end.link, "mtu", str(MTU))
        yield Stand(ends, ends[1].ipv4, ends[1].link)


@contextmanager
def wireguard() -> Iterator[Stand]:
    """The kernel's WireGuard."""
    with cable() as ends, TemporaryDirectory(prefix="nexus-bench-") as folder:
        private = [_output("wg", "genkey") for _ in ends]
        public = [_output("wg", "pubkey", given=key) for key in private]
        for index, end in enumerate(ends):
            file = Path(folder, f"{index}.key")
            file.touch(mode=0o600)
            file.write_text(private[index])
            end.run("ip", "link", "add", "wg0", "type", "wireguard")
            peer = 1 - index
            end.run(
                "wg", "set", "wg0", "listen-port", "51820", "private-key", str(file),
                "peer", public[peer], "allowed-ips", f"{INNER[peer]}/32",
                "endpoint", f"{ends[peer].ipv4}:51820",
            )  # fmt: skip
            up(end, "wg0", index)
        yield Stand(ends, INNER[1], "wg0")


def _output(*command: str, given: str = "") -> str:
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


class _Ovpn(genlmsg):  # type: ignore[misc]  # pyroute2 has no types
    """Messages of the kernel's ovpn family, as far as they are needed (linux/ovpn.h)."""

    PEER_NEW, KEY_NEW = 1, 6
    AES_GCM, CHACHA20_POLY1305 = 1, 2
    nla_map: ClassVar = (
        ("OVPN_A_UNSPEC", "none"),
        ("OVPN_A_IFINDEX", "uint32"),
        ("OVPN_A_PEER", "peer"),
        ("OVPN_A_KEYCONF", "keyconf"),
    )

    class peer(nla):  # type: ignore[misc]  # noqa: N801 - pyroute2 wants it so
        nla_flags = 0x8000
        nla_map: ClassVar = (
            ("OVPN_A_PEER_UNSPEC", "none"),
            ("OVPN_A_PEER_ID", "uint32"),
            ("OVPN_A_PEER_REMOTE_IPV4", "ip4addr"),
            ("OVPN_A_PEER_REMOTE_IPV6", "ip6addr"),
            ("OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID", "uint32"),
            ("OVPN_A_PEER_REMOTE_PORT", "be16"),
            ("OVPN_A_PEER_SOCKET", "uint32"),
        )

    class keyconf(nla):  # type: ignore[misc]  # noqa: N801
        nla_flags = 0x8000
        nla_map: ClassVar = (
            ("OVPN_A_KEYCONF_UNSPEC", "none"),
            ("OVPN_A_KEYCONF_PEER_ID", "uint32"),
            ("OVPN_A_KEYCONF_SLOT", "uint32"),
            ("OVPN_A_KEYCONF_KEY_ID", "uint32"),
            ("OVPN_A_KEYCONF_CIPHER_ALG", "uint32"),
            ("OVPN_A_KEYCONF_ENCRYPT_DIR", "keydir"),
            ("OVPN_A_KEYCONF_DECRYPT_DIR", "keydir"),
        )

        class keydir(nla):  # type: ignore[misc]  # noqa: N801
            nla_flags = 0x8000
            nla_map: ClassVar = (
                ("OVPN_A_KEYDIR_UNSPEC", "none"),
                ("OVPN_A_KEYDIR_CIPHER_KEY", "cdata"),
                ("OVPN_A_KEYDIR_NONCE_TAIL", "cdata"),
            )


@contextmanager
def _inside(end: Namespace) -> Iterator[None]:
    """Be in a network namespace: sockets opened here belong to it."""
    libc = ctypes.CDLL(None, use_errno=True)
    places = [
        os.open(path, os.O_RDONLY) for path in (f"/run/netns/{end.name}", "/proc/self/ns/net")
    ]
    try:
        if libc.setns(places[0], CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {end.name}")
        yield
    finally:
        if libc.setns(places[1], CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "cannot leave the namespace")
        for place in places:
            os.close(place)


def _ovpn_end(end: Namespace, peer: Namespace, algorithm: int, key_length: int) -> socket.socket:
    """Peer and key of one end; the socket must stay open."""
    end.run("ip", "link", "add", "ovpn0", "type", "ovpn")
    with _inside(end):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((end.ipv4, 1194))
        index = socket.if_nametoindex("ovpn0")
        direction = {
            "attrs": [
                ("OVPN_A_KEYDIR_CIPHER_KEY", bytes(range(key_length))),
                ("OVPN_A_KEYDIR_NONCE_TAIL", bytes(range(8))),
            ]
        }
        requests = (
            (_Ovpn.PEER_NEW, ("OVPN_A_PEER", {"attrs": [
                ("OVPN_A_PEER_ID", 1),
                ("OVPN_A_PEER_REMOTE_IPV4", peer.ipv4),
                ("OVPN_A_PEER_REMOTE_PORT", 1194),
                ("OVPN_A_PEER_SOCKET", sock.fileno()),
            ]})),
            (_Ovpn.KEY_NEW, ("OVPN_A_KEYCONF", {"attrs": [
                ("OVPN_A_KEYCONF_PEER_ID", 1),
                ("OVPN_A_KEYCONF_SLOT", 0),
                ("OVPN_A_KEYCONF_KEY_ID", 0),
                ("OVPN_A_KEYCONF_CIPHER_ALG", algorithm),
                ("OVPN_A_KEYCONF_ENCRYPT_DIR", direction),
                ("OVPN_A_KEYCONF_DECRYPT_DIR", direction),
            ]})),
        )  # fmt: skip
        with GenericNetlinkSocket() as netlink:
            netlink.bind("ovpn", _Ovpn)
            for command, attribute in requests:
                message = _Ovpn()
                message["cmd"], message["version"] = command, 1
                message["attrs"] = [("OVPN_A_IFINDEX", index), attribute]
                netlink.nlm_request(
                    message, msg_type=netlink.prid, msg_flags=NLM_F_REQUEST | NLM_F_ACK
                )
    return sock


def ovpn(algorithm: int, key_length: int) -> Callable[[], AbstractContextManager[Stand]]:
    """The kernel's OpenVPN data channel, by cipher."""

    @contextmanager
    def start() -> Iterator[Stand]:
        with ExitStack() as stack:
            ends = stack.enter_context(cable())
            for index, end in enumerate(ends):
                sock = _ovpn_end(end, ends[1 - index], algorithm, key_length)
                stack.callback(sock.close)
                up(end, "ovpn0", index)
            yield Stand(ends, INNER[1], "ovpn0")

    return start


def nexus(*options: str) -> Callable[[], AbstractContextManager[Stand]]:
    """This project's tunnel, session installed by hand; `--kernel` for the module."""

    @contextmanager
    def start() -> Iterator[Stand]:
        with tunnel("--datagram-size", str(DATAGRAM_SIZE), *options) as running:
            for end in running:
                end.namespace.run("ip", "link", "set", end.device, "mtu", str(MTU))
            yield _stand(running)

    return start


def _stand(running: tuple[RunningEnd, RunningEnd]) -> Stand:
    ends = (running[0].namespace, running[1].namespace)
    return Stand(ends, str(ip_address(running[1].ipv4)), running[1].device)


CONTENDERS: Final[dict[str, Callable[[], AbstractContextManager[Stand]]]] = {
    "veth": plain,
    "wireguard": wireguard,
    "ovpn aes-128-gcm": ovpn(_Ovpn.AES_GCM, 16),
    "ovpn chacha20-poly1305": ovpn(_Ovpn.CHACHA20_POLY1305, 32),
    "nexus aes-128-gcm": nexus("--kernel"),
    "nexus chacha20-poly1305": nexus("--kernel", "--suite", "chacha20_poly1305_sha256"),
    "engine aes-128-gcm": nexus(),
}
