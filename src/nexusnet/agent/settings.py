# SPDX-License-Identifier: BSD-3-Clause
"""Reads TOML tables into frozen dataclasses: typed, ranged, and nothing unknown is let pass.

A dataclass names its keys; `setting` gives each a sentence for the manual and its range. Types:
str, bool, int, float (whole numbers too), Path, enums by value, IP addresses, interfaces and
networks, tuples of these, nested dataclasses, tuples of dataclasses (arrays of tables), `X | None`.
"""

import dataclasses
import difflib
import enum
import ipaddress
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from nexusnet.agent.errors import ConfigError

T = TypeVar("T")

_IP: Final[Mapping[object, Callable[[str], object]]] = {
    ipaddress.IPv4Address | ipaddress.IPv6Address: ipaddress.ip_address,
    ipaddress.IPv4Interface | ipaddress.IPv6Interface: ipaddress.ip_interface,
    ipaddress.IPv4Network | ipaddress.IPv6Network: ipaddress.ip_network,
}
_NAMES: Final[Mapping[object, str]] = {
    ipaddress.IPv4Address | ipaddress.IPv6Address: "an IP address as in '10.0.0.2'",
    ipaddress.IPv4Interface
    | ipaddress.IPv6Interface: "an address with its prefix length as in '10.0.0.1/24'",
    ipaddress.IPv4Network | ipaddress.IPv6Network: "a prefix as in '10.0.0.0/24'",
    str: "a text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a file name in quotes",
}


def setting(
    doc: str,
    *,
    default: Any = MISSING,
    factory: Any = MISSING,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Return a dataclass field for a key.

    Args:
        doc: what it is, a sentence for the manual.
        default: its value where the file has none; without one the key is required.
        factory: makes a table that the file does not have.
        minimum: least number allowed.
        maximum: largest number allowed.
    """
    metadata = {"doc": doc, "minimum": minimum, "maximum": maximum}
    if factory is not MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file a value stands, for messages.

    Attributes:
        file: the configuration file.
        path: table and key, as in ``network.name``.
    """

    file: Path
    path: str = ""

    def __truediv__(self, name: str) -> "Place":
        return Place(self.file, f"{self.path}.{name}" if self.path else name)

    def error(self, text: str) -> ConfigError:
        """Return an error about this place."""
        return ConfigError(": ".join(part for part in (str(self.file), self.path, text) if part))


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the configuration, for the manual.

    Attributes:
        table: as in ``[network]`` or ``[[peer]]``.
        name: of the key.
        kind: what values look like.
        default: as it would stand in a file; "required" or "none" otherwise.
        doc: what it is.
    """

    table: str
    name: str
    kind: str
    default: str
    doc: str


def read_table(cls: type[T], table: Mapping[str, Any], place: Place) -> T:
    """Read a table.

    Args:
        cls: dataclass whose fields are the keys.
        table: as `tomllib` gives it.
        place: of the table.

    Raises:
        ConfigError: a key is unknown, missing, of the wrong type or out of range.
    """
    hints = typing.get_type_hints(cls)
    fields: dict[str, Field[Any]] = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]  # T is a dataclass
    for name in table:
        if name not in fields:
            raise (place / name).error(f"there is no such key{_suggest(name, fields)}")
    values = {}
    for name, spec in fields.items():
        here = place / name
        if name in table:
            values[name] = _convert(hints[name], table[name], here)
            _check_range(spec, values[name], here)
        elif spec.default is MISSING and spec.default_factory is MISSING:
            raise here.error(f"is missing: {spec.metadata.get('doc', 'it is required')}")
    try:
        return cls(**values)
    except ValueError as error:
        raise place.error(str(error)) from error


def _suggest(name: str, known: Iterable[str]) -> str:
    """Return the nearest right name, or all of them."""
    known = list(known)
    # "keepalive" for "keepalive_seconds" is the mistake that people make: the unit left out.
    near = [other for other in known if other.startswith(f"{name}_")]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(sorted(known))}"


def _check_range(spec: Field[Any], value: Any, place: Place) -> None:
    minimum, maximum = spec.metadata.get("minimum"), spec.metadata.get("maximum")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
        least = "" if minimum is None else f" from {minimum}"
        most = "" if maximum is None else f" to {maximum}"
        raise place.error(f"{value} is out of range: a number{least}{most} is needed")


def _convert(hint: Any, value: Any, place: Place) -> Any:
    if hint in _IP:
        return _convert_ip(hint, value, place)
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        (inner,) = (part for part in typing.get_args(hint) if part is not type(None))
        return _convert(inner, value, place)
    if typing.get_origin(hint) is tuple:
        return _convert_list(typing.get_args(hint)[0], value, place)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise place.error(f"is a table: write [{place.path}] and its keys below")
        return read_table(typing.cast("type[Any]", hint), value, place)
    return _convert_plain(hint, value, place)


def _convert_list(inner: Any, value: Any, place: Place) -> tuple[Any, ...]:
    if not isinstance(value, list):
        kind = f"[[{place.path}]]" if dataclasses.is_dataclass(inner) else "a list in [ ]"
        raise place.error(f"{kind} is needed")

    # Peers are found by their name rather than by counting.
    def label(index: int, item: Any) -> str:
        named = item.get("name") if isinstance(item, dict) else None
        return f"{named!r}" if isinstance(named, str) else str(index + 1)

    return tuple(
        _convert(inner, item, Place(place.file, f"{place.path}[{label(index, item)}]"))
        for index, item in enumerate(value)
    )


def _convert_ip(hint: Any, value: Any, place: Place) -> Any:
    if isinstance(value, str):
        try:
            return _IP[hint](value)
        except ValueError as error:
            raise place.error(f"{error}; needed is {_NAMES[hint]}") from error
    raise place.error(f"{value!r} is not {_NAMES[hint]}")


def _convert_plain(hint: Any, value: Any, place: Place) -> Any:
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        choices = [str(choice.value) for choice in hint]
        if value not in choices:
            near = difflib.get_close_matches(str(value), choices, n=1)
            hint_text = f"; did you mean {near[0]!r}?" if near else ""
            raise place.error(f"{value!r} is none of {', '.join(choices)}{hint_text}")
        return hint(value)
    if hint is Path and isinstance(value, str) and value:
        return place.file.parent / Path(value).expanduser()
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # A bool is an int in Python, but not in TOML.
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise place.error(f"{value!r} is not {_NAMES.get(hint, hint)}")


def describe(cls: type[Any], table: str = "") -> list[Key]:
    """Return all keys of a configuration in the order of the manual."""
    hints = typing.get_type_hints(cls)
    plain: list[Key] = []
    nested: list[Key] = []
    for spec in dataclasses.fields(cls):
        hint = hints[spec.name]
        inner = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint
        if typing.get_origin(hint) in {typing.Union, types.UnionType} and hint not in _IP:
            (inner,) = (part for part in typing.get_args(hint) if part is not type(None))
        if dataclasses.is_dataclass(inner):
            brackets = "[[{}]]" if typing.get_origin(hint) is tuple else "[{}]"
            nested += describe(typing.cast("type[Any]", inner), brackets.format(spec.name))
            continue
        kind = _kind(inner)
        if typing.get_origin(hint) is tuple:
            kind = f"list; each {kind}"
        plain.append(Key(table, spec.name, kind, _default(spec), spec.metadata["doc"]))
    return plain + nested


def _kind(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return ", ".join(f'"{choice.value}"' for choice in hint)
    return _NAMES[hint]


def _default(spec: Field[Any]) -> str:
    value = spec.default
    if value is MISSING:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    if isinstance(value, enum.Enum):
        value = value.value
    return str(value) if isinstance(value, int | float) else f'"{value}"'
