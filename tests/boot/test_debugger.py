"""Nobody gets the kernel's debugger, a panic or a restart by keys at the console, and a panic ends
in a restart.

A kernel with ALT_BREAK_TO_DEBUGGER, as HARDENEDBSD is, acts on three keys after CR and a tilde:
Ctrl-B opens the debugger, Ctrl-P panics, Ctrl-R restarts (kdb_alt_break() of sys/kern/subr_kdb.c).
One with BREAK_TO_DEBUGGER opens the debugger on a BREAK of the serial line.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from image import overlay
from qemu.console import TimedOut
from qemu.console_patterns import CRASHES, LOGIN, PANIC, sign
from qemu.disk import Bus
from qemu.firmware import Firmware
from qemu.machine import Machine
from tests.boot.conftest import BOOT, ROOT, Real, identify, machine, make, transcripts

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("debugger")]

PANIC_ON_DEMAND = ROOT / "tests" / "boot" / "panic"

SEQUENCES = {"Ctrl-B": "\r~\x02", "Ctrl-P": "\r~\x10", "Ctrl-R": "\r~\x12"}

QUIET = 10.0
"""Seconds within which a debugger, a panic or a restart would show."""

ROOT_MOUNTED = "Trying to mount root"
"""What the kernel prints long before securelevel rises."""

STARTED = sign("a boot from the beginning", r"---<<BOOT>>---|BdsDxe: |Booting from Hard Disk")
RESTARTED = sign("a restart", r"Uptime: |Rebooting|" + STARTED.pattern.pattern)


@pytest.fixture(scope="module")
def panicking(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    """An image that can be told to panic at its next boot."""
    image = tmp_path_factory.mktemp("debugger") / "exitisp.img"
    return make(sets, image, overlay.load(PANIC_ON_DEMAND))


@pytest.fixture(scope="module")
def box(panicking: Real) -> Iterator[Machine]:
    """A box after its first boot, during which the keys were pressed too: the debugger is easiest
    to reach before securelevel rises."""
    folder = transcripts(panicking.sets)
    with machine(panicking.image, folder, Firmware.BIOS, Bus.SATA, "debugger") as running:
        running.console.expect(ROOT_MOUNTED, timeout=BOOT)
        press_everything(running)
        running.console.expect(LOGIN, timeout=BOOT, failures=(*CRASHES, STARTED))
        running.shell.open_shell(timeout=BOOT)
        identify(running.shell)
        yield running


def press_everything(box: Machine) -> None:
    for keys in SEQUENCES.values():
        box.console.send(keys)
        time.sleep(1)
    box.send_break()


def stays_up(box: Machine) -> None:
    """Nothing happens for QUIET seconds, and the shell answers."""
    with pytest.raises(TimedOut):
        box.console.expect(*CRASHES, RESTARTED, timeout=QUIET, failures=())
    assert box.shell.run("echo alive").text == "alive\n"


def test_keys_and_a_break_during_the_boot_do_nothing(box: Machine) -> None:
    """The fixture pressed them."""
    assert box.shell.run("sysctl -n kern.securelevel").text.strip() == "1"


@pytest.mark.parametrize("keys", SEQUENCES)
def test_keys_at_the_login_do_nothing(box: Machine, keys: str) -> None:
    box.console.send(SEQUENCES[keys])
    stays_up(box)


def test_a_break_on_the_serial_line_does_nothing(box: Machine) -> None:
    box.send_break()
    stays_up(box)


def test_a_panic_ends_in_a_restart(box: Machine) -> None:
    box.shell.run("touch /cfg/testpanic && mount -u -o ro /cfg && mount -u -o rw /cfg")
    box.shell.send_line("shutdown -r now")
    box.console.expect(PANIC, timeout=BOOT, failures=())
    box.console.expect(STARTED, timeout=BOOT, failures=())
    box.console.expect(LOGIN, timeout=BOOT)
    box.shell.open_shell(timeout=BOOT)
    assert box.shell.run("echo alive").text == "alive\n"
