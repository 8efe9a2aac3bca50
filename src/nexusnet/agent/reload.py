# SPDX-License-Identifier: BSD-3-Clause
"""What a changed configuration means for a running agent: peers come, go and change.

All that is read again are the peers and the files with keys; the rest takes effect at the next
start.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from nexusnet.agent.config import Config, PeerSettings

AT_ONCE: Final = frozenset(
    {"peer", "reality.private_key_file", "reality.preshared_key_file"},
)
"""Tables and keys that a reload takes over."""


@dataclass(frozen=True, slots=True)
class Reload:
    """What is to be done.

    Attributes:
        added: peers that are new.
        changed: peers whose settings are others now.
        removed: names of peers that are gone.
        at_next_start: keys that were changed and have to wait.
    """

    added: tuple[PeerSettings, ...] = ()
    changed: tuple[PeerSettings, ...] = ()
    removed: tuple[str, ...] = ()
    at_next_start: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Return it for the control socket."""
        return {
            "added": [peer.name for peer in self.added],
            "changed": [peer.name for peer in self.changed],
            "removed": list(self.removed),
            "at_next_start": list(self.at_next_start),
        }


def compare(now: Config, fresh: Config) -> Reload:
    """Return what leads from one configuration to another."""
    before = {peer.name: peer for peer in now.peer}
    after = {peer.name: peer for peer in fresh.peer}
    return Reload(
        added=tuple(peer for name, peer in after.items() if name not in before),
        changed=tuple(
            peer for name, peer in after.items() if name in before and peer != before[name]
        ),
        removed=tuple(name for name in before if name not in after),
        at_next_start=tuple(_other_keys(now, fresh)),
    )


def _other_keys(now: Config, fresh: Config) -> Iterator[str]:
    for table in dataclasses.fields(Config):
        one, other = getattr(now, table.name), getattr(fresh, table.name)
        if table.name in AT_ONCE or one == other:
            continue
        if one is None or other is None:
            yield table.name
            continue
        for key in dataclasses.fields(one):
            name = f"{table.name}.{key.name}"
            if name not in AT_ONCE and getattr(one, key.name) != getattr(other, key.name):
                yield name


def only_trust_differs(one: PeerSettings, other: PeerSettings) -> bool:
    """Whether two settings of a peer differ in nothing but what it is known by."""
    same = {"short_ids": (), "fingerprints": ()}
    return dataclasses.replace(one, **same) == dataclasses.replace(other, **same)  # type: ignore[arg-type]  # both are tuples of texts
