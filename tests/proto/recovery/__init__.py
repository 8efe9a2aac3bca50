# SPDX-License-Identifier: BSD-3-Clause
"""Tests of loss recovery, congestion control and pacing."""
