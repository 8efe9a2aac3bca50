# SPDX-License-Identifier: BSD-3-Clause
"""Tests of keys, states, paths, MTU search, control frames and the connection over them."""
