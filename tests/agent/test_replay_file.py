# SPDX-License-Identifier: BSD-3-Clause
"""The file behind the replay cache: written before anybody is answered, read after any end."""

import logging
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.agent import replay_file
from nexusnet.agent.errors import StartError
from nexusnet.agent.replay_file import RecordingDecider, ReplayFile
from nexusnet.reality.credentials import ServerCredentials
from nexusnet.reality.decision import Accept, InitialFacts, Reason, Relay, ServerProfile
from tests.reality.hellos import genuine

SERVER = X25519PrivateKey.generate()
SHORT_ID = bytes(8)
WALL = 1_800_000_000
FACTS = InitialFacts(1, 1250)


def open_file(path: Path, *, now: float = 0.0, wall: float = WALL) -> ReplayFile:
    return ReplayFile(path, 120.0, now=now, wall=wall)


def decider(file: ReplayFile) -> RecordingDecider:
    made = RecordingDecider(
        ServerCredentials(SERVER, {SHORT_ID: "alice"}),
        ServerProfile(frozenset({"site.test"})),
        file.cache,
    )
    made.file = file
    return made


def hello() -> bytes:
    return genuine(SERVER.public_key(), unix_time=WALL, short_id=SHORT_ID)[0]


def test_a_crash_forgets_nobody(tmp_path: Path) -> None:
    path = tmp_path / "new" / "home.replay"
    messages = [hello() for _ in range(3)]
    server = decider(open_file(path))
    for message in messages:
        assert isinstance(server.decide(message, FACTS, now=1.0, wall=WALL), Accept)
    # Nothing is closed: what counts is on file when `decide` returns.
    again = decider(open_file(path, now=500.0))
    for message in messages:
        assert again.decide(message, FACTS, now=501.0, wall=WALL) == Relay(Reason.SEEN)
    assert isinstance(again.decide(hello(), FACTS, now=501.0, wall=WALL), Accept)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    again.file.close()
    server.file.close()


def test_strangers_write_nothing(tmp_path: Path) -> None:
    path = tmp_path / "home.replay"
    server = decider(open_file(path))
    size = path.stat().st_size
    stranger = genuine(X25519PrivateKey.generate().public_key(), unix_time=WALL, short_id=SHORT_ID)[
        0
    ]
    for message in (stranger, b"", stranger[:-1]):
        assert isinstance(server.decide(message, FACTS, now=1.0, wall=WALL), Relay)
    assert path.stat().st_size == size
    server.file.close()


def test_a_grown_file_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_file, "COMPACT_ABOVE", 200)
    path = tmp_path / "home.replay"
    server = decider(open_file(path))
    last = b""
    for number in range(40):
        # Far enough apart that all but the last are too old to matter.
        last = genuine(SERVER.public_key(), unix_time=WALL + 600 * number, short_id=SHORT_ID)[0]
        now = 600.0 * number
        assert isinstance(server.decide(last, FACTS, now=now, wall=WALL + now), Accept)
        assert path.stat().st_size <= 200 + 36
    again = decider(open_file(path, wall=WALL + 600 * 39))
    verdict = again.decide(last, FACTS, now=1.0, wall=WALL + 600 * 39)
    assert verdict == Relay(Reason.SEEN)
    assert list(tmp_path.iterdir()) == [path]
    again.file.close()
    server.file.close()


def test_a_damaged_file_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "home.replay"
    path.write_bytes(b"something else entirely")
    with pytest.raises(StartError, match=r"home\.replay is damaged.*delete it"):
        open_file(path)
    assert path.read_bytes() == b"something else entirely"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"reality\.replay_file"):
        open_file(tmp_path / "file" / "home.replay")


def test_a_full_disk_keeps_nobody_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = decider(open_file(tmp_path / "home.replay"))
    server.file.close()
    message = hello()
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        caplog.at_level(logging.ERROR, logger="nexusnet.agent.replay_file"),
    ):
        server.file._stream = full
        assert isinstance(server.decide(message, FACTS, now=1.0, wall=WALL), Accept)
        assert isinstance(server.decide(hello(), FACTS, now=1.0, wall=WALL), Accept)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "No space left" in caplog.text
    # Until a restart the cache knows it.
    assert server.decide(message, FACTS, now=2.0, wall=WALL) == Relay(Reason.SEEN)
    server.file.close()


def test_a_clock_that_is_behind_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "home.replay"
    server = decider(open_file(path))
    assert isinstance(server.decide(hello(), FACTS, now=1.0, wall=WALL), Accept)
    server.file.close()
    with caplog.at_level(logging.WARNING, logger="nexusnet.agent.replay_file"):
        open_file(path, wall=WALL - 86400).close()
    assert "clock is behind" in caplog.text
    assert list(tmp_path.iterdir()) == [path]
