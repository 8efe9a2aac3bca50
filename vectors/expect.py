# SPDX-License-Identifier: BSD-3-Clause
"""Invalid vectors name the error that the model raises."""

from collections.abc import Callable

from nexusnet.quic.errors import QuicError


def expect_error(call: Callable[..., object], *arguments: object) -> str:
    """Return the name of the error that `call` raises; it must raise one."""
    try:
        result = call(*arguments)
    except QuicError as error:
        return error.name
    raise AssertionError(f"no error, but {result}")
