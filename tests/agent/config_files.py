# SPDX-License-Identifier: BSD-3-Clause
"""Configuration files of tests, and what is said of them."""

from pathlib import Path

import pytest

from nexusnet.agent.config import Config, load_config
from nexusnet.agent.errors import ConfigError


def load(tmp_path: Path, text: str, *, key: str = "", mode: int = 0o600) -> Config:
    """Read `text` from a file of that mode, `key` being what own.key says."""
    own = tmp_path / "own.key"
    own.write_text(key)
    own.chmod(0o600)
    file = tmp_path / "test.toml"
    file.write_text(text)
    file.chmod(mode)
    return load_config(file)


def refusal(tmp_path: Path, text: str, *, mode: int = 0o600) -> str:
    """Return the one line with which it is refused; it begins with the file's name."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, mode=mode)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "test.toml"))
    assert "\n" not in message
    return message
