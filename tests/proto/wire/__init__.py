# SPDX-License-Identifier: BSD-3-Clause
"""Tests of what the protocol core reads, writes and acknowledges."""
