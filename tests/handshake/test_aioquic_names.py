# SPDX-License-Identifier: BSD-3-Clause
import ast
from pathlib import Path
from typing import Any

import pytest
from aioquic import tls
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet_builder import QuicPacketBuilder

import nexusnet.handshake
import nexusnet.reality.browser
from nexusnet.handshake import aioquic_names
from nexusnet.handshake.acceptor import Acceptor
from nexusnet.handshake.aioquic_names import ATTRIBUTES, METHODS, WINDOW, check_aioquic
from nexusnet.handshake.errors import IncompatibleAioquicError
from tests.handshake.setting import Setting

PACKAGE = Path(nexusnet.handshake.__file__).parent
BROWSER = Path(nexusnet.reality.browser.__file__).parent
REALITY = BROWSER.parent
LISTED = (
    {name for _, name, _ in METHODS} | {n for _, names in ATTRIBUTES for n in names} | {*WINDOW}
)


def test_the_installed_version_fits() -> None:
    check_aioquic()


def own_names(tree: ast.AST) -> set[str]:
    """Private names that a module defines or assigns itself."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
            names.add(node.target.attr)
    return names


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_every_private_name_that_is_used_is_listed() -> None:
    paths = [*PACKAGE.glob("*.py"), *REALITY.glob("*.py"), *BROWSER.glob("*.py")]
    trees = {path: ast.parse(path.read_text()) for path in paths}
    ours = set().union(*(own_names(tree) for tree in trees.values()))
    used = {
        node.attr
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and private(node.attr)
    }
    assert used - ours - LISTED == set()
    # And nothing is listed that nobody uses or overrides.
    assert {name for name in LISTED if private(name)} - used - ours == set()


@pytest.mark.parametrize(
    "module",
    [
        PACKAGE / "connection.py",
        PACKAGE / "tls_context.py",
        PACKAGE / "one_rtt.py",
        BROWSER / "connection.py",
        BROWSER / "packet_builder.py",
        BROWSER / "tls.py",
    ],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_every_override_is_listed(module: Path) -> None:
    # What a subclass overrides has to exist in aioquic, or it would never be called.
    bases = (QuicConnection, QuicPacketBuilder, CryptoPair, tls.Context)
    tree = ast.parse(module.read_text())
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    overrides = {
        name for name in defined if private(name) and any(name in vars(base) for base in bases)
    }
    assert overrides
    assert overrides <= {name for _, name, _ in METHODS}


@pytest.mark.parametrize("name", sorted(LISTED))
def test_each_name_that_is_gone_is_named(name: str) -> None:
    def lookup(owner: object, asked: str) -> Any:
        if asked == name:
            raise AttributeError
        return getattr(owner, asked)

    with pytest.raises(IncompatibleAioquicError, match=rf"\.{name} is gone") as caught:
        check_aioquic(lookup=lookup)
    assert "requirements.lock" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_changed_parameters_and_other_versions_are_named() -> None:
    def lookup(owner: object, asked: str) -> Any:
        if asked == "_initialize":
            return lambda self, other: (self, other)
        return getattr(owner, asked)

    with pytest.raises(IncompatibleAioquicError, match=r"_initialize takes \('other',\)"):
        check_aioquic(lookup=lookup)
    for version in ("1.8.0", "2.7.1", "1.6.9"):
        with pytest.raises(IncompatibleAioquicError, match=f"aioquic {version} does not fit"):
            check_aioquic(version)


def test_the_check_runs_before_the_first_handshake(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    aioquic_names.ensure_aioquic.cache_clear()
    monkeypatch.setattr(aioquic_names, "installed_version", lambda: "1.8.0")
    with pytest.raises(IncompatibleAioquicError):
        Acceptor(setting.server)
    monkeypatch.undo()
    aioquic_names.ensure_aioquic.cache_clear()
    Acceptor(setting.server)
