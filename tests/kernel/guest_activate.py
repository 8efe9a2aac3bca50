# SPDX-License-Identifier: BSD-3-Clause
"""The way out of HOLD: what is refused, that nothing stays half-installed, and keys."""

from __future__ import annotations

import errno
import struct
from functools import partial
from typing import TYPE_CHECKING

from nexusnet.netlink import convert
from nexusnet.netlink import generated as nl
from nexusnet.netlink.messages import NLM_F_REQUEST
from tests.kernel.guest_base import check, failing, faults_can_be_injected, refused
from tests.kernel.guest_bytes import Attribute, Spoilt
from tests.kernel.guest_rig import RESET_TOKEN, fails, one_end, secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.guest_rig import End

STATE, KEYS, HELD = 7, 8, 9
NONE = (1 << 64) - 1


def _refused(end: End, words: str, how: Callable[[Spoilt], object], *, v1: bool = False) -> None:
    """ACTIVATE_SESSION, spoilt: refused, and the session is in HOLD still."""
    request = Spoilt.of(convert.activate_session(end.activation(v1=v1)))
    how(request)
    refused(errno.EINVAL, words, partial(end.netlink.raw, request.encode()))
    assert end.get().state is nl.SessionState.HOLD


def _ranges(*ranges: tuple[int, int], floor: int = 10) -> Callable[[Spoilt], object]:
    def change(request: Spoilt) -> None:
        inside = [one for one in request.nest(STATE) if one.number not in {3, 4}]
        largest = ranges[0][1] if ranges else NONE
        inside.append(Attribute(3, struct.pack("=QQQII", floor, largest, 0, 0, 0)))
        inside += [Attribute(4, struct.pack("=QQ", *one)) for one in ranges]
        request.nest(STATE)[:] = inside

    return change


@check
def activate_ranges_overlap() -> None:
    with one_end() as end:
        end.add()
        for spoilt in (
            [(20, 30), (15, 20)],
            [(20, 30), (15, 19)],  # They touch: that is one range.
            [(15, 16), (20, 30)],
            [(30, 20)],
        ):
            _refused(end, "received-range", _ranges(*spoilt))
        end.activate()


@check
def activate_range_below_floor() -> None:
    with one_end() as end:
        end.add()
        _refused(end, "floor", _ranges((20, 30), (9, 12)))
        end.activate()


def _tx(next_pn: int, largest_acked: int) -> Callable[[Spoilt], object]:
    def change(request: Spoilt) -> None:
        request.one(STATE, 2).payload = struct.pack("=QQ", next_pn, largest_acked)

    return change


@check
def activate_next_pn_not_above_acked() -> None:
    with one_end() as end:
        end.add()
        _refused(end, "next packet number", _tx(10, 10))
        _refused(end, "next packet number", _tx(10, 11))
        _refused(end, "out of range", _tx(1 << 62, 3))
        end.activate()


def _without(*numbers: int) -> Callable[[Spoilt], object]:
    def change(request: Spoilt) -> None:
        inside = request.nest(KEYS)
        inside[:] = [one for one in inside if one.number not in numbers]

    return change


@check
def activate_without_next_keys() -> None:
    with one_end() as end:
        end.add()
        for number in (6, 7, 8, 9):
            _refused(end, "key", _without(number), v1=True)
        for number in (11, 12):
            _refused(end, "secret", _without(number))
        end.activate(v1=True)


@check
def activate_keys_and_secrets() -> None:
    with one_end() as end:
        end.add()

        def both(request: Spoilt) -> None:
            keys = Spoilt.of(convert.activate_session(end.activation(v1=True)))
            request.nest(KEYS).extend(one for one in keys.nest(KEYS) if one.number in {6, 7, 8, 9})

        _refused(end, "together", both)
        end.activate()


@check
def activate_stale() -> None:
    with one_end() as end:
        end.add()
        for generation in (0, 1):
            request = convert.activate_session(end.activation(generation=generation or 1))
            fails(errno.ESTALE, request, end)
        assert end.get().state is nl.SessionState.HOLD
        end.activate()
        request = convert.activate_session(end.activation(generation=7))
        assert "HOLD" in fails(errno.EBUSY, request, end)
        missing = convert.activate_session(end.activation(9))
        fails(errno.ENOENT, missing, end)


@check
def set_keys_stale() -> None:
    with one_end() as end:
        end.connect(v1=True)
        keys = end.keys()
        fails(errno.ESTALE, convert.set_keys(end.ref(), 2, keys.next(2)), end)
        # Generation 1 was installed from the start, and 2 is two ahead.
        fails(errno.EEXIST, convert.set_keys(end.ref(), 3, keys.next(1)), end)
        fails(errno.EINVAL, convert.set_keys(end.ref(), 3, keys.next(2)), end)
        # Nothing of the peer has acknowledged the current keys.
        fails(errno.EAGAIN, convert.key_update(end.ref()), end)
        end.connect(2)
        assert "secrets" in fails(
            errno.EINVAL, convert.set_keys(end.ref(2), 3, end.keys(2).next(1)), end
        )
        end.add(3)
        fails(errno.EBUSY, convert.set_keys(end.ref(3), 3, end.keys(3).next(1)), end)
        fails(errno.EBUSY, convert.key_update(end.ref(3)), end)
        assert end.get().generation == 2


@check
def secrets_in_no_dump() -> None:
    with one_end() as end:
        end.connect()
        end.connect(2, v1=True)
        end.lead("10.9.0.0/24")
        seen = b""
        for command in (nl.Command.GET_SESSION, nl.Command.GET_ROUTE, nl.Command.GET_STATS):
            end.netlink.send(bytes([command, 1, 0, 0]) + struct.pack("=HHI", 8, 2, 1), 0x305)
            for kind, _, payload in end.netlink.packets():
                if kind == 3:
                    break
                seen += payload
        assert len(seen) > 1000
        parts = [RESET_TOKEN]
        for number in (1, 2):
            parts += [secret(end.suite, number, of_client=client) for client in (False, True)]
            keys = [end.keys(number).packet(0, tx=tx).key for tx in (False, True)]
            parts += [bytes(key.reveal()) for key in keys]
        for part in parts:
            assert part[:8] not in seen
            assert part[-8:] not in seen


@check
def failslab_install_leaves_nothing() -> None:
    if not faults_can_be_injected():
        return
    with one_end() as end:
        for v1 in (False, True):
            body = bytes(convert.add_session(end.session()).encode())
            tries = 0
            for succeeded in failing(partial(end.netlink.send, body, NLM_F_REQUEST)):
                tries += 1
                there = end.numbers()
                assert there in ([], [1])
                assert not there or succeeded
                end.remove()
            assert tries > 10
            end.add()
            request = convert.activate_session(end.activation(v1=v1))
            body, tries = bytes(request.encode()), 0
            for _ in failing(partial(end.netlink.send, body, NLM_F_REQUEST)):
                tries += 1
                if end.get().state is nl.SessionState.HOLD:
                    continue
                end.remove()
                end.add()
            assert tries > 10
            end.remove()
            assert end.numbers() == []
