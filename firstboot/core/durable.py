"""Files that have to survive a power cut: a file is the old one or the new one, never a part.

FreeBSD's UFS waits until a disk has taken what is synchronised, and disks have caches: UFS without
soft updates never tells them to empty those. So that is done here, as g_io_flush(9) does it for a
file system with a journal.
"""

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Any, TypeVar

from firstboot.core import bounded_json
from firstboot.core.limits import KEPT_FILE, Json
from firstboot.core.refusal import Refusal

T = TypeVar("T", dict[str, Any], list[Any])

DISK = Path("/dev/gpt/boot")
"""A partition of the disk that all of it is on. GEOM takes BIO_FLUSH from those alone who have it
open for writing (g_io_check() in sys/geom/geom_io.c), which nobody else can while it is mounted;
this one never is. What is flushed is the whole disk."""

DIOCGFLUSH = 0x20006487
"""_IO('d', 135) in sys/disk.h: empty the write cache of the disk below."""


def keep(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make `data` the content of `path`, on the disk when this returns. Raises OSError, and then
    `path` is what it was, and nothing is left beside it."""
    ensure_replaceable(path)
    part = path.with_name(f".{path.name}.new")
    try:
        write(part, data, mode)
        flush()
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    settle(path.parent)


def ensure_replaceable(path: Path) -> None:
    """Raise OSError if something other than a file is at `path`: /dev/null is gone for all programs
    once root replaces it by a file."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise OSError(errno.EEXIST, "what is there is no file", str(path))


def kept(path: Path, limit: int = KEPT_FILE) -> bytes | None:
    """What `keep` made the content of `path`; None if there is no such file.

    Raises Refusal for what nobody kept: a file that is empty or has more than `limit` bytes, and
    one that cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise damaged(path, f"it cannot be read: {error.strerror or error}") from error
    if not data:
        raise damaged(path, "it is empty")
    if len(data) > limit:
        raise damaged(path, f"it has more than {limit} bytes")
    return data


def kept_json(path: Path, bounds: Json, kind: type[T]) -> T | None:
    """The JSON that `keep` made the content of `path`, a dict or a list as `kind` says; None if
    there is no such file. Raises Refusal for what nobody kept, JSON of another kind too."""
    data = kept(path, bounds.size)
    if data is None:
        return None
    try:
        found = bounded_json.read(data, bounds)
    except ValueError as error:
        raise damaged(path, f"it is not what was kept: {error}") from error
    if not isinstance(found, kind):
        raise damaged(path, "it is not what was kept: other JSON")
    return found


def damaged(path: Path, problem: str) -> Refusal:
    """The refusal for a file that is not what was kept."""
    return Refusal(path, problem, "Check the disk. exitisp restore makes a box from a backup")


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
