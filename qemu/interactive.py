"""Boots an image for a person, with its console in their terminal."""

import sys
import tempfile
from pathlib import Path

from qemu.disk import Disk
from qemu.firmware import Firmware
from qemu.machine import Machine


def boot_interactively(
    image: Path,
    *,
    firmware: Firmware = Firmware.UEFI,
    memory: int = 1024,
    persistent: bool = False,
) -> None:
    """Boot `image`, COM1 in the terminal, until Ctrl-] is typed or the guest switches itself off.

    `memory` is in MiB. The image is written only if `persistent`. Raises Refusal and
    MachineFailure as Machine does, and Refusal if standard input is no terminal.
    """
    with tempfile.TemporaryDirectory(prefix="boot-") as folder:
        disk = Disk(image, snapshot=not persistent)
        with Machine(disk, folder=Path(folder), firmware=firmware, memory=memory) as machine:
            kept = "changes are kept" if persistent else "changes are thrown away"
            print(f"{image.name}: Ctrl-] ends the machine; {kept}", file=sys.stderr)
            machine.console.interact()
