# SPDX-License-Identifier: BSD-3-Clause
"""Benchmarks; each prints a table, or JSON with --json."""
