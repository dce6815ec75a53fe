"""Which disk may be written. In doubt, none."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.refusal import Refusal
from image import gpt
from image.flash.devices import Device, Host, read, whole_disk

SYSTEM = tuple(
    f" is mounted at {place}" for place in ("/", "/usr", "/var", "/home", "/boot", "/boot/efi")
)


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be written: a disk, or a file in place of one (`device` is None). `size` is in
    bytes; `name` is what a person types to confirm."""

    path: Path
    name: str
    size: int
    device: Device | None


def size_of(size: int) -> str:
    """As it is printed on sticks: ``16.0 GB``."""
    return f"{size / 1e9:.1f} GB" if size >= 10**8 else f"{size / 1e6:.1f} MB"


def objections(device: Device, needed: int) -> tuple[str, ...]:
    """Why `device` is not to be written with `needed` bytes, worst first; none if it may be."""
    found = []
    if device.kind != "disk":
        found.append({"optical": "it is an optical drive"}.get(device.kind, "it is no real disk"))
    if any(use.endswith(SYSTEM) for use in device.uses):
        found.append("this system runs from it")
    found += device.uses
    if device.read_only:
        found.append("it is read-only")
    if device.block != gpt.BLOCK:
        found.append(
            f"it is addressed by blocks of {device.block} bytes, and the image by {gpt.BLOCK}"
        )
    if not device.size:
        found.append("it has no medium in it")
    elif device.size < needed:
        found.append(f"it is too small: {size_of(device.size)}, and {size_of(needed)} are needed")
    return tuple(found)


def accept(given: Path, needed: int, host: Host) -> Target:
    """The disk or file at `given`, if `needed` bytes may be written over what is in it.

    `given` may be a symbolic link, as those in /dev/disk/by-id are. Raises Refusal.
    """
    try:
        facts = given.stat()
    except OSError as error:
        raise Refusal(
            given,
            expected="a disk such as /dev/sdb",
            found=error.strerror or str(error),
            remedy="see which there are: ./exitisp flash",
        ) from error
    path = given.resolve()
    if stat.S_ISREG(facts.st_mode):
        return _accept_file(given, path, facts.st_size, needed)
    if not stat.S_ISBLK(facts.st_mode):
        raise Refusal(
            given,
            expected="a disk, or a file in place of one",
            found="a folder" if stat.S_ISDIR(facts.st_mode) else "something else",
            remedy="see which disks there are: ./exitisp flash",
        )
    return accept_disk(kernel_name(facts.st_rdev, host) or path.name, needed, host)


def accept_disk(name: str, needed: int, host: Host) -> Target:
    """The disk that the kernel calls `name`, if it may be written. Raises Refusal."""
    disk = whole_disk(host, name)
    if disk:
        raise Refusal(
            f"/dev/{name}",
            expected="a whole disk",
            found=f"a partition of {disk}",
            remedy=f"if all of that disk may be lost, name it: /dev/{disk}",
        )
    try:
        device = read(host, name)
    except FileNotFoundError as error:
        raise Refusal(
            f"/dev/{name}",
            expected="a disk that the kernel knows",
            found="none of that name",
            remedy="see which there are: ./exitisp flash",
        ) from error
    against = objections(device, needed)
    if against:
        raise Refusal(
            device.path,
            expected="a disk that nothing uses and that the image fits on",
            found="; ".join(against),
            remedy="unmount what is mounted if it is the right one, or name another one",
        )
    return Target(device.path, device.name, device.size, device)


def kernel_name(number: int, host: Host) -> str:
    """What the kernel calls the block device with that `st_rdev`; empty if it knows none."""
    link = host.sys / "dev/block" / f"{os.major(number)}:{os.minor(number)}"
    return link.resolve().name if link.exists() else ""


def _accept_file(given: Path, path: Path, size: int, needed: int) -> Target:
    if size < needed:
        raise Refusal(
            given,
            expected=f"room for the image: {needed} bytes",
            found=f"a file of {size} bytes",
            remedy=f"make it as large as the disk it stands for: truncate -s {needed} {given}",
        )
    return Target(path, given.name, size, None)
