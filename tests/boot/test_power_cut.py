"""Power cuts during the first boot, when the box writes most, and after it."""

import random
import time

import pytest

from qemu.console_patterns import LOGIN
from qemu.disk import Bus
from qemu.firmware import Firmware
from tests.boot.conftest import BOOT, Real, full, machine, transcripts
from tests.boot.power import loses_nothing

pytestmark = [pytest.mark.boot, full]

MOMENTS = {
    Firmware.BIOS: (
        "Loading kernel",
        "Mounting local filesystems",
        "Making /data",
        "resized",
        "Setting hostname",
    ),
    Firmware.UEFI: (
        "Trying to mount root",
        "/dev/gpt/cfg: clean",
        "Making /data",
        "soft updates journaling set",
        "Starting Network",
    ),
}
"""What the console prints before the power is cut, up to a second later, in one boot after another.
A boot does not repeat what an earlier one has done. If a login comes instead, the power is cut
then."""


@pytest.mark.parametrize("firmware", Firmware)
def test_a_first_boot_is_completed_after_repeated_power_cuts(
    real: Real, firmware: Firmware
) -> None:
    pauses = random.Random(firmware.value)
    with machine(
        real.image, transcripts(real.sets), firmware, Bus.SATA, f"cut-{firmware.value}"
    ) as box:
        for moment in MOMENTS[firmware]:
            box.console.expect(moment, LOGIN, timeout=BOOT)
            time.sleep(pauses.random())
            box.cut_power()
            box.start()
        box.console.expect(LOGIN, timeout=BOOT)
        box.shell.open_shell(timeout=BOOT)
        box.shell.run("test -e /data/.made && test -e /cfg/state/data-made")
        box.shell.run("touch /data/written /cfg/written && sync")
        assert "/dev/gpt/data on /data" in box.shell.run("mount").text
        kilobytes = box.shell.run("df -k /data | awk 'END { print $2 }'").text
        assert int(kilobytes) > 1_700_000


@pytest.mark.parametrize("bus", [Bus.VIRTIO, Bus.USB])
def test_a_disk_of_another_kind_loses_nothing_either(real: Real, bus: Bus) -> None:
    """test_boot.py has SATA and NVMe."""
    with machine(
        real.image, transcripts(real.sets), Firmware.BIOS, bus, f"kept-{bus.value}"
    ) as box:
        box.console.expect(LOGIN, timeout=BOOT)
        box.shell.open_shell(timeout=BOOT)
        loses_nothing(box)
