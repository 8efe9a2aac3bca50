# SPDX-License-Identifier: BSD-3-Clause
"""Configurations of mode reality: what is needed, what does not belong there, who may read them."""

from pathlib import Path

import pytest

from nexusnet.agent.config import Config
from nexusnet.agent.errors import StartError
from nexusnet.agent.modes import HandshakeMode
from nexusnet.agent.reality import load_psk, load_server_credentials
from nexusnet.agent.reload import Reload, compare, only_trust_differs
from nexusnet.handshake.errors import CredentialsError
from nexusnet.reality.credentials import (
    format_key,
    format_private_key,
    format_public_key,
    new_preshared_key,
    new_private_key,
)
from tests.agent import config_files
from tests.agent.config_files import refusal

KEY = new_private_key()
PUBLIC = format_public_key(KEY.public_key())
ID, OTHER_ID = "0123456789abcdef", "fedcba9876543210"

SERVER = f"""
[network]
name = "home"
role = "server"
addresses = ["10.77.0.1/24"]

[reality]
private_key_file = "own.key"
target = "www.example.org:443"

[[peer]]
name = "laptop"
short_ids = ["{ID}"]
addresses = ["10.77.0.2"]
"""

CLIENT = f"""
[network]
name = "home"
role = "client"

[[peer]]
name = "server"
endpoint = "192.0.2.1:443"
public_key = "{PUBLIC}"
short_id = "{ID}"
server_name = "www.example.org"
"""


def load(tmp_path: Path, text: str, *, key: str = format_private_key(KEY) + "\n") -> Config:
    return config_files.load(tmp_path, text, key=key)


def test_a_server(tmp_path: Path) -> None:
    config = load(tmp_path, SERVER)
    assert config.handshake.mode is HandshakeMode.REALITY
    assert config.reality.names == {"www.example.org"}
    assert str(config.replay_file) == "/var/lib/nexus/home.replay"
    credentials = load_server_credentials(config)
    assert credentials.users == {bytes.fromhex(ID): "laptop"}
    assert credentials.private_key.private_bytes_raw() == KEY.private_bytes_raw()
    assert credentials.psk is None


def test_a_client(tmp_path: Path) -> None:
    config = load(tmp_path, CLIENT)
    assert config.peer[0].name_asked_for == "www.example.org"
    assert load_psk(config) is None
    named = CLIENT.replace("192.0.2.1", "site.test").replace('server_name = "www.example.org"', "")
    assert load(tmp_path, named).peer[0].name_asked_for == "site.test"


def test_a_preshared_key(tmp_path: Path) -> None:
    psk = new_preshared_key()
    file = tmp_path / "all.psk"
    file.write_text(format_key(psk.reveal()))
    file.chmod(0o644)
    text = SERVER.replace("[reality]", '[reality]\npreshared_key_file = "all.psk"')
    assert "chmod 600" in refusal(tmp_path, text)
    file.chmod(0o600)
    assert load_psk(load(tmp_path, text)) == psk
    file.write_text("secret words")
    with pytest.raises(CredentialsError, match="44 characters") as caught:
        load_psk(load(tmp_path, text))
    assert "secret words" not in str(caught.value)
    file.unlink()
    assert "nexus genpsk" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (('target = "www.example.org:443"', ""), "reality.target: is missing"),
        (('private_key_file = "own.key"', ""), "nexus genkey"),
        (("www.example.org:443", "192.0.2.7:443"), "reality.server_names: is missing"),
        (("www.example.org:443", "a b:443"), "target: 'a b:443' is not HOST:PORT"),
        (("[reality]", '[reality]\nserver_names = ["1.2.3.4"]'), "is no DNS name"),
        (("[reality]", "[reality]\nclock_window_seconds = 5"), "from 10 to 600"),
        (("[reality]", '[handshake]\nkey_file = "own.key"\n[reality]'), "handshake.mode = 'tls'"),
        ((f'short_ids = ["{ID}"]', ""), "nexus genid"),
        ((ID, "0123"), "16 hexadecimal digits"),
        (("[[peer]]", f'[[peer]]\nshort_id = "{ID}"'), "is for clients"),
        (("[[peer]]", f'[[peer]]\npublic_key = "{PUBLIC}"'), "is for clients"),
        (("[[peer]]", f'[[peer]]\nfingerprints = ["sha256:{"ab" * 32}"]'), "mode = 'tls'"),
        (("[reality]", '[handshake]\nmode = "tls"\n[reality]'), "handshake.certificate_file"),
    ],
)
def test_a_servers_mistakes(tmp_path: Path, change: tuple[str, str], hint: str) -> None:
    assert change[0] in SERVER
    assert hint in refusal(tmp_path, SERVER.replace(*change, 1))


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ((f'short_id = "{ID}"', ""), "short_id: is missing"),
        ((f'public_key = "{PUBLIC}"', ""), "nexus pubkey"),
        ((PUBLIC, PUBLIC[:-2]), "44 characters"),
        ((PUBLIC, "A" * 43 + "="), "small order"),
        (('server_name = "www.example.org"', ""), "server_name: is missing"),
        (("[[peer]]", '[reality]\ntarget = "a:1"\n[[peer]]'), "is for servers"),
        (("[[peer]]", '[reality]\nprivate_key_file = "own.key"\n[[peer]]'), "is for servers"),
        (("[[peer]]", f'[[peer]]\nshort_ids = ["{ID}"]'), "is for servers"),
        (
            ("[[peer]]", "[transport]\nidle_timeout_seconds = 20\n[[peer]]"),
            "transport.idle_timeout_seconds",
        ),
    ],
)
def test_a_clients_mistakes(tmp_path: Path, change: tuple[str, str], hint: str) -> None:
    assert change[0] in CLIENT
    assert hint in refusal(tmp_path, CLIENT.replace(*change, 1))


def test_two_peers_with_one_short_id(tmp_path: Path) -> None:
    second = f'\n[[peer]]\nname = "phone"\nshort_ids = ["{ID.upper()}"]\naddresses = []\n'
    assert "'laptop' has one of them" in refusal(tmp_path, SERVER + second)


def test_reality_keys_in_mode_tls(tmp_path: Path) -> None:
    tls = '[handshake]\nmode = "tls"\ncertificate_file = "own.crt"\nkey_file = "own.key"\n'
    peer = f'[[peer]]\nname = "a"\nfingerprints = ["sha256:{"ab" * 32}"]\n'
    network = '[network]\nname = "home"\nrole = "server"\naddresses = ["10.77.0.1/24"]\n'
    load(tmp_path, network + tls + peer)
    for extra, hint in (
        (f'short_ids = ["{ID}"]', "handshake.mode = 'reality'"),
        ('[reality]\ntarget = "a:1"', "delete it"),
    ):
        assert hint in refusal(tmp_path, network + tls + peer + extra)


def test_who_may_read_it(tmp_path: Path) -> None:
    """Short IDs let their readers in."""
    assert "chmod 600" in refusal(tmp_path, SERVER, mode=0o640)
    assert "chmod 600" in refusal(tmp_path, CLIENT, mode=0o604)


@pytest.mark.parametrize("content", ["", "x", "-----BEGIN CERTIFICATE-----", "\xff"])
def test_a_key_file_that_is_none(tmp_path: Path, content: str) -> None:
    config = load(tmp_path, SERVER, key="")
    (tmp_path / "own.key").write_bytes(content.encode("latin-1"))
    with pytest.raises((CredentialsError, StartError), match=r"own\.key"):
        load_server_credentials(config)


def test_what_a_reload_finds(tmp_path: Path) -> None:
    now = load(tmp_path, SERVER)
    assert compare(now, now) == Reload()
    second = f'\n[[peer]]\nname = "phone"\nshort_ids = ["{OTHER_ID}"]\n'
    more = load(tmp_path, SERVER + second)
    assert [peer.name for peer in compare(now, more).added] == ["phone"]
    assert compare(more, now).removed == ("phone",)
    changed = compare(now, load(tmp_path, SERVER.replace(ID, OTHER_ID))).changed
    assert [peer.name for peer in changed] == ["laptop"]
    assert only_trust_differs(now.peer[0], changed[0])
    moved = load(tmp_path, SERVER.replace("10.77.0.2", "10.77.0.3")).peer[0]
    assert not only_trust_differs(now.peer[0], moved)
    other = SERVER.replace("www.example.org", "www.example.net")
    other = other.replace("[[peer]]", "[listen]\nport = 4433\n[[peer]]", 1)
    assert set(compare(now, load(tmp_path, other)).at_next_start) == {
        "listen.port",
        "reality.target",
    }
    # Where the keys are read from may change: they are read again.
    (tmp_path / "new.key").write_text(format_private_key(new_private_key()))
    (tmp_path / "new.key").chmod(0o600)
    assert compare(now, load(tmp_path, SERVER.replace("own.key", "new.key"))) == Reload()
