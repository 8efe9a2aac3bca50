# SPDX-License-Identifier: BSD-3-Clause
"""Derived keys for a data plane that takes no traffic secrets (v1), and the keys after them."""

from typing import Self

from aioquic.quic.crypto import derive_key_iv_hp
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite as TlsCipherSuite
from aioquic.tls import cipher_suite_hash, hkdf_expand_label

from nexusnet.handshake.wipe import wipe_bytes
from nexusnet.keys import HeaderKeys, KeyPair, KeySet, NextKeys, PacketKey, SecretSet
from nexusnet.netlink.generated import CipherSuite
from nexusnet.secret import SecretBytes


def packet_key(suite: CipherSuite, secret: SecretBytes) -> PacketKey:
    """Return "quic key" and "quic iv" of a traffic secret (RFC 9001 section 5.1)."""
    plain = bytes(secret.reveal())
    key, iv, header = derive_key_iv_hp(
        cipher_suite=TlsCipherSuite(int(suite)),
        secret=plain,
        version=QuicProtocolVersion.VERSION_1,
    )
    derived = PacketKey(SecretBytes(key), SecretBytes(iv))
    for copy in (plain, key, header):
        wipe_bytes(copy)
    return derived


def next_secret(suite: CipherSuite, secret: SecretBytes) -> SecretBytes:
    """Return the traffic secret after a key update, "quic ku" (RFC 9001 section 6.1)."""
    plain = bytes(secret.reveal())
    algorithm = cipher_suite_hash(TlsCipherSuite(int(suite)))
    following = hkdf_expand_label(algorithm, plain, b"quic ku", b"", algorithm.digest_size)
    derived = SecretBytes(following)
    wipe_bytes(plain)
    wipe_bytes(following)
    return derived


class KeySchedule:
    """Holds the newest traffic secrets of a connection, and nothing older.

    Attributes:
        generation: key updates that lead to these secrets.
    """

    def __init__(
        self, suite: CipherSuite, generation: int, tx: SecretBytes, rx: SecretBytes
    ) -> None:
        """Take secrets over; they are wiped when the next ones are derived."""
        self.generation = generation
        self._suite = suite
        self._tx = tx
        self._rx = rx

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._suite.name}, generation={self.generation})"

    @classmethod
    def begin(cls, secrets: SecretSet) -> tuple[KeySet, Self]:
        """Return the first keys to install, and the schedule that gives all further ones.

        Args:
            secrets: of the export; to be wiped by their owner afterwards.
        """
        suite = secrets.suite
        schedule = cls(
            suite,
            secrets.state.generation + 1,
            next_secret(suite, secrets.tx),
            next_secret(suite, secrets.rx),
        )
        previous = secrets.previous_rx
        keys = KeySet(
            suite=suite,
            state=secrets.state,
            header=_copy_header(secrets),
            current=KeyPair(packet_key(suite, secrets.tx), packet_key(suite, secrets.rx)),
            next=schedule._keys(),
            previous_rx=None if previous is None else packet_key(suite, previous),
        )
        return keys, schedule

    def advance(self) -> NextKeys:
        """Return the keys of the generation after the newest one, to be installed as next keys."""
        for name in ("_tx", "_rx"):
            old: SecretBytes = getattr(self, name)
            setattr(self, name, next_secret(self._suite, old))
            old.wipe()
        self.generation += 1
        return NextKeys(suite=self._suite, generation=self.generation, keys=self._keys())

    def wipe(self) -> None:
        """Zero the secrets; no further keys can be had."""
        self._tx.wipe()
        self._rx.wipe()

    def _keys(self) -> KeyPair:
        return KeyPair(packet_key(self._suite, self._tx), packet_key(self._suite, self._rx))


def _copy_header(secrets: SecretSet) -> HeaderKeys:
    return HeaderKeys(
        tx=SecretBytes(secrets.header.tx.reveal()), rx=SecretBytes(secrets.header.rx.reveal())
    )
