# SPDX-License-Identifier: BSD-3-Clause
"""The agent and the kernel's data plane: why it is there or not, and what a crashed agent left."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from nexusnet.agent import module
from nexusnet.agent.adoption import adopt
from nexusnet.agent.plane import PlaneChoice, PlaneHost, choose_plane, needs_of
from nexusnet.dataplane.kernel import KernelDataPlane
from nexusnet.dco import Absence, Decision, Plane
from nexusnet.netlink import generated as nl
from nexusnet.session import Device, Route, SessionRef
from tests.agent.fakes import FakePlane, config
from tests.agent.test_config import CLIENT, SERVER
from tests.dataplane.fake_kernel import FakeKernel
from tests.dataplane.test_kernel_client import Setting

KERNEL = Decision(Plane.KERNEL, "for a test")
WANTED = Device(generation=1, network_id=7, name="nexusq1")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A procfs of a machine that may load modules."""
    (tmp_path / "sys/kernel").mkdir(parents=True)
    (tmp_path / "self").mkdir()
    (tmp_path / "modules").touch()
    (tmp_path / "sys/kernel/modules_disabled").write_text("0\n")
    (tmp_path / "self/status").write_text("Name:\tx\nCapBnd:\t000001ffffffffff\n")
    return tmp_path


def test_what_keeps_modules_out(proc: Path) -> None:
    assert module.may_load(proc)
    (proc / "self/status").write_text("CapBnd:\t00000000a80425fb\n")  # a container's
    assert not module.may_load(proc)
    (proc / "self/status").write_text("CapBnd:\t000001ffffffffff\n")
    (proc / "sys/kernel/modules_disabled").write_text("1\n")
    assert not module.may_load(proc)
    (proc / "sys/kernel/modules_disabled").write_text("0\n")
    (proc / "modules").unlink()
    assert not module.may_load(proc)


def test_why_the_module_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not module.installed(tmp_path)
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra/nexus_quic_dco.ko.xz").touch()
    assert module.installed(tmp_path)
    for may, there, expected in (
        (False, True, Absence.CANNOT_LOAD),
        (True, False, Absence.NOT_INSTALLED),
        (True, True, Absence.NOT_LOADED),
    ):
        monkeypatch.setattr(module, "may_load", lambda may=may: may)
        monkeypatch.setattr(module, "installed", lambda there=there: there)
        assert module.why_absent() is expected
        assert module.probe_kernel() is expected, "there is no module where tests run"


def test_where_it_is_switched_off_nobody_asks(tmp_path: Path) -> None:
    def never() -> Absence:
        raise AssertionError("asked")

    text = SERVER.replace('name = "home"', 'name = "home"\ndco_mode = "disabled"')
    homes = {Plane.USERSPACE: FakePlane}
    chosen = choose_plane(config(text, tmp_path), probe=never, homes=homes)
    assert chosen.decision.plane is Plane.USERSPACE


def test_persistence_is_a_need(tmp_path: Path) -> None:
    text = CLIENT.replace('name = "home"', 'name = "home"\npersist = true')
    assert nl.Feature.PERSIST in needs_of(config(text, tmp_path)).features


@pytest.fixture
def crashed() -> Iterator[Setting]:
    """A data plane with two sessions whose agent is gone; the kernel stays."""
    setting = Setting()
    for number in (1, 2):
        ref = setting.connect(number)
        prefix = ip_network(f"10.0.{number}.0/24")
        route = Route(session=ref, prefix=prefix, generation=40 + number, epoch=1)
        setting.plane.add_route(route)
    setting.plane._link.close()
    device = setting.kernel.devices[setting.device.id]
    setting.kernel.devices[setting.device.id] = replace(device, owner_port=0)
    try:
        yield setting
    finally:
        setting.close()


def heir_of(kernel: FakeKernel) -> PlaneHost:
    return PlaneHost(PlaneChoice(KernelDataPlane(kernel.prepared()), KERNEL))


def test_a_crashed_agents_sessions_go_on_until_they_are_replaced(crashed: Setting) -> None:
    planes = heir_of(crashed.kernel)
    try:
        inheritance = adopt(planes, WANTED)
        assert inheritance is not None
        assert inheritance.sessions == {crashed.ref(1), crashed.ref(2)}
        assert planes.next_number() > 42, "the routes' generations are the highest"
        inheritance.sweep()
        assert len(crashed.kernel.sessions) == 2, "nothing has replaced them"
        # The first peer connects again.
        ref = SessionRef(crashed.device.id, planes.next_number())
        route = Route(
            session=ref, prefix=ip_network("10.0.1.0/24"), generation=planes.next_number(), epoch=1
        )
        planes.plane.add_route(route, replace=True)
        inheritance.sweep()
        assert list(crashed.kernel.sessions) == [(crashed.device.id, 2)]
        assert inheritance.sessions == {crashed.ref(2)}
    finally:
        planes.close()


@pytest.mark.parametrize("wanted", [replace(WANTED, name="nexusq9"), replace(WANTED, network_id=8)])
def test_another_network_is_left_alone(crashed: Setting, wanted: Device) -> None:
    planes = heir_of(crashed.kernel)
    try:
        assert adopt(planes, wanted) is None
        assert crashed.kernel.devices[crashed.device.id].owner_port == 0
    finally:
        planes.close()


def test_user_space_leaves_nothing_to_adopt() -> None:
    planes = PlaneHost(PlaneChoice(FakePlane(), KERNEL))
    assert adopt(planes, WANTED) is None
