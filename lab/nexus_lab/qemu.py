# SPDX-License-Identifier: BSD-3-Clause
"""Boots a stock kernel under QEMU's emulation (TCG), the host's root by virtiofs."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nexus_lab import initramfs
from nexus_lab.errors import LabError
from nexus_lab.machine import Guest, Job, Streams
from nexus_lab.process import end_process, jailed
from nexus_lab.stock import StockKernel

MEMORY = 1536  # MiB
_PLACES = ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")


def _virtiofsd(listener: int) -> list[str]:
    """Return the command of the file server: QEMU's own (Debian 12), or its successor in Rust."""
    program = next((place for place in _PLACES if Path(place).exists()), None)
    if program is None:
        raise LabError("virtiofsd is missing: install the Debian package virtiofsd")
    # cache=always: nothing changes what the guest reads while it runs. chroot: needs no namespaces.
    if "/lib/" in program:
        options = ("source=/", "cache=always", "sandbox=chroot", "no_posix_lock", "no_flock")
        shared = [word for option in options for word in ("-o", option)]
    else:
        shared = ["--shared-dir=/", "--cache=always", "--sandbox=chroot"]
        # An overlay takes no lower folder that is a mount point of its own.
        shared += ["--no-announce-submounts"]
    return [program, f"--fd={listener}", *shared]


@dataclass(frozen=True, slots=True)
class _QemuGuest:
    process: subprocess.Popen[bytes]
    monitor: socket.socket
    patience: int

    def request(self, letter: str, console: socket.socket) -> bool:
        """Send a break on the serial line, then the letter: SysRq as a terminal server does it."""
        requests = (
            {"execute": "qmp_capabilities"},  # an error from the second time on, and no matter
            {"execute": "chardev-send-break", "arguments": {"id": "console"}, "id": letter},
        )
        try:
            for request in requests:
                self.monitor.sendall(json.dumps(request).encode() + b"\n")
            self.monitor.settimeout(self.patience)
            answer = b""
            while b'"id": "%c"' % ord(letter) not in answer:
                if not (more := self.monitor.recv(65536)):
                    return False
                answer += more
            # The guest must have taken the break: a letter before it is just a letter.
            time.sleep(self.patience / 100)
            console.sendall(letter.encode())
        except OSError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class QemuMachine:
    """A stock kernel, ready to boot."""

    kernel: StockKernel

    patience = 30

    @property
    def release(self) -> str:
        """What uname -r says."""
        return self.kernel.release

    @property
    def modules(self) -> Path | None:
        """The folder for the guest's /lib/modules."""
        return self.kernel.modules

    def _arguments(self, folder: Path, job: Job, numbers: dict[str, int]) -> list[str]:
        memory = job.memory or MEMORY
        accelerator = ["-accel", "tcg,thread=multi", "-smp", str(job.cpus or 2)]
        if job.icount:
            accelerator = ["-accel", "tcg,thread=single", "-smp", "1"]
            accelerator += ["-icount", "shift=0,sleep=off"]
        chardevs = {
            "console": f"socket,id=console,fd={numbers['console']}",
            "monitor": f"socket,id=monitor,fd={numbers['monitor']}",
            "files": f"socket,id=files,fd={numbers['files']}",
        }
        if job.interactive:
            chardevs["terminal"] = "stdio,id=terminal,signal=off"
            ports = ["-device", "virtconsole,chardev=terminal,nr=0"]
        else:
            ports = []
            for name in ("stdout", "stderr"):
                chardevs[name] = f"socket,id={name},fd={numbers[name]}"
                ports += ["-device", f"virtserialport,chardev={name},name={name}"]
        words = [
            *("console=ttyS0", "quiet", "panic=-1", "oops=panic", "mitigations=off"),
            *("sysrq_always_enabled=1", "log_buf_len=4M", f"nexus_share={folder / 'share'}"),
            f"nexus_kind={'shell' if job.interactive else 'run'}",
            *job.kernel_arguments,
        ]
        return [
            *("qemu-system-x86_64", "-M", "q35,memory-backend=memory", *accelerator),
            *("-cpu", job.cpu_model, "-m", f"{memory}M", "-display", "none", "-name", "nexus-lab"),
            *("-nodefaults", "-no-user-config", "-no-reboot"),
            *("-object", f"memory-backend-memfd,id=memory,size={memory}M,share=on"),
            *("-kernel", str(self.kernel.image), "-initrd", str(folder / "initramfs.cpio")),
            *("-append", " ".join(words)),
            *(word for chardev in chardevs.values() for word in ("-chardev", chardev)),
            *("-serial", "chardev:console", "-mon", "chardev=monitor,mode=control"),
            *("-device", "vhost-user-fs-pci,chardev=files,tag=nexus-host"),
            *("-device", "virtio-serial-pci", *ports, "-device", "virtio-rng-pci"),
        ]

    @contextmanager
    def boot(self, folder: Path, job: Job, streams: Streams) -> Iterator[Guest]:
        """Start it with the run's folder; leaving the `with` ends it, whatever its state."""
        if not shutil.which("qemu-system-x86_64"):
            raise LabError("qemu-system-x86_64 is missing: run tools/setup as root")
        (folder / "initramfs.cpio").write_bytes(
            initramfs.build(self.kernel.modules / self.kernel.release)
        )
        with contextlib.ExitStack() as stack:

            def owned(end: socket.socket) -> socket.socket:
                return stack.enter_context(contextlib.closing(end))

            # An address in the abstract name space, chosen by the kernel: no file to leave behind.
            listener = owned(socket.socket(socket.AF_UNIX))
            listener.bind(b"")
            listener.listen(1)
            files = owned(socket.socket(socket.AF_UNIX))
            files.connect(listener.getsockname())
            monitor, monitor_end = (owned(end) for end in socket.socketpair())
            log = stack.enter_context((folder / "virtiofsd.log").open("wb"))
            server = subprocess.Popen(
                jailed(_virtiofsd(listener.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
            stack.callback(end_process, server)
            numbers = {
                "console": streams.console,
                "stdout": streams.stdout,
                "stderr": streams.stderr,
                "monitor": monitor_end.fileno(),
                "files": files.fileno(),
            }
            complaints = stack.enter_context((folder / "qemu.log").open("wb"))
            process = subprocess.Popen(
                jailed(self._arguments(folder, job, numbers)),
                stdin=None if job.interactive else subprocess.DEVNULL,
                stdout=None if job.interactive else complaints,
                stderr=complaints,
                pass_fds=list(numbers.values()),
                start_new_session=not job.interactive,
            )
            stack.callback(end_process, process)
            yield _QemuGuest(process, monitor, self.patience)
