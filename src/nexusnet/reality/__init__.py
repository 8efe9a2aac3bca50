# SPDX-License-Identifier: BSD-3-Clause
"""REALITY over QUIC: authentication hidden in a handshake that looks like a browser's."""
