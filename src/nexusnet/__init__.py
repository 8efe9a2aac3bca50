# SPDX-License-Identifier: BSD-3-Clause
"""NexusNet: an L3 VPN whose public wire image is genuine QUIC v1."""

__version__ = "0.1.0"
