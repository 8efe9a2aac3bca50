# SPDX-License-Identifier: BSD-3-Clause
"""The demo, step by step."""

import contextlib
import datetime as dt
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from nexusnet.agent.errors import AgentError
from nexusnet.agent.scaffold import Camouflage, make_scaffold, write_files
from nexusnet.cli.client import ask
from nexusnet.dco import Plane
from nexusnet.demo.capture import capturing, dissect
from nexusnet.demo.errors import DemoError
from nexusnet.demo.measure import IP_UDP_HEADERS, Latency, Load, ping, wait_for
from nexusnet.demo.namespaces import End, single_packets, two_ends
from nexusnet.demo.probe import Sight
from nexusnet.demo.processes import Program, running
from nexusnet.demo.result import Probed, Result, Row
from nexusnet.demo.site import PAGE
from nexusnet.handshake.credentials import Credentials, fingerprint

TUNNEL_PORT: Final = 443
INTERFACE: Final = "nexus0"
UP_WITHIN: Final = 60.0
SITE_NAME: Final = "www.camouflage.test"
SITE: Final = ("127.0.0.1", 8443)
"""Where the camouflage site listens, in the server's namespace."""
TOOLS: Final = ("ip", "ss", "ethtool", "ping", "iperf3", "tcpdump", "tshark")

DCO_MODE: Final = {Plane.USERSPACE: b'"disabled"', Plane.KERNEL: b'"required"'}

Say = Callable[[str], None]

EXTRA: Final = """
[control]
socket_file = "{run}/{name}.sock"
state_file = "{run}/{name}.state.json"
"""
REPLAY: Final = """\
[reality]
replay_file = "{run}/server.replay"
"""
KEY_LOG: Final = """
[lab]
key_log_file = "{keys}"
"""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Two agents with a tunnel between them."""

    server: Program
    client: Program
    run: Path
    seconds: float

    @property
    def agents(self) -> tuple[Program, Program]:
        """Both ends."""
        return self.server, self.client

    def status(self, name: str) -> dict[str, Any]:
        """Return what an agent says about itself."""
        status: dict[str, Any] = ask(self.run / f"{name}.sock", "status")
        return status


def check_machine() -> None:
    """Make sure that the demo can run here.

    Raises:
        DemoError: it cannot; the text names the fix.
    """
    if os.geteuid():
        raise DemoError("the demo makes network namespaces: run it as root")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise DemoError(f"{', '.join(missing)} is missing: `make setup` installs what is needed")


def run_demo(
    out: Path, say: Say, *, seconds: float = 3.0, plane: Plane = Plane.USERSPACE
) -> Result:
    """Run the demo.

    Args:
        out: folder for the capture; made, and what an earlier demo left in it replaced.
        say: told of every step.
        seconds: of each transfer.
        plane: the data plane of both ends.

    Raises:
        DemoError: it could not be carried out to the end.
    """
    check_machine()
    out.mkdir(parents=True, exist_ok=True)
    result = Result(capture=str(out / "tunnel.pcap"), keys=str(out / "tunnel.keys"))
    for name in ("tunnel.pcap", "tunnel.keys", "server.log", "client.log", "site.log"):
        (out / name).unlink(missing_ok=True)
    with two_ends() as (server, client), tempfile.TemporaryDirectory(prefix="nexus-demo-") as run:
        say("two namespaces, connected by a cable")
        demo = Demo(result, server, client, Path(run), out, say, seconds, plane)
        with demo.site():
            demo.over_ipv4()
            demo.over_ipv6()
    say("agents stopped, namespaces removed")
    result.failures += [failure for row in result.rows for failure in row.failures]
    result.failures += [failure for probe in result.probes for failure in probe.failures]
    return result


@dataclass(frozen=True, slots=True)
class Demo:
    """Everything between the making of the namespaces and their end."""

    result: Result
    server: End
    client: End
    run: Path
    out: Path
    say: Say
    seconds: float
    plane: Plane

    @contextlib.contextmanager
    def site(self) -> Iterator[None]:
        """Run the camouflage site until the block ends.

        Raises:
            DemoError: it does not start.
        """
        certificate, key = Credentials.self_signed(
            SITE_NAME, not_before=dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        ).to_pem()
        self._authority.write_bytes(certificate)
        key_file = self.run / "site.key"
        key_file.touch(mode=0o600)
        key_file.write_bytes(key)
        host, port = SITE
        command = self.server.command(
            sys.executable, "-m", "nexusnet.demo.site", str(self._authority), str(key_file), host,
            str(port),
        )  # fmt: skip
        log = self.out / "site.log"
        with running("the camouflage site", command, log) as program:
            if not wait_for(lambda: "listening" in log.read_text(), UP_WITHIN, program):
                raise DemoError(f"the camouflage site does not start: see {log}")
            self.say(f"a site for camouflage, {SITE_NAME}, behind the server")
            yield

    @property
    def _authority(self) -> Path:
        return self.run / "site.crt"

    def _probe(self, outer: int) -> None:
        """Look at the tunnel's port as a stranger."""
        address = self.server.ipv4 if outer == 4 else self.server.ipv6
        done = self.client.run(
            sys.executable, "-m", "nexusnet.demo.probe", str(self._authority), SITE_NAME, address,
            str(TUNNEL_PORT),
        )  # fmt: skip
        try:
            sight = Sight.read(done.stdout)
        except ValueError:
            last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
            probed = Probed(outer, None, is_site=False, error=last)
        else:
            own = x509.load_pem_x509_certificate(self._authority.read_bytes())
            expected = (200, fingerprint(own).hex(), hashlib.sha256(PAGE).hexdigest())
            seen = (sight.status, sight.fingerprint, sight.page)
            probed = Probed(outer, sight, is_site=seen == expected)
        self.result.probes.append(probed)
        self.say(f"a probe of the tunnel's port sees: {probed}")

    def over_ipv4(self) -> None:
        """With a capture of the handshake and the pings."""
        file, keys = Path(self.result.capture), Path(self.result.keys)
        with contextlib.ExitStack() as stack:
            with (
                single_packets(self.server, self.client),
                capturing(self.client, file, TUNNEL_PORT, self.run / "tcpdump.log"),
            ):
                tunnel = stack.enter_context(self._tunnel(4, keys))
                self.result.handshake_seconds = tunnel.seconds
                latencies = self._ping(tunnel)
            self.result.dissection = dissect(file, keys, TUNNEL_PORT)
            complaint = self.result.dissection.complaint
            self.say(f"capture: {complaint or 'tshark decodes all of it'}")
            if complaint:
                self.result.failures.append(f"capture: {complaint}")
            self._probe(4)
            self._transfer(4, tunnel, latencies)

    def over_ipv6(self) -> None:
        """The same again, without a capture."""
        with self._tunnel(6, None) as tunnel:
            latencies = self._ping(tunnel)
            self._probe(6)
            self._transfer(6, tunnel, latencies)

    def _ping(self, tunnel: Tunnel) -> dict[tuple[int, str], Latency]:
        """Both ways, both versions."""
        self._describe(tunnel)
        addresses = _inner_addresses(self.server, self.client)
        latencies = {}
        for inner in (4, 6):
            for source, target, direction in (
                (self.client, self.server, "client to server"),
                (self.server, self.client, "server to client"),
            ):
                latency = ping(source, addresses[target.name][inner])
                latencies[inner, direction] = latency
                average = "-" if latency.average_ms is None else f"{latency.average_ms:.2f} ms"
                self.say(
                    f"ping IPv{inner} {direction}: {latency.received} of {latency.sent}"
                    f" answered, {average}"
                )
        return latencies

    def _transfer(
        self, outer: int, tunnel: Tunnel, latencies: dict[tuple[int, str], Latency]
    ) -> None:
        """TCP and UDP, both ways, both versions."""
        addresses = _inner_addresses(self.server, self.client)[self.server.name]
        for (inner, direction), latency in latencies.items():
            transfer = Load(
                client=self.client,
                server=self.server,
                address=addresses[inner],
                log=self.run / "iperf3.log",
                seconds=self.seconds,
                reverse=direction == "server to client",
                agents=tunnel.agents,
            )
            tcp = transfer.tcp()
            size = self.result.mtu - IP_UDP_HEADERS[inner]
            udp = transfer.udp_rate(tcp.bits_per_second / 2, size)
            self.result.rows.append(Row(outer, inner, direction, latency, tcp, udp))
            self.say(
                f"IPv{inner} {direction}: TCP {tcp.bits_per_second / 1e6:.0f} Mbit/s,"
                f" UDP {udp.bits_per_second / 1e6:.0f} Mbit/s"
                f" with {udp.loss_percent or 0:.2f} % loss"
            )

    def _describe(self, tunnel: Tunnel) -> None:
        status = tunnel.status("client")
        plane, peer = status["data_plane"], status["peers"][0]
        self.result.mode = status["handshake_mode"]
        self.result.data_plane, self.result.reason = plane["kind"], plane["reason"]
        cipher = str(peer["tunnel"]["cipher"]).replace("_SHA256", "").replace("_SHA384", "")
        self.result.security = f"TLS 1.3, {cipher.replace('_', '-')}, REALITY"
        self.result.mtu = int(status["interface"]["mtu"])

    @contextlib.contextmanager
    def _tunnel(self, outer: int, keys: Path | None) -> Iterator[Tunnel]:
        """Run two agents until the block ends.

        Raises:
            DemoError: the tunnel did not come up, or an agent did not end well.
        """
        run = self.run / str(outer)
        self._configure(outer, run, keys)
        with contextlib.ExitStack() as stack:
            programs = []
            begin = 0.0
            for end, name in ((self.server, "server"), (self.client, "client")):
                begin = time.monotonic()
                command = end.command(
                    sys.executable, "-m", "nexusnet", "agent", "--config", str(run / f"{name}.toml")
                )
                program = stack.enter_context(
                    running(f"the {name}'s agent", command, self.out / f"{name}.log")
                )
                programs.append(program)
                sock = run / f"{name}.sock"
                if not wait_for(sock.exists, UP_WITHIN, *programs):
                    raise DemoError(f"the {name}'s agent does not start: see {program.log}")
            waiting = Tunnel(programs[0], programs[1], run, 0.0)
            if not wait_for(lambda: _is_up(waiting), UP_WITHIN, *programs):
                peer = waiting.status("client")["peers"][0]
                raise DemoError(
                    f"the tunnel does not come up: {peer['last_error'] or peer['state']}"
                )
            tunnel = replace(waiting, seconds=time.monotonic() - begin)
            self.say(f"IPv{outer} outside: tunnel up {tunnel.seconds:.1f} s after the client began")
            yield tunnel
            for program in reversed(programs):
                status = program.stop()
                if status:
                    raise DemoError(f"{program.name} ended with status {status}: {program.log}")

    def _configure(self, outer: int, run: Path, keys: Path | None) -> None:
        host = self.server.ipv4 if outer == 4 else f"[{self.server.ipv6}]"
        made = make_scaffold(
            endpoint=f"{host}:{TUNNEL_PORT}",
            clients=["client"],
            now=dt.datetime.now(dt.UTC),
            network="demo",
            camouflage=Camouflage(f"{SITE[0]}:{SITE[1]}", SITE_NAME),
            interface=INTERFACE,
        )
        files = dict(made.files)
        replay = REPLAY.format(run=run).encode()
        files["server.toml"] = files["server.toml"].replace(b"[reality]\n", replay)
        for name in ("server", "client"):
            text = files[f"{name}.toml"]
            files[f"{name}.toml"] = text.replace(b'"preferred"', DCO_MODE[self.plane])
            files[f"{name}.toml"] += EXTRA.format(run=run, name=name).encode()
        if keys is not None:
            files["client.toml"] += KEY_LOG.format(keys=keys.resolve()).encode()
        write_files(run, files)


def _inner_addresses(server: End, client: End) -> dict[str, dict[int, str]]:
    found = {end.name: end.addresses(INTERFACE) for end in (server, client)}
    for name, addresses in found.items():
        if set(addresses) != {4, 6}:
            raise DemoError(f"{name} has the inner addresses {addresses}, not one of each version")
    return found


def _is_up(tunnel: Tunnel) -> bool:
    try:
        states = [tunnel.status(name)["peers"][0]["state"] for name in ("server", "client")]
    except AgentError:
        return False
    return states == ["up", "up"]
