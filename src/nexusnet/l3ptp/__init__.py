# SPDX-License-Identifier: BSD-3-Clause
"""L3PTP: what the DATAGRAM frames of a tunnel carry, apart from QUIC's own framing.

`context` tells IP packets from control messages, `messages` are the control messages, `channel`
brings them to the peer in order and once, `link` holds back IP packets until both ends are ready.
Nothing here knows of sockets or clocks: `now` is an argument, in seconds of any monotonic clock.
"""
