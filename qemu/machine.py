"""A virtual machine: a PC with firmware, disks, network cards, and two serial ports."""

import contextlib
import json
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from qemu import accelerator, programs
from qemu.console import Console
from qemu.disk import Bus, Disk, check_size, write_overlay
from qemu.firmware import Firmware, find_ovmf
from qemu.monitor import Monitor, MonitorFailure
from qemu.wire import Nic

MACHINE = "q35,smm=off,vmport=off"
"""AHCI and PCI Express as in today's servers. System management mode only guards Secure Boot's
variables, and emulating it slows every start down; the other is VMware's."""


class MachineFailure(Exception):
    """QEMU did not start, or the machine did not end. The message has the command and its log."""


class Machine:
    """One PC, switched on by entering the context and gone when it is left.

    The first disk boots. `console` is COM1, `shell` is COM2; their transcripts are
    ``NAME.com1.txt`` and so on in `folder`, and stay, as does ``NAME.qemu.log``. Everything else
    (disk overlays, UEFI variables) is deleted with the machine, but outlives a power cut: see
    start(). `memory` is in MiB.

    The process dies with the thread that switched it on, so that has to be one that outlives
    the machine. Raises Refusal for missing programs, firmware or images.
    """

    def __init__(
        self,
        *disks: Disk,
        folder: Path,
        firmware: Firmware = Firmware.BIOS,
        nics: Sequence[Nic] = (),
        memory: int = 1024,
        processors: int = 1,
        name: str = "machine",
    ) -> None:
        self.name = name
        self.console: Console
        self.shell: Console
        self._disks = disks
        self._folder = folder
        self._firmware = firmware
        self._nics = tuple(nics)
        self._memory = memory
        self._processors = processors
        self._log = folder / f"{name}.qemu.log"
        self._command: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._monitor: Monitor
        self._work = contextlib.ExitStack()
        self._power = contextlib.ExitStack()

    def __enter__(self) -> "Machine":
        with contextlib.ExitStack() as stack:
            self._folder.mkdir(parents=True, exist_ok=True)
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="machine-")))
            self._command = self._assemble(work)
            stack.callback(self.cut_power)
            self.start()
            self._work = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._work.close()

    @property
    def pid(self) -> int | None:
        """The process that is the machine while it is switched on, else None."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def start(self) -> None:
        """Switch the machine on, with what its disks and its firmware held when it went off.

        `console` and `shell` are new ones from now on. Raises MachineFailure.
        """
        if self.pid is not None:
            raise RuntimeError(f"{self.name} is switched on already")
        self._power.close()
        with contextlib.ExitStack() as stack:
            far: list[socket.socket] = []
            near: list[socket.socket] = []
            for _ in ("com1", "com2", "monitor"):
                ours, theirs = socket.socketpair()
                near.append(ours)
                far.append(stack.enter_context(theirs))
            self.console = Console(near[0], self._folder / f"{self.name}.com1")
            self._power.callback(self.console.close)
            self.shell = Console(near[1], self._folder / f"{self.name}.com2")
            self._power.callback(self.shell.close)
            self._monitor = Monitor(near[2])
            self._power.callback(self._monitor.close)
            ports = [end.fileno() for end in far]
            command = programs.dying_with_us([*self._command, *_ports(*ports)])
            with self._log.open("ab") as log:
                log.write(f"{shlex.join(command)}\n".encode())
                log.flush()
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=ports
                )
        try:
            self._monitor.greet()
        except MonitorFailure as failure:
            self.cut_power()
            raise MachineFailure(f"{self.name} did not start\n{self._log.read_text()}") from failure

    def cut_power(self) -> None:
        """Pull the plug: SIGKILL, so that what was not flushed to a disk may be lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._power.close()

    def press_power_button(self) -> None:
        """Ask the guest to shut down (ACPI). See wait_until_off()."""
        self._monitor.execute("system_powerdown")

    def press_reset_button(self) -> None:
        """Start the processor anew. The serial ports stay connected."""
        self._monitor.execute("system_reset")

    def unplug(self, nic: int) -> None:
        """Pull the cable out of a network card, the first of which is 0: it has no carrier."""
        self._monitor.execute("set_link", name=f"net{nic}", up=False)

    def plug(self, nic: int) -> None:
        """Put it in again."""
        self._monitor.execute("set_link", name=f"net{nic}", up=True)

    def wait_until_off(self, timeout: float) -> None:
        """Wait until the guest has switched itself off. Raises MachineFailure after `timeout`."""
        assert self._process is not None
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise MachineFailure(f"{self.name} is still on after {timeout:g} s") from None
        if status != 0:
            raise MachineFailure(f"{self.name}: status {status}\n{self._log.read_text()}")

    def ask(self, question: str) -> Any:
        """QEMU's answer to a QMP command without arguments, ``query-block`` for instance."""
        return self._monitor.execute(question)

    def photograph(self, picture: Path) -> None:
        """Save what the video console shows; `picture` ends in .png or .ppm."""
        self._monitor.execute(
            "screendump",
            filename=str(picture.absolute()),
            format=picture.suffix.removeprefix("."),
        )

    def _assemble(self, work: Path) -> list[str]:
        arguments = [
            programs.find("qemu-system-x86_64"),
            *("-name", self.name.replace(",", ",,")),
            *("-nodefaults", "-no-user-config"),
            *accelerator.best().value,
            *("-m", str(self._memory), "-smp", str(self._processors)),
            *("-display", "none", "-vga", "std"),
            # Real boards let the chipset's watchdog reset them; QEMU's is strapped not to.
            *("-global", "ICH9-LPC.noreboot=off"),
            *_firmware(self._firmware, work),
        ]
        for at, disk in enumerate(self._disks):
            arguments += _disk(disk, at, work)
        for at, nic in enumerate(self._nics):
            arguments += _nic(nic, at)
        return arguments


def _ports(com1: int, com2: int, monitor: int) -> list[str]:
    """Serial ports and monitor on sockets that QEMU inherits, so that no byte comes too early."""
    return [
        *("-chardev", f"socket,id=com1,fd={com1}", "-serial", "chardev:com1"),
        *("-chardev", f"socket,id=com2,fd={com2}", "-serial", "chardev:com2"),
        *("-chardev", f"socket,id=monitor,fd={monitor}"),
        *("-mon", "chardev=monitor,mode=control"),
    ]


def _firmware(firmware: Firmware, work: Path) -> list[str]:
    if firmware is Firmware.BIOS:
        return ["-machine", MACHINE]
    ovmf = find_ovmf()
    variables = work / "variables.fd"
    shutil.copyfile(ovmf.variables, variables)
    code = {"driver": "file", "filename": str(ovmf.code), "read-only": True}
    return [
        *("-machine", f"{MACHINE},pflash0=code,pflash1=variables"),
        *_block("code", code),
        *_block("variables", {"driver": "file", "filename": str(variables)}),
    ]


def _disk(disk: Disk, at: int, work: Path) -> list[str]:
    node = f"disk{at}"
    check_size(disk)
    path = disk.image.absolute()
    if disk.snapshot:
        path = work / f"{node}.qcow2"
        write_overlay(path, disk)
    driver = "qcow2" if disk.snapshot else "raw"
    below = {"driver": "file", "filename": str(path)}
    facts = f"drive={node},bootindex={at + 1}"
    return [
        *_block(node, {"driver": driver, "file": below, "discard": "unmap"}),
        *_attachment(disk.bus, at, facts),
    ]


def _attachment(bus: Bus, at: int, facts: str) -> list[str]:
    """QEMU's arguments for a disk, the `at`th, on a controller of its own."""
    match bus:
        case Bus.VIRTIO:
            return ["-device", f"virtio-blk-pci,{facts}"]
        case Bus.SATA:
            controller = f"ahci,id=sata{at}"
            return ["-device", controller, "-device", f"ide-hd,bus=sata{at}.0,{facts}"]
        case Bus.NVME:
            return ["-device", f"nvme,serial=disk{at},{facts}"]
        case Bus.USB:
            # QEMU's xHCI never completes some reads of more than 128 KiB of FreeBSD's driver.
            controller = f"ich9-usb-ehci1,id=usb{at}"
            return ["-device", controller, "-device", f"usb-storage,bus=usb{at}.0,{facts}"]


def _nic(nic: Nic, at: int) -> list[str]:
    net: dict[str, object] = {"id": f"net{at}"}
    if nic.plug is None:
        net |= {"type": "user", "restrict": True}
    else:
        net |= {
            "type": "dgram",
            "local": {"type": "unix", "path": str(nic.plug.local)},
            "remote": {"type": "unix", "path": str(nic.plug.remote)},
        }
    # No boot ROM: nothing boots from the network, and Debian has them in yet another package.
    device = f"{nic.model},netdev=net{at},mac={nic.mac},romfile="
    return ["-netdev", json.dumps(net), "-device", device]


def _block(node: str, facts: dict[str, object]) -> list[str]:
    return ["-blockdev", json.dumps({"node-name": node, **facts})]
