# SPDX-License-Identifier: BSD-3-Clause
"""Generator of everything that is derived from the ABI specification."""
