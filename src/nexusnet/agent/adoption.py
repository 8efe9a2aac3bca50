# SPDX-License-Identifier: BSD-3-Clause
"""What the kernel carried on with after an agent crashed, taken over by the next one.

The sessions go on as they are: their keys are the kernel's, so nobody can hand them over. A peer
that connects again replaces its session, whose routes lead to the new one from then on.
"""

import contextlib
import logging
from dataclasses import dataclass

from nexusnet.agent.logs import facts
from nexusnet.agent.plane import PlaneHost
from nexusnet.dataplane.protocol import DataPlaneError, PersistentDataPlane, SessionStatus
from nexusnet.netlink.generated import CloseMode
from nexusnet.session import Close, Device, SessionRef

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Inheritance:
    """An adopted device, and those of its sessions that nobody has replaced yet."""

    planes: PlaneHost
    device: Device
    sessions: set[SessionRef]

    def sweep(self) -> None:
        """End the sessions that no route leads to any more: their peers have new ones."""
        if not self.sessions:
            return
        plane = self.planes.plane
        led_to = {route.session for route in plane.routes(self.device.id)}
        for ref in self.sessions - led_to:
            # The peer has left it; there is nobody to say goodbye to.
            plane.delete_session(ref, self.planes.next_number(), Close(mode=CloseMode.SILENT))
            logger.info("an inherited session is replaced", extra=facts(session=ref.id))
        self.sessions &= led_to


def _numbers(device: Device, sessions: list[SessionStatus], planes: PlaneHost) -> int:
    """Return the highest number that the former agent gave."""
    routes = planes.plane.routes(device.id)
    return max(
        device.generation,
        *(max(one.ref.id, one.generation) for one in sessions),
        *(route.generation for route in routes),
    )


def adopt(planes: PlaneHost, wanted: Device) -> Inheritance | None:
    """Take over the device of a crashed agent, where there is one.

    Args:
        planes: the data plane.
        wanted: what would be made: its name and network tell which device it is.
    """
    plane = planes.plane
    if not isinstance(plane, PersistentDataPlane):
        return None
    for orphan in plane.orphans():
        if (orphan.name, orphan.network_id) != (wanted.name, wanted.network_id):
            continue
        with contextlib.suppress(DataPlaneError):
            sessions = plane.adopt(orphan)
            (device,) = (one for one in plane.devices() if one.id == orphan.id)
            planes.numbers_above(_numbers(device, sessions, planes))
            logger.warning(
                "took over what an agent that crashed left running",
                extra=facts(interface=device.name, sessions=len(sessions)),
            )
            return Inheritance(planes, device, {one.ref for one in sessions})
    return None
