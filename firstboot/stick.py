"""The FAT partition that a person can write to: of the box's own disk, or of a stick in it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from firstboot.machine import Machine

DEVICES = ("/dev/gpt/efi", "/dev/msdosfs/EXITISP")
"""By the label of the partition, or of the file system on it. rc.d/exitisp_site has them too."""


@contextlib.contextmanager
def mounted(machine: Machine) -> Iterator[Path | None]:
    """The folder in which it can be read, or None if there is none."""
    folder = machine.state / "stick"
    folder.mkdir(parents=True, exist_ok=True)
    for device in DEVICES:
        command = ("mount", "-t", "msdosfs", "-o", "ro,noexec,nosuid", device, str(folder))
        if machine.run(*command).status == 0:
            break
    else:
        yield None
        return
    try:
        yield folder
    finally:
        machine.run("umount", str(folder))
