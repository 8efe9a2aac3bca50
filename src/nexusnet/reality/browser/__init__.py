# SPDX-License-Identifier: BSD-3-Clause
"""A client whose handshake looks like Chromium's over QUIC, and ends like it."""
