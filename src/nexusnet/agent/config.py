# SPDX-License-Identifier: BSD-3-Clause
"""The configuration file of an agent: one network, this end's role in it, and its peers."""

import enum
import re
import stat
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_network,
)
from pathlib import Path
from typing import Final

from nexusnet.agent.control import RUNTIME_FOLDER
from nexusnet.agent.errors import ConfigError, explain_os_error
from nexusnet.agent.logs import LogSettings
from nexusnet.agent.modes import HandshakeMode
from nexusnet.agent.settings import Place, read_table, setting
from nexusnet.dco import DcoMode
from nexusnet.handshake.credentials import parse_fingerprint
from nexusnet.handshake.errors import CredentialsError
from nexusnet.reality.credentials import parse_public_key, parse_short_id

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

DEFAULT_PORT: Final = 443
STATE_FOLDER: Final = Path("/var/lib/nexus")
BROWSER_IDLE_TIMEOUT: Final = 30
"""Seconds that a browser offers, and so a client in reality mode."""

HOST_NAME: Final = re.compile(
    r"(?=.{1,253}$)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+"
)
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
INTERFACE_NAME: Final = re.compile(r"[^\s/:%]{1,15}")
"""What the kernel accepts (IFNAMSIZ), less what is unreadable."""


class AgentRole(enum.Enum):
    """Who connects to whom."""

    CLIENT = "client"
    SERVER = "server"


class CongestionProfile(enum.Enum):
    """Congestion control of the tunnels."""

    CUBIC_LIKE = "cubic_like"
    BBR_LIKE = "bbr_like"
    FIXED_RATE_TEST = "fixed_rate_test"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """``[network]``."""

    name: str = setting("Names the network: its control socket, state file and log lines.")
    role: AgentRole = setting("Servers wait for their peers, clients connect to theirs.")
    interface: str = setting("The virtual device.", default="nexus0")
    addresses: tuple[Interface, ...] = setting(
        "This end's inner addresses. A client that has none takes those that its server gives it.",
        default=(),
    )
    advertise: tuple[Network, ...] = setting(
        "Prefixes behind this end, told to the peers. A server's own subnets are always told.",
        default=(),
    )
    mtu_bytes: int | None = setting(
        "Largest inner packet; without it, what the path of each tunnel carries.",
        default=None,
        minimum=576,
        maximum=65535,
    )
    clamp_mss: bool = setting(
        "Lower the MSS of forwarded TCP connections to what fits the tunnel.", default=True
    )
    dco_mode: DcoMode = setting(
        "Whether the kernel module carries the packets; required refuses to start without it.",
        default=DcoMode.PREFERRED,
    )
    persist: bool = setting(
        "Clients, kernel module: tunnels outlive a crashed agent, the next one takes them over.",
        default=False,
    )
    fwmark: int | None = setting(
        "Mark of the outer packets. With a default route through the tunnel one is chosen.",
        default=None,
        minimum=1,
        maximum=2**32 - 1,
    )

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"name: {self.name!r} has other characters than letters, digits, ._-")
        if not INTERFACE_NAME.fullmatch(self.interface) or self.interface in {".", ".."}:
            raise ValueError(f"interface: {self.interface!r} is no device name (15 characters)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenSettings:
    """``[listen]``, servers only."""

    address: Address = setting(
        "Local address; :: takes IPv4 and IPv6.",
        default=IPv6Address(0),
    )
    port: int = setting("UDP port.", default=DEFAULT_PORT, minimum=1, maximum=65535)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeSettings:
    """``[handshake]``."""

    mode: HandshakeMode = setting(
        "reality: genuine clients are recognised by what their ClientHello hides, all others get a"
        " real site. tls: ordinary certificates, for lab and interop use; it hides nothing.",
        default=HandshakeMode.REALITY,
    )
    certificate_file: Path | None = setting(
        "Mode tls: PEM certificate of this end, relative to this file.", default=None
    )
    key_file: Path | None = setting(
        "Mode tls: PEM private key of the certificate; readable by its owner only.", default=None
    )
    timeout_seconds: float = setting(
        "From the first packet until the tunnel can be installed.",
        default=10.0,
        minimum=1,
        maximum=120,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RealitySettings:
    """``[reality]``, mode reality."""

    private_key_file: Path | None = setting(
        "Servers: X25519 private key, as `nexus genkey` writes it; readable by its owner only.",
        default=None,
    )
    preshared_key_file: Path | None = setting(
        "Secret that the server and all its clients have beside the keys, from `nexus genpsk`.",
        default=None,
    )
    target: str | None = setting(
        "Servers: HOST:PORT of the camouflage target, a real HTTP/3 site that answers everyone"
        " else.",
        default=None,
    )
    server_names: tuple[str, ...] = setting(
        "Servers: names that clients may ask for; the target's host without them.", default=()
    )
    clock_window_seconds: float = setting(
        "Servers: by how much a client's clock may differ.",
        default=120.0,
        minimum=10,
        maximum=600,
    )
    replay_file: Path | None = setting(
        "Servers: which clients were let in lately, so that nobody gets in by repeating one;"
        " /var/lib/nexus/NAME.replay without it.",
        default=None,
    )

    def __post_init__(self) -> None:
        if self.target is not None:
            split_endpoint(self.target, "target")
        for name in self.server_names:
            if not is_host_name(name):
                raise ValueError(f"server_names: {name!r} is no DNS name")

    @property
    def names(self) -> frozenset[str]:
        """Names that clients may ask for, lower case."""
        own = self.server_names or ((split_endpoint(self.target)[0],) if self.target else ())
        return frozenset(name.lower() for name in own)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """``[transport]``."""

    keepalive_seconds: float = setting(
        "Silence after which a sign of life is sent; 0 for none.",
        default=15.0,
        minimum=0,
        maximum=3600,
    )
    idle_timeout_seconds: int = setting(
        "Silence that ends a tunnel; the smaller of both ends' counts.",
        default=30,
        minimum=3,
        maximum=3600,
    )
    reconnect_min_seconds: float = setting(
        "Wait before the first attempt to connect again; doubled with each.",
        default=0.5,
        minimum=0.05,
        maximum=3600,
    )
    reconnect_max_seconds: float = setting(
        "Longest wait between two attempts to connect.", default=30.0, minimum=0.05, maximum=3600
    )
    key_update_seconds: int = setting(
        "Time after which a tunnel changes its keys; 0: only when their limits ask for it.",
        default=3600,
        minimum=0,
        maximum=86400,
    )
    congestion: CongestionProfile = setting(
        "Congestion control; fixed_rate_test ignores congestion and is for a lab.",
        default=CongestionProfile.CUBIC_LIKE,
    )

    def __post_init__(self) -> None:
        if self.reconnect_max_seconds < self.reconnect_min_seconds:
            raise ValueError("reconnect_max_seconds is less than reconnect_min_seconds")
        if 0 < self.idle_timeout_seconds <= self.keepalive_seconds:
            raise ValueError(
                f"keepalive_seconds ({self.keepalive_seconds:g}) must be less than"
                f" idle_timeout_seconds ({self.idle_timeout_seconds}), or a quiet tunnel ends"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """``[control]``."""

    socket_file: Path | None = setting(
        "Unix socket that `nexus status` and its kin talk to; /run/nexus/NAME.sock without it.",
        default=None,
    )
    state_file: Path | None = setting(
        "What a crashed agent left on the host; /run/nexus/NAME.state.json without it.",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabSettings:
    """``[lab]``: never outside a laboratory."""

    key_log_file: Path | None = setting(
        "Where to write the TLS secrets for a packet analyser: it ENDS the secrecy of the tunnel.",
        default=None,
    )
    fixed_rate_bits_per_second: int | None = setting(
        "Rate of congestion = fixed_rate_test.", default=None, minimum=1000, maximum=2**40
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """``[[peer]]``."""

    name: str = setting("Names the peer in commands and log lines.")
    short_ids: tuple[str, ...] = setting(
        "Servers, mode reality: 16 hex digits by which the peer is known: the present ones, and"
        " coming ones. They are secret, and so is this file.",
        default=(),
    )
    short_id: str | None = setting(
        "Clients, mode reality: 16 hex digits by which the server knows this end. It is secret, and"
        " so is this file.",
        default=None,
    )
    public_key: str | None = setting(
        "Clients, mode reality: the server's public key, as `nexus pubkey` prints it.",
        default=None,
    )
    fingerprints: tuple[str, ...] = setting(
        "Mode tls: SHA-256 fingerprints of the peer's certificates: the present one, and a coming"
        " one.",
        default=(),
    )
    endpoint: str | None = setting(
        "Clients: HOST:PORT of the server; the name is looked up at every attempt.", default=None
    )
    authority_file: Path | None = setting(
        "Clients: PEM of the authorities that may certify the server (mode tls, instead of"
        " fingerprints) or the camouflage site (mode reality; the public ones without it).",
        default=None,
    )
    server_name: str | None = setting(
        "Clients: name in the handshake: of the server's certificate (mode tls) or of the"
        " camouflage site (mode reality); the endpoint's host without it.",
        default=None,
    )
    addresses: tuple[Address, ...] = setting(
        "Servers: inner addresses of the peer, told to it; only they may be its sources.",
        default=(),
    )
    routes: tuple[Network, ...] = setting(
        "Prefixes behind the peer: led to it, and allowed as its sources.", default=()
    )
    accept_routes: tuple[Network, ...] = setting(
        "Prefixes that the peer may announce by itself; what lies outside is ignored.", default=()
    )
    enabled: bool = setting("Whether the tunnel comes up with the agent.", default=True)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"name: {self.name!r} has other characters than letters, digits, ._-")
        texts: list[tuple[str, str | None, Callable[[str], object]]] = [
            ("short_id", self.short_id, parse_short_id),
            ("public_key", self.public_key, parse_public_key),
            *(("short_ids", text, parse_short_id) for text in self.short_ids),
            *(("fingerprints", text, parse_fingerprint) for text in self.fingerprints),
        ]
        for key, text, parse in texts:
            try:
                if text is not None:
                    parse(text)
            except CredentialsError as error:
                raise ValueError(f"{key}: {error}") from error
        if self.endpoint is not None:
            split_endpoint(self.endpoint)

    @property
    def name_asked_for(self) -> str:
        """Clients: what the handshake names the server."""
        host = split_endpoint(self.endpoint)[0] if self.endpoint else ""
        return self.server_name or host

    @property
    def pins(self) -> tuple[bytes, ...]:
        """The fingerprints, 32 bytes each."""
        return tuple(parse_fingerprint(text) for text in self.fingerprints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole file."""

    network: NetworkSettings = setting("")
    handshake: HandshakeSettings = setting("", factory=HandshakeSettings)
    reality: RealitySettings = setting("", factory=RealitySettings)
    listen: ListenSettings | None = setting("", default=None)
    transport: TransportSettings = setting("", factory=TransportSettings)
    control: ControlSettings = setting("", factory=ControlSettings)
    log: LogSettings = setting("", factory=LogSettings)
    lab: LabSettings = setting("", factory=LabSettings)
    peer: tuple[PeerSettings, ...] = setting("", default=())

    @property
    def is_server(self) -> bool:
        """Whether this end waits for its peers."""
        return self.network.role is AgentRole.SERVER

    @property
    def socket_file(self) -> Path:
        """The control socket."""
        return self.control.socket_file or RUNTIME_FOLDER / f"{self.network.name}.sock"

    @property
    def state_file(self) -> Path:
        """Where is written down what the agent made on the host."""
        return self.control.state_file or RUNTIME_FOLDER / f"{self.network.name}.state.json"

    @property
    def is_reality(self) -> bool:
        """Whether the ends authenticate by REALITY."""
        return self.handshake.mode is HandshakeMode.REALITY

    @property
    def replay_file(self) -> Path:
        """Where a server keeps which clients were let in lately."""
        return self.reality.replay_file or STATE_FOLDER / f"{self.network.name}.replay"

    @property
    def secret_files(self) -> Iterator[tuple[str, Path]]:
        """Files that nobody else may read, with the keys that name them."""
        for key, file in (
            ("handshake.key_file", self.handshake.key_file),
            ("reality.private_key_file", self.reality.private_key_file),
            ("reality.preshared_key_file", self.reality.preshared_key_file),
        ):
            if file is not None:
                yield key, file

    def __post_init__(self) -> None:
        self._check_role()
        self._check_mode()
        self._check_peers()
        self._check_lab()

    def _check_role(self) -> None:
        if self.is_server:
            if self.listen is None:
                object.__setattr__(self, "listen", ListenSettings())
            if not self.network.addresses:
                raise ValueError("network.addresses: a server needs an inner address of its own")
            if self.network.persist:
                raise ValueError(
                    "network.persist: is for clients: a server's port would stay taken by the"
                    " crashed agent's socket, and the next agent could not listen"
                )
        elif self.listen is not None:
            raise ValueError("[listen] is for servers, this end is a client: delete it")

    def _check_mode(self) -> None:
        if self.is_reality:
            self._check_reality()
        else:
            self._check_tls()

    def _check_tls(self) -> None:
        for name in ("certificate_file", "key_file"):
            if getattr(self.handshake, name) is None:
                raise ValueError(f"handshake.{name}: is missing: `nexus genkey` makes one")
        if self.reality != RealitySettings():
            raise ValueError("[reality] is for handshake.mode = 'reality': delete it")

    def _check_reality(self) -> None:
        for name in ("certificate_file", "key_file"):
            if getattr(self.handshake, name) is not None:
                raise ValueError(f"handshake.{name}: is for handshake.mode = 'tls': delete it")
        fixes = {"private_key_file": "`nexus genkey` makes one", "target": "see docs/reality.md"}
        for name, fix in fixes.items():
            given = getattr(self.reality, name) is not None
            if self.is_server and not given:
                raise ValueError(f"reality.{name}: is missing: {fix}")
            if given and not self.is_server:
                raise ValueError(f"reality.{name}: is for servers, this end is a client: delete it")
        idle = self.transport.idle_timeout_seconds
        if not self.is_server and idle != BROWSER_IDLE_TIMEOUT:
            raise ValueError(
                f"transport.idle_timeout_seconds: a browser says {BROWSER_IDLE_TIMEOUT}, so a"
                f" client in mode reality cannot say {idle}: set it at the server, the smaller one"
                " counts"
            )
        nameless = next((name for name in self.reality.names if not is_host_name(name)), None)
        if nameless is not None:
            raise ValueError(
                f"reality.server_names: is missing: the target {nameless} has no name, and clients"
                " have to ask for one"
            )

    def _check_peers(self) -> None:
        names: set[str] = set()
        pins: dict[bytes, str] = {}
        short_ids: dict[str, str] = {}
        used: dict[Address, str] = {one.ip: "this end" for one in self.network.addresses}
        for peer in self.peer:
            here = f"peer['{peer.name}']"
            if peer.name in names:
                raise ValueError(f"{here}: another peer has this name already")
            names.add(peer.name)
            self._check_peer_role(peer, here)
            for pin in peer.pins:
                if self.is_server and pins.setdefault(pin, peer.name) != peer.name:
                    raise ValueError(
                        f"{here}.fingerprints: the peer {pins[pin]!r} has the same certificate"
                    )
            for text in peer.short_ids:
                if short_ids.setdefault(text.lower(), peer.name) != peer.name:
                    owner = short_ids[text.lower()]
                    raise ValueError(f"{here}.short_ids: the peer {owner!r} has one of them")
            for address in peer.addresses:
                if used.setdefault(address, peer.name) != peer.name:
                    raise ValueError(f"{here}.addresses: {address} is that of {used[address]}")
                if not any(address in own.network for own in self.network.addresses):
                    raise ValueError(
                        f"{here}.addresses: {address} is in none of this end's subnets"
                        f" ({', '.join(str(own.network) for own in self.network.addresses)})"
                    )
        self._check_routes()

    def _check_peer_role(self, peer: PeerSettings, here: str) -> None:
        if self.is_server:
            for name in ("endpoint", "authority_file", "server_name", "public_key", "short_id"):
                if getattr(peer, name) is not None:
                    raise ValueError(f"{here}.{name}: is for clients, this end is a server")
        else:
            if peer.endpoint is None:
                raise ValueError(f"{here}.endpoint: is missing: HOST:PORT of the server")
            for name in ("addresses", "short_ids"):
                if getattr(peer, name):
                    raise ValueError(f"{here}.{name}: is for servers, this end is a client")
        if self.is_reality:
            self._check_reality_peer(peer, here)
        else:
            self._check_tls_peer(peer, here)

    def _check_reality_peer(self, peer: PeerSettings, here: str) -> None:
        if peer.fingerprints:
            raise ValueError(f"{here}.fingerprints: is for handshake.mode = 'tls': delete it")
        if self.is_server:
            if not peer.short_ids:
                raise ValueError(f"{here}.short_ids: is missing: `nexus genid` makes one")
            return
        if peer.short_id is None:
            raise ValueError(f"{here}.short_id: is missing: it stands in the server's short_ids")
        if peer.public_key is None:
            raise ValueError(
                f"{here}.public_key: is missing: `nexus pubkey` prints it for the server's key file"
            )
        if not is_host_name(peer.name_asked_for):
            raise ValueError(
                f"{here}.server_name: is missing: the name of the camouflage site, one of the"
                " server's reality.server_names"
            )

    def _check_tls_peer(self, peer: PeerSettings, here: str) -> None:
        for name in ("short_ids", "short_id", "public_key"):
            if getattr(peer, name):
                raise ValueError(f"{here}.{name}: is for handshake.mode = 'reality': delete it")
        if not self.is_server:
            if bool(peer.fingerprints) == (peer.authority_file is not None):
                raise ValueError(
                    f"{here}: one of fingerprints and authority_file says whom to trust"
                )
        elif not peer.fingerprints:
            raise ValueError(
                f"{here}.fingerprints: is missing: run `nexus pubkey FILE` for the peer's"
                " certificate and write down what it prints"
            )

    def _check_routes(self) -> None:
        owner: dict[Network, str] = {}
        for peer in self.peer:
            for route in peer.routes:
                if owner.setdefault(route, peer.name) != peer.name:
                    raise ValueError(
                        f"peer['{peer.name}'].routes: {route} already leads to {owner[route]!r}"
                    )
        if self.is_server:
            self._check_accepted()

    def _check_accepted(self) -> None:
        """No client may announce what is another one's."""
        for peer in self.peer:
            for other in self.peer:
                theirs = (*map(ip_network, other.addresses), *other.routes, *other.accept_routes)
                for mine in peer.accept_routes if other is not peer else ():
                    clash = next((one for one in theirs if _overlap(mine, one)), None)
                    if clash is not None:
                        raise ValueError(
                            f"peer['{peer.name}'].accept_routes: {mine} overlaps {clash},"
                            f" which is behind {other.name!r}"
                        )

    def _check_lab(self) -> None:
        fixed = self.transport.congestion is CongestionProfile.FIXED_RATE_TEST
        if fixed != (self.lab.fixed_rate_bits_per_second is not None):
            raise ValueError(
                "transport.congestion = 'fixed_rate_test' and lab.fixed_rate_bits_per_second"
                " go together"
            )


def _overlap(one: Network, other: Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.overlaps(other)
    return isinstance(other, IPv6Network) and one.overlaps(other)


def is_host_name(text: str) -> bool:
    """Whether a text is a DNS name, and no address."""
    try:
        ip_address(text)
    except ValueError:
        return HOST_NAME.fullmatch(text) is not None
    return False


def split_endpoint(text: str, key: str = "endpoint") -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, ``[IPV6]:PORT`` or a host alone.

    Args:
        text: of the file.
        key: where it stands, for messages.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]\s]+))(?::(?P<port>\d+))?", text)
    if match is None:
        raise ValueError(
            f"{key}: {text!r} is not HOST:PORT (an IPv6 address in brackets: [2001:db8::1]:443)"
        )
    port = int(match["port"] or DEFAULT_PORT)
    if not 0 < port < 65536:
        raise ValueError(f"{key}: {port} is no UDP port")
    return match["v6"] or match["host"], port


def load_config(file: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: it cannot be read or used; names the key and the fix.
    """
    try:
        with file.open("rb") as stream:
            table = tomllib.load(stream)
    except OSError as error:
        raise ConfigError(
            f"{file}: {explain_os_error(error)}; `nexus init` writes a first one"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: this is not TOML: {error}") from error
    config = read_table(Config, table, Place(file))
    for key, secret in config.secret_files:
        _check_private(file, key, secret)
    if config.is_reality:
        # Whoever reads a short ID can use it.
        _check_private(file, "this file", file)
    return config


def _check_private(file: Path, key: str, secret: Path) -> None:
    try:
        mode = secret.stat().st_mode
    except OSError as error:
        made = "nexus genpsk" if key.endswith("preshared_key_file") else "nexus genkey"
        raise ConfigError(
            f"{file}: {key}: {secret}: {explain_os_error(error)}; `{made}` makes one"
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{file}: {key}: {secret} can be read by others than its owner:"
            f" run `chmod 600 {secret}`"
        )
