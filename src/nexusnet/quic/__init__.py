# SPDX-License-Identifier: BSD-3-Clause
"""Reference model of the 1-RTT wire of QUIC v1: pure Python, sans-IO, written from the RFCs.

It makes and checks the golden vectors, and shares no code with the data plane. Nothing here opens
a socket, reads a clock or draws a random number.
"""
