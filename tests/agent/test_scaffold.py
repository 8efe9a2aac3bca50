# SPDX-License-Identifier: BSD-3-Clause
import datetime as dt
import errno
import ipaddress
import os
from pathlib import Path

import pytest

from nexusnet.agent.config import load_config
from nexusnet.agent.errors import AgentError
from nexusnet.agent.reality import load_server_credentials
from nexusnet.agent.scaffold import Camouflage, make_scaffold, unique_local_subnet, write_files
from nexusnet.agent.tls import load_own
from nexusnet.reality.credentials import format_public_key

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


def test_the_files_fit_each_other(tmp_path: Path) -> None:
    made = make_scaffold(endpoint="vpn.example.org:4433", clients=["laptop", "phone"], now=NOW)
    write_files(tmp_path, made.files)
    server = load_config(tmp_path / "server.toml")
    server_identity = load_own(server)
    assert server.listen is not None
    assert server.listen.port == 4433
    for name in ("laptop", "phone"):
        client = load_config(tmp_path / f"{name}.toml")
        identity = load_own(client)
        (entry,) = [peer for peer in server.peer if peer.name == name]
        assert entry.pins == (identity.fingerprint,)
        assert client.peer[0].pins == (server_identity.fingerprint,)
        assert client.peer[0].endpoint == "vpn.example.org:4433"
        # What the server will announce is what the client accepts.
        subnets = {address.network for address in server.network.addresses}
        assert set(client.peer[0].accept_routes) == subnets
        assert identity.certificate.not_valid_before_utc < NOW


def test_the_files_of_mode_reality_fit_each_other(tmp_path: Path) -> None:
    made = make_scaffold(
        endpoint="vpn.example.org:4433",
        clients=["laptop", "phone"],
        now=NOW,
        camouflage=Camouflage("192.0.2.7:8443", "www.site.test"),
    )
    write_files(tmp_path, made.files)
    server = load_config(tmp_path / "server.toml")
    assert server.is_reality
    assert server.reality.target == "192.0.2.7:8443"
    assert server.reality.names == {"www.site.test"}
    credentials = load_server_credentials(server)
    public = format_public_key(credentials.private_key.public_key())
    ids = set()
    for name in ("laptop", "phone"):
        (peer,) = load_config(tmp_path / f"{name}.toml").peer
        assert peer.short_id is not None
        assert credentials.users[bytes.fromhex(peer.short_id)] == name
        assert peer.public_key == public
        assert peer.server_name == "www.site.test"
        ids.add(peer.short_id)
    assert len(ids) == 2


def test_private_keys_are_private(tmp_path: Path) -> None:
    write_files(tmp_path, make_scaffold(endpoint="a", clients=["c"], now=NOW).files)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes["server.key"] == modes["c.key"] == 0o600
    assert modes["server.toml"] == modes["c.toml"] == 0o600


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("mine")
    with pytest.raises(AgentError, match=r"c\.toml exists"):
        write_files(tmp_path, make_scaffold(endpoint="a", clients=["c"], now=NOW).files)
    assert [path.name for path in tmp_path.iterdir()] == ["c.toml"]
    assert (tmp_path / "c.toml").read_text() == "mine"


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    real = os.open

    def full_disk(path: object, *arguments: int) -> int:
        opened.append(path)
        if len(opened) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, *arguments)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(os, "open", full_disk)
    with pytest.raises(AgentError, match="No space left"):
        write_files(tmp_path, {"a": b"1", "b": b"2", "c": b"3"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"endpoint": "a:b:c"}, "HOST:PORT"),
        ({"clients": ["a", "a"]}, "same name"),
        ({"camouflage": Camouflage("192.0.2.7:443")}, "no DNS name"),
        ({"camouflage": Camouflage("a b")}, "target"),
        ({"clients": ["server"]}, "cannot be the name"),
        ({"clients": ["a/b"]}, "cannot be the name"),
        ({"subnets": [ipaddress.ip_network("10.0.0.0/30")], "clients": ["a", "b"]}, "too small"),
    ],
)
def test_what_cannot_be_made(arguments: dict[str, object], message: str) -> None:
    settings = {"endpoint": "a", "clients": ["c"], "now": NOW} | arguments
    with pytest.raises(AgentError, match=message):
        make_scaffold(**settings)  # type: ignore[arg-type]  # as the table says


def test_unique_local_subnets_differ() -> None:
    one, other = unique_local_subnet(), unique_local_subnet()
    assert one != other
    assert one.subnet_of(ipaddress.IPv6Network("fd00::/8"))
    assert one.prefixlen == 64
