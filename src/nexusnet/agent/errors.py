# SPDX-License-Identifier: BSD-3-Clause
"""What the agent refuses or gives up, in one line that says what to do about it."""

import errno

PRIVILEGE_ERRORS = frozenset({errno.EPERM, errno.EACCES})


class AgentError(Exception):
    """The text is one line for the person who runs the agent; it names the fix."""


class ConfigError(AgentError):
    """The configuration cannot be used; the text names file and key."""


class StartError(AgentError):
    """The agent cannot start on this machine as it is."""


class TunnelError(AgentError):
    """One tunnel failed or ended; the agent goes on."""


def explain_os_error(error: OSError) -> str:
    """Return what an error of the operating system means, without the errno in front."""
    return error.strerror or str(error) or type(error).__name__
