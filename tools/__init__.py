# SPDX-License-Identifier: BSD-3-Clause
"""What developers run."""
