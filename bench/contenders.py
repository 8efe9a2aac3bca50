# SPDX-License-Identifier: BSD-3-Clause
"""The tunnels that `tunnel.py` compares, each started between two namespaces by the same rules.

All have an inner MTU of 1420 and run wholly in user space; none of them keeps anything: keys and
certificates are made for one run in a folder of its own, sockets and processes go with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tests.engine.tunnel import tunnel as engine_tunnel
from tests.support.namespaces import Namespace, cable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

MTU: Final = 1420
NIC: Final = "nic"
INNER: Final = ("10.78.0.1", "10.78.0.2")
READY_SECONDS: Final = 30.0
# Another build of wireguard-go to measure as well, beside Debian's.
OTHER_WIREGUARD_GO: Final = "NEXUS_BENCH_WIREGUARD_GO"
WIREGUARD_SOCKETS: Final = Path("/var/run/wireguard")


class ContenderError(Exception):
    """A tunnel cannot be measured; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class RunningTunnel:
    """Client and server, index 0 and 1: namespaces, inner IPv4 addresses, processes."""

    namespaces: tuple[Namespace, Namespace]
    inner: tuple[str, str]
    pids: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Contender:
    """One tunnel program: how to start it on a kind of cable, which one it is."""

    name: str
    version: str
    start: Callable[[str], AbstractContextManager[RunningTunnel]]


def like_nic(namespace: Namespace) -> None:
    """Let a veth behave as a network card without USO: cut on the way out, put together (GRO)."""
    off = ("tx-udp-segmentation", "off", "tso", "off", "gro", "on")
    namespace.run("ethtool", "-K", namespace.link, *off)


@contextmanager
def laid_cable(kind: str) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces and a cable: `nic`, or a plain veth."""
    with cable() as ends:
        if kind == NIC:
            for end in ends:
                like_nic(end)
        yield ends


@contextmanager
def process(namespace: Namespace, *command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a namespace; ended, and waited for, whatever happens."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            namespace.command(*command), stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait(10)


def await_tunnel(
    tunnel: RunningTunnel, processes: list[subprocess.Popen[bytes]], logs: list[Path]
) -> None:
    """Until ping answers; a tunnel that does not come up shows what its ends said."""
    deadline = time.monotonic() + READY_SECONDS
    command = tunnel.namespaces[0].command("ping", "-n", "-c1", "-W1", tunnel.inner[1])
    while subprocess.run(command, capture_output=True, check=False, timeout=30).returncode:
        if time.monotonic() > deadline or any(one.poll() is not None for one in processes):
            said = "\n".join(log.read_text(errors="replace")[-1000:] for log in logs)
            raise ContenderError(f"the tunnel did not come up; its ends said:\n{said}")
        time.sleep(0.1)


@contextmanager
def engine(cable_kind: str) -> Iterator[RunningTunnel]:
    """Our engine, default profile: ACKs, congestion control, pacing."""
    with engine_tunnel(nic=cable_kind == NIC) as (a, b):
        for end in (a, b):
            end.namespace.run("ip", "link", "set", end.device, "mtu", str(MTU))
        yield RunningTunnel(
            (a.namespace, b.namespace), (a.ipv4, b.ipv4), (a.process.pid, b.process.pid)
        )


def wireguard_go(program: str) -> Callable[[str], AbstractContextManager[RunningTunnel]]:
    """Some build of wireguard-go."""

    @contextmanager
    def start(cable_kind: str) -> Iterator[RunningTunnel]:
        with ExitStack() as stack:
            ends = stack.enter_context(laid_cable(cable_kind))
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="nexus-bench-")))
            names = [f"nxwg{os.getpid()}{letter}" for letter in "ab"]
            private = [output("wg", "genkey") for _ in ends]
            public = [output("wg", "pubkey", given=key) for key in private]
            processes, logs = [], []
            for index, end in enumerate(ends):
                sock = WIREGUARD_SOCKETS / f"{names[index]}.sock"
                stack.callback(sock.unlink, missing_ok=True)
                logs.append(folder / f"{index}.log")
                command = process(end, program, "-f", names[index], log=logs[index])
                processes.append(stack.enter_context(command))
                await_path(sock, logs[index])
            for index, end in enumerate(ends):
                key = folder / f"{index}.key"
                key.touch(mode=0o600)
                key.write_text(private[index])
                peer = 1 - index
                end.run(
                    "wg", "set", names[index], "listen-port", "51820", "private-key", str(key),
                    "peer", public[peer], "allowed-ips", f"{INNER[peer]}/32",
                    "endpoint", f"{ends[peer].ipv4}:51820",
                )  # fmt: skip
                address = ("addr", "add", INNER[index], "peer", INNER[peer], "dev", names[index])
                end.run("ip", *address)
                end.run("ip", "link", "set", names[index], "mtu", str(MTU), "up")
            made = RunningTunnel(ends, INNER, (processes[0].pid, processes[1].pid))
            await_tunnel(made, processes, logs)
            yield made

    return start


@contextmanager
def openvpn(cable_kind: str) -> Iterator[RunningTunnel]:
    """OpenVPN, point to point over UDP: TLS with certificates known by fingerprint, AES-128-GCM."""
    with ExitStack() as stack:
        ends = stack.enter_context(laid_cable(cable_kind))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="nexus-bench-")))
        prints = [certificate(folder, index) for index in (0, 1)]
        processes, logs = [], []
        for index, end in enumerate(ends):
            peer = 1 - index
            logs.append(folder / f"{index}.log")
            role = ("--tls-server", "--dh", "none") if index else ("--tls-client",)
            command = process(
                end, "openvpn", *role, "--dev", f"nxovpn{index}", "--dev-type", "tun",
                "--disable-dco", "--verb", "3", "--proto", "udp4", "--port", "1194",
                "--local", end.ipv4, "--remote", ends[peer].ipv4,
                "--ifconfig", INNER[index], INNER[peer], "--tun-mtu", str(MTU),
                "--cert", str(folder / f"{index}.crt"), "--key", str(folder / f"{index}.key"),
                "--peer-fingerprint", prints[peer], "--data-ciphers", "AES-128-GCM",
                log=logs[index],
            )  # fmt: skip
            processes.append(stack.enter_context(command))
        made = RunningTunnel(ends, INNER, (processes[0].pid, processes[1].pid))
        await_tunnel(made, processes, logs)
        for log in logs:
            if "cipher 'AES-128-GCM'" not in log.read_text():
                raise ContenderError("OpenVPN does not say that it uses AES-128-GCM")
        yield made


def certificate(folder: Path, index: int) -> str:
    """Make a key and a certificate of its own, INDEX.key and INDEX.crt; its SHA-256 fingerprint."""
    key, crt = folder / f"{index}.key", folder / f"{index}.crt"
    output(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", f"/CN=end{index}", "-keyout", str(key), "-out", str(crt),
    )  # fmt: skip
    told = output("openssl", "x509", "-in", str(crt), "-noout", "-fingerprint", "-sha256")
    return told.partition("=")[2]


def output(*command: str, given: str = "") -> str:
    """What a command prints; raises ContenderError if it fails."""
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise ContenderError(f"{' '.join(command[:2])}: {done.stderr.strip()}")
    return done.stdout.strip()


def await_path(path: Path, log: Path) -> None:
    """Until a file is there."""
    deadline = time.monotonic() + READY_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise ContenderError(f"no {path}: {log.read_text(errors='replace')[-500:]}")
        time.sleep(0.05)


def program(name: str) -> str:
    """Where a program is."""
    found = shutil.which(name)
    if found is None:
        raise ContenderError(f"{name} is missing: apt-get install {name} (`make setup` does it)")
    return found


def contenders() -> list[Contender]:
    """All of them, ours first."""
    wireguard = program("wireguard-go")
    found = [
        Contender("engine", "this tree", engine),
        Contender("wireguard-go", package("wireguard-go"), wireguard_go(wireguard)),
    ]
    program("openvpn")
    found.append(Contender("openvpn", package("openvpn"), openvpn))
    if other := os.environ.get(OTHER_WIREGUARD_GO):
        version = output(other, "--version").split()[1]
        found.append(Contender("wireguard-go (other)", version, wireguard_go(other)))
    return found


def package(name: str) -> str:
    """Debian's version of it."""
    return output("dpkg-query", "-W", "-f", "${Version}", name)
