# SPDX-License-Identifier: BSD-3-Clause
"""What can go wrong in the demo."""

from nexusnet.agent.errors import AgentError


class DemoError(AgentError):
    """Something did not work; the text says what, and where to look."""
