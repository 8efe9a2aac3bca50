# SPDX-License-Identifier: BSD-3-Clause
"""Tests that run inside a kernel with the module; tests/kernel/test_inside.py boots it."""
