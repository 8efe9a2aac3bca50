# SPDX-License-Identifier: BSD-3-Clause
"""The kernel module in the kernels of the lab."""
