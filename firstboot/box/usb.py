"""The FAT partition that a person can write to: of the box's own disk, or of a stick in it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from firstboot.box.machine import Machine

OWN = "/dev/gpt/efi"
PLUGGED_IN = "/dev/msdosfs/EXITISP"
DEVICES = (OWN, PLUGGED_IN)
"""By the label of the partition, or of the file system on it. rc.d/exitisp_site has them too."""


@contextlib.contextmanager
def mounted(
    machine: Machine, devices: tuple[str, ...] = DEVICES, how: str = "ro"
) -> Iterator[Path | None]:
    """The folder in which the first of `devices` that is there can be read, or None. With `how`
    "sync" it can be written to."""
    folder = machine.state / "stick"
    folder.mkdir(parents=True, exist_ok=True)
    for device in devices:
        command = (
            *("mount", "-t", machine.system.fat),
            *("-o", f"{how},noexec,nosuid", device, str(folder)),
        )
        if machine.run(*command).status == 0:
            break
    else:
        yield None
        return
    try:
        yield folder
    finally:
        machine.run("umount", str(folder))
