"""Power cuts in the first boot, which is when the box writes the most."""

import random
import time

import pytest

from qemu.disk import Bus
from qemu.firmware import Firmware
from qemu.signs import LOGIN
from tests.boot.conftest import BOOT, Real, machine, transcripts

pytestmark = pytest.mark.boot

MOMENTS = (
    "Loading kernel",
    "Trying to mount root",
    "Setting hostuuid",
    "/dev/gpt/cfg: clean",
    "Making /data",
    "Making /data",
    "resized",
    "soft updates journaling set",
    "Setting hostname",
    "Starting Network",
)
"""What the console says before the power goes, a random part of a second later."""


@pytest.mark.parametrize("cut", range(len(MOMENTS)))
def test_a_first_boot_that_lost_its_power_is_made_up_for(real: Real, cut: int) -> None:
    firmware = (Firmware.BIOS, Firmware.UEFI)[cut % 2]
    pause = random.Random(cut).random()
    with machine(real.image, transcripts(), firmware, Bus.SATA, f"cut-{cut}") as box:
        box.console.expect(MOMENTS[cut], timeout=BOOT)
        time.sleep(pause)
        box.cut_power()
        box.start()
        box.console.expect(LOGIN, timeout=BOOT)
        box.shell.open_shell(timeout=BOOT)
        box.shell.run("test -e /data/.made && test -e /cfg/state/data-made")
        box.shell.run("touch /data/written /cfg/written && sync")
        assert "/dev/gpt/data on /data" in box.shell.run("mount").text
        kilobytes = box.shell.run("df -k /data | awk 'END { print $2 }'").text
        assert int(kilobytes) > 1_700_000
