"""Decides whether a disk may be written. In doubt it may not."""

import hashlib
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from firstboot.core.refusal import Refusal
from image import gpt
from image.flash.devices import Device, Host, read, whole_disk

SYSTEM = tuple(
    f" is mounted at {place}" for place in ("/", "/usr", "/var", "/home", "/boot", "/boot/efi")
)


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be written: a disk, or a file that stands for one (`device` is None). `size` is in
    bytes. `name` is what the user types to confirm. `mark` stands for what lies at its ends, with
    identifiers of tables and file systems; it is empty if that cannot be read."""

    path: Path
    name: str
    size: int
    device: Device | None
    mark: str = ""


ENDS = 1 << 17
"""Bytes at each end of a disk that its mark stands for."""


def mark(descriptor: int, size: int) -> str:
    """Return the mark of an open disk or file of `size` bytes. Raises OSError."""
    ends = (os.pread(descriptor, ENDS, at) for at in (0, max(size - ENDS, 0)))
    return hashlib.sha256(b"".join(ends)).hexdigest()


def _marked(target: Target) -> Target:
    try:
        descriptor = os.open(target.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return target
    try:
        return replace(target, mark=mark(descriptor, target.size))
    except OSError:
        return target
    finally:
        os.close(descriptor)


def size_of(size: int) -> str:
    """Return a size as it is printed on sticks: ``16.0 GB``."""
    return f"{size / 1e9:.1f} GB" if size >= 10**8 else f"{size / 1e6:.1f} MB"


def objections(device: Device, needed: int) -> tuple[str, ...]:
    """Return why an image of `needed` bytes must not be written to `device`, worst reason first.
    Empty if it may be written."""
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
            f"its blocks have {device.block} bytes, and those of the image have {gpt.BLOCK}"
        )
    if not device.size:
        found.append("there is no medium in it")
    elif device.size < needed:
        found.append(
            f"it is too small: it has {size_of(device.size)}, and the image needs {size_of(needed)}"
        )
    return tuple(found)


def accept(given: Path, needed: int, host: Host) -> Target:
    """Return the disk or file at `given` as a target, if an image of `needed` bytes may overwrite
    it.

    `given` may be a symbolic link, such as those in /dev/disk/by-id. Raises Refusal.
    """
    try:
        facts = given.stat()
    except OSError as error:
        raise Refusal(
            given,
            f"it cannot be read: {error.strerror or error}",
            "List the disks of this machine with ./exitisp flash",
        ) from error
    path = given.resolve()
    if stat.S_ISREG(facts.st_mode):
        return _accept_file(given, path, facts.st_size, needed)
    if not stat.S_ISBLK(facts.st_mode):
        kind = "a folder" if stat.S_ISDIR(facts.st_mode) else "a special file"
        raise Refusal(
            given,
            f"this is {kind}, and neither a disk nor a file",
            "List the disks of this machine with ./exitisp flash",
        )
    return accept_disk(kernel_name(facts.st_rdev, host) or path.name, needed, host)


def accept_disk(name: str, needed: int, host: Host) -> Target:
    """Return the disk that the kernel calls `name`, if it may be written. Raises Refusal."""
    disk = whole_disk(host, name)
    if disk:
        raise Refusal(
            f"/dev/{name}",
            f"this is a partition of {disk}, not a whole disk",
            f"If everything on that disk may be lost, name it: /dev/{disk}",
        )
    try:
        device = read(host, name)
    except FileNotFoundError as error:
        raise Refusal(
            f"/dev/{name}",
            "the kernel knows no disk of that name",
            "List the disks of this machine with ./exitisp flash",
        ) from error
    against = objections(device, needed)
    if against:
        raise Refusal(
            device.path,
            "; ".join(against),
            "If this is the right disk, unmount what is mounted; otherwise name another one",
        )
    return _marked(Target(device.path, device.name, device.size, device))


def kernel_name(number: int, host: Host) -> str:
    """Return the kernel's name of the block device with the device number `number` (`st_rdev`), or
    "" if it knows none."""
    link = host.sys / "dev/block" / f"{os.major(number)}:{os.minor(number)}"
    return link.resolve().name if link.exists() else ""


def _accept_file(given: Path, path: Path, size: int, needed: int) -> Target:
    if size < needed:
        raise Refusal(
            given,
            f"the file has {size} bytes, and the image needs {needed}",
            f"Make it as large as the disk it stands for: truncate -s {needed} {given}",
        )
    return _marked(Target(path, given.name, size, None))
