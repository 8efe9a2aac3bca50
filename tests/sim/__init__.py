# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the simulator, and of the protocol core in it."""
