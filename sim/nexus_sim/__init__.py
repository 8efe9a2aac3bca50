# SPDX-License-Identifier: BSD-3-Clause
"""Drives the protocol core of `kernel/proto/` from Python."""
