# SPDX-License-Identifier: BSD-3-Clause
"""How the ends of a tunnel authenticate; imports nothing, for the command line's sake."""

import enum


class HandshakeMode(enum.Enum):
    """How the two ends authenticate."""

    REALITY = "reality"
    TLS = "tls"
