"""Choose between KVM and software emulation."""

import functools
import subprocess
import tempfile
import time
from enum import Enum

from qemu import programs

BOOT_SECTOR = bytes.fromhex("66b980f0fa02 67e2fd b010 e6f4 f4 ebfd").ljust(510, b"\0") + b"\x55\xaa"
"""A boot sector that counts down from 50,000,000 and then ends QEMU with a known status:
mov ecx,50000000; loop $; mov al,0x10; out 0xf4,al; hlt. QEMU's isa-debug-exit at port 0xf4 exits
with the status 2 * al + 1."""

GOT_THROUGH = 2 * 0x10 + 1

LONGEST = 10.0
"""Seconds that each trial may take. Emulation takes 0.2 s on an idle processor."""


class Accelerator(Enum):
    """What runs the guest's instructions. The value is QEMU's arguments for it.

    Both offer every feature of the processor that they can. The guest needs RDRAND: without it, a
    first boot waits for entropy before it makes its keys.
    """

    KVM = ("-accel", "kvm", "-cpu", "host")
    TCG = ("-accel", "tcg,thread=multi", "-cpu", "max")


def best() -> Accelerator:
    """Return the accelerator to use on this host. Raises Refusal if QEMU is not installed."""
    return Accelerator.KVM if kvm_works() else Accelerator.TCG


@functools.cache
def kvm_works() -> bool:
    """Return whether a machine boots under KVM about as fast as in emulation, or faster.

    It is not enough that /dev/kvm opens. Inside some virtual machines KVM is itself emulated:
    one instruction of real mode then takes longer than a hundred in emulation, and FreeBSD's
    loaders end in an error of KVM. So both boot BOOT_SECTOR, and KVM gets four times the time that
    emulation took, which allows for a busy host.
    Takes 2 * LONGEST seconds at most, once per process. Raises Refusal if QEMU is not installed.
    """
    emulated = _trial(Accelerator.TCG, LONGEST)
    if emulated is None:
        return False
    return _trial(Accelerator.KVM, min(LONGEST, 0.5 + 4 * emulated)) is not None


def _trial(accelerator: Accelerator, limit: float) -> float | None:
    """Return how many seconds BOOT_SECTOR took, or None if it did not end within `limit`
    seconds."""
    with tempfile.NamedTemporaryFile(suffix=".sector") as sector:
        sector.write(BOOT_SECTOR)
        sector.flush()
        command = [
            programs.find("qemu-system-x86_64"),
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *accelerator.value,
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
            *("-drive", f"file={sector.name.replace(',', ',,')},format=raw,if=ide,snapshot=on"),
        ]
        began = time.monotonic()
        process = subprocess.Popen(
            programs.dying_with_us(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None
        return time.monotonic() - began if status == GOT_THROUGH else None
