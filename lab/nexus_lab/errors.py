# SPDX-License-Identifier: BSD-3-Clause
"""The one error the lab raises for what is wrong outside the guest."""


class LabError(Exception):
    """Something the lab needs is missing or failed; the text names the fix where there is one."""
