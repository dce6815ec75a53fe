"""An open disk, or a file in its place: written through the cache, read past it."""

import errno
import fcntl
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from firstboot.core.refusal import Refusal
from image.atomic_files import place
from image.flash.safety import Target

CHUNK = 1 << 20
ALIGNED = 4096
"""Bytes; what O_DIRECT asks of offsets and lengths is this or less on any disk (open(2))."""

BLKRRPART = 0x125F
"""`<linux/fs.h>`: read the partition table anew."""


class Medium:
    """See `image.flash.writing.Disk`. Offsets to read from are multiples of 4096."""

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

    def settle(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        with suppress(OSError):
            fcntl.ioctl(self._descriptor, BLKRRPART)
        if self._direct is not None:
            os.close(self._direct)
        os.close(self._descriptor)
        self._buffer.close()


@contextmanager
def opened(target: Target) -> Iterator[Medium]:
    """`target`, open to be written by nobody else. Raises Refusal.

    A disk that anything else has mounted or claimed is busy to O_EXCL (open(2)), whatever the
    lists of this machine say; one that was exchanged since it was looked at is refused.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_EXCL if target.device else 0)
    try:
        descriptor = os.open(target.path, flags)
    except OSError as error:
        raise _refused(target, error) from error
    try:
        _check_same(descriptor, target)
        medium = Medium(descriptor, os.lseek(descriptor, 0, os.SEEK_END))
    except BaseException:
        os.close(descriptor)
        raise
    try:
        yield medium
    finally:
        medium.close()


def _check_same(descriptor: int, target: Target) -> None:
    facts = os.fstat(descriptor)
    size = os.lseek(descriptor, 0, os.SEEK_END)
    number = f"{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}"
    if (
        stat.S_ISBLK(facts.st_mode) != (target.device is not None)
        or (target.device is not None and number != target.device.number)
        or size != target.size
    ):
        raise Refusal(
            target.path,
            expected=f"the disk {target.name} of {target.size} bytes, as it was when it was named",
            found=f"another one, of {size} bytes",
            remedy="leave it plugged in and run the same command again",
        )


def _open_direct(descriptor: int) -> int | None:
    """The same file again, to be read past the cache; None where that cannot be."""
    with suppress(OSError):
        flags = os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC
        return os.open(f"/proc/self/fd/{descriptor}", flags)
    return None


def _refused(target: Target, error: OSError) -> Refusal:
    remedies = {
        errno.EACCES: f"give yourself that for this disk alone: sudo setfacl -m u:$USER:rw"
        f" {target.path}",
        errno.EBUSY: "unmount it, and stop what else has it open",
        errno.EROFS: "turn its write protection off",
    }
    return Refusal(
        target.path,
        expected="permission to write to it",
        found=error.strerror or str(error),
        remedy=remedies.get(error.errno or 0, "plug it in again and run the same command again"),
    )
