"""KVM where it is of use, software emulation elsewhere."""

import functools
import subprocess
import tempfile
import time
from enum import Enum

from qemu import programs

BOOT_SECTOR = bytes.fromhex("66b980f0fa02 67e2fd b010 e6f4 f4 ebfd").ljust(510, b"\0") + b"\x55\xaa"
"""mov ecx,50000000; loop to itself; mov al,0x10; out 0xf4,al; then hlt for ever. QEMU's
isa-debug-exit at port 0xf4 ends QEMU with the status 2 * al + 1."""

GOT_THROUGH = 2 * 0x10 + 1

LONGEST = 10.0
"""Seconds that either trial may take; emulation takes 0.2 s on an idle processor."""


class Accelerator(Enum):
    """What runs the guest's instructions. The value holds QEMU's arguments for it.

    Both use the fullest processor on offer, for RDRAND above all: without it, a machine that
    boots for the first time waits for entropy before it makes its keys.
    """

    KVM = ("-accel", "kvm", "-cpu", "host")
    TCG = ("-accel", "tcg,thread=multi", "-cpu", "max")


def best() -> Accelerator:
    """The accelerator to use here. Raises Refusal where QEMU is not installed."""
    return Accelerator.KVM if kvm_works() else Accelerator.TCG


@functools.cache
def kvm_works() -> bool:
    """Whether a machine boots under KVM about as fast as in emulation, or faster.

    That /dev/kvm opens says little: inside some virtual machines it is itself emulated, and one
    instruction of real mode takes longer there than a hundred in emulation; loaders of FreeBSD end
    in an error of KVM. So both boot a sector that counts for a while, and emulation sets the time:
    a machine that is busy is so for both.
    Takes 2 * LONGEST seconds at most, once in a process. Raises Refusal without QEMU.
    """
    emulated = _trial(Accelerator.TCG, LONGEST)
    if emulated is None:
        return False
    return _trial(Accelerator.KVM, min(LONGEST, 0.5 + 4 * emulated)) is not None


def _trial(accelerator: Accelerator, limit: float) -> float | None:
    """The seconds until BOOT_SECTOR ran, or None if it did not within `limit` seconds."""
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
