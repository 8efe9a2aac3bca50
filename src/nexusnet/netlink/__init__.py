# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's control interface: generated declarations, and the codec of its messages."""
