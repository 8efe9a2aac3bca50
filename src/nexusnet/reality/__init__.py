# SPDX-License-Identifier: BSD-3-Clause
"""REALITY over QUIC (QR1): a hidden authenticator in the ClientHello, everyone else is relayed.

The construction and its decisions are without I/O; `docs/reality.md` describes them.
"""
