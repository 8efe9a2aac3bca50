# SPDX-License-Identifier: BSD-3-Clause
"""Fuzz targets of the protocol core, and what runs them."""
