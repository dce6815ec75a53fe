"""Mounts the FAT partition that a person can write to, on the box's own disk or a USB stick."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from firstboot.box.machine import Machine

OWN = "/dev/gpt/efi"
PLUGGED_IN = "/dev/msdosfs/EXITISP"
DEVICES = (OWN, PLUGGED_IN)
"""Device nodes by the label of the partition or file system. rc.d/exitisp_site has them too."""


@contextlib.contextmanager
def mounted(
    machine: Machine, devices: tuple[str, ...] = DEVICES, how: str = "ro"
) -> Iterator[Path | None]:
    """Mount the first of `devices` that exists, and yield its folder; None if none of them exists.

    With "sync" as `how`, files can be written.
    """
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
