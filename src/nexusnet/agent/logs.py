# SPDX-License-Identifier: BSD-3-Clause
"""Log lines with the peer and session they are about, as text or JSON, without secrets.

`bound` names what all lines of a task are about; facts go in `extra=facts(...)`. Whatever looks
like key material is redacted, wherever it comes from.
"""

import contextlib
import contextvars
import datetime as dt
import enum
import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TextIO

from nexusnet.agent.settings import setting

_context: contextvars.ContextVar[Mapping[str, object] | None] = contextvars.ContextVar(
    "log_context", default=None
)


class LogLevel(enum.Enum):
    """Least importance that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(enum.Enum):
    """Shape of a log line."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """``[log]``."""

    level: LogLevel = setting("Least importance that is logged.", default=LogLevel.INFO)
    format: LogFormat = setting("text for people, json for machines.", default=LogFormat.TEXT)


FACTS: Final = "facts"
REDACTED: Final = "<redacted>"
SECRET_NAME: Final = re.compile(r"(?i)secret|private|password|(^|_)(key|token|iv|psk)s?$")
SECRET_TEXT: Final = re.compile(
    # PEM private keys; then the values that 32-byte and longer secrets have in hexadecimal, but not
    # fingerprints, which are public and marked as such.
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}){32,}(?![0-9A-Fa-f])",
    re.DOTALL,
)


@contextlib.contextmanager
def bound(**context: object) -> Iterator[None]:
    """Add facts to every line that is logged within."""
    token = _context.set({**(_context.get() or {}), **context})
    try:
        yield
    finally:
        _context.reset(token)


def facts(**values: object) -> dict[str, dict[str, object]]:
    """Return `extra` for a log call: values by name."""
    return {FACTS: values}


def redact(text: str) -> str:
    """Return a text without key material."""
    return SECRET_TEXT.sub(REDACTED, text)


def _plain(name: str, value: object) -> Any:
    if SECRET_NAME.search(name):
        return REDACTED
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))


class _Formatter(logging.Formatter):
    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return what a line is about."""
        own: Mapping[str, object] = getattr(record, FACTS, {})
        merged = {**(_context.get() or {}), **own}
        return {name: _plain(name, value) for name, value in merged.items()}

    def message(self, record: logging.LogRecord) -> str:
        """Return the sentence; a fault's place is added, on one line."""
        text = record.getMessage()
        if record.exc_info and record.levelno < logging.ERROR:
            text += f" ({record.exc_info[1]!r})"
        return redact(text)

    def trace(self, record: logging.LogRecord) -> str | None:
        """Return the traceback of a fault of our own."""
        if record.exc_info and record.levelno >= logging.ERROR:
            return redact(self.formatException(record.exc_info))
        return None


class TextFormatter(_Formatter):
    """``12:00:00.000 INFO  tunnel is up  peer=laptop session=3``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC).astimezone()
        pairs = "".join(f" {name}={_text(value)}" for name, value in self.fields(record).items())
        line = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d} {record.levelname:<7} "
        line += self.message(record) + (f" {pairs}" if pairs else "")
        trace = self.trace(record)
        return line if trace is None else f"{line}\n{trace}"


def _text(value: Any) -> str:
    text = "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[\s\"=]", text) else text


class JsonFormatter(_Formatter):
    """One object a line: time, level, logger, message, and the facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
            **self.fields(record),
        }
        trace = self.trace(record)
        return json.dumps(line if trace is None else {**line, "trace": trace}, ensure_ascii=False)


def configure(settings: LogSettings, stream: TextIO = sys.stderr) -> None:
    """Send the package's log lines to a stream; other libraries' only from warnings on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if settings.format is LogFormat.JSON else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # aioquic's connection logger names what our own errors say better.
    logging.getLogger("quic").setLevel(logging.ERROR)
    logging.getLogger("nexusnet").setLevel(settings.level.value.upper())
