# SPDX-License-Identifier: BSD-3-Clause
from pathlib import Path

import pytest

from nexusnet.agent.config import AgentRole, Config, load_config, split_endpoint
from nexusnet.agent.errors import ConfigError
from nexusnet.agent.settings import describe
from nexusnet.dco import DcoMode
from tests.agent.config_files import load, refusal

DOCS = Path(__file__).resolve().parents[2] / "docs"
PIN = "sha256:" + "ab" * 32
OTHER_PIN = "sha256:" + "cd" * 32

SERVER = f"""
[network]
name = "home"
role = "server"
addresses = ["10.77.0.1/24", "fd77::1/64"]

[listen]
port = 4433

[handshake]
mode = "tls"
certificate_file = "own.crt"
key_file = "own.key"

[[peer]]
name = "laptop"
fingerprints = ["{PIN}"]
addresses = ["10.77.0.2", "fd77::2"]
"""

CLIENT = f"""
[network]
name = "home"
role = "client"

[handshake]
mode = "tls"
certificate_file = "own.crt"
key_file = "own.key"

[[peer]]
name = "server"
endpoint = "vpn.example.org:4433"
fingerprints = ["{PIN}"]
accept_routes = ["10.77.0.0/24"]
"""


def test_a_server(tmp_path: Path) -> None:
    config = load(tmp_path, SERVER)
    assert config.is_server
    assert config.listen is not None
    assert (str(config.listen.address), config.listen.port) == ("::", 4433)
    assert config.network.dco_mode is DcoMode.PREFERRED
    assert config.handshake.certificate_file == tmp_path / "own.crt"
    assert config.peer[0].pins == (bytes.fromhex("ab" * 32),)
    assert str(config.socket_file) == "/run/nexus/home.sock"


def test_a_client(tmp_path: Path) -> None:
    config = load(tmp_path, CLIENT)
    assert config.network.role is AgentRole.CLIENT
    assert config.listen is None
    assert config.transport.keepalive_seconds == 15


@pytest.mark.parametrize(
    ("change", "key", "hint"),
    [
        (("port = 4433", "prot = 4433"), "listen.prot", "did you mean port?"),
        (
            ("[listen]", "[transport]\nkeepalive = 5\n[listen]"),
            "transport.keepalive",
            "did you mean keepalive_seconds?",
        ),
        (("[listen]", "[listne]"), "listne", "did you mean listen?"),
        (('role = "server"', 'role = "server"\npersist = true'), "network.persist", "for clients"),
        (("port = 4433", 'port = "4433"'), "listen.port", "a whole number"),
        (("port = 4433", "port = true"), "listen.port", "a whole number"),
        (("port = 4433", "port = 70000"), "listen.port", "from 1 to 65535"),
        (('role = "server"', 'role = "servre"'), "network.role", "did you mean 'server'?"),
        (('"10.77.0.1/24"', '"10.77.0.300/24"'), "network.addresses[1]", "10.0.0.1/24"),
        (("addresses = [", "addresses = 7 #["), "network.addresses", "a list in [ ]"),
        (('name = "home"', ""), "network.name", "is missing"),
        (('name = "home"', 'name = "a b"'), "network", "letters"),
        (('"10.77.0.2"', '"10.78.0.2"'), "peer['laptop'].addresses", "none of this end's subnets"),
        (('"10.77.0.2"', '"10.77.0.1"'), "peer['laptop'].addresses", "that of this end"),
        ((PIN, "sha256:abcd"), "peer['laptop']", "64 hexadecimal digits"),
        ((f'fingerprints = ["{PIN}"]', ""), "peer['laptop'].fingerprints", "nexus pubkey"),
        (("[[peer]]", '[[peer]]\nendpoint = "a:1"'), "peer['laptop'].endpoint", "for clients"),
        (("[[peer]]", "[peer]"), "peer", "[[peer]]"),
        (
            ("[listen]", '[transport]\ncongestion = "fixed_rate_test"\n[listen]'),
            "transport.congestion",
            "lab.fixed_rate_bits_per_second",
        ),
        (
            ("[listen]", "[transport]\nkeepalive_seconds = 40\n[listen]"),
            "transport",
            "less than idle_timeout_seconds",
        ),
        (("[network]", "[network"), "", "this is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_fix(
    tmp_path: Path, change: tuple[str, str], key: str, hint: str
) -> None:
    assert change[0] in SERVER
    message = refusal(tmp_path, SERVER.replace(*change, 1))
    assert f": {key}: " in message or f": {key}[" in message or not key or key in message
    assert hint in message


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (('endpoint = "vpn.example.org:4433"', ""), "endpoint: is missing"),
        (('endpoint = "vpn.example.org:4433"', 'endpoint = "2001:db8::1:443"'), "in brackets"),
        ((f'fingerprints = ["{PIN}"]', ""), "whom to trust"),
        (("[handshake]", "[listen]\n[handshake]"), "this end is a client"),
        (('role = "client"', 'role = "server"'), "inner address of its own"),
    ],
)
def test_a_mistake_of_a_client(tmp_path: Path, change: tuple[str, str], hint: str) -> None:
    assert hint in refusal(tmp_path, CLIENT.replace(*change, 1))


def second_peer(**keys: str) -> str:
    lines = {"name": '"phone"', "fingerprints": f'["{OTHER_PIN}"]'} | keys
    return SERVER + "\n[[peer]]\n" + "".join(f"{key} = {text}\n" for key, text in lines.items())


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        ({"name": '"laptop"'}, "has this name already"),
        ({"fingerprints": f'["{PIN}"]'}, "'laptop' has the same certificate"),
        ({"addresses": '["10.77.0.2"]'}, "that of laptop"),
        ({"accept_routes": '["10.77.0.0/30"]'}, "overlaps 10.77.0.2/32, which is behind 'laptop'"),
    ],
)
def test_peers_do_not_get_in_each_others_way(
    tmp_path: Path, keys: dict[str, str], hint: str
) -> None:
    assert hint in refusal(tmp_path, second_peer(**keys))


def test_two_peers(tmp_path: Path) -> None:
    config = load(tmp_path, second_peer(addresses='["10.77.0.3"]', routes='["10.80.0.0/16"]'))
    assert [peer.name for peer in config.peer] == ["laptop", "phone"]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load(tmp_path, SERVER)
    (tmp_path / "own.key").chmod(0o644)
    with pytest.raises(ConfigError, match=r"chmod 600 .*own\.key"):
        load_config(tmp_path / "test.toml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nexus init"):
        load_config(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vpn.example.org:4433", ("vpn.example.org", 4433)),
        ("vpn.example.org", ("vpn.example.org", 443)),
        ("192.0.2.1:1", ("192.0.2.1", 1)),
        ("[2001:db8::1]:443", ("2001:db8::1", 443)),
        ("[2001:db8::1]", ("2001:db8::1", 443)),
    ],
)
def test_endpoints(text: str, expected: tuple[str, int]) -> None:
    assert split_endpoint(text) == expected


@pytest.mark.parametrize(
    "text", ["", ":443", "a:b:c", "host:0", "host:65536", "2001:db8::1", "a b"]
)
def test_no_endpoints(text: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        split_endpoint(text)


def test_every_key_is_in_the_manual() -> None:
    manual = (DOCS / "configuration.md").read_text()
    for key in describe(Config):
        assert f"| `{key.name}` |" in manual, f"{key.table} {key.name}"
        assert key.doc in manual, f"{key.table} {key.name}"
