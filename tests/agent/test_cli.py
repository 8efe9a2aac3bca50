# SPDX-License-Identifier: BSD-3-Clause
"""The command line as people use it: what it prints, and one clear line for a mistake."""

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexusnet.agent.scaffold import make_scaffold, write_files


def nexus(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nexusnet", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return the error: the last line, and no traceback anywhere."""
    assert done.returncode not in {0, 2}, done.stdout
    assert "Traceback" not in done.stderr + done.stdout
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("nexus: ")
    assert sum(line.startswith("nexus: ") for line in lines) == 1
    return lines[-1]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_pair(tmp_path, dt.datetime.now(dt.UTC))


def write_pair(folder: Path, now: dt.datetime) -> Path:
    made = make_scaffold(
        endpoint="127.0.0.1:4433", clients=["client"], now=now, interface="nxtest0"
    )
    contents = dict(made.files)
    for name in ("server", "client"):
        control = f'\n[control]\nsocket_file = "{name}.sock"\nstate_file = "{name}.json"\n'
        contents[f"{name}.toml"] += control.encode()
    write_files(folder, contents)
    return folder


def test_init_writes_what_check_accepts(tmp_path: Path) -> None:
    done = nexus("init", str(tmp_path), "--endpoint", "vpn.example.org:4433", "--client", "laptop")
    assert done.returncode == 0, done.stderr
    for name in ("server", "laptop"):
        done = nexus("config", "check", str(tmp_path / f"{name}.toml"))
        assert done.returncode == 0, done.stderr
        assert "good" in done.stdout
    assert "exists" in complaint(nexus("init", str(tmp_path), "--client", "laptop"))


def test_json_is_json(tmp_path: Path) -> None:
    made = json.loads(nexus("init", str(tmp_path), "--json").stdout)
    assert len(made["files"]) == 3
    checked = json.loads(nexus("config", "check", str(tmp_path / "server.toml"), "--json").stdout)
    assert checked["ok"]
    assert checked["handshake_mode"] == "reality"
    pub = json.loads(nexus("pubkey", str(tmp_path / "server.key"), "--json").stdout)
    assert pub["public_key"] == checked["public_key"]
    assert pub["public_key"] in (tmp_path / "client.toml").read_text()
    assert json.loads(nexus("config", "keys", "--json").stdout)["keys"]
    findings = json.loads(nexus("doctor", "--json").stdout)
    assert {finding["verdict"] for finding in findings["findings"]} <= {"good", "slower", "missing"}
    refused = nexus("config", "check", str(tmp_path / "none.toml"), "--json")
    assert "nexus init" in json.loads(refused.stdout)["error"]


def test_genkey_and_pubkey_agree(tmp_path: Path) -> None:
    done = nexus("genkey", str(tmp_path / "me"))
    assert done.returncode == 0
    printed = done.stdout.strip()
    assert len(printed) == 44
    file = tmp_path / "me.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert nexus("pubkey", str(file)).stdout.strip() == printed
    assert nexus("pubkey", stdin=file.read_text()).stdout.strip() == printed
    assert "exists" in complaint(nexus("genkey", str(tmp_path / "me")))


def test_genkey_and_pubkey_agree_about_certificates(tmp_path: Path) -> None:
    done = nexus("genkey", str(tmp_path / "me"), "--mode", "tls")
    assert done.returncode == 0
    printed = done.stdout.strip()
    assert printed.startswith("sha256:")
    assert nexus("pubkey", str(tmp_path / "me.crt")).stdout.strip() == printed
    pem = (tmp_path / "me.crt").read_text()
    assert nexus("pubkey", stdin=pem).stdout.strip() == printed
    assert "exists" in complaint(nexus("genkey", str(tmp_path / "me"), "--mode", "tls"))
    assert "neither" in complaint(nexus("pubkey", str(tmp_path / "me.key")))
    assert "No such file" in complaint(nexus("pubkey", str(tmp_path / "you.crt")))


def test_other_secrets(tmp_path: Path) -> None:
    assert nexus("genpsk", str(tmp_path / "all.psk")).returncode == 0
    assert (tmp_path / "all.psk").stat().st_mode & 0o777 == 0o600
    assert len((tmp_path / "all.psk").read_text().strip()) == 44
    assert "name it" in complaint(nexus("genpsk", str(tmp_path / "all.txt")))
    ids = {nexus("genid").stdout.strip() for _ in range(2)}
    assert len(ids) == 2
    assert all(len(bytes.fromhex(one)) == 8 for one in ids)


def test_init_of_mode_tls(tmp_path: Path) -> None:
    done = nexus("init", str(tmp_path), "--mode", "tls", "--json")
    assert len(json.loads(done.stdout)["files"]) == 6
    checked = json.loads(nexus("config", "check", str(tmp_path / "client.toml"), "--json").stdout)
    pub = json.loads(nexus("pubkey", str(tmp_path / "client.crt"), "--json").stdout)
    assert pub["fingerprint"] == checked["fingerprint"]


def test_init_says_that_its_target_is_a_placeholder(tmp_path: Path) -> None:
    assert "placeholder" in nexus("init", str(tmp_path / "a")).stdout
    done = nexus("init", str(tmp_path / "b"), "--target", "www.site.test:443")
    assert "placeholder" not in done.stdout
    assert "no DNS name" in complaint(nexus("init", str(tmp_path / "c"), "--target", "1.2.3.4"))


def test_no_agent(tmp_path: Path) -> None:
    for command in ("status", "show", "up", "down", "reload"):
        text = complaint(nexus(command, "--socket", str(tmp_path / "none.sock")))
        assert "nexus agent --config" in text


def test_a_stale_socket(tmp_path: Path) -> None:
    path = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    assert "no agent answers" in complaint(nexus("status", "--socket", str(path)))


def test_a_socket_that_does_not_speak_our_language(tmp_path: Path) -> None:
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()

        def serve() -> None:
            with sock.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"220 hello\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert "gave no answer" in complaint(nexus("status", "--socket", str(path)))
        thread.join(10)


# Agents that cannot start


def test_a_configuration_with_a_mistake(files: Path) -> None:
    file = files / "client.toml"
    file.write_text(file.read_text().replace("interface =", "interfaec ="))
    assert "did you mean interface?" in complaint(nexus("agent", "--config", str(file)))


def test_keys_that_do_not_fit(files: Path) -> None:
    (files / "client.key").write_bytes((files / "server.key").read_bytes())
    text = complaint(nexus("agent", "--config", str(files / "client.toml")))
    assert "does not belong to the certificate" in text
    (files / "client.key").write_text("nonsense")
    text = complaint(nexus("agent", "--config", str(files / "client.toml")))
    assert "no unencrypted PEM private key" in text


def test_required_but_no_module(files: Path) -> None:
    file = files / "client.toml"
    file.write_text(file.read_text().replace('"preferred"', '"required"'))
    text = complaint(nexus("agent", "--config", str(file)))
    assert "dco_mode is required, but the module nexus_quic_dco is not loaded" in text
    assert {path.suffix for path in files.glob("client.*")} == {".toml", ".crt", ".key"}


@pytest.fixture
def lonely(files: Path) -> Iterator[list[str]]:
    """A command in front that has a network namespace for itself."""
    if os.geteuid():
        pytest.skip("network namespaces need root")
    yield ["unshare", "--net", "--mount"]
    leftovers = {path.suffix for path in files.rglob("*.*")} - {".toml", ".crt", ".key"}
    assert not leftovers, "something was left behind"


def agent(prefix: list[str], shell: str, file: Path) -> subprocess.CompletedProcess[str]:
    """Run an agent in a prepared namespace; it is to fail by itself."""
    command = f"{shell}; exec {sys.executable} -m nexusnet agent --config {file}"
    return subprocess.run(
        [*prefix, "sh", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.netns
def test_the_port_is_taken(lonely: list[str], files: Path) -> None:
    holder = "import socket,time; s=socket.socket(10,2); s.bind(('::',4433)); time.sleep(30)"
    shell = (
        f'{sys.executable} -c "{holder}" >/dev/null 2>&1 &'
        " until ss -Hlun | grep -q :4433; do sleep 0.1; done"
    )
    text = complaint(agent(lonely, shell, files / "server.toml"))
    assert "UDP :: port 4433: another program has it" in text
    assert "listen.port" in text


@pytest.mark.netns
def test_no_tun(lonely: list[str], files: Path) -> None:
    text = complaint(agent(lonely, "mount -t tmpfs none /dev/net", files / "server.toml"))
    assert "modprobe tun" in text


@pytest.mark.netns
def test_no_permission(lonely: list[str], files: Path) -> None:
    prefix = [*lonely, "setpriv", "--bounding-set", "-net_admin"]
    text = complaint(agent(prefix, "true", files / "server.toml"))
    assert "run as root, or give the agent CAP_NET_ADMIN" in text


@pytest.mark.netns
def test_the_name_of_the_device_is_taken(lonely: list[str], files: Path) -> None:
    text = complaint(agent(lonely, "ip link add nxtest0 type veth", files / "server.toml"))
    assert "there is a device nxtest0 already" in text


@pytest.mark.netns
def test_a_wrong_clock(lonely: list[str], tmp_path: Path) -> None:
    future = write_pair(tmp_path / "future", dt.datetime.now(dt.UTC) + dt.timedelta(days=400))
    text = complaint(agent(lonely, "true", future / "server.toml"))
    assert "set this machine's clock" in text


@pytest.mark.netns
def test_an_unreachable_server_is_tried_again_and_named(lonely: list[str], files: Path) -> None:
    shell = "ip link set lo up"
    command = f"{shell}; exec {sys.executable} -m nexusnet agent --config {files / 'client.toml'}"
    with subprocess.Popen(
        [*lonely, "sh", "-c", command], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if "not reachable" in line:
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(20) == 0
    assert "127.0.0.1 port 4433 is not reachable" in seen[-1]
    assert "is the server running there" in seen[-1]
    assert "Traceback" not in "".join(seen) + rest
