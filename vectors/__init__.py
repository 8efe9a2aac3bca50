# SPDX-License-Identifier: BSD-3-Clause
"""Golden vectors of the 1-RTT wire, and what makes them from the reference model."""
