# SPDX-License-Identifier: BSD-3-Clause
"""The protocol core compiles in real kernels, without warnings, links as a module and loads."""

import shutil
from pathlib import Path

import pytest

from nexus_lab import KERNELS, Lab
from nexus_sim.core import ROOT

pytestmark = [pytest.mark.timeout(1800)]

DAILY = ("uml-debug", "6.1")

KBUILD = """\
# SPDX-License-Identifier: BSD-3-Clause
obj-m := nqd_proto_check.o
nqd_proto_check-y := main.o {objects}
ccflags-y := -I$(src)/kernel -I$(src)/kernel/proto
# Both spellings of $(src): an absolute path from Linux 6.13 on.
ccflags-y += -I$(srctree)/$(src)/kernel -I$(srctree)/$(src)/kernel/proto
ifeq ($(wildcard $(srctree)/include/linux/unaligned.h),)
ccflags-y += -I$(src)/kernel/compat/include/unaligned
endif
"""


@pytest.mark.parametrize(
    "kernel",
    [
        pytest.param(name, marks=pytest.mark.lab if name in DAILY else pytest.mark.lab_matrix)
        for name in KERNELS
    ],
)
def test_builds_and_loads(kernel: str, tmp_path: Path) -> None:
    source = tmp_path / "nqd_proto_check"
    for folder in ("proto", "uapi", "compat"):
        shutil.copytree(ROOT / "kernel" / folder, source / "kernel" / folder)
    shutil.copy(ROOT / "tests/proto/kernel_module/main.c", source)
    sources = sorted((source / "kernel" / "proto").glob("*.c"))
    objects = " ".join(f"kernel/proto/{path.stem}.o" for path in sources)
    (source / "Kbuild").write_text(KBUILD.format(objects=objects))
    lab = Lab()
    built = lab.build(kernel, source, tmp_path / "build")
    assert built.warnings == ()
    (module,) = built.modules
    load_and_unload = f"insmod '{module}' && rmmod nqd_proto_check"
    result = lab.run(kernel, ["sh", "-c", load_and_unload], timeout=120)
    assert result.status == 0, result.stderr.decode()
    assert result.problems == ()
