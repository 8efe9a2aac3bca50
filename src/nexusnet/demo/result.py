# SPDX-License-Identifier: BSD-3-Clause
"""What a demo found out: one row a direction and IP version, and what did not work."""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from nexusnet.demo.capture import Dissection
from nexusnet.demo.kernel import KernelDemo
from nexusnet.demo.measure import Latency, Transfer
from nexusnet.demo.probe import Sight

SCHEMA: Final = 1
"""Version of the JSON object."""

MOST_LOSS: Final = 20.0
"""Percent of UDP datagrams whose loss, at the lowest rate that was tried, is a failure."""


@dataclass(frozen=True, slots=True)
class Row:
    """One direction with one IP version.

    Attributes:
        outer: IP version outside.
        inner: IP version inside.
        direction: who sends to whom.
        latency: of the tunnel.
        tcp: one connection.
        udp: datagrams, at a rate that hardly any is lost at.
    """

    outer: int
    inner: int
    direction: str
    latency: Latency
    tcp: Transfer
    udp: Transfer

    @property
    def failures(self) -> list[str]:
        """What did not work."""
        where = f"IPv{self.inner} {self.direction} over IPv{self.outer}"
        found = []
        if self.latency.received < self.latency.sent:
            found.append(
                f"{where}: {self.latency.sent - self.latency.received} of {self.latency.sent}"
                " pings lost"
            )
        if self.tcp.bits_per_second <= 0:
            found.append(f"{where}: no TCP")
        if self.udp.bits_per_second <= 0 or (self.udp.loss_percent or 0) > MOST_LOSS:
            found.append(f"{where}: {self.udp.loss_percent:.1f} % of UDP lost")
        return found


@dataclass(frozen=True, slots=True)
class Probed:
    """What an ordinary HTTP/3 client got to see at the tunnel's port.

    Attributes:
        outer: IP version outside.
        sight: what it saw; None where it saw nothing.
        is_site: whether it is the camouflage site's own page, with the site's own certificate.
        error: why it saw nothing.
    """

    outer: int
    sight: Sight | None
    is_site: bool
    error: str = ""

    def __str__(self) -> str:
        if self.sight is None:
            return f"nothing ({self.error})"
        return f"HTTP {self.sight.status}, {self.sight.certificate}"

    @property
    def failures(self) -> list[str]:
        """What did not work."""
        if self.is_site:
            return []
        return [f"a probe over IPv{self.outer} does not see the camouflage site but {self}"]


@dataclass(slots=True)
class Result:
    """All of it.

    Attributes:
        mode: of the handshake.
        data_plane: that carried the packets.
        reason: why it is this one.
        security: cipher and how the ends authenticated.
        handshake_seconds: from the client's start to the tunnel.
        mtu: largest inner packet in bytes.
        rows: measurements.
        probes: what strangers got to see at the tunnel's port.
        capture: file with packets.
        keys: file with the secrets that decode them.
        dissection: what tshark found in the capture.
        kernel: the same with the kernel's data plane; None where that was not asked for.
        failures: what did not work.
    """

    mode: str = "reality"
    data_plane: str = ""
    reason: str = ""
    security: str = ""
    handshake_seconds: float = 0.0
    mtu: int = 0
    rows: list[Row] = field(default_factory=list)
    probes: list[Probed] = field(default_factory=list)
    capture: str = ""
    keys: str = ""
    dissection: Dissection | None = None
    kernel: KernelDemo | None = None
    failures: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything worked."""
        return not self.failures

    def probe_over(self, outer: int) -> str:
        """Return what a probe saw over an IP version."""
        return next((str(probe) for probe in self.probes if probe.outer == outer), "-")

    def to_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "schema": SCHEMA,
            "ok": self.ok,
            **asdict(self),
        }
