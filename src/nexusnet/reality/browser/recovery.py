# SPDX-License-Identifier: BSD-3-Clause
"""aioquic's loss recovery, where a hello that is not answered comes again as Chromium sends it.

At each probe timeout one packet, the oldest, the first after 300 ms. (aioquic sends all of them,
the first time after 200 ms.) In everything else it is aioquic's.
"""

from aioquic.quic.recovery import QuicPacketRecovery

from nexusnet.reality.browser.chromium import INITIAL_PROBE_TIMEOUT


class BrowserRecovery(QuicPacketRecovery):
    """Loss recovery of a client."""

    @staticmethod
    def adopt(recovery: QuicPacketRecovery) -> None:
        """Take over what aioquic has just made; it offers no way to bring one's own."""
        recovery.__class__ = BrowserRecovery
        # RFC 9002 section 6.2.2: twice this is the first timeout.
        recovery._rtt_initial = INITIAL_PROBE_TIMEOUT / 2

    def reschedule_data(self, *, now: float, speed_up_handshake: bool = False) -> None:
        """Send something again, see `QuicPacketRecovery`."""
        initial = self.spaces[0]
        oldest = next(
            (packet for packet in initial.sent_packets.values() if packet.is_crypto_packet), None
        )
        if oldest is None:
            super().reschedule_data(now=now, speed_up_handshake=speed_up_handshake)
            return
        # No sign of congestion, only of impatience (RFC 9002 section 6.2).
        self._on_packets_lost(congestion_event=False, now=now, packets=[oldest], space=initial)
        self._send_probe()
