# SPDX-License-Identifier: BSD-3-Clause
"""What a developer can see: the log that SET_DEBUG asks for, and the dump in debugfs."""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nexusnet.netlink import convert
from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import Request
from tests.kernel.client import RefusedError
from tests.kernel.guest_base import NOBODY, check, run, until
from tests.kernel.guest_rig import RESET_TOKEN, fails, join, one_end, ping, secret, two_ends

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.guest_rig import End

DEBUGFS = Path("/sys/kernel/debug")
SESSIONS = DEBUGFS / "nexus_quic_dco/sessions"
NAMED = re.compile(r"^netns (\d+) device (\d+) session (\d+)$", re.MULTILINE)


def _sessions() -> Path:
    if not SESSIONS.exists():
        run("mount", "-t", "debugfs", "debugfs", str(DEBUGFS))
    return SESSIONS


def _secrets_of(end: End, number: int = 1) -> list[bytes]:
    """Key material and connection IDs of a session."""
    keys = end.keys(number)
    session = end.session(number)
    found = [RESET_TOKEN, *(cid.value for cid in (*session.local_cids, *session.peer_cids))]
    found += [secret(end.suite, number, of_client=client) for client in (False, True)]
    for tx in (False, True):
        for generation in range(3):
            packet = keys.packet(generation, tx=tx)
            found += [bytes(packet.key.reveal()), bytes(packet.iv.reveal())]
    header = keys.header()
    return [*found, bytes(header.tx.reveal()), bytes(header.rx.reveal())]


def _holds_no_secret(text: bytes, secrets: list[bytes]) -> None:
    squeezed = re.sub(rb"[\s:,-]|0x", b"", text).lower()
    for one in secrets:
        for part in (one[:8], one[-8:]):
            assert part not in text
            assert part.hex().encode() not in squeezed
            # As numbers of either byte order.
            for order in ("big", "little"):
                assert str(int.from_bytes(part, order)).encode() not in text


@check
def dump_of_debugfs() -> None:
    path = _sessions()
    with two_ends() as (first, second):
        join(first, second)
        for end in (first, second):
            end.connect(2, v1=True)
        ping("a", "10.9.0.2", "-p", "5ec3e7")
        text = path.read_bytes()
        inodes = [Path(f"/run/netns/{name}").stat().st_ino for name in "ab"]
        named = [tuple(map(int, one)) for one in NAMED.findall(text.decode())]
        assert sorted(named) == sorted(
            (inode, end.device.id, number)
            for inode, end in zip(inodes, (first, second), strict=True)
            for number in (1, 2)
        )
        assert text.count(b"keys: rx 0 tx 0") == 4
        assert b"10.1.0.2:" in text
        for number in (1, 2):
            _holds_no_secret(text, _secrets_of(first, number) + _secrets_of(second, number))
        assert b"5ec3e7" not in text
        assert path.stat().st_mode & 0o777 == 0o400
    assert path.read_bytes() == b""


@check
def dump_of_debugfs_is_for_root() -> None:
    path = _sessions()
    child = os.fork()
    if not child:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            path.read_bytes()
        except PermissionError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


@check
def dump_of_debugfs_while_sessions_come_and_go() -> None:
    with one_end() as end, _sessions().open("rb", buffering=0) as file:
        for number in range(1, 16):
            end.add(number)
        seen = file.read(300)
        for number in range(5, 11):
            end.remove(number)
        while piece := file.read(300):
            seen += piece
        numbers = [int(one[2]) for one in NAMED.findall(seen.decode())]
        # Those that were there all the time are there once.
        assert len(set(numbers)) == len(numbers)
        assert set(numbers) >= {*range(1, 5), *range(11, 16)}
        file.seek(0)
        assert file.read(6) == b"netns "
        for number in range(1, 16):
            end.remove(number)
        while piece := file.read(300):
            assert not NAMED.search(piece.decode())


def _logs(end: End, flags: nl.DebugFlag) -> None:
    debug = nl.DebugAttributes(flags=flags)
    device = nl.DeviceAttributes(id=end.device.id)
    end.ask(Request(nl.Command.SET_DEBUG, nl.MainAttributes(device=device, debug=debug)))


def _appears(end: End, words: str, cause: Callable[[], object]) -> None:
    """Something makes a line appear; again and again, for the log is rate limited."""
    pattern = re.compile(rf"{end.device.ifname}: .*{words}")

    def there() -> bool:
        cause()
        return bool(pattern.search(run("dmesg")))

    until(there, f"{words!r} in the log")


@check
def log_of_commands() -> None:
    with one_end() as end:
        end.add(9)
        assert f"{end.device.ifname}: command" not in run("dmesg")
        _logs(end, nl.DebugFlag.CONTROL)
        missing = end.named(nl.Command.GET_SESSION, 77)
        _appears(end, "no session of the device", lambda: fails(errno.ENOENT, missing, end))
        _appears(end, "accepted", lambda: end.get(9))
        for number, v1 in ((1, True), (2, False)):
            end.connect(number, v1=v1)
        fails(errno.EEXIST, convert.set_keys(end.ref(1), 3, end.keys(1).next(1)), end)
        log = run("dmesg").encode()
        for number in (1, 2):
            _holds_no_secret(log, _secrets_of(end, number))
        _logs(end, nl.DebugFlag(0))


@check
def log_of_keys_and_recovery() -> None:
    with two_ends() as (first, second):
        join(first, second)
        _logs(first, nl.DebugFlag.KEYS | nl.DebugFlag.RECOVERY)
        ping("a", "10.9.0.2")

        def update() -> None:
            ping("a", "10.9.0.2")
            # Until an update is allowed again it is refused.
            with suppress(RefusedError):
                first.ask(convert.key_update(first.ref()))

        _appears(first, "key generation rx 1 tx 1", update)
        # Nobody is there any more: what is sent is probed for.
        run("ip", "-n", "b", "link", "set", "eth0", "down")

        def lost() -> None:
            with suppress(AssertionError):
                run("ip", "netns", "exec", "a", "ping", "-q", "-c", "1", "-W", "1", "10.9.0.2")

        _appears(first, r"[1-9]\d* probes", lost)
        _holds_no_secret(run("dmesg").encode(), _secrets_of(first))
