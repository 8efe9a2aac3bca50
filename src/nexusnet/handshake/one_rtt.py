# SPDX-License-Identifier: BSD-3-Clause
"""aioquic's pair of 1-RTT keys, with the counts that a data plane needs to go on from."""

from aioquic._crypto import CryptoError
from aioquic.quic.crypto import CryptoPair, KeyUnavailableError

from nexusnet.handshake.wipe import wipe_bytes


class OneRttCrypto(CryptoPair):
    """Keeps account of key updates and of the use of keys (RFC 9001 sections 6 and 6.6).

    Attributes:
        generation: key updates so far.
        sealed: packets sealed with the current TX key.
        failed: packets whose authentication failed, over all generations.
        tx_phase_start: first packet number sent in this generation; None before that.
        rx_phase_start: lowest packet number received in this generation; None before that.
        previous_rx_secret: traffic secret of the generation before, of the RX direction.
    """

    def __init__(self) -> None:
        """Start without keys."""
        super().__init__()
        self.generation = 0
        self.sealed = 0
        self.failed = 0
        self.tx_phase_start: int | None = None
        self.rx_phase_start: int | None = None
        self.previous_rx_secret: bytes | None = None

    def decrypt_packet(
        self, packet: bytes, encrypted_offset: int, expected_packet_number: int
    ) -> tuple[bytes, bytes, int]:
        """Open a packet, see `CryptoPair`.

        Raises:
            CryptoError: authentication failed, or there are no keys yet.
        """
        try:
            header, payload, number = super().decrypt_packet(
                packet, encrypted_offset, expected_packet_number
            )
        except KeyUnavailableError:
            raise
        except CryptoError:
            self.failed += 1
            raise
        if self.rx_phase_start is None or number < self.rx_phase_start:
            self.rx_phase_start = number
        return header, payload, number

    def encrypt_packet(
        self, plain_header: bytes, plain_payload: bytes, packet_number: int
    ) -> bytes:
        """Seal a packet, see `CryptoPair`."""
        packet = super().encrypt_packet(plain_header, plain_payload, packet_number)
        self.sealed += 1
        if self.tx_phase_start is None:
            self.tx_phase_start = packet_number
        return packet

    def teardown(self) -> None:
        """Let go of all keys."""
        wipe_bytes(self.previous_rx_secret)
        self.previous_rx_secret = None
        super().teardown()

    def _update_key(self, trigger: str) -> None:
        previous = self.recv.secret
        spent = self.send.secret
        super()._update_key(trigger)
        # RFC 9001 section 6.5: packets of the old phase may still be under way.
        wipe_bytes(self.previous_rx_secret)
        self.previous_rx_secret = previous
        wipe_bytes(spent)
        self.generation += 1
        self.sealed = 0
        self.tx_phase_start = None
        self.rx_phase_start = None
