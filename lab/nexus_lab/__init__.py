# SPDX-License-Identifier: BSD-3-Clause
"""The kernel lab: runs a command as root inside a Linux kernel of one's choice."""
