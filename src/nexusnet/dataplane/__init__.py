# SPDX-License-Identifier: BSD-3-Clause
"""Data planes: what moves packets once a handshake is done, in the kernel or in user space."""
