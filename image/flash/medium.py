"""An open disk, or a file that stands for one. Writes go through the page cache, reads go past
it."""

import errno
import fcntl
import mmap
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from firstboot.core.refusal import Refusal
from image.atomic_files import place
from image.flash.devices import Device, Host, read
from image.flash.safety import Target, mark

CHUNK = 1 << 20
ALIGNED = 4096
"""Bytes. Offsets and lengths of reads with O_DIRECT are multiples of it; no disk asks for more
(open(2))."""

BLKRRPART = 0x125F
"""`<linux/fs.h>`: make the kernel read the partition table again."""

BLKGETDISKSEQ = 0x80081280
"""`<linux/fs.h>`: the sequence number of the disk, 64 bits in host byte order."""


class Medium:
    """Implements `image.flash.writing.Disk`. Offsets of reads are multiples of 4096."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._buffer = mmap.mmap(-1, CHUNK)
        self._direct = _open_direct(descriptor)

    @property
    def size(self) -> int:
        return self._size

    def read(self, at: int, length: int) -> bytes:
        if self._direct is not None:
            wanted = length + -length % ALIGNED
            try:
                with memoryview(self._buffer) as view:
                    found = os.preadv(self._direct, [view[:wanted]], at)
                return self._buffer[: min(found, length)]
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                os.close(self._direct)
                self._direct = None
        os.posix_fadvise(self._descriptor, at, length, os.POSIX_FADV_DONTNEED)
        return os.pread(self._descriptor, length, at)

    def write(self, at: int, data: bytes) -> None:
        place(self._descriptor, at, data)

    def flush(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        with suppress(OSError):
            fcntl.ioctl(self._descriptor, BLKRRPART)
        if self._direct is not None:
            os.close(self._direct)
        os.close(self._descriptor)
        self._buffer.close()


@contextmanager
def open_medium(target: Target, host: Host) -> Iterator[Medium]:
    """Open `target` for writing, for this process alone. Raises Refusal.

    O_EXCL fails with EBUSY on a disk that anything has mounted or claimed (open(2)), even if the
    kernel's lists do not show it. A disk that was exchanged after it was named is refused.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_EXCL if target.device else 0)
    try:
        descriptor = os.open(target.path, flags)
    except OSError as error:
        raise _refused(target, error) from error
    try:
        _check_same(descriptor, target, host)
        medium = Medium(descriptor, os.lseek(descriptor, 0, os.SEEK_END))
    except BaseException:
        os.close(descriptor)
        raise
    try:
        yield medium
    finally:
        medium.close()


def disk_sequence(descriptor: int) -> int:
    """Return the sequence number of an open disk, or 0 if the kernel does not tell it."""
    number = bytearray(8)
    try:
        fcntl.ioctl(descriptor, BLKGETDISKSEQ, number)
    except OSError:
        return 0
    return int.from_bytes(number, sys.byteorder)


def _check_same(descriptor: int, target: Target, host: Host) -> None:
    """Raise Refusal unless the open disk is `target`: by its number and size, and by the kernel's
    sequence number, for a stick that is plugged in after another often gets the other's number.
    For kernels that have none, also by its maker's serial number and by what lies at its ends."""
    facts = os.fstat(descriptor)
    size = os.lseek(descriptor, 0, os.SEEK_END)
    same = stat.S_ISBLK(facts.st_mode) == (target.device is not None) and size == target.size
    if same and (device := target.device):
        number = f"{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}"
        exchanged = device.sequence and disk_sequence(descriptor) != device.sequence
        same = number == device.number and not exchanged and _is_still(device, host)
    if same and target.mark:
        same = mark(descriptor, size) == target.mark
    if not same:
        raise Refusal(
            target.path,
            f"this is another disk, of {size} bytes, than {target.name} of {target.size} bytes, "
            "which was named",
            "Leave the disk plugged in and run the same command again",
        )


def _is_still(device: Device, host: Host) -> bool:
    try:
        now = read(host, device.name)
    except FileNotFoundError:
        return False
    return (now.model, now.serial) == (device.model, device.serial)


def _open_direct(descriptor: int) -> int | None:
    """Open the same file again to read past the page cache. Returns None where that is not
    possible."""
    with suppress(OSError):
        flags = os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC
        return os.open(f"/proc/self/fd/{descriptor}", flags)
    return None


def _refused(target: Target, error: OSError) -> Refusal:
    remedies = {
        errno.EACCES: f"Allow it for this disk alone: sudo setfacl -m u:$USER:rw {target.path}",
        errno.EBUSY: "Unmount it, and end the programs that have it open",
        errno.EROFS: "Switch off its write protection",
    }
    return Refusal(
        target.path,
        f"it cannot be opened for writing: {error.strerror or error}",
        remedies.get(error.errno or 0, "Plug it in again and run the same command again"),
    )
