# SPDX-License-Identifier: BSD-3-Clause
"""Key material of a connection as it is installed: derived keys (v1) or traffic secrets (v2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nexusnet.netlink.generated import IV_LEN, PN_MAX, CipherSuite
from nexusnet.validation import SessionError, in_range

if TYPE_CHECKING:
    from nexusnet.secret import SecretBytes

# Bytes of a packet or header protection key, and of a traffic secret (RFC 9001 section 5.1).
KEY_LEN: Final = {
    CipherSuite.AES_128_GCM_SHA256: 16,
    CipherSuite.AES_256_GCM_SHA384: 32,
    CipherSuite.CHACHA20_POLY1305_SHA256: 32,
}
SECRET_LEN: Final = {
    CipherSuite.AES_128_GCM_SHA256: 32,
    CipherSuite.AES_256_GCM_SHA384: 48,
    CipherSuite.CHACHA20_POLY1305_SHA256: 32,
}


def _check(suite: CipherSuite, lengths: dict[CipherSuite, int], *values: SecretBytes) -> None:
    if suite not in lengths:
        raise SessionError(f"cipher suite {int(suite):#06x} cannot be installed")
    for value in values:
        if len(value) != lengths[suite]:
            needed = lengths[suite]
            raise SessionError(f"a key has {len(value)} bytes, {suite.name} needs {needed}")


@dataclass(frozen=True, slots=True)
class PacketKey:
    """Packet protection key and IV of one direction and generation."""

    key: SecretBytes
    iv: SecretBytes

    def __post_init__(self) -> None:
        if len(self.iv) != IV_LEN:
            raise SessionError(f"an IV has {len(self.iv)} bytes instead of {IV_LEN}")

    def wipe(self) -> None:
        """Zero it."""
        self.key.wipe()
        self.iv.wipe()


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Packet protection keys of both directions in one generation."""

    tx: PacketKey
    rx: PacketKey

    def wipe(self) -> None:
        """Zero it."""
        self.tx.wipe()
        self.rx.wipe()


@dataclass(frozen=True, slots=True)
class HeaderKeys:
    """Header protection keys, always of the first generation (RFC 9001 section 6.1)."""

    tx: SecretBytes
    rx: SecretBytes

    def wipe(self) -> None:
        """Zero it."""
        self.tx.wipe()
        self.rx.wipe()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """Where a connection stands in its key updates (RFC 9001 section 6).

    ``generation`` counts the updates so far, its lowest bit is the key phase. ``tx_phase_start`` is
    the first packet number sent, or to be sent, in this generation; ``rx_phase_start`` the lowest
    one received in it, None before. ``tx_sealed`` counts packets under the current TX key,
    ``rx_failed`` failed authentications over all generations.
    """

    generation: int = 0
    tx_phase_start: int = 0
    rx_phase_start: int | None = None
    tx_sealed: int = 0
    rx_failed: int = 0

    def __post_init__(self) -> None:
        for name in ("generation", "tx_phase_start", "tx_sealed", "rx_failed"):
            in_range(name, getattr(self, name), 0, PN_MAX)
        if self.rx_phase_start is not None:
            in_range("rx_phase_start", self.rx_phase_start, 0, PN_MAX)

    @property
    def phase(self) -> int:
        """The key phase bit."""
        return self.generation & 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """v1: derived keys of the current and the next generation, and the RX key before where kept."""

    suite: CipherSuite
    state: KeyState
    header: HeaderKeys
    current: KeyPair
    next: KeyPair
    previous_rx: PacketKey | None = None

    def __post_init__(self) -> None:
        keys = [self.current.tx, self.current.rx, self.next.tx, self.next.rx]
        if self.previous_rx is not None:
            keys.append(self.previous_rx)
        _check(self.suite, KEY_LEN, self.header.tx, self.header.rx, *(key.key for key in keys))
        if self.previous_rx is not None and self.state.generation == 0:
            raise SessionError("there is no key before the first generation")

    def wipe(self) -> None:
        """Zero all keys."""
        self.header.wipe()
        self.current.wipe()
        self.next.wipe()
        if self.previous_rx is not None:
            self.previous_rx.wipe()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSet:
    """v2: traffic secrets of the current generation; the data plane derives all later keys."""

    suite: CipherSuite
    state: KeyState
    header: HeaderKeys
    tx: SecretBytes
    rx: SecretBytes
    previous_rx: SecretBytes | None = None

    def __post_init__(self) -> None:
        secrets = [self.tx, self.rx]
        if self.previous_rx is not None:
            secrets.append(self.previous_rx)
        _check(self.suite, SECRET_LEN, *secrets)
        _check(self.suite, KEY_LEN, self.header.tx, self.header.rx)
        if self.previous_rx is not None and self.state.generation == 0:
            raise SessionError("there is no secret before the first generation")

    def wipe(self) -> None:
        """Zero all secrets."""
        self.header.wipe()
        self.tx.wipe()
        self.rx.wipe()
        if self.previous_rx is not None:
            self.previous_rx.wipe()


@dataclass(frozen=True, slots=True, kw_only=True)
class NextKeys:
    """v1: keys of ``generation``, laid down after the generation before became the current one."""

    suite: CipherSuite
    generation: int
    keys: KeyPair

    def __post_init__(self) -> None:
        in_range("generation", self.generation, 1, PN_MAX)
        _check(self.suite, KEY_LEN, self.keys.tx.key, self.keys.rx.key)

    def wipe(self) -> None:
        """Zero the keys."""
        self.keys.wipe()
