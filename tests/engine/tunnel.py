# SPDX-License-Identifier: BSD-3-Clause
"""A tunnel between two namespaces: two processes of bench/tunnel_end.py."""

import json
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any

from tests.engine.native import ROOT
from tests.support.namespaces import Namespace, cable

READY_TIMEOUT = 60
PLANE = {False: (), True: ("--kernel",)}
INNER = (("10.8.0.1", "fd08::1"), ("10.8.0.2", "fd08::2"))


class RunningEnd:
    """One process, its namespace and its inner addresses."""

    def __init__(self, namespace: Namespace, process: subprocess.Popen[str], index: int) -> None:
        self.namespace = namespace
        self.process = process
        self.device = f"tun{index}"
        self.ipv4, self.ipv6 = INNER[index]

    def _stdin(self) -> IO[str]:
        assert self.process.stdin is not None
        return self.process.stdin

    def line(self, timeout: float = READY_TIMEOUT) -> str:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        assert ready, f"{self.device} says nothing"
        line = self.process.stdout.readline()
        assert line, f"{self.device} ended: {self.process.wait(10)}"
        return line.strip()

    def tell(self, command: str) -> None:
        self._stdin().write(command + "\n")
        self._stdin().flush()

    def stats(self) -> dict[str, Any]:
        self.tell("stats")
        loaded: dict[str, Any] = json.loads(self.line())
        return loaded

    def stop(self) -> int:
        self._stdin().close()
        return self.process.wait(30)


@contextmanager
def _end(
    namespace: Namespace, peer: Namespace, index: int, version: int, options: Sequence[str]
) -> Iterator[RunningEnd]:
    local, remote = (namespace.ipv4, peer.ipv4) if version == 4 else (namespace.ipv6, peer.ipv6)
    inner4, inner6 = INNER[1 - index]
    prefixes = [f"{inner4}/32", f"{inner6}/128"]
    command = [
        sys.executable, "-m", "bench.tunnel_end", ("client", "server")[index],
        "--device", f"tun{index}", "--local", local, "--remote", remote,
        *(word for prefix in prefixes for word in ("--route", prefix, "--source", prefix)),
        *options,
    ]  # fmt: skip
    process = subprocess.Popen(
        namespace.command(*command),
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = RunningEnd(namespace, process, index)
    try:
        yield end
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def tunnel(
    *options: str, version: int = 4, nic: bool = False, kernel: tuple[bool, bool] = (False, False)
) -> Iterator[tuple[RunningEnd, RunningEnd]]:
    """Both ends, up and with addresses.

    `nic`: a cable that does not pass super-packets through. `kernel`: which ends are the module's.
    """
    with ExitStack() as stack:
        a, b = stack.enter_context(cable())
        if nic:
            for one in (a, b):
                one.run(
                    "ethtool",
                    "-K",
                    one.link,
                    "tx-udp-segmentation",
                    "off",
                    "tso",
                    "off",
                    "gro",
                    "on",
                )
        ends = (
            stack.enter_context(_end(a, b, 0, version, [*options, *PLANE[kernel[0]]])),
            stack.enter_context(_end(b, a, 1, version, [*options, *PLANE[kernel[1]]])),
        )
        for end in ends:
            assert end.line() == "ready"
        for end, peer in (ends, ends[::-1]):
            run, device = end.namespace.run, end.device
            run("ip", "link", "set", device, "up")
            run("ip", "addr", "add", end.ipv4, "peer", f"{peer.ipv4}/32", "dev", device)
            if "1200" not in options:  # too small for IPv6
                run(
                    "ip",
                    "addr",
                    "add",
                    end.ipv6,
                    "peer",
                    f"{peer.ipv6}/128",
                    "dev",
                    device,
                    "nodad",
                )
        yield ends


def iperf(
    client: RunningEnd, server: RunningEnd, *options: str, version: int = 4
) -> dict[str, Any]:
    """One run of iperf3 through the tunnel; its report."""
    address = server.ipv4 if version == 4 else server.ipv6
    listening = subprocess.Popen(
        server.namespace.command("iperf3", "-s", "--one-off", "--forceflush", "--bind", address),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert listening.stdout is not None
        for line in listening.stdout:
            if "listening" in line:
                break
        report = client.namespace.run("iperf3", "--client", address, "--json", *options)
    finally:
        listening.kill()
        listening.wait(10)
        if listening.stdout is not None:
            listening.stdout.close()
    loaded: dict[str, Any] = json.loads(report)
    return loaded
