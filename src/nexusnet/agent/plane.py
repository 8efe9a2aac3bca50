# SPDX-License-Identifier: BSD-3-Clause
"""The data plane in the event loop: which one it is, and who hears of its events.

Nothing above this module knows which home the packets have.
"""

import asyncio
import contextlib
import itertools
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from nexusnet.agent.config import Config, CongestionProfile
from nexusnet.agent.errors import StartError
from nexusnet.agent.logs import facts
from nexusnet.agent.module import probe_kernel
from nexusnet.dataplane.kernel import KernelDataPlane
from nexusnet.dataplane.protocol import DataPlane, DataPlaneError
from nexusnet.dco import Absence, DcoMode, Decision, Needs, Plane, Probe, decide
from nexusnet.handshake.profile import DEFAULT_SUITES
from nexusnet.netlink.generated import CipherSuite, Congestion, Feature
from nexusnet.netlink.messages import Message
from nexusnet.session import SessionRef

logger = logging.getLogger(__name__)

EventHandler = Callable[[Message], None]

NICE: Final = 3
"""Of the event loop's thread: half of the data plane's weight where they share a CPU."""

CONGESTION: Final[Mapping[CongestionProfile, Congestion]] = {
    CongestionProfile.CUBIC_LIKE: Congestion.CUBIC_LIKE,
    CongestionProfile.BBR_LIKE: Congestion.BBR_LIKE,
    CongestionProfile.FIXED_RATE_TEST: Congestion.FIXED_RATE_TEST,
}


@dataclass(frozen=True, slots=True)
class PlaneChoice:
    """A data plane and why it is this one."""

    plane: DataPlane
    decision: Decision


def needs_of(config: Config) -> Needs:
    """Return what a network needs of a data plane."""
    # Connection IDs are given and retired by frames of user space.
    features = Feature.SEND_FRAMES
    if config.lab.fixed_rate_bits_per_second is not None:
        features |= Feature.LAB_MODE
    if config.network.persist:
        features |= Feature.PERSIST
    return Needs(
        ciphers=frozenset(CipherSuite(int(suite)) for suite in DEFAULT_SUITES),
        congestion=CONGESTION[config.transport.congestion],
        features=features,
        sessions=max(1, len(config.peer)),
    )


def open_userspace() -> DataPlane:
    """Start the data plane in user space."""
    try:
        # Not at the top: without its compiled engine the rest of the command line still works.
        from nexusnet.dataplane.userspace import UserspaceDataPlane  # noqa: PLC0415
    except ImportError as error:
        raise StartError(
            f"the user-space engine cannot be loaded ({error}): install the package again,"
            " or in a checkout run `make setup`"
        ) from error
    plane = UserspaceDataPlane()
    give_way()
    return plane


def give_way() -> None:
    """Have this thread, and those that it starts, give way to the data plane, which runs already.

    On Linux a nice value is a thread's. Strangers by the thousand are this thread's work: where
    they and the tunnels want the same CPU, the tunnels come first.
    """
    with contextlib.suppress(OSError):
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(own, NICE))


def choose_plane(
    config: Config,
    *,
    probe: Callable[[], Probe] = probe_kernel,
    homes: Mapping[Plane, Callable[[], DataPlane]] | None = None,
) -> PlaneChoice:
    """Open the data plane that the configuration and this machine lead to.

    Args:
        config: says `dco_mode` and what is needed.
        probe: asks the kernel.
        homes: opens a data plane of a kind.

    Raises:
        StartError: the mode is `required` and the kernel cannot.
    """
    mode = config.network.dco_mode
    # Asking has the kernel load the module: not where it is not wanted.
    found = Absence.NOT_LOADED if mode is DcoMode.DISABLED else probe()
    decision = decide(mode, found, needs_of(config))
    if decision.plane is Plane.REFUSED:
        raise StartError(decision.reason)
    homes = homes or {Plane.USERSPACE: open_userspace, Plane.KERNEL: KernelDataPlane}
    return PlaneChoice(homes[decision.plane](), decision)


class PlaneHost:
    """Serves one data plane to many tunnels.

    Attributes:
        plane: the data plane.
        decision: why it is this one.
        takes_secrets: whether it derives keys itself (v2).
    """

    def __init__(self, choice: PlaneChoice) -> None:
        """Take it over; `start` lets its events flow."""
        self.plane = choice.plane
        self.decision = choice.decision
        features = Feature(self.plane.capabilities().features or 0)
        self.takes_secrets = Feature.INSTALL_SECRETS in features
        self._handlers: dict[SessionRef, EventHandler] = {}
        self._numbers = itertools.count(1)
        self._loop: asyncio.AbstractEventLoop | None = None

    def next_number(self) -> int:
        """Return a number that rises with every call: for session ids and generations."""
        return next(self._numbers)

    def numbers_above(self, number: int) -> None:
        """Let the following numbers be higher than those of somebody before us."""
        self._numbers = itertools.count(max(number + 1, self.next_number()))

    def start(self) -> None:
        """Begin to hand out events, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.plane.fileno(), self._readable)

    def subscribe(self, ref: SessionRef, handler: EventHandler) -> None:
        """Hand the events of a session to somebody, who acknowledges those with an id."""
        self._handlers[ref] = handler

    def unsubscribe(self, ref: SessionRef) -> None:
        """Forget a session."""
        self._handlers.pop(ref, None)

    def _readable(self) -> None:
        try:
            messages = self.plane.events()
        except DataPlaneError:
            logger.exception("the data plane's events cannot be read")
            return
        for message in messages:
            session = message.attributes.session
            if session is None or session.device_id is None or session.id is None:
                logger.info("event of the data plane", extra=facts(event=message.code.name))
                continue
            handler = self._handlers.get(SessionRef(session.device_id, session.id))
            if handler is not None:
                handler(message)

    def close(self) -> None:
        """Delete everything that the data plane holds."""
        if self._loop is not None:
            self._loop.remove_reader(self.plane.fileno())
        self.plane.close()
