"""Writing what has to survive a power cut: a file is the old one or the new one, never a part.

FreeBSD's UFS waits until a disk has taken what is synchronised, and disks have caches: UFS without
soft updates never tells them to empty those. So that is done here, as g_io_flush(9) does it for a
file system with a journal.
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

DISK = Path("/dev/gpt/boot")
"""A partition of the disk that all of it is on. GEOM takes BIO_FLUSH from those alone who have it
open for writing (g_io_check() in sys/geom/geom_io.c), which nobody else can while it is mounted;
this one never is. What is flushed is the whole disk."""

DIOCGFLUSH = 0x20006487
"""_IO('d', 135) in sys/disk.h: empty the write cache of the disk below."""


def keep(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make `data` the content of `path`, on the disk when this returns. Raises OSError, and then
    `path` is what it was."""
    part = path.with_name(f".{path.name}.new")
    write(part, data, mode)
    flush()
    part.replace(path)
    settle(path.parent)


def write(path: Path, data: bytes, mode: int) -> None:
    """Write `path` anew and wait until the disk has what is in it; its name may still be lost."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def settle(folder: Path) -> None:
    """Wait until the disk has the names in `folder`, and everything that was written before."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # FreeBSD's msdosfs has no such call for folders; it is mounted to write at once.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)
    flush()


def flush() -> None:
    """Have the disk write down what is in its cache.

    Does nothing where there is no `DISK`, as on Linux, or where it has no such call.
    """
    with contextlib.suppress(OSError):
        disk = os.open(DISK, os.O_WRONLY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(disk, DIOCGFLUSH)
        finally:
            os.close(disk)
