"""A virtual machine: a PC with firmware, disks, network cards, and two serial ports."""

import contextlib
import json
import shutil
import socket
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from qemu import accelerator, programs
from qemu.console import Console
from qemu.disk import Bus, Disk, check_size, write_overlay
from qemu.failure import Failure
from qemu.firmware import Firmware, find_ovmf
from qemu.monitor import Ended, MonitorFailure
from qemu.qemu_process import Running
from qemu.wire import HostNetwork, Nic, Plug

MACHINE = "q35,smm=off,vmport=off"
"""AHCI and PCI Express, as in today's servers. System management mode is off, since it only guards
Secure Boot's variables and slows every start down, and so is VMware's port."""


class MachineFailure(Failure):
    """QEMU did not start, or the machine did not end. The message has QEMU's command and log."""


class Machine:
    """A PC. A context manager: entering it switches the machine on, leaving it removes the machine.

    It boots from the first disk. `console` is COM1 and `shell` is COM2. Their transcripts,
    ``NAME.com1.txt`` and so on, stay in `folder`, as does ``NAME.qemu.log``. Disk overlays and UEFI
    variables are deleted with the machine, but survive a power cut, see start(). `memory` is in
    MiB.

    QEMU ends with this program, however that ends. Raises Refusal if a program, firmware or an
    image is missing.
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
        self.nics = tuple(nics)
        self._memory = memory
        self._processors = processors
        self._log = folder / f"{name}.qemu.log"
        self._command: list[str] = []
        self._running: Running | None = None
        self._unplugged: set[int] = set()
        self._clock: datetime | None = None
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
        """QEMU's process while the machine is on, else None. A reset changes it."""
        return None if self._running is None else self._running.pid

    def start(self) -> None:
        """Switch the machine on, with its disks and UEFI variables as they were when it went off.

        `console` and `shell` are new objects afterwards. Raises MachineFailure.
        """
        if self.pid is not None:
            raise RuntimeError(f"{self.name} is switched on already")
        self._power.close()
        (com1, far1), (com2, far2) = socket.socketpair(), socket.socketpair()
        self.console = Console(com1, self._folder / f"{self.name}.com1")
        self._power.callback(self.console.close)
        self.shell = Console(com2, self._folder / f"{self.name}.com2")
        self._power.callback(self.shell.close)
        try:
            command = [*self._command, *_clock(self._clock)]
            self._running = Running(command, (far1, far2), self._log, self._unplugged)
        except MonitorFailure as failure:
            self.cut_power()
            raise MachineFailure(f"{self.name} did not start\n{self._log.read_text()}") from failure

    def cut_power(self) -> None:
        """Cut the power (SIGKILL): what the guest has not flushed to a disk may be lost."""
        if self._running is not None:
            self._running.cut_power()
        self._power.close()

    def set_clock(self, to: datetime | None) -> None:
        """Have the clock of the board show `to`, in UTC, at the next start(); None for the time."""
        self._clock = to

    def press_power_button(self) -> None:
        """Ask the guest to shut down (ACPI). See wait_until_off()."""
        self._execute("system_powerdown")

    def press_reset_button(self) -> None:
        """Reset the machine. The serial ports stay connected, and pulled cables stay out."""
        self._execute("system_reset")

    def send_break(self) -> None:
        """Send a BREAK over COM1, the console."""
        self._execute("human-monitor-command", **{"command-line": "chardev-send-break com1"})

    def unplug(self, nic: int) -> None:
        """Pull the cable out of the network card with this index, so that it loses its carrier."""
        self._execute("set_link", name=f"net{nic}", up=False)
        self._unplugged.add(nic)

    def plug(self, nic: int) -> None:
        """Put the cable of the network card with this index back."""
        self._execute("set_link", name=f"net{nic}", up=True)
        self._unplugged.discard(nic)

    def wait_until_off(self, timeout: float) -> None:
        """Wait until the guest has powered off. Raises MachineFailure after `timeout` seconds."""
        assert self._running is not None
        status = self._running.wait(timeout)
        if status is None:
            raise MachineFailure(f"{self.name} is still on after {timeout:g} s")
        if status != 0:
            raise MachineFailure(f"{self.name}: status {status}\n{self._log.read_text()}")

    def ask(self, question: str) -> Any:
        """Return QEMU's answer to a QMP command without arguments, such as ``query-block``."""
        return self._execute(question)

    def last_line(self) -> str:
        """The last line that COM1 printed, with its time; "" if there is none."""
        return "".join(self.console.transcript.tail()[-1:])

    def photograph(self, picture: Path) -> None:
        """Save a picture of the video console. `picture` ends in .png or .ppm."""
        self._execute(
            "screendump",
            filename=str(picture.absolute()),
            format=picture.suffix.removeprefix("."),
        )

    def _execute(self, command: str, **arguments: object) -> Any:
        if self._running is None:
            raise Ended(f"{self.name} was never switched on and takes no command {command}")
        return self._running.execute(command, **arguments)

    def _assemble(self, work: Path) -> list[str]:
        arguments = [
            programs.find("qemu-system-x86_64"),
            *("-name", self.name.replace(",", ",,")),
            *("-nodefaults", "-no-user-config"),
            *accelerator.best().value,
            *("-m", str(self._memory), "-smp", str(self._processors)),
            *("-display", "none", "-vga", "std"),
            # Let the chipset's watchdog reset the machine, as on real boards. QEMU's default is no.
            *("-global", "ICH9-LPC.noreboot=off"),
            *_firmware(self._firmware, work),
        ]
        for at, disk in enumerate(self._disks):
            arguments += _disk(disk, at, work)
        for at, nic in enumerate(self.nics):
            arguments += _nic(nic, at)
        return arguments


def _clock(shown: datetime | None) -> list[str]:
    return [] if shown is None else ["-rtc", f"base={shown:%Y-%m-%dT%H:%M:%S}"]


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
    """Return QEMU's arguments for the disk with this index, on a controller of its own."""
    match bus:
        case Bus.VIRTIO:
            return ["-device", f"virtio-blk-pci,{facts}"]
        case Bus.SATA:
            controller = f"ahci,id=sata{at}"
            return ["-device", controller, "-device", f"ide-hd,bus=sata{at}.0,{facts}"]
        case Bus.NVME:
            return ["-device", f"nvme,serial=disk{at},{facts}"]
        case Bus.USB:
            # With xHCI, QEMU never completes some reads of over 128 KiB by FreeBSD's driver.
            controller = f"ich9-usb-ehci1,id=usb{at}"
            return ["-device", controller, "-device", f"usb-storage,bus=usb{at}.0,{facts}"]


def _nic(nic: Nic, at: int) -> list[str]:
    net = {"id": f"net{at}", **_connection(nic.plug)}
    # No boot ROM: nothing boots from the network, and Debian has the ROMs in another package.
    device = f"{nic.model},netdev=net{at},mac={nic.mac},romfile="
    return ["-netdev", json.dumps(net), "-device", device]


def _connection(plug: Plug | HostNetwork | None) -> dict[str, object]:
    """QEMU's netdev options for what a card is connected to."""
    match plug:
        case None:
            return {"type": "user", "restrict": True}
        case HostNetwork():
            forwarded = f"tcp:127.0.0.1:{plug.port}-{plug.guest}:22"
            return {
                "type": "user",
                "restrict": True,
                "ipv6": False,
                "net": str(plug.network),
                "host": str(plug.gateway),
                "hostfwd": [{"str": forwarded}],
            }
        case Plug():
            return {
                "type": "dgram",
                "local": {"type": "unix", "path": str(plug.local)},
                "remote": {"type": "unix", "path": str(plug.remote)},
            }


def _block(node: str, facts: dict[str, object]) -> list[str]:
    return ["-blockdev", json.dumps({"node-name": node, **facts})]
